//! Who spoke: sightings, and what is learned from them.

use std::net::Ipv4Addr;

use super::host::{Host, Key, Life, Origin, RouteState};
use super::timer::Timer;
use super::{Ledger, is_own_lladdr, joined};
use crate::arp::{Arp, Heard, Operation};
use crate::event::{Event, Limit, ProxySign};
use crate::lladdr::LinkAddr;
use crate::order::Order;
use crate::plan::SegmentId;
use crate::time::Time;

/// Proof that a host spoke.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting {
    pub(crate) key: Key,
    pub(crate) segment: SegmentId,
    pub(crate) lladdr: LinkAddr,
    pub(crate) origin: Origin,
}

impl Ledger {
    /// One packet's way through the ledger: first who spoke, then what was asked.
    pub(super) fn heard(&mut self, now: Time, segment: SegmentId, heard: &Heard, orders: &mut Vec<Order>) {
        let arp = &heard.arp;
        if !self.segment(segment).may_hear(&arp.sender_lladdr)
            || self.came_back(now, segment, heard, orders)
            || is_own_lladdr(&self.segments, &arp.sender_lladdr)
        {
            return;
        }
        if self.segment(segment).unheard {
            self.heard_at_last(now, segment);
        }
        if heard.mark.is_some() {
            self.peer_heard(now, segment, heard, orders);
            return;
        }
        if arp.is_address_probe() {
            if arp.operation == Operation::Request {
                self.address_probed(now, segment, arp, orders);
            }
            return;
        }
        if self.own.contains(&arp.sender) {
            self.own_address_claimed(now, segment, arp, orders);
            return;
        }
        self.sender_seen(now, segment, heard, orders);
        if arp.operation == Operation::Request && !arp.is_gratuitous() {
            self.asked(now, segment, arp, orders);
        }
    }

    pub(super) fn sender_seen(
        &mut self,
        now: Time,
        segment: SegmentId,
        heard: &Heard,
        orders: &mut Vec<Order>,
    ) {
        let arp = &heard.arp;
        let it = self.segment(segment);
        if !it.may_hold(arp.sender) {
            if it.publishes(arp.sender) {
                self.published_address_used(now, segment, arp.sender, arp.sender_lladdr, orders);
            }
            return;
        }
        // Somebody speaks for somebody else: a proxy or a repeater. It may be right, but proves nothing.
        if !heard.from.is_empty() && !heard.from.same_port(&arp.sender_lladdr) {
            self.segment_mut(segment).mismatched += 1;
            self.correct_kernel(self.key(segment, arp.sender), segment, &arp.sender_lladdr, orders);
            return;
        }
        let origin = match (arp.is_gratuitous(), arp.operation) {
            (true, _) => Origin::Announcement,
            (false, Operation::Request) => Origin::Request,
            (false, Operation::Reply) => Origin::Reply,
        };
        let key = self.key(segment, arp.sender);
        let sighting = Sighting { key, segment, lladdr: arp.sender_lladdr, origin };
        if !self.violates_pin(now, &sighting, orders) && !self.is_hearsay(now, &sighting) {
            self.sighted(now, sighting, orders);
        }
    }

    fn sighted(&mut self, now: Time, sighting: Sighting, orders: &mut Vec<Order>) {
        match self.hosts.get_mut(&sighting.key) {
            Some(host) if host.is_live() && host.is_at(sighting.segment, &sighting.lladdr) => {
                host.last_heard = now;
                host.life = Life::Alive;
                let changed = host.lladdr != sighting.lladdr;
                if changed || !self.claims.is_empty() {
                    self.confirmed(now, &sighting, changed, orders);
                }
            }
            // Over two segments that are one link it is heard twice.
            Some(host)
                if host.is_live()
                    && host.lladdr.same_port(&sighting.lladdr)
                    && joined::are_one(&self.joints, host.segment, sighting.segment) =>
            {
                host.last_heard = now;
            }
            Some(host) if host.is_live() => self.contradicted(now, &sighting, orders),
            _ => self.appeared(now, &sighting, orders),
        }
    }

    /// A known host spoke from its place, and it matters to more than its timer.
    fn confirmed(&mut self, now: Time, sighting: &Sighting, changed: bool, orders: &mut Vec<Order>) {
        let key = sighting.key;
        if changed {
            let Some(host) = self.hosts.get_mut(&key) else { return };
            let old = std::mem::replace(&mut host.lladdr, sighting.lladdr);
            self.release_lladdr(sighting.segment, &old);
            self.hold_lladdr(sighting.segment, sighting.lladdr);
            self.put_neighbour(key, orders);
            self.answer_held(now, key, orders);
        }
        self.incumbent_spoke(now, key, orders);
    }

