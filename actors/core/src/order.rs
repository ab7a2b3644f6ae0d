//! What the core has its shell do: orders, in the imperative.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::arp::Frame;
use crate::event::Event;
use crate::fact::PendingRequest;
use crate::lladdr::LinkAddr;
use crate::memory::RememberedLease;
use crate::plan::{DomainId, SegmentId};
use crate::write::Write;

/// One thing to be done. Orders of one step are carried out in their order within each kind, writes before
/// frames, so that a host is reachable before anybody learns where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Have this in the kernel's tables, or have it no longer.
    Write(Write),
    /// Read the kernel's routes in full and report them as [`crate::Fact::TableRead`],
    /// or as [`crate::Fact::TableReadWhileWriting`].
    ReadTable,
    /// Ask the kernel where it would forward a packet that came in on the interface, and report it as
    /// [`crate::Fact::RouteLookedUp`].
    LookUpRoute {
        /// The number of the interface the request came in on.
        interface: u32,
        /// The request that waits for it.
        request: PendingRequest,
    },
    /// Read the stations of the access point that the segment's interface is, and report them as
    /// [`crate::Fact::StationsRead`].
    ReadStations {
        /// Which segment.
        segment: SegmentId,
    },
    /// Read when the program that answers inside the kernel heard a host last, after the writes, and report it as
    /// [`crate::Fact::HeardInKernel`].
    ReadHeard {
        /// The host's domain.
        domain: DomainId,
        /// Its address.
        address: Address,
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
    /// Send a magic packet, which wakes a machine (Wake-on-LAN), to all stations of the segment.
    SendMagicPacket {
        /// On which segment.
        segment: SegmentId,
        /// Whom it is to wake: six octets.
        station: LinkAddr,
    },
    /// Sweep the segment from now on, or no longer.
    Sweep {
        /// Which.
        segment: SegmentId,
        /// Whether it can be swept.
        active: bool,
    },
    /// A host is alive on the segment: a sweep need not wait for its reply any longer.
    HostSeen {
        /// Where.
        segment: SegmentId,
        /// The host.
        address: Address,
    },
    /// Settle what became of the packets that are held for a target, as [`crate::Fact::PacketHeld`] said.
    SettlePackets {
        /// Their destination.
        target: Address,
        /// Send them on by the interface of this number, by which a route to the target stands; `None`: refuse them with
        /// an ICMP message.
        forward: Option<u32>,
    },
    /// Keep this for the next run, in place of what is kept of the same address and interface.
    KeepLease(Box<RememberedLease>),
    /// Keep nothing of the lease of this address and interface.
    DropLease {
        /// The address.
        address: Address,
        /// The interface of the client's segment, as the plan calls it.
        interface: String,
    },
    /// Report to the operator.
    Emit(Event),
}

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A proxied reply.
    Answer,
    /// A request of ours for a host already known.
    Verify,
    /// A request of ours for an address nobody is known to have.
    Search,
    /// A gratuitous request of ours.
    Announce,
    /// A gratuitous request to one station alone, whose neighbour cache is outdated. What it says is where that
    /// station finds an address on its link, which need not be with us.
    Correct,
}

/// The events among the orders, in their order.
pub fn emitted(orders: &[Order]) -> impl Iterator<Item = &Event> {
    orders.iter().filter_map(|order| if let Order::Emit(event) = order { Some(event) } else { None })
}
