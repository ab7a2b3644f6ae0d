//! An address claimed by a second station while the first still answers.

use super::bench::{A, B, Bench, C, SECOND, host, ip, mac, ms};
use super::log::{put_neighbour, replace};
use crate::{Event, LinkAddr, SegmentId};

fn duplicate(claimant_lladdr: LinkAddr, claimant_segment: SegmentId) -> Event {
    Event::DuplicateAddress { address: ip(9), lladdr: mac(9), segment: A, claimant_lladdr, claimant_segment }
}

#[test]
fn an_incumbent_that_answers_keeps_its_address_and_both_are_named() {
    for (segment, told_better) in [(A, vec![]), (B, vec![(B, ip(9))])] {
        let mut bench = Bench::new();
        bench.knows(A, host(9));
        bench.hears(segment, host(9).with_mac(99).announces());
        let log = bench.hears(A, host(9).replies());
        assert_eq!(log.events(), [duplicate(mac(99), segment)]);
        assert_eq!(log.announcements(), told_better);
        assert_eq!(log.verifications(), [(segment, ip(9), Some(mac(99)))], "whether it answers");
        assert_eq!(log.orders().len(), 2 + told_better.len());
        assert!(bench.passes(ms(900)).is_empty());
    }
}

#[test]
fn who_may_believe_a_false_claim_is_told_better_once_in_ten_seconds() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let mut told = Vec::new();
    for spoofer in 100..120 {
        bench.hears(B, host(9).with_mac(spoofer).announces());
        told.extend(bench.hears(A, host(9).replies()).announcements());
        told.extend(bench.passes(SECOND).announcements());
    }
    assert_eq!(told, [(B, ip(9)); 2]);
}

#[test]
fn a_reply_nobody_asked_for_is_looked_into_and_takes_nothing() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = bench.hears(B, host(9).with_mac(99).replies());
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
    assert_eq!(bench.hears(A, host(9).replies()).events(), [duplicate(mac(99), B)]);
    // Nor from who is silent, however often it is said, and wherever.
    for segment in [A, B, A, B] {
        assert_eq!(bench.hears(segment, host(9).with_mac(98).replies()).verifications().len(), 1);
        let log = bench.passes(2 * SECOND);
        assert!(log.routes().is_empty() && log.events().is_empty());
    }
}

#[test]
fn a_claim_goes_before_a_rumour() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).with_mac(98).replies());
    bench.hears(C, host(9).with_mac(99).announces());
    let log = bench.passes(SECOND);
    assert_eq!(log.routes(), [replace(C, 9)]);
    assert!(log.neighbours().contains(&put_neighbour(C, 9, mac(99))));
}

#[test]
fn a_late_answer_still_keeps_the_address() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).with_mac(99).speaks());
    bench.passes(ms(249));
    assert_eq!(bench.hears(A, host(9).replies()).events(), [duplicate(mac(99), B)]);
    assert!(bench.passes(ms(900)).is_empty());
}

#[test]
fn a_claimant_that_was_refused_is_not_looked_into_again_for_a_while() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).with_mac(99).announces());
    bench.hears(A, host(9).replies());
    for _ in 0..3 {
        bench.passes(ms(100));
        assert!(bench.hears(B, host(9).with_mac(99).speaks()).is_empty());
    }
    for _ in 0..20 {
        bench.passes(ms(450));
        assert_eq!(bench.hears(B, host(9).with_mac(99).speaks()).verifications(), [(A, ip(9), Some(mac(9)))]);
        assert!(bench.hears(A, host(9).replies()).events().is_empty(), "reported once in ten seconds");
    }
    bench.passes(SECOND);
    bench.hears(B, host(9).with_mac(99).speaks());
    assert_eq!(bench.hears(A, host(9).replies()).events(), [duplicate(mac(99), B)]);
}

#[test]
fn a_claimant_gets_the_address_within_a_second_of_its_incumbents_silent_death() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let mut routes = Vec::new();
    for round in 0..8 {
        routes.extend(bench.hears(B, host(9).with_mac(99).speaks()).routes());
        if round < 5 {
            bench.hears(A, host(9).replies());
            assert_eq!(routes, []);
        }
        routes.extend(bench.passes(ms(500)).routes());
    }
    assert_eq!(routes, [replace(B, 9)], "two words of it later, and for good");
}

#[test]
fn a_claimant_that_changes_its_address_with_every_frame_does_not_flood_the_log() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let mut told = 0;
    for last in 100..200 {
        bench.hears(B, host(9).with_mac(last).announces());
        told += bench.hears(A, host(9).replies()).events().len();
        bench.passes(ms(10));
    }
    assert_eq!(told, 1);
}

#[test]
fn the_claimant_is_answered_for_others_but_not_for_the_address_it_claims() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(A, host(20));
    bench.hears(B, host(9).with_mac(99).announces());
    bench.hears(A, host(9).replies());
    assert_eq!(bench.hears(B, host(9).with_mac(99).asks(ip(20))).answers(), [(B, ip(20), mac(99))]);
    assert!(bench.hears(B, host(9).with_mac(99).asks(ip(9))).answers().is_empty());
    assert_eq!(bench.hears(B, host(30).asks(ip(9))).answers(), [(B, ip(9), mac(30))]);
}

#[test]
fn only_one_claim_to_an_address_is_looked_into_at_a_time() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    assert_eq!(bench.hears(B, host(9).with_mac(98).speaks()).verifications().len(), 1);
    assert!(bench.hears(C, host(9).with_mac(99).speaks()).is_empty());
    assert_eq!(bench.passes(SECOND).routes(), [replace(B, 9)]);
}

/// The incumbent was given up while it was being asked, and then answered after all.
#[test]
fn an_incumbent_revived_by_its_answer_is_not_moved() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(ms(34_800));
    bench.hears(B, host(9).with_mac(99).speaks());
    bench.passes(ms(210));
    assert_eq!(bench.hears(A, host(9).replies()).events(), [duplicate(mac(99), B)]);
    let log = bench.passes(SECOND);
    assert!(log.routes().is_empty(), "{log:?}");
}
