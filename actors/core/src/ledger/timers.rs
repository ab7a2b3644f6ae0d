//! All timers of the ledger, as one deadline.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::key::{Key, Pair};
use crate::address::Address;
use crate::plan::{DomainId, SegmentId};
use crate::time::Time;

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A host may have gone quiet, or is to be probed again.
    Host(Key),
    /// A contested address is to be decided, or its incumbent probed again.
    Claim(Key),
    /// Who speaks in a frame of another source is to be asked, or what it was asked to be decided.
    Confirmation(SegmentId, Address),
    /// A station that answers for too many is to be judged.
    Trial,
    /// A host that has an alternative is to be looked at, and its alternative.
    Alternative(Key),
    /// An unknown target is to be searched for again, or given up.
    Search(Key),
    /// Packets are held for an unknown target: it is searched for again, or they are refused.
    Packets(Key),
    /// An announcement is to be repeated.
    Announce(Key),
    /// Traces of stations are to be followed.
    Traces,
    /// More is to be said to those who moved to a segment.
    Movers(SegmentId),
    /// The announcement of an own address is to be repeated.
    AnnounceOwn(SegmentId, Address),
    /// More of a segment's addresses are to be announced after its own link-layer address changed.
    AnnounceAll(SegmentId),
    /// A refused route is to be tried again.
    Retry(Key),
    /// Whoever uses a published address is to be probed.
    Published(SegmentId, Address),
    /// Two bridged segments are to be tested for being two links again.
    Bridge(Pair),
    /// The table is to be read again because routes of others keep some of ours away.
    Conflicts,
    /// Hosts to which routes of the fabric lead are to be asked.
    Fabric,
    /// Prefixes that no address gives any more are to be given up, or those that there are to be reported.
    Prefixes,
    /// A lease ends, or one that is over is forgotten.
    Leases,
    /// A host whose lease is over is to be asked again, or given up.
    LeaseCheck(Key),
    /// The other gateways of a domain are to be told that this one is there.
    Beat(DomainId),
    /// A role that was ordered for a while ends.
    RoleEnd(DomainId),
    /// A configured prefix may have lost the last address of this machine for good.
    Addressed,
    /// The pace of a segment has a place for the next host that waits to be asked.
    Turn(SegmentId),
}

/// The generation of a timer. Whoever sets one keeps its token; a timer that fires with another one was set
/// anew, or is no longer wanted. The default belongs to no timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Token(u32);

/// A timer that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    /// When it was set for.
    pub(super) at: Time,
    /// What it is for.
    pub(super) timer: Timer,
    /// Its generation.
    pub(super) token: Token,
}

/// A queue of timers. Setting one is cheap, and cancelling is free: its token is forgotten.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BinaryHeap<Reverse<Due>>,
    last: Token,
}

impl Timers {
    /// Sets a timer. Tokens repeat after 2³² timers, by which time the older one has long fired.
    pub(super) fn set(&mut self, at: Time, timer: Timer) -> Token {
        self.last = Token(self.last.0.checked_add(1).unwrap_or(1));
        self.queue.push(Reverse(Due { at, timer, token: self.last }));
        self.last
    }

    /// Takes the next timer that is due.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<Due> {
        let &Reverse(due) = self.queue.peek()?;
        if due.at > now {
            return None;
        }
        self.queue.pop();
        Some(due)
    }

    /// When the next timer fires.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.queue.peek().map(|Reverse(due)| due.at)
    }

    /// Drops them all.
    pub(super) fn clear(&mut self) {
        self.queue = BinaryHeap::new();
    }
}
