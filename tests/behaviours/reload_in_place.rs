//! A reload touches nothing that did not change: sockets, hosts with their ages and origins, routes, counters, sweeps.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use arpherd_lab::{Daemon, Netns, Result, wait_until};
use serde_json::Value;

use crate::reload::{Vigil, reload};
use crate::rig::{
    Config, Rig, SLOW_EXPIRY, SOON, SUBNET, counter, events, host_row, introduce, ip, routed_by, segment_row,
};
use crate::trio::Trio;

const SECOND: Duration = Duration::from_secs(1);
const SLOW: (&str, &str) = ("expiry", SLOW_EXPIRY);

/// A domain of this name with both segments of the common rig, and no host given up during the test.
fn two() -> Config {
    Config::of(SUBNET).segment("eth0", &[SLOW]).segment("eth1", &[SLOW])
}

/// The inode numbers of the process's sockets that the kernel lists as packet sockets (packet(7)), by interface.
fn packet_sockets(ns: &Netns, pid: u32) -> BTreeSet<(String, String)> {
    let list = ns.run(|| fs::read_to_string("/proc/thread-self/net/packet").expect("the kernel lists them"));
    let own: BTreeSet<String> = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd"))
        .expect("a process")
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| {
            let name = target.to_string_lossy().into_owned();
            Some(name.strip_prefix("socket:[")?.strip_suffix("]")?.to_owned())
        })
        .collect();
    let rows = list.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    // sk RefCnt Type Proto Iface R Rmem User Inode
    let sockets = rows.filter_map(|row| Some((row.get(4)?.to_string(), row.get(8)?.to_string())));
    sockets.filter(|(_, inode)| own.contains(inode)).collect()
}

fn row(daemon: &Daemon, last: u8) -> Value {
    host_row(daemon, ip(last)).unwrap_or_else(|| panic!("10.9.0.{last} is not known"))
}

/// Two hosts that talk all the time, and everything by which a reload could be felt.
struct Watched<'a> {
    router: &'a Netns,
    sockets: BTreeSet<(String, String)>,
    rows: [Value; 2],
    read: u64,
    up: usize,
    found: u64,
    vigil: Vigil,
}

impl<'a> Watched<'a> {
    fn start(trio: &'a Trio, daemon: &Daemon) -> Result<Self> {
        let router = &trio.rig.r;
        introduce(&trio.a, router, "eth0")?;
        trio.b.ask(ip(99))?;
        wait_until(SOON, "b is known", || routed_by(router, trio.b.ip()).as_deref() == Some("eth1"));
        wait_until(SOON, "some age", || row(daemon, 10)["age_seconds"].as_u64() >= Some(1));
        Ok(Self {
            router,
            sockets: packet_sockets(router, daemon.pid()),
            rows: [10, 20].map(|last| row(daemon, last)),
            read: counter(daemon, "eth0", "read"),
            up: events(daemon, "segment_up").len(),
            found: daemon.cli(&["status"])["events"]["host_found"].as_u64().unwrap_or_default(),
            vigil: Vigil::start(router, &trio.a, &trio.b)?,
        })
    }

    /// Nothing was felt on both segments.
    fn held(self, daemon: &Daemon, first: &str) {
        self.vigil.held(&[ip(10), ip(20)]);
        let mine = ["eth0", "eth1"].map(|link| self.router.index(link).expect("the links stay").to_string());
        let is_mine = |socket: &&(String, String)| mine.contains(&socket.0);
        let now = packet_sockets(self.router, daemon.pid());
        let before: Vec<_> = self.sockets.iter().filter(is_mine).collect();
        let still: Vec<_> = now.iter().filter(is_mine).collect();
        assert_eq!(before.len(), 4, "two that listen on each: {before:?}");
        assert_eq!(before, still, "the same sockets on both");
        for (before, last) in self.rows.iter().zip([10, 20]) {
            let now = row(daemon, last);
            for key in ["lladdr", "learned_from"] {
                assert_eq!(now[key], before[key]);
            }
            assert_ne!(now["learned_from"], "kernel");
        }
        assert!(counter(daemon, first, "read") >= self.read, "counters go on");
        let up = events(daemon, "segment_up").len();
        assert!(up - self.up <= 1, "only a new segment comes up: {up} now, {} before", self.up);
        let found = daemon.cli(&["status"])["events"]["host_found"].as_u64().unwrap_or_default();
        assert!(found >= self.found, "counts of events go on");
    }
}

