//! Domains whose prefixes are those of their interfaces' addresses (`prefixes: auto`).

use std::net::Ipv4Addr;
use std::time::Duration;

use super::bench::{A, B, Bench, SECOND, host, ip, link, mac, ms, net, plan};
use super::log::{Log, delete, put_with_source};
use crate::event::DownReason;
use crate::fact::{Ineligible, Link};
use crate::ledger::domains::{HELD, SETTLED};
use crate::order::Order;
use crate::plan::Plan;
use crate::{Event, Fact, SegmentId, Write};

pub(super) const THERE: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 9);

/// One domain that follows its interfaces, a and b.
pub(super) fn auto() -> Plan {
    let mut plan = plan(2);
    follow(&mut plan);
    plan
}

pub(super) fn follow(plan: &mut Plan) {
    for domain in &mut plan.domains {
        (domain.prefixes, domain.auto) = (Vec::new(), true);
    }
    plan.segments.iter_mut().for_each(|segment| segment.addresses.prefixes.clear());
}

/// The links are there, without addresses, and the table was read.
pub(super) fn waiting(plan: Plan) -> Bench {
    let segments = 0..u16::try_from(plan.segments.len()).expect("few segments");
    let mut bench = Bench::cold(plan);
    bench.give(Fact::TableRead { routes: Vec::new() });
    for segment in segments.map(SegmentId) {
        addressed(&mut bench, segment, &[]);
    }
    bench
}

/// In `10.0.0.0/24`, as of b's address.
fn at_home() -> Bench {
    let mut bench = waiting(auto());
    own(&mut bench, &["10.0.0.1"]);
    addressed(&mut bench, B, &["10.0.0.1/24"]);
    bench.passes(SETTLED);
    bench.knows(A, host(9));
    bench
}

pub(super) fn addressed(bench: &mut Bench, segment: SegmentId, addresses: &[&str]) -> Log {
    let addresses = addresses.iter().map(|text| net(text)).collect();
    bench.links(segment, Some(Link { addresses, ..link(segment) }))
}

pub(super) fn own(bench: &mut Bench, addresses: &[&str]) -> Log {
    let addresses = addresses.iter().map(|text| text.parse().expect("an address")).collect();
    bench.give(Fact::AddressesChanged { addresses })
}

/// Another lease: the address goes, and one of another network comes.
fn travels(bench: &mut Bench) -> Log {
    let mut log = own(bench, &[]);
    log.append(addressed(bench, B, &[]));
    bench.now = bench.now + ms(700);
    log.append(own(bench, &["192.168.7.5"]));
    log.append(addressed(bench, B, &["192.168.7.5/24"]));
    log
}

pub(super) fn prefixes(bench: &Bench, segment: SegmentId) -> Vec<String> {
    let view = bench.ledger.segment_views().remove(segment.index());
    view.subnet.prefixes.iter().map(ToString::to_string).collect()
}

pub(super) fn state(bench: &Bench, segment: SegmentId) -> String {
    bench.ledger.segment_views().remove(segment.index()).state.into_owned()
}

fn covers(log: &Log) -> Vec<(String, bool)> {
    let cover = |order: Order| match order {
        Order::Write(Write::PutCover { prefix }) => Some((prefix.to_string(), true)),
        Order::Write(Write::DeleteCover { prefix }) => Some((prefix.to_string(), false)),
        _ => None,
    };
    log.orders().into_iter().filter_map(cover).collect()
}

fn changes(log: &Log) -> Vec<(String, String)> {
    let change = |event| match event {
        Event::PrefixChanged { old_prefixes, prefixes, .. } => {
            Some((old_prefixes.to_string(), prefixes.to_string()))
        }
        _ => None,
    };
    log.events().into_iter().filter_map(change).collect()
}

#[test]
fn segments_wait_for_an_address_and_say_so() {
    let mut bench = waiting(auto());
    assert!([A, B].iter().all(|segment| state(&bench, *segment) == "waiting_for_address"));
    assert!(bench.hears(A, host(9).speaks()).is_empty());
    let mut log = own(&mut bench, &["10.0.0.1"]);
    log.append(addressed(&mut bench, B, &["10.0.0.1/24"]));
    let ups = log.events().iter().filter(|event| matches!(event, Event::SegmentUp { .. })).count();
    assert_eq!((ups, covers(&log)), (2, vec![("10.0.0.0/24".into(), true)]));
    assert_eq!(
        (prefixes(&bench, A), prefixes(&bench, B)),
        (vec!["10.0.0.0/24".into()], vec!["10.0.0.0/24".into()])
    );
    assert_eq!(changes(&bench.passes(60 * SECOND)), [], "it is the first");
    assert_eq!(bench.hears(A, host(9).speaks()).routes().len(), 1);
}

