//! What gateways of one domain say to one another: that they are there, and whether they answer.
//!
//! ```text
//! an address probe (RFC 5227) for the network address of the domain, with our mark, to all stations
//!     ar$spa   0.0.0.0, so it enters nobody's cache
//!     ar$tpa   the network address of a prefix of the domain, which no host has
//!     ar$tha   octet 0: 02 standby, 06 active, 0a active and giving way; octets 1 to 5: the sender's rank
//! ```
//! In a request `ar$tha` means nothing to anybody else (RFC 826). Whoever can send on a segment can forge one; it could as
//! well answer in our place.

use super::segment::Segment;
use super::topology::Topology;
use crate::address::Address;
use crate::arp::{Arp, Operation};
use crate::lladdr::LinkAddr;
use crate::plan::DomainId;

/// Distinguishes the gateways of a domain from one another, the same on all of its segments: the last octets of the lowest
/// link-layer address that a gateway's interfaces there have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Rank([u8; 5]);

/// Whether a gateway answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It does.
    Speaking,
    /// It would, and gives way to another one.
    Yielding,
    /// It is the standby, since a moment ago.
    Leaving,
}

impl Presence {
    const ALL: [(Self, u8); 3] = [(Self::Leaving, 0x02), (Self::Speaking, 0x06), (Self::Yielding, 0x0a)];

    fn octet(self) -> u8 {
        Self::ALL.iter().find(|(presence, _)| *presence == self).map_or(0, |(_, octet)| *octet)
    }
}

/// This machine's rank in the domain.
pub(super) fn own_rank(topology: &Topology, domain: DomainId) -> Rank {
    let known = topology.members(domain).map(Segment::interface_lladdr).filter(|it| !it.is_empty());
    known.map(|lladdr| rank_of(&lladdr)).min().unwrap_or_default()
}

fn rank_of(lladdr: &LinkAddr) -> Rank {
    let mut rank = Rank::default();
    for (to, from) in rank.0.iter_mut().rev().zip(lladdr.octets().iter().rev()) {
        *to = *from;
    }
    rank
}

/// The target of a domain's presences: the network address of its first prefix that has one. A domain of single addresses
/// and pairs has none.
fn meeting_point(topology: &Topology, domain: DomainId) -> Option<Address> {
    let prefixes = &topology.domain(domain).prefixes;
    prefixes.iter().find(|prefix| prefix.prefix() < 31).map(|prefix| prefix.network())
}

/// The packet that tells the other gateways on the segment.
pub(super) fn tell(topology: &Topology, segment: &Segment, presence: Presence, rank: Rank) -> Option<Arp> {
    let target = meeting_point(topology, segment.plan.domain)?;
    let mut octets = [0; crate::lladdr::IPOIB_LEN];
    octets[0] = presence.octet();
    octets[1..6].copy_from_slice(&rank.0);
    let target_lladdr = LinkAddr::try_new(octets.get(..segment.lladdr().len())?)?;
    Some(Arp {
        operation: Operation::Request,
        sender_lladdr: segment.lladdr(),
        sender: Address::UNSPECIFIED,
        target_lladdr,
        target,
    })
}

/// What a marked packet on the segment tells, if it is such a one.
pub(super) fn told(topology: &Topology, segment: &Segment, arp: &Arp) -> Option<(Presence, Rank)> {
    let is_one = arp.operation == Operation::Request && arp.is_address_probe();
    if !is_one || meeting_point(topology, segment.plan.domain) != Some(arp.target) {
        return None;
    }
    let (first, rest) = arp.target_lladdr.octets().split_first()?;
    let (presence, _) = Presence::ALL.into_iter().find(|(_, octet)| octet == first)?;
    Some((presence, Rank(*rest.first_chunk()?)))
}
