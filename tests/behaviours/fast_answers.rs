//! Answers inside the kernel: who gets them, for how long, and what becomes of them when the daemon or a link goes.
//!
//! `just test-fast` runs all other behaviours with them, too.

use std::time::{Duration, Instant};

use arpherd_lab::{ArpFrame, Capture, Daemon, Host, Mac, Netns, Result, wait_until};

use crate::reload::reload;
use crate::rig::{
    A_WHILE, Config, ROUTER, Rig, SLOW_EXPIRY, SOON, counter, events, host_row, introduce, is_attached, pass,
    segment_row, wait_event,
};

/// linux/capability.h
const CAP_BPF: u32 = 39;
/// It includes the one before.
const CAP_SYS_ADMIN: u32 = 21;
/// How long the program answers at the most for a daemon that is there no longer.
const VOUCHED: Duration = Duration::from_millis(1500);
const SECOND: Duration = Duration::from_secs(1);
/// signal(7)
const SIGSTOP: i32 = 19;
const SIGCONT: i32 = 18;

fn config(mode: &str) -> Config {
    Config::common_with(&[("expiry", SLOW_EXPIRY)]).top(&format!("daemon: {{ fast_answers: {mode} }}"))
}

/// A host on each segment, both known, and a daemon whose program answers them.
struct Answered {
    rig: Rig,
    a: Host,
    b: Host,
    daemon: Daemon,
}

impl Answered {
    fn new() -> Result<Self> {
        Self::with(&config("on"))
    }

    fn with(config: &Config) -> Result<Self> {
        let rig = Rig::new()?;
        let daemon = config.start(&rig.r)?;
        let (a, b) = (rig.left(10)?, rig.right(20)?);
        introduce(&a, &rig.r, "eth0")?;
        introduce(&b, &rig.r, "eth1")?;
        let it = Self { rig, a, b, daemon };
        it.wait_answered();
        Ok(it)
    }

    fn in_kernel(&self) -> u64 {
        counter(&self.daemon, "eth0", "answered_in_kernel")
    }

    /// `A` asks for `B` once, and gets at most one answer, which says this.
    fn ask(&self) -> Option<Mac> {
        let wire = self.a.wire().expect("its link stays");
        let (answer, _) = wire.ask_one(&self.a.request(self.b.ip()), Duration::from_millis(100))?;
        assert_eq!(answer, ArpFrame::reply(answer.sha, self.b.ip(), self.a.mac(), self.a.ip()));
        Some(answer.sha)
    }

    /// Waits until an answer comes from inside the kernel.
    fn wait_answered(&self) {
        let before = self.in_kernel();
        wait_until(SOON, "an answer from inside the kernel", || {
            self.ask();
            self.in_kernel() > before
        });
    }
}

#[harness::test(in_kernel)]
fn fast_known_hosts_are_answered_inside_the_kernel_and_the_daemon_does_not_hear_of_it() -> Result<()> {
    const QUESTIONS: u64 = 50;
    let it = Answered::new()?;
    assert!(is_attached(&it.daemon, "eth0"));
    let counts = || ["answered", "answered_in_kernel", "read"].map(|name| counter(&it.daemon, "eth0", name));
    let [answered, in_kernel, read] = counts();
    for _ in 0..QUESTIONS {
        assert_eq!(it.ask(), Some(it.rig.mac("eth0")));
    }
    let [now_answered, now_in_kernel, now_read] = counts();
    assert_eq!((now_answered - answered, now_in_kernel - in_kernel), (QUESTIONS, QUESTIONS));
    assert!(now_read - read < QUESTIONS / 2, "{read} {now_read}");
    assert_eq!(it.a.wire()?.ask(&it.a.request(it.b.ip()), A_WHILE).len(), 1, "one answer");
    Ok(())
}

