//! What the core tells its shell to do: orders, in the imperative.

use std::net::Ipv4Addr;

use ipnetwork::Ipv4Network;
use serde::{Deserialize, Serialize};

use crate::arp::Frame;
use crate::event::Event;
use crate::fact::RouteSeen;
use crate::lladdr::LinkAddr;
use crate::plan::{DomainId, SegmentId};

/// One thing to be done. Orders of one step are carried out in their order within each sort, routes
/// before frames, so that a host is reachable before anybody is told where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Have a route to `address` through the segment.
    PutRoute {
        /// Where the host lives.
        segment: SegmentId,
        /// The host.
        address: Ipv4Addr,
        /// Preferred source.
        source: Option<Ipv4Addr>,
        /// Whether a route of ours may stand there and is replaced in one go; otherwise the kernel is asked
        /// to refuse when any route to the address with our metric exists (`NLM_F_EXCL`), because that one
        /// is somebody else's.
        replace: bool,
    },
    /// Have no route of ours to `address` through the segment.
    DeleteRoute {
        /// Where the host lived.
        segment: SegmentId,
        /// The host.
        address: Ipv4Addr,
    },
    /// Delete exactly this leftover of ours.
    DeleteStray(RouteSeen),
    /// Have an `unreachable` route of last resort, so that addresses nobody has do not follow a default route.
    PutCover {
        /// On whose behalf.
        domain: DomainId,
        /// The prefix.
        prefix: Ipv4Network,
    },
    /// Have no such route.
    DeleteCover {
        /// On whose behalf.
        domain: DomainId,
        /// The prefix.
        prefix: Ipv4Network,
    },
    /// Read the kernel's routes in full and tell them as [`crate::Fact::TableRead`].
    ReadTable,
    /// Have this entry in the kernel's neighbour table, so that the first packet needs no question.
    PutNeighbour {
        /// Where the host lives.
        segment: SegmentId,
        /// The host.
        address: Ipv4Addr,
        /// Its link-layer address.
        lladdr: LinkAddr,
    },
    /// Have no entry of ours for the address.
    DeleteNeighbour {
        /// Where the host lived.
        segment: SegmentId,
        /// The host.
        address: Ipv4Addr,
    },
    /// Have the kernel answer for the address on the segment (`NTF_PROXY`).
    PutProxy {
        /// Where it answers.
        segment: SegmentId,
        /// For whom.
        address: Ipv4Addr,
    },
    /// Have it no longer answer for the address.
    DeleteProxy {
        /// Where it answered.
        segment: SegmentId,
        /// For whom.
        address: Ipv4Addr,
    },
    /// Ask the kernel where it would forward a packet to that came in on the segment, and tell it as
    /// [`crate::Fact::RouteFound`].
    FindRoute {
        /// Where the target was asked for.
        segment: SegmentId,
        /// Who asked: the packet's source.
        asker: Ipv4Addr,
        /// Its link-layer address, to be told again.
        asker_lladdr: LinkAddr,
        /// The packet's destination.
        target: Ipv4Addr,
    },
    /// Read the stations of the access point that the segment's interface is, and tell them as
    /// [`crate::Fact::StationsRead`].
    ReadStations {
        /// Which segment.
        segment: SegmentId,
    },
    /// Send a frame.
    Transmit {
        /// On which segment.
        segment: SegmentId,
        /// What, and to whom.
        frame: Frame,
        /// What for; it decides what is shed first when there is too much, and which counter it goes to.
        purpose: Purpose,
    },
    /// Sweep the segment from now on, or no longer.
    Sweep {
        /// Which.
        segment: SegmentId,
        /// Whether it can be swept.
        active: bool,
    },
    /// A host is alive on the segment: a sweep need not wait for its answer any longer.
    Found {
        /// Where.
        segment: SegmentId,
        /// The host.
        address: Ipv4Addr,
    },
    /// Tell the operator.
    Tell(Event),
}

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A proxied reply.
    Answer,
    /// A question of ours about a host already known.
    Verify,
    /// A question of ours about an address nobody is known to have.
    Search,
    /// A gratuitous request of ours.
    Announce,
}