    /// A host that was not known, or only remembered.
    pub(super) fn appeared(&mut self, now: Time, sighting: &Sighting, orders: &mut Vec<Order>) {
        if let Some(limit) = self.limit_reached(now, sighting) {
            self.tell_limit(now, limit, sighting, orders);
            if limit == Limit::HostsPerLladdr && sighting.origin == Origin::Reply {
                self.expose(now, sighting.segment, sighting.lladdr, ProxySign::ManyAddresses, orders);
            }
            return;
        }
        self.arrived(now, sighting, orders);
    }

    /// A host lives here from now on.
    pub(super) fn arrived(&mut self, now: Time, sighting: &Sighting, orders: &mut Vec<Order>) {
        let Sighting { key, segment, lladdr, origin } = *sighting;
        let before = self.forget(key);
        let quiet = self.segment(segment).plan.expiry.quiet;
        self.hosts.insert(
            key,
            Host {
                lladdr,
                segment,
                life: Life::Alive,
                route: RouteState::None,
                origin,
                paced: false,
                last_heard: now,
                lived_on: None,
                due: now + quiet,
            },
        );
        self.timers.set(now + quiet, Timer::Host(key));
        self.segment_mut(segment).hosts += 1;
        self.hold_lladdr(segment, lladdr);
        self.put_route(key, false, orders);
        self.put_neighbour(key, orders);
        self.answer_held(now, key, orders);
        orders.push(Order::Found { segment, address: key.address });
        orders.push(Order::Tell(Event::HostFound { address: key.address, lladdr, segment }));
        // Those who knew its old place would go on sending there until their caches give it up.
        let old_place = before.map(|old| (old.lived_on.unwrap_or(old.segment), old.lladdr));
        if let Some((old_segment, old_lladdr)) = old_place.filter(|(old, _)| *old != segment) {
            let address = key.address;
            orders.push(Order::Tell(Event::HostMoved { address, old_lladdr, lladdr, old_segment, segment }));
            self.announce(now, key, orders);
        }
        self.incumbent_spoke(now, key, orders);
    }

    fn limit_reached(&mut self, now: Time, sighting: &Sighting) -> Option<Limit> {
        let segment = self.segment_mut(sighting.segment);
        let limit = segment.limit_for(&sighting.lladdr, true);
        limit.or_else(|| (!segment.newcomers.take(now)).then_some(Limit::NewPerSecond))
    }

    pub(super) fn tell_limit(
        &mut self,
        now: Time,
        limit: Limit,
        sighting: &Sighting,
        orders: &mut Vec<Order>,
    ) {
        let Sighting { key, segment, lladdr, .. } = *sighting;
        let about = Ipv4Addr::from([0, 0, 0, limit as u8]);
        if self.may_complain(now, "limit_reached", segment, about) {
            let address = key.address;
            orders.push(Order::Tell(Event::LimitReached { segment, limit, address, lladdr }));
        }
    }

    /// Takes a host out of the ledger, remembered or live, with the counts it was part of.
    pub(super) fn forget(&mut self, key: Key) -> Option<Host> {
        self.set_route(key, RouteState::None);
        let host = self.hosts.remove(&key)?;
        if host.is_live() {
            self.segment_mut(host.segment).hosts -= 1;
            self.release_lladdr(host.segment, &host.lladdr);
        } else {
            self.segment_mut(host.segment).dormant -= 1;
        }
        Some(host)
    }

    pub(super) fn hold_lladdr(&mut self, segment: SegmentId, lladdr: LinkAddr) {
        if !lladdr.is_empty() {
            *self.segment_mut(segment).holders.entry(lladdr.port()).or_default() += 1;
        }
    }

    pub(super) fn release_lladdr(&mut self, segment: SegmentId, lladdr: &LinkAddr) {
        let holders = &mut self.segment_mut(segment).holders;
        if let Some(held) = holders.get_mut(&lladdr.port()) {
            *held -= 1;
            if *held == 0 {
                holders.remove(&lladdr.port());
            }
        }
    }

    fn own_address_claimed(&mut self, now: Time, segment: SegmentId, arp: &Arp, orders: &mut Vec<Order>) {
        if self.may_complain(now, "own_address_claimed", segment, arp.sender) {
            let (address, lladdr) = (arp.sender, arp.sender_lladdr);
            orders.push(Order::Tell(Event::OwnAddressClaimed { address, lladdr, segment }));
        }
    }
}
