//! A stop that keeps the routes keeps what was known of hosts, too: the next start goes on with it.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::{Daemon, Host, Result, RouteWatch, wait_until};
use serde_json::Value;

use crate::rig::{
    Config, QUICK_EXPIRY, Rig, SLOW_EXPIRY, SOON, events, host_routes, host_row, introduce, ip, pass,
};

/// signal(7)
const SIGUSR2: i32 = 12;
const SIGTERM: i32 = 15;
const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;
const SECOND: Duration = Duration::from_secs(1);

/// Expiry that gives no host up during a test, and exits that keep everything.
fn config() -> Config {
    Config::common_with(&[("expiry", SLOW_EXPIRY)]).top("daemon: { on_exit: keep }")
}

/// A daemon whose control socket, and with it all it remembers, is in a directory that outlives it.
fn start_in(directory: &Path, config: &Config, rig: &Rig) -> Result<Daemon> {
    let control = directory.join("control.sock").display().to_string();
    config.launch(&rig.r).env("ARPHERD_DAEMON__CONTROL", &control).start()
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// The files with hosts in the directory.
fn saved(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.to_string_lossy().contains("hosts")).collect()
}

/// What is known of a host, but for its age and whether it is being asked.
fn place(row: &Value) -> [Value; 4] {
    ["domain", "segment", "lladdr", "learned_from"].map(|key| row[key].clone())
}

fn row(daemon: &Daemon, last: u8) -> Value {
    host_row(daemon, ip(last)).unwrap_or_else(|| panic!("10.9.0.{last} is not known"))
}

#[harness::test]
fn warm_age_place_and_origin_outlive_a_restart() -> Result<()> {
    let (rig, directory) = (Rig::new()?, scratch());
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let mut daemon = start_in(directory.path(), &config(), &rig)?;
    introduce(&a, &rig.r, "eth0")?;
    b.ask(ip(99))?; // by a request, where the other was known by its announcement
    wait_until(SOON, "both are known", || host_routes(&rig.r).len() == 2);
    for host in [&a, &b] {
        host.silence(true)?; // so that whatever is known of them is known from before
    }
    wait_until(SOON, "some age", || row(&daemon, 10)["age_seconds"].as_u64() >= Some(2));
    let before = [10, 20].map(|last| row(&daemon, last));
    assert!(daemon.terminate().success());
    assert_eq!(saved(directory.path()).len(), 1);
    pass(SECOND); // the time in between counts
    let again = start_in(directory.path(), &config(), &rig)?;
    for (before, last) in before.iter().zip([10, 20]) {
        let after = row(&again, last);
        assert_eq!(place(&after), place(before));
        let (then, now) = (before["age_seconds"].as_u64(), after["age_seconds"].as_u64());
        assert!(now > then, "{before} then, {after} now");
    }
    assert_eq!(before.map(|row| row["learned_from"].clone()), ["announcement", "request"]);
    assert_eq!(saved(directory.path()), Vec::<std::path::PathBuf>::new(), "it is used once");
    assert_eq!(events(&again, "hosts_recalled").len(), 1);
    Ok(())
}

#[harness::test]
fn warm_a_ping_every_millisecond_loses_nothing_over_two_restarts() -> Result<()> {
    let (rig, directory) = (Rig::new()?, scratch());
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    rig.use_kernel_timers(&[&a, &b])?;
    let mut daemon = start_in(directory.path(), &config(), &rig)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    assert_eq!(a.ns.ping(b.ip(), 3, SECOND / 50, SECOND).received, 3);
    let routes = RouteWatch::start(&rig.r)?;
    let (from, to) = (a.ns.clone(), b.ip());
    let pings = thread::spawn(move || from.ping(to, 3000, Duration::from_millis(1), SECOND));
    let mut away = Vec::new();
    for _ in 0..2 {
        pass(SECOND / 4);
        let start = Instant::now();
        assert!(daemon.terminate().success(), "{}", daemon.log());
        daemon = start_in(directory.path(), &config(), &rig)?;
        away.push(start.elapsed());
    }
    let stats = pings.join().expect("a thread that pings");
    assert!(away.iter().sum::<Duration>() < 2 * SECOND, "the pings ended before the restarts: {away:?}");
    assert_eq!((stats.sent, stats.received, stats.lost), (3000, 3000, vec![]), "{away:?}");
    let touched = routes.events().into_iter().filter(|event| event.route.dst.prefix() == 32);
    assert_eq!(touched.collect::<Vec<_>>(), [], "no host's route was written anew");
    Ok(())
}

/// The host that is asked for says nothing any more, and the kernel has lost its neighbour entry.
#[harness::test]
fn warm_who_asks_right_after_the_start_is_answered_at_once() -> Result<()> {
    let (rig, directory) = (Rig::new()?, scratch());
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let mut daemon = start_in(directory.path(), &config(), &rig)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    let wire = a.wire()?;
    assert!(daemon.terminate().success());
    rig.r.forget_neighbour("eth1", b.ip())?;
    b.silence(true)?;
    let daemon = start_in(directory.path(), &config(), &rig)?;
    let (answer, time) = wire.ask_one(&a.request(b.ip()), SECOND).expect("an answer");
    assert_eq!(answer.sha, rig.mac("eth0"));
    assert!(time < SECOND / 10, "after {time:?}");
    assert_eq!(row(&daemon, 20)["lladdr"], b.mac().to_string());
    Ok(())
}

