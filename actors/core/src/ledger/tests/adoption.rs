//! The kernel's table in full: what an earlier run left, what was lost, what is not ours.

use super::bench::{
    A, B, Bench, METRIC, PROTOCOL, SECOND, foreign_route, host, ip, link, mac, net, our_route, plan,
};
use super::log::{Log, delete, put_neighbour, replace};
use crate::Write;
use crate::fact::{KernelRoute, Link};
use crate::order::Order;
use crate::{Event, Fact, LinkAddr};

fn started_with(routes: &[KernelRoute]) -> (Bench, Log) {
    let mut bench = Bench::new();
    let log = bench.give(Fact::TableRead { routes: routes.to_vec() });
    (bench, log)
}

fn adopted(last: u8) -> Event {
    Event::RouteAdopted { address: ip(last), segment: A }
}

#[test]
fn a_route_of_an_earlier_run_stays_while_its_host_is_asked() {
    let (mut bench, log) = started_with(&[our_route(A, 9)]);
    assert!(log.routes().is_empty());
    assert_eq!(log.events(), [adopted(9)]);
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
    assert!(bench.hears(A, host(9).replies()).is_empty(), "it stays, and nothing has to be done");
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
}

#[test]
fn a_route_of_an_earlier_run_whose_host_is_silent_is_withdrawn() {
    let (mut bench, _) = started_with(&[our_route(A, 9)]);
    let log = bench.passes(5 * SECOND);
    assert_eq!(log.routes(), [delete(A, 9)]);
    assert_eq!(log.events(), [Event::HostGone { address: ip(9), lladdr: mac(9), segment: A }]);
}

#[test]
fn a_route_whose_neighbour_entry_is_lost_is_asked_for_by_broadcast() {
    let silent = KernelRoute { lladdr: LinkAddr::UNKNOWN, ..our_route(A, 9) };
    let (mut bench, log) = started_with(&[silent]);
    assert_eq!(log.verifications(), [(A, ip(9), None)]);
    let log = bench.hears(A, host(9).replies());
    assert_eq!(log.orders(), [put_neighbour(A, 9, mac(9))]);
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
}

#[test]
fn a_route_of_an_earlier_run_whose_host_has_moved_meanwhile_follows_it() {
    let (mut bench, _) = started_with(&[our_route(A, 9)]);
    bench.hears(B, host(9).with_mac(99).speaks());
    assert_eq!(bench.passes(SECOND).routes(), [replace(B, 9)]);
}

#[test]
fn many_routes_of_an_earlier_run_are_verified_at_a_pace() {
    let routes: Vec<KernelRoute> = (10..250).map(|last| our_route(A, last)).collect();
    let (mut bench, log) = started_with(&routes);
    assert_eq!(log.events().len(), 240);
    assert!(log.verifications().len() <= 60, "{} at once", log.verifications().len());
    assert_eq!(bench.passes(SECOND / 2).routes(), []);
}

#[test]
fn a_preferred_source_of_an_earlier_run_is_replaced() {
    let old = KernelRoute { source: Some(ip(2)), ..our_route(A, 9) };
    assert_eq!(started_with(&[old]).1.routes(), [replace(A, 9)]);
}

#[test]
fn leftovers_that_lead_nowhere_we_serve_are_deleted() {
    let mut plan = plan(2);
    plan.segments[0].addresses.prefixes = vec![net("10.0.0.64/28")];
    for stray in [
        KernelRoute { metric: METRIC + 1, ..our_route(B, 9) },
        KernelRoute { address: [10, 7, 0, 9].into(), ..our_route(B, 9) },
        our_route(A, 9),
        our_route(B, 1),
        our_route(B, 255),
    ] {
        let mut bench = Bench::with(plan.clone());
        let log = bench.give(Fact::TableRead { routes: vec![stray] });
        assert_eq!(log.routes(), [Order::Write(Write::DeleteStray(stray))]);
        assert!(log.events().is_empty());
    }
}

#[test]
fn a_leftover_of_another_metric_does_not_stand_in_for_the_route_of_a_known_host() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let stray = KernelRoute { metric: METRIC + 1, ..our_route(A, 9) };
    let log = bench.give(Fact::TableRead { routes: vec![stray] });
    assert_eq!(log.routes(), [Order::Write(Write::DeleteStray(stray)), replace(A, 9)]);
}

#[test]
fn a_leftover_beside_somebody_elses_route_is_deleted() {
    let (_, log) = started_with(&[our_route(A, 9), foreign_route(9)]);
    assert_eq!(log.routes(), [Order::Write(Write::DeleteStray(our_route(A, 9)))]);
}

#[test]
fn of_two_leftovers_for_one_address_one_is_kept() {
    let (_, log) = started_with(&[our_route(A, 9), our_route(B, 9)]);
    assert_eq!(log.events(), [adopted(9)]);
    assert_eq!(log.routes(), [Order::Write(Write::DeleteStray(our_route(B, 9)))]);
}

