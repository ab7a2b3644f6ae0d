//! Routes of a fabric: hosts behind other gateways.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::bench::{
    A, B, Bench, C, FOREIGN, METRIC, SECOND, foreign_route, host, interface, ip, mac, ms, own_mac, plan,
};
use super::log::{Log, delete, put};
use crate::arp::{Arp, Operation};
use crate::fact::{Fact, KernelRoute};
use crate::order::{Order, Purpose};
use crate::plan::{AnswerMode, FabricPlan, KernelProxy, Plan};
use crate::{Event, LinkAddr, SegmentId};

/// `RTPROT_BGP`
pub(super) const BGP: u8 = 186;
pub(super) const NEXT: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 2);
/// FRR's metric, when ours is below.
pub(super) const THEIRS: u32 = METRIC + 20;

pub(super) fn fabric_plan() -> Plan {
    let mut plan = plan(3);
    plan.domains[0].fabric = Some(FabricPlan { protocols: BTreeSet::from([BGP]) });
    plan
}

pub(super) fn bench() -> Bench {
    Bench::with(fabric_plan())
}

pub(super) fn remote(last: u8) -> KernelRoute {
    KernelRoute { protocol: BGP, metric: THEIRS, next_hop: Some(NEXT), ..foreign_route(last) }
}

pub(super) fn appears(bench: &mut Bench, last: u8) -> Log {
    bench.give(Fact::RouteAppeared(remote(last)))
}

/// Requests of ours: where, for whom, to which station.
pub(super) fn probes(log: &Log) -> Vec<(SegmentId, Ipv4Addr, Option<LinkAddr>)> {
    let probe = |order: &Order| match order {
        Order::Transmit { segment, frame, purpose: Purpose::Verify | Purpose::Search } => {
            Some((*segment, frame.arp.target, frame.to))
        }
        _ => None,
    };
    log.orders().iter().filter_map(probe).collect()
}

pub(super) fn announced(log: &Log) -> Vec<(SegmentId, Ipv4Addr)> {
    let announcement = |order: &Order| match order {
        Order::Transmit { segment, frame, purpose: Purpose::Announce } => Some((*segment, frame.arp.target)),
        _ => None,
    };
    log.orders().iter().filter_map(announcement).collect()
}

pub(super) fn answer(log: &Log) -> Option<(SegmentId, Arp)> {
    log.orders().iter().find_map(|order| match order {
        Order::Transmit { segment, frame, purpose: Purpose::Answer } => Some((*segment, frame.arp)),
        _ => None,
    })
}

pub(super) fn came(last: u8, segment: SegmentId) -> Event {
    let (address, lladdr, segment) = (ip(last), mac(last), Some(segment));
    let (old_lladdr, old_segment, next_hop) = (LinkAddr::UNKNOWN, None, Some(NEXT));
    Event::HostMoved { address, lladdr, segment, old_lladdr, old_segment, next_hop }
}

pub(super) fn left(last: u8, from: SegmentId) -> Event {
    let (address, lladdr, segment) = (ip(last), LinkAddr::UNKNOWN, None);
    let (old_lladdr, old_segment, next_hop) = (mac(last), Some(from), Some(NEXT));
    Event::HostMoved { address, lladdr, segment, old_lladdr, old_segment, next_hop }
}

pub(super) fn row(bench: &Bench, last: u8) -> Option<crate::view::HostView> {
    bench.ledger.host_views(bench.now).into_iter().find(|row| row.address == ip(last))
}

#[test]
fn a_host_behind_another_gateway_is_answered_for_on_every_segment() {
    let mut bench = bench();
    assert!(appears(&mut bench, 9).is_empty(), "nobody is told, asked or routed");
    for segment in [A, B, C] {
        let (on, reply) = answer(&bench.hears(segment, host(20).asks(ip(9)))).expect("an answer");
        assert_eq!((on, reply.operation, reply.sender), (segment, Operation::Reply, ip(9)));
        assert_eq!(reply.sender_lladdr, own_mac(segment));
    }
}