#[test]
fn another_network_is_followed_and_what_was_in_the_old_one_withdrawn() {
    let mut bench = at_home();
    bench.knows(B, host(20));
    let log = travels(&mut bench);
    assert_eq!(log.routes().iter().filter(|order| **order == delete(A, 9)).count(), 1);
    assert!(log.routes().contains(&delete(B, 20)));
    assert_eq!(covers(&log), [("10.0.0.0/24".into(), false), ("192.168.7.0/24".into(), true)]);
    for segment in [A, B] {
        assert!(log.orders().contains(&Order::Sweep { segment, active: true }));
        assert_eq!(prefixes(&bench, segment), ["192.168.7.0/24"]);
        let context = bench.ledger.sweep_context(segment).expect("it is up");
        assert_eq!(
            (context.prefixes, context.senders),
            (vec![net("192.168.7.0/24")], vec![[192, 168, 7, 5].into()])
        );
    }
    assert!(bench.ledger.host_views(bench.now).is_empty());
    let later = bench.passes(60 * SECOND);
    assert_eq!(changes(&later), [("10.0.0.0/24".into(), "192.168.7.0/24".into())], "one event");
    assert_eq!(changes(&log), []);
    assert!(bench.hears(A, host(9).speaks()).is_empty(), "nobody of the old network is learned");
    let there = host(9).at(THERE);
    assert_eq!(bench.hears(A, there.speaks()).routes(), [put_with_source(A, THERE, [192, 168, 7, 5].into())]);
    assert_eq!(bench.hears(B, host(30).at([192, 168, 7, 30].into()).asks(THERE)).answers().len(), 1);
}

#[test]
fn a_network_that_is_left_at_once_is_a_change_and_interfaces_that_come_one_by_one_are_none() {
    let mut bench = waiting(auto());
    addressed(&mut bench, A, &["172.16.0.1/24"]);
    addressed(&mut bench, B, &["10.0.0.1/24"]);
    let log = travels(&mut bench);
    let later = bench.passes(HELD);
    let old = "10.0.0.0/24,172.16.0.0/24".to_owned();
    assert_eq!(
        (changes(&log), changes(&later)),
        (vec![], vec![(old, "172.16.0.0/24,192.168.7.0/24".into())])
    );
}

#[test]
fn a_renewed_lease_loses_nothing() {
    let mut bench = at_home();
    let mut log = own(&mut bench, &[]);
    log.append(addressed(&mut bench, B, &[]));
    log.append(bench.passes(HELD - SECOND));
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1, "hosts need no address of ours");
    log.append(own(&mut bench, &["10.0.0.1"]));
    log.append(addressed(&mut bench, B, &["10.0.0.1/24"]));
    log.append(bench.passes(HELD));
    assert!(!log.routes().contains(&delete(B, 20)) && covers(&log).is_empty(), "{:?}", log.routes());
    assert_eq!((changes(&log), state(&bench, A)), (vec![], "up".into()));
}

#[test]
fn a_lease_that_is_gone_for_long_takes_the_segments_down() {
    let mut bench = at_home();
    own(&mut bench, &[]);
    addressed(&mut bench, B, &[]);
    assert!(bench.passes(HELD - ms(1)).events().iter().all(|it| !matches!(it, Event::SegmentDown { .. })));
    let log = bench.passes(ms(1));
    let down = |segment| Event::SegmentDown { segment, reason: DownReason::WaitingForAddress };
    assert!(log.events().contains(&down(A)) && log.events().contains(&down(B)));
    assert_eq!((log.routes(), covers(&log)), (vec![delete(A, 9)], vec![("10.0.0.0/24".into(), false)]));
    own(&mut bench, &["10.0.0.1"]);
    let log = addressed(&mut bench, B, &["10.0.0.1/24"]);
    assert_eq!((state(&bench, A), covers(&log)), ("up".into(), vec![("10.0.0.0/24".into(), true)]));
    assert_eq!(changes(&bench.passes(HELD)), [], "it is the network that it was in");
}

/// Some clients take the new address before they give up the old one.
#[test]
fn an_address_that_comes_before_the_old_one_goes_makes_one_change() {
    let mut bench = at_home();
    own(&mut bench, &["10.0.0.1", "192.168.7.5"]);
    addressed(&mut bench, B, &["10.0.0.1/24", "192.168.7.5/24"]);
    assert_eq!(prefixes(&bench, A), ["10.0.0.0/24", "192.168.7.0/24"]);
    own(&mut bench, &["192.168.7.5"]);
    addressed(&mut bench, B, &["192.168.7.5/24"]);
    assert_eq!(prefixes(&bench, A), ["192.168.7.0/24"], "nothing is held: the interface has another");
    assert_eq!(changes(&bench.passes(HELD)), [("10.0.0.0/24".into(), "192.168.7.0/24".into())]);
}

