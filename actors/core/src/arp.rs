//! An ARP packet as a value: what the decoders at the edge make of a frame.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;

/// `ar$op`, RFC 826; other operations do not get past the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Who has `target`? Tell `sender`.
    Request,
    /// `sender` is at `sender_lladdr`.
    Reply,
}

/// One ARP packet for IPv4, on a link of any address length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arp {
    /// Request or reply.
    pub operation: Operation,
    /// `ar$sha`
    pub sender_lladdr: LinkAddr,
    /// `ar$spa`
    pub sender: Address,
    /// `ar$tha`; senders of requests fill it with anything, so it means something only in a reply.
    pub target_lladdr: LinkAddr,
    /// `ar$tpa`
    pub target: Address,
}

impl Arp {
    /// An address probe: nobody's sender address, RFC 5227 section 1.1.
    pub fn is_address_probe(&self) -> bool {
        self.sender.is_unspecified()
    }

    /// An announcement or gratuitous ARP, in request or reply form: sender and target are the same.
    pub fn is_gratuitous(&self) -> bool {
        self.sender == self.target
    }
}

/// An ARP packet with what its frame said beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The packet.
    pub arp: Arp,
    /// The frame's source; unknown on links whose frames carry none.
    pub from: LinkAddr,
    /// Whose mark it bore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
}

impl Heard {
    /// Whether the frame's source is not the packet's sender: somebody speaks for somebody else, or masks its own
    /// link-layer address.
    pub fn is_mismatched(&self) -> bool {
        !self.from.is_empty() && !self.from.same_port(&self.arp.sender_lladdr)
    }
}

/// The mark of an arpherd: octets after the ARP packet of every request and announcement, which everybody
/// else takes for padding. It keeps proxies from relaying each other's requests. Or what the program inside the kernel left
/// in `ar$tha` of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Our own, sent on this segment: it came back.
    Ours(SegmentId),
    /// Another arpherd's.
    Peer,
    /// A host's request that was answered inside the kernel, and is passed on so that it is heard of all the same.
    Answered,
}

/// A frame of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Its destination, or `None` for the link's broadcast address.
    pub to: Option<LinkAddr>,
    /// Its source, where that is not the interface's own address but one that several segments share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<LinkAddr>,
    /// The packet.
    pub arp: Arp,
}
