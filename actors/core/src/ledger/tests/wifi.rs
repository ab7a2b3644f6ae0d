//! A segment whose interface is an access point: stations that join, leave and sleep.

use std::time::Duration;

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, link, mac, ms, plan};
use super::log::{Log, delete, put, replace};
use crate::fact::{Link, WifiRole};
use crate::plan::{LinkKind, Plan, SegmentId};
use crate::{Event, Fact};

/// Segment A is a cable, B and C are access points.
fn access_points() -> Bench {
    with(plan(3))
}

fn with(plan: Plan) -> Bench {
    let mut bench = Bench::with(plan);
    for segment in [B, C] {
        bench.links(segment, Some(Link { kind: LinkKind::Wifi, ..link(segment) }));
        bench.give(Fact::WifiRoleChanged { segment, role: Some(WifiRole::AccessPoint) });
    }
    bench
}

fn joins(bench: &mut Bench, segment: SegmentId, last: u8) -> Log {
    bench.give(Fact::StationJoined { segment, lladdr: mac(last) })
}

fn leaves(bench: &mut Bench, segment: SegmentId, last: u8) -> Log {
    bench.give(Fact::StationLeft { segment, lladdr: mac(last) })
}

/// The list of B is read: stations and for how long nothing was heard of them.
fn lists(bench: &mut Bench, stations: &[(u8, Duration)]) -> Log {
    let stations = stations.iter().map(|(last, inactive)| (mac(*last), *inactive)).collect();
    bench.give(Fact::StationsRead { segment: B, stations })
}

/// The list is read as soon as it is wanted, for so long a time; a station is always as long inactive.
fn answers_lists(
    bench: &mut Bench,
    span: Duration,
    stations: impl Fn(Duration) -> Vec<(u8, Duration)>,
) -> Log {
    let mut all = Log::default();
    let start = bench.now;
    while bench.now.since(start) < span {
        let log = bench.passes(ms(500));
        if !log.lists().is_empty() {
            let answer = lists(bench, &stations(bench.now.since(start)));
            all.append(answer);
        }
        all.append(log);
    }
    all
}

fn moved(last: u8, old_segment: SegmentId, segment: SegmentId) -> Event {
    super::bench::moved_event(last, (old_segment, mac(last)), (segment, mac(last)))
}

#[test]
fn who_leaves_is_gone_at_once() {
    let mut bench = access_points();
    bench.knows(B, host(9));
    bench.knows(B, host(8));
    let log = leaves(&mut bench, B, 9);
    assert_eq!(log.routes(), [delete(B, 9)]);
    assert_eq!(log.events(), [Event::HostGone { address: ip(9), lladdr: mac(9), segment: B }]);
    assert!(bench.hears(A, host(20).asks(ip(9))).answers().is_empty());
    assert_eq!(bench.hears(A, host(20).asks(ip(8))).answers().len(), 1);
}

#[test]
fn who_returns_is_asked_at_once_and_routed_when_it_answers() {
    let mut bench = access_points();
    bench.knows(B, host(9));
    leaves(&mut bench, B, 9);
    assert!(bench.passes(20 * SECOND).verifications().is_empty());
    let log = joins(&mut bench, B, 9);
    assert_eq!(log.verifications(), [(B, ip(9), Some(mac(9)))]);
    assert!(log.routes().is_empty(), "its keys may not be agreed on: nothing is proven yet");
    assert_eq!(
        bench.passes(ms(1500)).verifications(),
        [(B, ip(9), Some(mac(9)))],
        "it may have missed the first"
    );
    assert_eq!(bench.hears(B, host(9).replies()).routes(), [put(B, 9)]);
}

#[test]
fn a_station_that_went_to_another_access_point_is_asked_there_and_its_move_is_announced() {
    let mut bench = access_points();
    bench.knows(B, host(9));
    leaves(&mut bench, B, 9);
    assert_eq!(joins(&mut bench, C, 9).verifications(), [(C, ip(9), Some(mac(9)))]);
    let log = bench.hears(C, host(9).replies());
    assert_eq!(log.routes(), [put(C, 9)]);
    assert!(log.events().contains(&moved(9, B, C)));
    assert_eq!(log.announcements(), [(A, ip(9)), (B, ip(9))]);
}