#[harness::test]
fn warm_what_died_meanwhile_is_given_up_and_what_moved_is_followed() -> Result<()> {
    let (rig, directory) = (Rig::new()?, scratch());
    let (mut a, b, c) = (rig.left(10)?, rig.right(20)?, rig.right(30)?);
    let quick = Config::common_with(&[("expiry", QUICK_EXPIRY)]).top("daemon: { on_exit: keep }");
    let mut daemon = start_in(directory.path(), &quick, &rig)?;
    introduce(&a, &rig.r, "eth0")?;
    for host in [&b, &c] {
        introduce(host, &rig.r, "eth1")?;
    }
    assert!(daemon.terminate().success());
    b.silence(true)?;
    a.move_to(&rig.right)?;
    let daemon = start_in(directory.path(), &quick, &rig)?;
    let routes = || -> Vec<(Ipv4Addr, Option<String>)> {
        let mut routes: Vec<_> =
            host_routes(&rig.r).into_iter().map(|route| (route.dst.ip(), route.dev)).collect();
        routes.sort();
        routes
    };
    let right = Some("eth1".to_owned());
    wait_until(SOON, "the routes of today", || {
        routes() == [(ip(10), right.clone()), (ip(30), right.clone())]
    });
    assert_eq!(row(&daemon, 30)["learned_from"], "announcement");
    Ok(())
}

#[harness::test]
fn warm_after_a_kill_only_the_routes_are_known() -> Result<()> {
    let (rig, directory) = (Rig::new()?, scratch());
    let a = rig.left(10)?;
    let mut daemon = start_in(directory.path(), &config(), &rig)?;
    introduce(&a, &rig.r, "eth0")?;
    assert!(daemon.terminate().success());
    start_in(directory.path(), &config(), &rig)?.kill();
    assert_eq!(saved(directory.path()).len(), 0, "what an earlier run saved is not used again");
    let daemon = start_in(directory.path(), &config(), &rig)?;
    assert_eq!(row(&daemon, 10)["learned_from"], "kernel");
    Ok(())
}

#[harness::test]
fn warm_a_file_that_is_damaged_or_foreign_is_ignored_with_a_word() -> Result<()> {
    let (rig, directory) = (Rig::new()?, scratch());
    let a = rig.left(10)?;
    let mut daemon = start_in(directory.path(), &config(), &rig)?;
    introduce(&a, &rig.r, "eth0")?;
    for (spoil, word) in [(halved as fn(&str) -> String, "damaged"), (another_boots, "boot")] {
        assert!(daemon.terminate().success());
        let [file] = &saved(directory.path())[..] else { panic!("one file") };
        let text = fs::read_to_string(file).expect("a file");
        fs::write(file, spoil(&text)).expect("the file can be written");
        daemon = start_in(directory.path(), &config(), &rig)?;
        let ignored = events(&daemon, "saved_hosts_ignored");
        assert!(matches!(&ignored[..], [one] if one["reason"].to_string().contains(word)), "{ignored:?}");
        assert_eq!(row(&daemon, 10)["learned_from"], "kernel", "its route is adopted all the same");
        assert_eq!(saved(directory.path()).len(), 0);
        introduce(&a, &rig.r, "eth0")?;
    }
    Ok(())
}

fn halved(text: &str) -> String {
    text[..text.len() / 2].to_owned()
}

fn another_boots(text: &str) -> String {
    text.replacen("\"boot\":\"", "\"boot\":\"0", 1)
}

#[harness::test]
fn warm_a_stop_that_purges_saves_nothing() -> Result<()> {
    let (rig, directory) = (Rig::new()?, scratch());
    let a: Host = rig.left(10)?;
    let mut daemon = start_in(directory.path(), &Config::common(), &rig)?;
    introduce(&a, &rig.r, "eth0")?;
    assert!(daemon.terminate().success());
    assert_eq!(saved(directory.path()).len(), 0);
    Ok(())
}

/// What the systemd unit sends for a restart, whatever the rule for an exit is; SIGTERM is right behind it.
#[harness::test]
fn warm_sigusr2_keeps_everything_for_the_next_start() -> Result<()> {
    let (rig, directory) = (Rig::new()?, scratch());
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let purge = Config::common_with(&[("expiry", SLOW_EXPIRY)]);
    let mut daemon = start_in(directory.path(), &purge, &rig)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    // Right before SIGTERM, as systemd does; several times, as the kernel may have either handled by any thread.
    for _ in 0..5 {
        daemon.signal(SIGSTOP)?;
        daemon.signal(SIGUSR2)?;
        daemon.signal(SIGTERM)?;
        daemon.signal(SIGCONT)?;
        assert!(daemon.terminate().success(), "{}", daemon.log());
        assert_eq!(host_routes(&rig.r).len(), 2, "{}", daemon.log());
        assert_eq!(saved(directory.path()).len(), 1);
        daemon = start_in(directory.path(), &purge, &rig)?;
    }
    assert_eq!(row(&daemon, 20)["learned_from"], "announcement");
    assert!(daemon.terminate().success());
    assert_eq!(host_routes(&rig.r), [], "a stop purges");
    Ok(())
}
