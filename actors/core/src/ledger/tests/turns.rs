//! Who is asked first where more hosts are due than the pace allows.

use std::net::Ipv4Addr;

use super::bench::{A, B, Bench, SECOND, host, ip, ms, plan};
use crate::Event;
use crate::plan::{Plan, SweepPlan};
use crate::view::MeasuredView;

/// Hosts on A.
const HOSTS: std::ops::Range<u8> = 10..210;

/// Twenty hosts a second are asked, two at once.
fn slow_plan() -> Plan {
    let mut plan = plan(2);
    plan.segments[0].sweep = plan.segments[0].sweep.map(|sweep| SweepPlan { rate: 26, ..sweep });
    plan
}

/// Two hundred hosts are known on A.
fn crowded() -> Bench {
    let mut bench = Bench::with(slow_plan());
    HOSTS.for_each(|last| bench.knows(A, host(last)));
    bench
}

/// Somebody on B asks for the host.
fn wants(bench: &mut Bench, last: u8) {
    assert_eq!(bench.hears(B, host(230).asks(ip(last))).answers().len(), 1);
}

/// The addresses that are asked on A, in order.
fn asked(bench: &mut Bench, millis: u64) -> Vec<Ipv4Addr> {
    let asked = bench.passes(ms(millis)).verifications();
    asked.into_iter().filter(|(segment, ..)| *segment == A).map(|(_, address, _)| address).collect()
}

fn measured(bench: &Bench) -> MeasuredView {
    bench.ledger.segment_views()[A.index()].measured.clone()
}

#[test]
fn hosts_that_somebody_asked_for_are_asked_before_the_others() {
    let mut bench = crowded();
    (200..210).for_each(|last| wants(&mut bench, last));
    let asked = asked(&mut bench, 30_000 + 800);
    let wanted = asked.iter().filter(|address| **address >= ip(200)).count();
    assert_eq!(wanted, 10, "{asked:?}");
    assert!((16..=19).contains(&asked.len()), "two at once, then twenty a second: {asked:?}");
}

#[test]
fn a_host_that_somebody_asks_for_while_it_waits_goes_before_the_others() {
    let mut bench = crowded();
    asked(&mut bench, 30_200);
    wants(&mut bench, 209);
    assert!(asked(&mut bench, 200).contains(&ip(209)), "within four turns");
    assert!(!asked(&mut bench, 500).contains(&ip(209)), "once");
}

#[test]
fn what_others_answer_counts_as_well() {
    let mut plan = slow_plan();
    plan.segments[1].answer = crate::plan::AnswerMode::Kernel;
    let mut bench = Bench::with(plan);
    HOSTS.for_each(|last| bench.knows(A, host(last)));
    bench.hears(B, host(230).asks(ip(209)));
    assert!(asked(&mut bench, 30_100).contains(&ip(209)));
}

#[test]
fn nobody_waits_for_ever_behind_those_that_are_wanted() {
    let mut bench = crowded();
    (110..210).for_each(|last| wants(&mut bench, last));
    bench.passes(30 * SECOND);
    let asked = asked(&mut bench, 10_000);
    assert!((199..=203).contains(&asked.len()), "{} in ten seconds", asked.len());
    let unwanted = asked.iter().filter(|address| **address < ip(110)).count();
    assert!((45..=55).contains(&unwanted), "a quarter of all turns: {unwanted}");
}

#[test]
fn whoever_did_not_answer_is_asked_again_before_those_that_are_only_quiet() {
    let mut bench = crowded();
    bench.passes(ms(30_050));
    // Those that were asked at once are due again after a second, behind 198 that wait.
    let asked = asked(&mut bench, 1_500);
    for last in [10, 11] {
        assert!(asked.contains(&ip(last)), ".{last} in {asked:?}");
    }
}

#[test]
fn who_is_heard_while_it_waits_is_not_asked_and_waits_anew_when_it_is_quiet_again() {
    let mut bench = crowded();
    bench.passes(ms(30_100));
    let waiting = measured(&bench).verify_waiting;
    bench.knows(A, host(150));
    assert_eq!(measured(&bench).verify_waiting, waiting - 1);
    assert!(!asked(&mut bench, 29_900).contains(&ip(150)));
    HOSTS.filter(|last| *last != 150).for_each(|last| bench.knows(A, host(last)));
    assert_eq!(measured(&bench).verify_waiting, 0);
    assert!(asked(&mut bench, 6_000).contains(&ip(150)));
}

#[test]
fn who_moves_waits_no_longer_where_it_was() {
    let mut bench = crowded();
    bench.passes(ms(30_100));
    let waiting = measured(&bench).verify_waiting;
    bench.knows(B, host(150));
    assert_eq!(measured(&bench).verify_waiting, waiting - 1);
    bench.passes(29 * SECOND);
    assert_eq!(bench.passes(ms(1_500)).verifications().iter().filter(|it| it.0 == B).count(), 1);
}

#[test]
fn that_hosts_are_asked_too_late_is_told_once_and_that_it_is_over() {
    let mut plan = slow_plan();
    plan.segments[0].expiry.quiet = 3 * SECOND;
    let mut bench = Bench::with(plan);
    HOSTS.for_each(|last| bench.knows(A, host(last)));
    let is_about_pace =
        |event: &Event| matches!(event, Event::VerificationLate { .. } | Event::VerificationInTime { .. });
    let mut told = Vec::new();
    while told.is_empty() {
        told.extend(bench.passes(ms(100)).events().into_iter().filter(is_about_pace));
    }
    let [Event::VerificationLate { segment: A, waiting, seconds: 3 }] = told[..] else { panic!("{told:?}") };
    assert!((100..200).contains(&waiting), "{waiting} hosts wait");
    assert_eq!(measured(&bench).verify_late_seconds, 3);
    // A thousand questions in fifty seconds, and all are gone.
    told.extend(bench.passes(60 * SECOND).events().into_iter().filter(is_about_pace));
    assert!(matches!(told[1..], [Event::VerificationInTime { segment: A }]), "{told:?}");
    assert_eq!((bench.ledger.status_view().hosts, measured(&bench).verify_late_seconds), (0, 0));
}

#[test]
fn hosts_that_are_asked_a_moment_late_are_not_told_of() {
    let mut bench = Bench::new();
    HOSTS.for_each(|last| bench.knows(A, host(last)));
    let log = bench.passes(120 * SECOND);
    let is_late = |event: &&Event| matches!(event, Event::VerificationLate { .. });
    assert_eq!(log.events().iter().filter(is_late).count(), 0);
    assert_eq!(bench.ledger.status_view().hosts, 0);
}

#[test]
fn a_link_that_is_lost_and_comes_back_has_everybody_asked_again() {
    let mut bench = crowded();
    bench.passes(ms(30_500));
    bench.links(A, None);
    assert_eq!(measured(&bench).verify_waiting, 0);
    bench.passes(SECOND);
    bench.up(A);
    let mut asked = asked(&mut bench, 11_000);
    asked.sort_unstable();
    asked.dedup();
    assert!(asked.len() >= 110, "{} of 200 in eleven seconds, some of them twice", asked.len());
}
