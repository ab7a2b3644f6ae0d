//! Frames of another source than their sender: clusters that mask their source, repeaters, relays, and forgers.

use std::time::Duration;

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, mac, ms, own_mac, plan};
use super::log::Log;
use crate::arp::Heard;
use crate::order::Purpose;
use crate::{Arp, Event, Fact, LinkAddr, SegmentId};

/// The source of masked frames.
const MASK: u8 = 99;
/// A question is put off by less than this.
const DELAY: Duration = ms(550);
/// The time for its answer.
const WAIT: Duration = ms(150);

fn hears_from(bench: &mut Bench, on: SegmentId, arp: Arp, source: u8) -> Log {
    bench.give(Fact::Heard { segment: on, heard: Heard { arp, from: mac(source), mark: None } })
}

fn masked(bench: &mut Bench, on: SegmentId, arp: Arp) -> Log {
    hears_from(bench, on, arp, MASK)
}

/// The answer to a question of ours.
fn answer(on: SegmentId, host: Host) -> Arp {
    Arp { target_lladdr: own_mac(on), ..host.replies() }
}

/// Time passes until the question about a host is asked.
fn until_asked(bench: &mut Bench, on: SegmentId, about: Host) {
    for _ in 0..DELAY.as_millis() {
        let log = bench.passes(ms(1));
        if log.verifications().contains(&(on, about.address, Some(about.lladdr))) {
            return;
        }
    }
    panic!("not asked for {about:?}");
}

/// A masked host speaks, is asked, and answers.
fn becomes_known(bench: &mut Bench, on: SegmentId, about: Host) -> Log {
    masked(bench, on, about.speaks());
    until_asked(bench, on, about);
    let mut log = masked(bench, on, answer(on, about));
    log.append(bench.passes(WAIT));
    log
}

fn unconfirmed(last: u8) -> Event {
    Event::SenderUnconfirmed { address: ip(last), lladdr: mac(last), segment: A, frame_lladdr: mac(MASK) }
}

fn mismatched(bench: &Bench) -> u64 {
    bench.ledger.segment_views()[0].counters.mismatched
}

#[test]
fn who_answers_where_it_says_it_is_is_learned_under_that() {
    let mut bench = Bench::new();
    assert!(masked(&mut bench, A, host(9).speaks()).is_empty(), "by itself it proves nothing");
    until_asked(&mut bench, A, host(9));
    assert!(masked(&mut bench, A, answer(A, host(9))).is_empty(), "another answer may come");
    let log = bench.passes(WAIT);
    assert_eq!(log.events(), [Event::HostFound { address: ip(9), lladdr: mac(9), segment: A }]);
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers(), [(B, ip(9), mac(20))]);
    assert_eq!(bench.ledger.host_views(bench.now)[0].learned_from.to_string(), "answer");
}

#[test]
fn who_does_not_answer_is_not_and_it_is_reported_once() {
    let mut bench = Bench::new();
    masked(&mut bench, A, host(9).speaks());
    assert_eq!(bench.passes(DELAY + WAIT).events(), [unconfirmed(9)]);
    for _ in 0..4 {
        let mut log = masked(&mut bench, A, host(9).speaks());
        log.append(bench.passes(SECOND));
        assert!(log.is_empty(), "neither asked nor reported again: {:?}", log.orders());
    }
    assert_eq!(mismatched(&bench), 5);
    bench.passes(SECOND);
    masked(&mut bench, A, host(9).speaks());
    until_asked(&mut bench, A, host(9));
}

#[test]
fn an_answer_before_the_question_or_beside_another_is_blind() {
    for (before, after) in [(1, 0), (1, 1), (0, 2), (0, 50)] {
        let mut bench = Bench::new();
        masked(&mut bench, A, host(9).speaks());
        for _ in 0..before {
            masked(&mut bench, A, answer(A, host(9)));
        }
        if before == 0 {
            until_asked(&mut bench, A, host(9));
        } else {
            bench.passes(DELAY);
        }
        for _ in 0..after {
            masked(&mut bench, A, answer(A, host(9)));
        }
        let log = bench.passes(SECOND);
        assert!(log.routes().is_empty(), "{before} before, {after} after");
        masked(&mut bench, A, host(9).speaks());
        assert!(bench.passes(20 * SECOND).verifications().is_empty(), "it is not asked for half a minute");
    }
}

