//! From quiet to gone, and back.

use std::net::Ipv4Addr;

use super::bench::{A, B, Bench, SECOND, host, ip, link, mac, ms, own_mac, plan};
use super::log::{delete, delete_neighbour, put};
use crate::fact::Link;
use crate::order::{Order, Purpose};
use crate::plan::AnswerMode;
use crate::plan::LinkKind;
use crate::{Event, Fact};

fn gone(last: u8) -> Event {
    Event::HostGone { address: ip(last), lladdr: mac(last), segment: A }
}

#[test]
fn a_quiet_host_is_asked_by_unicast_then_by_broadcast_and_then_given_up() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let start = bench.now;
    let log = bench.passes(60 * SECOND);
    let (unicast, broadcast) = ((A, ip(9), Some(mac(9))), (A, ip(9), None));
    assert_eq!(log.verifications(), [unicast, unicast, unicast, broadcast, broadcast]);
    assert_eq!(log.millis_of(Purpose::Verify, start), [30_000, 31_000, 32_000, 33_000, 34_000]);
    assert_eq!(log.routes(), [delete(A, 9)]);
    assert_eq!(log.neighbours(), [delete_neighbour(A, 9)]);
    assert_eq!(log.events(), [gone(9)]);
    assert_eq!(log.millis_of_event(start, |event| *event == gone(9)), Some(35_000));
}

#[test]
fn a_request_of_ours_bears_the_segments_own_addresses() {
    let mut bench = Bench::new();
    bench.knows(B, host(9));
    let (_, frame) = bench.passes(31 * SECOND).frames(Purpose::Verify)[0];
    assert_eq!((frame.arp.sender, frame.arp.sender_lladdr), (ip(1), own_mac(B)));
}

#[test]
fn without_an_address_of_ours_a_request_enters_nobodys_cache() {
    let mut bench = Bench::cold(plan(1));
    bench.give(Fact::AddressesChanged { addresses: Vec::new() });
    bench.links(A, Some(Link { addresses: Vec::new(), ..link(A) }));
    bench.knows(A, host(9));
    let (_, frame) = bench.passes(31 * SECOND).frames(Purpose::Verify)[0];
    assert_eq!(frame.arp.sender, Ipv4Addr::UNSPECIFIED);
}

#[test]
fn a_host_that_speaks_is_never_asked() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    for _ in 0..20 {
        assert!(bench.passes(29 * SECOND).is_empty());
        bench.knows(A, host(9));
    }
}

#[test]
fn any_word_revives_a_suspect_to_a_full_quiet_time() {
    for arp in [host(9).replies(), host(9).speaks(), host(9).announces()] {
        let mut bench = Bench::new();
        bench.knows(A, host(9));
        bench.passes(ms(34_900));
        assert!(bench.hears(A, arp).is_empty());
        assert!(bench.passes(30 * SECOND - ms(1)).is_empty());
        assert_eq!(bench.passes(7 * SECOND).verifications().len(), 5);
    }
}

#[test]
fn a_suspect_keeps_its_route_and_its_answers() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    assert!(bench.passes(34 * SECOND).routes().is_empty());
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers(), [(B, ip(9), mac(20))]);
}

#[test]
fn who_is_gone_is_found_again_by_its_first_word() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(60 * SECOND);
    let log = bench.hears(A, host(9).speaks());
    assert_eq!(log.routes(), [put(A, 9)]);
    assert_eq!(log.events(), [Event::HostFound { address: ip(9), lladdr: mac(9), segment: A }]);
}

#[test]
fn wifi_clients_sleep_and_are_asked_more_often() {
    let mut bench = Bench::new();
    bench.links(A, Some(Link { kind: LinkKind::Wifi, ..link(A) }));
    bench.knows(A, host(9));
    let (unicast, broadcast) = ((A, ip(9), Some(mac(9))), (A, ip(9), None));
    assert_eq!(
        bench.passes(60 * SECOND).verifications(),
        [unicast, unicast, unicast, unicast, unicast, broadcast, broadcast]
    );
}

#[test]
fn what_the_operator_says_of_kind_and_counts_wins() {
    let mut plan = plan(2);
    plan.segments[0].kind = Some(LinkKind::Wifi);
    plan.segments[1].expiry.unicast = Some(1);
    plan.segments[1].expiry.broadcast = 0;
    plan.segments[1].expiry.quiet = 3 * SECOND;
    plan.segments[1].expiry.interval = ms(200);
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    let start = bench.now;
    let log = bench.passes(60 * SECOND);
    let asked = |last| log.verifications().iter().filter(|(_, address, _)| *address == ip(last)).count();
    assert_eq!((asked(9), asked(20)), (7, 1));
    let is_20 = |event: &Event| matches!(event, Event::HostGone { address, .. } if *address == ip(20));
    assert_eq!(log.millis_of_event(start, is_20), Some(3200));
}