#[test]
fn it_is_shown_with_the_next_hop_and_gone_with_its_route() {
    let mut bench = bench();
    appears(&mut bench, 9);
    bench.passes(7 * SECOND);
    let shown = row(&bench, 9).expect("a row");
    assert_eq!((shown.state.as_ref(), shown.next_hop, shown.age_seconds), ("remote", Some(NEXT), 7));
    assert_eq!((shown.segment.as_ref(), shown.learned_from.as_ref()), ("", "route"));
    let explained = bench.ledger.explain(bench.now, ip(9), None).remove(0);
    let remote_view = explained.remote.expect("its route");
    assert_eq!(
        (remote_view.state.as_ref(), remote_view.protocol, remote_view.metric),
        ("remote", BGP, THEIRS)
    );
    assert!(explained.segments.iter().all(|it| it.answered == "yes" && it.rule == "remote"));
    assert_eq!(bench.ledger.status_view().missing.remote_hosts, 1);
    assert_eq!(bench.ledger.status_view().hosts, 0);

    bench.give(Fact::RouteVanished(remote(9)));
    assert_eq!(row(&bench, 9), None);
    let log = bench.hears(A, host(20).asks(ip(9)));
    assert_eq!(answer(&log), None);
    assert!(!probes(&log).is_empty(), "it is searched for again");
}

#[test]
fn it_is_neither_probed_nor_swept() {
    let mut bench = bench();
    appears(&mut bench, 9);
    assert!(probes(&bench.passes(600 * SECOND)).is_empty());
    assert!(bench.ledger.sweep_context(A).expect("up").skip.contains(&ip(9)));
}

#[test]
fn requests_that_wait_are_answered_when_the_route_appears() {
    let mut bench = bench();
    assert_eq!(answer(&bench.hears(A, host(20).asks(ip(9)))), None);
    bench.passes(ms(300));
    let (on, reply) = answer(&appears(&mut bench, 9)).expect("an answer");
    assert_eq!((on, reply.sender, reply.target), (A, ip(9), ip(20)));
}

#[test]
fn where_the_kernel_answers_it_has_an_entry_for_as_long_as_the_route_stands() {
    let mut plan = fabric_plan();
    plan.segments[0].answer = AnswerMode::Kernel;
    plan.segments[0].kernel.proxy = KernelProxy::Entries;
    let mut bench = Bench::with(plan);
    assert_eq!(appears(&mut bench, 9).entries(), [(A, ip(9), true)]);
    assert_eq!(bench.give(Fact::RouteVanished(remote(9))).entries(), [(A, ip(9), false)]);
}

#[test]
fn who_comes_with_a_warm_cache_is_told_where_everybody_is_found_from_here() {
    let mut bench = bench();
    bench.knows(A, host(20));
    (9..11).for_each(|last| drop(appears(&mut bench, last)));
    bench.hears(B, host(9).speaks());
    let mut log = bench.hears(B, host(9).replies());
    log.append(bench.passes(SECOND));
    let orders = log.orders();
    let told = orders.iter().filter_map(|order| match order {
        Order::Transmit { segment: B, frame, purpose: Purpose::Correct } if frame.to == Some(mac(9)) => {
            Some((frame.arp.sender, frame.arp.sender_lladdr))
        }
        _ => None,
    });
    let told: BTreeSet<_> = told.collect();
    assert_eq!(
        told,
        [1, 10, 20].map(|last| (ip(last), own_mac(B))).into(),
        "the gateway, the remote, the local"
    );
}

#[test]
fn a_prober_is_not_told_that_the_address_is_taken_for_it_may_be_the_host_itself() {
    let mut bench = bench();
    appears(&mut bench, 9);
    assert!(bench.hears(A, host(9).probes()).orders().iter().all(|it| !matches!(it, Order::Transmit { .. })));
}

#[test]
fn nobody_is_answered_on_the_link_that_the_route_leaves_by() {
    let mut bench = bench();
    let on_link = KernelRoute { interface: interface(B), segment: Some(B), ..remote(9) };
    bench.give(Fact::RouteAppeared(on_link));
    assert_eq!(answer(&bench.hears(B, host(20).asks(ip(9)))), None);
    assert!(answer(&bench.hears(A, host(21).asks(ip(9)))).is_some());
}

#[test]
fn routes_of_other_protocols_stay_what_they_are() {
    let mut bench = bench();
    bench.give(Fact::RouteAppeared(KernelRoute { protocol: FOREIGN, ..remote(9) }));
    assert_eq!(row(&bench, 9), None);
    let log = bench.hears(A, host(9).speaks());
    assert!(log.events().iter().any(|event| matches!(event, Event::RouteConflict { protocol: FOREIGN, .. })));
    assert!(log.routes().is_empty());
}

#[test]
fn a_route_that_forwards_nothing_stands_for_nobody() {
    let mut bench = bench();
    bench.give(Fact::RouteAppeared(KernelRoute { interface: 0, next_hop: None, ..remote(9) }));
    assert_eq!(row(&bench, 9), None);
}

