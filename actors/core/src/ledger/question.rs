//! Who asked: answers for hosts alive elsewhere, defence against address probes; the unknown are searched for.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::Ledger;
use super::host::{Key, Life, Origin};
use super::learn::Sighting;
use super::search::Asker;
use crate::arp::Arp;
use crate::event::Event;
use crate::lladdr::LinkAddr;
use crate::order::Order;
use crate::plan::{AnswerMode, SegmentId};
use crate::time::Time;

/// A host heard within this time needs no proof of life before it is defended.
const FRESH: Duration = Duration::from_secs(1);

impl Ledger {
    /// A host on `segment` asks for `arp.target`.
    pub(super) fn asked(&mut self, now: Time, segment: SegmentId, arp: &Arp, orders: &mut Vec<Order>) {
        if !self.is_ours_to_answer(segment, arp.target) {
            return;
        }
        let key = self.key(segment, arp.target);
        match self.hosts.get(&key) {
            Some(host) if host.is_live() && !host.lladdr.is_empty() => {
                if self.may_answer(host, key, segment, &arp.sender_lladdr, arp.sender) {
                    self.answer(segment, key.address, arp.sender_lladdr, arp.sender, orders);
                }
            }
            Some(host) if host.is_live() && host.segment == segment => {}
            _ => self.asked_for_unknown(now, key, Asker::of(now, segment, arp), orders),
        }
    }

    /// Nobody is known to have the target. Where it is published the asker is answered all the same, and
    /// where routes decide the kernel is asked for one; otherwise the target has to show itself.
    fn asked_for_unknown(&mut self, now: Time, key: Key, mut asker: Asker, orders: &mut Vec<Order>) {
        let segment = asker.segment;
        let it = self.segment(segment);
        if it.publishes(key.address) {
            if self.is_squatted(segment, key.address) {
                return;
            }
            self.answer(segment, key.address, asker.lladdr, asker.address, orders);
            asker.waits = false;
        } else if self.may_follow_route(segment, key.address) {
            if self.segment_mut(segment).lookups.take(now) {
                let Asker { lladdr: asker_lladdr, address, .. } = asker;
                orders.push(Order::FindRoute { segment, asker: address, asker_lladdr, target: key.address });
            } else {
                self.segment_mut(segment).shed += 1;
            }
            return;
        }
        self.search(now, key, asker, orders);
    }

    /// The kernel told where it would forward what the asker sends to the target: answered if that is by
    /// another interface, as the kernel's own proxy does (`arp_fwd_proxy`); otherwise the target may still be a
    /// host that has not spoken.
    pub(super) fn route_found(
        &mut self,
        now: Time,
        asker: Asker,
        target: Ipv4Addr,
        interface: Option<u32>,
        orders: &mut Vec<Order>,
    ) {
        let segment = asker.segment;
        let key = self.key(segment, target);
        let is_known = self.hosts.get(&key).is_some_and(|host| host.is_live() && !host.lladdr.is_empty());

        // A route says nothing to who only wants to know whether an address is free.
        let is_asked =
            self.segment(segment).plan.answer == AnswerMode::Routed && !asker.address.is_unspecified();
        if !is_asked || is_known || !self.is_ours_to_answer(segment, target) {
            return;
        }
        if interface.is_some_and(|interface| Some(interface) != self.segment(segment).index()) {
            self.answer(segment, target, asker.lladdr, asker.address, orders);
        } else {
            self.search(now, key, asker, orders);
        }
    }

    /// A host on `segment` makes sure that nobody has `arp.target`, before it takes the address.
    pub(super) fn address_probed(
        &mut self,
        now: Time,
        segment: SegmentId,
        arp: &Arp,
        orders: &mut Vec<Order>,
    ) {
        if !self.is_ours_to_answer(segment, arp.target) {
            return;
        }
        let key = self.key(segment, arp.target);
        let lladdr = arp.sender_lladdr;
        match self.hosts.get(&key) {
            Some(host) if host.is_live() && !host.lladdr.is_empty() => {
                // Its own address: it moved here, and will say so. Or the holder hears the probe itself.
                if !self.may_defend(host, key, segment, &lladdr) {
                    return;
                }
                if host.life == Life::Alive && now.since(host.last_heard) < FRESH {
                    self.defend(now, key, segment, lladdr, orders);
                } else {
                    let prober = Sighting { key, segment, lladdr, origin: Origin::Request };
                    self.verify_for_defence(now, prober, orders);
                }
            }
            Some(host) if host.is_live() && host.segment == segment => {}
            _ => {
                self.notice_simultaneous_probe(now, key, segment, lladdr, orders);
                self.search(now, key, Asker::of(now, segment, arp), orders);
            }
        }
    }

    /// Tells a prober that the address is taken, RFC 5227 section 2.1.1.
    pub(super) fn defend(
        &mut self,
        now: Time,
        key: Key,
        segment: SegmentId,
        prober: LinkAddr,
        orders: &mut Vec<Order>,
    ) {
        self.answer(segment, key.address, prober, Ipv4Addr::UNSPECIFIED, orders);
        self.tell_duplicate(now, key, segment, prober, orders);
    }

    fn notice_simultaneous_probe(
        &mut self,
        now: Time,
        key: Key,
        segment: SegmentId,
        lladdr: LinkAddr,
        orders: &mut Vec<Order>,
    ) {
        let Some(question) = self.questions.get(&key) else { return };
        let other = question.askers.iter().copied().find(|asker| {
            asker.address.is_unspecified() && asker.segment != segment && !asker.lladdr.same_port(&lladdr)
        });
        if let Some(first) = other
            && self.may_complain(now, "duplicate_probe", segment.min(first.segment), key.address)
        {
            orders.push(Order::Tell(Event::DuplicateProbe {
                address: key.address,
                lladdr: first.lladdr,
                segment: first.segment,
                claimant_lladdr: lladdr,
                claimant_segment: segment,
            }));
        }
    }
}
