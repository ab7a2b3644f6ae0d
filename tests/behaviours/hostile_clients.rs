//! Clients of the control socket that mean harm, or are merely stuck, all at once: what they hold is bounded and counted,
//! root's commands find a place, and ARP is answered as ever.

mod clients;

use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use arpherd_lab::{Daemon, Host, Result, can_be_others, wait_until};

use clients::Clients;

use crate::d_discovery::crowd_on;
use crate::rig::{Config, Rig, SLOW_EXPIRY, introduce, pass};

/// How long all of it goes on.
const ATTACK: Duration = Duration::from_secs(12);
/// As many as a segment may have by itself.
const HOSTS: u32 = 65_530;
const USER: u32 = 4301;
const READERS: u32 = 4242;

/// Asks once; how long the answer takes.
fn answer_time(wire: &arpherd_lab::Wire, host: &Host, target: Ipv4Addr) -> Duration {
    let answer = wire.ask_one(&host.request(target), Duration::from_secs(5));
    answer.expect("an answer within five seconds").1
}

fn percentile(times: &mut [Duration], of_hundred: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * of_hundred / 100]
}

/// Starts the clients: users who may read, where there can be others than the daemon's own.
fn attackers(daemon: &Daemon) -> Clients {
    let folder = daemon.control_path().parent().expect("it lies in a folder");
    fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("it is ours");
    let user = can_be_others().then(|| (USER, USER, vec![READERS]));
    Clients::start(daemon.control_path(), ATTACK, user.as_ref())
}

#[harness::test(alone)]
fn hostile_clients_hold_little_keep_root_out_of_nothing_and_delay_no_answer() -> Result<()> {
    let rig = Rig::new()?;
    let left = rig.left(10)?;
    let readers =
        if can_be_others() { format!("daemon: {{ read_group: {READERS} }}") } else { String::new() };
    let limits = "{ hosts: 100000, new_per_second: 1000000 }";
    let keys = [("expiry", SLOW_EXPIRY), ("limits", limits)];
    let config = Config::of("10.9.0.0/16, 10.10.0.0/16").segment("eth0", &keys).segment("eth1", &keys);
    let mut daemon = config.top(&readers).start(&rig.r)?;
    let crowd: Vec<_> = (1..=HOSTS).map(|number| Ipv4Addr::from(0x0a0a_0000 + number)).collect();
    let target = crowd[7];
    let speakers = crowd_on(&rig.right, crowd.clone())?;
    introduce(&left, &rig.r, "eth0")?;
    for (number, host) in crowd.iter().enumerate() {
        speakers.speak(*host)?;
        if number % 500 == 0 {
            pass(Duration::from_millis(20)); // the daemon's socket has room for some 10,000
        }
    }
    wait_until(Duration::from_secs(120), "all hosts", || {
        daemon.cli(&["status"])["hosts"].as_u64().is_some_and(|hosts| hosts > u64::from(HOSTS) * 9 / 10)
    });
    let wire = left.wire()?;
    let mut quiet: Vec<_> = (0..200).map(|_| answer_time(&wire, &left, target)).collect();
    let before = daemon.burden().expect("it runs");
    let clients = attackers(&daemon);
    let (start, mut busy, mut most) = (Instant::now(), Vec::new(), (0, 0));
    let mut slowest = Duration::ZERO;
    while start.elapsed() < ATTACK {
        for _ in 0..100 {
            busy.push(answer_time(&wire, &left, target));
            pass(Duration::from_millis(2)); // between two questions
        }
        let (own, open) = daemon.burden().expect("it runs");
        most = (most.0.max(own), most.1.max(open));
        let asked = Instant::now();
        if can_be_others() {
            assert_eq!(daemon.cli(&["status"])["ready"], true, "root has its place");
            slowest = slowest.max(asked.elapsed());
        }
    }
    let opened = clients.end();
    let status = wait_status(&daemon);
    let (p50, p99) = (percentile(&mut busy, 50), percentile(&mut busy, 99));
    println!(
        "{opened} connections; {} answers p50 {p50:?} p99 {p99:?} max {:?}, quiet p50 {:?} p99 {:?}; RssAnon {} -> {} \
         KiB; descriptors {} -> {}; root's status {slowest:?} at most; {status}",
        busy.len(),
        percentile(&mut busy, 100),
        percentile(&mut quiet, 50),
        percentile(&mut quiet, 99),
        before.0,
        most.0,
        before.1,
        most.1,
    );
    assert!(opened > 1000, "only {opened} connections");
    assert!(p50 < Duration::from_millis(20), "{p50:?}");
    assert!(status["connections"].as_u64() >= Some(opened / 2), "{status}");
    assert!(most.1 <= before.1 + 80, "{} descriptors, {} before", most.1, before.1);
    if can_be_others() {
        assert!(p99 < Duration::from_millis(200), "{p99:?}");
        assert!(most.0 < before.0 + 96 * 1024, "{} KiB of private memory, {} before", most.0, before.0);
        assert!(status["refused"].as_u64() > Some(0) && status["failed"].as_u64() > Some(0), "{status}");
    }
    assert!(daemon.is_running());
    Ok(())
}

/// The counters of clients, once there is a place.
fn wait_status(daemon: &Daemon) -> serde_json::Value {
    wait_until(Duration::from_secs(60), "a place", || daemon.try_cli(&["status"]).is_ok());
    daemon.cli(&["status"])["control"].clone()
}