#[test]
fn who_speaks_here_is_asked_here_and_ours_is_written_beside_the_route() {
    let mut bench = bench();
    appears(&mut bench, 9);
    let log = bench.hears(B, host(9).announces());
    assert_eq!(probes(&log), [(B, ip(9), Some(mac(9)))]);
    assert!(log.routes().is_empty() && log.events().is_empty(), "nothing is believed yet");
    assert!(bench.hears(B, host(9).speaks()).is_empty(), "nor because it says so again");
    let log = bench.hears(B, host(9).replies());
    assert_eq!(log.routes(), [put(B, 9)]);
    assert_eq!(log.events(), [came(9, B)]);
    assert_eq!(row(&bench, 9).expect("a row").state, "alive");
    assert_eq!(answer(&bench.hears(B, host(20).asks(ip(9)))), None, "it hears that itself");
    // The other gateway withdraws its own; nothing more happens here.
    assert!(bench.give(Fact::RouteVanished(remote(9))).is_empty());
}

#[test]
fn who_does_not_answer_is_not_believed() {
    let mut bench = bench();
    appears(&mut bench, 9);
    bench.hears(B, host(9).announces());
    let log = bench.passes(SECOND);
    assert_eq!(probes(&log).len(), 1, "it is asked twice in all");
    assert_eq!(row(&bench, 9).expect("a row").state, "remote");
    assert!(log.events().is_empty());
}

#[test]
fn a_silent_host_is_given_up_a_quarter_of_a_second_after_its_route_appears_elsewhere() {
    let mut bench = bench();
    bench.knows(A, host(9));
    bench.passes(SECOND);
    let start = bench.now;
    let mut log = appears(&mut bench, 9);
    assert_eq!(probes(&log), [(A, ip(9), Some(mac(9)))], "it is asked at once");
    log.append(bench.passes(ms(300)));
    assert_eq!(log.events(), [left(9, A)]);
    assert_eq!(log.millis_of_event(start, |event| matches!(event, Event::HostMoved { .. })), Some(250));
    assert_eq!(log.routes(), [delete(A, 9)]);
    assert_eq!(announced(&log), [(A, ip(9)), (B, ip(9)), (C, ip(9))], "whoever had its address has ours now");
    let later = bench.passes(5 * SECOND);
    assert_eq!(announced(&later).len(), 6, "three times in all");
    assert!(later.events().is_empty());
    assert!(answer(&bench.hears(A, host(20).asks(ip(9)))).is_some(), "where it was, too");
    assert_eq!(row(&bench, 9).expect("a row").state, "remote");
}

#[test]
fn a_host_that_answers_stays_whatever_the_route_says() {
    let mut bench = bench();
    bench.knows(A, host(9));
    bench.passes(SECOND);
    appears(&mut bench, 9);
    let mut log = bench.hears(A, host(9).replies());
    let mut asked = Vec::new();
    for tenths in 1..300_u64 {
        let passed = bench.passes(ms(100));
        if !probes(&passed).is_empty() {
            asked.push(tenths);
            log.append(bench.hears(A, host(9).replies()));
        }
        log.append(passed);
    }
    assert!(log.events().is_empty() && log.routes().is_empty());
    assert_eq!(asked, [10, 30, 70, 150, 230], "it is asked again, less and less often");
    assert_eq!(row(&bench, 9).expect("a row").state, "alive");
    let explained = bench.ledger.explain(bench.now, ip(9), None).remove(0);
    assert_eq!(explained.remote.expect("the route").state, "beside");
}

#[test]
fn a_host_that_left_again_before_its_other_gateway_withdrew_is_given_up() {
    let mut bench = bench();
    appears(&mut bench, 9);
    bench.hears(A, host(9).speaks());
    bench.hears(A, host(9).replies());
    // It goes back at once; the route there has stood all the time, and none appears.
    let start = bench.now;
    let log = bench.passes(2 * SECOND);
    assert_eq!(log.events(), [left(9, A)]);
    assert_eq!(log.millis_of_event(start, |event| matches!(event, Event::HostMoved { .. })), Some(1250));
}

#[test]
fn a_host_that_dies_while_a_route_leads_elsewhere_is_there_from_then_on() {
    let mut bench = bench();
    bench.knows(A, host(9));
    appears(&mut bench, 9);
    bench.hears(A, host(9).replies());
    let log = bench.passes(60 * SECOND);
    assert_eq!(log.events(), [left(9, A)], "one event, and not that it is gone");
}
