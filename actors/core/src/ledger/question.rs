//! Who asked: answers for hosts alive elsewhere, searches for the unknown, defence against address probes.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::Ledger;
use super::host::{Key, Life, Origin};
use super::learn::Sighting;
use super::timer::Timer;
use crate::arp::{Arp, Frame, Operation};
use crate::event::Event;
use crate::lladdr::LinkAddr;
use crate::order::{Order, Purpose};
use crate::plan::{Answer, SegmentId};
use crate::time::Time;

/// One target is searched for on one segment at most this often.
const SEARCH_GAP: Duration = Duration::from_secs(1);
/// How long an asker waits for its answer; it asks again by itself after a second.
const HOLD: Duration = Duration::from_millis(1500);
/// Unknown targets searched for at the same time; more are shed.
const QUESTIONS: usize = 4096;
/// A question that comes so soon after our own search for the target may be an echo of it.
const ECHO: Duration = Duration::from_millis(100);
/// Askers held for one target.
const ASKERS: usize = 16;
/// A host heard within this time needs no proof of life before it is defended.
const FRESH: Duration = Duration::from_secs(1);

/// Who waits for a target to prove itself. An unspecified address is that of an address probe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    segment: SegmentId,
    lladdr: LinkAddr,
    address: Ipv4Addr,
    at: Time,
    /// It is not answered yet; otherwise its question only had the target searched for.
    waits: bool,
    /// It asked of its own accord since the last search of ours, or was the cause of it. Only then the target is
    /// searched for once more without another word from it: a proxy that repeats our search on its segment
    /// must not keep it going.
    began: bool,
}

impl Asker {
    pub(super) fn new(now: Time, segment: SegmentId, lladdr: LinkAddr, address: Ipv4Addr) -> Self {
        Self { segment, lladdr, address, at: now, waits: true, began: false }
    }

    fn of(now: Time, segment: SegmentId, arp: &Arp) -> Self {
        Self::new(now, segment, arp.sender_lladdr, arp.sender)
    }
}

/// A target nobody is known to have.
#[derive(Debug)]
pub(crate) struct Question {
    askers: Vec<Asker>,
    /// Where it was searched for, and when last.
    searched: Vec<(SegmentId, Time)>,
    due: Time,
}

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
        let is_asked = self.segment(segment).plan.answer == Answer::Routed;
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

    fn answer(
        &self,
        segment: SegmentId,
        target: Ipv4Addr,
        to: LinkAddr,
        asker: Ipv4Addr,
        orders: &mut Vec<Order>,
    ) {
        let arp = Arp {
            operation: Operation::Reply,
            sender_lladdr: self.segment(segment).lladdr(),
            sender: target,
            target_lladdr: to,
            target: asker,
        };
        orders.push(Order::Transmit {
            segment,
            frame: Frame { to: Some(to), arp },
            purpose: Purpose::Answer,
        });
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

    /// Holds the question and asks wherever the target may be.
    fn search(&mut self, now: Time, key: Key, mut asker: Asker, orders: &mut Vec<Order>) {
        let segment = asker.segment;
        if self.places_to_search(segment, asker.address, key.address).is_empty() {
            return;
        }
        let is_held = |old: &Asker| (old.segment, old.lladdr) == (segment, asker.lladdr);
        let is_known = self.questions.contains_key(&key);
        // Only what would be searched for anew counts against the station: it may ask as often as it likes.
        if !is_known
            && (self.questions.len() >= QUESTIONS
                || !self.segment_mut(segment).may_be_asked_by(asker.lladdr, now))
        {
            self.segment_mut(segment).shed += 1;
            return;
        }
        let question = self.questions.entry(key).or_insert_with(|| {
            let due = now + SEARCH_GAP;
            self.timers.set(due, Timer::Question(key));
            Question { askers: Vec::new(), searched: Vec::new(), due }
        });
        let is_no_echo = question.searched.iter().all(|(_, at)| now.since(*at) >= ECHO);
        asker.began = is_no_echo || question.askers.iter().any(|old| is_held(old) && old.began);
        question.askers.retain(|old| !is_held(old));
        if question.askers.len() < ASKERS {
            question.askers.push(asker);
        }
        self.search_for(now, key, asker, orders);
    }

    /// Asks every place that was not asked for the target lately.
    fn search_for(&mut self, now: Time, key: Key, asker: Asker, orders: &mut Vec<Order>) {
        for place in self.places_to_search(asker.segment, asker.address, key.address) {
            let Some(question) = self.questions.get_mut(&key) else { return };
            let last = question.searched.iter_mut().find(|(segment, _)| *segment == place);
            if last.as_ref().is_some_and(|(_, at)| now.since(*at) < SEARCH_GAP) {
                continue;
            }
            if !self.segments[place.index()].searches.take(now) {
                self.segments[place.index()].shed += 1;
                continue;
            }
            match last {
                Some((_, at)) => *at = now,
                None => question.searched.push((place, now)),
            }
            self.ask(place, key.address, None, Purpose::Search, orders);
        }
    }

    pub(super) fn question_due(&mut self, now: Time, at: Time, key: Key, orders: &mut Vec<Order>) {
        let Some(question) = self.questions.get_mut(&key).filter(|question| question.due == at) else {
            return;
        };
        question.askers.retain(|asker| now.since(asker.at) < HOLD);
        let lately = |(_, then): &(SegmentId, Time)| now.since(*then) < SEARCH_GAP;
        if question.askers.is_empty() && !question.searched.iter().any(lately) {
            self.questions.remove(&key);
            return;
        }
        question.due = now + SEARCH_GAP;
        self.timers.set(question.due, Timer::Question(key));
        let again: Vec<Asker> = question.askers.iter().copied().filter(|asker| asker.began).collect();
        for asker in &mut question.askers {
            asker.began = false;
        }
        for asker in again {
            self.search_for(now, key, asker, orders);
        }
    }

    /// The target proved itself: those who wait for it are answered.
    pub(super) fn answer_held(&mut self, now: Time, key: Key, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get(&key).filter(|host| host.is_live() && !host.lladdr.is_empty()) else {
            return;
        };
        if self.questions.is_empty() || !self.leads_there(host, key.address) {
            return;
        }
        let Some(question) = self.questions.remove(&key) else { return };
        let Some(host) = self.hosts.get(&key).cloned() else { return };
        for asker in question.askers.iter().filter(|asker| asker.waits) {
            if asker.address.is_unspecified() {
                if self.may_defend(&host, key, asker.segment, &asker.lladdr) {
                    self.defend(now, key, asker.segment, asker.lladdr, orders);
                }
            } else if self.may_answer(&host, key, asker.segment, &asker.lladdr, asker.address) {
                self.answer(asker.segment, key.address, asker.lladdr, asker.address, orders);
            }
        }
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
