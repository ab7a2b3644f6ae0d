//! An address heard at another place than where it is known, and nobody left at the old one.

use super::bench::{A, B, Bench, C, FOREIGN, SECOND, foreign_route, host, ip, link, mac, ms, own_mac, plan};
use super::log::{delete_neighbour, put, put_neighbour, replace};
use crate::arp::Operation;
use crate::fact::{Fact, Link};
use crate::order::{Order, Purpose};
use crate::plan::{AnswerMode, LinkKind};
use crate::{Event, LinkAddr, SegmentId};

fn moved(old: SegmentId, old_lladdr: LinkAddr, segment: SegmentId, lladdr: LinkAddr) -> Event {
    super::bench::moved_event(9, (old, old_lladdr), (segment, lladdr))
}

#[test]
fn a_silent_old_place_loses_the_address_in_one_replace_without_a_gap() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(5 * SECOND);
    let start = bench.now;
    let claim = bench.hears(B, host(9).with_mac(99).speaks());
    assert_eq!(claim.verifications(), [(A, ip(9), Some(mac(9)))], "the old place is asked by unicast");
    assert_eq!(claim.orders().len(), 1);
    let log = bench.passes(SECOND);
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))], "and once more");
    assert_eq!(log.routes(), [replace(B, 9)]);
    assert_eq!(log.neighbours(), [delete_neighbour(A, 9), put_neighbour(B, 9, mac(99))]);
    let event = moved(A, mac(9), B, mac(99));
    assert_eq!(log.events(), std::slice::from_ref(&event));
    assert_eq!(log.millis_of_event(start, |it| *it == event), Some(250));
    assert!(log.orders().contains(&Order::HostSeen { segment: B, address: ip(9) }));
}

#[test]
fn a_move_is_announced_three_times_over_two_seconds_and_never_where_the_host_is() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).with_mac(99).announces());
    let start = bench.now;
    let log = bench.passes(10 * SECOND);
    assert_eq!(log.announcements(), [(A, ip(9)), (C, ip(9)), (A, ip(9)), (C, ip(9)), (A, ip(9)), (C, ip(9))]);
    assert_eq!(log.millis_of(Purpose::Announce, start), [250, 250, 1350, 1350, 2750, 2750]);
    for (segment, frame) in log.frames(Purpose::Announce) {
        assert_eq!(frame.arp.operation, Operation::Request, "RFC 5227 section 3");
        assert_eq!((frame.to, frame.arp.target), (None, ip(9)));
        assert_eq!(frame.arp.sender_lladdr, own_mac(segment));
    }
}

#[test]
fn every_form_of_a_word_can_claim_but_an_unsolicited_reply() {
    for arp in [host(9).speaks(), host(9).announces(), host(9).announces_in_a_reply()] {
        let mut bench = Bench::new();
        bench.knows(A, host(9));
        bench.hears(B, arp_from(arp, 99));
        assert_eq!(bench.passes(SECOND).routes(), [replace(B, 9)]);
    }
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    assert!(bench.hears(B, host(9).replies()).is_empty());
    for (segment, last) in [(B, 98), (A, 99)] {
        let log = bench.hears(segment, host(9).with_mac(last).replies());
        assert!(log.routes().is_empty() && log.events().is_empty());
        bench.hears(A, host(9).replies());
    }
    let log = bench.passes(SECOND);
    assert!(log.routes().is_empty() && log.events().is_empty());
}

fn arp_from(mut arp: crate::Arp, last: u8) -> crate::Arp {
    arp.sender_lladdr = mac(last);
    arp
}

#[test]
fn a_claim_is_never_answered() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    assert!(bench.hears(B, host(9).with_mac(99).announces()).answers().is_empty());
    assert!(bench.hears(C, host(9).with_mac(99).announces_in_a_reply()).answers().is_empty());
    assert!(bench.passes(SECOND).answers().is_empty());
}

#[test]
fn the_old_place_is_answered_for_until_the_address_has_moved() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).with_mac(99).speaks());
    bench.passes(ms(200));
    assert_eq!(bench.hears(C, host(20).asks(ip(9))).answers().len(), 1);
    bench.passes(ms(50));
    assert_eq!(bench.hears(A, host(21).asks(ip(9))).answers().len(), 1, "now also where it was");
    assert!(bench.hears(B, host(22).asks(ip(9))).answers().is_empty(), "but not where it is");
}

#[test]
fn the_same_link_layer_address_moves_at_once() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = bench.hears(B, host(9).speaks());
    assert_eq!(log.routes(), [replace(B, 9)]);
    assert!(log.verifications().is_empty());
    assert_eq!(log.events(), [moved(A, mac(9), B, mac(9))]);
    assert_eq!(log.announcements(), [(A, ip(9)), (C, ip(9))]);
}

#[test]
fn a_shared_address_moves_between_stations_of_one_segment_without_touching_its_route() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    assert_eq!(bench.hears(A, host(9).with_mac(99).announces()).verifications().len(), 1);
    let log = bench.passes(SECOND);
    assert!(log.routes().is_empty());
    assert_eq!(log.neighbours(), [put_neighbour(A, 9, mac(99))]);
    assert_eq!(log.events(), [moved(A, mac(9), A, mac(99))]);
    assert!(bench.passes(10 * SECOND).announcements().is_empty(), "nobody else's cache has changed");
}

#[test]
fn who_answers_our_request_in_a_suspects_stead_claims_its_address() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(ms(30_500));
    bench.hears(A, host(9).with_mac(99).replies());
    assert_eq!(bench.passes(ms(250)).events(), [moved(A, mac(9), A, mac(99))]);
}

