//! Addresses of this machine come and go.

use super::bench::interface;
use super::bench::{A, B, Bench, SECOND, host, ip, link, mac, ms, net, plan};
use super::log::{Log, delete, put};
use crate::Write;
use crate::event::DownReason;
use crate::fact::Link;
use crate::order::{Order, Purpose};
use crate::{DomainId, Event, Fact};

fn addresses(bench: &mut Bench, last: &[u8]) -> Log {
    bench.give(Fact::AddressesChanged { addresses: last.iter().copied().map(ip).collect() })
}

fn put_with(source: Option<u8>, replace: bool) -> Order {
    Order::Write(Write::PutRoute { interface: interface(A), address: ip(9), source: source.map(ip), replace })
}

#[test]
fn the_preferred_source_is_the_interfaces_first_address_in_the_domain() {
    let mut bench = Bench::with(plan(2));
    bench.links(A, Some(Link { addresses: vec![net("192.168.7.1/24"), net("10.0.0.5/24")], ..link(A) }));
    addresses(&mut bench, &[1, 5]);
    assert_eq!(bench.hears(A, host(9).speaks()).routes(), [put_with(Some(5), false)]);
}

#[test]
fn a_segment_without_an_address_uses_one_the_machine_has_elsewhere() {
    let mut bench = Bench::new();
    assert!(link(B).addresses.is_empty());
    assert_eq!(bench.hears(B, host(9).speaks()).routes(), [put(B, 9)]);
}

#[test]
fn without_any_address_in_the_domain_there_is_no_preferred_source() {
    let mut bench = Bench::cold(plan(1));
    addresses(&mut bench, &[]);
    bench.links(A, Some(Link { addresses: Vec::new(), ..link(A) }));
    assert_eq!(bench.hears(A, host(9).speaks()).routes(), [put_with(None, false)]);
}

/// The kernel drops every route of an interface with its last address, and says nothing.
#[test]
fn routes_are_written_again_when_an_interface_loses_an_address() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = bench.links(A, Some(Link { addresses: Vec::new(), ..link(A) }));
    assert_eq!(log.routes(), [put_with(Some(1), true)]);
    let log = addresses(&mut bench, &[]);
    assert_eq!(log.routes(), [put_with(None, true)]);
    let mut log = addresses(&mut bench, &[1]).routes();
    log.extend(bench.up(A).routes());
    assert_eq!(log, [put_with(Some(1), true), put_with(Some(1), true)]);
}

#[test]
fn a_new_preferred_source_is_written_to_every_route() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    addresses(&mut bench, &[1, 5]);
    let renumbered = Link { addresses: vec![net("10.0.0.5/24"), net("10.0.0.1/24")], ..link(A) };
    assert_eq!(bench.links(A, Some(renumbered)).routes(), [put_with(Some(5), true)]);
}

#[test]
fn an_address_that_is_ours_from_now_on_is_no_host_any_longer() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = addresses(&mut bench, &[1, 9]);
    assert_eq!(log.routes(), [delete(A, 9)]);
    assert!(bench.hears(B, host(20).asks(ip(9))).answers().is_empty());
    assert!(bench.hears(A, host(9).replies()).routes().is_empty());
    assert!(bench.passes(60 * SECOND).routes().iter().all(|order| *order == delete(B, 20)));
}

#[test]
fn a_claim_to_an_address_that_is_ours_from_now_on_comes_to_nothing() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).with_mac(99).announces());
    addresses(&mut bench, &[1, 9]);
    let log = bench.passes(60 * SECOND);
    assert!(log.routes().is_empty() && log.events().is_empty() && log.verifications().is_empty());
}

fn with_source() -> Bench {
    let mut plan = plan(2);
    plan.segments[0].sources = vec![ip(1)];
    Bench::with(plan)
}

