//! Stations that are heard without an address, as after a migration, and what follows for their hosts.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, link, mac, ms, net, own_mac, plan};
use super::log::{Log, replace};
use crate::arp::Mark;
use crate::plan::LinkKind;
use crate::{Arp, Event, LinkAddr, SegmentId};

fn moved(last: u8) -> Event {
    super::bench::moved_event(last, (A, mac(last)), (B, mac(last)))
}

/// Another address at the link-layer address of the host `.9`.
fn alias(last: u8) -> Host {
    Host { address: ip(last), lladdr: mac(9) }
}

fn asked_on_both_sides() -> Vec<(SegmentId, Ipv4Addr, Option<LinkAddr>)> {
    vec![(A, ip(9), Some(mac(9))), (B, ip(9), Some(mac(9)))]
}

#[test]
fn its_hosts_are_asked_on_both_sides_and_who_answers_there_alone_has_moved() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let start = bench.now;
    assert_eq!(bench.traces(B, host(9)).verifications(), asked_on_both_sides());
    bench.passes(ms(10));
    assert!(bench.hears(B, host(9).replies()).is_empty(), "the old place has its time to answer");
    let log = bench.passes(SECOND);
    assert_eq!(log.routes(), [replace(B, 9)]);
    assert_eq!(log.millis_of_event(start, |event| *event == moved(9)), Some(250));
    assert!(log.announcements().contains(&(A, ip(9))), "and everybody is told");
    assert!(log.corrections().contains(&(B, mac(9), ip(1), own_mac(B))));
}

#[test]
fn who_still_answers_at_its_place_stays_whatever_is_answered_elsewhere() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.traces(B, host(9));
    bench.hears(B, host(9).replies());
    bench.hears(A, host(9).replies());
    bench.hears(B, host(9).replies());
    assert!(bench.passes(SECOND).is_empty());
    bench.traces(B, host(9));
    bench.hears(A, host(9).replies());
    assert!(bench.passes(SECOND).is_empty());
}

#[test]
fn a_trace_alone_moves_nothing_but_the_silent_are_doubted() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    for _ in 0..8 {
        bench.traces(B, host(9));
        assert_eq!(bench.passes(ms(100)).routes(), []);
    }
    let log = bench.passes(ms(300));
    assert_eq!((log.routes(), log.events()), (Vec::new(), Vec::new()));
    bench.hears(A, host(9).replies());
    assert_eq!(bench.passes(5 * SECOND).routes(), [], "it was only slow");
}

#[test]
fn a_machine_that_runs_half_a_second_later_is_found_all_the_same() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.traces(B, host(9));
    let log = bench.passes(ms(400));
    assert_eq!(log.verifications().len(), 6, "it is asked again, on both sides");
    bench.hears(B, host(9).replies());
    assert_eq!(bench.passes(ms(200)).routes(), [replace(B, 9)]);
}

#[test]
fn its_own_word_counts_more_than_its_trace() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.traces(B, host(9));
    assert_eq!(bench.hears(B, host(9).announces()).events(), [moved(9)], "at once");
}

#[test]
fn a_host_that_is_gone_is_looked_for_where_its_station_was_heard() {
    for (segment, routes) in [(A, super::log::put(A, 9)), (B, super::log::put(B, 9))] {
        let mut bench = Bench::new();
        bench.knows(A, host(9));
        bench.passes(60 * SECOND);
        assert_eq!(bench.traces(segment, host(9)).verifications(), [(segment, ip(9), Some(mac(9)))]);
        assert_eq!(bench.hears(segment, host(9).replies()).routes(), [routes]);
    }
}

#[test]
fn strangers_own_frames_and_hosts_at_their_place_leave_no_trace() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    assert!(bench.traces(B, host(77)).is_empty());
    assert!(bench.traces(A, host(9)).is_empty());
    let own = Host { address: ip(1), lladdr: own_mac(A) };
    assert!(bench.traces(B, own).is_empty());
    bench.links(B, None);
    assert!(bench.traces(B, host(9)).is_empty(), "the segment is down");
    assert!(bench.passes(SECOND).is_empty());
}

#[test]
fn bridged_segments_are_heard_on_both_and_a_pinned_host_stays() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let ours = Arp { sender_lladdr: own_mac(A), ..host(1).asks(ip(77)) };
    bench.hears_marked(B, ours, Mark::Ours(A));
    assert!(bench.traces(B, host(9)).is_empty());
    let mut plan = plan(3);
    plan.segments[0].addresses.pins.insert(ip(9), mac(9));
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    assert!(bench.traces(B, host(9)).is_empty());
}

