//! Two gateways of one domain, of which one answers.

use std::collections::BTreeSet;

use super::bench::{
    A, B, Bench, C, Host, METRIC, PROTOCOL, SECOND, host, interface, ip, link, mac, ms, net, plan,
};
use super::log::{Log, put};
use crate::arp::Mark;
use crate::fact::{KernelRoute, Link};
use crate::order::{Order, Purpose};
use crate::plan::{HaPlan, Plan, RoleRule, StandbyRoutes};
use crate::{Address, DomainId, Event, Fact, LinkAddr, Role, SegmentId, Write};

pub(super) const DOMAIN: DomainId = DomainId(0);
/// The address that goes from one gateway to the other.
const SHARED: Address = ip(254);

fn pair_plan(rule: RoleRule, standby_routes: StandbyRoutes) -> Plan {
    let mut plan = plan(3);
    plan.domains[0].ha = Some(HaPlan { rule, standby_routes });
    plan
}

pub(super) fn commanded() -> Plan {
    pair_plan(RoleRule::Command { ttl: None }, StandbyRoutes::Same)
}

impl Bench {
    pub(super) fn is_ordered(&mut self, role: Role) -> Log {
        self.give(Fact::RoleOrdered { domain: DOMAIN, role })
    }

    /// The same, and it hears no other gateway.
    pub(super) fn is_told(&mut self, role: Role) -> Log {
        let mut log = self.is_ordered(role);
        if role == Role::Active {
            log.append(self.passes(ms(40)));
        }
        log
    }

    fn has_addresses(&mut self, addresses: &[Address]) -> Log {
        self.give(Fact::AddressesChanged { addresses: addresses.to_vec() })
    }

    fn role(&self) -> Option<&'static str> {
        self.ledger.world.duties.of(DOMAIN).map(|duty| duty.role.as_str())
    }
}

fn role_changed(role: Role) -> Event {
    Event::RoleChanged { domain: DOMAIN, role }
}

/// Whatever tells somebody where a host is.
fn says(log: &Log) -> usize {
    [Purpose::Answer, Purpose::Announce, Purpose::Correct].iter().map(|sort| log.frames(*sort).len()).sum()
}

#[test]
fn a_gateway_alone_is_no_pair_and_has_no_role() {
    let mut bench = Bench::new();
    assert!(bench.is_told(Role::Standby).is_empty());
    assert_eq!(bench.role(), None);
    bench.knows(A, host(9));
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers(), [(B, ip(9), mac(20))]);
    assert!(bench.passes(10 * SECOND).verifications().is_empty(), "and tells nobody that it is there");
}

#[test]
fn a_standby_learns_and_says_nothing() {
    let mut bench = Bench::with(commanded());
    bench.knows(A, host(9));
    let mut log = bench.hears(B, host(20).asks(ip(9)));
    log.append(bench.hears(B, host(20).asks(ip(77))));
    log.append(bench.hears(C, host(9).announces()));
    log.append(bench.hears(B, host(9).probes()));
    log.append(bench.passes(600 * SECOND));
    assert_eq!((says(&log), log.searches().len()), (0, 0));
    assert!(
        bench.ledger.host_views(bench.now).is_empty(),
        "who is silent to a standby is given up by it, too"
    );
}

#[test]
fn a_standby_asks_a_third_as_often_and_asks_when_the_active_one_asks_everybody() {
    let mut bench = Bench::with(commanded());
    bench.knows(A, host(9));
    assert!(bench.passes(89 * SECOND).verifications().is_empty());
    assert_eq!(bench.passes(2 * SECOND).verifications().first(), Some(&(A, ip(9), Some(mac(9)))));
    bench.knows(A, host(9));
    bench.passes(5 * SECOND);
    let peer = Host { address: ip(2), lladdr: mac(2) };
    let log = bench.hears_marked(A, peer.asks(ip(9)), Mark::Peer);
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
}

/// Announcements of hosts, in any order.
pub(super) fn announced_hosts(log: &Log) -> BTreeSet<(SegmentId, Address)> {
    log.announcements().into_iter().filter(|(_, address)| ![ip(1), SHARED].contains(address)).collect()
}

#[test]
fn a_command_makes_it_active_and_routes_stand_before_every_host_is_announced() {
    let mut bench = Bench::with(pair_plan(RoleRule::Command { ttl: None }, StandbyRoutes::None));
    bench.knows(A, host(9));
    bench.passes(SECOND);
    bench.knows(B, host(20));
    let mut log = bench.is_told(Role::Active);
    assert_eq!(log.events(), [role_changed(Role::Active)]);
    assert_eq!(log.routes(), [put(A, 9), put(B, 20)], "a standby without routes had none");
    let orders = log.orders();
    let last_route = orders.iter().rposition(|it| matches!(it, Order::Write(Write::PutRoute { .. })));
    let is_announcement = |it: &Order| matches!(it, Order::Transmit { purpose: Purpose::Announce, .. });
    assert!(orders.iter().position(is_announcement) > last_route);
    log.append(bench.passes(ms(20)));
    let expected = [(B, ip(9)), (C, ip(9)), (A, ip(20)), (C, ip(20))];
    assert_eq!(announced_hosts(&log), BTreeSet::from(expected));
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers(), [(B, ip(9), mac(20))]);
}

