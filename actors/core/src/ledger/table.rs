//! What others did to the kernel's routes, and what an earlier run left there.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::Ledger;
use super::host::{Host, Key, Life, Origin, RouteState};
use super::timer::Timer;
use crate::event::Event;
use crate::fact::RouteSeen;
use crate::order::Order;
use crate::plan::SegmentId;
use crate::time::Time;

impl Ledger {
    /// The whole table, at start and whenever events were lost. Ours are taken over, or deleted where they
    /// lead nowhere we serve; missing ones are put back; those of others are noted.
    pub(super) fn table_read(&mut self, now: Time, routes: &[RouteSeen], orders: &mut Vec<Order>) {
        let (ours, others): (Vec<&RouteSeen>, Vec<&RouteSeen>) =
            routes.iter().partition(|seen| seen.protocol == self.routes.protocol);
        let before = std::mem::take(&mut self.foreign);
        for seen in others {
            self.note_foreign(seen);
        }
        for address in before.keys() {
            self.foreign_gone(*address, orders);
        }
        let foreign: Vec<RouteSeen> = self.foreign.values().copied().collect();
        for seen in &foreign {
            self.foreign_came(seen, orders);
        }
        let mut standing: BTreeMap<Ipv4Addr, SegmentId> = BTreeMap::new();
        for seen in ours {
            if self.take_over(now, seen, orders) {
                standing.extend(seen.segment.map(|segment| (seen.address, segment)));
            }
        }
        let missing = |key: &Key, host: &Host| {
            host.route == RouteState::Written && standing.get(&key.address) != Some(&host.segment)
        };
        let mut lost: Vec<Key> =
            self.hosts.iter().filter(|(key, host)| missing(key, host)).map(|(key, _)| *key).collect();
        lost.sort_unstable();
        for key in lost {
            self.heal(key, orders);
        }
        let covered: Vec<_> = self.covered.iter().flat_map(|id| self.domain(*id).prefixes.clone()).collect();
        for prefix in covered {
            self.cover_vanished(prefix, orders);
        }
    }

    /// A route with our mark: true if it stands for a host of ours, now or from now on.
    fn take_over(&mut self, now: Time, seen: &RouteSeen, orders: &mut Vec<Order>) -> bool {
        // It leads over an interface that is not ours to look after: another arpherd's, perhaps.
        let Some(segment) = seen.segment.filter(|id| self.is_planned(*id)) else { return false };
        let key = self.key(segment, seen.address);
        match self.hosts.get(&key) {
            Some(host) if host.is_live() && host.segment == segment && seen.metric == self.routes.metric => {
                if host.route == RouteState::Refused {
                    self.set_route(key, RouteState::Written);
                }
                true
            }
            None if seen.metric == self.routes.metric && self.is_adoptable(segment, seen.address) => {
                self.adopt(now, key, segment, seen, orders);
                true
            }
            _ => {
                orders.push(Order::DeleteStray(*seen));
                false
            }
        }
    }

    fn is_adoptable(&self, segment: SegmentId, address: Ipv4Addr) -> bool {
        let segment = self.segment(segment);
        segment.may_hold(address)
            && !self.own.contains(&address)
            && !self.foreign.contains_key(&address)
            && segment.hosts < segment.plan.limits.hosts
    }

    /// Takes a route of an earlier run over: it stays while its host is asked.
    fn adopt(&mut self, now: Time, key: Key, segment: SegmentId, seen: &RouteSeen, orders: &mut Vec<Order>) {
        let host = Host {
            lladdr: seen.lladdr,
            segment,
            life: Life::Suspect { asked: 0 },
            route: RouteState::None,
            origin: Origin::Kernel,
            paced: false,
            last_heard: now,
            due: now,
        };
        self.hosts.insert(key, host);
        self.set_route(key, RouteState::Written);
        self.segment_mut(segment).hosts += 1;
        self.hold_lladdr(segment, seen.lladdr);
        self.timers.set(now, Timer::Host(key));
        orders.push(Order::Tell(Event::RouteAdopted { address: key.address, segment }));
        if seen.source != self.segment(segment).source && self.segment(segment).is_up() {
            self.put_route(key, true, orders);
        }
    }

    pub(super) fn route_appeared(&mut self, now: Time, seen: &RouteSeen, orders: &mut Vec<Order>) {
        if seen.protocol != self.routes.protocol {
            self.note_foreign(seen);
            self.foreign_came(seen, orders);
            return;
        }
        let Some(domain) = self.domain_of(seen.address) else { return };
        let key = Key { domain, address: seen.address };
        match self.hosts.get(&key) {
            // Somebody rewrote ours in our name; the ledger knows better where the host is.
            Some(host) if host.route == RouteState::Written => {
                if seen.segment != Some(host.segment) && seen.metric == self.routes.metric {
                    self.heal(key, orders);
                }
            }
            _ => {
                self.take_over(now, seen, orders);
            }
        }
    }

    pub(super) fn route_vanished(&mut self, seen: &RouteSeen, orders: &mut Vec<Order>) {
        let Some(domain) = self.domain_of(seen.address) else { return };
        let key = Key { domain, address: seen.address };
        if seen.protocol == self.routes.protocol {
            let is_ours = |host: &Host| {
                host.route == RouteState::Written
                    && seen.metric == self.routes.metric
                    && seen.segment.is_none_or(|segment| segment == host.segment)
            };
            if self.hosts.get(&key).is_some_and(is_ours) {
                self.heal(key, orders);
            }
        } else {
            let same = |noted: &RouteSeen| {
                noted.metric == seen.metric
                    && noted.protocol == seen.protocol
                    && noted.interface == seen.interface
            };
            if self.foreign.get(&seen.address).is_some_and(same) {
                self.foreign.remove(&seen.address);
                self.foreign_gone(seen.address, orders);
            }
        }
    }

    fn heal(&mut self, key: Key, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get(&key) else { return };
        let segment = host.segment;
        if !self.segment(segment).is_up() {
            return;
        }
        self.put_route(key, true, orders);
        self.put_neighbour(key, orders);
        orders.push(Order::Tell(Event::RouteHealed { address: key.address, segment }));
    }

    fn note_foreign(&mut self, seen: &RouteSeen) {
        if self.domain_of(seen.address).is_some() {
            self.foreign.insert(seen.address, *seen);
        }
    }

    /// Somebody's route stands for a host of ours: ours goes, if theirs has not replaced it already.
    fn foreign_came(&mut self, seen: &RouteSeen, orders: &mut Vec<Order>) {
        let Some(domain) = self.domain_of(seen.address) else { return };
        let key = Key { domain, address: seen.address };
        let Some(host) = self.hosts.get(&key).filter(|host| host.is_live()) else { return };
        if host.route == RouteState::Written && seen.metric != self.routes.metric {
            orders.push(Order::DeleteRoute { segment: host.segment, address: key.address });
        }
        self.give_way(key, seen, orders);
    }

    /// Nobody else's route stands any more for an address whose host waited for that.
    fn foreign_gone(&mut self, address: Ipv4Addr, orders: &mut Vec<Order>) {
        if self.foreign.contains_key(&address) {
            return;
        }
        let Some(domain) = self.domain_of(address) else { return };
        let key = Key { domain, address };
        if self.hosts.get(&key).is_some_and(|host| host.route == RouteState::Conflict) {
            self.put_route(key, false, orders);
        }
    }
}
