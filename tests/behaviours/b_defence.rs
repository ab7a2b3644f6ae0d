//! Address probes of RFC 5227 (duplicate address detection): who is answered that an address is taken.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{ArpFrame, Capture, Host, Mac, Result};
use serde_json::Value;

use crate::rig::{A_WHILE, Config, Rig, SLOW_EXPIRY, events, introduce, ip, pass, wait_event};

/// Somebody without an address.
const PROBER: Mac = Mac([2, 0, 0, 0, 0, 0xdd]);

/// What is answered on a host's link to a probe for `target`, other than by the link's own hosts.
fn probed(by: &Host, mac: Mac, target: Ipv4Addr) -> Result<Vec<ArpFrame>> {
    Ok(by.wire()?.ask(&ArpFrame::probe(mac, target), A_WHILE))
}

/// What we answer: to the prober alone, whose address is still none.
fn defence(rig: &Rig, target: Ipv4Addr) -> ArpFrame {
    ArpFrame::reply(rig.mac("eth1"), target, PROBER, Ipv4Addr::UNSPECIFIED)
}

#[harness::test]
fn dad_defends_a_host_alive_on_another_segment_once() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    assert_eq!(probed(&b, PROBER, a.ip())?, [defence(&rig, a.ip())]);
    let event = wait_event(&daemon, "duplicate_address", |_| true);
    assert_eq!((&event["lladdr"], &event["claimant_lladdr"]), (&text(a.mac()), &text(PROBER)));
    Ok(())
}

fn text(mac: Mac) -> Value {
    mac.to_string().into()
}

#[harness::test]
fn dad_asks_a_host_not_heard_lately_before_it_is_defended() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    pass(Duration::from_millis(1100));
    let left = Capture::start(&rig.left.ns, &rig.left_port)?;
    assert_eq!(probed(&b, PROBER, a.ip())?, [defence(&rig, a.ip())]);
    let asked = left.arps().into_iter().filter(|arp| arp.is_request()).collect::<Vec<_>>();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!((asked[0].dst, asked[0].tpa), (a.mac(), a.ip()));
    Ok(())
}

#[harness::test]
fn dad_defends_a_mute_host_of_another_segment() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    assert_eq!(probed(&b, PROBER, a.ip())?, [defence(&rig, a.ip())]);
    Ok(())
}

#[harness::test]
fn dad_does_not_defend_a_host_that_died() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    a.silence(true)?;
    assert_eq!(probed(&b, PROBER, a.ip())?, []);
    assert_eq!(events(&daemon, "duplicate_address"), Vec::<Value>::new());
    Ok(())
}

#[harness::test]
fn dad_does_not_defend_a_host_against_itself() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    assert_eq!(probed(&b, a.mac(), a.ip())?, [], "it was carried over and makes sure of its address");
    assert_eq!(events(&daemon, "duplicate_address"), Vec::<Value>::new());
    Ok(())
}

#[harness::test]
fn dad_leaves_the_asking_segment_to_its_hosts() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (a, c) = (rig.left(10)?, rig.left(11)?);
    introduce(&c, &rig.r, "eth0")?;
    let by_itself = ArpFrame::reply(c.mac(), c.ip(), PROBER, Ipv4Addr::UNSPECIFIED);
    assert_eq!(probed(&a, PROBER, c.ip())?, [by_itself]);
    Ok(())
}

#[harness::test]
fn dad_is_silent_about_the_unknown() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    assert_eq!(probed(&b, PROBER, ip(99))?, []);
    assert_eq!(probed(&b, PROBER, Ipv4Addr::new(169, 254, 7, 7))?, []);
    Ok(())
}

#[harness::test]
fn dad_of_two_at_once_is_reported_and_not_answered() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let (wire, other) = (a.wire()?, Mac([2, 0, 0, 0, 0, 0xcc]));
    wire.send(&ArpFrame::probe(other, ip(99)))?;
    assert_eq!(probed(&b, PROBER, ip(99))?, []);
    let mut answers = std::iter::from_fn(|| wire.recv(Duration::ZERO));
    assert_eq!(answers.find(|(arp, _)| arp.is_reply()), None);
    let event = wait_event(&daemon, "duplicate_probe", |_| true);
    assert_eq!((&event["lladdr"], &event["claimant_lladdr"]), (&text(other), &text(PROBER)));
    Ok(())
}