/// Takes the configuration up and looks whether anything of what did not change was touched.
fn untouched_by(before: &Config, after: &Config) -> Result<(Trio, Daemon)> {
    let trio = Trio::new()?;
    let mut daemon = before.start(&trio.rig.r)?;
    let watched = Watched::start(&trio, &daemon)?;
    reload(&mut daemon, after.text(), "reloaded")?;
    watched.held(&daemon, "eth0");
    Ok((trio, daemon))
}

#[harness::test]
fn reload_adds_a_segment_and_touches_no_other() -> Result<()> {
    let (trio, daemon) = untouched_by(&two(), &two().segment("eth2", &[SLOW]))?;
    introduce(&trio.c, &trio.rig.r, "eth2")?;
    trio.all_pairs();
    let aged = row(&daemon, 20);
    assert_eq!(aged["learned_from"], "request");
    Ok(())
}

#[harness::test]
fn reload_removes_a_segment_and_touches_no_other() -> Result<()> {
    let (trio, daemon) = untouched_by(&two().segment("eth2", &[SLOW]), &two())?;
    assert_eq!(daemon.cli(&["segments"]).as_array().map(Vec::len), Some(2));
    let left = packet_sockets(&trio.rig.r, daemon.pid());
    let listening = left.iter().map(|(interface, _)| interface.as_str()).collect::<BTreeSet<_>>();
    let eth2 = trio.rig.r.index("eth2")?.to_string();
    assert!(!listening.contains(eth2.as_str()), "its sockets are closed: {left:?}");
    Ok(())
}

/// A domain whose name is before the other's: every segment has another place in the configuration.
#[harness::test]
fn reload_adds_a_domain_before_the_one_there_is() -> Result<()> {
    let after = Config::empty()
        .domain("a", "10.77.0.0/24")
        .segment("eth2", &[SLOW])
        .domain("test", SUBNET)
        .segment("eth0", &[SLOW])
        .segment("eth1", &[SLOW]);
    let (trio, daemon) = untouched_by(&two(), &after)?;
    assert_eq!(segment_row(&daemon, "eth2")["domain"], "a");
    assert_eq!(daemon.cli(&["status"])["domains"], 2);
    drop(trio);
    Ok(())
}

#[harness::test]
fn reload_renames_segments_and_domains() -> Result<()> {
    let trio = Trio::new()?;
    let mut daemon = two().start(&trio.rig.r)?;
    let watched = Watched::start(&trio, &daemon)?;
    let renamed = Config::empty().domain("office", SUBNET).segment("eth0", &[SLOW]);
    let renamed = renamed.segment("upstairs", &[SLOW, ("interface", "eth1")]);
    reload(&mut daemon, renamed.text(), "reloaded")?;
    watched.held(&daemon, "eth0");
    let row = row(&daemon, 20);
    assert_eq!((&row["segment"], &row["domain"]), (&"upstairs".into(), &"office".into()));
    introduce(&trio.b, &trio.rig.r, "eth1")?;
    Ok(())
}

/// What is changed on `eth2` is not felt between `eth0` and `eth1`, and neither is the change of a mode on themselves.
#[harness::test]
fn reload_changes_rates_modes_pins_and_prefixes_in_place() -> Result<()> {
    let base = || two().segment("eth2", &[SLOW]);
    let changed = Config::of("10.9.0.0/24, 10.77.0.0/24")
        .segment("eth0", &[SLOW, ("answer", "routed"), ("private_vlan", "open")])
        .segment("eth1", &[SLOW, ("pins", &format!("{{ {}: '02:00:00:00:00:77' }}", ip(50)))])
        .segment("eth2", &[("expiry", "{ quiet: 2h }"), ("sweep", "{ interval: 30s, rate: 9 }")]);
    let (trio, mut daemon) = untouched_by(&base(), &changed)?;
    assert_eq!(segment_row(&daemon, "eth0")["answer"], "routed");
    assert_eq!(trio.rig.r.sysctl("ipv4/conf/eth0/send_redirects")?, "0");
    let watched = Watched::start(&trio, &daemon)?;
    reload(&mut daemon, base().text(), "reloaded")?;
    watched.held(&daemon, "eth0");
    let prefixes = segment_row(&daemon, "eth0")["prefixes"].clone();
    assert_eq!(prefixes, serde_json::json!([SUBNET]));
    Ok(())
}

