//! Published prefixes: answered for whether or not a host is known.

use super::bench::{A, B, Bench, C, SECOND, host, ip, mac, net, plan};
use crate::plan::{AnswerMode, KernelProxy, Plan};
use crate::{Event, Fact};

/// `10.0.0.64/28` lives on B and is published on A, the rest lives on A.
fn published() -> Plan {
    let mut plan = plan(2);
    plan.segments[0].addresses.publish = vec![net("10.0.0.64/28")];
    plan.segments[1].addresses.prefixes = vec![net("10.0.0.64/28")];
    plan
}

fn used(last: u8) -> Event {
    Event::PublishedAddressUsed { address: ip(last), lladdr: mac(last), segment: A }
}

#[test]
fn an_address_is_answered_for_before_its_host_is_known_and_searched_for() {
    let mut bench = Bench::with(published());
    let log = bench.hears(A, host(20).asks(ip(67)));
    assert_eq!(log.answers(), [(A, ip(67), mac(20))]);
    assert_eq!(log.searches(), [(B, ip(67))]);
    let log = bench.hears(B, host(67).replies());
    assert_eq!(log.routes().len(), 1);
    assert!(log.answers().is_empty(), "it was answered already");
    assert_eq!(bench.hears(A, host(20).asks(ip(67))).answers().len(), 1);
}

#[test]
fn the_edges_of_the_prefix_are_nobodys() {
    let mut bench = Bench::with(published());
    bench.knows(A, host(20));
    for last in [64, 79] {
        assert!(bench.hears(A, host(20).asks(ip(last))).is_empty());
        assert!(bench.hears(A, host(last).speaks()).is_empty());
    }
    assert!(bench.hears(A, host(20).asks(ip(80))).answers().is_empty(), "outside");
}

#[test]
fn a_host_that_uses_one_where_it_is_published_is_reported_and_not_routed() {
    let mut bench = Bench::with(published());
    let log = bench.hears(A, host(70).speaks());
    assert_eq!(log.events(), [used(70)]);
    assert!(log.routes().is_empty());
    assert!(bench.hears(A, host(20).asks(ip(70))).answers().is_empty(), "it answers for itself");
    assert_eq!(bench.hears(A, host(20).asks(ip(71))).answers().len(), 1, "the others are answered for");
}

#[test]
fn once_it_is_gone_its_address_is_answered_for_again() {
    let mut bench = Bench::with(published());
    bench.hears(A, host(70).speaks());
    let log = bench.passes(40 * SECOND);
    assert_eq!(log.verifications(), [(A, ip(70), Some(mac(70))); 3]);
    assert_eq!(bench.hears(A, host(20).asks(ip(70))).answers().len(), 1);
}

#[test]
fn as_long_as_it_answers_it_is_left_alone() {
    let mut bench = Bench::with(published());
    bench.hears(A, host(70).speaks());
    for _ in 0..5 {
        let asked = bench.passes(30 * SECOND).verifications();
        assert_eq!(asked.iter().filter(|(_, address, _)| *address == ip(70)).count(), 1);
        bench.hears(A, host(70).replies());
        assert!(bench.hears(A, host(20).asks(ip(70))).answers().is_empty());
    }
}

#[test]
fn the_host_at_home_keeps_its_address() {
    let mut bench = Bench::with(published());
    bench.knows(B, host(70));
    let log = bench.hears(A, host(70).with_mac(66).announces());
    assert!(matches!(log.events()[..], [Event::PublishedAddressUsed { .. }]));
    assert!(log.routes().is_empty());
    assert_eq!(bench.hears(A, host(20).asks(ip(70))).answers().len(), 1);
}

#[test]
fn never_takes_out_of_what_is_published() {
    let mut plan = published();
    plan.segments[0].addresses.never = vec![net("10.0.0.70/32")];
    let mut bench = Bench::with(plan);
    bench.knows(A, host(20));
    assert!(bench.hears(A, host(20).asks(ip(70))).is_empty());
    assert_eq!(bench.hears(A, host(20).asks(ip(71))).answers().len(), 1);
}