#[test]
fn requests_keep_to_the_pace_and_a_late_one_is_not_held_against_a_host() {
    let mut plan = plan(2);
    plan.segments[0].sweep = plan.segments[0].sweep.map(|sweep| crate::plan::SweepPlan { rate: 26, ..sweep });
    let mut bench = Bench::with(plan);
    for last in 10..210 {
        bench.knows(A, host(last));
    }
    assert!(bench.passes(ms(29_900)).is_empty());
    let mut requests = Vec::new();
    for _ in 0..10 {
        let log = bench.passes(SECOND);
        assert!((19..=22).contains(&log.verifications().len()), "{} in a second", log.verifications().len());
        requests.extend(log.verifications());
    }
    requests.extend(bench.passes(60 * SECOND).verifications());
    for last in 10..210 {
        assert_eq!(requests.iter().filter(|(_, address, _)| *address == ip(last)).count(), 5, ".{last}");
    }
}

/// Hosts that were heard while they waited to be asked must not all be asked at once later.
#[test]
fn a_place_in_the_pace_is_not_kept_for_later() {
    let mut plan = plan(2);
    plan.segments[0].sweep = plan.segments[0].sweep.map(|sweep| crate::plan::SweepPlan { rate: 26, ..sweep });
    let mut bench = Bench::with(plan);
    for last in 10..210 {
        bench.knows(A, host(last));
    }
    bench.passes(ms(30_100));
    for last in 10..210 {
        bench.knows(A, host(last));
    }
    bench.passes(ms(29_900));
    let asked = bench.passes(3 * SECOND).verifications().len();
    assert!((20..=65).contains(&asked), "{asked} requests in three seconds at a rate of 20");
}

#[test]
fn a_host_that_moves_leaves_its_place_in_the_pace_behind() {
    let mut plan = plan(2);
    // Where nobody is answered for, movers have little to be told, which would take part in the pace.
    plan.segments[1].answer = AnswerMode::Off;
    plan.segments[0].sweep = plan.segments[0].sweep.map(|sweep| crate::plan::SweepPlan { rate: 26, ..sweep });
    let mut bench = Bench::with(plan);
    for last in 10..210 {
        bench.knows(A, host(last));
    }
    bench.passes(ms(30_100));
    for last in 10..210 {
        bench.knows(B, host(last));
    }
    let asked = bench.passes(30 * SECOND).verifications().len();
    assert_eq!(asked, 37, "a tenth of a second's worth at once, of which sweeps keep a quarter");
}

#[test]
fn many_hosts_cost_few_wakeups() {
    let mut bench = Bench::new();
    let speak = |bench: &mut Bench| {
        for last in 10..210 {
            bench.knows(A, host(last));
            bench.passes(ms(100));
        }
    };
    for _ in 0..4 {
        speak(&mut bench);
    }
    bench.wakeups = 0;
    for _ in 0..3 {
        speak(&mut bench);
    }
    assert!((20..=40).contains(&bench.wakeups), "{} wake-ups in a minute for 200 hosts", bench.wakeups);
}

#[test]
fn who_is_gone_is_remembered_for_ten_minutes() {
    let moved = |pause| {
        let mut bench = Bench::new();
        bench.knows(A, host(9));
        bench.passes(35 * SECOND + pause);
        let log = bench.hears(B, host(9).speaks());
        assert_eq!(log.routes(), [put(B, 9)]);
        !log.announcements().is_empty()
    };
    assert!(moved(SECOND), "those who knew its old place are told");
    assert!(moved(599 * SECOND));
    assert!(!moved(600 * SECOND), "nobody remembers its old place any more");
}

#[test]
fn nothing_is_left_to_wake_for_when_nobody_is_known() {
    let mut bench = Bench::new();
    assert_eq!(bench.ledger.deadline(), None);
    bench.knows(A, host(9));
    bench.hears(A, host(9).asks(ip(20)));
    let log = bench.passes(3600 * SECOND);
    assert_eq!(bench.ledger.deadline(), None);
    assert_eq!(log.orders().iter().filter(|order| matches!(order, Order::Emit(_))).count(), 1);
}

#[test]
fn a_host_that_somebody_asks_for_is_probed_if_it_was_quiet_for_five_seconds() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let asks = |bench: &mut Bench| {
        let log = bench.hears(B, host(20).asks(ip(9)));
        assert_eq!(log.answers().len(), 1, "answered at once, and all the same");
        log.verifications()
    };
    bench.passes(ms(4900));
    assert_eq!(asks(&mut bench), []);
    bench.passes(ms(100));
    assert_eq!(asks(&mut bench), [(A, ip(9), Some(mac(9)))]);
    assert_eq!(asks(&mut bench), [], "once");
    bench.hears(A, host(9).replies());
    for _ in 0..100 {
        assert_eq!(asks(&mut bench), []);
        bench.passes(ms(40));
    }
}

#[test]
fn a_dead_host_that_somebody_asks_for_is_given_up_six_seconds_later() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(6 * SECOND);
    bench.hears(B, host(20).asks(ip(9)));
    let gone = Event::HostGone { address: ip(9), lladdr: mac(9), segment: A };
    assert_eq!(bench.passes(6 * SECOND).events(), [gone]);
    let log = bench.hears(B, host(20).asks(ip(9)));
    assert_eq!(log.frames(Purpose::Search).len(), 2, "and searched for when it is asked for again");
}

#[test]
fn a_wifi_station_is_let_sleep_though_somebody_asks_for_it() {
    let mut bench = Bench::new();
    bench.links(A, Some(Link { kind: LinkKind::Wifi, ..link(A) }));
    bench.knows(A, host(9));
    bench.passes(6 * SECOND);
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).verifications(), []);
}
