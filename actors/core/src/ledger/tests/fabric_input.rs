//! Routes of a fabric that are wrong, double, preferred to ours, or very many; and what an earlier run left.

use super::bench::{A, B, Bench, FOREIGN, METRIC, SECOND, host, ip, mac, ms, our_route, plan};
use super::fabric::{
    BGP, NEXT, THEIRS, announced, answer, appears, bench, came, fabric_plan, left, probes, remote, row,
};
use super::log::{Log, delete, put};
use crate::Event;
use crate::event::FabricFault;
use crate::fact::{Fact, KernelRoute};
use crate::order::Order;

#[test]
fn a_route_to_an_address_of_ours_is_reported_and_stands_for_nobody() {
    let mut bench = bench();
    let log = appears(&mut bench, 1);
    let ignored = |address, reason| Event::FabricRouteIgnored {
        address,
        protocol: BGP,
        metric: THEIRS,
        next_hop: Some(NEXT),
        reason,
    };
    assert_eq!(log.events(), [ignored(ip(1), FabricFault::OwnAddress)]);
    assert_eq!(row(&bench, 1), None);
    assert_eq!(answer(&bench.hears(A, host(20).asks(ip(1)))), None);
    assert!(appears(&mut bench, 1).is_empty(), "once");
}

#[test]
fn a_route_to_a_static_or_pinned_host_is_reported_and_changes_nothing() {
    let mut plan = fabric_plan();
    plan.segments[0].addresses.hosts.insert(ip(9), mac(9));
    plan.segments[1].addresses.pins.insert(ip(10), mac(10));
    let mut bench = Bench::with(plan);
    let reported = |log: &Log| {
        matches!(log.events()[..], [Event::FabricRouteIgnored { reason: FabricFault::Pinned, .. }])
    };
    assert!(reported(&appears(&mut bench, 9)));
    bench.passes(11 * SECOND);
    assert!(reported(&appears(&mut bench, 10)));
    let log = bench.passes(60 * SECOND);
    assert!(log.events().is_empty() && log.routes().is_empty(), "the static host keeps its route");
    assert_eq!(row(&bench, 9).expect("a row").state, "alive");
    assert_eq!(row(&bench, 10), None);
    assert!(bench.hears(B, host(10).speaks()).routes() == [put(B, 10)], "the pinned one is learned at once");
}

#[test]
fn a_route_outside_of_the_prefixes_concerns_nobody() {
    let mut bench = bench();
    let outside = KernelRoute { address: [10, 9, 9, 9].into(), ..remote(9) };
    assert!(bench.give(Fact::RouteAppeared(outside)).is_empty());
    assert_eq!(bench.ledger.status_view().missing.remote_hosts, 0);
}

#[test]
fn of_two_routes_with_one_metric_the_table_tells_which_stand() {
    let mut bench = bench();
    let other = KernelRoute { next_hop: Some([10, 79, 0, 3].into()), ..remote(9) };
    appears(&mut bench, 9);
    bench.passes(2 * SECOND);
    let log = bench.give(Fact::RouteAppeared(other));
    assert!(log.orders().iter().any(|order| matches!(order, Order::ReadTable)), "replaced, or beside it?");
    bench.give(Fact::TableRead { routes: vec![remote(9), other] });
    assert_eq!(row(&bench, 9).expect("a row").next_hop, Some(NEXT), "the kernel uses the first");
    bench.give(Fact::RouteVanished(remote(9)));
    assert_eq!(row(&bench, 9).expect("a row").next_hop, other.next_hop);
    bench.give(Fact::RouteVanished(other));
    assert_eq!(row(&bench, 9), None);
}

#[test]
fn a_route_that_is_preferred_to_ours_keeps_it_away_and_is_reported() {
    for metric in [0, METRIC] {
        let mut bench = bench();
        bench.give(Fact::RouteAppeared(KernelRoute { metric, ..remote(9) }));
        assert_eq!(row(&bench, 9).expect("a row").state, "remote");
        bench.hears(A, host(9).speaks());
        let log = bench.hears(A, host(9).replies());
        assert!(log.events().iter().any(|event| matches!(event, Event::RouteConflict { protocol: BGP, .. })));
        assert!(log.routes().is_empty());
    }
}