#[harness::test(in_kernel)]
fn fast_all_other_questions_are_the_daemons() -> Result<()> {
    let it = Answered::new()?;
    let (c, d) = (it.rig.left(11)?, it.rig.right(21)?);
    let wire = it.a.wire()?;
    let (a, b, own) = (&it.a, &it.b, it.rig.mac("eth0"));
    let before = it.in_kernel();
    // A probe, a stranger who asks and is known from then on, an unknown target, this machine, an announcement.
    let probe = ArpFrame::request(a.mac(), [0, 0, 0, 0].into(), b.ip());
    assert_eq!(wire.ask(&probe, A_WHILE), [ArpFrame::reply(own, b.ip(), a.mac(), [0, 0, 0, 0].into())]);
    assert_eq!(c.wire()?.ask(&c.request(b.ip()), A_WHILE).len(), 1);
    assert_eq!(wire.ask(&a.request(d.ip()), A_WHILE).len(), 1);
    assert_eq!(wire.ask(&a.request(ROUTER), A_WHILE).len(), 1);
    assert_eq!(wire.ask(&ArpFrame::gratuitous(a.mac(), a.ip()), A_WHILE), []);
    assert_eq!(it.in_kernel(), before);
    Ok(())
}

#[harness::test(in_kernel)]
fn fast_who_asks_inside_the_kernel_is_heard_and_not_probed() -> Result<()> {
    let quick = "{ quiet: 400ms, interval: 100ms, unicast: 3, broadcast: 2 }";
    let it = Answered::with(&Config::common_with(&[("expiry", quick)]).top("daemon: { fast_answers: on }"))?;
    let wire = Capture::start(&it.rig.left.ns, &it.rig.left_port)?;
    let before = it.in_kernel();
    let begun = Instant::now();
    while begun.elapsed() < 2 * SECOND {
        assert!(it.ask().is_some());
        pass(Duration::from_millis(50)); // it asks as a host does
    }
    let router = it.rig.mac("eth0");
    let probes =
        wire.arps().into_iter().filter(|arp| arp.op == 1 && arp.sha == router && arp.tpa == it.a.ip());
    let (probes, answered) = (probes.count(), it.in_kernel() - before);
    assert!(answered > 20, "{answered} answers from inside the kernel");
    // Of two seconds without a stamp it would be 20.
    assert!(probes <= 2, "{probes} probes of a host that was heard");
    assert_eq!(host_row(&it.daemon, it.a.ip()).expect("it is known")["state"], "alive");
    Ok(())
}

/// Its route stands for an hour if nobody wants it. Of those who do the daemon hears, though they are answered in the kernel.
#[harness::test(in_kernel)]
fn fast_a_host_that_died_in_silence_is_found_out_by_those_who_want_it() -> Result<()> {
    /// Of silence, after which a wanted host is asked; until a question is passed on; of the probes.
    const MOST: Duration = Duration::from_millis(5_000 + 2_000 + 1_000);
    let expiry = "{ quiet: 1h, interval: 100ms, unicast: 3, broadcast: 2 }";
    let it = Answered::with(&Config::common_with(&[("expiry", expiry)]).top("daemon: { fast_answers: on }"))?;
    it.b.silence(true)?;
    let (died, before) = (Instant::now(), it.in_kernel());
    while events(&it.daemon, "host_gone").is_empty() {
        assert!(died.elapsed() < MOST, "{:?}", host_row(&it.daemon, it.b.ip()));
        it.ask();
        pass(Duration::from_millis(200)); // it asks as a host does
    }
    assert!(it.in_kernel() - before > 10, "{} answers from inside the kernel", it.in_kernel() - before);
    assert_eq!(events(&it.daemon, "host_gone")[0]["address"], it.b.ip().to_string());
    Ok(())
}

#[harness::test(in_kernel)]
fn fast_a_killed_daemon_is_answered_for_no_longer() -> Result<()> {
    let mut it = Answered::new()?;
    it.daemon.kill();
    let killed = Instant::now();
    // tcx ends with the process, a filter with its word that the daemon lives.
    wait_until(SOON, "it is silent", || it.ask().is_none());
    let silent = killed.elapsed();
    assert!(silent < VOUCHED + Duration::from_millis(250), "{silent:?}");
    assert_eq!(it.a.wire()?.ask(&it.a.request(it.b.ip()), A_WHILE), []);
    Ok(())
}

