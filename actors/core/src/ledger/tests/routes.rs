//! Routes of hosts: others' routes, deletions, refusals.

use super::bench::{
    A, B, Bench, FOREIGN, METRIC, SECOND, foreign_route, host, interface, ip, mac, ms, our_route,
};
use super::log::refused;
use super::log::{Log, delete, put, put_neighbour, replace};
use crate::Write;
use crate::fact::KernelRoute;
use crate::order::Order;
use crate::{Event, Fact, LinkAddr, SegmentId};

const EEXIST: i32 = 17;
const ENOBUFS: i32 = 105;

fn conflict(segment: SegmentId, metric: u32) -> Event {
    Event::RouteConflict { address: ip(9), segment, protocol: FOREIGN, metric, interface: 99 }
}

fn refuse(bench: &mut Bench, segment: SegmentId, errno: i32) -> Log {
    bench.give(refused(&put(segment, 9), errno))
}

#[test]
fn somebody_elses_route_is_left_alone_and_reported_once() {
    let mut bench = Bench::new();
    bench.give(Fact::RouteAppeared(foreign_route(9)));
    let log = bench.hears(A, host(9).speaks());
    assert!(log.routes().is_empty());
    assert!(log.events().contains(&conflict(A, 0)));
    for _ in 0..10 {
        bench.passes(SECOND);
        assert!(bench.hears(A, host(9).speaks()).is_empty());
    }
    let log = bench.passes(60 * SECOND);
    assert_eq!(
        log.routes(),
        [delete(A, 9)],
        "none of ours is left, should the news of theirs have been late"
    );
}

#[test]
fn ours_gives_way_to_somebody_elses_route_whatever_its_metric() {
    for metric in [0, METRIC, METRIC + 1] {
        let mut bench = Bench::new();
        bench.knows(A, host(9));
        let log = bench.give(Fact::RouteAppeared(KernelRoute { metric, ..foreign_route(9) }));
        assert_eq!(log.routes(), [delete(A, 9)]);
        assert_eq!(log.events(), [conflict(A, metric)]);
    }
}

#[test]
fn ours_returns_when_somebody_elses_route_goes() {
    let mut bench = Bench::new();
    bench.give(Fact::RouteAppeared(foreign_route(9)));
    bench.knows(A, host(9));
    let log = bench.give(Fact::RouteVanished(foreign_route(9)));
    assert_eq!(log.routes(), [put(A, 9)], "and only if the kernel has no other");
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
}

#[test]
fn those_who_waited_for_a_conflict_to_end_are_answered() {
    let mut bench = Bench::new();
    bench.give(Fact::RouteAppeared(foreign_route(9)));
    bench.hears(B, host(20).asks(ip(9)));
    bench.knows(A, host(9));
    let log = bench.give(Fact::RouteVanished(foreign_route(9)));
    assert_eq!(log.answers(), [(B, ip(9), mac(20))]);
}

/// The kernel says nothing of routes that go with their interface.
#[test]
fn a_conflict_that_ended_without_a_word_is_noticed_within_a_minute() {
    let mut bench = Bench::new();
    bench.give(Fact::RouteAppeared(foreign_route(9)));
    for _ in 0..7 {
        bench.knows(A, host(9));
        let reads = bench.passes(20 * SECOND).orders();
        if reads.contains(&Order::ReadTable) {
            assert_eq!(bench.give(Fact::TableRead { routes: Vec::new() }).routes(), [put(A, 9)]);
        }
    }
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
    assert!(!bench.passes(3600 * SECOND).orders().contains(&Order::ReadTable), "nothing left to look at");
}

#[test]
fn the_end_of_some_other_route_of_theirs_changes_nothing() {
    let mut bench = Bench::new();
    bench.give(Fact::RouteAppeared(foreign_route(9)));
    bench.knows(A, host(9));
    for other in [
        KernelRoute { metric: 20, ..foreign_route(9) },
        KernelRoute { interface: 98, ..foreign_route(9) },
        KernelRoute { protocol: 16, ..foreign_route(9) },
        foreign_route(10),
    ] {
        assert!(bench.give(Fact::RouteVanished(other)).is_empty(), "{other:?}");
    }
}