#[test]
fn in_a_table_of_its_own_any_metric_will_do() {
    let mut plan = fabric_plan();
    plan.routes.fabric_table = Some(200);
    let mut bench = Bench::with(plan);
    let theirs = KernelRoute { metric: 0, in_fabric_table: true, ..remote(9) };
    bench.give(Fact::RouteAppeared(theirs));
    bench.hears(A, host(9).speaks());
    let log = bench.hears(A, host(9).replies());
    assert_eq!((log.events(), log.routes()), (vec![came(9, A)], vec![put(A, 9)]));
    let strays = [FOREIGN, super::bench::PROTOCOL].map(|protocol| KernelRoute { protocol, ..theirs });
    for stray in strays {
        assert!(
            bench.give(Fact::RouteAppeared(stray)).is_empty(),
            "others' routes there are not ours to respect"
        );
        assert!(bench.give(Fact::RouteVanished(stray)).is_empty());
    }
    assert!(
        bench.give(Fact::TableRead { routes: vec![our_route(A, 9), theirs, strays[1]] }).routes().is_empty()
    );
}

#[test]
fn a_hundred_thousand_routes_come_and_go_without_a_frame_or_an_event() {
    let mut plan = fabric_plan();
    plan.domains[0].prefixes = vec![super::bench::net("10.0.0.0/8")];
    plan.segments.iter_mut().for_each(|it| it.addresses.prefixes = vec![super::bench::net("10.0.0.0/8")]);
    let mut bench = Bench::with(plan);
    let route = |number: u32| KernelRoute { address: (0x0a10_0000 + number).into(), ..remote(9) };
    for number in 0..100_000 {
        assert!(bench.give(Fact::RouteAppeared(route(number))).is_empty());
    }
    assert_eq!(bench.ledger.status_view().missing.remote_hosts, 100_000);
    for number in 0..100_000 {
        assert!(bench.give(Fact::RouteVanished(route(number))).is_empty());
    }
    assert_eq!(bench.ledger.status_view().missing.remote_hosts, 0);
    assert!(bench.passes(60 * SECOND).is_empty());
}

#[test]
fn a_session_that_flaps_every_second_costs_no_event_and_at_most_a_probe_a_flap() {
    let mut bench = bench();
    bench.knows(A, host(9));
    let mut asked = 0;
    for _ in 0..60 {
        for last in 9..40 {
            let mut log = appears(&mut bench, last);
            if !probes(&log).is_empty() {
                log.append(bench.hears(A, host(9).replies()));
            }
            assert!(log.events().is_empty() && log.routes().is_empty() && announced(&log).is_empty());
            asked += probes(&log).len();
        }
        bench.passes(ms(500));
        (9..40).for_each(|last| assert!(bench.give(Fact::RouteVanished(remote(last))).is_empty()));
        bench.passes(ms(500));
    }
    assert!((1..=60).contains(&asked), "{asked} probes");
}

#[test]
fn many_hosts_at_once_are_asked_at_the_segments_pace() {
    let mut bench = bench();
    (10..250).for_each(|last| bench.knows(A, host(last)));
    bench.passes(2 * SECOND);
    let mut log = Log::default();
    for last in 10..250 {
        log.append(appears(&mut bench, last));
    }
    let at_once = probes(&log).len();
    // Three quarters of the default sweep's 500 a second, with a tenth of a second's worth at once.
    assert!(at_once <= 40, "{at_once} probes at once");
    let rest = bench.passes(2 * SECOND);
    let moved = rest.events().iter().filter(|event| matches!(event, Event::HostMoved { .. })).count();
    assert_eq!(moved, 240, "and all have left two seconds later");
}

#[test]
fn what_an_earlier_run_left_is_adopted_beside_the_route_and_asked() {
    let mut bench = Bench::cold(fabric_plan());
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
    let mut log = bench.give(Fact::TableRead { routes: vec![our_route(A, 9), remote(9), remote(10)] });
    log.append(bench.up(A));
    assert!(!log.routes().contains(&delete(A, 9)), "it stays");
    assert!(log.events().iter().any(|event| matches!(event, Event::RouteAdopted { .. })));
    log.append(bench.passes(10 * SECOND));
    assert!(log.events().contains(&left(9, A)), "{:?}", log.events());
    assert_eq!(row(&bench, 10).expect("a row").state, "remote");
}

#[test]
fn other_protocols_after_a_reload_have_the_table_read_again() {
    let mut bench = bench();
    appears(&mut bench, 9);
    let log = bench.give(Fact::Replanned { plan: Box::new(plan(3)) });
    assert!(log.orders().iter().any(|order| matches!(order, Order::ReadTable)));
    bench.give(Fact::TableRead { routes: vec![remote(9)] });
    assert_eq!(row(&bench, 9), None);
    assert!(
        bench.hears(A, host(9).speaks()).events().iter().any(|it| matches!(it, Event::RouteConflict { .. }))
    );
}
