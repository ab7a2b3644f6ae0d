//! Whom the program heard that answers inside the kernel, and what it passes on; what follows from both.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, link, mac, ms, net};
use super::fast_answers::{LAN, bench, fast, fast_bench, fast_plan};
use super::log::Log;
use crate::arp::Mark;
use crate::fact::{Fact, Link, WifiRole};
use crate::order::{Order, Purpose};
use crate::plan::LinkKind;
use crate::{Event, LinkAddr};

/// Of whom is read when the program heard them.
fn read(log: &Log) -> Vec<u8> {
    let last = |order: Order| match order {
        Order::ReadHeard { address, .. } => Some(address.octets()[3]),
        _ => None,
    };
    log.orders().into_iter().filter_map(last).collect()
}

fn heard(last: u8, heard: Option<Duration>) -> Fact {
    Fact::HeardInKernel { domain: LAN, address: ip(last), heard }
}

impl Bench {
    /// Time passes, and the program hears the host at all of these moments.
    fn passes_with(&mut self, span: Duration, last: u8, moments: &[Duration]) -> Log {
        let (start, end) = (self.now, self.now + span);
        let mut log = Log::default();
        while let Some(at) = self.ledger.deadline().filter(|at| *at <= end) {
            let woken = self.passes(at.since(self.now));
            let so_far = at.since(start);
            let since = moments.iter().rfind(|it| **it <= so_far).map(|it| so_far.saturating_sub(*it));
            let is_read = read(&woken).contains(&last);
            log.append(woken);
            if is_read {
                log.append(self.give(heard(last, since)));
            }
        }
        self.now = end;
        log
    }

    /// The program has answered a question for the host, and passes it on.
    fn passed_on(&mut self, last: u8) -> Log {
        self.hears_marked(B, host(20).asks(ip(last)), Mark::Answered)
    }
}

#[test]
fn who_speaks_to_the_program_only_is_never_probed_and_never_goes() {
    let mut bench = bench();
    bench.knows(A, host(9));
    let moments: Vec<Duration> = (1..200).map(|n| n * 3 * SECOND).collect();
    let log = bench.passes_with(600 * SECOND, 9, &moments);
    assert_eq!((log.verifications(), log.events(), fast(&log)), (vec![], vec![], vec![]));
}

#[test]
fn who_falls_silent_is_probed_a_quiet_time_after_the_program_heard_it_last() {
    let mut bench = bench();
    bench.knows(A, host(9));
    let start = bench.now;
    let log = bench.passes_with(60 * SECOND, 9, &[8 * SECOND]);
    let first = log.millis_of(Purpose::Verify, start)[0];
    assert!((38_000..40_000).contains(&first), "probed after {first} ms");
    assert!(log.events().iter().any(|it| matches!(it, Event::HostGone { .. })));
}

#[test]
fn a_silent_host_that_was_asked_for_is_given_up_within_seconds() {
    let mut bench = bench();
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    bench.passes(6 * SECOND);
    let log = bench.passed_on(9);
    assert_eq!((log.answers(), read(&log), log.verifications()), (vec![], vec![9], vec![]));
    let start = bench.now;
    let mut log = bench.give(heard(9, None));
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))], "at once");
    log.append(bench.passes(20 * SECOND));
    let gone = log.millis_of_event(start, |it| matches!(it, Event::HostGone { .. }));
    assert!(gone.is_some_and(|gone| gone < 10_000), "gone after {gone:?}");
}

#[test]
fn a_host_that_was_asked_for_while_it_was_heard_is_not_probed_for_that() {
    let mut bench = bench();
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    bench.passes(4 * SECOND);
    assert!(bench.passed_on(9).is_empty());
    bench.passes(2 * SECOND);
    assert_eq!(read(&bench.passed_on(9)), [9]);
    assert_eq!(bench.give(heard(9, Some(SECOND))).verifications(), []);
}

#[test]
fn whoever_asks_in_a_question_that_is_passed_on_is_heard() {
    let mut bench = bench();
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    let start = bench.now;
    bench.passes(20 * SECOND);
    bench.passed_on(9);
    let log = bench.passes(60 * SECOND);
    let to = |last| log.verifications().iter().filter(|(_, address, _)| *address == ip(last)).count();
    assert!(to(20) > 0 && to(9) > 0);
    let probed = log.millis_of(Purpose::Verify, start);
    assert!(probed.iter().any(|at| (50_000..53_500).contains(at)), "{probed:?}");
}

