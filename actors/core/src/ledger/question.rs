//! Who asked: answers for hosts alive elsewhere, searches for the unknown, defence against address probes.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::Ledger;
use super::host::{Host, Key, Life, Origin, RouteState};
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
/// Askers held for one target.
const ASKERS: usize = 16;
/// A host heard within this time needs no proof of life before it is defended.
const FRESH: Duration = Duration::from_secs(1);

/// Who waits for a target to prove itself. An unspecified address is that of an address probe.
#[derive(Debug, Clone, Copy)]
struct Asker {
    segment: SegmentId,
    lladdr: LinkAddr,
    address: Ipv4Addr,
    at: Time,
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
        if self.segment(segment).plan.answer != Answer::Live || self.own.contains(&arp.target) {
            return;
        }
        let key = self.key(segment, arp.target);
        match self.hosts.get(&key) {
            Some(host) if host.is_live() && !host.lladdr.is_empty() => {
                if self.may_answer(host, key, segment, &arp.sender_lladdr) {
                    self.answer(segment, key.address, arp.sender_lladdr, arp.sender, orders);
                }
            }
            Some(host) if host.is_live() && host.segment == segment => {}
            _ => self.search(now, key, segment, arp, orders),
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
        if self.segment(segment).plan.answer != Answer::Live || self.own.contains(&arp.target) {
            return;
        }
        let key = self.key(segment, arp.target);
        let lladdr = arp.sender_lladdr;
        match self.hosts.get(&key) {
            Some(host) if host.is_live() && !host.lladdr.is_empty() => {
                // Its own address: it moved here, and will say so.
                if host.segment == segment || host.lladdr.same_port(&lladdr) {
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
                self.search(now, key, segment, arp, orders);
            }
        }
    }

    /// Whether a host may be answered for on a segment, to this asker.
    fn may_answer(&self, host: &Host, key: Key, segment: SegmentId, asker: &LinkAddr) -> bool {
        self.may_defend(host, segment, asker) && self.leads_there(host, key.address)
    }

    /// Whether a host may be spoken for on a segment, to this station, wherever routes lead.
    pub(super) fn may_defend(&self, host: &Host, segment: SegmentId, asker: &LinkAddr) -> bool {
        host.is_live()
            && host.segment != segment
            && !host.lladdr.same_port(asker)
            && self.segment(segment).plan.answer == Answer::Live
            && self.segment(segment).is_up()
    }

    /// Whether what we would be sent for the host would reach it.
    pub(super) fn leads_there(&self, host: &Host, address: Ipv4Addr) -> bool {
        match host.route {
            RouteState::Written => true,
            RouteState::Conflict => {
                let interface = self.segment(host.segment).index();
                self.foreign_to(address).is_some_and(|foreign| Some(foreign.interface) == interface)
            }
            RouteState::None | RouteState::Refused => false,
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

    /// Holds the question and asks the other segments.
    fn search(&mut self, now: Time, key: Key, segment: SegmentId, arp: &Arp, orders: &mut Vec<Order>) {
        if !self.others(segment).any(|other| self.may_search(other, key, arp.is_address_probe())) {
            return;
        }
        if self.questions.len() >= QUESTIONS && !self.questions.contains_key(&key) {
            self.segment_mut(segment).shed += 1;
            return;
        }
        let asker = Asker { segment, lladdr: arp.sender_lladdr, address: arp.sender, at: now };
        let question = self.questions.entry(key).or_insert_with(|| {
            let due = now + SEARCH_GAP;
            self.timers.set(due, Timer::Question(key));
            Question { askers: Vec::new(), searched: Vec::new(), due }
        });
        question.askers.retain(|old| (old.segment, old.lladdr) != (segment, asker.lladdr));
        if question.askers.len() < ASKERS {
            question.askers.push(asker);
        }
        self.search_for(now, key, asker, orders);
    }

    /// Asks every other segment that was not asked for the target lately.
    fn search_for(&mut self, now: Time, key: Key, asker: Asker, orders: &mut Vec<Order>) {
        let others: Vec<SegmentId> = self.others(asker.segment).collect();
        for other in others {
            if !self.may_search(other, key, asker.address.is_unspecified()) {
                continue;
            }
            let Some(question) = self.questions.get_mut(&key) else { return };
            let last = question.searched.iter_mut().find(|(segment, _)| *segment == other);
            if last.as_ref().is_some_and(|(_, at)| now.since(*at) < SEARCH_GAP) {
                continue;
            }
            if !self.segments[other.index()].searches.take(now) {
                self.segments[other.index()].shed += 1;
                continue;
            }
            match last {
                Some((_, at)) => *at = now,
                None => question.searched.push((other, now)),
            }
            self.ask(other, key.address, None, Purpose::Search, orders);
        }
    }

    /// Whether the target may be searched for there. A question without a sender address would look like an
    /// address probe to a host that is itself probing (RFC 5227), so none is asked on behalf of a prober.
    fn may_search(&self, segment: SegmentId, key: Key, for_prober: bool) -> bool {
        let segment = self.segment(segment);
        segment.is_up() && segment.may_hold(key.address) && (segment.source.is_some() || !for_prober)
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
        let askers = question.askers.clone();
        for asker in askers {
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
        for asker in &question.askers {
            if !self.may_answer(&host, key, asker.segment, &asker.lladdr) {
                continue;
            }
            if asker.address.is_unspecified() {
                self.defend(now, key, asker.segment, asker.lladdr, orders);
            } else {
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
