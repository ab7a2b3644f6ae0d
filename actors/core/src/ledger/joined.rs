//! Two segments that are one link after all: somebody bridged them, or plugged both into one switch.
//!
//! A question of ours that was sent on one and is heard on the other gives it away. While they are one, hosts
//! reach each other by themselves, so nothing is proxied between the two; a question now and then tells when
//! they are two again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Ledger;
use super::timer::Timer;
use crate::arp::{Heard, Mark};
use crate::event::Event;
use crate::order::{Order, Purpose};
use crate::plan::SegmentId;
use crate::time::Time;

/// Between two questions that show whether the segments are still one.
const LOOK: Duration = Duration::from_secs(5);
/// They are two again if none of ours came back for so long.
const PARTED: Duration = Duration::from_secs(16);

/// Two segments, the lower number first.
pub(crate) type Pair = (SegmentId, SegmentId);

/// Segments that are one link.
#[derive(Debug)]
pub(crate) struct Joint {
    /// When a frame of ours last came back.
    heard: Time,
    due: Time,
}

fn pair(one: SegmentId, other: SegmentId) -> Pair {
    (one.min(other), one.max(other))
}

/// As [`Ledger::is_one_link`], for who holds another part of the ledger.
pub(super) fn are_one(joints: &BTreeMap<Pair, Joint>, one: SegmentId, other: SegmentId) -> bool {
    !joints.is_empty() && joints.contains_key(&pair(one, other))
}

impl Ledger {
    /// Whether the two were found to be one link.
    pub(super) fn is_one_link(&self, one: SegmentId, other: SegmentId) -> bool {
        are_one(&self.joints, one, other)
    }

    /// Whether the frame is one of ours that came back. Only a marked one says anything of segments: the mark
    /// is a secret of the segment it was sent on, while anybody can write our link-layer address.
    pub(super) fn came_back(
        &mut self,
        now: Time,
        segment: SegmentId,
        heard: &Heard,
        orders: &mut Vec<Order>,
    ) -> bool {
        let Some(Mark::Ours(from)) = heard.mark else { return false };
        let is_joint = from != segment
            && self.is_planned(from)
            && self.segment(from).plan.domain == self.segment(segment).plan.domain;
        if is_joint {
            self.note_joint(now, from, segment, orders);
        }
        true
    }

    fn note_joint(&mut self, now: Time, from: SegmentId, on: SegmentId, orders: &mut Vec<Order>) {
        let pair = pair(from, on);
        if let Some(joint) = self.joints.get_mut(&pair) {
            joint.heard = now;
            return;
        }
        let due = now + LOOK;
        self.joints.insert(pair, Joint { heard: now, due });
        self.timers.set(due, Timer::Joint(pair.0, pair.1));
        orders.push(Order::Tell(Event::SegmentsJoined { segment: from, other: on }));
    }

    pub(super) fn joint_due(&mut self, now: Time, at: Time, pair: Pair, orders: &mut Vec<Order>) {
        let Some(joint) = self.joints.get_mut(&pair).filter(|joint| joint.due == at) else { return };
        let (segment, other) = pair;
        if now.since(joint.heard) >= PARTED {
            self.joints.remove(&pair);
            orders.push(Order::Tell(Event::SegmentsParted { segment, other }));
            return;
        }
        joint.due = now + LOOK;
        self.timers.set(joint.due, Timer::Joint(pair.0, pair.1));
        // Nobody holds a network address, so nobody answers; that it comes back is all there is to know.
        let Some(prefix) = self.domain(self.segment(segment).plan.domain).prefixes.first() else { return };
        let network = prefix.network();
        for segment in [segment, other] {
            self.ask(segment, network, None, Purpose::Verify, orders);
        }
    }
}
