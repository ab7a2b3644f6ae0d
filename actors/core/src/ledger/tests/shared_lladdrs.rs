//! Ethernet segments of a domain share a link-layer address.

use super::bench::{A, B, Bench, C, SECOND, host, interface, ip, link, mac, own_mac, plan};
use super::log::Log;
use crate::arp::Mark;
use crate::fact::Link;
use crate::order::{Order, Purpose};
use crate::plan::LinkKind;
use crate::{Event, Fact, LinkAddr, SegmentId, Write};

const SHARED: LinkAddr = LinkAddr::ethernet([2, 0, 0x5e, 0, 0, 1]);

fn bench() -> Bench {
    let mut plan = plan(3);
    plan.domains[0].gateway_lladdr = Some(SHARED);
    Bench::with(plan)
}

fn put(segment: SegmentId, own: LinkAddr) -> Write {
    Write::PutSharedLladdr { interface: interface(segment), lladdr: SHARED, own }
}

fn delete(segment: SegmentId) -> Write {
    Write::DeleteSharedLladdr { interface: interface(segment), lladdr: SHARED }
}

fn writes(log: &Log) -> Vec<Write> {
    let is_shared =
        |write: &Write| matches!(write, Write::PutSharedLladdr { .. } | Write::DeleteSharedLladdr { .. });
    let write = |order: Order| if let Order::Write(write) = order { Some(write) } else { None };
    log.orders().into_iter().filter_map(write).filter(is_shared).collect()
}

/// The sender and the source of the answer that a request on `B` for a host of `A` gets.
fn answered(bench: &mut Bench) -> (LinkAddr, Option<LinkAddr>) {
    bench.knows(A, host(9));
    let frame = bench.hears(B, host(20).asks(ip(9))).frames(Purpose::Answer)[0].1;
    (frame.arp.sender_lladdr, frame.from)
}

#[test]
fn our_arp_bears_it_as_sender_and_as_source() {
    let mut bench = bench();
    assert_eq!(answered(&mut bench), (SHARED, Some(SHARED)));
    let mut sent = Vec::new();
    let log = bench.hears(B, host(9).announces());
    sent.extend(log.frames(Purpose::Verify));
    let log = bench.passes(10 * SECOND);
    sent.extend(log.frames(Purpose::Announce));
    assert!(sent.len() > 3, "{sent:?}");
    assert!(sent.iter().all(|(_, it)| (it.arp.sender_lladdr, it.from) == (SHARED, Some(SHARED))), "{sent:?}");
    assert_eq!(bench.ledger.sweep_context(A).map(|it| (it.lladdr, it.from)), Some((SHARED, Some(SHARED))));
}

#[test]
fn a_mover_is_told_of_us_at_it_and_every_frame_has_it_as_source() {
    let mut bench = bench();
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    bench.hears(B, host(9).announces());
    let told = bench.passes(10 * SECOND).frames(Purpose::Correct);
    let senders: Vec<_> = told.iter().map(|(_, frame)| frame.arp.sender_lladdr).collect();
    assert!(senders.contains(&SHARED) && senders.contains(&mac(20)), "{senders:?}");
    assert!(told.iter().all(|(_, frame)| frame.from == Some(SHARED)));
}

#[test]
fn it_is_never_a_hosts() {
    let mut bench = bench();
    let mut forged = host(66).speaks();
    forged.sender_lladdr = SHARED;
    for segment in [A, B] {
        assert!(bench.hears(segment, forged).is_empty());
    }
}

#[test]
fn the_kernel_gets_it_once_and_again_with_another_address_of_the_interface_or_another_interface() {
    let mut plan = plan(1);
    plan.domains[0].gateway_lladdr = Some(SHARED);
    let mut bench = Bench::cold(plan);
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
    assert_eq!(writes(&bench.up(A)), [put(A, own_mac(A))]);
    assert_eq!(writes(&bench.up(A)), []);
    let other = Link { lladdr: mac(77), ..link(A) };
    assert_eq!(writes(&bench.links(A, Some(other.clone()))), [put(A, mac(77))]);
    let recreated = Link { index: 30, ..other.clone() };
    let log = bench.links(A, Some(recreated));
    let anew = Write::PutSharedLladdr { interface: 30, lladdr: SHARED, own: mac(77) };
    assert_eq!(writes(&log), [delete(A), anew]);
    bench.links(A, None);
    let was_down = bench.links(A, Some(Link { up: false, ..other.clone() }));
    assert_eq!(writes(&was_down), []);
    assert_eq!(writes(&bench.links(A, Some(other))), [put(A, mac(77))]);
    assert_eq!(writes(&bench.give(Fact::Stopped { purge: true })), [delete(A)]);
}

#[test]
fn where_it_is_refused_the_interfaces_own_is_used_and_announced() {
    let mut bench = bench();
    bench.knows(A, host(9));
    let write = put(B, own_mac(B));
    let mut log = bench.give(Fact::WriteRefused { write, errno: 95, reason: "not supported".into() });
    let event = Event::GatewayLladdrRefused { segment: B, lladdr: SHARED, reason: "not supported".into() };
    assert_eq!(log.events(), [event]);
    log.append(bench.passes(SECOND));
    let frames = log.frames(Purpose::Announce);
    assert!(frames.iter().any(|(segment, it)| *segment == B && it.arp.sender_lladdr == own_mac(B)));
    assert_eq!(answered(&mut bench), (own_mac(B), None));
    assert_eq!(bench.ledger.segment_views()[1].subnet.gateway_lladdr, None);
    // It is tried again when the link was set down and up.
    bench.links(B, Some(Link { up: false, ..link(B) }));
    assert_eq!(writes(&bench.up(B)), [put(B, own_mac(B))]);
}

#[test]
fn a_link_that_is_not_ethernet_keeps_its_own_and_says_so_once() {
    let mut plan = plan(2);
    plan.domains[0].gateway_lladdr = Some(SHARED);
    let mut bench = Bench::cold(plan);
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
    bench.up(A);
    let radio = Link { kind: LinkKind::Wifi, ..link(B) };
    let said = |log: &Log| log.events().iter().any(|it| matches!(it, Event::GatewayLladdrRefused { .. }));
    assert!(said(&bench.links(B, Some(radio.clone()))));
    bench.links(B, Some(Link { carrier: false, ..radio.clone() }));
    assert!(!said(&bench.links(B, Some(radio))));
    assert_eq!(answered(&mut bench), (own_mac(B), None));
}

#[test]
fn of_two_segments_that_are_one_link_the_first_has_it() {
    let mut bench = bench();
    let mut log = bench.hears_marked(C, host(9).asks(ip(1)), Mark::Ours(B));
    assert_eq!(writes(&log), [delete(C)]);
    log.append(bench.passes(SECOND));
    let context = |bench: &Bench, segment| bench.ledger.sweep_context(segment).map(|it| it.lladdr);
    assert_eq!(context(&bench, B), Some(SHARED));
    assert_eq!(context(&bench, C), Some(own_mac(C)));
    assert_eq!(writes(&bench.passes(20 * SECOND)), [put(C, own_mac(C))], "they are two again");
    assert_eq!(context(&bench, C), Some(SHARED));
}