#[test]
fn what_is_no_answer_to_us_confirms_nothing() {
    let to_another = Arp { target: ip(77), ..answer(A, host(9)) };
    let unsolicited = Arp { target: ip(9), ..answer(A, host(9)) };
    for arp in [to_another, unsolicited, host(9).replies(), host(9).announces(), host(9).speaks()] {
        let mut bench = Bench::new();
        masked(&mut bench, A, host(9).speaks());
        until_asked(&mut bench, A, host(9));
        masked(&mut bench, A, arp);
        assert!(bench.passes(WAIT).routes().is_empty(), "{arp:?}");
    }
}

#[test]
fn it_lives_on_what_it_says_and_is_given_up_when_it_is_silent() {
    let mut bench = Bench::new();
    becomes_known(&mut bench, A, host(9));
    for _ in 0..4 {
        bench.passes(20 * SECOND);
        assert!(hears_from(&mut bench, A, host(9).speaks(), MASK + 1).is_empty(), "whatever its source");
    }
    assert!(bench.passes(29 * SECOND).verifications().is_empty());
    let log = bench.passes(20 * SECOND);
    assert_eq!(log.verifications()[0], (A, ip(9), Some(mac(9))));
    assert!(log.events().contains(&Event::HostGone { address: ip(9), lladdr: mac(9), segment: A }));
}

#[test]
fn a_known_host_that_gets_behind_a_repeater_is_kept_alive_by_its_answers() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    for _ in 0..5 {
        let log = bench.passes(32 * SECOND);
        assert!(log.verifications().contains(&(A, ip(9), Some(mac(9)))));
        assert!(masked(&mut bench, A, answer(A, host(9))).is_empty());
    }
    bench.passes(32 * SECOND);
    masked(&mut bench, A, host(9).replies());
    assert_eq!(bench.passes(10 * SECOND).events().len(), 1, "nobody else keeps it alive");
}

#[test]
fn it_moves_when_its_old_place_is_silent_and_not_otherwise() {
    let mut bench = Bench::new();
    bench.knows(B, host(9));
    let log = becomes_known(&mut bench, A, host(9).with_mac(10));
    assert_eq!(log.verifications(), [(B, ip(9), Some(mac(9)))]);
    let log = bench.hears(B, host(9).replies());
    assert!(matches!(log.events()[..], [Event::DuplicateAddress { .. }]), "{:?}", log.events());

    let mut bench = Bench::new();
    bench.knows(B, host(9));
    becomes_known(&mut bench, A, host(9).with_mac(10));
    let log = bench.passes(SECOND);
    assert!(matches!(log.events()[..], [Event::HostMoved { segment: Some(A), .. }]), "{:?}", log.events());
    assert_eq!(log.announcements().first().map(|it| it.0), Some(B));
}

#[test]
fn a_phone_that_walks_behind_a_repeater_is_followed_once_it_answers_there() {
    let mut bench = Bench::new();
    bench.knows(B, host(9));
    let log = becomes_known(&mut bench, A, host(9));
    assert!(matches!(log.events()[..], [Event::HostMoved { segment: Some(A), .. }]), "{:?}", log.events());
    let log = bench.hears(C, host(9).announces());
    assert!(
        matches!(log.events()[..], [Event::HostMoved { segment: Some(C), .. }]),
        "and back: {:?}",
        log.events()
    );
}

#[test]
fn an_incumbent_that_answers_in_masked_frames_keeps_its_address() {
    let mut bench = Bench::new();
    becomes_known(&mut bench, A, host(9));
    bench.hears(B, host(9).with_mac(10).announces());
    let log = masked(&mut bench, A, answer(A, host(9)));
    assert!(matches!(log.events()[..], [Event::DuplicateAddress { .. }]), "{:?}", log.events());
}

#[test]
fn whom_the_operator_names_needs_no_confirmation() {
    let mut plan = plan(2);
    plan.segments[0].addresses.pins = [(ip(9), mac(9))].into();
    let mut bench = Bench::with(plan);
    assert_eq!(masked(&mut bench, A, host(9).speaks()).routes().len(), 1);
    assert!(masked(&mut bench, A, host(9).with_mac(10).speaks()).routes().is_empty());
    assert!(bench.passes(SECOND).verifications().is_empty(), "nobody else may have it");
}

