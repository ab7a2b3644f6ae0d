//! Hosts that are slower to return than their link: a switch port that is up lets nothing through for a while.

use std::time::Duration;

use super::bench::{A, B, Bench, SECOND, host, ip, link, mac};
use super::log::{Log, delete, put};
use crate::fact::Link;
use crate::order::Purpose;
use crate::time::Time;

/// Seconds from `start` to each request.
fn seconds(log: &Log, start: Time) -> Vec<u128> {
    log.millis_of(Purpose::Verify, start).iter().map(|millis| millis / 1000).collect()
}

/// A host that was known when the carrier went for so long, and is silent now that it is back.
fn returned(away: Duration) -> (Bench, Time, Log) {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.links(A, Some(Link { carrier: false, ..link(A) }));
    bench.passes(away);
    let start = bench.now;
    let log = bench.up(A);
    (bench, start, log)
}

#[test]
fn a_host_that_is_not_back_with_its_segment_is_asked_for_less_and_less_often() {
    let (mut bench, start, log) = returned(60 * SECOND);
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
    let log = bench.passes(2000 * SECOND);
    assert_eq!(seconds(&log, start), [1, 2, 3, 4, 5, 6, 8, 12, 20, 36, 68, 132, 260]);
    assert!(
        log.verifications()[4..].iter().all(|(_, _, to)| to.is_none()),
        "its address may be another by now"
    );
    assert_eq!(bench.ledger.deadline(), None, "in the end it is forgotten");
}

#[test]
fn a_host_whose_switch_took_half_a_minute_is_found_by_itself() {
    let (mut bench, _, _) = returned(60 * SECOND);
    bench.passes(30 * SECOND);
    assert_eq!(bench.passes(10 * SECOND).verifications(), [(A, ip(9), None)]);
    assert_eq!(bench.hears(A, host(9).replies()).routes(), [put(A, 9)]);
}

#[test]
fn a_host_given_up_soon_after_its_segment_came_back_is_asked_for_on() {
    let (mut bench, start, _) = returned(SECOND);
    let log = bench.passes(20 * SECOND);
    assert_eq!(log.routes(), [delete(A, 9)]);
    assert_eq!(seconds(&log, start), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 17]);
    assert_eq!(bench.hears(A, host(9).replies()).routes(), [put(A, 9)]);
}

#[test]
fn a_host_that_died_while_its_segment_was_long_up_is_not_asked_for_any_more() {
    let mut bench = Bench::new();
    bench.passes(120 * SECOND);
    bench.knows(A, host(9));
    bench.passes(60 * SECOND);
    assert!(bench.passes(500 * SECOND).verifications().is_empty());
}

#[test]
fn a_host_that_went_to_another_segment_is_not_asked_for_at_its_old_place() {
    let (mut bench, _, _) = returned(60 * SECOND);
    bench.knows(B, host(9));
    assert!(bench.passes(20 * SECOND).verifications().is_empty());
}

#[test]
fn a_segment_that_goes_again_has_nobody_asked() {
    let (mut bench, _, _) = returned(60 * SECOND);
    bench.passes(10 * SECOND);
    bench.links(A, None);
    assert!(bench.passes(500 * SECOND).verifications().is_empty());
}
