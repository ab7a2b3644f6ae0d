//! Domains whose prefixes follow addresses, at the start and beside one another.

use super::auto_prefixes::{THERE, addressed, auto, follow, own, prefixes, state, waiting};
use super::bench::{A, B, Bench, C, host, ip, our_route, plan};
use crate::event::DownReason;
use crate::fact::KernelRoute;
use crate::ledger::domains::{HELD, SETTLED};
use crate::order::Order;
use crate::plan::{DomainId, DomainPlan};
use crate::{Event, Fact, SegmentId, Write};

const D: SegmentId = SegmentId(3);

/// Routes of an earlier run are read before the first link is reported.
#[test]
fn routes_of_an_earlier_run_wait_for_their_prefix() {
    let mut bench = Bench::cold(auto());
    let stray = KernelRoute { address: THERE, ..our_route(A, 9) };
    let routes = vec![our_route(A, 9), stray];
    assert!(bench.give(Fact::TableRead { routes: routes.clone() }).routes().is_empty());
    own(&mut bench, &["10.0.0.1"]);
    addressed(&mut bench, A, &[]);
    let log = addressed(&mut bench, B, &["10.0.0.1/24"]);
    assert!(log.orders().contains(&Order::ReadTable));
    let log = bench.give(Fact::TableRead { routes: routes.clone() });
    assert_eq!(log.events(), [Event::RouteAdopted { address: ip(9), segment: A }]);
    assert!(log.routes().iter().all(|order| !matches!(order, Order::Write(Write::DeleteStray(_)))));
    assert!(bench.passes(SETTLED).orders().contains(&Order::ReadTable));
    let log = bench.give(Fact::TableRead { routes });
    assert_eq!(log.routes(), [Order::Write(Write::DeleteStray(stray))], "no other prefix came");
}

#[test]
fn routes_of_an_earlier_run_do_not_wait_for_ever() {
    let mut bench = Bench::cold(auto());
    let routes = vec![our_route(A, 9)];
    bench.give(Fact::TableRead { routes: routes.clone() });
    addressed(&mut bench, A, &[]);
    assert!(bench.passes(HELD).orders().contains(&Order::ReadTable));
    assert_eq!(bench.give(Fact::TableRead { routes }).routes().len(), 1);
}

/// Two domains that follow their interfaces: a and b, c and d.
fn two() -> Bench {
    let mut plan = plan(4);
    plan.domains.push(DomainPlan {
        name: "lab".into(),
        prefixes: Vec::new(),
        auto: true,
        ..DomainPlan::default()
    });
    for segment in &mut plan.segments[2..] {
        segment.domain = DomainId(1);
    }
    follow(&mut plan);
    waiting(plan)
}

#[test]
fn of_two_domains_that_overlap_the_first_has_the_prefix() {
    for (first, second) in [([A, B], [C, D]), ([C, D], [A, B])] {
        let mut bench = two();
        addressed(&mut bench, first[0], &["10.0.0.1/24"]);
        let log = addressed(&mut bench, second[0], &["10.0.0.65/28", "172.16.0.1/24"]);
        let overlap = |segment| Event::SegmentDown { segment, reason: DownReason::PrefixOverlap };
        assert!(second.iter().all(|segment| log.events().contains(&overlap(*segment))), "{:?}", log.events());
        assert_eq!(prefixes(&bench, second[1]), Vec::<String>::new());
        assert!(bench.hears(second[1], host(66).speaks()).routes().is_empty());
        let log = addressed(&mut bench, first[0], &["192.168.7.5/24"]);
        assert_eq!(log.events().iter().filter(|it| matches!(it, Event::SegmentUp { .. })).count(), 2);
        assert_eq!(prefixes(&bench, second[1]), ["10.0.0.64/28", "172.16.0.0/24"]);
    }
}

#[test]
fn a_configured_domain_keeps_its_prefix_from_one_that_follows() {
    let mut plan = plan(4);
    plan.domains.push(DomainPlan {
        name: "lab".into(),
        prefixes: Vec::new(),
        auto: true,
        ..DomainPlan::default()
    });
    for segment in &mut plan.segments[2..] {
        segment.domain = DomainId(1);
        segment.addresses.prefixes.clear();
    }
    let mut bench = waiting(plan);
    addressed(&mut bench, C, &["10.0.0.1/24"]);
    assert_eq!((state(&bench, A), state(&bench, D)), ("up".into(), "prefix_overlap".into()));
    addressed(&mut bench, C, &["10.0.1.1/24"]);
    assert_eq!(state(&bench, D), "up");
}