#[test]
fn an_address_of_this_machine_is_the_kernels_to_answer() {
    let mut bench = Bench::with(published());
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1), ip(65)] });
    bench.knows(A, host(20));
    assert!(bench.hears(A, host(20).asks(ip(65))).is_empty());
}

#[test]
fn only_a_live_host_is_defended() {
    let mut bench = Bench::with(published());
    assert!(bench.hears(A, host(70).probes()).answers().is_empty());
    bench.knows(B, host(71));
    bench.hears(A, host(71).with_mac(66).probes());
    assert_eq!(bench.hears(B, host(71).replies()).answers(), [(A, ip(71), mac(66))]);
}

#[test]
fn what_is_never_to_be_is_not_learned_searched_or_answered_there() {
    let mut plan = plan(3);
    plan.segments[0].addresses.never = vec![net("10.0.0.32/27")];
    let mut bench = Bench::with(plan);
    assert!(bench.hears(A, host(33).speaks()).is_empty());
    bench.knows(B, host(34));
    bench.knows(A, host(20));
    assert!(bench.hears(A, host(20).asks(ip(34))).is_empty(), "alive elsewhere, and not to be answered for");
    assert_eq!(bench.hears(B, host(30).asks(ip(35))).searches(), [(C, ip(35))]);
    assert_eq!(bench.hears(B, host(30).asks(ip(9))).searches(), [(A, ip(9)), (C, ip(9))]);
}

/// The same with the kernel as the one who answers, by entries.
fn by_entries() -> Plan {
    let mut plan = published();
    plan.segments[0].answer = AnswerMode::Kernel;
    plan.segments[0].kernel.proxy = KernelProxy::Entries;
    plan.segments[0].addresses.publish = vec![net("10.0.0.64/29")];
    plan
}

fn entries(
    lasts: impl IntoIterator<Item = u8>,
    there: bool,
) -> Vec<(crate::SegmentId, std::net::Ipv4Addr, bool)> {
    lasts.into_iter().map(|last| (A, ip(last), there)).collect()
}

#[test]
fn the_kernel_gets_an_entry_for_each_published_address() {
    let mut bench = Bench::cold(by_entries());
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1), ip(66)] });
    assert_eq!(bench.up(A).entries(), entries([65, 67, 68, 69, 70], true));
    bench.links(A, None);
    assert_eq!(bench.up(A).entries().len(), 5, "they went with the interface");
    let stopped = bench.give(Fact::Stopped { purge: true });
    assert!(stopped.entries().starts_with(&entries([65], false)));
}

#[test]
fn one_for_each_host_alive_elsewhere_for_as_long_as_it_lives() {
    let mut plan = by_entries();
    plan.segments[0].addresses.publish = Vec::new();
    let mut bench = Bench::with(plan);
    assert_eq!(bench.hears(B, host(68).speaks()).entries(), entries([68], true));
    assert!(bench.hears(A, host(20).speaks()).entries().iter().all(|(_, _, there)| !there));
    assert_eq!(bench.passes(60 * SECOND).entries(), {
        let mut gone = entries([20], false);
        gone.extend(entries([68], false));
        gone
    });
}

#[test]
fn an_entry_moves_out_of_the_way_of_whoever_uses_the_address_there() {
    let mut bench = Bench::with(by_entries());
    assert_eq!(bench.hears(A, host(70).speaks()).entries(), entries([70], false));
    assert_eq!(bench.passes(60 * SECOND).entries(), entries([70], true));
}

#[test]
fn entries_that_others_take_away_come_back_and_those_nobody_wants_go() {
    let mut bench = Bench::with(by_entries());
    let there =
        |lasts: &[u8]| Fact::ProxiesRead { proxies: lasts.iter().map(|last| (A, ip(*last))).collect() };
    assert!(bench.give(there(&[65, 66, 67, 68, 69, 70])).is_empty());
    let mut healed = entries([66, 69], true);
    healed.extend(entries([99], false));
    assert_eq!(bench.give(there(&[65, 67, 68, 70, 99])).entries(), healed);
    bench.links(A, Some(crate::fact::Link { up: false, ..super::bench::link(A) }));
    assert!(bench.give(there(&[])).is_empty(), "they went with the interface");
}
