//! What others did to the kernel's routes, and what an earlier run left there.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::Ledger;
use super::host::{Host, Key, Life, Origin, RouteState};
use super::segment::Segment;
use super::timer::Timer;
use crate::event::Event;
use crate::fact::RouteSeen;
use crate::lladdr::LinkAddr;
use crate::order::Order;
use crate::plan::SegmentId;
use crate::time::Time;

impl Ledger {
    /// The whole table, at start and whenever events were lost. Ours are taken over, or deleted where they
    /// lead nowhere we serve; missing ones are put back; those of others are noted.
    pub(super) fn table_read(&mut self, now: Time, routes: &[RouteSeen], orders: &mut Vec<Order>) {
        let (ours, others): (Vec<RouteSeen>, Vec<RouteSeen>) = routes
            .iter()
            .map(|seen| self.placed(seen))
            .partition(|seen| seen.protocol == self.routes.protocol);
        let wanted = self.keys_of(|host| host.route == RouteState::Written);
        let before = std::mem::take(&mut self.foreign);
        for seen in &others {
            self.note_foreign(seen);
        }
        for (address, _) in before.keys() {
            self.foreign_gone(now, *address, orders);
        }
        let foreign: Vec<RouteSeen> = self.foreign.values().copied().collect();
        for seen in &foreign {
            self.foreign_came(seen, orders);
        }
        let mut standing: BTreeMap<Ipv4Addr, SegmentId> = BTreeMap::new();
        for seen in &ours {
            if self.take_over(now, seen, orders) {
                standing.extend(seen.segment.map(|segment| (seen.address, segment)));
            }
        }
        for key in wanted {
            let is_missing = |host: &Host| {
                host.route == RouteState::Written && standing.get(&key.address) != Some(&host.segment)
            };
            if self.hosts.get(&key).is_some_and(is_missing) {
                self.heal(key, orders);
            }
        }
        let covered: Vec<_> = self.covered.iter().flat_map(|id| self.domain(*id).prefixes.clone()).collect();
        for prefix in covered {
            self.cover_vanished(prefix, orders);
        }
    }

