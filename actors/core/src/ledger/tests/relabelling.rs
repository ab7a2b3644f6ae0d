//! A new link-layer address of our own: what it means for the segment's hosts, and how they come to know.

use super::bench::{A, B, Bench, C, SECOND, host, ip, link, mac, ms};
use super::log::put_neighbour;
use crate::fact::Link;
use crate::order::Purpose;

#[test]
fn neighbours_the_kernel_forgot_with_our_old_address_are_written_again() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    let log = bench.links(A, Some(Link { lladdr: mac(200), ..link(A) }));
    assert_eq!(log.neighbours(), [put_neighbour(A, 9, mac(9))]);
}

/// A ledger that knows a host on each segment, whose first one's interface was made anew.
fn made_anew() -> (Bench, crate::time::Time) {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    bench.links(A, None);
    bench.links(A, Some(Link { index: 77, lladdr: mac(200), ..link(A) }));
    let now = bench.now;
    (bench, now)
}

#[test]
fn a_new_address_of_ours_is_announced_three_times_over_more_than_two_seconds() {
    let (mut bench, start) = made_anew();
    let log = bench.passes(60 * SECOND);
    assert_eq!(log.millis_of(Purpose::Announce, start), [1100, 2500], "after the first, at once");
    assert_eq!(log.announcements(), [(A, ip(20)); 2]);
}

#[test]
fn a_switch_that_forwards_late_lets_the_announcements_be_made_anew() {
    let (mut bench, _) = made_anew();
    bench.passes(30 * SECOND);
    let start = bench.now;
    let first = bench.hears(A, host(9).replies());
    let rest = bench.passes(60 * SECOND);
    assert_eq!(first.announcements().len() + rest.announcements().len(), 3);
    assert_eq!(rest.millis_of(Purpose::Announce, start).last(), Some(&2500));
}

#[test]
fn hosts_that_are_heard_at_once_hear_the_announcements_as_often_as_any() {
    let (mut bench, _) = made_anew();
    bench.passes(ms(5));
    bench.hears(A, host(9).replies());
    bench.hears(A, host(10).speaks());
    assert_eq!(bench.passes(60 * SECOND).announcements().len(), 2);
    assert!(bench.hears(A, host(9).speaks()).announcements().is_empty());
}

/// VLANs of one device have its address, all of them.
#[test]
fn an_address_is_ours_as_long_as_any_segment_has_it_or_had_it_lately() {
    let mut bench = Bench::new();
    let shared = Link { lladdr: mac(200), ..link(B) };
    bench.links(B, Some(shared.clone()));
    bench.links(C, Some(Link { lladdr: mac(200), ..link(C) }));
    let is_learned = |bench: &mut Bench| !bench.hears(A, host(9).with_mac(200).speaks()).routes().is_empty();
    let changes = |bench: &mut Bench, segment, times: u8| {
        for last in 201..=200 + times {
            bench.links(segment, Some(Link { lladdr: mac(last), ..link(segment) }));
        }
    };
    assert!(!is_learned(&mut bench));
    changes(&mut bench, B, 10);
    assert!(!is_learned(&mut bench), "the other has it");
    bench.links(C, None);
    changes(&mut bench, C, 4);
    assert!(!is_learned(&mut bench), "frames sent with it may still come back");
    bench.links(B, Some(shared));
    changes(&mut bench, C, 10);
    assert!(!is_learned(&mut bench), "it came back elsewhere");
    changes(&mut bench, B, 5);
    assert!(is_learned(&mut bench));
}
