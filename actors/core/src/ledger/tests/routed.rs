//! `answer: routed`: what the kernel's `proxy_arp` would answer, and why we know of no host.

use std::net::Ipv4Addr;

use super::bench::{A, B, Bench, C, SECOND, host, interface, ip, mac, net, plan};
use super::log::Log;
use crate::fact::PendingRequest;
use crate::plan::{AnswerMode, Plan};
use crate::{Fact, SegmentId};

const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(1, 1, 1, 1);

/// Segment A follows routes.
fn routed() -> Plan {
    let mut plan = plan(3);
    plan.segments[0].answer = AnswerMode::Routed;
    plan
}

/// Host 20's request on a segment.
fn pending(segment: SegmentId, target: Ipv4Addr) -> PendingRequest {
    PendingRequest { segment, requester: ip(20), lladdr: mac(20), target }
}

/// The kernel's answer to the look-up for host 20's request on A.
fn found(bench: &mut Bench, target: Ipv4Addr, interface: Option<u32>) -> Log {
    bench.give(Fact::RouteLookedUp { request: pending(A, target), interface })
}

#[test]
fn a_target_routed_by_another_interface_is_answered_for() {
    let mut bench = Bench::with(routed());
    let log = bench.hears(A, host(20).asks(ELSEWHERE));
    assert_eq!(log.lookups(), [(A, ip(20), ELSEWHERE)]);
    assert!(log.answers().is_empty());
    assert_eq!(found(&mut bench, ELSEWHERE, Some(99)).answers(), [(A, ELSEWHERE, mac(20))]);
}

#[test]
fn one_routed_back_where_it_was_asked_for_or_nowhere_is_not() {
    let mut bench = Bench::with(routed());
    bench.hears(A, host(20).asks(ELSEWHERE));
    assert!(found(&mut bench, ELSEWHERE, Some(interface(A))).is_empty());
    assert!(found(&mut bench, ELSEWHERE, None).is_empty());
}

#[test]
fn a_segment_that_does_not_follow_routes_asks_for_none() {
    let mut bench = Bench::with(routed());
    assert!(bench.hears(B, host(20).asks(ELSEWHERE)).lookups().is_empty());
    let stray = Fact::RouteLookedUp { request: pending(B, ELSEWHERE), interface: Some(99) };
    assert!(bench.give(stray).is_empty());
}

#[test]
fn a_known_host_needs_no_route_of_the_kernels() {
    let mut bench = Bench::with(routed());
    bench.knows(B, host(9));
    let log = bench.hears(A, host(20).asks(ip(9)));
    assert_eq!(log.answers(), [(A, ip(9), mac(20))]);
    assert!(log.lookups().is_empty());
    bench.knows(A, host(10));
    assert!(bench.hears(A, host(20).asks(ip(10))).is_empty(), "a neighbour answers for itself");
}

#[test]
fn an_address_of_the_domain_without_a_route_is_searched_for() {
    let mut bench = Bench::with(routed());
    assert!(bench.hears(A, host(20).asks(ip(9))).searches().is_empty());
    assert_eq!(found(&mut bench, ip(9), None).searches(), [(B, ip(9)), (C, ip(9))]);
    assert_eq!(bench.hears(B, host(9).replies()).answers(), [(A, ip(9), mac(20))]);
}

#[test]
fn nobody_special_is_looked_up() {
    let mut plan = routed();
    plan.segments[0].addresses.never = vec![net("198.51.100.0/24")];
    let mut bench = Bench::with(plan);
    for target in
        ["10.0.0.0", "10.0.0.255", "127.0.0.1", "224.0.0.1", "255.255.255.255", "198.51.100.7", "10.0.0.1"]
    {
        let target = target.parse().expect("an address");
        assert!(bench.hears(A, host(20).asks(target)).lookups().is_empty(), "{target}");
    }
}

#[test]
fn address_probes_and_announcements_are_not_answered_by_a_route() {
    let mut bench = Bench::with(routed());
    let mut stranger = host(20);
    stranger.address = ELSEWHERE;
    assert!(bench.hears(A, stranger.probes()).lookups().is_empty());
    assert!(bench.hears(A, stranger.announces()).lookups().is_empty());
}

#[test]
fn a_flood_is_looked_up_at_a_pace() {
    let mut bench = Bench::with(routed());
    let ask =
        |bench: &mut Bench, n: u32| bench.hears(A, host(20).asks((0x0808_0000 + n).into())).lookups().len();
    let burst: usize = (0..20_000).map(|n| ask(&mut bench, n)).sum();
    assert_eq!(burst, 2500);
    bench.passes(SECOND);
    assert_eq!(ask(&mut bench, 1), 1);
}

#[test]
fn where_answers_are_not_ours_nothing_is_answered_or_searched() {
    for answer in [AnswerMode::Off, AnswerMode::Kernel] {
        let mut plan = plan(2);
        plan.segments[0].answer = answer;
        let mut bench = Bench::with(plan);
        bench.knows(B, host(9));
        for target in [ip(9), ip(77), ELSEWHERE] {
            let log = bench.hears(A, host(20).asks(target));
            assert!(log.answers().is_empty() && log.searches().is_empty() && log.lookups().is_empty());
        }
        assert_eq!(
            bench.hears(B, host(30).asks(ip(20))).answers(),
            [(B, ip(20), mac(30))],
            "learned all the same"
        );
    }
}

#[test]
fn moves_are_announced_where_the_kernel_answers_but_not_where_nobody_does() {
    let mut plan = plan(4);
    plan.segments[2].answer = AnswerMode::Kernel;
    plan.segments[3].answer = AnswerMode::Off;
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    let told: Vec<SegmentId> =
        bench.hears(B, host(9).announces()).announcements().into_iter().map(|(on, _)| on).collect();
    assert_eq!(told, [A, C]);
}
