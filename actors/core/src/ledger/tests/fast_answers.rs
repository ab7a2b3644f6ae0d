//! Who is given to the program that answers inside the kernel.

use super::bench::{
    A, B, Bench, C, SECOND, foreign_route, host, interface, ip, link, mac, net, own_mac, plan,
};
use super::log::{Log, put};
use crate::fact::{Fact, Link};
use crate::order::Order;
use crate::plan::{AnswerMode, DomainId, LinkKind, Plan, PrivateVlan, SegmentId};
use crate::{LinkAddr, Role, Write};

pub(super) const LAN: DomainId = DomainId(0);

pub(super) fn fast_plan() -> Plan {
    let mut plan = plan(3);
    for segment in &mut plan.segments {
        segment.kernel.fast = true;
    }
    plan
}

pub(super) fn fast_bench(plan: Plan) -> Bench {
    let mut bench = Bench::with(plan);
    bench.give(Fact::FastAnswersReady(true));
    bench
}

pub(super) fn bench() -> Bench {
    fast_bench(fast_plan())
}

/// Writes to the program.
pub(super) fn fast(log: &Log) -> Vec<Write> {
    let write = |order: Order| match order {
        Order::Write(write) if write.is_fast() => Some(write),
        _ => None,
    };
    log.orders().into_iter().filter_map(write).collect()
}

fn given_as(segment: SegmentId, last: u8, answered_for: bool) -> Write {
    Write::PutFastAnswer { domain: LAN, address: ip(last), segment, lladdr: mac(last), answered_for }
}

pub(super) fn given(segment: SegmentId, last: u8) -> Write {
    given_as(segment, last, true)
}

pub(super) fn taken(last: u8) -> Write {
    Write::DeleteFastAnswer { domain: LAN, address: ip(last) }
}

fn link_of(segment: SegmentId) -> Write {
    let lladdr = own_mac(segment);
    Write::PutFastLink { interface: interface(segment), domain: LAN, segment, lladdr }
}

fn link_gone(segment: SegmentId) -> Write {
    Write::DeleteFastLink { interface: interface(segment) }
}

#[test]
fn without_a_program_nothing_is_given_and_with_one_everything_at_once() {
    let mut bench = Bench::with(fast_plan());
    assert_eq!(fast(&bench.hears(A, host(9).speaks())), []);
    let links = [A, B, C].map(link_of);
    let log = bench.give(Fact::FastAnswersReady(true));
    assert_eq!(fast(&log), [&links[..], &[given(A, 9)]].concat());
    assert_eq!(fast(&bench.give(Fact::FastAnswersReady(false))), []);
    assert_eq!(fast(&bench.hears(B, host(8).speaks())), []);
    let log = bench.give(Fact::FastAnswersReady(true));
    assert_eq!(fast(&log), [&links[..], &[given(B, 8), given(A, 9)]].concat());
}

#[test]
fn where_it_is_not_wanted_nothing_is_given() {
    let mut bench = fast_bench(plan(3));
    let log = bench.hears(A, host(9).speaks());
    assert_eq!(fast(&log), []);
    let is_read = |order: &Order| matches!(order, Order::ReadHeard { .. });
    assert!(!bench.passes(60 * SECOND).orders().iter().any(is_read));
}

#[test]
fn a_new_host_is_given_after_its_route() {
    let log = bench().hears(A, host(9).speaks());
    let orders = log.orders();
    let place = |wanted: &Order| orders.iter().position(|order| order == wanted);
    assert!(place(&put(A, 9)) < place(&Order::Write(given(A, 9))));
    assert_eq!(fast(&log), [given(A, 9)]);
}

#[test]
fn a_host_that_moved_is_taken_and_given_anew() {
    let mut bench = bench();
    bench.knows(A, host(9));
    assert_eq!(fast(&bench.hears(B, host(9).speaks())), [taken(9), given(B, 9)]);
}

#[test]
fn a_contested_host_is_taken_until_it_is_decided() {
    let mut bench = bench();
    bench.knows(A, host(9));
    let log = bench.hears(B, host(9).with_mac(7).announces());
    assert_eq!((fast(&log), log.verifications().len()), (vec![taken(9)], 1));
    // It lives: the other one is remembered as its alternative, and so it is watched.
    assert_eq!(fast(&bench.hears(A, host(9).replies())), []);
    assert_eq!(fast(&bench.passes(10 * SECOND)), [given(A, 9)], "that one does not answer");
}

#[test]
fn a_suspect_is_taken_and_given_back_when_it_speaks() {
    let mut bench = bench();
    bench.knows(A, host(9));
    let log = bench.passes(33 * SECOND);
    assert_eq!((fast(&log), log.verifications().is_empty()), (vec![taken(9)], false));
    assert_eq!(fast(&bench.hears(A, host(9).replies())), [given(A, 9)]);
}

