//! What a step brings about: orders, timers, reports. Every room that changes anything is handed this one value.

use std::time::Duration;

use super::journal::{Decision, Journal, Outcome, Rule};
use super::reports::{Reports, Subject};
use super::segment::Segment;
use super::timers::{Due, Timer, Timers, Token};
use crate::address::Address;
use crate::arp::{Arp, Frame, Operation};
use crate::event::{Event, EventKind};
use crate::lladdr::LinkAddr;
use crate::order::{Order, Purpose};
use crate::plan::{AnswerMode, SegmentId};
use crate::time::Time;
use crate::write::Write;

/// The time of a step and what it brings about.
#[derive(Debug, Default)]
pub(super) struct Effects {
    now: Time,
    orders: Vec<Order>,
    timers: Timers,
    reports: Reports,
    journal: Journal,
}

impl Effects {
    /// Begins a step: orders are appended to these until [`Effects::finish`] gives them back.
    pub(super) fn begin(&mut self, now: Time, orders: &mut Vec<Order>) {
        self.now = now;
        std::mem::swap(&mut self.orders, orders);
    }

    /// Ends the step.
    pub(super) fn finish(&mut self, orders: &mut Vec<Order>) {
        std::mem::swap(&mut self.orders, orders);
    }

    /// The time of the step.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// Orders something.
    pub(super) fn order(&mut self, order: Order) {
        self.orders.push(order);
    }

    /// Orders a write to the kernel's tables.
    pub(super) fn write(&mut self, write: Write) {
        self.orders.push(Order::Write(write));
    }

    /// Reports an event, whatever was reported before.
    pub(super) fn emit(&mut self, event: Event) {
        self.reports.count(event.kind());
        self.remember(&event);
        self.orders.push(Order::Emit(event));
    }

    /// Reports an event unless its like was reported lately, which is returned; it is counted in any case.
    pub(super) fn report(&mut self, segment: SegmentId, subject: Subject, event: Event) -> bool {
        self.remember(&event);
        let is_admitted = self.reports.admit(self.now, segment, subject, event.kind());
        if is_admitted {
            self.orders.push(Order::Emit(event));
        }
        is_admitted
    }

    /// Remembers that a rule decided something about an address, for `explain`.
    pub(super) fn note(
        &mut self,
        address: Address,
        rule: &'static Rule,
        segment: SegmentId,
        lladdr: LinkAddr,
    ) {
        self.journal.note(self.now, address, Outcome::Rule { rule, segment, lladdr });
    }

    fn remember(&mut self, event: &Event) {
        if let Some(address) = event.address() {
            self.journal.note(self.now, address, Outcome::from(event));
        }
    }

    /// What was decided about an address lately, the newest first.
    pub(super) fn decisions(&self, address: Address) -> impl Iterator<Item = &Decision> {
        self.journal.of(address)
    }