#[test]
fn our_mark_on_an_interface_that_is_none_of_ours_is_left_alone() {
    let others = KernelRoute { segment: None, interface: 99, ..our_route(A, 9) };
    assert_eq!(others.protocol, PROTOCOL);
    let (_, log) = started_with(&[others]);
    assert!(log.routes().is_empty() && log.events().is_empty());
}

#[test]
fn an_earlier_run_that_knew_more_hosts_than_allowed_is_cut_down() {
    let mut plan = plan(1);
    plan.segments[0].limits.hosts = 2;
    let mut bench = Bench::with(plan);
    let log = bench.give(Fact::TableRead { routes: (10..20).map(|last| our_route(A, last)).collect() });
    assert_eq!(log.events().len(), 2);
    assert_eq!(log.routes().len(), 8);
}

#[test]
fn routes_read_before_the_link_is_known_get_their_full_time_once_it_is() {
    let mut bench = Bench::cold(plan(2));
    let log = bench.give(Fact::TableRead { routes: vec![our_route(A, 9)] });
    assert_eq!(log.events(), [adopted(9)]);
    let log = bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
    assert!(log.routes().is_empty(), "where to is not known yet");
    let log = bench.up(A);
    assert_eq!(log.routes(), [replace(A, 9)], "its source may be an old one");
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
    assert_eq!(bench.passes(5 * SECOND).routes(), [delete(A, 9)]);
}

#[test]
fn addresses_told_after_the_table_are_no_hosts() {
    let mut bench = Bench::cold(plan(2));
    bench.up(A);
    bench.give(Fact::TableRead { routes: vec![our_route(A, 2)] });
    let log = bench.give(Fact::AddressesChanged { addresses: vec![ip(1), ip(2)] });
    assert!(log.routes().contains(&delete(A, 2)));
    assert!(bench.passes(60 * SECOND).is_empty());
}

#[test]
fn what_was_lost_unseen_is_put_back_after_a_full_read() {
    let mut bench = Bench::new();
    for last in [9, 10, 11] {
        bench.knows(A, host(last));
    }
    let log = bench.give(Fact::TableRead { routes: vec![our_route(A, 10), our_route(B, 11)] });
    assert_eq!(
        log.routes(),
        [Order::Write(Write::DeleteStray(our_route(B, 11))), replace(A, 9), replace(A, 11)]
    );
    let healed = |last| Event::RouteHealed { address: ip(last), segment: A };
    assert_eq!(log.events(), [healed(9), healed(11)]);
}

#[test]
fn a_full_read_tells_of_foreign_routes_that_came_and_went_unseen() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(A, host(10));
    bench.give(Fact::RouteAppeared(foreign_route(10)));
    let log = bench.give(Fact::TableRead { routes: vec![our_route(A, 9), foreign_route(9)] });
    assert!(log.routes().contains(&delete(A, 9)), "{log:?}");
    assert!(
        log.routes().iter().any(
            |order| matches!(order, Order::Write(Write::PutRoute { address, .. }) if *address == ip(10))
        )
    );
}

#[test]
fn a_full_read_of_what_is_as_it_should_be_changes_nothing() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    let log = bench.give(Fact::TableRead { routes: vec![our_route(A, 9), our_route(B, 20)] });
    assert!(log.routes().is_empty() && log.events().is_empty());
}

#[test]
fn a_route_in_our_name_that_nobody_here_wrote_is_checked_like_a_leftover() {
    let mut bench = Bench::new();
    let log = bench.give(Fact::RouteAppeared(our_route(A, 9)));
    assert_eq!(log.events(), [adopted(9)]);
    assert_eq!(bench.passes(5 * SECOND).routes(), [delete(A, 9)]);
}

#[test]
fn addresses_nobody_has_do_not_follow_a_default_route() {
    let mut bench = Bench::cold(plan(2));
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
    let prefix = net("10.0.0.0/24");
    let cover = Order::Write(Write::PutCover { prefix });
    assert!(bench.up(A).orders().contains(&cover));
    assert!(!bench.up(B).orders().contains(&cover), "once");
    assert_eq!(bench.give(Fact::CoverVanished { prefix }).orders(), std::slice::from_ref(&cover));
    assert!(bench.give(Fact::CoverVanished { prefix: net("10.7.0.0/16") }).is_empty());
    assert!(bench.give(Fact::TableRead { routes: Vec::new() }).orders().contains(&cover));
}

#[test]
fn no_cover_is_put_before_a_segment_can_be_used() {
    let mut bench = Bench::cold(plan(1));
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
    bench.links(A, Some(Link { up: false, ..link(A) }));
    let log = bench.give(Fact::CoverVanished { prefix: net("10.0.0.0/24") });
    assert!(log.is_empty());
}
