//! Static hosts and pins: what no sighting moves.

use crate::Write;
use std::collections::BTreeMap;

use super::bench::{A, B, Bench, SECOND, host, ip, link, mac, our_route, plan};
use super::log::{delete, put, put_neighbour};
use crate::fact::Link;
use crate::plan::Plan;
use crate::{Event, Fact};

/// `.9` is a static host on A.
fn with_static() -> Plan {
    let mut plan = plan(2);
    plan.segments[0].addresses.hosts = BTreeMap::from([(ip(9), mac(9))]);
    plan
}

/// `.9` is pinned to its own station on A.
fn with_pin() -> Plan {
    let mut plan = plan(2);
    plan.segments[0].addresses.pins = BTreeMap::from([(ip(9), mac(9))]);
    plan
}

fn violated(claimant: u8, on: crate::SegmentId) -> Event {
    Event::PinViolated {
        address: ip(9),
        lladdr: mac(9),
        segment: A,
        claimant_lladdr: mac(claimant),
        claimant_segment: on,
    }
}

#[test]
fn a_static_host_lives_as_soon_as_its_segment_does() {
    let mut bench = Bench::cold(with_static());
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
    bench.up(B);
    let log = bench.up(A);
    assert_eq!(log.routes(), [put(A, 9)]);
    assert_eq!(log.neighbours(), [put_neighbour(A, 9, mac(9))]);
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers(), [(B, ip(9), mac(20))]);
}

#[test]
fn who_hears_a_claim_of_a_pinned_address_is_told_better() {
    let mut bench = Bench::with(with_pin());
    bench.knows(A, host(9));
    for _ in 0..3 {
        bench.passes(11 * SECOND);
        let log = bench.hears(B, host(9).with_mac(66).announces());
        assert_eq!((log.events(), log.announcements()), (vec![violated(66, B)], vec![(B, ip(9))]));
        assert!(bench.hears(B, host(9).with_mac(67).announces()).is_empty(), "told a moment ago");
        bench.hears(A, host(9).speaks());
    }
}

#[test]
fn it_never_dies_of_silence_and_is_never_asked() {
    let mut bench = Bench::with(with_static());
    let log = bench.passes(3600 * SECOND);
    assert!(log.routes().is_empty() && log.verifications().is_empty());
    bench.links(A, Some(Link { carrier: false, ..link(A) }));
    assert!(bench.passes(3600 * SECOND).routes().is_empty(), "not even without a carrier");
}

#[test]
fn its_route_goes_and_comes_with_the_interface() {
    let mut bench = Bench::with(with_static());
    assert_eq!(bench.links(A, Some(Link { up: false, ..link(A) })).routes(), [delete(A, 9)]);
    assert!(bench.hears(B, host(20).asks(ip(9))).answers().is_empty());
    assert_eq!(bench.up(A).routes(), [put(A, 9)]);
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
}

#[test]
fn nobody_else_gets_the_address_of_a_static_or_pinned_host() {
    for plan in [with_static(), with_pin()] {
        let mut bench = Bench::with(plan);
        bench.knows(A, host(9));
        for on in [A, B] {
            let log = bench.hears(on, host(9).with_mac(66).announces());
            assert_eq!(log.events(), [violated(66, on)]);
            assert!(log.routes().is_empty() && log.verifications().is_empty());
        }
        let elsewhere = bench.hears(B, host(9).announces());
        assert!(elsewhere.events().is_empty() && elsewhere.routes().is_empty(), "told moments ago");
        assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
        assert!(bench.passes(SECOND).routes().is_empty());
    }
}

#[test]
fn the_kernel_is_told_again_who_has_the_address() {
    let mut bench = Bench::with(with_static());
    assert_eq!(bench.hears(A, host(9).with_mac(66).replies()).neighbours(), [put_neighbour(A, 9, mac(9))]);
}

#[test]
fn a_pinned_address_is_nobodys_until_its_holder_speaks() {
    let mut bench = Bench::with(with_pin());
    assert_eq!(bench.hears(B, host(9).with_mac(66).speaks()).events(), [violated(66, B)]);
    assert!(bench.hears(B, host(20).asks(ip(9))).answers().is_empty());
    assert_eq!(bench.hears(A, host(9).speaks()).routes(), [put(A, 9)]);
}

#[test]
fn a_pinned_host_dies_of_silence_like_any_other() {
    let mut bench = Bench::with(with_pin());
    bench.knows(A, host(9));
    assert_eq!(bench.passes(60 * SECOND).routes(), [delete(A, 9)]);
}

#[test]
fn routes_of_an_earlier_run_give_way_to_what_is_fixed() {
    let mut bench = Bench::cold(with_static());
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
    let strays = bench.give(Fact::TableRead { routes: vec![our_route(B, 9)] });
    assert!(matches!(strays.routes()[..], [crate::Order::Write(Write::DeleteStray(_))]));
    bench.up(A);
    let mut bench = Bench::cold(with_static());
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
    bench.give(Fact::TableRead { routes: vec![our_route(A, 9)] });
    bench.up(A);
    assert!(bench.passes(3600 * SECOND).routes().is_empty(), "taken over for good");
}

#[test]
fn an_address_this_machine_takes_is_no_hosts_any_longer() {
    let mut bench = Bench::with(with_static());
    assert_eq!(bench.give(Fact::AddressesChanged { addresses: vec![ip(1), ip(9)] }).routes(), [delete(A, 9)]);
    assert_eq!(bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] }).routes(), [put(A, 9)]);
}

#[test]
fn the_limits_do_not_keep_static_hosts_out() {
    let mut plan = with_static();
    plan.segments[0].limits.hosts = 1;
    plan.segments[0].addresses.hosts.insert(ip(10), mac(10));
    let mut bench = Bench::with(plan);
    assert_eq!(bench.hears(B, host(20).asks(ip(10))).answers().len(), 1);
}
