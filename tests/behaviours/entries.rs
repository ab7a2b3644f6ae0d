//! The kernel as the answerer, one entry for each host: `answer: kernel`, `kernel: entries`.

use std::time::Duration;

use arpherd_lab::{Host, Result, wait_until};

use crate::rig::{Config, QUICK_EXPIRY, Rig, SLOW_EXPIRY, SOON, introduce, ip, wait_event};

const SECOND: Duration = Duration::from_secs(1);

fn config(expiry: &str) -> Config {
    Config::common_with(&[("answer", "kernel"), ("kernel", "entries"), ("expiry", expiry)])
}

/// The addresses the router's kernel answers for on a link, as `LINK LAST`.
fn entries(rig: &Rig) -> Vec<String> {
    let proxies = rig.r.proxy_neighbours().into_iter();
    let mut entries: Vec<_> =
        proxies.map(|entry| format!("{} {}", entry.dev, entry.address.octets()[3])).collect();
    entries.sort_unstable();
    entries
}

/// How many answers the host gets to a broadcast request for an address, and that they are the router's.
fn answers(rig: &Rig, host: &Host, last: u8) -> Result<usize> {
    let answers = host.wire()?.ask(&host.request(ip(last)), SECOND / 5);
    assert!(answers.iter().all(|answer| answer.sha == rig.mac("eth0")), "{answers:?}");
    Ok(answers.len())
}

#[harness::test]
fn the_kernel_answers_for_each_host_by_an_entry_as_long_as_it_lives() -> Result<()> {
    let rig = Rig::new()?;
    let (left, right) = (rig.left(10)?, rig.right(20)?);
    let mut daemon = config(QUICK_EXPIRY).start(&rig.r)?;
    introduce(&left, &rig.r, "eth0")?;
    introduce(&right, &rig.r, "eth1")?;
    wait_until(SOON, "an entry for each on the other side", || entries(&rig) == ["eth0 20", "eth1 10"]);
    assert_eq!((answers(&rig, &left, 20)?, answers(&rig, &left, 77)?), (1, 0));
    assert_eq!(left.ns.ping(right.ip(), 3, SECOND / 50, SECOND).received, 3);
    right.ns.down(&right.ifname)?;
    wait_until(SOON, "the dead host has none", || entries(&rig) == ["eth1 10"]);
    assert_eq!(answers(&rig, &left, 20)?, 0);
    assert!(daemon.terminate().success());
    assert_eq!(entries(&rig), [""; 0]);
    Ok(())
}

#[harness::test]
fn entries_of_a_killed_daemon_do_not_outlive_the_next_start() -> Result<()> {
    let rig = Rig::new()?;
    let (left, right) = (rig.left(10)?, rig.right(20)?);
    let mut daemon = config(SLOW_EXPIRY).start(&rig.r)?;
    introduce(&left, &rig.r, "eth0")?;
    introduce(&right, &rig.r, "eth1")?;
    wait_until(SOON, "entries", || entries(&rig).len() == 2);
    daemon.kill();
    assert_eq!(entries(&rig).len(), 2, "the kernel goes on");
    // The next one answers itself, and is alone in it.
    let daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    assert_eq!(entries(&rig), [""; 0]);
    wait_event(&daemon, "proxy_entries_cleared", |event| event["count"] == 2);
    assert_eq!(answers(&rig, &left, 20)?, 1);
    Ok(())
}

#[harness::test]
fn entries_come_back_after_their_link_was_down() -> Result<()> {
    let rig = Rig::new()?;
    let right = rig.right(20)?;
    let _daemon = config(SLOW_EXPIRY).start(&rig.r)?;
    introduce(&right, &rig.r, "eth1")?;
    wait_until(SOON, "an entry", || entries(&rig) == ["eth0 20"]);
    rig.r.down("eth0")?;
    assert_eq!(entries(&rig), [""; 0], "the kernel takes them away");
    rig.r.up("eth0")?;
    wait_until(SOON, "the entry is back", || entries(&rig) == ["eth0 20"]);
    Ok(())
}

#[harness::test]
fn entries_that_others_take_away_come_back() -> Result<()> {
    let rig = Rig::new()?;
    let (left, right) = (rig.left(10)?, rig.right(20)?);
    let _daemon = config(SLOW_EXPIRY).start(&rig.r)?;
    introduce(&right, &rig.r, "eth1")?;
    wait_until(SOON, "an entry", || entries(&rig) == ["eth0 20"]);
    rig.r.delete_proxy_neighbour("eth0", ip(20))?;
    assert_eq!(entries(&rig), [""; 0]);
    wait_until(2 * SOON, "the entry is back", || entries(&rig) == ["eth0 20"]);
    assert_eq!(answers(&rig, &left, 20)?, 1);
    Ok(())
}

#[harness::test]
fn entries_of_others_are_left_alone() -> Result<()> {
    let rig = Rig::new()?;
    rig.r.add_proxy_neighbour("eth0", ip(99))?;
    let right = rig.right(20)?;
    let mut daemon = config(SLOW_EXPIRY).start(&rig.r)?;
    introduce(&right, &rig.r, "eth1")?;
    wait_until(SOON, "an entry", || entries(&rig) == ["eth0 20", "eth0 99"]);
    assert!(daemon.terminate().success());
    assert_eq!(entries(&rig), ["eth0 99"]);
    Ok(())
}
