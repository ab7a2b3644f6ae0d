//! Packets for hosts that nobody asked for: held, searched for, settled.

use super::bench::{A, B, Bench, SECOND, foreign_route, host, interface, ip, ms, net, plan};
use super::log::Log;
use crate::fact::Fact;
use crate::order::Order;
use crate::plan::{AnswerMode, Cover};
use crate::write::Write;

const DEVICE: u32 = 77;

fn bench() -> Bench {
    let mut plan = plan(3);
    plan.domains[0].cover = Cover::Search;
    let mut bench = Bench::with(plan);
    bench.give(Fact::CoverDeviceChanged { interface: Some(DEVICE) });
    bench
}

fn held(bench: &mut Bench, last: u8) -> Log {
    bench.give(Fact::PacketHeld { target: ip(last) })
}

/// What became of held packets, in order.
fn settled(log: &Log) -> Vec<(u8, Option<u32>)> {
    let settled = log.orders().into_iter().filter_map(|order| match order {
        Order::SettlePackets { target, forward } => Some((target.octets()[3], forward)),
        _ => None,
    });
    settled.collect()
}

#[test]
fn the_prefix_is_routed_into_the_device_and_the_refusal_stands_behind_it() {
    let mut plan = plan(1);
    plan.domains[0].cover = Cover::Search;
    let mut bench = Bench::with(plan);
    let prefix = net("10.0.0.0/24");
    let log = bench.give(Fact::CoverDeviceChanged { interface: Some(DEVICE) });
    assert_eq!(
        log.orders(),
        [Order::Write(Write::PutSearchRoute { interface: DEVICE, prefix, source: Some(ip(1)) })]
    );
    let log = bench.give(Fact::CoverVanished { prefix });
    let both = [
        Write::PutCover { prefix },
        Write::PutSearchRoute { interface: DEVICE, prefix, source: Some(ip(1)) },
    ];
    assert_eq!(log.orders(), both.map(Order::Write));
    let log = bench.give(Fact::Stopped { purge: true });
    let both = [Write::DeleteSearchRoute { interface: DEVICE, prefix }, Write::DeleteCover { prefix }];
    assert_eq!(log.orders(), both.map(Order::Write));
}

#[test]
fn another_source_is_that_of_the_route_into_the_device_too() {
    let mut bench = bench();
    let log = bench.give(Fact::AddressesChanged { addresses: vec![ip(2)] });
    let prefix = net("10.0.0.0/24");
    let put = Write::PutSearchRoute { interface: DEVICE, prefix, source: Some(ip(2)) };
    assert!(log.orders().contains(&Order::Write(put)), "{:?}", log.orders());
}

#[test]
fn by_default_nothing_is_routed_into_the_device() {
    let mut bench = Bench::new();
    assert!(bench.give(Fact::CoverDeviceChanged { interface: Some(DEVICE) }).is_empty());
}

#[test]
fn the_target_is_searched_for_everywhere_and_its_packets_follow_its_route() {
    let mut bench = bench();
    assert_eq!(held(&mut bench, 9).searches().len(), 3, "one request on each segment");
    let log = bench.hears(B, host(9).replies());
    let put = log.orders().iter().position(|order| matches!(order, Order::Write(Write::PutRoute { .. })));
    let go = log.orders().iter().position(|order| matches!(order, Order::SettlePackets { .. }));
    assert!(put.is_some() && put < go, "{:?}", log.orders());
    assert_eq!(settled(&log), [(9, Some(interface(B)))], "by its own link");
    assert!(bench.passes(5 * SECOND).searches().is_empty(), "nothing is searched for any more");
}

#[test]
fn who_does_not_answer_within_a_second_is_refused_after_more_than_one_search() {
    let mut bench = bench();
    let first = held(&mut bench, 9).searches().len();
    let early = bench.passes(ms(999));
    assert_eq!((first, early.searches().len(), settled(&early)), (3, 6, vec![]));
    assert_eq!(settled(&bench.passes(ms(1))), [(9, None)]);
    assert!(bench.passes(10 * SECOND).is_empty());
}

#[test]
fn what_is_routed_or_nobodys_is_settled_at_once() {
    let mut bench = bench();
    bench.knows(A, host(9));
    assert_eq!(
        settled(&held(&mut bench, 9)),
        [(9, Some(interface(A)))],
        "its route was written a moment ago"
    );
    for last in [0, 1, 255] {
        let log = held(&mut bench, last);
        assert_eq!((settled(&log), log.orders().len()), (vec![(last, None)], 1), "{last}");
    }
    let outside = bench.give(Fact::PacketHeld { target: "10.1.0.9".parse().expect("an address") });
    assert_eq!(outside.orders().len(), 1);
}

#[test]
fn a_host_whose_route_does_not_stand_gets_no_packets() {
    let mut bench = bench();
    bench.give(Fact::RouteAppeared(foreign_route(9)));
    held(&mut bench, 9);
    assert_eq!(settled(&bench.hears(A, host(9).replies())), []);
    assert_eq!(settled(&bench.passes(2 * SECOND)), [(9, None)]);
}

#[test]
fn no_more_targets_are_sought_than_there_is_room_for() {
    let mut plan = plan(1);
    plan.domains[0].prefixes = vec![net("10.0.0.0/16")];
    plan.segments[0].addresses.prefixes = vec![net("10.0.0.0/16")];
    plan.domains[0].cover = Cover::Search;
    let mut bench = Bench::with(plan);
    let mut refused = 0;
    for number in 0..2000_u32 {
        let target = std::net::Ipv4Addr::from_bits(0x0a00_1000 + number);
        refused += settled(&bench.give(Fact::PacketHeld { target })).len();
    }
    assert_eq!(refused, 2000 - 1024);
}

#[test]
fn a_route_into_the_device_is_no_reason_to_answer() {
    let mut plan = plan(2);
    plan.domains[0].cover = Cover::Search;
    plan.segments[0].answer = AnswerMode::Routed;
    let mut bench = Bench::with(plan);
    bench.give(Fact::CoverDeviceChanged { interface: Some(DEVICE) });
    let log = bench.hears(A, host(20).asks(ip(9)));
    let request = log.orders().iter().find_map(|order| match order {
        Order::LookUpRoute { request, .. } => Some(*request),
        _ => None,
    });
    let request = request.expect("a route is looked up");
    let log = bench.give(Fact::RouteLookedUp { request, interface: Some(DEVICE) });
    assert!(log.answers().is_empty() && !log.searches().is_empty(), "{:?}", log.orders());
}