#[test]
fn a_sleeping_wifi_client_gets_more_time_to_keep_its_address() {
    let mut bench = Bench::new();
    bench.links(A, Some(Link { kind: LinkKind::Wifi, ..link(A) }));
    bench.knows(A, host(9));
    let start = bench.now;
    bench.hears(B, host(9).with_mac(99).speaks());
    let log = bench.passes(SECOND);
    assert_eq!(log.verifications().len(), 3, "after the first");
    assert_eq!(log.millis_of_event(start, |_| true), Some(500));
}

#[test]
fn from_a_segment_without_carrier_an_address_moves_at_once() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.links(A, Some(Link { carrier: false, ..link(A) }));
    let log = bench.hears(B, host(9).with_mac(99).speaks());
    assert_eq!(log.routes(), [replace(B, 9)]);
    assert_eq!(log.events(), [moved(A, mac(9), B, mac(99))]);
    assert_eq!(log.announcements(), [(C, ip(9))]);
}

/// Its budget of requests ran out while the claim was looked into.
#[test]
fn an_address_that_is_claimed_is_not_given_up_before_it_moves() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(ms(34_900));
    bench.hears(B, host(9).with_mac(99).speaks());
    let log = bench.passes(SECOND);
    assert_eq!(log.routes(), [replace(B, 9)], "one replace and no gap");
    assert_eq!(log.events(), [moved(A, mac(9), B, mac(99))]);
}

#[test]
fn a_second_move_starts_the_announcements_anew() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).speaks());
    bench.passes(SECOND);
    let start = bench.now;
    bench.hears(C, host(9).speaks());
    let log = bench.passes(10 * SECOND);
    assert_eq!(log.announcements(), [(A, ip(9)), (B, ip(9)), (A, ip(9)), (B, ip(9))]);
    assert_eq!(log.millis_of(Purpose::Announce, start), [1100, 1100, 2500, 2500]);
}

#[test]
fn nothing_is_announced_where_nobody_is_answered() {
    let mut plan = plan(3);
    plan.segments[0].answer = AnswerMode::Off;
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    assert_eq!(bench.hears(B, host(9).speaks()).announcements(), [(C, ip(9))]);
}

#[test]
fn an_address_we_do_not_carry_is_not_announced() {
    let mut bench = Bench::new();
    assert_eq!(foreign_route(9).protocol, FOREIGN);
    bench.give(Fact::RouteAppeared(foreign_route(9)));
    bench.knows(A, host(9));
    let log = bench.hears(B, host(9).speaks());
    assert_eq!(log.events(), [moved(A, mac(9), B, mac(9))]);
    assert!(bench.passes(10 * SECOND).announcements().is_empty());
}

#[test]
fn operators_see_what_told_of_the_new_place() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).announces());
    let views = bench.ledger.host_views(bench.now);
    assert_eq!((&*views[0].segment, &*views[0].learned_from), ("b", "announcement"));
}

#[test]
fn a_claim_from_a_segment_that_went_down_meanwhile_comes_to_nothing() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).with_mac(99).speaks());
    bench.links(B, Some(Link { up: false, ..link(B) }));
    assert!(bench.passes(SECOND).routes().is_empty());
    assert_eq!(bench.hears(C, host(20).asks(ip(9))).answers().len(), 1, "it is where it was");
}

#[test]
fn a_claim_to_an_address_whose_link_went_down_is_granted_though_the_claimant_said_it_once() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).with_mac(99).announces());
    bench.links(A, Some(Link { up: false, ..link(A) }));
    assert_eq!(bench.passes(SECOND).routes(), [put(B, 9)]);
}

#[test]
fn a_claimant_that_was_found_meanwhile_does_not_move_to_where_it_is() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).with_mac(99).speaks());
    bench.links(A, Some(Link { up: false, ..link(A) }));
    let log = bench.hears(B, host(9).with_mac(99).speaks());
    let found = Event::HostFound { address: ip(9), lladdr: mac(99), segment: B };
    assert_eq!(log.events(), [found, moved(A, mac(9), B, mac(99))], "it is no duplicate of itself");
    assert!(bench.passes(SECOND).events().is_empty());
}

/// An IPoIB address with so many flags, of queue pair and port.
fn port(flags: u8, pair: u8, gid: u8) -> LinkAddr {
    let mut octets = [gid; 20];
    octets[..4].copy_from_slice(&[flags, 0, 0, pair]);
    LinkAddr::try_new(&octets).expect("20 octets")
}

#[test]
fn a_host_on_infiniband_that_got_another_queue_pair_is_followed_at_once() {
    let mut bench = Bench::new();
    bench.links(A, Some(Link { kind: LinkKind::Ipoib, lladdr: port(0, 1, 1), ..link(A) }));
    let with = |lladdr| super::bench::Host { lladdr, ..host(9) };
    bench.knows(A, with(port(0, 7, 9)));
    let log = bench.hears(A, with(port(0x80, 8, 9)).announces());
    assert_eq!(log.events(), [moved(A, port(0, 7, 9), A, port(0x80, 8, 9))]);
    assert_eq!(log.neighbours(), [put_neighbour(A, 9, port(0x80, 8, 9))]);
    let log = bench.hears(A, with(port(0, 9, 10)).announces());
    assert_eq!(log.verifications(), [(A, ip(9), Some(port(0x80, 8, 9)))], "another port is another host");
}