    /// How often each kind of event happened; those that did not are left out.
    pub(super) fn event_counts(&self) -> impl Iterator<Item = (EventKind, u64)> + '_ {
        self.reports.counts()
    }

    /// Sets a timer.
    pub(super) fn at(&mut self, at: Time, timer: Timer) -> Token {
        self.timers.set(at, timer)
    }

    /// Sets a timer that fires after a while.
    pub(super) fn after(&mut self, span: Duration, timer: Timer) -> Token {
        self.timers.set(self.now + span, timer)
    }

    /// Takes the next timer that is due.
    pub(super) fn next_due(&mut self) -> Option<Due> {
        self.timers.pop_due(self.now)
    }

    /// When the next timer fires.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.timers.deadline()
    }

    /// Drops all timers.
    pub(super) fn drop_timers(&mut self) {
        self.timers.clear();
    }

    /// Asks who has the target: one station, or all. The sender is the segment's source; without one it is an
    /// address probe (RFC 5227), which enters nobody's cache. With a source outside of the domain's prefixes it is both,
    /// as some hosts answer only one of them. Nothing is sent where the segment is down.
    pub(super) fn request(
        &mut self,
        segment: &Segment,
        target: Address,
        to: Option<LinkAddr>,
        purpose: Purpose,
    ) {
        for sender in segment.source.senders() {
            self.request_from(segment, sender, target, to, purpose);
        }
    }

    /// The same in one name only, where answers are counted.
    pub(super) fn request_once(
        &mut self,
        segment: &Segment,
        target: Address,
        to: Option<LinkAddr>,
        purpose: Purpose,
    ) {
        let sender = segment.source.address.unwrap_or(Address::UNSPECIFIED);
        self.request_from(segment, sender, target, to, purpose);
    }

    /// Asks one station whether it has the address, in nobody's name (RFC 5227, section 1.1).
    pub(super) fn address_probe(&mut self, segment: &Segment, target: Address, to: LinkAddr) {
        self.request_from(segment, Address::UNSPECIFIED, target, Some(to), Purpose::Verify);
    }

    fn request_from(
        &mut self,
        segment: &Segment,
        sender: Address,
        target: Address,
        to: Option<LinkAddr>,
        purpose: Purpose,
    ) {
        if !segment.is_up() {
            return;
        }
        let (sender_lladdr, target_lladdr) = (segment.lladdr(), LinkAddr::UNKNOWN);
        let arp = Arp { operation: Operation::Request, sender_lladdr, sender, target_lladdr, target };
        self.transmit(segment, to, arp, purpose);
    }

    /// Sends a proxied reply: packets for the target are to be sent to us.
    pub(super) fn reply(&mut self, segment: &Segment, target: Address, to: LinkAddr, requester: Address) {
        let arp = Arp {
            operation: Operation::Reply,
            sender_lladdr: segment.lladdr(),
            sender: target,
            target_lladdr: to,
            target: requester,
        };
        self.transmit(segment, Some(to), arp, Purpose::Answer);
    }

    /// Announces on the segment that packets for the address are to be sent to us, where it is ours to say so.
    pub(super) fn announce(&mut self, segment: &Segment, address: Address) {
        if !segment.is_up() || segment.plan.answer == AnswerMode::Off || segment.is_never(address) {
            return;
        }
        let arp = Arp {
            operation: Operation::Request,
            sender_lladdr: segment.lladdr(),
            sender: address,
            target_lladdr: LinkAddr::UNKNOWN,
            target: address,
        };
        self.transmit(segment, None, arp, Purpose::Announce);
    }

    /// Tells one station that packets for the address are to be sent to a link-layer address on its segment: a
    /// gratuitous request to it alone.
    pub(super) fn correct(&mut self, segment: &Segment, address: Address, lladdr: LinkAddr, to: LinkAddr) {
        let arp = Arp {
            operation: Operation::Request,
            sender_lladdr: lladdr,
            sender: address,
            target_lladdr: LinkAddr::UNKNOWN,
            target: address,
        };
        self.transmit(segment, Some(to), arp, Purpose::Correct);
    }

    /// Tells the other gateways of the segment's domain that we are there (`presence.rs`).
    pub(super) fn tell_gateways(&mut self, segment: &Segment, arp: Arp) {
        self.transmit(segment, None, arp, Purpose::Verify);
    }

    /// Whatever a frame says, its source is our address on the segment: that is how switches learn where it is. Where the
    /// other gateway speaks, nothing is said of where hosts are.
    fn transmit(&mut self, segment: &Segment, to: Option<LinkAddr>, arp: Arp, purpose: Purpose) {
        let says = matches!(purpose, Purpose::Answer | Purpose::Announce | Purpose::Correct);
        if says && !segment.voice.is_heard() {
            return;
        }
        let frame = Frame { to, from: segment.shared_lladdr(), arp };
        self.orders.push(Order::Transmit { segment: segment.id, frame, purpose });
    }
}
