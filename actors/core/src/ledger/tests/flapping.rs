//! An address that moves again and again: a host that roams is followed, one that both places go on claiming is held.

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, mac, ms};
use super::log::{Log, replace};
use crate::order::{Order, Purpose};
use crate::{Event, LinkAddr, SegmentId};

fn flapping(lladdr: LinkAddr, segment: SegmentId, claimant_lladdr: LinkAddr, claimant: SegmentId) -> Event {
    Event::HostFlapping { address: ip(9), lladdr, segment, claimant_lladdr, claimant_segment: claimant }
}

fn is_flapping(event: &Event) -> bool {
    matches!(event, Event::HostFlapping { .. })
}

/// The same station heard here and there, a second apart, until it is held on `B`.
fn held_on_b() -> Bench {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    for segment in [B, A, B, A, B] {
        bench.passes(SECOND);
        assert_eq!(bench.hears(segment, host(9).speaks()).routes(), [replace(segment, 9)]);
    }
    bench.passes(SECOND);
    let log = bench.hears(A, host(9).speaks());
    assert_eq!(log.events(), [flapping(mac(9), B, mac(9), A)]);
    assert!(log.routes().is_empty());
    assert_eq!(log.verifications(), [(B, ip(9), Some(mac(9)))], "whoever holds it is probed");
    bench
}

#[test]
fn a_host_that_both_segments_hear_is_held_as_long_as_its_holder_answers() {
    let mut bench = held_on_b();
    for _ in 0..5 {
        bench.passes(ms(700));
        let log = bench.hears(B, host(9).replies());
        assert!(log.is_empty(), "one host has no dispute with itself: {log:?}");
        bench.passes(10 * SECOND);
        assert_eq!(bench.hears(A, host(9).speaks()).verifications(), [(B, ip(9), Some(mac(9)))]);
    }
    bench.hears(B, host(9).replies());
    assert!(bench.hears(A, host(9).replies()).is_empty(), "a reply nobody asked for proves nothing");
    bench.passes(10 * SECOND);
    assert_eq!(bench.hears(A, host(9).speaks()).routes(), [replace(A, 9)], "free again");
}

#[test]
fn a_holder_that_is_silent_is_let_go_within_a_second() {
    let mut bench = held_on_b();
    bench.hears(B, host(9).replies());
    bench.passes(SECOND);
    let start = bench.now;
    bench.hears(A, host(9).with_mac(99).announces());
    let log = bench.passes(2 * SECOND);
    assert_eq!(log.routes(), [replace(A, 9)]);
    assert_eq!(log.millis_of_event(start, |event| matches!(event, Event::HostMoved { .. })), Some(750));
    assert_eq!(log.millis_of(Purpose::Verify, start), [125, 250, 375, 500, 625], "after the first");
}

#[test]
fn a_host_that_roams_is_followed_as_often_as_it_walks() {
    for (pause, with) in [(ms(8000), mac(9)), (ms(8000), mac(99)), (ms(2000), mac(99))] {
        let mut bench = Bench::new();
        bench.knows(A, host(9));
        for walk in 0..40 {
            bench.passes(pause);
            let (segment, lladdr) = if walk % 2 == 0 { (B, with) } else { (A, mac(9)) };
            let mut routes = bench.hears(segment, Host { lladdr, ..host(9) }.speaks()).routes();
            routes.extend(bench.passes(ms(250)).routes());
            assert_eq!(routes, [replace(segment, 9)], "walk {walk} every {pause:?}");
        }
        assert!(!bench.passes(60 * SECOND).events().iter().any(is_flapping));
    }
}

/// Two speak in turn, as often as this, and answer nothing. Returns what comes of it.
fn quarrel(bench: &mut Bench, pause: u64, span: u64) -> Log {
    let mut log = Log::default();
    for turn in 0..span / pause {
        let (segment, last) = if turn % 2 == 0 { (B, 99) } else { (A, 9) };
        log.append(bench.hears(segment, host(9).with_mac(last).announces()));
        log.append(bench.passes(ms(pause)));
    }
    log
}

#[test]
fn two_that_go_on_claiming_and_answer_nothing_are_held_apart() {
    for pause in [50, 100, 300, 700, 1000, 1400] {
        let mut bench = Bench::new();
        bench.knows(A, host(9));
        quarrel(&mut bench, pause, 10_000);
        let moves = quarrel(&mut bench, pause, 45_000).routes().len();
        assert!(moves <= 4, "{moves} moves in 45 s of claims every {pause} ms");
    }
}

#[test]
fn from_a_dead_link_an_address_moves_though_it_is_held() {
    let mut bench = held_on_b();
    bench.hears(B, host(9).replies());
    let link = super::bench::link(B);
    bench.links(B, Some(crate::fact::Link { carrier: false, ..link }));
    assert_eq!(bench.hears(C, host(9).speaks()).routes(), [replace(C, 9)]);
}

#[test]
fn who_is_held_and_silent_is_given_up_all_the_same() {
    let mut bench = held_on_b();
    bench.hears(B, host(9).replies());
    let log = bench.passes(40 * SECOND);
    let gone = |event: &&Event| matches!(event, Event::HostGone { segment, .. } if *segment == B);
    assert_eq!(log.events().iter().filter(gone).count(), 1);
    assert!(!bench.hears(A, host(9).speaks()).events().iter().any(is_flapping));
}

#[test]
fn a_refusal_ends_with_the_incumbent_for_whose_sake_it_was() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).with_mac(99).announces());
    bench.hears(A, host(9).replies());
    // The incumbent goes to a third place, and is silent there.
    bench.hears(C, host(9).announces());
    let log = bench.hears(B, host(9).with_mac(99).announces());
    assert_eq!(log.verifications(), [(C, ip(9), Some(mac(9)))]);
    assert!(log.orders().iter().all(|order| !matches!(order, Order::Emit(_))));
}