#[test]
fn the_other_addresses_of_a_machine_that_moved_are_asked_for() {
    let mut bench = Bench::new();
    for last in [9, 50, 51] {
        bench.knows(A, alias(last));
    }
    bench.passes(SECOND);
    let log = bench.hears(B, host(9).announces());
    let asked: BTreeSet<_> = log.verifications().into_iter().map(|(on, address, _)| (on, address)).collect();
    assert_eq!(asked, BTreeSet::from([(A, ip(50)), (A, ip(51)), (B, ip(50)), (B, ip(51))]));
    bench.hears(B, alias(50).replies());
    bench.hears(A, alias(51).replies());
    assert_eq!(bench.passes(SECOND).routes(), [replace(B, 50)]);
}

#[test]
fn so_they_are_when_it_probes_for_one_or_comes_with_a_new_one() {
    for arp in [alias(9).probes(), alias(60).speaks()] {
        let mut bench = Bench::new();
        bench.knows(A, host(9));
        assert!(bench.hears(B, arp).verifications().contains(&(B, ip(9), Some(mac(9)))), "{arp:?}");
    }
}

#[test]
fn no_address_probe_is_sent_to_one_who_probes() {
    let mut bench = Bench::cold(plan(3));
    for segment in [A, B, C] {
        bench.links(segment, Some(crate::fact::Link { addresses: Vec::new(), ..link(segment) }));
    }
    bench.knows(A, host(9));
    assert_eq!(bench.hears(B, alias(9).probes()).verifications(), []);
}

#[test]
fn traces_on_infiniband_are_compared_without_the_flags() {
    let lladdr = |flags: u8, last: u8| {
        let mut octets = [7; 20];
        (octets[0], octets[19]) = (flags, last);
        LinkAddr::try_new(&octets).expect("20 octets")
    };
    let mut bench = Bench::new();
    for segment in [A, B] {
        let [_, low] = segment.0.to_be_bytes();
        let own = lladdr(0, 100 + low);
        let kind = LinkKind::Ipoib;
        bench.links(
            segment,
            Some(crate::fact::Link { kind, lladdr: own, index: 20 + u32::from(low), ..link(segment) }),
        );
    }
    bench.knows(A, Host { address: ip(9), lladdr: lladdr(0, 9) });
    let log = bench.traces(B, Host { address: ip(9), lladdr: lladdr(0x80, 9) });
    assert_eq!(log.verifications().len(), 2);
}

/// `10.0.x.y`, one link-layer address each.
fn many(count: u16) -> Bench {
    let mut plan = plan(2);
    plan.domains[0].prefixes = vec![net("10.0.0.0/16")];
    for segment in &mut plan.segments {
        segment.addresses.prefixes = vec![net("10.0.0.0/16")];
    }
    let mut bench = Bench::with(plan);
    for number in 0..count {
        if number % 100 == 0 {
            bench.passes(ms(50));
        }
        bench.hears(A, one_of_many(number).speaks());
    }
    bench
}

fn one_of_many(number: u16) -> Host {
    let [high, low] = (0x100 + number).to_be_bytes();
    Host { address: Ipv4Addr::new(10, 0, high, low), lladdr: LinkAddr::ethernet([2, 1, 0, 0, high, low]) }
}

#[test]
fn a_flood_of_traces_stays_within_the_rate() {
    let mut bench = many(2000);
    bench.passes(SECOND);
    let mut log = Log::default();
    for round in 0..40_u16 {
        for number in 0..2000 {
            log.append(bench.traces(B, one_of_many((number + round) % 2000)));
        }
        // Everybody is where it is known.
        for number in 0..2000 {
            bench.hears(A, one_of_many(number).replies());
        }
        log.append(bench.passes(ms(50)));
    }
    let asked = log.verifications().len();
    assert!((250..=2 * (250 + 2 * 125) + 50).contains(&asked), "{asked} requests in two seconds");
    assert_eq!((log.routes(), log.events()), (Vec::new(), Vec::new()));
}

#[test]
fn a_hundred_machines_that_migrate_at_once_are_found_within_a_second() {
    let mut bench = many(1000);
    bench.passes(SECOND);
    for number in 0..100 {
        bench.traces(B, one_of_many(number));
    }
    let mut log = Log::default();
    for _ in 0..10 {
        let step = bench.passes(ms(50));
        for (on, address, _) in step.verifications() {
            let [_, _, high, low] = address.octets();
            let number = u16::from_be_bytes([high, low]) - 0x100;
            if on == B {
                log.append(bench.hears(B, one_of_many(number).replies()));
            }
        }
        log.append(step);
    }
    log.append(bench.passes(ms(400)));
    assert_eq!(log.routes().len(), 100);
}