#[test]
fn on_each_segment_those_heard_last_are_announced_first_and_250_within_190_milliseconds() {
    let mut bench = Bench::with(commanded());
    for last in 2..252 {
        bench.knows(A, host(last));
        bench.passes(ms(10));
    }
    let start = bench.now;
    let mut log = bench.is_told(Role::Active);
    log.append(bench.passes(ms(1000)));
    let on_b: Vec<_> = log.announcements().into_iter().filter(|(segment, _)| *segment == B).collect();
    let expected: Vec<_> = [1].into_iter().chain((2..252).rev()).map(|last| (B, ip(last))).collect();
    assert_eq!(on_b, expected, "after the address that both gateways may have");
    assert!(log.millis_of(Purpose::Announce, start).iter().all(|at| *at <= 190));
    let later = bench.passes(10 * SECOND);
    assert_eq!(
        later.announcements().len(),
        2 * (251 + 251 + 1),
        "two more rounds; the own address on A, too"
    );
}

#[test]
fn hosts_behind_gateways_of_the_fabric_are_announced_as_well() {
    let mut plan = super::fabric::fabric_plan();
    plan.domains[0].ha = commanded().domains[0].ha;
    let mut bench = Bench::with(plan);
    assert_eq!(says(&super::fabric::appears(&mut bench, 99)), 0);
    let told = bench.is_told(Role::Active);
    let places: Vec<_> =
        announced_hosts(&told).into_iter().filter(|(_, address)| *address == ip(99)).collect();
    assert_eq!(places, [A, B, C].map(|id| (id, ip(99))));
}

#[test]
fn a_segment_without_a_link_hears_the_announcements_when_it_has_one() {
    let mut bench = Bench::with(commanded());
    bench.knows(A, host(9));
    bench.links(B, Some(Link { carrier: false, ..link(B) }));
    let mut log = bench.is_told(Role::Active);
    log.append(bench.passes(10 * SECOND));
    assert!(announced_hosts(&log).iter().all(|(segment, _)| *segment == C));
    let log = bench.up(B);
    assert!(announced_hosts(&log).contains(&(B, ip(9))));
}

#[test]
fn on_becoming_the_standby_it_is_silent_at_once() {
    let mut bench = Bench::with(commanded());
    bench.is_told(Role::Active);
    bench.knows(A, host(9));
    bench.hears(B, host(20).asks(ip(77)));
    let mut log = bench.is_told(Role::Standby);
    assert!(log.routes().is_empty(), "what still comes here goes on");
    log.append(bench.hears(C, host(77).speaks()));
    log.append(bench.hears(B, host(20).asks(ip(9))));
    log.append(bench.passes(60 * SECOND));
    assert_eq!(says(&log), 0, "nor is it answered what was asked before");
}

#[test]
fn it_is_active_while_it_has_the_address_that_it_follows() {
    let mut bench = Bench::with(pair_plan(RoleRule::Follow(SHARED), StandbyRoutes::Same));
    assert_eq!(bench.role(), Some("standby"));
    let log = bench.has_addresses(&[ip(1), SHARED]);
    assert_eq!(log.events(), [role_changed(Role::Active)]);
    let log = bench.passes(ms(40));
    let own: Vec<_> = [A, B, C].iter().flat_map(|id| [(*id, ip(1)), (*id, SHARED)]).collect();
    assert_eq!(log.announcements(), own, "keepalived announces it on one interface");
    assert!(bench.is_told(Role::Standby).is_empty(), "it obeys nobody else");
    assert_eq!(bench.has_addresses(&[ip(1)]).events(), [role_changed(Role::Standby)]);
    assert!(bench.has_addresses(&[ip(1)]).events().is_empty());
}

#[test]
fn the_address_that_goes_to_the_other_gateway_is_no_source() {
    let mut bench = Bench::with(pair_plan(RoleRule::Follow(ip(0)), StandbyRoutes::Same));
    bench.has_addresses(&[ip(0), ip(1)]);
    let source = |log: &Log| match writes(log)[..] {
        [Write::PutRoute { source, .. }] => source,
        ref other => panic!("{other:?}"),
    };
    assert_eq!(source(&bench.hears(B, host(9).speaks())), Some(ip(1)));
}

