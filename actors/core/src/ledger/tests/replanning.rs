//! The ledger goes on with another plan.

use super::bench::{A, B, Bench, C, SECOND, host, interface, ip, link, mac, net, plan, segment};
use super::log::{Log, delete, put, replace};
use crate::order::Order;
use crate::plan::{AnswerMode, DomainId, KernelProxy, Plan, SegmentId};
use crate::{Event, Fact, Write};

/// The fourth number, which the plan of the bench does not use.
const D: SegmentId = SegmentId(3);

/// Three segments with a host on each, `.10` to `.12`.
fn populated() -> Bench {
    populated_with(plan(3))
}

fn populated_with(plan: Plan) -> Bench {
    let mut bench = Bench::with(plan);
    for (segment, last) in [(A, 10), (B, 11), (C, 12)] {
        bench.knows(segment, host(last));
    }
    bench.passes(5 * SECOND);
    bench
}

/// Goes on with the plan as it is changed here.
fn replanned(bench: &mut Bench, before: &Plan, change: impl FnOnce(&mut Plan)) -> (Plan, Log) {
    let mut next = before.clone();
    change(&mut next);
    let next = before.succeeded_by(&next).expect("in place").plan;
    let log = bench.give(Fact::Replanned { plan: Box::new(next.clone()) });
    (next, log)
}

fn known(bench: &Bench) -> Vec<(u8, String, u64)> {
    let rows = bench.ledger.host_views(bench.now).into_iter();
    rows.map(|row| (row.address.octets()[3], row.segment.to_string(), row.age_seconds)).collect()
}

fn without_b(plan: &mut Plan) {
    plan.segments.remove(1);
}

#[test]
fn the_same_plan_changes_nothing() {
    let mut bench = populated();
    let before = known(&bench);
    let (_, log) = replanned(&mut bench, &plan(3), |_| {});
    assert!(log.is_empty(), "{log:?}");
    assert_eq!(known(&bench), before);
}

#[test]
fn a_removed_segment_takes_its_hosts_along_and_nothing_else() {
    let mut bench = populated();
    let (_, log) = replanned(&mut bench, &plan(3), without_b);
    assert_eq!(log.routes(), [delete(B, 11)]);
    assert_eq!(log.events(), [Event::HostGone { address: ip(11), lladdr: mac(11), segment: B }]);
    assert!(log.orders().contains(&Order::Sweep { segment: B, active: false }));
    assert_eq!(known(&bench), [(10, "a".into(), 5), (12, "c".into(), 5)]);
    assert_eq!(bench.ledger.segment_views().len(), 2);
    assert!(bench.hears(A, host(10).asks(ip(11))).answers().is_empty());
    assert!(bench.hears(B, host(11).speaks()).is_empty(), "nobody listens there");
    assert_eq!(bench.hears(A, host(10).asks(ip(12))).answers().len(), 1);
}

#[test]
fn an_added_segment_serves_as_soon_as_its_link_is_up() {
    let mut bench = populated();
    let (_, log) =
        replanned(&mut bench, &plan(3), |plan| plan.segments.insert(0, segment('z', &[net("10.0.0.0/24")])));
    assert_eq!(log.orders(), [Order::ReadTable]);
    assert_eq!(known(&bench).len(), 3);
    bench.up(D);
    assert_eq!(bench.hears(D, host(30).speaks()).routes(), [put(D, 30)]);
    assert_eq!(bench.hears(D, host(30).asks(ip(11))).answers().len(), 1);
    assert_eq!(bench.hears(A, host(10).asks(ip(30))).answers().len(), 1);
}

#[test]
fn another_name_is_all_that_changes_with_it() {
    let mut bench = populated();
    let (_, log) = replanned(&mut bench, &plan(3), |plan| {
        plan.segments[1].name = "upstairs".to_owned();
        plan.domains[0].name = "office".to_owned();
    });
    assert!(log.is_empty(), "{log:?}");
    assert_eq!(known(&bench)[1], (11, "upstairs".into(), 5));
    assert_eq!(bench.ledger.host_views(bench.now)[1].domain.to_string(), "office");
}