#[harness::test(in_kernel)]
fn fast_a_daemon_that_hangs_is_answered_for_no_longer_and_goes_on_where_it_was() -> Result<()> {
    let mut it = Answered::new()?;
    it.daemon.signal(SIGSTOP)?;
    let stopped = Instant::now();
    wait_until(SOON, "it is silent", || it.ask().is_none());
    let silent = stopped.elapsed();
    it.daemon.signal(SIGCONT)?;
    assert!(silent < VOUCHED + Duration::from_millis(250), "{silent:?}");
    it.wait_answered();
    Ok(())
}

/// Where there is no tcx, or there are too many interfaces for it, the program is a filter, which outlives a kill.
#[harness::test(in_kernel)]
fn fast_a_filter_that_outlives_its_daemon_falls_silent_and_the_next_takes_its_place() -> Result<()> {
    /// So many interfaces have tcx.
    const FIRST: u32 = 32;
    let (rig, far) = (Rig::new()?, Netns::new("far")?);
    let names: Vec<_> = (0..FIRST).map(|number| format!("a{number}")).collect();
    let mut config = Config::common_with(&[("expiry", SLOW_EXPIRY)]);
    for name in &names {
        rig.r.veth(name, &far, name)?;
        rig.r.address_noprefix(name, &format!("{ROUTER}/32"))?;
        far.up(name)?;
        rig.r.up(name)?;
        config = config.segment(name, &[]);
    }
    // The interfaces with the lowest numbers come first, so that these two are the last.
    for (segment, name) in [(&rig.left, "eth0"), (&rig.right, "eth1")] {
        rig.r.delete(name)?;
        segment.plug(&rig.r, name)?;
        rig.r.address_noprefix(name, &format!("{ROUTER}/32"))?;
    }
    let config = config.top("daemon: { fast_answers: on }");
    let mut daemon = config.start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    wait_until(SOON, "it is a filter", || segment_row(&daemon, "eth0")["fast_answers"] == "clsact");
    let mut it = Answered { rig, a, b, daemon };
    it.wait_answered();
    it.daemon.kill();
    let killed = Instant::now();
    wait_until(SOON, "it is silent", || it.ask().is_none());
    let silent = killed.elapsed();
    assert!(silent < VOUCHED + Duration::from_millis(250), "{silent:?}");
    daemon = config.start(&it.rig.r)?;
    it.daemon = daemon;
    introduce(&it.a, &it.rig.r, "eth0")?;
    introduce(&it.b, &it.rig.r, "eth1")?;
    it.wait_answered();
    let begun = Instant::now();
    it.daemon.terminate();
    assert!(begun.elapsed() < 3 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(it.ask(), None);
    Ok(())
}

#[harness::test(in_kernel)]
fn fast_a_clean_stop_leaves_nothing() -> Result<()> {
    let mut it = Answered::new()?;
    it.daemon.terminate();
    assert_eq!(it.ask(), None);
    assert!(it.daemon.log().contains("stopped"));
    Ok(())
}

#[harness::test(in_kernel)]
fn fast_a_new_link_layer_address_is_in_answers_within_a_second() -> Result<()> {
    let it = Answered::new()?;
    let other = Mac([2, 0, 0, 0, 9, 9]);
    it.rig.r.set_mac("eth0", other)?;
    let changed = Instant::now();
    wait_until(SOON, "the new address is said", || it.ask() == Some(other));
    assert!(changed.elapsed() < SECOND, "{:?}", changed.elapsed());
    it.wait_answered();
    assert_eq!(it.ask(), Some(other));
    Ok(())
}

#[harness::test(in_kernel)]
fn fast_an_interface_that_is_made_again_is_answered_again_within_a_second() -> Result<()> {
    let it = Answered::new()?;
    it.rig.r.delete("eth0")?;
    let before = it.in_kernel();
    it.rig.left.plug(&it.rig.r, "eth0")?;
    it.rig.r.address_noprefix("eth0", &format!("{ROUTER}/32"))?;
    wait_until(SOON, "the segment is up", || segment_row(&it.daemon, "eth0")["state"] == "up");
    let up = Instant::now();
    let is_attached = || segment_row(&it.daemon, "eth0")["fast_answers"] != "waiting";
    wait_until(SOON, "it is attached", is_attached);
    assert!(up.elapsed() < SECOND, "{:?}", up.elapsed());
    introduce(&it.a, &it.rig.r, "eth0")?;
    it.wait_answered();
    assert!(it.in_kernel() > before);
    Ok(())
}

#[harness::test(in_kernel)]
fn fast_a_reload_turns_it_off_and_on_for_a_segment_and_not_where_it_was_never_loaded() -> Result<()> {
    let mut it = Answered::new()?;
    let off = Config::common_with(&[("expiry", SLOW_EXPIRY), ("fast_answers", "off")]);
    reload(&mut it.daemon, off.text(), "reloaded")?;
    assert!(segment_row(&it.daemon, "eth0")["fast_answers"].is_null());
    let before = it.in_kernel();
    assert!(it.ask().is_some(), "the daemon answers");
    assert_eq!(it.in_kernel(), before);
    reload(&mut it.daemon, config("auto").text(), "reloaded")?;
    it.wait_answered();
    drop(it);

    if arpherd_lab::is_answered_in_kernel() {
        return Ok(()); // every daemon of this run has loaded it
    }
    let rig = Rig::new()?;
    let mut daemon = config("off").start(&rig.r)?;
    let error = reload(&mut daemon, config("auto").text(), "reload_refused")?["error"].to_string();
    assert!(error.contains("fast_answers") && error.contains("restart"), "{error}");
    Ok(())
}

#[harness::test(in_kernel)]
fn fast_a_replaced_instance_goes_on_answering_inside_the_kernel() -> Result<()> {
    let mut it = Answered::new()?;
    let next = config("on").top("routes: { metric: 77 }");
    reload(&mut it.daemon, next.text(), "reloaded")?;
    introduce(&it.a, &it.rig.r, "eth0")?;
    introduce(&it.b, &it.rig.r, "eth1")?;
    it.wait_answered();
    Ok(())
}

#[harness::test(in_kernel)]
fn fast_segments_in_another_network_namespace_are_answered_there() -> Result<()> {
    let (rig, home) = (Rig::named("inkernel")?, Netns::new("home")?);
    rig.r.publish()?;
    let keys = [("expiry", SLOW_EXPIRY), ("netns", "inkernel")];
    let daemon = Config::common_with(&keys).top("daemon: { fast_answers: on }").start(&home)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    let it = Answered { rig, a, b, daemon };
    it.wait_answered();
    Ok(())
}

#[harness::test(in_kernel)]
fn fast_while_facts_are_recorded_the_daemon_answers_all() -> Result<()> {
    let rig = Rig::new()?;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("facts");
    let launch = config("on").launch(&rig.r).args(&["--record", file.to_str().expect("a name")]);
    let daemon = launch.start()?;
    let reason = wait_event(&daemon, "fast_answers_off", |_| true)["reason"].to_string();
    assert!(reason.contains("recorded"), "{reason}");
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    assert_eq!(a.wire()?.ask(&a.request(b.ip()), A_WHILE).len(), 1);
    assert_eq!(counter(&daemon, "eth0", "answered_in_kernel"), 0);
    Ok(())
}

#[harness::test]
fn fast_without_the_right_auto_serves_all_the_same_and_on_does_not_start() -> Result<()> {
    let rig = Rig::new()?;
    let without = |mode: &str| config(mode).launch(&rig.r).without(CAP_BPF).without(CAP_SYS_ADMIN);
    // Of a run with answers inside the kernel.
    let without = |mode: &str| without(mode).env("ARPHERD_DAEMON__FAST_ANSWERS", mode);
    let failure = without("on").run()?;
    assert_eq!(failure.code, Some(77), "{}", failure.stderr);
    assert!(failure.stderr.contains("CAP_BPF") && failure.stderr.contains("auto"), "{}", failure.stderr);
    let daemon = without("auto").start()?;
    let told = events(&daemon, "fast_answers_off");
    assert!(told.len() == 1 && told[0]["reason"].to_string().contains("CAP_BPF"), "{told:?}");
    assert_eq!(segment_row(&daemon, "eth0")["fast_answers"], "unavailable");
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&b, &rig.r, "eth1")?;
    assert_eq!(a.wire()?.ask(&a.request(b.ip()), A_WHILE).len(), 1);
    assert_eq!(counter(&daemon, "eth0", "answered_in_kernel"), 0);
    Ok(())
}