#[test]
fn a_role_that_is_not_ordered_again_ends() {
    let ttl = Some(10 * SECOND);
    let mut bench = Bench::with(pair_plan(RoleRule::Command { ttl }, StandbyRoutes::Same));
    bench.is_told(Role::Active);
    bench.passes(8 * SECOND);
    assert!(bench.is_told(Role::Active).events().is_empty());
    assert!(bench.passes(9 * SECOND).events().is_empty());
    assert_eq!(bench.passes(SECOND).events(), [role_changed(Role::Standby)]);
}

/// The route of a standby.
fn standby_route(last: u8, metric: u32) -> KernelRoute {
    KernelRoute {
        address: ip(last),
        protocol: PROTOCOL,
        metric,
        interface: interface(A),
        segment: None,
        source: None,
        lladdr: LinkAddr::UNKNOWN,
        next_hop: None,
        in_fabric_table: false,
    }
}

fn writes(log: &Log) -> Vec<Write> {
    let writes = log
        .orders()
        .into_iter()
        .filter_map(|it| if let Order::Write(write) = it { Some(write) } else { None });
    writes.filter(|it| !matches!(it, Write::PutNeighbour { .. } | Write::DeleteNeighbour { .. })).collect()
}

#[test]
fn a_standbys_routes_have_a_metric_of_their_own_and_change_without_a_gap() {
    let (interface, address, source) = (interface(A), ip(9), Some(ip(1)));
    let as_standby = Write::PutStandbyRoute { interface, address, source, metric: 150, replace: false };
    let as_active = Write::PutRoute { interface, address, source, replace: false };
    let mut bench = Bench::with(pair_plan(RoleRule::Command { ttl: None }, StandbyRoutes::Metric(150)));
    assert_eq!(writes(&bench.hears(A, host(9).speaks())), [as_standby]);
    let log = bench.is_told(Role::Active);
    assert_eq!(writes(&log), [as_active, Write::DeleteStray(standby_route(9, 150))]);
    let log = bench.is_told(Role::Standby);
    assert_eq!(writes(&log), [as_standby, Write::DeleteStray(standby_route(9, METRIC))]);
    let log = bench.give(Fact::ForgetRequested { address });
    let gone = [Write::DeleteStray(standby_route(9, 150)), Write::DeleteRoute { interface, address }];
    assert_eq!(writes(&log), gone);
}

#[test]
fn a_standby_takes_over_what_an_earlier_run_wrote_as_either() {
    for (metric, is_known) in [(METRIC, true), (150, true), (151, false)] {
        let mut bench = Bench::cold(pair_plan(RoleRule::Command { ttl: None }, StandbyRoutes::Metric(150)));
        bench.has_addresses(&[ip(1)]);
        bench.up(A);
        let route = KernelRoute { segment: Some(A), source: Some(ip(1)), ..standby_route(9, metric) };
        let log = bench.give(Fact::TableRead { routes: vec![route] });
        let adopted = log.events().contains(&Event::RouteAdopted { address: ip(9), segment: A });
        assert_eq!(adopted, is_known, "{metric}");
        let stray = KernelRoute { segment: if is_known { None } else { Some(A) }, ..route };
        let deletes =
            writes(&log).iter().any(|it| matches!(it, Write::DeleteStray(it) if it.metric == stray.metric));
        assert_eq!(deletes, metric != 150, "{metric}: {:?}", writes(&log));
    }
}

#[test]
fn a_standby_without_routes_covers_nothing() {
    let prefix = net("10.0.0.0/24");
    let mut bench = Bench::with(pair_plan(RoleRule::Command { ttl: None }, StandbyRoutes::None));
    assert!(writes(&bench.hears(A, host(9).speaks())).is_empty());
    assert!(writes(&bench.is_told(Role::Active)).contains(&Write::PutCover { prefix }));
    assert!(writes(&bench.is_told(Role::Standby)).contains(&Write::DeleteCover { prefix }));
}

#[test]
fn a_reload_may_make_a_gateway_one_of_two_and_back() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.give(Fact::Replanned { plan: Box::new(commanded()) });
    assert!(bench.hears(B, host(20).asks(ip(9))).answers().is_empty());
    bench.is_told(Role::Active);
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
    let other = pair_plan(RoleRule::Command { ttl: Some(60 * SECOND) }, StandbyRoutes::Metric(7));
    bench.give(Fact::Replanned { plan: Box::new(other) });
    assert_eq!(bench.role(), Some("active"), "who decides is the same");
    let following = pair_plan(RoleRule::Follow(SHARED), StandbyRoutes::Same);
    bench.give(Fact::Replanned { plan: Box::new(following) });
    assert_eq!(bench.role(), Some("standby"));
    bench.give(Fact::Replanned { plan: Box::new(plan(3)) });
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
}
