//! Segments on which only leases are believed (`learn: { from: leases }`).

use super::bench::{A, B, Bench, SECOND, host, ip, mac, ms};
use super::leased_hosts::{demanding, lease, leased};
use super::log::{delete, put};
use crate::dhcp::LeaseEnd;
use crate::event::Event;
use crate::fact::Fact;

#[test]
fn where_leases_are_demanded_nobody_else_is_learned() {
    let mut bench = Bench::with(demanding(B));
    let log = bench.hears(B, host(9).announces());
    let told = Event::NotLeased { address: ip(9), lladdr: mac(9), segment: B };
    assert_eq!((log.routes(), log.events()), (vec![], vec![told]));
    let explained = bench.ledger.explain(bench.now, ip(9), None);
    assert!(explained[0].decisions.iter().any(|decision| decision.what == "not_leased"));
    bench.leases(B, lease(host(10), 10));
    assert_eq!(bench.hears(B, host(10).with_mac(8).announces()).routes(), []);
    assert_eq!(bench.hears(A, host(9).announces()).routes(), [put(A, 9)], "elsewhere they are not");
}

#[test]
fn no_address_moves_to_where_leases_are_demanded_without_one() {
    let mut bench = Bench::with(demanding(B));
    bench.knows(A, host(9));
    assert_eq!(bench.hears(B, host(9).announces()).routes(), []);
    bench.traces(B, host(9));
    let mut log = bench.passes(ms(50));
    log.append(bench.hears(B, host(9).replies()));
    log.append(bench.passes(3 * SECOND));
    assert_eq!(log.routes(), []);
}

#[test]
fn a_static_host_needs_no_lease() {
    let mut plan = demanding(B);
    plan.segments[1].addresses.pins.insert(ip(9), mac(9));
    let mut bench = Bench::with(plan);
    assert_eq!(bench.hears(B, host(9).announces()).routes(), [put(B, 9)]);
}

#[test]
fn whoever_still_answers_without_its_lease_is_cut_off_where_leases_are_demanded() {
    let mut bench = Bench::with(demanding(B));
    bench.leases(B, lease(host(9), 9));
    bench.hears(B, host(9).announces());
    bench.ends(B, 9, 9, LeaseEnd::Refused);
    bench.passes(ms(10));
    bench.hears(B, host(9).replies());
    assert_eq!(bench.passes(SECOND).routes(), [delete(B, 9)]);
}

#[test]
fn hosts_from_before_a_reload_that_demands_leases_stay_and_are_reported() {
    let mut bench = Bench::with(leased(3));
    bench.knows(B, host(9));
    let log = bench.give(Fact::Replanned { plan: Box::new(demanding(B)) });
    let told = Event::NotLeased { address: ip(9), lladdr: mac(9), segment: B };
    assert_eq!((log.routes(), log.events()), (vec![], vec![told]));
    bench.passes(20 * SECOND);
    bench.hears(B, host(9).replies());
    assert_eq!(bench.passes(20 * SECOND).routes(), []);
}
