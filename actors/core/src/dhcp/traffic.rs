//! What the relay is given, and what it has its shell do.

use super::lease::DhcpNews;
use super::message::Message;
use crate::address::Address;
use crate::lladdr::LinkAddr;
use crate::plan::{DhcpServer, SegmentId};

/// A DHCP message that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Where.
    pub path: Path,
    /// What.
    pub message: Message,
}

/// Where a message was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// In a frame on a segment's link.
    Link {
        /// The segment.
        segment: SegmentId,
        /// This machine sent it, or sends it on; else it came in.
        is_outgoing: bool,
        /// The frame's source; unknown on InfiniBand and of what goes out.
        from: LinkAddr,
        /// The IPv4 source.
        source: Address,
        /// The IPv4 destination.
        destination: Address,
        /// The UDP destination port: 67 towards a server or a relay, 68 towards a client.
        port: u16,
    },
    /// At UDP port 67 of an address of this machine, from beyond the segments or from this machine: what a server sends
    /// to a relay. What segments' links show with such a destination is the same message and is not taken twice.
    Socket {
        /// The IPv4 source.
        source: Address,
        /// The IPv4 destination.
        destination: Address,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayOrder {
    /// Send it from port 67 of an own address (any port towards a server on this machine) to port 67 of the server.
    ToServer {
        /// The server.
        server: DhcpServer,
        /// The own address, which is `giaddr`.
        from: Address,
        /// The message.
        message: Message,
    },
    /// Send it from port 67 to port 68 on the segment's link.
    ToClient {
        /// The segment.
        segment: SegmentId,
        /// To whom.
        to: ClientPlace,
        /// The IPv4 source: the server's identifier, or our own.
        from: Address,
        /// The message.
        message: Message,
    },
    /// Report it to the ledger as [`crate::Fact::Dhcp`].
    Report {
        /// Where.
        segment: SegmentId,
        /// What.
        news: DhcpNews,
    },
    /// Count it for the segment.
    Count(SegmentId, DhcpCount),
}

/// Where a client receives a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientPlace {
    /// By broadcast on the link, to 255.255.255.255.
    Everybody,
    /// By unicast; the client need not answer ARP yet, so the frame bears its link-layer address.
    One {
        /// The link-layer address.
        lladdr: LinkAddr,
        /// The IPv4 destination: `ciaddr` or `yiaddr`.
        address: Address,
    },
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DhcpCount {
    /// A client's message was sent to a server, once for each server.
    Relayed,
    /// A server's message was sent to a client.
    Answered,
    /// Too many came from the segment or from one client.
    Limited,
    /// It was no well-formed message.
    Malformed,
    /// It was well-formed and not to be passed on: too many hops, a loop, an option 82 that no client may send, a server
    /// that is not believed, an address outside of the domain, a reply to nobody's question.
    Refused,
}
