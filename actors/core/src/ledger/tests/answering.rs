//! Who is answered for, on which segment, to whom.

use super::log::put;
use super::log::refused;
use crate::Write;
use std::net::Ipv4Addr;

use super::bench::{A, B, Bench, C, Host, SECOND, foreign_route, host, interface, ip, mac, own_mac, plan};
use crate::arp::{Arp, Frame, Heard, Operation};
use crate::fact::{Fact, KernelRoute};
use crate::order::{Order, Purpose};
use crate::plan::AnswerMode;

#[test]
fn a_host_on_another_segment_is_answered_for_at_once_with_our_own_address_there() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    let arp = Arp {
        operation: Operation::Reply,
        sender_lladdr: own_mac(B),
        sender: ip(9),
        target_lladdr: mac(20),
        target: ip(20),
    };
    let answer = Order::Transmit {
        segment: B,
        frame: Frame { to: Some(mac(20)), from: None, arp },
        purpose: Purpose::Answer,
    };
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).orders(), [answer]);
}

#[test]
fn a_host_on_the_asking_segment_answers_for_itself() {
    let mut bench = Bench::new();
    bench.knows(B, host(9));
    bench.knows(B, host(20));
    assert!(bench.hears(B, host(20).asks(ip(9))).is_empty());
}

#[test]
fn gratuitous_requests_are_never_answered() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    for arp in [host(9).announces(), host(9).announces_in_a_reply()] {
        assert!(bench.hears(A, arp).answers().is_empty());
        assert!(bench.hears(B, arp).answers().is_empty());
        bench.passes(10 * SECOND);
    }
}

#[test]
fn a_host_is_never_told_of_an_address_of_its_own() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let second_address = Host { lladdr: mac(9), ..host(20) };
    bench.knows(B, second_address);
    assert!(bench.hears(B, second_address.asks(ip(9))).answers().is_empty());
    assert_eq!(bench.hears(B, host(21).asks(ip(9))).answers().len(), 1);
}

#[test]
fn the_kernel_answers_for_this_machine_itself() {
    let mut bench = Bench::new();
    assert!(bench.hears(B, host(9).asks(ip(1))).answers().is_empty());
    assert!(bench.passes(10 * SECOND).searches().is_empty());
}

#[test]
fn nothing_is_answered_or_searched_that_no_host_can_have() {
    let mut bench = Bench::new();
    bench.knows(B, host(9));
    for text in
        ["10.0.0.0", "10.0.0.255", "1.1.1.1", "169.254.9.9", "224.0.0.1", "127.0.0.1", "255.255.255.255"]
    {
        let target: Ipv4Addr = text.parse().expect("the test's address is well-formed");
        assert!(bench.hears(B, host(9).asks(target)).is_empty(), "{text}");
    }
    assert!(bench.passes(10 * SECOND).is_empty());
}

#[test]
fn an_requester_from_outside_the_prefixes_is_answered_and_not_learned() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let router = Host { address: Ipv4Addr::new(192, 168, 1, 1), lladdr: mac(99) };
    let log = bench.hears(B, router.asks(ip(9)));
    assert_eq!(log.answers(), [(B, ip(9), mac(99))]);
    assert_eq!(log.orders().len(), 1);
}

#[test]
fn an_requester_behind_a_repeater_is_answered() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let heard = Heard { arp: host(20).asks(ip(9)), from: mac(99), mark: None };
    assert_eq!(bench.give(Fact::Heard { segment: B, heard }).answers(), [(B, ip(9), mac(20))]);
}

#[test]
fn replies_are_not_answered() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    let arp = Arp { operation: Operation::Reply, ..host(20).asks(ip(9)) };
    assert!(bench.hears(B, arp).is_empty());
}

#[test]
fn where_answering_is_off_hosts_are_learned_and_answered_for_elsewhere() {
    let mut plan = plan(2);
    plan.segments[1].answer = AnswerMode::Off;
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    assert!(bench.hears(B, host(20).asks(ip(9))).is_empty());
    assert!(bench.hears(B, host(20).asks(ip(77))).is_empty(), "and nothing is searched for");
    assert_eq!(bench.hears(A, host(9).asks(ip(20))).answers(), [(A, ip(20), mac(9))]);
}

#[test]
fn a_host_that_is_gone_is_not_answered_for_but_searched() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(60 * SECOND);
    let log = bench.hears(B, host(20).asks(ip(9)));
    assert!(log.answers().is_empty());
    assert_eq!(log.searches(), [(A, ip(9)), (C, ip(9))]);
}

#[test]
fn a_host_that_somebody_elses_route_leads_away_from_is_not_answered_for() {
    let mut bench = Bench::new();
    bench.give(Fact::RouteAppeared(foreign_route(9)));
    bench.knows(A, host(9));
    assert!(bench.hears(B, host(20).asks(ip(9))).answers().is_empty());
}

#[test]
fn a_host_that_somebody_elses_route_leads_to_is_answered_for() {
    let mut bench = Bench::new();
    bench.give(Fact::RouteAppeared(KernelRoute { interface: interface(A), ..foreign_route(9) }));
    bench.knows(A, host(9));
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers(), [(B, ip(9), mac(20))]);
}

#[test]
fn nobody_is_answered_while_the_kernel_refuses_the_route() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.give(refused(&put(A, 9), 105));
    assert!(bench.hears(B, host(20).asks(ip(9))).answers().is_empty());
    assert!(bench.passes(SECOND).answers().is_empty(), "it is written again, and may be refused again");
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
}

#[test]
fn a_route_is_ordered_before_anybody_is_told_where_its_host_is() {
    let mut bench = Bench::new();
    bench.hears(B, host(20).asks(ip(9)));
    let orders = bench.hears(A, host(9).replies()).orders();
    let route = orders.iter().position(|order| matches!(order, Order::Write(Write::PutRoute { .. })));
    let answer = orders.iter().position(|order| matches!(order, Order::Transmit { .. }));
    assert!(route.expect("a route") < answer.expect("an answer"), "{orders:?}");
}
