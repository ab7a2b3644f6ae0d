//! Address probes (RFC 5227): a host makes sure that nobody has the address it is about to take.

use std::net::Ipv4Addr;

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, link, mac, ms, own_mac, plan};
use super::log::{Log, delete, replace};
use crate::arp::{Arp, Frame, Operation};
use crate::fact::{Fact, Link};
use crate::order::Purpose;
use crate::plan::AnswerMode;
use crate::{Event, LinkAddr};

/// Another station that is about to take the address of host 9.
fn prober() -> Host {
    host(9).with_mac(99)
}

fn defended(log: &Log) -> bool {
    let arp = Arp {
        operation: Operation::Reply,
        sender_lladdr: own_mac(B),
        sender: ip(9),
        target_lladdr: mac(99),
        target: Ipv4Addr::UNSPECIFIED,
    };
    log.frames(Purpose::Answer) == [(B, Frame { to: Some(mac(99)), from: None, arp })]
}

fn duplicate() -> Event {
    Event::DuplicateAddress {
        address: ip(9),
        lladdr: mac(9),
        segment: A,
        claimant_lladdr: mac(99),
        claimant_segment: B,
    }
}

#[test]
fn nobody_is_learned_from_a_probe() {
    let mut bench = Bench::new();
    let log = bench.hears(B, prober().probes());
    assert!(log.routes().is_empty() && log.events().is_empty());
    assert!(bench.passes(60 * SECOND).routes().is_empty());
}

#[test]
fn a_host_that_died_a_moment_after_it_was_heard_is_not_defended() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = bench.hears(B, prober().probes());
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
    assert!(log.answers().is_empty() && bench.passes(2 * SECOND).answers().is_empty());
}

#[test]
fn a_host_heard_a_moment_ago_is_defended_once_it_has_shown_that_it_lives() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, prober().probes());
    let log = bench.hears(A, host(9).replies());
    assert!(defended(&log), "{log:?}");
    assert_eq!(log.events(), [duplicate()]);
}

#[test]
fn a_host_not_heard_lately_is_defended_once_it_has_shown_that_it_lives() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(5 * SECOND);
    let log = bench.hears(B, prober().probes());
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
    assert!(log.answers().is_empty());
    bench.passes(ms(20));
    let log = bench.hears(A, host(9).replies());
    assert!(defended(&log), "{log:?}");
    assert_eq!(log.events(), [duplicate()]);
    assert!(bench.passes(SECOND).is_empty());
}

#[test]
fn a_host_that_does_not_answer_is_not_defended_but_doubted() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(5 * SECOND);
    bench.hears(B, prober().probes());
    let log = bench.passes(10 * SECOND);
    assert!(log.answers().is_empty());
    assert_eq!(
        log.verifications().len(),
        1 + 5,
        "two to defend it, the first of them sent at once, then five"
    );
    assert!(matches!(log.events()[..], [Event::HostGone { .. }]));
}

#[test]
fn a_prober_that_then_announces_itself_takes_the_address_of_a_silent_host() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(5 * SECOND);
    bench.hears(B, prober().probes());
    bench.passes(ms(100));
    bench.hears(B, prober().announces());
    let log = bench.passes(ms(150));
    assert_eq!(log.routes(), [replace(B, 9)]);
    assert!(log.answers().is_empty());
}

#[test]
fn a_host_is_never_defended_against_itself() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    assert!(bench.hears(B, host(9).probes()).answers().is_empty(), "it moved, and will say so");
    assert!(bench.passes(5 * SECOND).answers().is_empty());
    assert!(bench.hears(B, host(9).probes()).answers().is_empty());
}

#[test]
fn a_host_on_the_probers_own_segment_defends_itself() {
    let mut bench = Bench::new();
    bench.knows(B, host(9));
    assert!(bench.hears(B, prober().probes()).is_empty());
    bench.passes(20 * SECOND);
    assert!(bench.hears(B, prober().probes()).is_empty());
}

#[test]
fn an_unknown_target_is_left_to_the_prober_but_looked_for_elsewhere() {
    let mut bench = Bench::new();
    let log = bench.hears(B, prober().probes());
    assert_eq!(log.searches(), [(A, ip(9)), (C, ip(9))]);
    assert_eq!(log.orders().len(), 2);
    for (_, frame) in log.frames(Purpose::Search) {
        assert_eq!(frame.arp.sender, ip(1), "a probe in our name would be a conflict to a prober there");
    }
    assert!(bench.passes(10 * SECOND).answers().is_empty());
}

