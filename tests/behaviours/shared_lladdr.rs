//! `gateway_lladdr: shared`: a host that moves between Ethernet segments finds this gateway, and all that is behind it,
//! where it was.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{ArpFrame, Host, Mac, Netns, Result, wait_until};
use serde_json::Value;

use crate::b_warm_moves::{BEAT, UPLINKS, Warm, interruptions};
use crate::rig::{A_WHILE, Config, ROUTER, Rig, SOON, events, introduce, ip, wait_event};
use crate::trio::Trio;

/// Of the gateway, on every segment.
const GATEWAY: Mac = Mac([0x02, 0x00, 0x5e, 0x00, 0x02, 0x0a]);
const KEY: &str = "gateway_lladdr: \"02:00:5e:00:02:0a\"";

fn row(segments: &Value, name: &str) -> Value {
    let rows = segments.as_array().expect("a list of segments");
    rows.iter().find(|row| row["segment"] == name).cloned().expect("the segment")
}

/// What a host's kernel holds for an address.
fn entry(host: &Host, address: Ipv4Addr) -> Option<Mac> {
    host.ns.neighbours().into_iter().find(|entry| entry.address == address).and_then(|entry| entry.mac())
}

fn promiscuity(ns: &Netns) -> u32 {
    ["eth0", "eth1"].iter().map(|link| ns.link_info(link).map_or(0, |info| info.promiscuity)).sum()
}

/// A host asks; who answers, and from which link-layer address.
fn answers(host: &Host, target: Ipv4Addr) -> Result<Vec<ArpFrame>> {
    Ok(host.wire()?.ask(&host.request(target), A_WHILE))
}

#[harness::test(alone)]
fn b4_with_a_shared_address_a_moved_guest_has_the_right_entries_without_being_told() -> Result<()> {
    let warm = Warm::new(&Trio::config().domain_key("gateway_lladdr: shared"))?;
    let mover = &warm.guest.host;
    let gateway = entry(mover, ROUTER).expect("the gateway's entry");
    assert_eq!(gateway.0[0], 2, "{gateway} is locally administered");
    for other in [warm.trio.c.ip(), warm.trio.b.ip()] {
        assert_eq!(entry(mover, other), Some(gateway), "{other}");
    }
    let ways = warm.ways();
    // To and from C and the gateway; the others are neighbours before the move or after it.
    let by_gateway = |at: usize| at >= 4;
    let [left, right] = UPLINKS;
    for (from, to) in [(left, right), (right, left)] {
        let spans = interruptions(&ways, || {
            warm.guest.migrate(from, to)?;
            mover.announce().map(drop)
        })?;
        for (at, ((from, to), span)) in ways.iter().zip(&spans).enumerate() {
            let most = if by_gateway(at) { BEAT } else { BEAT * 10 };
            assert!(*span <= most, "{} to {to} was interrupted for {span:?}", from.name());
        }
        for other in [ROUTER, warm.trio.c.ip()] {
            assert_eq!(entry(mover, other), Some(gateway), "{other}");
        }
    }
    Ok(())
}

#[harness::test]
fn b4_a_shared_address_is_that_of_all_our_frames_and_packets_to_it_are_forwarded() -> Result<()> {
    let rig = Rig::new()?;
    let config = Config::common().domain_key(KEY);
    let mut daemon = config.start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    for (host, peer) in [(&a, b.ip()), (&b, a.ip())] {
        for target in [peer, ROUTER] {
            let found = answers(host, target)?;
            assert_eq!(found.iter().map(|arp| arp.sha).collect::<Vec<_>>(), [GATEWAY], "{target}");
        }
        let answer = answers(host, peer)?.remove(0);
        assert_eq!(answer.src, GATEWAY, "from which switches learn where it is");
        assert_eq!(host.ns.ping(peer, 3, Duration::from_millis(20), SOON).received, 3);
        assert_eq!(entry(host, peer), Some(GATEWAY));
    }
    let segments = daemon.cli(&["segments"]);
    for (name, link) in [("eth0", "eth0"), ("eth1", "eth1")] {
        let row = row(&segments, name);
        assert_eq!(row["gateway_lladdr"], GATEWAY.to_string());
        assert_eq!(row["lladdr"], rig.mac(link).to_string(), "the interface's own stays what it is");
    }
    // A clean exit leaves nothing of it.
    daemon.terminate();
    assert_eq!(promiscuity(&rig.r), 0);
    let found = answers(&a, ROUTER)?;
    assert_eq!(found.iter().map(|arp| arp.sha).collect::<Vec<_>>(), [rig.mac("eth0")]);
    Ok(())
}

#[harness::test]
fn b4_a_shared_address_outlives_a_crash_and_is_gone_when_it_is_configured_no_more() -> Result<()> {
    let rig = Rig::new()?;
    let shared = Config::common().domain_key(KEY);
    let mut daemon = shared.start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    let pings = |count| a.ns.ping(b.ip(), count, Duration::from_millis(20), Duration::from_secs(1)).received;
    assert_eq!(pings(3), 3);
    daemon.kill();
    assert_eq!(pings(10), 10, "the entries of the hosts stay good while there is no daemon");
    let mut daemon = shared.start(&rig.r)?;
    assert_eq!(pings(10), 10);
    daemon.kill();
    let mut daemon = Config::common().start(&rig.r)?;
    let found = answers(&a, ROUTER)?;
    assert_eq!(found.iter().map(|arp| arp.sha).collect::<Vec<_>>(), [rig.mac("eth0")]);
    assert_eq!(row(&daemon.cli(&["segments"]), "eth0")["gateway_lladdr"], Value::Null);
    daemon.terminate();
    assert_eq!(promiscuity(&rig.r), 0);
    Ok(())
}

/// On both of two segments that are one link a switch would see it flap between two ports.
#[harness::test]
fn b4_of_segments_that_are_one_link_the_first_has_the_shared_address() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().domain_key(KEY).start(&rig.r)?;
    rig.left.ns.veth("trunk", &rig.right.ns, "trunk")?;
    for segment in [&rig.left, &rig.right] {
        segment.ns.enslave("trunk", &segment.bridge)?;
        segment.ns.up("trunk")?;
    }
    let a = rig.left(10)?;
    a.announce()?;
    // Our request for a host of one segment is what gives the bridge away, once its ports forward.
    wait_until(SOON, "the bridge is noticed", || {
        a.ask(ip(77)).is_err() || !events(&daemon, "segments_bridged").is_empty()
    });
    let gateway = |name| row(&daemon.cli(&["segments"]), name)["gateway_lladdr"].clone();
    assert_eq!(gateway("eth0"), GATEWAY.to_string());
    wait_until(SOON, "the second speaks with its own", || gateway("eth1") == Value::Null);
    rig.left.ns.delete("trunk")?;
    wait_event(&daemon, "segments_separated", |_| true);
    wait_until(SOON, "both have it again", || gateway("eth1") == GATEWAY.to_string());
    Ok(())
}

/// An interface that is made anew, or gets another address of its own, has it as before.
#[harness::test]
fn b4_a_shared_address_follows_its_interface() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().domain_key(KEY).start(&rig.r)?;
    let a = rig.left(10)?;
    introduce(&a, &rig.r, "eth0")?;
    rig.r.set_mac("eth0", Mac([2, 0, 0, 0, 0x77, 1]))?;
    let bears_it = || {
        answers(&a, ROUTER).is_ok_and(|found| found.iter().all(|arp| arp.sha == GATEWAY) && !found.is_empty())
    };
    wait_until(SOON, "its answers bear the shared address", bears_it);
    Ok(())
}
