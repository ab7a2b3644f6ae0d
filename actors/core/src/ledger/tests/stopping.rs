//! The end of the daemon.

use super::bench::{A, B, Bench, SECOND, foreign_route, host, ip, net, plan};
use super::log::put;
use super::log::refused;
use super::log::{delete, delete_neighbour};
use crate::Fact;
use crate::Write;
use crate::order::Order;
use crate::plan::Plan;

#[test]
fn a_purge_takes_every_route_cover_and_neighbour_entry_of_ours() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(B, host(10));
    let log = bench.give(Fact::Stopped { purge: true });
    assert_eq!(log.routes(), [delete(A, 9), delete(B, 10)]);
    assert_eq!(log.neighbours(), [delete_neighbour(A, 9), delete_neighbour(B, 10)]);
    let cover = Order::Write(Write::DeleteCover { prefix: net("10.0.0.0/24") });
    assert!(log.orders().contains(&cover));
}

#[test]
fn keeping_leaves_everything_as_it_is() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    assert!(bench.give(Fact::Stopped { purge: false }).is_empty());
}

#[test]
fn what_another_configuration_does_not_know_of_goes_and_all_else_stays() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(B, host(10));
    let next = Plan { segments: plan(3).segments.into_iter().skip(1).collect(), ..plan(3) };
    let log = bench.give(plan(3).give_way_to(&next));
    assert_eq!((log.routes(), log.neighbours()), (vec![delete(A, 9)], vec![delete_neighbour(A, 9)]));
    assert_eq!(log.orders().len(), 2, "{:?}", log.orders());
    assert!(bench.hears(A, host(11).speaks()).is_empty(), "it has given way");
}

#[test]
fn a_prefix_that_is_no_longer_served_is_no_longer_covered() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let mut next = plan(3);
    next.domains[0].prefixes = vec![net("10.0.0.0/23")];
    let cover = Order::Write(Write::DeleteCover { prefix: net("10.0.0.0/24") });
    assert_eq!(bench.give(plan(3).give_way_to(&next)).orders(), [cover]);
}

#[test]
fn a_purge_leaves_no_neighbour_entry_beside_somebody_elses_route() {
    let mut bench = Bench::new();
    bench.give(Fact::RouteAppeared(foreign_route(9)));
    bench.knows(A, host(9));
    let log = bench.give(Fact::Stopped { purge: true });
    assert_eq!(log.routes(), [delete(A, 9)], "ours, should the news of theirs have been late");
    assert_eq!(log.neighbours(), [delete_neighbour(A, 9)]);
}

#[test]
fn a_refused_route_is_purged_too() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.give(refused(&put(A, 9), 105));
    assert_eq!(bench.give(Fact::Stopped { purge: true }).routes(), [delete(A, 9)]);
}

#[test]
fn after_the_end_nothing_is_ordered() {
    for purge in [true, false] {
        let mut bench = Bench::new();
        bench.knows(A, host(9));
        bench.hears(B, host(20).asks(ip(77)));
        bench.give(Fact::RouteAppeared(foreign_route(9)));
        bench.give(Fact::Stopped { purge });
        assert_eq!(bench.ledger.deadline(), None);
        assert!(bench.hears(B, host(21).asks(ip(9))).is_empty());
        assert!(bench.passes(3600 * SECOND).is_empty());
        assert!(bench.give(Fact::Stopped { purge: true }).is_empty());
    }
}