/// A routing daemon that changes a metric adds the new route before it deletes the old one.
#[test]
fn of_two_foreign_routes_the_second_still_stands_when_the_first_goes() {
    for first_goes in [true, false] {
        let mut bench = Bench::new();
        let second = KernelRoute { metric: 20, ..foreign_route(9) };
        bench.give(Fact::RouteAppeared(foreign_route(9)));
        bench.give(Fact::RouteAppeared(second));
        bench.knows(A, host(9));
        let (one, other) = if first_goes { (foreign_route(9), second) } else { (second, foreign_route(9)) };
        assert!(bench.give(Fact::RouteVanished(one)).routes().is_empty());
        assert_eq!(bench.give(Fact::RouteVanished(other)).routes(), [put(A, 9)]);
    }
}

#[test]
fn a_route_of_ours_that_somebody_deletes_comes_back() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = bench.give(Fact::RouteVanished(our_route(A, 9)));
    assert_eq!(log.routes(), [replace(A, 9)]);
    assert_eq!(log.neighbours(), [put_neighbour(A, 9, mac(9))]);
    assert_eq!(log.events(), [Event::RouteHealed { address: ip(9), segment: A }]);
}

#[test]
fn a_route_nobody_wants_is_not_put_back() {
    let mut bench = Bench::new();
    assert!(bench.give(Fact::RouteVanished(our_route(A, 9))).is_empty());
    bench.knows(A, host(9));
    assert!(bench.give(Fact::RouteVanished(our_route(B, 9))).is_empty(), "not the one that is wanted");
    assert!(bench.give(Fact::RouteVanished(KernelRoute { metric: 7, ..our_route(A, 9) })).is_empty());
    bench.passes(60 * SECOND);
    assert!(bench.give(Fact::RouteVanished(our_route(A, 9))).is_empty(), "its host is gone");
}

#[test]
fn a_route_that_somebody_rewrote_in_our_name_is_set_right() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = bench.give(Fact::RouteAppeared(our_route(B, 9)));
    assert_eq!(log.routes(), [replace(A, 9)]);
}

#[test]
fn a_refused_route_is_reported_and_tried_again_each_second() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = refuse(&mut bench, A, ENOBUFS);
    let reason = "no room".to_owned();
    let event = Event::RouteRefused { address: ip(9), segment: A, errno: ENOBUFS, reason };
    assert_eq!(log.events(), [event]);
    for _ in 0..5 {
        let log = bench.passes(SECOND);
        assert_eq!(log.routes().len(), 1);
        assert_eq!(log.neighbours(), [put_neighbour(A, 9, mac(9))]);
        assert!(refuse(&mut bench, A, ENOBUFS).events().is_empty(), "told once in ten seconds");
    }
    bench.passes(SECOND);
    assert!(bench.passes(20 * SECOND).is_empty(), "it stands now");
}

#[test]
fn a_route_refused_twice_is_tried_again_once() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    refuse(&mut bench, A, ENOBUFS);
    bench.passes(ms(500));
    bench.give(Fact::TableRead { routes: vec![our_route(A, 9)] });
    refuse(&mut bench, A, ENOBUFS);
    assert!(bench.passes(ms(900)).routes().is_empty());
    assert_eq!(bench.passes(ms(1000)).routes().len(), 1);
}

#[test]
fn a_route_the_kernel_has_already_makes_the_ledger_read_the_table_at_most_once_a_second() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(A, host(10));
    assert_eq!(refuse(&mut bench, A, EEXIST).orders(), [Order::ReadTable]);
    assert!(bench.give(refused(&put(A, 10), EEXIST)).is_empty());
}

#[test]
fn the_table_shows_that_the_route_was_our_own_all_the_time() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    refuse(&mut bench, A, EEXIST);
    let log = bench.give(Fact::TableRead { routes: vec![our_route(A, 9)] });
    // It may have been read before the refusal.
    assert_eq!((log.routes(), log.events()), (vec![replace(A, 9)], vec![]));
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
    assert!(bench.passes(5 * SECOND).routes().is_empty());
}

