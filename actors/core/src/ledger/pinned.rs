//! Addresses whose place the operator fixed: static hosts, pins, and published prefixes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::Ledger;
use super::host::{Key, Life, Origin};
use super::learn::Sighting;
use super::timer::Timer;
use crate::event::Event;
use crate::lladdr::LinkAddr;
use crate::order::{Order, Purpose};
use crate::plan::{Plan, SegmentId};
use crate::time::Time;

/// Hosts on published addresses that are remembered.
const SQUATTERS: usize = 4096;

/// Where an address may be, and nowhere else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pin {
    segment: SegmentId,
    lladdr: LinkAddr,
}

/// A host that uses an address published on its segment. It is not answered for while it lives there: it
/// answers for itself, and two answers would help nobody.
#[derive(Debug)]
pub(crate) struct Squatter {
    lladdr: LinkAddr,
    asked: u8,
    due: Time,
}

/// The pins of a plan; a static host is pinned where it is.
pub(super) fn pins_of(plan: &Plan) -> BTreeMap<Key, Vec<Pin>> {
    let mut pins: BTreeMap<Key, Vec<Pin>> = BTreeMap::new();
    for (id, segment) in (0..).map(SegmentId).zip(&plan.segments) {
        for (&address, &lladdr) in segment.hosts.iter().chain(&segment.pins) {
            let key = Key { domain: segment.domain, address };
            pins.entry(key).or_default().push(Pin { segment: id, lladdr });
        }
    }
    pins
}

impl Ledger {
    /// Whether the operator fixed the address to another place than this one.
    pub(super) fn is_pinned_elsewhere(&self, key: Key, segment: SegmentId, lladdr: &LinkAddr) -> bool {
        self.pins.get(&key).is_some_and(|pins| {
            !pins
                .iter()
                .any(|pin| pin.segment == segment && (lladdr.is_empty() || pin.lladdr.same_port(lladdr)))
        })
    }

    /// Refuses a sighting of a pinned address at another place, and reports it.
    pub(super) fn violates_pin(&mut self, now: Time, sighting: &Sighting, orders: &mut Vec<Order>) -> bool {
        let Sighting { key, segment, lladdr, .. } = *sighting;
        if self.pins.is_empty() || !self.is_pinned_elsewhere(key, segment, &lladdr) {
            return false;
        }
        let Some(pin) = self.pins.get(&key).and_then(|pins| pins.first()).copied() else { return false };
        if self.may_complain(now, "pin_violated", segment, key.address) {
            orders.push(Order::Tell(Event::PinViolated {
                address: key.address,
                lladdr: pin.lladdr,
                segment: pin.segment,
                claimant_lladdr: lladdr,
                claimant_segment: segment,
            }));
            self.reassert(key, segment, orders);
        }
        self.correct_kernel(key, segment, &lladdr, orders);
        true
    }
    /// If the segment can be used, its static hosts live, whatever else was thought of their addresses.
    pub(super) fn settle(&mut self, now: Time, id: SegmentId, orders: &mut Vec<Order>) {
        if !self.segment(id).is_up() {
            return;
        }
        let statics: Vec<_> = self.segment(id).plan.hosts.iter().map(|(ip, lladdr)| (*ip, *lladdr)).collect();
        for (address, lladdr) in statics {
            let key = self.key(id, address);
            if self.own.contains(&address) {
                continue;
            }
            let sighting = Sighting { key, segment: id, lladdr, origin: Origin::Static };
            let known = self.hosts.get_mut(&key).filter(|host| host.is_live());
            match known {
                Some(host) if host.segment == id && host.origin == Origin::Static => {}
                Some(host) if host.segment == id => {
                    let old = std::mem::replace(&mut host.lladdr, lladdr);
                    host.origin = Origin::Static;
                    host.life = Life::Alive;
                    self.release_lladdr(id, &old);
                    self.hold_lladdr(id, lladdr);
                    self.put_neighbour(key, orders);
                }
                Some(_) => {
                    self.gone(now, key, orders);
                    self.arrived(now, &sighting, orders);
                }
                None => self.arrived(now, &sighting, orders),
            }
        }
    }

    /// A host uses an address that is published where it was heard.
    pub(super) fn published_address_used(
        &mut self,
        now: Time,
        segment: SegmentId,
        address: Ipv4Addr,
        lladdr: LinkAddr,
        orders: &mut Vec<Order>,
    ) {
        let place = (segment, address);
        let due = now + self.segment(segment).plan.expiry.quiet;
        if self.squatters.len() < SQUATTERS || self.squatters.contains_key(&place) {
            let known = self.squatters.insert(place, Squatter { lladdr, asked: 0, due });
            self.timers.set(due, Timer::Squatter(segment, address));
            if known.is_none() {
                self.withdraw_entry(segment, address, orders);
            }
        }
        if self.may_complain(now, "published_address_used", segment, address) {
            orders.push(Order::Tell(Event::PublishedAddressUsed { address, lladdr, segment }));
        }
    }

    /// Whether somebody on the segment has the published address for its own.
    pub(super) fn is_squatted(&self, segment: SegmentId, address: Ipv4Addr) -> bool {
        !self.squatters.is_empty() && self.squatters.contains_key(&(segment, address))
    }

    /// A host on a published address was quiet: it is asked like any other, and forgotten if it is silent.
    pub(super) fn squatter_due(
        &mut self,
        now: Time,
        at: Time,
        segment: SegmentId,
        address: Ipv4Addr,
        orders: &mut Vec<Order>,
    ) {
        let it = &self.segments[segment.index()];
        let tries = it.plan.expiry.unicast_on(it.kind());
        let interval = it.plan.expiry.interval;
        let place = (segment, address);
        let Some(squatter) = self.squatters.get_mut(&place).filter(|it| it.due == at) else { return };
        if squatter.asked >= tries || !it.is_up() {
            self.squatters.remove(&place);
            self.offer_entry(segment, address, orders);
            return;
        }
        squatter.asked += 1;
        squatter.due = now + interval;
        let (due, to) = (squatter.due, squatter.lladdr);
        self.timers.set(due, Timer::Squatter(segment, address));
        self.ask(segment, address, Some(to), Purpose::Verify, orders);
    }
}