#[test]
fn hosts_outside_of_narrower_prefixes_are_given_up_and_the_others_stay() {
    let mut bench = populated();
    let narrow = |plan: &mut Plan| plan.segments[0].addresses.prefixes = vec![net("10.0.0.64/26")];
    let (next, log) = replanned(&mut bench, &plan(3), narrow);
    assert_eq!(log.routes(), [delete(A, 10)]);
    assert!(log.orders().contains(&Order::Sweep { segment: A, active: true }));
    let (_, log) = replanned(&mut bench, &next, |plan| {
        plan.segments[0].addresses.prefixes = vec![net("10.0.0.0/24")];
    });
    assert!(log.routes().is_empty());
    assert_eq!(bench.hears(A, host(10).speaks()).routes(), [put(A, 10)]);
}

#[test]
fn covering_routes_follow_the_prefixes() {
    let mut bench = populated();
    let (next, log) = replanned(&mut bench, &plan(3), |plan| {
        let prefixes = vec![net("10.0.0.0/24"), net("10.5.0.0/24")];
        plan.domains[0].prefixes.clone_from(&prefixes);
        plan.segments[0].addresses.prefixes = prefixes;
    });
    let covers = |log: &Log| -> Vec<Order> {
        let is_cover =
            |order: &Order| matches!(order, Order::Write(Write::PutCover { .. } | Write::DeleteCover { .. }));
        log.orders().into_iter().filter(is_cover).collect()
    };
    assert_eq!(covers(&log), [Order::Write(Write::PutCover { prefix: net("10.5.0.0/24") })]);
    assert!(log.routes().is_empty());
    assert_eq!(bench.hears(A, host(10).at([10, 5, 0, 9].into()).speaks()).routes().len(), 1);
    let (_, log) = replanned(&mut bench, &next, |plan| {
        plan.domains[0].prefixes.pop();
        plan.segments[0].addresses.prefixes.pop();
    });
    assert_eq!(covers(&log), [Order::Write(Write::DeleteCover { prefix: net("10.5.0.0/24") })]);
    assert_eq!(log.routes().len(), 1, "{:?}", log.routes());
    assert_eq!(known(&bench).len(), 3);
}

#[test]
fn a_domain_goes_with_all_that_is_its_and_another_comes() {
    let mut bench = populated();
    let (next, _) = replanned(&mut bench, &plan(3), |plan| {
        let mut other = plan.domains[0].clone();
        (other.name, other.prefixes) = ("lab".to_owned(), vec![net("10.7.0.0/24")]);
        plan.domains.push(other);
        let mut more = segment('d', &[net("10.7.0.0/24")]);
        more.domain = DomainId(1);
        plan.segments.push(more);
    });
    let log = bench.up(D);
    assert!(log.orders().contains(&Order::Write(Write::PutCover { prefix: net("10.7.0.0/24") })));
    let (_, log) = replanned(&mut bench, &next, |plan| {
        plan.domains.remove(0);
        plan.segments = vec![crate::plan::SegmentPlan { domain: DomainId(0), ..plan.segments[3].clone() }];
    });
    assert_eq!(log.routes(), [delete(A, 10), delete(B, 11), delete(C, 12)]);
    assert!(log.orders().contains(&Order::Write(Write::DeleteCover { prefix: net("10.0.0.0/24") })));
    assert_eq!(bench.ledger.status_view().domains, 1);
}

#[test]
fn an_answer_mode_counts_from_the_next_request_on() {
    let mut bench = populated();
    let (next, log) = replanned(&mut bench, &plan(3), |plan| plan.segments[0].answer = AnswerMode::Off);
    assert!(log.is_empty(), "{log:?}");
    assert!(bench.hears(A, host(10).asks(ip(11))).answers().is_empty());
    assert_eq!(bench.hears(B, host(11).asks(ip(10))).answers().len(), 1);
    replanned(&mut bench, &next, |plan| plan.segments[0].answer = AnswerMode::Live);
    assert_eq!(bench.hears(A, host(10).asks(ip(11))).answers().len(), 1);
}

#[test]
fn the_kernels_entries_come_and_go_with_their_mode() {
    let mut bench = populated();
    let (next, log) = replanned(&mut bench, &plan(3), |plan| {
        (plan.segments[0].answer, plan.segments[0].kernel.proxy) = (AnswerMode::Kernel, KernelProxy::Entries);
    });
    assert_eq!(log.entries(), [(A, ip(11), true), (A, ip(12), true)]);
    assert_eq!(bench.hears(B, host(40).speaks()).entries(), [(A, ip(40), true)]);
    let (_, log) = replanned(&mut bench, &next, |plan| plan.segments[0].answer = AnswerMode::Live);
    assert_eq!(log.entries(), [(A, ip(11), false), (A, ip(12), false), (A, ip(40), false)]);
    assert!(log.routes().is_empty());
}

