//! Two subnets in one daemon never mix.

use crate::Write;
use std::net::Ipv4Addr;

use super::bench::{A, B, Bench, C, Host, PROTOCOL, SECOND, host, ip, mac, net, our_route, plan, segment};
use crate::fact::KernelRoute;
use crate::plan::{DomainId, DomainPlan, SegmentId};
use crate::{Event, Fact};

const D: SegmentId = SegmentId(3);

/// A host of the second subnet.
fn other(last: u8) -> Host {
    Host { address: Ipv4Addr::new(10, 9, 0, last), lladdr: mac(last) }
}

/// `10.0.0.0/24` on a and b, `10.9.0.0/24` on c and d.
fn two_domains() -> Bench {
    let mut plan = plan(2);
    let prefixes = vec![net("10.9.0.0/24")];
    for name in ['c', 'd'] {
        plan.segments.push(crate::plan::SegmentPlan { domain: DomainId(1), ..segment(name, &prefixes) });
    }
    plan.domains.push(DomainPlan { name: "lab".to_owned(), prefixes, ..DomainPlan::default() });
    let mut bench = Bench::with(plan);
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1), Ipv4Addr::new(10, 9, 0, 1)] });
    bench
}

#[test]
fn nobody_is_answered_for_across_domains() {
    let mut bench = two_domains();
    bench.knows(A, host(9));
    bench.knows(C, other(9));
    assert!(bench.hears(C, other(20).asks(ip(9))).answers().is_empty());
    assert!(bench.hears(A, host(20).asks(other(9).address)).answers().is_empty());
    assert_eq!(bench.hears(D, other(21).asks(other(9).address)).answers().len(), 1);
}

#[test]
fn a_search_stays_in_its_domain() {
    let mut bench = two_domains();
    assert_eq!(bench.hears(A, host(20).asks(ip(77))).searches(), [(B, ip(77))]);
    assert!(bench.hears(A, host(20).asks(other(77).address)).searches().is_empty());
}

#[test]
fn a_host_of_one_domain_is_not_learned_on_a_segment_of_the_other() {
    let mut bench = two_domains();
    assert!(bench.hears(C, host(9).announces()).is_empty());
    assert!(bench.hears(A, other(9).announces()).is_empty());
}

#[test]
fn a_word_in_the_other_domain_moves_nobody() {
    let mut bench = two_domains();
    bench.knows(A, host(9));
    assert!(bench.hears(C, host(9).speaks()).is_empty());
    assert!(bench.hears(C, host(9).probes()).is_empty());
}

#[test]
fn announcements_stay_in_their_domain() {
    let mut bench = two_domains();
    bench.knows(C, other(9));
    assert_eq!(bench.hears(D, other(9).speaks()).announcements(), [(C, other(9).address)]);
    let relabelled = crate::fact::Link { lladdr: mac(200), ..super::bench::link(A) };
    assert!(bench.links(A, Some(relabelled)).announcements().is_empty());
}

#[test]
fn each_domain_has_its_own_cover_and_loses_it_alone() {
    let mut bench = two_domains();
    let log = bench.give(Fact::CoverVanished { prefix: net("10.9.0.0/24") });
    let cover = crate::Order::Write(Write::PutCover { prefix: net("10.9.0.0/24") });
    assert_eq!(log.orders(), [cover]);
}

/// Two domains may name the same prefix when they live in different network namespaces.
#[test]
fn the_same_address_in_two_domains_is_two_hosts() {
    let mut plan = plan(2);
    plan.domains.push(DomainPlan {
        name: "twin".to_owned(),
        prefixes: vec![net("10.0.0.0/24")],
        ..DomainPlan::default()
    });
    for name in ['c', 'd'] {
        let twin = segment(name, &[net("10.0.0.0/24")]);
        plan.segments.push(crate::plan::SegmentPlan { domain: DomainId(1), ..twin });
    }
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    bench.knows(C, host(9).with_mac(99));
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
    assert_eq!(bench.hears(D, host(20).asks(ip(9))).answers().len(), 1);
    let log = bench.give(Fact::RouteVanished(our_route(C, 9)));
    assert_eq!(log.events(), [Event::RouteHealed { address: ip(9), segment: C }]);
    let moved = bench.hears(D, host(9).with_mac(99).speaks());
    assert!(matches!(moved.events()[..], [Event::HostMoved { old_segment: Some(C), segment: Some(D), .. }]));
    assert!(bench.passes(SECOND).routes().is_empty());
    let stray = KernelRoute { protocol: PROTOCOL, ..our_route(A, 9) };
    assert!(bench.give(Fact::RouteAppeared(stray)).is_empty(), "it stands as it should");
}

/// The shell names the first segment of the interface a route leaves by.
#[test]
fn two_domains_on_one_interface_know_their_routes_apart() {
    let mut plan = plan(2);
    let prefixes = vec![net("10.9.0.0/24")];
    let shared = segment('a', &prefixes);
    plan.segments.push(crate::plan::SegmentPlan { domain: DomainId(1), ..shared });
    plan.domains.push(DomainPlan { name: "lab".to_owned(), prefixes, ..DomainPlan::default() });
    let mut bench = Bench::with(plan);
    bench.knows(C, other(9));
    let seen = KernelRoute { address: other(9).address, source: None, ..our_route(A, 9) };
    let log = bench.give(Fact::TableRead { routes: vec![seen] });
    assert!(log.routes().is_empty() && log.events().is_empty(), "{log:?}");
    let address = other(9).address;
    let healed = Event::RouteHealed { address, segment: C };
    assert_eq!(bench.give(Fact::RouteVanished(seen)).events(), [healed]);
    let adopted = KernelRoute { address: other(10).address, ..our_route(A, 10) };
    let log = bench.give(Fact::RouteAppeared(adopted));
    assert_eq!(log.events(), [Event::RouteAdopted { address: other(10).address, segment: C }]);
}