    /// A route with our mark: true if it stands for a host of ours, now or from now on.
    fn take_over(&mut self, now: Time, seen: &RouteSeen, orders: &mut Vec<Order>) -> bool {
        // It leads over an interface that is not ours to look after: another arpherd's, perhaps.
        let Some(segment) = seen.segment else { return false };
        let key = self.key(segment, seen.address);
        match self.hosts.get(&key) {
            Some(host)
                if host.segment == segment
                    && seen.metric == self.routes.metric
                    && matches!(host.route, RouteState::Written | RouteState::Refused) =>
            {
                self.set_route(key, RouteState::Written);
                self.refresh_source(key, seen, orders);
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

    fn is_adoptable(&self, id: SegmentId, address: Ipv4Addr) -> bool {
        let segment = self.segment(id);
        segment.may_hold(address)
            && !self.own.contains(&address)
            && self.foreign_to(address).is_none()
            && !self.is_pinned_elsewhere(self.key(id, address), id, &LinkAddr::UNKNOWN)
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
            lived_on: None,
            due: now,
        };
        self.hosts.insert(key, host);
        self.set_route(key, RouteState::Written);
        self.segment_mut(segment).hosts += 1;
        self.hold_lladdr(segment, seen.lladdr);
        self.timers.set(now, Timer::Host(key));
        orders.push(Order::Tell(Event::RouteAdopted { address: key.address, segment }));
        self.refresh_source(key, seen, orders);
    }

    /// Writes a route of ours again if its preferred source is one of yesterday.
    fn refresh_source(&mut self, key: Key, seen: &RouteSeen, orders: &mut Vec<Order>) {
        let is_stale = |segment: &Segment| segment.is_up() && segment.source != seen.source;
        if seen.segment.is_some_and(|id| is_stale(self.segment(id))) {
            self.put_route(key, true, orders);
        }
    }

    pub(super) fn route_appeared(&mut self, now: Time, seen: &RouteSeen, orders: &mut Vec<Order>) {
        let seen = &self.placed(seen);
        if seen.protocol != self.routes.protocol {
            self.note_foreign(seen);
            self.foreign_came(seen, orders);
            return;
        }
        let Some(key) = self.key_of(seen) else { return };
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

    pub(super) fn route_vanished(&mut self, now: Time, seen: &RouteSeen, orders: &mut Vec<Order>) {
        let seen = &self.placed(seen);
        let Some(key) = self.key_of(seen) else { return };
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
            let same =
                |noted: &RouteSeen| noted.protocol == seen.protocol && noted.interface == seen.interface;
            if self.foreign.get(&(seen.address, seen.metric)).is_some_and(same) {
                self.foreign.remove(&(seen.address, seen.metric));
                self.foreign_gone(now, seen.address, orders);
            }
        }
    }

    fn heal(&mut self, key: Key, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get(&key) else { return };
        let segment = host.segment;
        self.put_route(key, true, orders);
        self.put_neighbour(key, orders);
        orders.push(Order::Tell(Event::RouteHealed { address: key.address, segment }));
    }

    fn note_foreign(&mut self, seen: &RouteSeen) {
        if self.domain_of(seen.address).is_some() {
            self.foreign.insert((seen.address, seen.metric), *seen);
        }
    }

    /// Somebody else's route to the address that is in use, if there is one.
    pub(super) fn foreign_to(&self, address: Ipv4Addr) -> Option<&RouteSeen> {
        self.foreign.range((address, 0)..=(address, u32::MAX)).next().map(|(_, seen)| seen)
    }

    /// The host a route is about. Of domains that share a prefix it is that of the route's segment.
    fn key_of(&self, seen: &RouteSeen) -> Option<Key> {
        let near = seen.segment.map(|id| self.segment(id).plan.domain);
        let domain =
            near.filter(|id| self.holds(*id, seen.address)).or_else(|| self.domain_of(seen.address))?;
        Some(Key { domain, address: seen.address })
    }

    /// The route with the segment it matters to: of several domains on one interface that of its address.
    fn placed(&self, seen: &RouteSeen) -> RouteSeen {
        let twin = |id: SegmentId| {
            let near = &self.segment(id).plan;
            if self.holds(near.domain, seen.address) {
                return None;
            }
            let mut members = self.members[self.domain_of(seen.address)?.index()].iter().copied();
            members.find(|other| self.segment(*other).plan.interface == near.interface)
        };
        let near = seen.segment.filter(|id| self.is_planned(*id));
        RouteSeen { segment: near.map(|id| twin(id).unwrap_or(id)), ..*seen }
    }

    /// Somebody's route stands for a host of ours: ours goes, which may have crossed the news of theirs.
    fn foreign_came(&mut self, seen: &RouteSeen, orders: &mut Vec<Order>) {
        let Some(key) = self.key_of(seen) else { return };
        let Some(host) = self.hosts.get(&key).filter(|host| host.is_live()) else { return };
        if host.route != RouteState::Conflict {
            orders.push(Order::DeleteRoute { segment: host.segment, address: key.address });
        }
        self.give_way(key, seen, orders);
    }

    /// A route of somebody else's is gone; if it was the last one, a host that waited for that gets its own.
    fn foreign_gone(&mut self, now: Time, address: Ipv4Addr, orders: &mut Vec<Order>) {
        if self.foreign_to(address).is_some() {
            return;
        }
        let Some(domain) = self.domain_of(address) else { return };
        let key = Key { domain, address };
        if self.hosts.get(&key).is_some_and(|host| host.route == RouteState::Conflict) {
            self.put_route(key, false, orders);
            self.answer_held(now, key, orders);
        }
    }
}