#[test]
fn a_pin_gives_up_whoever_has_its_address_elsewhere() {
    let mut bench = populated();
    let (next, log) = replanned(&mut bench, &plan(3), |plan| {
        plan.segments[0].addresses.pins = [(ip(10), mac(10)), (ip(11), mac(11))].into();
    });
    assert_eq!(log.routes(), [delete(B, 11)], "the one that is where it is pinned stays");
    assert!(bench.hears(B, host(11).speaks()).routes().is_empty());
    replanned(&mut bench, &next, |plan| plan.segments[0].addresses.pins.clear());
    assert_eq!(bench.hears(B, host(11).speaks()).routes(), [put(B, 11)]);
}

#[test]
fn static_hosts_come_change_and_go() {
    let mut bench = populated();
    let (next, log) = replanned(&mut bench, &plan(3), |plan| {
        plan.segments[1].addresses.hosts = [(ip(50), mac(50)), (ip(10), mac(10))].into();
    });
    assert_eq!(log.routes(), [put(B, 50), replace(B, 10)].into_iter().rev().collect::<Vec<_>>());
    let (next, log) = replanned(&mut bench, &next, |plan| {
        plan.segments[1].addresses.hosts = [(ip(50), mac(51)), (ip(10), mac(10))].into();
    });
    assert!(log.routes().is_empty());
    assert_eq!(log.neighbours().len(), 1, "{:?}", log.neighbours());
    let (_, log) = replanned(&mut bench, &next, |plan| plan.segments[1].addresses.hosts.clear());
    assert!(log.routes().is_empty());
    let log = bench.passes(8 * SECOND);
    assert!(log.routes().contains(&delete(B, 50)), "it is asked like any other: {:?}", log.routes());
}

#[test]
fn another_source_is_written_into_routes_that_stand() {
    let mut bench = populated();
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1), ip(2)] });
    let (_, log) = replanned(&mut bench, &plan(3), |plan| plan.segments[0].sources = vec![ip(2)]);
    let Order::Write(Write::PutRoute { source, replace, interface: at, .. }) = log.routes()[0] else {
        panic!("a route")
    };
    assert_eq!((source, replace, at), (Some(ip(2)), true, interface(A)));
    assert_eq!(log.routes().len(), 1);
}

#[test]
fn a_shorter_quiet_time_counts_for_hosts_that_are_known() {
    let mut bench = populated();
    replanned(&mut bench, &plan(3), |plan| plan.segments[0].expiry.quiet = 6 * SECOND);
    let log = bench.passes(SECOND * 3 / 2);
    assert_eq!(log.verifications(), [(A, ip(10), Some(mac(10)))]);
}

#[test]
fn a_sweep_begins_anew_only_where_it_is_another() {
    let mut bench = populated();
    let (_, log) = replanned(&mut bench, &plan(3), |plan| {
        plan.segments[1].sweep.as_mut().expect("swept").rate = 9;
        plan.segments[2].limits.hosts = 9;
    });
    assert_eq!(log.orders(), [Order::Sweep { segment: B, active: true }]);
}

#[test]
fn a_plan_that_cannot_follow_is_ignored() {
    let mut bench = populated();
    let before = known(&bench);
    for next in [plan(2), plan(1), Plan { routes: crate::plan::RoutePlan::default(), ..plan(4) }] {
        let mut wrong = next;
        wrong.routes.metric = 7;
        assert!(bench.give(Fact::Replanned { plan: Box::new(wrong) }).is_empty());
    }
    let mut astray = plan(3);
    astray.segments[2].domain = DomainId(5);
    assert!(bench.give(Fact::Replanned { plan: Box::new(astray) }).is_empty());
    assert_eq!(known(&bench), before);
}

#[test]
fn an_interface_that_serves_another_domain_begins_there() {
    let mut bench = populated();
    replanned(&mut bench, &plan(3), without_b);
    assert!(bench.links(B, Some(link(B))).is_empty(), "news of the old number mean nothing any more");
}