#[test]
fn a_segment_whose_configured_source_is_missing_is_down_until_it_is_there() {
    let mut bench = with_source();
    bench.knows(A, host(9));
    let log = addresses(&mut bench, &[]);
    assert_eq!(log.events(), [Event::SegmentDown { segment: A, reason: DownReason::SourceMissing }]);
    assert_eq!(log.routes(), [delete(A, 9)], "the kernel may have kept it");
    assert!(bench.hears(A, host(9).speaks()).is_empty());
    assert!(bench.hears(B, host(20).asks(ip(9))).answers().is_empty());
    let log = addresses(&mut bench, &[1]);
    assert!(matches!(log.events()[..], [Event::SegmentUp { segment: A, .. }]));
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
    assert_eq!(bench.hears(A, host(9).replies()).routes(), [put(A, 9)]);
}

#[test]
fn of_several_configured_sources_the_first_that_is_there_is_used() {
    let mut plan = plan(2);
    plan.segments[0].sources = vec![ip(2), ip(1)];
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    assert_eq!(
        addresses(&mut bench, &[1, 2]).routes(),
        [put_with(Some(2), true)],
        "one comes that is named before"
    );
    assert_eq!(addresses(&mut bench, &[1]).routes(), [put_with(Some(1), true)], "and goes");
    let log = addresses(&mut bench, &[3]);
    assert_eq!(log.events(), [Event::SegmentDown { segment: A, reason: DownReason::SourceMissing }]);
}

#[test]
fn a_configured_source_may_be_on_any_interface() {
    let mut plan = plan(2);
    plan.segments[1].sources = vec![ip(1)];
    let mut bench = Bench::with(plan);
    assert!(link(B).addresses.is_empty());
    assert_eq!(bench.hears(B, host(9).speaks()).routes(), [put(B, 9)]);
}

/// The source goes while the cable is out, and the routes with it.
#[test]
fn routes_lost_with_an_address_during_a_lost_carrier_are_written_when_it_returns() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.links(A, Some(Link { carrier: false, ..link(A) }));
    bench.links(A, Some(Link { carrier: false, addresses: Vec::new(), ..link(A) }));
    addresses(&mut bench, &[]);
    let log = bench.links(A, Some(Link { addresses: Vec::new(), ..link(A) }));
    assert_eq!(log.routes(), [put_with(None, true)]);
}

#[test]
fn probes_bear_the_source_of_today() {
    let mut bench = Bench::new();
    addresses(&mut bench, &[1, 5]);
    bench.links(A, Some(Link { addresses: vec![net("10.0.0.5/24")], ..link(A) }));
    let log = bench.hears(B, host(20).asks(ip(9)));
    assert_eq!(log.frames(Purpose::Search)[0].1.arp.sender, ip(5));
}

#[test]
fn an_address_that_is_ours_is_neither_asked_for_nor_searched() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(20).asks(ip(77)));
    addresses(&mut bench, &[1, 9, 77]);
    assert!(bench.passes(5 * SECOND).searches().is_empty());
    bench.links(A, None);
    assert!(bench.up(A).verifications().is_empty());
}

#[test]
fn whoever_claimed_an_address_of_ours_is_asked_when_it_is_no_longer_ours() {
    let mut bench = Bench::new();
    addresses(&mut bench, &[1, 50]);
    bench.hears(B, host(50).announces());
    bench.passes(3 * SECOND);
    let log = addresses(&mut bench, &[1]);
    assert_eq!(log.verifications(), [(B, ip(50), Some(mac(50)))]);
    assert_eq!(bench.hears(B, host(50).replies()).routes(), [put(B, 50)]);
    addresses(&mut bench, &[1, 50]);
    assert!(
        addresses(&mut bench, &[1]).verifications().iter().all(|(_, target, _)| *target != ip(50)),
        "once"
    );
}

#[test]
fn as_long_as_an_address_is_ours_its_claimants_are_not_asked() {
    let mut bench = Bench::new();
    addresses(&mut bench, &[1, 50]);
    bench.hears(B, host(50).announces());
    assert!(addresses(&mut bench, &[1, 50, 51]).verifications().is_empty());
    assert!(bench.passes(60 * SECOND).verifications().is_empty());
}

