//! A host with two links and one address: one link is used, and when it dies in silence the other takes over.

use std::time::Duration;

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, link, mac, ms};
use super::log::{Log, put, replace};
use crate::fact::{Fact, Link};
use crate::order::Purpose;
use crate::{Event, SegmentId};

/// The host's other link, on `B`.
const SPARE: (SegmentId, u8) = (B, 99);
const USED: (SegmentId, u8) = (A, 9);

fn place((_, last): (SegmentId, u8)) -> Host {
    host(9).with_mac(last)
}

/// Time passes, and these places answer whatever they are asked.
fn lives(bench: &mut Bench, span: Duration, places: &[(SegmentId, u8)]) -> Log {
    let mut log = Log::default();
    let end = bench.now + span;
    while bench.now < end {
        let passed = bench.passes(ms(5));
        let asked = passed.verifications();
        log.append(passed);
        for there in places {
            if asked.contains(&(there.0, ip(9), Some(mac(there.1)))) {
                log.append(bench.hears(there.0, place(*there).replies()));
            }
        }
    }
    log
}

/// Both links live, and the other one is known.
fn two_links() -> Bench {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, place(SPARE).announces());
    bench.hears(A, host(9).replies());
    let log = lives(&mut bench, 2 * SECOND, &[USED, SPARE]);
    assert!(log.events().is_empty() && log.routes().is_empty());
    bench
}

fn moves(log: &Log) -> usize {
    log.events().iter().filter(|event| matches!(event, Event::HostMoved { .. })).count()
}

#[test]
fn a_claimant_that_was_refused_is_asked_whether_it_answers() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, place(SPARE).announces());
    assert_eq!(bench.hears(A, host(9).replies()).verifications(), [(B, ip(9), Some(mac(99)))]);
    let log = bench.passes(20 * SECOND);
    assert_eq!(log.verifications(), [(B, ip(9), Some(mac(99))); 2], "who only speaks changes nothing");
}

/// Nothing was ever heard of it: its host is looked for everywhere before it is given up.
#[test]
fn a_link_of_which_nothing_is_known_takes_over_before_its_host_is_given_up() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = bench.passes(ms(32_900));
    assert_eq!(log.frames(Purpose::Search).len(), 0);
    let log = bench.passes(ms(200));
    let asked: Vec<_> =
        log.frames(Purpose::Search).iter().map(|(segment, frame)| (*segment, frame.to)).collect();
    assert_eq!(asked, [(B, None), (C, None)]);
    bench.hears(B, place(SPARE).replies());
    let log = bench.passes(10 * SECOND);
    assert_eq!(log.routes(), [replace(B, 9)], "one replace and no gap");
    assert_eq!(log.frames(Purpose::Search).len(), 0, "asked once");
}

/// Nor was anything ever heard of this one, but that somebody asks for the host is a reason to look.
#[test]
fn a_link_of_which_nothing_is_known_takes_over_within_a_second_of_a_request_for_its_host() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(6 * SECOND);
    let start = bench.now;
    assert_eq!(bench.hears(C, host(20).asks(ip(9))).answers().len(), 1);
    let log = bench.passes(ms(300));
    assert_eq!(log.millis_of(Purpose::Search, start), [250, 250]);
    bench.hears(B, place(SPARE).replies());
    let log = bench.passes(10 * SECOND);
    assert_eq!(log.routes(), [replace(B, 9)], "one replace and no gap");
    let moved = log.millis_of_event(start, |event| matches!(event, Event::HostMoved { .. }));
    assert_eq!(moved, Some(550));
}

#[test]
fn a_host_that_lives_is_asked_once_and_nobody_is_asked_for_it_elsewhere() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(6 * SECOND);
    bench.hears(C, host(20).asks(ip(9)));
    bench.hears(A, host(9).replies());
    bench.hears(B, place(SPARE).replies());
    let log = bench.passes(ms(200));
    assert!(log.routes().is_empty() && log.frames(Purpose::Search).is_empty());
}

/// A sweep finds it, or a search: it answers, and never speaks by itself.
#[test]
fn a_link_that_only_answers_is_known_by_its_answer() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, place(SPARE).replies());
    let log = bench.hears(A, host(9).replies());
    assert_eq!(log.verifications(), [(B, ip(9), Some(mac(99)))]);
    bench.hears(B, place(SPARE).replies());
    let log = lives(&mut bench, SECOND, &[SPARE]);
    assert_eq!(log.routes(), [replace(B, 9)]);
}