#[test]
fn what_was_written_while_the_table_was_read_is_newer_and_others_routes_are_news_all_the_same() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(A, host(10));
    let theirs = KernelRoute { metric: METRIC, ..foreign_route(9) };
    let stray = our_route(B, 10);
    let read = |written: &[u8]| Fact::TableReadWhileWriting {
        routes: vec![stray, theirs],
        written: written.iter().map(|last| ip(*last)).collect(),
    };
    let log = bench.give(read(&[9, 10]));
    assert_eq!((log.routes(), log.events()), (vec![delete(A, 9)], vec![conflict(A, METRIC)]));
    assert_eq!(bench.give(read(&[9])).routes(), [Order::Write(Write::DeleteStray(stray)), replace(A, 10)]);
}

#[test]
fn a_leftover_in_the_way_gets_the_preferred_source_of_today() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    refuse(&mut bench, A, EEXIST);
    let old = KernelRoute { source: Some(ip(2)), ..our_route(A, 9) };
    assert_eq!(bench.give(Fact::TableRead { routes: vec![old] }).routes(), [replace(A, 9)]);
}

#[test]
fn the_table_shows_that_the_route_is_somebody_elses() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    refuse(&mut bench, A, EEXIST);
    let theirs = KernelRoute { metric: METRIC, ..foreign_route(9) };
    let log = bench.give(Fact::TableRead { routes: vec![theirs] });
    assert_eq!(log.routes(), [delete(A, 9)]);
    assert_eq!(log.events(), [conflict(A, METRIC)]);
    assert!(bench.passes(5 * SECOND).routes().is_empty());
}

#[test]
fn the_table_shows_a_leftover_of_ours_that_leads_elsewhere() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    refuse(&mut bench, A, EEXIST);
    let stray = our_route(B, 9);
    assert_eq!(
        bench.give(Fact::TableRead { routes: vec![stray] }).routes(),
        [Order::Write(Write::DeleteStray(stray))]
    );
    assert_eq!(bench.passes(SECOND).routes(), [put(A, 9)]);
}

#[test]
fn a_move_the_kernel_refuses_leaves_no_route_to_the_old_place() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).speaks());
    let log = refuse(&mut bench, B, ENOBUFS);
    assert!(log.routes().contains(&delete(A, 9)), "{log:?}");
    assert_eq!(bench.passes(SECOND).routes(), [put(B, 9)]);
}

/// It may be a rewrite that was refused, and the route from before still stand.
#[test]
fn who_is_given_up_while_its_route_is_refused_leaves_none_behind() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(ms(34_500));
    refuse(&mut bench, A, ENOBUFS);
    assert_eq!(bench.passes(ms(500)).routes(), [delete(A, 9)]);
    assert!(bench.passes(10 * SECOND).routes().is_empty());
}

#[test]
fn a_refused_rewrite_gives_way_to_somebody_elses_route() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    refuse(&mut bench, A, ENOBUFS);
    let log = bench.give(Fact::RouteAppeared(foreign_route(9)));
    assert_eq!(log.routes(), [delete(A, 9)]);
}

#[test]
fn a_refusal_about_a_route_no_longer_wanted_is_no_matter() {
    let mut bench = Bench::new();
    assert!(refuse(&mut bench, A, ENOBUFS).is_empty());
    bench.knows(A, host(9));
    bench.hears(B, host(9).speaks());
    assert!(refuse(&mut bench, A, ENOBUFS).is_empty());
}

#[test]
fn an_adopted_route_without_a_link_layer_address_writes_no_neighbour_entry() {
    let mut bench = Bench::new();
    let silent = KernelRoute { lladdr: LinkAddr::UNKNOWN, ..our_route(A, 9) };
    bench.give(Fact::TableRead { routes: vec![silent] });
    let log = bench.give(Fact::RouteVanished(silent));
    assert_eq!(log.routes(), [replace(A, 9)]);
    assert!(log.neighbours().is_empty());
    assert_eq!(silent.interface, interface(A));
}
