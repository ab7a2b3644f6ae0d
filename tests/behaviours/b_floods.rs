//! B3 by the hundred: forged senders are limited and reported, and the known go on being answered for.

use std::net::Ipv4Addr;
use std::time::Instant;

use arpherd_lab::{ArpFrame, Daemon, Host, Mac, Result, wait_until};
use serde_json::Value;

use crate::b_forged_senders::{count, forger};
use crate::rig::{
    Config, Rig, SLOW_EXPIRY, SOON, events, host_routes, introduce, ip, routed_by, wait_event, wait_route,
};

/// Known hosts, then `frames`: the known are answered for as before, all along.
fn known_are_answered_during(rig: &Rig, frames: impl Iterator<Item = ArpFrame>) -> Result<Host> {
    let (a, b, forger) = (rig.left(10)?, rig.right(20)?, rig.left(66)?);
    introduce(&b, &rig.r, "eth1")?;
    introduce(&a, &rig.r, "eth0")?;
    let (wire, forging) = (a.wire()?, forger.wire()?);
    for (number, frame) in frames.enumerate() {
        forging.send(&frame)?;
        if number % 50 == 0 {
            let answer = wire.ask_one(&a.request(b.ip()), SOON);
            let expected = ArpFrame::reply(rig.mac("eth0"), b.ip(), a.mac(), a.ip());
            assert_eq!(answer.map(|(answer, _)| answer), Some(expected), "after {number} forged frames");
        }
    }
    assert!(wire.ask_one(&a.request(b.ip()), SOON).is_some());
    assert_eq!(routed_by(&rig.r, b.ip()).as_deref(), Some("eth1"));
    Ok(b)
}

/// Waits until no more routes come, and gives how many arpherd has.
fn settled(rig: &Rig, daemon: &Daemon, refused: u64) -> usize {
    wait_until(SOON, "the rest is refused", || count(daemon, "limit_reached") >= refused);
    host_routes(&rig.r).len()
}

fn limit_reported(daemon: &Daemon, limit: &str) {
    let event = wait_event(daemon, "limit_reached", |event| event["limit"] == limit);
    assert_eq!(event["segment"], "eth0", "{event}");
}

/// Addresses of 10.9.0.0/16 that nobody of the rig has.
fn forged() -> impl Iterator<Item = Ipv4Addr> {
    (u32::from(Ipv4Addr::new(10, 9, 1, 1))..).map(Ipv4Addr::from)
}

fn wide(keys: &[(&str, &str)]) -> Config {
    let keys = [keys, &[("expiry", SLOW_EXPIRY)]].concat();
    Config::of("10.9.0.0/16").segment("eth0", &keys).segment("eth1", &keys)
}

#[harness::test]
fn b3_one_station_with_hundreds_of_addresses_is_limited_and_reported() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = wide(&[]).start(&rig.r)?;
    let frames = forged().take(300).map(|address| ArpFrame::gratuitous(forger(0), address));
    known_are_answered_during(&rig, frames)?;
    let routes = settled(&rig, &daemon, 300 - 64);
    assert_eq!(routes, 2 + 64, "the known and as many as one station may have by default");
    limit_reported(&daemon, "hosts_per_lladdr");
    Ok(())
}

#[harness::test]
fn b3_hundreds_of_stations_are_limited_and_reported() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = wide(&[("limits", "{ hosts: 100 }")]).start(&rig.r)?;
    let frames = forged().take(400).map(|address| ArpFrame::request(Mac::of_crowd(address), address, ip(1)));
    known_are_answered_during(&rig, frames)?;
    let routes = settled(&rig, &daemon, 400 - 99);
    assert_eq!(routes, 1 + 100, "B, and as many as the segment may have");
    limit_reported(&daemon, "hosts");
    Ok(())
}

#[harness::test]
fn b3_flood_of_newcomers_is_limited_and_reported() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = wide(&[("limits", "{ new_per_second: 10 }")]).start(&rig.r)?;
    let start = Instant::now();
    let frames = forged().take(500).map(|address| ArpFrame::gratuitous(Mac::of_crowd(address), address));
    known_are_answered_during(&rig, frames)?;
    wait_until(SOON, "some are refused", || count(&daemon, "limit_reached") > 0);
    let routes = host_routes(&rig.r).len();
    let seconds = usize::try_from(start.elapsed().as_secs()).expect("a few") + 1;
    assert!(routes <= 2 + 40 + 10 * seconds, "{routes} routes in {seconds} s, 10 a second and a burst of 40");
    limit_reported(&daemon, "new_per_second");
    Ok(())
}

#[harness::test]
fn b3_liar_that_claims_everybody_takes_nobody() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    let (server, thief) = (rig.right(100)?, rig.left(66)?);
    let wire = server.wire()?;
    let mut victims: Vec<_> = (100..150).map(ip).collect();
    for address in &victims {
        if *address != server.ip() {
            server.ns.address(&server.ifname, &format!("{address}/32"))?;
        }
        wire.send(&ArpFrame::gratuitous(server.mac(), *address))?;
    }
    // Who claims the addresses of one other station only may be its second link.
    let others = [rig.right(150)?, rig.right(151)?];
    for other in &others {
        other.announce()?;
        victims.push(other.ip());
    }
    victims.iter().for_each(|address| wait_route(&rig.r, *address, "eth1"));
    let forging = thief.wire()?;
    for round in 0..3 {
        for address in &victims {
            forging.send(&ArpFrame::gratuitous(forger(round), *address))?;
        }
        let reported =
            |event: &Value| event["lladdr"] == forger(round).to_string() && event["sign"] == "disputes";
        wait_event(&daemon, "proxy_found", reported);
    }
    // A claim lives for two requests of 125 ms each; those of the last round are decided by then.
    wait_until(SOON, "every claim is refused", || count(&daemon, "duplicate_address") >= 50);
    for address in &victims {
        assert_eq!(routed_by(&rig.r, *address).as_deref(), Some("eth1"), "{address}");
    }
    assert_eq!(events(&daemon, "host_moved"), Vec::<Value>::new());
    Ok(())
}
