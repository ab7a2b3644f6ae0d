//! One host of the ledger.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::lladdr::LinkAddr;
use crate::plan::{DomainId, SegmentId};
use crate::time::Time;

/// An address within its domain; domains never mix, so the same address in two domains is two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) domain: DomainId,
    pub(crate) address: Ipv4Addr,
}

/// Where a host is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Heard within the quiet time, or not yet due to be asked.
    Alive,
    /// Quiet; asked so many times since it was last heard. It keeps its route and its answers.
    Suspect { asked: u8 },
    /// Gone, or its segment is down: no route, no answers, only remembered, so that it is asked first when
    /// its segment returns and so that those who knew its old place are told when it appears at another.
    Dormant { asked: u8 },
}

/// What is known of the host's route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteState {
    /// None is wanted.
    None,
    /// Ordered, and not refused since.
    Written,
    /// Somebody else's route stands there; ours is not written.
    Conflict,
    /// The kernel refused it; it is tried again.
    Refused,
}

/// What taught us of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Request,
    Reply,
    Announcement,
    Kernel,
    /// The configuration.
    Static,
}

impl Origin {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Reply => "reply",
            Self::Announcement => "announcement",
            Self::Kernel => "kernel",
            Self::Static => "static",
        }
    }
}

/// What the ledger holds of one address. Kept small: there may be 65,536 of them.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) lladdr: LinkAddr,
    pub(crate) segment: SegmentId,
    pub(crate) life: Life,
    pub(crate) route: RouteState,
    pub(crate) origin: Origin,
    /// A place in the segment's pace is already taken for the next question.
    pub(crate) paced: bool,
    pub(crate) last_heard: Time,
    /// Where a host that is gone lived, if its station has joined another segment since.
    pub(crate) lived_on: Option<SegmentId>,
    /// When the host's timer fires; other entries of the timer queue for it are stale.
    pub(crate) due: Time,
}

impl Host {
    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.life, Life::Dormant { .. })
    }

    /// Whether the host is known to be at this very place. An unknown link-layer address (a route taken
    /// over at start) is at any.
    pub(crate) fn is_at(&self, segment: SegmentId, lladdr: &LinkAddr) -> bool {
        self.segment == segment && (self.lladdr.is_empty() || self.lladdr.same_port(lladdr))
    }
}
