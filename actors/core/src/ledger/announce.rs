//! Gratuitous requests of ours: telling the other segments that an address is now to be sent to us.

use std::time::Duration;

use super::Ledger;
use super::host::{Host, Key};
use super::timer::Timer;
use crate::arp::{Arp, Frame, Operation};
use crate::lladdr::LinkAddr;
use crate::order::{Order, Purpose};
use crate::plan::{AnswerMode, SegmentId};
use crate::time::Time;

/// Pauses before the second and third announcement. Linux ignores an update within a second of the last one
/// (`locktime`), so the three span more than two.
const PAUSES: [Duration; 2] = [Duration::from_millis(1100), Duration::from_millis(1400)];
/// After an own link-layer address changed, so many addresses are announced at once …
const CHUNK: usize = 50;
/// … and then after this pause the next.
const CHUNK_PAUSE: Duration = Duration::from_millis(100);

/// An address being announced.
#[derive(Debug)]
pub(crate) struct Announcement {
    sent: usize,
    due: Time,
}

/// The addresses still to be announced on a segment whose own link-layer address changed.
#[derive(Debug)]
pub(crate) struct Reannouncement {
    keys: std::vec::IntoIter<Key>,
    /// How often all of them were announced before.
    round: usize,
    due: Time,
}

impl Ledger {
    /// Announces a host that moved: on every segment but the one it lives on, three times.
    pub(super) fn announce(&mut self, now: Time, key: Key, orders: &mut Vec<Order>) {
        self.announcements.insert(key, Announcement { sent: 0, due: now });
        self.announcement_due(now, now, key, orders);
    }

    pub(super) fn announcement_due(&mut self, now: Time, at: Time, key: Key, orders: &mut Vec<Order>) {
        let Some(announcement) = self.announcements.get_mut(&key).filter(|it| it.due == at) else { return };
        let Some(host) = self.hosts.get(&key).filter(|host| host.is_live()) else {
            self.announcements.remove(&key);
            return;
        };
        let pause = PAUSES.get(announcement.sent).copied();
        announcement.sent += 1;
        if let Some(pause) = pause {
            announcement.due = now + pause;
            self.timers.set(announcement.due, Timer::Announce(key));
        } else {
            self.announcements.remove(&key);
        }
        if self.leads_there(host, key.address) {
            for other in self.others(host.segment).filter(|it| !self.is_one_link(*it, host.segment)) {
                self.announce_on(other, key, orders);
            }
        }
    }

    /// Whoever heard a false claim on the segment may believe it now. Where we speak for the host, we say once
    /// more where it is, as the host itself would (RFC 5227, section 2.4).
    pub(super) fn reassert(&self, key: Key, segment: SegmentId, orders: &mut Vec<Order>) {
        let is_carried = |host: &Host| {
            host.is_live()
                && host.segment != segment
                && !self.is_one_link(host.segment, segment)
                && self.leads_there(host, key.address)
        };
        if self.hosts.get(&key).is_some_and(is_carried) {
            self.announce_on(segment, key, orders);
        }
    }

    fn announce_on(&self, segment: SegmentId, key: Key, orders: &mut Vec<Order>) {
        let link = self.segment(segment);
        if !link.is_up() || link.plan.answer == AnswerMode::Off || link.is_never(key.address) {
            return;
        }
        let arp = Arp {
            operation: Operation::Request,
            sender_lladdr: link.lladdr(),
            sender: key.address,
            target_lladdr: LinkAddr::UNKNOWN,
            target: key.address,
        };
        orders.push(Order::Transmit { segment, frame: Frame { to: None, arp }, purpose: Purpose::Announce });
    }

    /// Our own link-layer address on the segment changed: whoever was answered before has the old one. All are
    /// announced three times, too: the first may find a switch that does not forward yet.
    pub(super) fn reannounce(&mut self, now: Time, segment: SegmentId) {
        self.reannounce_at(now, segment, 0);
    }

    fn reannounce_at(&mut self, due: Time, segment: SegmentId, round: usize) {
        let domain = self.segment(segment).plan.domain;
        let mut keys = self.keys_of(|host: &Host| host.is_live() && host.segment != segment);
        keys.retain(|key| key.domain == domain);
        self.reannouncements.insert(segment, Reannouncement { keys: keys.into_iter(), round, due });
        self.timers.set(due, Timer::Reannounce(segment));
    }

    /// Somebody is heard on a segment for the first time since it came up with another link-layer address. If
    /// that took long, what was announced so far was perhaps heard by nobody.
    pub(super) fn heard_at_last(&mut self, now: Time, segment: SegmentId) {
        let it = self.segment_mut(segment);
        it.unheard = false;
        if it.came_up.is_some_and(|then| now.since(then) >= PAUSES[0]) {
            self.reannounce(now, segment);
        }
    }

    pub(super) fn reannouncement_due(
        &mut self,
        now: Time,
        at: Time,
        segment: SegmentId,
        orders: &mut Vec<Order>,
    ) {
        let Some(roll) = self.reannouncements.get_mut(&segment).filter(|it| it.due == at) else { return };
        let chunk: Vec<Key> = roll.keys.by_ref().take(CHUNK).collect();
        if roll.keys.len() > 0 {
            roll.due = now + CHUNK_PAUSE;
            self.timers.set(roll.due, Timer::Reannounce(segment));
        } else if let Some(pause) = PAUSES.get(roll.round).copied() {
            let round = roll.round + 1;
            self.reannounce_at(now + pause, segment, round);
        } else {
            self.reannouncements.remove(&segment);
        }
        for key in chunk {
            self.reassert(key, segment, orders);
        }
    }
}
