//! Routes and neighbour entries of hosts: when they are wanted, and what to do when the kernel refuses.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnetwork::Ipv4Network;

use super::Ledger;
use super::host::{Host, Key, RouteState};
use super::timer::Timer;
use crate::event::Event;
use crate::fact::RouteSeen;
use crate::lladdr::LinkAddr;
use crate::order::Order;
use crate::plan::SegmentId;
use crate::time::Time;

/// A refused route is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);
/// The table is read so often while somebody else's route keeps one of ours away.
const CONFLICT_LOOK: Duration = Duration::from_secs(60);
/// `EEXIST`: a route stands there that we did not know of.
const EEXIST: i32 = 17;

impl Ledger {
    /// Orders the host's route, unless somebody else has one: theirs stands and is reported.
    ///
    /// `replace` says that a route of ours may stand there (a move, a heal); a first route is written so that
    /// the kernel refuses it if any other exists, because `NLM_F_REPLACE` does not look at the protocol.
    pub(super) fn put_route(&mut self, key: Key, replace: bool, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get(&key) else { return };
        let segment = host.segment;
        if let Some(foreign) = self.foreign_to(key.address).copied() {
            self.give_way(key, &foreign, orders);
            return;
        }
        let source = self.segment(segment).source;
        self.set_route(key, RouteState::Written);
        orders.push(Order::PutRoute { segment, address: key.address, source, replace });
        self.follow_entries(key, orders);
    }

    /// Somebody else's route to the host stands, so ours does not.
    pub(super) fn give_way(&mut self, key: Key, foreign: &RouteSeen, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get(&key) else { return };
        let told = host.route == RouteState::Conflict;
        let segment = host.segment;
        self.set_route(key, RouteState::Conflict);
        self.follow_entries(key, orders);
        if !told {
            orders.push(Order::Tell(Event::RouteConflict {
                address: key.address,
                segment,
                protocol: foreign.protocol,
                metric: foreign.metric,
                interface: foreign.interface,
            }));
        }
    }

    pub(super) fn put_neighbour(&self, key: Key, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get(&key) else { return };
        if !host.lladdr.is_empty() {
            let (segment, lladdr) = (host.segment, host.lladdr);
            orders.push(Order::PutNeighbour { segment, address: key.address, lladdr });
        }
    }

    /// The kernel believes whoever spoke last on the link of a neighbour entry it has. If that was not the
    /// host, the kernel is told again who has the address.
    pub(super) fn correct_kernel(
        &self,
        key: Key,
        segment: SegmentId,
        speaker: &LinkAddr,
        orders: &mut Vec<Order>,
    ) {
        let deceived =
            |host: &Host| host.is_live() && host.segment == segment && !host.lladdr.same_port(speaker);
        if self.hosts.get(&key).is_some_and(deceived) {
            self.put_neighbour(key, orders);
        }
    }

    /// Takes the host's route and neighbour entry away. The route is deleted even if there should be none: a
    /// rewrite of it may have been refused, or news of somebody else's have crossed an order for ours.
    pub(super) fn delete_route(&mut self, key: Key, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get(&key) else { return };
        let (segment, address) = (host.segment, key.address);
        orders.push(Order::DeleteRoute { segment, address });
        orders.push(Order::DeleteNeighbour { segment, address });
        self.set_route(key, RouteState::None);
        self.follow_entries(key, orders);
    }

    pub(super) fn put_covers(&mut self, segment: SegmentId, orders: &mut Vec<Order>) {
        let domain = self.segment(segment).plan.domain;
        if self.covered.insert(domain) {
            let prefixes = &self.domain(domain).prefixes;
            orders.extend(prefixes.iter().map(|&prefix| Order::PutCover { domain, prefix }));
        }
    }

    pub(super) fn cover_vanished(&mut self, prefix: Ipv4Network, orders: &mut Vec<Order>) {
        for &domain in &self.covered {
            if self.domain(domain).prefixes.contains(&prefix) {
                orders.push(Order::PutCover { domain, prefix });
            }
        }
    }

    /// The kernel said no. The host is not answered for until the route stands.
    pub(super) fn route_refused(
        &mut self,
        now: Time,
        segment: SegmentId,
        address: Ipv4Addr,
        errno: i32,
        reason: String,
        orders: &mut Vec<Order>,
    ) {
        let key = self.key(segment, address);
        let Some(host) = self.hosts.get(&key) else { return };
        if host.segment != segment || host.route != RouteState::Written {
            return;
        }
        self.set_route(key, RouteState::Refused);
        self.follow_entries(key, orders);
        self.retries.insert(key, now + RETRY);
        self.timers.set(now + RETRY, Timer::Route(key));
        if errno == EEXIST {
            self.ask_for_table(now, orders);
            return;
        }
        // If it was a move, our route to the old place still stands.
        orders.extend(self.others(segment).map(|segment| Order::DeleteRoute { segment, address }));
        if self.may_complain(now, "route_refused", segment, address) {
            orders.push(Order::Tell(Event::RouteRefused { address, segment, errno, reason }));
        }
    }

    /// Somebody else's route goes without a word when its interface does, so while one keeps ours away the
    /// table is read now and then.
    pub(super) fn watch_conflicts(&mut self, now: Time) {
        if self.conflicts > 0 && self.conflicts_due.is_none() {
            self.conflicts_due = Some(now + CONFLICT_LOOK);
            self.timers.set(now + CONFLICT_LOOK, Timer::Conflicts);
        }
    }

    pub(super) fn conflicts_due(&mut self, now: Time, at: Time, orders: &mut Vec<Order>) {
        if self.conflicts_due.take_if(|due| *due == at).is_some() && self.conflicts > 0 {
            self.ask_for_table(now, orders);
        }
    }

    /// Has the kernel's table read again, at most once a second.
    fn ask_for_table(&mut self, now: Time, orders: &mut Vec<Order>) {
        if self.table_asked.is_none_or(|then| now.since(then) >= RETRY) {
            self.table_asked = Some(now);
            orders.push(Order::ReadTable);
        }
    }

    pub(super) fn route_due(&mut self, at: Time, key: Key, orders: &mut Vec<Order>) {
        if self.retries.get(&key) != Some(&at) {
            return;
        }
        self.retries.remove(&key);
        let Some(host) = self.hosts.get(&key) else { return };
        if host.route == RouteState::Refused && host.is_live() && self.segment(host.segment).link.is_some() {
            self.put_route(key, false, orders);
            self.put_neighbour(key, orders);
        }
    }
}
