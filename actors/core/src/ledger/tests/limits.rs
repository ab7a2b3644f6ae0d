//! How much is learned at most, and how often that is told.

use std::net::Ipv4Addr;

use super::bench::{A, B, Bench, Host, SECOND, host, ip, mac, ms, net, our_route, plan};
use crate::event::Limit;
use crate::plan::Plan;
use crate::{Event, Fact, LinkAddr};

fn reached(limit: Limit, last: u8) -> Event {
    Event::LimitReached { segment: A, limit, address: ip(last), lladdr: mac(last) }
}

#[test]
fn beyond_the_hosts_of_a_segment_nobody_is_learned_and_it_is_told_once_in_ten_seconds() {
    let mut plan = plan(2);
    plan.segments[0].limits.hosts = 3;
    let mut bench = Bench::with(plan);
    for last in [10, 11, 12] {
        assert_eq!(bench.hears(A, host(last).speaks()).routes().len(), 1);
    }
    assert_eq!(bench.hears(A, host(13).speaks()).events(), [reached(Limit::Hosts, 13)]);
    assert!(bench.hears(A, host(14).speaks()).is_empty());
    assert_eq!(bench.hears(B, host(15).speaks()).routes().len(), 1, "another segment has its own limit");
    bench.passes(10 * SECOND);
    assert_eq!(bench.hears(A, host(14).speaks()).events(), [reached(Limit::Hosts, 14)]);
    assert!(bench.hears(A, host(10).speaks()).is_empty(), "who is known stays known");
}

#[test]
fn a_host_that_is_gone_makes_room() {
    let mut plan = plan(2);
    plan.segments[0].limits.hosts = 1;
    let mut bench = Bench::with(plan);
    bench.knows(A, host(10));
    assert!(bench.hears(A, host(11).speaks()).routes().is_empty());
    bench.passes(40 * SECOND);
    assert_eq!(bench.hears(A, host(11).speaks()).routes().len(), 1);
}

#[test]
fn who_moves_to_a_full_segment_is_not_learned_there() {
    let mut plan = plan(2);
    plan.segments[0].limits.hosts = 1;
    let mut bench = Bench::with(plan);
    bench.knows(A, host(10));
    bench.knows(B, host(9));
    let log = bench.hears(A, host(9).speaks());
    assert_eq!(log.events(), [reached(Limit::Hosts, 9)]);
    assert!(log.routes().is_empty());
}

#[test]
fn one_station_may_hold_so_many_addresses() {
    let mut plan = plan(2);
    plan.segments[0].limits.hosts_per_lladdr = 3;
    let mut bench = Bench::with(plan);
    for last in [10, 11, 12] {
        bench.knows(A, host(last).with_mac(99));
    }
    let event =
        Event::LimitReached { segment: A, limit: Limit::HostsPerLladdr, address: ip(13), lladdr: mac(99) };
    assert_eq!(bench.hears(A, host(13).with_mac(99).speaks()).events(), [event]);
    assert_eq!(bench.hears(A, host(13).speaks()).routes().len(), 1, "another station may");
}

#[test]
fn nor_does_it_gather_more_by_claiming_them() {
    let mut plan = plan(2);
    plan.segments[0].limits.hosts_per_lladdr = 3;
    let mut bench = Bench::with(plan);
    for last in [10, 11, 12] {
        bench.knows(A, host(last).with_mac(99));
    }
    bench.knows(B, host(9));
    bench.hears(A, host(9).with_mac(99).announces());
    let log = bench.passes(SECOND);
    assert!(log.routes().is_empty());
    assert!(matches!(log.events()[..], [Event::LimitReached { limit: Limit::HostsPerLladdr, .. }]));
}

#[test]
fn a_claim_that_is_refused_does_not_keep_a_silent_host_alive() {
    let mut plan = plan(2);
    plan.segments[1].limits.hosts_per_lladdr = 1;
    plan.segments[1].expiry.quiet = 300 * SECOND;
    let mut bench = Bench::with(plan);
    bench.knows(B, host(10).with_mac(99));
    bench.knows(A, host(9));
    bench.passes(ms(34_900));
    bench.hears(B, host(9).with_mac(99).announces());
    let gone = Event::HostGone { address: ip(9), lladdr: mac(9), segment: A };
    assert!(bench.passes(ms(400)).events().contains(&gone));
}

