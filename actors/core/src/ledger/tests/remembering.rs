//! What an earlier run knew of hosts, taken over with the routes that it left.

use std::time::Duration;

use super::bench::{A, B, Bench, C, SECOND, host, ip, mac, net, our_route, plan};
use super::log::{Log, delete, put};
use crate::fact::KernelRoute;
use crate::memory::{Origin, RememberedHost, memory_of};
use crate::plan::Plan;
use crate::view::HostView;
use crate::{Event, Fact, LinkAddr};

const AGE: Duration = Duration::from_secs(20);

fn remembered(interface: &str, last: u8) -> RememberedHost {
    RememberedHost {
        address: ip(last),
        interface: interface.to_owned(),
        lladdr: mac(last),
        learned_from: Origin::Announcement,
        is_live: true,
        age: AGE,
    }
}

/// The start of a run that is given this memory and finds these routes; its links come up last.
fn started(plan: Plan, hosts: &[RememberedHost], routes: &[KernelRoute]) -> (Bench, Log) {
    let segments = (0..).map(crate::SegmentId).take(plan.segments.len());
    let mut bench = Bench::cold(plan);
    bench.give(Fact::Remembered { hosts: hosts.to_vec() });
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
    let log = bench.give(Fact::TableRead { routes: routes.to_vec() });
    for segment in segments {
        bench.up(segment);
    }
    (bench, log)
}

fn row(bench: &Bench, last: u8) -> HostView {
    let rows = bench.ledger.host_views(bench.now);
    rows.into_iter().find(|row| row.address == ip(last)).expect("it is known")
}

#[test]
fn a_host_is_as_it_was_known_if_its_route_stands() {
    let (mut bench, log) = started(plan(3), &[remembered("a", 9)], &[our_route(A, 9)]);
    assert_eq!(
        (log.routes(), log.events()),
        (vec![], vec![Event::RouteAdopted { address: ip(9), segment: A }])
    );
    let it = row(&bench, 9);
    assert_eq!((&*it.learned_from, it.age_seconds, it.lladdr), ("announcement", AGE.as_secs(), mac(9)));
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1, "answered for at once");
}

#[test]
fn it_is_asked_whether_it_lives_and_given_up_if_it_is_silent() {
    let (mut bench, _) = started(plan(3), &[remembered("a", 9)], &[our_route(A, 9)]);
    assert_eq!(bench.passes(6 * SECOND).routes(), [delete(A, 9)]);
}

#[test]
fn the_kernel_is_believed_where_it_knows_another_station_or_another_place() {
    let elsewhere = KernelRoute { lladdr: mac(77), ..our_route(A, 9) };
    for route in [elsewhere, our_route(B, 9)] {
        let (bench, _) = started(plan(3), &[remembered("a", 9)], &[route]);
        let it = row(&bench, 9);
        assert_eq!((&*it.learned_from, it.lladdr), ("kernel", route.lladdr));
    }
}

#[test]
fn a_lost_neighbour_entry_is_known_from_memory() {
    let bare = KernelRoute { lladdr: LinkAddr::UNKNOWN, ..our_route(A, 9) };
    let (bench, _) = started(plan(3), &[remembered("a", 9)], &[bare]);
    assert_eq!(row(&bench, 9).lladdr, mac(9));
}

#[test]
fn a_pin_of_the_new_plan_stands_against_what_was_known() {
    let mut pinned = plan(3);
    pinned.segments[0].addresses.pins = [(ip(9), mac(50))].into();
    let (bench, _) = started(pinned, &[remembered("a", 9)], &[our_route(A, 9)]);
    assert_eq!(&*row(&bench, 9).learned_from, "kernel", "its route stands until it was asked");
}

#[test]
fn a_host_whose_route_is_lost_is_asked_for_as_soon_as_its_segment_is_up() {
    let (mut bench, log) = started(plan(3), &[remembered("a", 9)], &[]);
    assert!(log.orders().is_empty());
    assert!(bench.ledger.host_views(bench.now).is_empty(), "it is not answered for");
    assert_eq!(bench.hears(A, host(9).replies()).routes(), [put(A, 9)]);
}

#[test]
fn one_that_lives_elsewhere_by_now_is_announced_to_those_who_knew_its_place() {
    let (mut bench, _) = started(plan(3), &[remembered("a", 9)], &[]);
    let log = bench.hears(B, host(9).with_mac(9).speaks());
    assert!(log.announcements().iter().any(|(segment, _)| *segment == A), "{log:?}");
}

#[test]
fn what_no_longer_fits_the_plan_is_forgotten() {
    let mut narrow = plan(3);
    narrow.segments[0].addresses.prefixes = vec![net("10.0.0.64/28")];
    let foreign = RememberedHost { address: [10, 9, 9, 9].into(), ..remembered("b", 10) };
    let hosts = [remembered("a", 9), remembered("gone", 10), foreign];
    let (mut bench, _) = started(narrow, &hosts, &[]);
    assert!(bench.ledger.host_views(bench.now).is_empty());
    assert_eq!(memory_of(&bench.ledger, bench.now), []);
    assert!(bench.hears(C, host(20).asks(ip(9))).answers().is_empty());
}

#[test]
fn static_hosts_are_those_of_the_new_plan() {
    let once_static = RememberedHost { learned_from: Origin::Static, ..remembered("a", 9) };
    let (mut bench, _) = started(plan(3), &[once_static], &[our_route(A, 9)]);
    assert_eq!(bench.passes(6 * SECOND).routes(), [delete(A, 9)], "it is a host like any other");
}

#[test]
fn what_is_known_survives_from_one_ledger_to_the_next() {
    let mut first = Bench::new();
    first.knows(A, host(9));
    first.hears(B, host(10).announces());
    first.knows(C, host(11));
    first.passes(40 * SECOND); // nobody answers
    first.knows(A, host(9));
    first.hears(B, host(10).announces());
    first.passes(5 * SECOND);
    let memory = memory_of(&first.ledger, first.now);
    assert_eq!(memory.len(), 3);
    let (second, _) = started(plan(3), &memory, &[our_route(A, 9), our_route(B, 10)]);
    assert_eq!(second.ledger.host_views(second.now), {
        let mut rows = first.ledger.host_views(first.now);
        rows.iter_mut().for_each(|row| row.state = "suspect".into());
        rows
    });
    let again = memory_of(&second.ledger, second.now);
    assert_eq!(again, memory, "the one that is gone, too");
}