#[test]
fn forged_replies_leave_room_for_links_that_answer() {
    let mut bench = Bench::with({
        let mut plan = super::bench::plan(3);
        let wide = vec![super::bench::net("10.0.0.0/16")];
        plan.domains[0].prefixes.clone_from(&wide);
        plan.segments.iter_mut().for_each(|segment| segment.addresses.prefixes.clone_from(&wide));
        plan
    });
    for number in 0..1500_u16 {
        let [high, low] = (512 + number).to_be_bytes();
        let address = std::net::Ipv4Addr::new(10, 0, high, low);
        let at = |first| Host { address, lladdr: crate::LinkAddr::ethernet([first, 0, 0, 7, high, low]) };
        bench.knows(A, at(2));
        bench.hears(B, at(6).replies());
        bench.hears(A, at(2).replies());
        bench.passes(ms(3));
    }
    bench.knows(A, host(9));
    bench.hears(C, place((C, 99)).announces());
    bench.hears(A, host(9).replies());
    let log = lives(&mut bench, 12 * SECOND, &[USED, (C, 99)]);
    assert!(log.verifications().contains(&(C, ip(9), Some(mac(99)))));
    assert_eq!(lives(&mut bench, SECOND, &[(C, 99)]).routes(), [replace(C, 9)]);
}

#[test]
fn while_both_live_one_is_used_and_nothing_is_reported() {
    let mut bench = two_links();
    let log = lives(&mut bench, 30 * SECOND, &[USED, SPARE]);
    assert!(log.events().is_empty() && log.routes().is_empty() && log.neighbours().is_empty());
    let to_spare = log.verifications().iter().filter(|(segment, ..)| *segment == B).count();
    assert!(to_spare <= 1, "asked {to_spare} times in 30 s");
    let to_used = log.verifications().len() - to_spare;
    assert!((60..=75).contains(&to_used), "watched {to_used} times in 30 s");
}

#[test]
fn when_its_link_dies_in_silence_the_other_takes_over_within_a_second() {
    for wait in [ms(10), ms(140), ms(270), ms(390)] {
        let mut bench = two_links();
        lives(&mut bench, wait, &[USED, SPARE]);
        let died = bench.now;
        let log = lives(&mut bench, 10 * SECOND, &[SPARE]);
        assert_eq!(log.routes(), [replace(B, 9)], "once, without a gap");
        let moved = log.millis_of_event(died, |event| matches!(event, Event::HostMoved { .. }));
        assert!(moved.is_some_and(|after| after <= 800), "{moved:?} ms after its death");
    }
}

#[test]
fn a_link_that_returns_takes_over_only_when_the_other_dies() {
    let mut bench = two_links();
    lives(&mut bench, 40 * SECOND, &[SPARE]);
    let log = lives(&mut bench, 60 * SECOND, &[USED, SPARE]);
    assert!(log.routes().is_empty() && moves(&log) == 0);
    let died = bench.now;
    let log = lives(&mut bench, 10 * SECOND, &[USED]);
    assert_eq!(log.routes(), [replace(A, 9)]);
    let moved = log.millis_of_event(died, |event| matches!(event, Event::HostMoved { .. }));
    assert!(moved.is_some_and(|after| after <= 800), "{moved:?} ms after its death");
}

#[test]
fn the_watch_begins_with_the_alternatives_first_answer() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, place(SPARE).announces());
    bench.hears(A, host(9).replies());
    let died = bench.now;
    bench.hears(B, place(SPARE).replies());
    let log = lives(&mut bench, 5 * SECOND, &[SPARE]);
    let moved = log.millis_of_event(died, |event| matches!(event, Event::HostMoved { .. }));
    assert!(moved.is_some_and(|after| after <= 800), "{moved:?}");
}

#[test]
fn a_link_that_returns_after_long_is_watched_with_its_first_word() {
    let mut bench = two_links();
    lives(&mut bench, 100 * SECOND, &[SPARE]);
    bench.hears(A, host(9).announces());
    lives(&mut bench, ms(100), &[USED, SPARE]);
    let died = bench.now;
    let log = lives(&mut bench, 5 * SECOND, &[USED]);
    assert_eq!(log.routes(), [replace(A, 9)]);
    let moved = log.millis_of_event(died, |event| matches!(event, Event::HostMoved { .. }));
    assert!(moved.is_some_and(|after| after <= 800), "{moved:?}");
}

#[test]
fn two_lost_frames_in_a_row_are_no_death() {
    let mut bench = two_links();
    bench.hears(A, host(9).replies());
    for _ in 0..40 {
        let log = lives(&mut bench, ms(700), &[SPARE]);
        assert!(log.verifications().len() >= 3);
        bench.hears(A, host(9).replies());
        assert_eq!(moves(&log), 0);
    }
}