#[test]
fn an_unknown_target_that_proves_to_live_elsewhere_is_defended() {
    let mut bench = Bench::new();
    bench.hears(B, prober().probes());
    bench.passes(ms(50));
    let log = bench.hears(A, host(9).replies());
    assert!(defended(&log), "{log:?}");
    assert!(log.events().contains(&duplicate()));
}

#[test]
fn the_prober_itself_proves_nothing_against_it() {
    let mut bench = Bench::new();
    bench.hears(B, prober().probes());
    bench.passes(ms(50));
    assert!(bench.hears(B, prober().announces()).answers().is_empty(), "it has taken the address");
    let mut bench = Bench::new();
    bench.hears(B, prober().probes());
    bench.passes(ms(50));
    assert!(bench.hears(A, prober().announces()).answers().is_empty(), "it has changed segments");
}

#[test]
fn without_an_address_of_ours_nobody_is_looked_for_on_a_probers_behalf() {
    let mut bench = Bench::cold(plan(2));
    bench.give(Fact::AddressesChanged { addresses: Vec::new() });
    for segment in [A, B] {
        bench.links(segment, Some(Link { addresses: Vec::new(), ..link(segment) }));
    }
    assert!(bench.hears(B, prober().probes()).is_empty());
}

#[test]
fn two_stations_that_probe_for_one_address_on_two_segments_are_reported() {
    let mut bench = Bench::new();
    bench.hears(A, host(9).probes());
    bench.passes(ms(200));
    let log = bench.hears(B, prober().probes());
    let event = Event::DuplicateProbe {
        address: ip(9),
        lladdr: mac(9),
        segment: A,
        claimant_lladdr: mac(99),
        claimant_segment: B,
    };
    assert_eq!(log.events(), [event]);
    assert!(log.answers().is_empty(), "neither is told of the other");
    bench.passes(ms(200));
    assert!(bench.hears(A, host(9).probes()).events().is_empty(), "told once");
}

#[test]
fn a_station_that_repeats_its_probe_contradicts_nobody() {
    let mut bench = Bench::new();
    for segment in [A, A, B] {
        assert!(bench.hears(segment, prober().probes()).events().is_empty());
        bench.passes(ms(500));
    }
}

#[test]
fn probes_for_what_no_host_can_have_go_unanswered() {
    let mut bench = Bench::new();
    for target in [ip(0), ip(255), ip(1), Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(224, 0, 0, 1)] {
        let arp = Host { address: target, ..prober() }.probes();
        assert!(bench.hears(B, arp).is_empty(), "{target}");
    }
}

#[test]
fn a_reply_from_nobody_is_no_probe() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let arp = Arp { operation: Operation::Reply, ..prober().probes() };
    assert!(bench.hears(B, arp).is_empty());
}

#[test]
fn nobody_is_defended_where_nobody_is_answered() {
    let mut plan = plan(2);
    plan.segments[1].answer = AnswerMode::Off;
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    assert!(bench.hears(B, prober().probes()).is_empty());
}

#[test]
fn a_route_taken_over_at_start_defends_nobody_before_its_host_speaks() {
    let mut bench = Bench::new();
    let silent = crate::fact::KernelRoute { lladdr: LinkAddr::UNKNOWN, ..super::bench::our_route(A, 9) };
    bench.give(Fact::TableRead { routes: vec![silent] });
    assert!(bench.hears(B, prober().probes()).answers().is_empty());
    let log = bench.hears(A, host(9).replies());
    assert!(defended(&log), "{log:?}");
}

/// It was defended while it was being given up; its answer brings both back.
#[test]
fn a_host_that_proves_alive_after_all_is_still_defended() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(ms(34_900));
    bench.hears(B, prober().probes());
    bench.passes(ms(150));
    assert!(defended(&bench.hears(A, host(9).replies())));
}

#[test]
fn an_ordinary_request_is_no_probe_of_the_same_address() {
    let mut bench = Bench::new();
    bench.hears(A, host(20).asks(ip(9)));
    assert!(bench.hears(B, prober().probes()).events().is_empty());
}

#[test]
fn a_prober_cannot_take_the_address_with_a_reply() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(5 * SECOND);
    bench.hears(B, prober().probes());
    bench.hears(B, prober().replies());
    assert!(bench.passes(SECOND).routes().is_empty());
}

#[test]
fn a_stream_of_probes_does_not_keep_a_dead_host_alive() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let mut routes = Vec::new();
    for _ in 0..200 {
        routes.extend(bench.hears(B, host(9).with_mac(66).probes()).routes());
        routes.extend(bench.passes(ms(200)).routes());
    }
    assert_eq!(routes, [delete(A, 9)], "given up within its budget: 30 s quiet and five requests");
}