#[test]
fn a_host_that_the_kernel_has_no_route_to_is_not_given() {
    let mut bench = bench();
    bench.give(Fact::RouteAppeared(foreign_route(9)));
    assert_eq!(fast(&bench.hears(A, host(9).speaks())), []);
    assert_eq!(fast(&bench.give(Fact::RouteVanished(foreign_route(9)))), [given(A, 9)]);
    assert_eq!(fast(&bench.give(Fact::RouteAppeared(foreign_route(9)))), [taken(9)]);
    let log = bench.hears(A, host(8).speaks());
    assert_eq!(fast(&log), [given(A, 8)]);
    let Order::Write(write) = put(A, 8) else { unreachable!("a route") };
    let refused = Fact::WriteRefused { write, errno: 12, reason: String::new() };
    assert_eq!(fast(&bench.give(refused)), [taken(8)]);
    assert_eq!(fast(&bench.passes(SECOND)), [given(A, 8)], "it was tried again");
}

#[test]
fn a_segment_that_goes_takes_its_link_and_its_hosts() {
    let mut bench = bench();
    bench.knows(A, host(9));
    bench.knows(B, host(8));
    let down = Link { carrier: false, ..link(B) };
    assert_eq!(fast(&bench.links(B, Some(down))), [link_gone(B), taken(8)]);
    assert_eq!(fast(&bench.up(B)), [link_of(B)]);
    assert_eq!(fast(&bench.hears(B, host(8).replies())), [given(B, 8)]);
    assert_eq!(fast(&bench.links(A, None)), [link_gone(A), taken(9)]);
    let other = Link { index: 77, ..link(B) };
    let log = bench.links(B, Some(other));
    assert_eq!(fast(&log)[..1], [link_gone(B)]);
}

#[test]
fn another_link_layer_address_of_ours_is_said_at_once() {
    let mut bench = bench();
    let lladdr = mac(0x77);
    let put = Write::PutFastLink { interface: interface(B), domain: LAN, segment: B, lladdr };
    let log = bench.links(B, Some(Link { lladdr, ..link(B) }));
    assert_eq!(fast(&log), [link_gone(B), put]);
    bench.links(B, None);
    assert_eq!(fast(&bench.up(B)), [], "whoever speaks first there is to be heard");
    assert_eq!(fast(&bench.hears(B, host(8).speaks())), [link_of(B), given(B, 8)]);
}

#[test]
fn a_host_at_an_address_of_ours_is_taken() {
    let mut bench = bench();
    bench.knows(A, host(9));
    let log = bench.links(B, Some(Link { lladdr: mac(9), ..link(B) }));
    assert_eq!(fast(&log)[2..], [taken(9)]);
}

#[test]
fn two_segments_that_are_one_link_answer_nothing_in_the_kernel() {
    let mut bench = bench();
    bench.knows(A, host(9));
    bench.knows(C, host(7));
    let ours = host(1).asks(ip(20));
    let log = bench.hears_marked(B, ours, crate::arp::Mark::Ours(A));
    assert_eq!(fast(&log), [link_gone(A), link_gone(B), taken(9)]);
    let log = bench.passes(10 * SECOND);
    assert_eq!(fast(&log), [link_of(A), link_of(B), given(A, 9)]);
}

#[test]
fn only_where_answers_are_plain_the_program_answers() {
    let changes: [fn(&mut Plan); 5] = [
        |plan| plan.segments[1].answer = AnswerMode::Routed,
        |plan| plan.segments[1].private_vlan = PrivateVlan::Open,
        |plan| plan.segments[1].addresses.publish = vec![net("10.0.0.64/28")],
        |plan| plan.segments[1].kind = Some(LinkKind::Ipoib),
        |plan| plan.segments[1].kernel.fast = false,
    ];
    for change in changes {
        let mut plan = fast_plan();
        change(&mut plan);
        let mut bench = Bench::with(plan);
        assert_eq!(fast(&bench.give(Fact::FastAnswersReady(true))), [link_of(A), link_of(C)]);
    }
}

#[test]
fn who_is_not_to_be_answered_for_somewhere_only_asks() {
    let mut plan = fast_plan();
    plan.segments[2].addresses.never = vec![net("10.0.0.8/31")];
    let mut bench = fast_bench(plan);
    assert_eq!(fast(&bench.hears(A, host(9).speaks())), [given_as(A, 9, false)]);
}