#[test]
fn an_address_that_moves_to_another_station_makes_room_for_the_first() {
    let mut plan = plan(2);
    plan.segments[0].limits.hosts_per_lladdr = 1;
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    bench.hears(A, host(9).with_mac(99).announces());
    bench.passes(SECOND);
    assert_eq!(bench.hears(A, host(10).with_mac(9).speaks()).routes().len(), 1);
    assert!(bench.hears(A, host(11).with_mac(99).speaks()).routes().is_empty());
}

fn wide(new_per_second: u32) -> Plan {
    let mut plan = plan(2);
    plan.segments[0].limits.new_per_second = new_per_second;
    for prefixes in [&mut plan.domains[0].prefixes, &mut plan.segments[0].addresses.prefixes] {
        *prefixes = vec![net("10.0.0.0/16")];
    }
    plan
}

/// The host number `n` of a large subnet.
fn numbered(n: u16) -> Host {
    let [high, low] = n.to_be_bytes();
    Host {
        address: Ipv4Addr::new(10, 0, high + 1, low),
        lladdr: LinkAddr::ethernet([0x02, 0, 0, 1, high, low]),
    }
}

#[test]
fn newcomers_are_learned_at_a_pace_and_those_turned_away_when_they_speak_again() {
    let mut bench = Bench::with(wide(100));
    let learned = |bench: &mut Bench| {
        (1..=1000).filter(|n| !bench.hears(A, numbered(*n).speaks()).routes().is_empty()).count()
    };
    let burst = learned(&mut bench);
    assert!((100..=400).contains(&burst), "{burst}");
    bench.passes(SECOND);
    assert!((99..=101).contains(&learned(&mut bench)));
    for _ in 0..10 {
        bench.passes(SECOND);
        learned(&mut bench);
    }
    assert_eq!(learned(&mut bench), 0, "all are known");
}

#[test]
fn four_thousand_hosts_at_once_are_no_flood() {
    let mut bench = Bench::with(wide(2000));
    for n in 1..=4000 {
        assert_eq!(bench.hears(A, numbered(n).speaks()).routes().len(), 1, "host {n}");
    }
}

#[test]
fn who_is_known_is_answered_for_whatever_the_flood() {
    let mut bench = Bench::with(wide(10));
    bench.knows(B, host(9));
    for n in 1..=500 {
        let log = bench.hears(A, numbered(n).asks(ip(9)));
        assert_eq!(log.answers().len(), 1, "host {n}");
    }
}

#[test]
fn routes_of_an_earlier_run_count_towards_what_their_stations_may_hold() {
    let mut plan = plan(2);
    plan.segments[0].limits.hosts_per_lladdr = 1;
    let mut bench = Bench::with(plan);
    bench.give(Fact::TableRead { routes: vec![our_route(A, 9)] });
    assert!(bench.hears(A, host(10).with_mac(9).speaks()).routes().is_empty());
    bench.passes(10 * SECOND);
    assert_eq!(bench.hears(A, host(10).with_mac(9).speaks()).routes().len(), 1);
}

/// Remembering is for announcing that somebody is at another place now.
#[test]
fn no_more_are_remembered_than_may_be_known() {
    let mut plan = plan(2);
    plan.segments[0].limits.hosts = 1;
    let mut bench = Bench::with(plan);
    for last in [9, 10] {
        bench.knows(A, host(last));
        bench.passes(40 * SECOND);
    }
    assert!(!bench.hears(B, host(9).speaks()).announcements().is_empty());
    assert!(bench.hears(B, host(10).speaks()).announcements().is_empty());
}

#[test]
fn old_complaints_make_room_for_new_ones() {
    let mut bench = Bench::with(wide(2000));
    let ours: Vec<Ipv4Addr> = (1..=5000).map(|n| numbered(n).address).collect();
    bench.give(Fact::AddressesChanged { addresses: ours });
    for n in 1..=5000 {
        assert_eq!(bench.hears(A, numbered(n).speaks()).events().len(), 1, "address {n}");
    }
    bench.passes(10 * SECOND);
    assert_eq!(bench.hears(A, numbered(4999).speaks()).events().len(), 1);
    assert_eq!(bench.hears(A, numbered(4999).speaks()).events().len(), 0);
}
