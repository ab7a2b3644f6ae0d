//! Where the kernel would forward a packet to, as it decides itself when it is asked by ARP.

use std::net::Ipv4Addr;
use std::time::Instant;

use arpherd_actors::io::RouteTable;
use arpherd_actors::io::netlink::RouteWriter;
use arpherd_lab::{RouteKind, RouteSpec};

use crate::rig::{HOST, OWN, Rig, host, write};

/// Out in the world.
const FAR_AWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// A rig whose router forwards and has `lan1`, with another address, beside `lan0`; the number of `lan1`.
fn forwarding() -> (Rig, u32, RouteWriter) {
    let rig = Rig::new();
    rig.router.dummy("lan1").unwrap();
    rig.router.address("lan1", "10.77.0.1/24").unwrap();
    rig.router.up("lan1").unwrap();
    for link in ["lan0", "lan1"] {
        rig.router.set_sysctl(&format!("ipv4/conf/{link}/forwarding"), "1").unwrap();
    }
    let (other, writer) = (rig.router.index("lan1").unwrap(), rig.writer());
    (rig, other, writer)
}

#[harness::test]
fn every_kind_of_route_leads_where_the_kernel_says() {
    let (rig, other, mut writer) = forwarding();
    let mut way = |target| writer.lookup_route(rig.lan, HOST, target);
    assert_eq!(way(FAR_AWAY), None, "no route");
    rig.router.route("default", Some(Ipv4Addr::new(10, 77, 0, 254)), None).unwrap();
    assert_eq!(way(FAR_AWAY), Some(other), "the default route");
    assert_eq!(way(Ipv4Addr::new(10, 77, 0, 9)), Some(other), "a connected route");
    assert_eq!(way(Ipv4Addr::new(10, 9, 0, 20)), Some(rig.lan), "back to where it came from");
    rig.router.add_route(&RouteSpec::to("10.9.0.20").unwrap().dev("lan1")).unwrap();
    assert_eq!(way(Ipv4Addr::new(10, 9, 0, 20)), Some(other), "a host route");
    for (kind, text) in [
        (RouteKind::Unreachable, "10.50.0.0/24"),
        (RouteKind::Blackhole, "10.51.0.0/24"),
        (RouteKind::Prohibit, "10.52.0.0/24"),
    ] {
        rig.router.add_route(&RouteSpec::to(text).unwrap().kind(kind)).unwrap();
        let prefix: ipnetwork::Ipv4Network = text.parse().unwrap();
        assert_eq!(way(prefix.nth(9).unwrap()), None, "{kind:?}");
    }
    for own in [OWN, Ipv4Addr::new(10, 77, 0, 1)] {
        assert_eq!(way(own), None, "an address of the router");
    }
    for nobody in [[10, 77, 0, 255], [255; 4], [127, 0, 0, 9], [224, 0, 0, 1], [0; 4]] {
        assert_eq!(way(Ipv4Addr::from(nobody)), None, "{nobody:?}");
    }
    assert_eq!(writer.lookup_route(4711, HOST, FAR_AWAY), None, "no such interface");
    assert_eq!(writer.lookup_route(rig.lan, OWN, FAR_AWAY), None, "a source that is the router's own");
    assert_eq!(writer.lookup_route(rig.lan, Ipv4Addr::UNSPECIFIED, FAR_AWAY), None, "no source");
}

#[harness::test]
fn without_forwarding_there_is_no_way() {
    let (rig, other, mut writer) = forwarding();
    let target = Ipv4Addr::new(10, 77, 0, 9);
    assert_eq!(writer.lookup_route(rig.lan, HOST, target), Some(other));
    rig.router.set_sysctl("ipv4/conf/lan0/forwarding", "0").unwrap();
    assert_eq!(writer.lookup_route(rig.lan, HOST, target), None);
    assert_eq!(writer.lookup_route(other, target, HOST), Some(rig.lan), "the other interface forwards");
}

#[harness::test]
fn policy_rules_are_followed() {
    let (rig, other, mut writer) = forwarding();
    rig.router.add_route(&RouteSpec::to("default").unwrap().dev("lan1").table(100)).unwrap();
    assert_eq!(writer.lookup_route(rig.lan, HOST, FAR_AWAY), None);
    rig.router.rule("lan0", 100).unwrap();
    assert_eq!(writer.lookup_route(rig.lan, HOST, FAR_AWAY), Some(other));
    let from_other = Ipv4Addr::new(10, 77, 0, 9);
    assert_eq!(writer.lookup_route(other, from_other, FAR_AWAY), None, "the rule is about lan0 alone");
}

#[harness::test]
fn a_strict_filter_drops_a_source_from_elsewhere() {
    let (rig, other, mut writer) = forwarding();
    let (stranger, target) = (Ipv4Addr::new(10, 60, 0, 5), Ipv4Addr::new(10, 77, 0, 9));
    rig.router.route("default", None, Some("lan1")).unwrap();
    for (filter, expected) in [("0", Some(other)), ("2", Some(other)), ("1", None)] {
        rig.router.set_sysctl("ipv4/conf/lan0/rp_filter", filter).unwrap();
        assert_eq!(writer.lookup_route(rig.lan, stranger, target), expected, "rp_filter={filter}");
    }
}

#[harness::test]
fn questions_and_writes_do_not_mix() {
    let (rig, other, mut writer) = forwarding();
    let bad =
        arpherd_actors::io::Write::PutRoute { interface: 4711, address: HOST, source: None, replace: false };
    for number in 0..50 {
        let put = rig.put(host(number));
        let refusals = write(&mut writer, &[put, bad]);
        assert_eq!(refusals.iter().map(|refusal| refusal.write).collect::<Vec<_>>(), [bad]);
        assert_eq!(writer.lookup_route(other, Ipv4Addr::new(10, 77, 0, 9), host(number)), Some(rig.lan));
        assert_eq!(writer.lookup_route(rig.lan, HOST, FAR_AWAY), None);
    }
}

#[harness::test]
fn a_way_is_found_in_microseconds() {
    let (rig, other, mut writer) = forwarding();
    let begun = Instant::now();
    for _ in 0..2_000 {
        assert_eq!(writer.lookup_route(rig.lan, HOST, Ipv4Addr::new(10, 77, 0, 9)), Some(other));
    }
    let each = begun.elapsed() / 2_000;
    println!("a way is found in {each:?}");
    // Some 10 µs; the limit is for a busy machine.
    assert!(each.as_millis() < 1, "a way took {each:?}");
}