#[test]
fn an_interface_of_two_domains_answers_nothing_in_the_kernel() {
    let mut plan = fast_plan();
    plan.domains.push(plan.domains[0].clone());
    plan.domains[1].name = "other".to_owned();
    plan.domains[1].prefixes = vec![net("10.0.9.0/24")];
    plan.segments[2].domain = DomainId(1);
    plan.segments[2].addresses.prefixes = vec![net("10.0.9.0/24")];
    let mut bench = Bench::with(plan);
    bench.links(C, Some(Link { index: interface(B), ..link(B) }));
    assert_eq!(fast(&bench.give(Fact::FastAnswersReady(true))), [link_of(A)]);
    assert_eq!(fast(&bench.links(C, None)), [link_of(B)]);
}

#[test]
fn another_plan_takes_what_it_does_not_want() {
    let mut bench = bench();
    bench.knows(A, host(9));
    bench.knows(B, host(8));
    let mut next = fast_plan();
    next.segments[1].kernel.fast = false;
    let log = bench.give(Fact::Replanned { plan: Box::new(next) });
    assert_eq!(fast(&log), [link_gone(B)]);
    let log = bench.give(Fact::Replanned { plan: Box::new(plan(3)) });
    assert_eq!(fast(&log), [link_gone(A), link_gone(C), taken(8), taken(9)]);
}

#[test]
fn at_the_end_it_answers_nothing() {
    for purge in [false, true] {
        let mut bench = bench();
        bench.knows(A, host(9));
        assert_eq!(fast(&bench.give(Fact::Stopped { purge })), [A, B, C].map(link_gone));
    }
}

#[test]
fn a_host_without_room_is_not_given_again_until_something_changes() {
    let mut bench = bench();
    bench.knows(A, host(9));
    let refused = Fact::WriteRefused { write: given(A, 9), errno: 7, reason: String::new() };
    assert_eq!(fast(&bench.give(refused)), []);
    assert_eq!(fast(&bench.hears(A, host(9).speaks())), []);
    assert_eq!(fast(&bench.hears(B, host(9).speaks())), [given(B, 9)]);
}

#[test]
fn what_cannot_be_taken_ends_it_all() {
    let mut bench = bench();
    bench.knows(A, host(9));
    bench.hears(B, host(9).speaks());
    let refused = Fact::WriteRefused { write: taken(9), errno: 1, reason: String::new() };
    assert_eq!(fast(&bench.give(refused)), [A, B, C].map(link_gone));
    assert_eq!(fast(&bench.hears(A, host(7).speaks())), []);
}

#[test]
fn of_two_gateways_neither_answers_in_the_kernel() {
    let mut plan = super::pairs::commanded();
    for segment in &mut plan.segments {
        segment.kernel.fast = true;
    }
    let mut bench = Bench::with(plan.clone());
    assert_eq!(fast(&bench.give(Fact::FastAnswersReady(true))), []);
    assert_eq!(fast(&bench.hears(A, host(9).speaks())), []);
    assert_eq!(fast(&bench.is_told(Role::Active)), []);
    plan.domains[0].ha = None;
    let links = [A, B, C].map(link_of);
    let log = bench.give(Fact::Replanned { plan: Box::new(plan) });
    assert_eq!(fast(&log), [&links[..], &[given(A, 9)]].concat());
}

#[test]
fn where_segments_share_an_address_answers_bear_it() {
    let mut plan = fast_plan();
    let lladdr = LinkAddr::ethernet([2, 0, 0x5e, 0, 0, 1]);
    plan.domains[0].gateway_lladdr = Some(lladdr);
    let mut bench = Bench::with(plan);
    let log = bench.give(Fact::FastAnswersReady(true));
    let link = |segment| Write::PutFastLink { interface: interface(segment), domain: LAN, segment, lladdr };
    assert_eq!(fast(&log), [A, B, C].map(link));
    let write = Write::PutSharedLladdr { interface: interface(B), lladdr, own: own_mac(B) };
    let refused = Fact::WriteRefused { write, errno: 95, reason: String::new() };
    assert_eq!(fast(&bench.give(refused)), [link_gone(B), link_of(B)]);
}

#[test]
fn operators_are_shown_who_is_answered_for_in_the_kernel() {
    let mut bench = bench();
    bench.knows(A, host(9));
    bench.passes(3 * SECOND);
    let shown = |bench: &Bench| {
        let host = bench.ledger.host_views(bench.now)[0].in_kernel_seconds;
        let explained = bench.ledger.explain(bench.now, ip(9), None);
        assert_eq!(explained[0].host.as_ref().map(|host| host.in_kernel_seconds), Some(host));
        host
    };
    assert_eq!(shown(&bench), Some(3));
    bench.hears(B, host(9).with_mac(7).announces());
    assert_eq!(shown(&bench), None);
}