#[test]
fn nothing_is_asked_about_what_would_not_be_learned() {
    let mut plan = plan(2);
    plan.segments[0].limits.hosts = 1;
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    masked(&mut bench, A, host(9).speaks());
    masked(&mut bench, A, Host { address: [192, 168, 0, 1].into(), ..host(9) }.speaks());
    let log = masked(&mut bench, A, host(10).speaks());
    assert!(matches!(log.events()[..], [Event::LimitReached { .. }]));
    hears_from(&mut bench, B, host(11).speaks(), 0);
    bench.give(Fact::Heard {
        segment: B,
        heard: Heard { arp: host(12).speaks(), from: own_mac(A), mark: None },
    });
    let asked = bench.passes(2 * SECOND).verifications();
    assert_eq!(asked, [(B, ip(11), Some(mac(11)))], "a frame of ours that somebody altered is no reason");
}

#[test]
fn a_flood_of_forged_frames_causes_no_flood_of_questions_and_leaves_room_for_others() {
    let mut bench = Bench::new();
    let mut questions = 0;
    for round in 0..200_u8 {
        for last in 2..50 {
            let forged = host(last).with_mac(round);
            questions += masked(&mut bench, A, forged.announces()).frames(Purpose::Verify).len();
        }
        questions += bench.passes(ms(50)).frames(Purpose::Verify).len();
    }
    assert!((100..=700).contains(&questions), "{questions} questions in ten seconds");
    hears_from(&mut bench, A, host(60).speaks(), 98);
    until_asked(&mut bench, A, host(60));
    hears_from(&mut bench, A, answer(A, host(60)), 98);
    assert_eq!(bench.passes(WAIT).events().len(), 1, "it is found");
}

#[test]
fn a_forger_that_names_many_stations_for_one_address_does_not_keep_its_holder_out_for_long() {
    let mut bench = Bench::new();
    for station in 100..120 {
        masked(&mut bench, A, host(9).with_mac(station).announces());
    }
    bench.passes(7 * SECOND);
    assert!(!becomes_known(&mut bench, A, host(9)).routes().is_empty());
}

#[test]
fn who_answered_before_the_link_went_is_not_learned_without_it() {
    let mut bench = Bench::new();
    masked(&mut bench, A, host(9).speaks());
    until_asked(&mut bench, A, host(9));
    masked(&mut bench, A, answer(A, host(9)));
    bench.links(A, None);
    assert!(bench.passes(SECOND).routes().is_empty());
}

/// Its segment returns, and it is asked at once: that is a question of ours, too.
#[test]
fn it_returns_with_its_segment() {
    let mut bench = Bench::new();
    becomes_known(&mut bench, A, host(9));
    bench.links(A, None);
    let log = bench.up(A);
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
    assert_eq!(masked(&mut bench, A, answer(A, host(9))).routes().len(), 1);
}

/// RFC 1812, section 3.3.2: nobody else is to be believed at a multicast address.
#[test]
fn a_cluster_at_a_multicast_address_is_known_only_if_the_operator_names_it() {
    let cluster = Host { address: ip(9), lladdr: LinkAddr::ethernet([3, 0xbf, 10, 0, 0, 9]) };
    let mut bench = Bench::new();
    assert!(masked(&mut bench, A, cluster.speaks()).is_empty());
    assert!(bench.passes(SECOND).is_empty());
    assert_eq!(bench.ledger.segment_views()[0].counters.malformed, 1);

    let mut plan = plan(2);
    plan.segments[0].addresses.pins = [(ip(9), cluster.lladdr)].into();
    let mut bench = Bench::with(plan.clone());
    assert_eq!(masked(&mut bench, A, cluster.asks(ip(1))).routes().len(), 1);
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
    bench.knows(B, host(21));
    let asks = masked(&mut bench, A, cluster.asks(ip(21)));
    assert_eq!(asks.answers(), [(A, ip(21), cluster.lladdr)]);
    assert!(masked(&mut bench, A, Host { address: ip(10), ..cluster }.speaks()).is_empty());

    plan.segments[0].addresses.hosts = std::mem::take(&mut plan.segments[0].addresses.pins);
    let mut bench = Bench::with(plan);
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1, "present whether or not it is heard");
}