#[test]
fn a_hosts_address_that_becomes_ours_is_announced_where_the_host_was() {
    let mut bench = Bench::new();
    bench.knows(B, host(9));
    let start = bench.now;
    let mut log = addresses(&mut bench, &[1, 9]);
    assert_eq!(log.routes(), [delete(B, 9)]);
    log.append(bench.passes(10 * SECOND));
    assert_eq!(log.announcements(), [(B, ip(9)); 3]);
    assert_eq!(log.millis_of(Purpose::Announce, start), [0, 1100, 2500]);
}

#[test]
fn nor_is_it_announced_when_it_is_no_longer_ours() {
    let mut bench = Bench::new();
    bench.knows(B, host(9));
    addresses(&mut bench, &[1, 9]);
    let mut log = addresses(&mut bench, &[1]);
    log.append(bench.passes(10 * SECOND));
    assert_eq!(log.announcements(), []);
}

#[test]
fn of_a_host_that_is_only_remembered_it_is_announced_too() {
    let mut bench = Bench::new();
    bench.knows(B, host(9));
    bench.passes(60 * SECOND);
    assert_eq!(addresses(&mut bench, &[1, 9]).announcements(), [(B, ip(9))]);
}

/// VRRP with a virtual link-layer address: caches hold what is now one of ours.
#[test]
fn an_address_at_a_virtual_link_layer_address_is_not_announced() {
    let mut bench = Bench::new();
    let lladdr = crate::LinkAddr::ethernet([0, 0, 0x5e, 0, 1, 7]);
    bench.knows(B, super::bench::Host { lladdr, ..host(9) });
    let mut log = addresses(&mut bench, &[1, 9]);
    log.append(bench.passes(10 * SECOND));
    assert_eq!(log.announcements(), []);
}

#[test]
fn an_own_address_that_was_nobodys_is_the_kernels_to_announce() {
    let mut bench = Bench::new();
    let mut log = addresses(&mut bench, &[1, 9]);
    log.append(bench.passes(10 * SECOND));
    assert_eq!(log.announcements(), []);
}

fn reports(log: &Log) -> Vec<Event> {
    let is_about_a_prefix =
        |event: &Event| matches!(event, Event::PrefixUnaddressed { .. } | Event::PrefixAddressed { .. });
    log.events().into_iter().filter(is_about_a_prefix).collect()
}

#[test]
fn a_configured_prefix_without_an_address_any_more_is_reported_once_and_again_when_one_is_back() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let (domain, prefix) = (DomainId(0), net("10.0.0.0/24"));
    let log = bench.give(Fact::AddressesChanged { addresses: vec![[192, 168, 7, 5].into()] });
    assert_eq!((reports(&log), reports(&bench.passes(3 * SECOND - ms(1)))), (vec![], vec![]));
    assert_eq!(reports(&bench.passes(ms(1))), [Event::PrefixUnaddressed { domain, prefix }]);
    assert!(bench.ledger.segment_views().iter().all(|view| view.subnet.unaddressed == [prefix]));
    assert_eq!(reports(&addresses(&mut bench, &[])), []);
    assert_eq!(reports(&bench.passes(60 * SECOND)), []);
    assert_eq!(reports(&addresses(&mut bench, &[7])), [Event::PrefixAddressed { domain, prefix }]);
    assert!(bench.ledger.segment_views().iter().all(|view| view.subnet.unaddressed.is_empty()));
}

#[test]
fn a_lease_that_is_renewed_is_no_loss_of_the_prefix() {
    let mut bench = Bench::new();
    for last in [7, 1] {
        addresses(&mut bench, &[]);
        bench.passes(2 * SECOND);
        addresses(&mut bench, &[last]);
        assert_eq!(reports(&bench.passes(60 * SECOND)), []);
    }
}

/// Nobody says that a gateway must have an address of the subnet.
#[test]
fn a_prefix_that_never_had_an_address_is_not_reported() {
    let mut bench = Bench::cold(plan(2));
    bench.give(Fact::AddressesChanged { addresses: vec![[192, 168, 7, 5].into()] });
    addresses(&mut bench, &[]);
    assert_eq!(reports(&bench.passes(60 * SECOND)), []);
}
