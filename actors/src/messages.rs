//! Everything actors say to one another.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::Message;
use arpherd_core::fact::Link;
use arpherd_core::plan::LinkKind;
use arpherd_core::view::{CountersView, Query, Response};
use arpherd_core::{Fact, LinkAddr, SegmentId, Time};

use crate::io::FramePort;
use crate::io::packet::Medium;

/// Facts for the route owner: the one door in. They become orders before the next message is looked at.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Told {
    /// What happened, in this order.
    pub facts: Vec<Fact>,
    /// More of the same is about to come, so work that can wait may wait for it.
    pub more: bool,
}

/// What the route owner sends on a segment through, or `None` when there is no link to send on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Outlet {
    /// Which segment.
    pub segment: SegmentId,
    /// A port that only sends.
    pub port: Option<Box<dyn FramePort>>,
}

/// The interface of a segment is now like this; `None`: there is none of its name.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct LinkUpdate(pub Option<(Medium, Link)>);

impl LinkUpdate {
    /// What a port can be opened on; none where there is nothing of ours to hear.
    pub fn medium(&self) -> Option<Medium> {
        self.0.as_ref().filter(|(_, link)| link.ineligible.is_none()).map(|(medium, _)| *medium)
    }
}

/// A segment's interface changed, and may be something else among radios than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct OnAir {
    /// Which segment.
    pub segment: SegmentId,
    /// Its interface's number and kind; `None`: there is none.
    pub link: Option<(u32, LinkKind)>,
}

/// Read the stations of the access point that the segment's interface is, and tell the route owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ReadStations(pub SegmentId);

/// Sweep from now on, or no longer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SweepOn(pub bool);

/// Hosts that were just heard; a sweep need not wait for them any longer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Found(pub Vec<Ipv4Addr>);

/// A sweep is about to begin: who needs no probe?
#[derive(Debug, Message)]
#[rtype(result = "Option<Roll>")]
pub struct RollCall(pub SegmentId);

/// What a sweep needs to know of the ledger.
#[derive(Debug)]
pub struct Roll {
    /// Sender of the probes.
    pub source: Option<Ipv4Addr>,
    /// Its link-layer address.
    pub lladdr: LinkAddr,
    /// Addresses that need no probe.
    pub skip: Vec<Ipv4Addr>,
}

/// Read the kernel's routes in full and tell the route owner.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ReadTable;

/// Begin your work. Answered when all that was there at the start is read and told.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Begin;

/// Answered when everything that was sent to the actor before has been dealt with.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Barrier;

/// Finish what you own and stop. Answered when done.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Finish {
    /// Whether routes are to be taken away.
    pub purge: bool,
}

/// One fact as it went into the ledger, for the recorder.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Record(pub Vec<(Time, Fact)>);

/// A question of an operator.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Response")]
pub struct Show(pub Query);

/// What a segment's actors count together. All only grow, except that a link that went and came starts the
/// kernel's own count anew.
#[derive(Debug, Default)]
pub struct Counters {
    /// Frames read.
    pub read: AtomicU64,
    /// Proxied replies ordered.
    pub answered: AtomicU64,
    /// Questions of ours: searches, verifications and sweeps.
    pub probed: AtomicU64,
    /// Those among them that asked hosts already known; a sweep gives way to them.
    pub verified: AtomicU64,
    /// Frames lost on the way in or out for want of room.
    pub dropped: AtomicU64,
    /// Frames that were no ARP packet we listen to.
    pub malformed: AtomicU64,
}

impl Counters {
    /// Adds to one of the counters.
    pub fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// What they are now.
    pub fn view(&self) -> CountersView {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CountersView {
            read: get(&self.read),
            answered: get(&self.answered),
            probed: get(&self.probed),
            dropped: get(&self.dropped),
            malformed: get(&self.malformed),
        }
    }
}