#[test]
fn when_both_are_dead_the_host_is_given_up_where_it_was() {
    let mut bench = two_links();
    let log = bench.passes(60 * SECOND);
    let gone = Event::HostGone { address: ip(9), lladdr: mac(9), segment: A };
    assert_eq!(log.events(), [gone]);
    assert!(log.verifications().len() < 100, "{} frames", log.verifications().len());
    assert_eq!(bench.passes(600 * SECOND).verifications(), []);
}

#[test]
fn an_alternative_that_stopped_answering_ends_the_watch() {
    let mut bench = two_links();
    lives(&mut bench, 40 * SECOND, &[USED]);
    let log = lives(&mut bench, 29 * SECOND, &[USED]);
    assert!(log.verifications().len() <= 2, "{:?}", log.verifications());
    let log = lives(&mut bench, 600 * SECOND, &[USED]);
    assert!(log.events().is_empty());
}

#[test]
fn without_a_carrier_the_alternative_is_asked_at_once() {
    let mut bench = two_links();
    let start = bench.now;
    bench.links(A, Some(Link { carrier: false, ..link(A) }));
    let log = lives(&mut bench, SECOND, &[SPARE]);
    assert_eq!(log.routes(), [replace(B, 9)]);
    let moved = log.millis_of_event(start, |event| matches!(event, Event::HostMoved { .. }));
    assert!(moved.is_some_and(|after| after <= 410), "{moved:?}");
}

#[test]
fn of_an_interface_that_is_set_down_too() {
    let mut bench = two_links();
    bench.links(A, Some(Link { up: false, carrier: false, ..link(A) }));
    assert_eq!(lives(&mut bench, SECOND, &[SPARE]).routes(), [put(B, 9)]);
}

#[test]
fn a_third_place_that_claims_the_address_is_judged_as_ever() {
    let mut bench = two_links();
    bench.hears(C, host(9).with_mac(77).announces());
    let log = lives(&mut bench, SECOND, &[USED, SPARE]);
    assert!(log.routes().is_empty(), "its host answers");
    bench.hears(C, host(9).with_mac(77).announces());
    let log = lives(&mut bench, SECOND, &[]);
    assert_eq!(log.routes(), [replace(C, 9)], "nobody else answers");
}

#[test]
fn an_address_that_becomes_ours_has_no_alternative() {
    let mut bench = two_links();
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1), ip(9)] });
    assert_eq!(lives(&mut bench, 60 * SECOND, &[USED, SPARE]).verifications(), []);
}

#[test]
fn one_machine_with_two_links_and_many_addresses_is_no_proxy() {
    let mut bench = Bench::new();
    for last in 10..20 {
        bench.knows(A, host(last).with_mac(9));
        bench.hears(B, host(last).with_mac(99).announces());
        let log = bench.hears(A, host(last).with_mac(9).replies());
        assert!(!log.events().iter().any(|event| matches!(event, Event::ProxyFound { .. })), "{last}");
    }
    bench.knows(C, host(20));
    bench.knows(C, host(21));
    for last in [20, 21] {
        bench.hears(B, host(last).with_mac(99).announces());
        let log = bench.hears(C, host(last).replies());
        let is_found = log.events().iter().any(|event| matches!(event, Event::ProxyFound { .. }));
        assert_eq!(is_found, last == 21, "who claims those of three machines is one");
    }
}

#[test]
fn many_of_them_are_watched_at_a_bounded_rate() {
    let mut bench = Bench::new();
    for last in 10..210 {
        bench.knows(A, host(last));
        let lladdr = crate::LinkAddr::ethernet([2, 1, 0, 0, 0, last]);
        bench.hears(B, Host { lladdr, ..host(last) }.announces());
        bench.hears(A, host(last).replies());
        bench.passes(ms(5));
    }
    // All answer, on both sides.
    let (mut frames, end) = (0, bench.now + 20 * SECOND);
    while bench.now < end {
        let mut asked = bench.passes(ms(5)).verifications();
        while let Some((segment, address, to)) = asked.pop() {
            frames += 1;
            let lladdr = to.expect("asked by unicast");
            asked.extend(bench.hears(segment, Host { address, lladdr }.replies()).verifications());
        }
    }
    assert!(frames <= 20 * 200, "{frames} frames in 20 s");
    assert!(frames >= 20 * 80, "{frames} frames in 20 s: they are watched all the same");
}