#[test]
fn the_prefixes_are_those_of_all_interfaces() {
    let mut bench = at_home();
    addressed(&mut bench, A, &["172.16.0.1/16", "10.0.0.65/28", "10.0.0.7/32"]);
    assert_eq!(prefixes(&bench, B), ["10.0.0.0/24", "172.16.0.0/16"], "the /28 lies in the /24");
    bench.links(A, None);
    assert_eq!(prefixes(&bench, B), ["10.0.0.0/24", "172.16.0.0/16"], "held");
    bench.passes(HELD);
    assert_eq!(prefixes(&bench, B), ["10.0.0.0/24"]);
    let log = addressed(&mut bench, B, &["192.168.7.5/24"]);
    assert_eq!(covers(&log), [("10.0.0.0/24".into(), false), ("192.168.7.0/24".into(), true)]);
}

/// What is held on one interface is of the network that the machine has left.
#[test]
fn another_network_on_one_interface_ends_what_is_held_on_the_other() {
    let mut bench = at_home();
    addressed(&mut bench, A, &["10.0.0.2/24"]);
    addressed(&mut bench, A, &[]);
    addressed(&mut bench, B, &["192.168.7.5/24"]);
    assert_eq!(prefixes(&bench, A), ["192.168.7.0/24"]);
}

#[test]
fn addresses_without_a_subnet_to_join_give_no_prefix() {
    let mut plan = auto();
    plan.segments[0].addresses.never = vec![net("172.16.0.0/24")];
    let mut bench = waiting(plan);
    addressed(
        &mut bench,
        A,
        &["10.0.0.1/32", "169.254.3.4/16", "127.0.0.2/8", "172.16.0.1/24", "10.0.0.1/7"],
    );
    assert_eq!(state(&bench, A), "waiting_for_address");
    let port = Link { addresses: vec![net("10.0.0.1/24")], ineligible: Some(Ineligible::Port), ..link(B) };
    bench.links(B, Some(port));
    assert_eq!(state(&bench, A), "waiting_for_address", "a port's packets are its bridge's");
    addressed(&mut bench, B, &["172.16.0.1/24"]);
    assert_eq!(state(&bench, A), "up", "it is not among b's `never`");
}

#[test]
fn a_segments_own_prefixes_count_as_far_as_they_lie_in_the_present_ones() {
    let mut plan = auto();
    plan.segments[0].addresses.prefixes = vec![net("10.0.0.64/28"), net("10.9.0.0/24")];
    let mut bench = waiting(plan);
    addressed(&mut bench, B, &["10.0.0.1/24"]);
    assert_eq!(
        (prefixes(&bench, A), prefixes(&bench, B)),
        (vec!["10.0.0.64/28".into()], vec!["10.0.0.0/24".into()])
    );
    assert!(bench.hears(A, host(9).speaks()).routes().is_empty());
    assert_eq!(bench.hears(A, host(66).speaks()).routes().len(), 1);
    assert!(bench.hears(B, host(64).speaks()).routes().is_empty(), "the network address of the /28");
}

#[test]
fn static_hosts_live_while_their_network_is_there() {
    let mut plan = auto();
    plan.segments[0].addresses.hosts = [(ip(9), mac(9))].into();
    let mut bench = waiting(plan);
    own(&mut bench, &["10.0.0.1"]);
    assert_eq!(addressed(&mut bench, B, &["10.0.0.1/24"]).routes().len(), 1);
    assert!(travels(&mut bench).routes().contains(&delete(A, 9)));
    assert!(bench.ledger.host_views(bench.now).is_empty());
    own(&mut bench, &["10.0.0.1"]);
    assert_eq!(addressed(&mut bench, B, &["10.0.0.1/24"]).routes().len(), 1);
}

#[test]
fn sources_of_another_network_are_not_used() {
    let mut plan = auto();
    plan.segments[0].sources = vec![ip(1), [192, 168, 7, 5].into()];
    let mut bench = waiting(plan);
    own(&mut bench, &["10.0.0.1", "192.168.7.5"]);
    addressed(&mut bench, B, &["192.168.7.5/24"]);
    let source = bench.ledger.segment_views()[0].subnet.source;
    assert_eq!(source, Some([192, 168, 7, 5].into()));
}

#[test]
fn requesters_that_wait_when_the_network_changes_wait_in_vain() {
    let mut bench = at_home();
    assert_eq!(bench.hears(B, host(20).asks(ip(77))).searches().len(), 1);
    travels(&mut bench);
    let log = bench.passes(Duration::from_secs(5));
    assert_eq!(log.searches(), []);
}