#[test]
fn a_station_that_tried_another_access_point_and_came_back_has_not_moved() {
    let mut bench = access_points();
    bench.knows(B, host(9));
    for (from, to) in [(B, C), (C, B)] {
        leaves(&mut bench, from, 9);
        joins(&mut bench, to, 9);
    }
    let log = bench.hears(B, host(9).replies());
    assert_eq!(log.routes(), [put(B, 9)]);
    assert!(log.announcements().is_empty());
}

/// The old access point knows of it only after a while, or the old place is a cable.
#[test]
fn who_joins_before_it_left_moves_when_it_is_silent_at_the_old_place() {
    for (old, tries) in [(A, 2), (B, 4)] {
        let mut bench = access_points();
        bench.knows(old, host(9));
        let mut log = joins(&mut bench, C, 9);
        assert!(log.routes().is_empty());
        log.append(bench.passes(ms(600)));
        let mut asked = vec![(old, ip(9), Some(mac(9))); tries];
        asked.push((C, ip(9), Some(mac(9))));
        assert_eq!(log.verifications(), asked, "and then it is asked whether it is here");
        assert_eq!(log.routes(), [replace(C, 9)]);
        assert_eq!(log.events(), [moved(9, old, C)]);
        assert_eq!(log.announcements().len(), 2);
        assert!(leaves(&mut bench, B, 9).is_empty(), "it lives there no longer");
    }
}

#[test]
fn who_moved_by_joining_and_never_speaks_is_given_up() {
    let mut bench = access_points();
    bench.knows(A, host(9));
    joins(&mut bench, C, 9);
    let log = bench.passes(15 * SECOND);
    assert_eq!(log.routes(), [replace(C, 9), delete(C, 9)]);
}

#[test]
fn who_answers_at_the_old_place_stays_and_nobody_is_accused() {
    let mut bench = access_points();
    bench.knows(A, host(9));
    joins(&mut bench, B, 9);
    assert!(bench.hears(A, host(9).replies()).events().is_empty());
    let log = bench.passes(10 * SECOND);
    assert!(log.routes().is_empty() && log.events().is_empty());
}

#[test]
fn who_speaks_where_it_joined_moves_at_once() {
    let mut bench = access_points();
    bench.knows(A, host(9));
    joins(&mut bench, B, 9);
    assert_eq!(bench.hears(B, host(9).speaks()).routes(), [replace(B, 9)]);
    assert!(bench.passes(5 * SECOND).verifications().is_empty(), "there is nothing left to decide");
}

#[test]
fn another_who_speaks_for_the_address_is_weighed_like_any() {
    let mut bench = access_points();
    bench.knows(A, host(9));
    joins(&mut bench, B, 9);
    bench.hears(C, host(9).with_mac(7).announces());
    assert_eq!(bench.passes(SECOND).routes(), [replace(C, 9)]);
}

#[test]
fn joining_moves_nothing_the_operator_fixed_and_nothing_the_segment_may_not_hold() {
    let mut plan = plan(3);
    plan.segments[0].addresses.pins.insert(ip(9), mac(9));
    plan.segments[1].addresses.never = vec!["10.0.0.8/32".parse().expect("a prefix")];
    let mut bench = with(plan);
    for last in [8, 9] {
        bench.knows(A, host(last));
        assert!(joins(&mut bench, B, last).is_empty());
    }
    assert!(bench.passes(10 * SECOND).is_empty());
}

#[test]
fn leaving_takes_no_static_host_away() {
    let mut plan = plan(3);
    plan.segments[1].addresses.hosts.insert(ip(9), mac(9));
    let mut bench = with(plan);
    assert!(leaves(&mut bench, B, 9).is_empty());
}

#[test]
fn whoever_claims_the_address_of_one_that_leaves_gets_it_in_one_step() {
    let mut bench = access_points();
    bench.knows(B, host(9));
    bench.hears(A, host(9).with_mac(7).announces());
    assert_eq!(leaves(&mut bench, B, 9).routes(), [replace(A, 9)]);
}

