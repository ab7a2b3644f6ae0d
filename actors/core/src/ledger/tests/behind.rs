//! Stations that speak for hosts behind them with the operator's consent (`behind`).

use std::time::Duration;

use super::bench::{A, B, Bench, Host, SECOND, host, ip, mac, ms, net, plan};
use crate::arp::Mark;
use crate::order::Purpose;
use crate::plan::{Behind, Plan};
use crate::{Event, LinkAddr};

/// The station that others are behind.
const PROXY: LinkAddr = mac(66);

/// A station of the first segment that may hold two addresses speaks for these.
fn behind(what: Behind) -> Plan {
    let mut plan = plan(2);
    plan.segments[0].limits.hosts_per_lladdr = 2;
    plan.segments[0].addresses.behind = [(PROXY, what)].into();
    plan
}

/// The hosts of 10.0.0.32/28.
fn some() -> Behind {
    Behind::Within(vec![net("10.0.0.32/28")])
}

fn by_proxy(last: u8) -> Host {
    Host { lladdr: PROXY, ..host(last) }
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::name).collect()
}

#[test]
fn hosts_behind_it_are_learned_without_limit() {
    let mut bench = Bench::with(behind(Behind::Allow));
    for last in 2..100 {
        assert_eq!(bench.hears(A, by_proxy(last).replies()).routes().len(), 1, "host {last}");
    }
    assert_eq!(bench.hears(B, host(200).asks(ip(99))).answers().len(), 1);
}

#[test]
fn of_a_prefix_those_in_it_and_of_others_as_many_as_any_station() {
    let mut bench = Bench::with(behind(some()));
    for last in 32..42 {
        assert_eq!(bench.hears(A, by_proxy(last).replies()).routes().len(), 1, "host {last}");
    }
    for last in [10, 11] {
        assert_eq!(bench.hears(A, by_proxy(last).replies()).routes().len(), 1, "host {last}");
    }
    let log = bench.hears(A, by_proxy(12).replies());
    assert_eq!(names(&log.events()), ["limit_reached"]);
    let asked = log.frames(Purpose::Verify);
    assert!(asked.iter().all(|(_, frame)| !net("10.0.0.32/28").contains(frame.arp.target)), "{asked:?}");
    assert_eq!(bench.hears(A, by_proxy(42).replies()).routes().len(), 1);
    bench.passes(40 * SECOND);
    assert_eq!(bench.hears(A, by_proxy(12).replies()).routes().len(), 1, "who is gone makes room");
}

#[test]
fn a_proxy_keeps_what_is_behind_it() {
    let mut bench = Bench::with(behind(some()));
    for last in [33, 34, 10] {
        bench.hears(A, by_proxy(last).replies());
    }
    let log = bench.hears_marked(A, by_proxy(2).asks(ip(77)), Mark::Peer);
    assert!(names(&log.events()).contains(&"proxy_found"));
    assert_eq!(log.routes().len(), 2, "the other host goes, and its own address comes");
    assert_eq!(bench.hears(B, host(200).asks(ip(33))).answers().len(), 1);
    assert_eq!(bench.hears(A, by_proxy(35).replies()).routes().len(), 1);
    assert!(bench.hears(A, by_proxy(11).replies()).is_empty());

    let mut bench = Bench::with(behind(Behind::Allow));
    let log = bench.hears_marked(A, by_proxy(2).asks(ip(77)), Mark::Peer);
    assert_eq!(names(&log.events()), ["host_found"], "whom the operator knows is no news");
    assert_eq!(bench.hears(A, by_proxy(11).replies()).routes().len(), 1);
}

#[test]
fn its_replies_keep_a_host_alive_and_their_absence_does_not() {
    let mut bench = Bench::with(behind(some()));
    bench.hears(A, by_proxy(33).replies());
    for _ in 0..3 {
        let log = bench.passes(32 * SECOND);
        assert!(log.verifications().contains(&(A, ip(33), Some(PROXY))));
        bench.hears(A, by_proxy(33).replies());
    }
    assert_eq!(names(&bench.passes(40 * SECOND).events()), ["host_gone"]);
}

/// Its proxy does not speak for it unasked in any other way.
#[test]
fn a_host_that_gets_behind_it_moves_once_its_old_place_is_silent() {
    let mut bench = Bench::with(behind(some()));
    bench.knows(B, host(33));
    let log = bench.hears(A, by_proxy(33).replies());
    assert_eq!(log.verifications(), [(B, ip(33), Some(mac(33)))]);
    assert_eq!(names(&bench.passes(SECOND).events()), ["host_moved"]);

    for last in 33..40 {
        bench.knows(B, host(last));
    }
    for last in 34..40 {
        bench.hears(A, by_proxy(last).replies());
        let log = bench.hears(B, host(last).replies());
        assert_eq!(names(&log.events()), ["duplicate_address"], "who lives elsewhere stays there");
        bench.passes(Duration::from_millis(500));
    }
    let mut bench = Bench::with(behind(some()));
    bench.knows(B, host(12));
    bench.hears(A, by_proxy(12).replies());
    assert!(bench.passes(SECOND).routes().is_empty(), "and who is not behind it moves nowhere");
}

#[test]
fn of_two_in_a_row_each_answers_the_other_for_who_lives_and_asks_nobody() {
    let mut bench = Bench::with(behind(Behind::Allow));
    bench.knows(B, host(20));
    let log = bench.hears_marked(A, by_proxy(2).asks(ip(20)), Mark::Peer);
    assert_eq!(log.answers(), [(A, ip(20), PROXY)]);
    let log = bench.hears_marked(A, by_proxy(2).asks(ip(77)), Mark::Peer);
    assert!(log.searches().is_empty() && log.answers().is_empty());
    bench.passes(ms(10));
    let log = bench.hears_marked(A, host(3).asks(ip(20)), Mark::Peer);
    assert!(log.answers().is_empty(), "another is not answered");
}