#[harness::test]
fn reload_does_not_begin_a_sweep_anew() -> Result<()> {
    let slow_sweep = ("sweep", "{ interval: 1h, rate: 50 }");
    let config = Config::of(SUBNET).segment("eth0", &[SLOW, slow_sweep]).segment("eth1", &[SLOW]);
    let trio = Trio::new()?;
    let mut daemon = config.start(&trio.rig.r)?;
    wait_until(SOON, "the sweep is under way", || counter(&daemon, "eth0", "probed") > 20);
    reload(&mut daemon, config.clone().segment("eth2", &[SLOW]).text(), "reloaded")?;
    let started =
        || events(&daemon, "sweep_started").into_iter().filter(|it| it["segment"] == "eth0").count();
    assert_eq!(started(), 1);
    wait_until(SOON, "it goes on to its end", || counter(&daemon, "eth0", "probed") > 200);
    assert_eq!(started(), 1);
    Ok(())
}

#[harness::test]
fn reload_of_the_exit_rule_counts_at_the_exit() -> Result<()> {
    let keep = two().top("daemon: { on_exit: keep }");
    let (trio, mut daemon) = untouched_by(&two(), &keep)?;
    assert!(daemon.terminate().success());
    assert_eq!(routed_by(&trio.rig.r, ip(10)).as_deref(), Some("eth0"));
    Ok(())
}

/// Other routes take other actors; what is known of hosts goes along.
#[harness::test]
fn reload_of_the_metric_keeps_what_is_known() -> Result<()> {
    let trio = Trio::new()?;
    let mut daemon = two().start(&trio.rig.r)?;
    introduce(&trio.a, &trio.rig.r, "eth0")?;
    trio.b.ask(ip(99))?;
    wait_until(SOON, "b is known", || routed_by(&trio.rig.r, ip(20)).is_some());
    reload(&mut daemon, two().top("routes: { metric: 77 }").text(), "reloaded")?;
    let metrics =
        || -> Vec<u32> { crate::rig::host_routes(&trio.rig.r).iter().map(|route| route.metric).collect() };
    wait_until(SECOND, "both are found again", || metrics() == [77, 77]);
    Ok(())
}

/// An interface that another daemon serves: nothing changes, with a word.
#[harness::test]
fn reload_is_refused_where_another_daemon_serves() -> Result<()> {
    let trio = Trio::new()?;
    let mut daemon = two().start(&trio.rig.r)?;
    let other = Config::of("10.77.0.0/24").segment("eth2", &[SLOW]).start(&trio.rig.r)?;
    let watched = Watched::start(&trio, &daemon)?;
    let refused = reload(&mut daemon, two().segment("eth2", &[SLOW]).text(), "reload_refused")?;
    assert!(refused["error"].to_string().contains("already served"), "{refused}");
    watched.held(&daemon, "eth0");
    drop(other);
    reload(&mut daemon, two().segment("eth2", &[SLOW]).text(), "reloaded")?;
    introduce(&trio.c, &trio.rig.r, "eth2")?;
    Ok(())
}

/// Back and forth: what was removed and is there again works like new.
#[harness::test]
fn reload_again_and_again_leaves_nothing_behind() -> Result<()> {
    let rig = Rig::new()?;
    let a = rig.left(10)?;
    let mut daemon = Config::common().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    let descriptors =
        |daemon: &Daemon| fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("a process").count();
    let before = descriptors(&daemon);
    let one = Config::of(SUBNET).segment("eth0", &[]);
    for _ in 0..5 {
        reload(&mut daemon, one.text(), "reloaded")?;
        reload(&mut daemon, Config::common().text(), "reloaded")?;
    }
    let b = rig.right(20)?;
    introduce(&b, &rig.r, "eth1")?;
    assert_eq!(a.ns.ping(b.ip(), 3, SECOND / 50, SECOND).received, 3);
    wait_until(SOON, "as many descriptors as before", || descriptors(&daemon) <= before);
    assert!(daemon.terminate().success());
    assert_eq!(crate::rig::host_routes(&rig.r), []);
    Ok(())
}
