//! Private VLANs: hosts of one segment that do not hear each other.

use std::collections::BTreeMap;

use super::bench::{A, B, Bench, C, SECOND, host, ip, mac, net, plan};
use crate::plan::{Groups, Plan, PrivateVlan};
use crate::{Event, SegmentId};

fn open() -> Plan {
    let mut plan = plan(2);
    plan.segments[0].private_vlan = PrivateVlan::Open;
    plan
}

/// Red is .8 to .15, blue .16 to .23; .12 and .32 to .35 are isolated.
fn groups() -> Plan {
    let mut plan = open();
    let communities = BTreeMap::from([
        ("red".to_owned(), vec![net("10.0.0.8/29")]),
        ("blue".to_owned(), vec![net("10.0.0.16/29")]),
    ]);
    let isolated = vec![net("10.0.0.32/30"), net("10.0.0.12/32")];
    plan.segments[0].private_vlan = PrivateVlan::Groups(Box::new(Groups { communities, isolated }));
    plan
}

fn answered(bench: &mut Bench, on: SegmentId, requester: u8, target: u8) -> bool {
    bench.knows(on, host(requester));
    let answers = bench.hears(on, host(requester).asks(ip(target))).answers();
    assert!(answers.is_empty() || answers == [(on, ip(target), mac(requester))]);
    !answers.is_empty()
}

#[test]
fn a_live_neighbour_is_answered_for() {
    let mut bench = Bench::with(open());
    bench.knows(A, host(9));
    assert!(answered(&mut bench, A, 20, 9));
    assert!(!answered(&mut bench, B, 21, 22), "only where it was asked for");
}

#[test]
fn not_a_dead_one_nor_one_that_never_was() {
    let mut bench = Bench::with(open());
    bench.knows(A, host(9));
    bench.passes(60 * SECOND);
    assert!(!answered(&mut bench, A, 20, 9), "the kernel would answer");
    assert!(!answered(&mut bench, A, 20, 99));
}

#[test]
fn an_unknown_neighbour_is_searched_for_on_the_same_segment_too() {
    let mut bench = Bench::with(open());
    assert_eq!(bench.hears(A, host(20).asks(ip(9))).searches(), [(B, ip(9)), (A, ip(9))]);
    assert_eq!(bench.hears(A, host(9).replies()).answers(), [(A, ip(9), mac(20))]);
}

#[test]
fn nobody_is_answered_about_itself() {
    let mut bench = Bench::with(open());
    bench.knows(A, host(9));
    assert!(bench.hears(A, host(9).announces()).answers().is_empty());
    assert!(bench.hears(A, host(9).probes()).answers().is_empty());
    assert!(bench.hears(A, host(30).with_mac(9).asks(ip(9))).answers().is_empty(), "its second address");
    assert!(bench.passes(SECOND).answers().is_empty());
}

#[test]
fn an_address_that_a_neighbour_has_is_defended() {
    let mut bench = Bench::with(open());
    bench.knows(A, host(9));
    assert!(bench.hears(A, host(9).with_mac(66).probes()).answers().is_empty());
    assert_eq!(bench.hears(A, host(9).replies()).answers(), [(A, ip(9), mac(66))]);
}

#[test]
fn other_segments_see_no_difference() {
    let mut bench = Bench::with(open());
    bench.knows(A, host(9));
    bench.knows(B, host(30));
    assert!(answered(&mut bench, B, 31, 9), "elsewhere");
    assert!(!answered(&mut bench, B, 31, 30), "its own neighbour");
    assert!(answered(&mut bench, A, 20, 30), "both at once");
}

#[test]
fn only_hosts_of_one_group_are_joined() {
    let mut bench = Bench::with(groups());
    for last in [8, 9, 12, 16, 17, 32, 33, 40, 41] {
        bench.knows(A, host(last));
    }
    for (requester, target, expected) in [
        (8, 9, true),
        (16, 17, true),
        (40, 41, true),
        (8, 16, false),
        (8, 40, false),
        (40, 8, false),
        (32, 33, false),
        (8, 32, false),
        (32, 8, false),
        (8, 12, false),
        (12, 9, false),
    ] {
        assert_eq!(answered(&mut bench, A, requester, target), expected, "{requester} asks for {target}");
    }
}

#[test]
fn the_groups_are_of_one_segment_only() {
    let mut bench = Bench::with(groups());
    bench.knows(B, host(16));
    for requester in [8, 32, 40] {
        assert!(answered(&mut bench, A, requester, 16));
    }
}

#[test]
fn who_is_not_in_the_group_is_not_even_searched_for_there() {
    let mut bench = Bench::with(groups());
    assert_eq!(bench.hears(A, host(8).asks(ip(17))).searches(), [(B, ip(17))]);
    assert_eq!(bench.hears(A, host(8).asks(ip(10))).searches(), [(B, ip(10)), (A, ip(10))]);
}

#[test]
fn an_address_is_unique_whatever_the_groups() {
    let mut bench = Bench::with(groups());
    bench.knows(A, host(32));
    bench.hears(A, host(32).with_mac(66).probes());
    let log = bench.hears(A, host(32).replies());
    assert_eq!(log.answers(), [(A, ip(32), mac(66))]);
    assert!(matches!(log.events()[..], [Event::DuplicateAddress { .. }]));
}

#[test]
fn who_moves_to_a_private_vlan_is_answered_for_there_from_then_on() {
    let mut plan = open();
    plan.segments.push(super::bench::segment('c', &[net("10.0.0.0/24")]));
    let mut bench = Bench::with(plan);
    bench.knows(C, host(9));
    bench.hears(A, host(9).announces());
    let log = bench.passes(SECOND);
    assert!(log.announcements().iter().all(|(on, _)| *on != A), "never where the host is");
    assert!(answered(&mut bench, A, 20, 9));
}