#[test]
fn a_station_that_was_heard_is_not_asked() {
    let mut bench = access_points();
    bench.knows(B, host(9));
    let log = answers_lists(&mut bench, 600 * SECOND, |_| vec![(9, 3 * SECOND)]);
    assert!(log.verifications().is_empty() && log.routes().is_empty());
    assert!((15..=25).contains(&log.lists().len()), "{} lists in ten minutes", log.lists().len());
}

#[test]
fn a_station_that_sleeps_is_not_woken_for_five_minutes() {
    let mut bench = access_points();
    bench.knows(B, host(9));
    let start = bench.now;
    let log = answers_lists(&mut bench, 290 * SECOND, |passed| vec![(9, passed)]);
    assert!(log.verifications().is_empty() && log.routes().is_empty());
    assert_eq!(bench.hears(A, host(20).asks(ip(9))).answers().len(), 1);
    let log = answers_lists(&mut bench, 20 * SECOND, |passed| vec![(9, 290 * SECOND + passed)]);
    assert_eq!(log.verifications().len(), 7, "then it is asked as usual");
    assert_eq!(log.routes(), [delete(B, 9)]);
    let gone = log.millis_of_event(start, |event| matches!(event, Event::HostGone { .. }));
    assert!(gone.is_some_and(|at| (306_000..310_000).contains(&at)), "{gone:?}");
}

#[test]
fn who_is_not_on_the_list_is_asked_as_usual() {
    let mut bench = access_points();
    bench.knows(B, host(9));
    let log = answers_lists(&mut bench, 40 * SECOND, |_| vec![(8, SECOND)]);
    assert_eq!((log.lists().len(), log.verifications().len()), (1, 7));
    assert_eq!(log.routes(), [delete(B, 9)]);
}

#[test]
fn a_list_that_never_comes_is_waited_for_a_second() {
    let mut bench = access_points();
    bench.knows(B, host(9));
    assert_eq!(bench.passes(30 * SECOND).lists(), [B]);
    assert!(bench.passes(ms(900)).is_empty());
    assert_eq!(bench.passes(ms(200)).verifications().len(), 1);
}

#[test]
fn a_list_serves_all_who_are_quiet_and_is_read_at_most_once_a_second() {
    let mut bench = access_points();
    for last in 10..110 {
        bench.knows(B, host(last));
        bench.passes(ms(10));
    }
    let sleepers = |_| (10..110).map(|last| (last, 60 * SECOND)).collect();
    let log = answers_lists(&mut bench, 120 * SECOND, sleepers);
    assert!(log.verifications().is_empty());
    assert!((3..=15).contains(&log.lists().len()), "{} lists in two minutes", log.lists().len());
    let silent = bench.passes(60 * SECOND);
    assert!(silent.lists().len() <= 60, "{} lists in a minute, none of them answered", silent.lists().len());
}

/// A phone that took another address would vouch for the old one as long as it lives.
#[test]
fn a_station_that_is_awake_does_not_vouch_for_one_of_several_addresses() {
    let mut bench = access_points();
    bench.knows(B, host(9));
    bench.knows(B, Host { address: ip(10), lladdr: mac(9) });
    let mut log = Log::default();
    for _ in 0..8 {
        bench.hears(B, Host { address: ip(10), lladdr: mac(9) }.speaks());
        log.append(answers_lists(&mut bench, 5 * SECOND, |_| vec![(9, SECOND)]));
    }
    assert_eq!(log.routes(), [delete(B, 9)]);
}

#[test]
fn nobody_is_spared_where_no_radio_tells() {
    let mut bench = access_points();
    bench.knows(B, host(9));
    bench.give(Fact::WifiRoleChanged { segment: B, role: None });
    let log = bench.passes(40 * SECOND);
    assert!(log.lists().is_empty());
    assert_eq!(log.routes(), [delete(B, 9)]);
}

#[test]
fn what_was_missed_shows_in_the_next_list() {
    let mut bench = access_points();
    bench.knows(B, host(8));
    bench.knows(B, host(9));
    leaves(&mut bench, B, 9);
    lists(&mut bench, &[(8, SECOND)]);
    bench.passes(5 * SECOND);
    let log = lists(&mut bench, &[(9, SECOND)]);
    let (left, came) = ((B, ip(8), Some(mac(8))), (B, ip(9), Some(mac(9))));
    assert_eq!(log.verifications(), [left, came], "one may have left, one has come");
}
