//! The hosts of a small network, and what may happen to them and around them.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::arp::{Arp, Operation};
use arpherd_core::{LinkAddr, SegmentId};
use proptest::prelude::*;

pub(crate) const SEGMENTS: u16 = 3;
/// Hosts are `10.0.0.2` to `10.0.0.7`.
pub(crate) const HOSTS: std::ops::Range<u8> = 2..8;

pub(crate) fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

/// The first, second, … station that has the address.
pub(crate) fn mac(last: u8, which: u8) -> LinkAddr {
    LinkAddr::ethernet([2, 0, 0, 0, which, last])
}

/// The third station of each address is behind a repeater, which is the source of its frames.
pub(crate) fn source_of(sender: LinkAddr) -> LinkAddr {
    let is_masked = sender.octets().get(4) == Some(&2);
    if is_masked { LinkAddr::ethernet([2, 0, 0, 9, 9, 9]) } else { sender }
}

/// A host as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Station {
    pub(crate) segment: SegmentId,
    pub(crate) lladdr: LinkAddr,
}

pub(crate) fn request(sender: Ipv4Addr, sender_lladdr: LinkAddr, target: Ipv4Addr) -> Arp {
    let target_lladdr = LinkAddr::UNKNOWN;
    Arp { operation: Operation::Request, sender_lladdr, sender, target_lladdr, target }
}

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// A station takes the address on a segment, wherever it was before, and says so or not.
    Arrive {
        last: u8,
        segment: SegmentId,
        which: u8,
        announces: bool,
    },
    /// The station that has the address falls silent for ever.
    Leave(u8),
    /// The station asks for another address.
    Ask {
        last: u8,
        target: u8,
    },
    /// Somebody announces an address that is not its own.
    Forge {
        last: u8,
        segment: SegmentId,
    },
    /// The station that has the address is heard without it, as by a RARP request.
    Show(u8),
    /// Somebody pretends to be a station that has the address.
    ForgeTrace {
        last: u8,
        segment: SegmentId,
        which: u8,
    },
    /// Somebody makes sure that an address is free.
    Probe {
        last: u8,
        segment: SegmentId,
    },
    /// An interface goes down, loses its carrier, goes away, is made anew with another address, comes back.
    AdminDown(SegmentId),
    NoCarrier(SegmentId),
    Absent(SegmentId),
    Recreated(SegmentId),
    /// Another interface takes the name of the segment's, which lives on under another; and back.
    Swapped(SegmentId),
    SwappedBack(SegmentId),
    Up(SegmentId),
    /// The gateway's address goes and comes.
    AddressLost,
    AddressBack,
    /// Somebody else's route to the address comes, with our metric or another, and goes.
    Foreign {
        last: u8,
        our_metric: bool,
    },
    ForeignGone(u8),
    /// Somebody deletes our route, or adds one in our name.
    Vandal(u8),
    Impostor {
        last: u8,
        segment: SegmentId,
    },
    /// The kernel refuses the next writes.
    Failing(u32),
    /// News were lost, and the table is read.
    Overrun,
    /// Time passes.
    Wait(Duration),
}

pub(crate) fn any_act() -> impl Strategy<Value = Act> {
    let last = || 2_u8..8;
    let segment = || (0..SEGMENTS).prop_map(SegmentId);
    let wait = prop_oneof![
        6 => (0_u64..400).prop_map(Duration::from_millis),
        3 => (0_u64..8_000).prop_map(Duration::from_millis),
        1 => (0_u64..80).prop_map(Duration::from_secs),
    ];
    prop_oneof![
        8 => (last(), segment(), 0_u8..3, any::<bool>())
            .prop_map(|(last, segment, which, announces)| Act::Arrive { last, segment, which, announces }),
        2 => last().prop_map(Act::Leave),
        8 => (last(), 2_u8..9).prop_map(|(last, target)| Act::Ask { last, target }),
        2 => (last(), segment()).prop_map(|(last, segment)| Act::Forge { last, segment }),
        3 => last().prop_map(Act::Show),
        2 => (last(), segment(), 0_u8..3)
            .prop_map(|(last, segment, which)| Act::ForgeTrace { last, segment, which }),
        2 => (last(), segment()).prop_map(|(last, segment)| Act::Probe { last, segment }),
        1 => segment().prop_map(Act::AdminDown),
        1 => segment().prop_map(Act::NoCarrier),
        1 => segment().prop_map(Act::Absent),
        1 => segment().prop_map(Act::Recreated),
        1 => segment().prop_map(Act::Swapped),
        1 => segment().prop_map(Act::SwappedBack),
        4 => segment().prop_map(Act::Up),
        1 => Just(Act::AddressLost),
        2 => Just(Act::AddressBack),
        2 => (last(), any::<bool>()).prop_map(|(last, our_metric)| Act::Foreign { last, our_metric }),
        2 => last().prop_map(Act::ForeignGone),
        2 => last().prop_map(Act::Vandal),
        1 => (last(), segment()).prop_map(|(last, segment)| Act::Impostor { last, segment }),
        1 => (1_u32..4).prop_map(Act::Failing),
        1 => Just(Act::Overrun),
        16 => wait.prop_map(Act::Wait),
    ]
}