#[test]
fn a_question_that_is_passed_on_for_whom_nobody_knows_is_searched_for_and_not_answered_again() {
    let mut bench = bench();
    bench.knows(B, host(20));
    let log = bench.passed_on(77);
    assert_eq!(log.searches(), [(A, ip(77)), (C, ip(77))]);
    assert_eq!(bench.hears(A, host(77).replies()).answers(), []);
}

#[test]
fn a_stranger_who_asks_for_it_costs_no_probe_if_the_program_heard_it() {
    let mut bench = bench();
    bench.knows(A, host(9));
    bench.passes_with(20 * SECOND, 9, &[6 * SECOND]);
    let log = bench.hears(B, host(20).with_mac(21).asks(ip(9)));
    assert_eq!((log.answers().len(), read(&log), log.verifications()), (1, vec![9], vec![]));
    let log = bench.give(heard(9, Some(ms(500))));
    assert_eq!(log.verifications(), []);
    bench.passes_with(5 * SECOND, 9, &[]);
    let log = bench.hears(B, host(20).with_mac(21).asks(ip(9)));
    assert_eq!(read(&log), [9]);
    let log = bench.give(heard(9, Some(ms(5500))));
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    let mut bench = bench();
    bench.knows(A, host(9));
    let start = bench.now;
    let log = bench.passes(60 * SECOND);
    let first = log.millis_of(Purpose::Verify, start)[0];
    assert!((30_000..33_500).contains(&first), "probed after {first} ms");
    assert!(read(&log).len() <= 8, "{:?}", read(&log));
}

#[test]
fn what_nobody_wanted_to_know_changes_nothing() {
    let mut bench = bench();
    bench.knows(A, host(9));
    for last in [9, 10] {
        assert!(bench.give(heard(last, Some(ms(1)))).is_empty());
    }
}

#[test]
fn many_looks_at_once_wait_for_one_another() {
    let mut plan = fast_plan();
    plan.domains[0].prefixes = vec![net("10.0.0.0/22")];
    for segment in &mut plan.segments {
        segment.addresses.prefixes = vec![net("10.0.0.0/22")];
    }
    let mut bench = fast_bench(plan);
    for number in 300..900_u16 {
        let [high, low] = number.to_be_bytes();
        let lladdr = LinkAddr::ethernet([2, 9, 0, 0, high, low]);
        bench.hears(A, Host { address: Ipv4Addr::new(10, 0, high, low), lladdr }.speaks());
    }
    bench.passes(29 * SECOND);
    let (mut reads, mut most) = (0, 0);
    for _ in 0..800 {
        let now = read(&bench.passes(ms(10))).len();
        (reads, most) = (reads + now, most.max(now));
    }
    assert_eq!((reads, most), (600, 256));
}

/// The interface of an access point, whose list of stations is never read.
fn radio() -> Bench {
    let mut bench = bench();
    bench.links(A, Some(Link { kind: LinkKind::Wifi, ..link(A) }));
    bench.give(Fact::WifiRoleChanged { segment: A, role: Some(WifiRole::AccessPoint) });
    bench.knows(A, host(9));
    bench
}

#[test]
fn a_station_is_probed_in_time_though_neither_list_nor_program_answers() {
    for is_answered in [false, true] {
        let mut bench = radio();
        let start = bench.now;
        let log = match is_answered {
            true => bench.passes_with(60 * SECOND, 9, &[]),
            false => bench.passes(60 * SECOND),
        };
        let first = log.millis_of(Purpose::Verify, start)[0];
        assert!((30_000..36_000).contains(&first), "probed after {first} ms");
    }
}

#[test]
fn a_station_is_let_sleep_though_it_was_asked_for() {
    let mut bench = radio();
    bench.knows(B, host(20));
    let mut log = bench.passes(6 * SECOND);
    log.append(bench.passed_on(9));
    log.append(bench.passes(18 * SECOND));
    assert_eq!((read(&log), log.verifications()), (vec![], vec![]));
}
