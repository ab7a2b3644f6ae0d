//! All timers of the ledger, as one deadline.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;

use super::host::Key;
use crate::plan::SegmentId;
use crate::time::Time;

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A host may have gone quiet, or is to be asked again.
    Host(Key),
    /// A contested address is to be decided, or its incumbent asked again.
    Claim(Key),
    /// Held questions are to be searched for again, or dropped.
    Question(Key),
    /// An announcement is to be repeated.
    Announce(Key),
    /// More of a segment's addresses are to be announced after its own link-layer address changed.
    Reannounce(SegmentId),
    /// A refused route is to be tried again.
    Route(Key),
    /// Whoever uses a published address is to be asked whether it still does.
    Squatter(SegmentId, Ipv4Addr),
    /// It is to be seen whether two segments are still one link.
    Joint(SegmentId, SegmentId),
    /// The routes of others that keep ours away are to be looked at again.
    Conflicts,
}

/// A queue of timers. Setting one is cheap and cancelling is free: who sets a timer remembers its time, and
/// takes one that fires at another time for stale.
#[derive(Debug, Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<(Time, Timer)>>);

impl Timers {
    pub(crate) fn set(&mut self, at: Time, timer: Timer) {
        self.0.push(Reverse((at, timer)));
    }

    /// The next timer that is due, with the time it was set for.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<(Time, Timer)> {
        let &Reverse((at, timer)) = self.0.peek()?;
        if at > now {
            return None;
        }
        self.0.pop();
        Some((at, timer))
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.0.peek().map(|&Reverse((at, _))| at)
    }

    pub(crate) fn clear(&mut self) {
        self.0 = BinaryHeap::new();
    }
}
