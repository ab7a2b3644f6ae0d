//! What the core is told: facts, in the past tense.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnetwork::Ipv4Network;
use serde::{Deserialize, Serialize};

use crate::arp::Heard;
use crate::lladdr::LinkAddr;
use crate::plan::{LinkKind, SegmentId};

/// One thing that happened. A recording is a list of these with their times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// An ARP packet came in on a segment.
    Heard {
        /// Where.
        segment: SegmentId,
        /// What.
        heard: Heard,
    },
    /// A segment's interface is now like this, and frames can be sent and heard on it; `None`: it is gone.
    LinkChanged {
        /// Which segment.
        segment: SegmentId,
        /// The interface's state.
        link: Option<Link>,
    },
    /// All IPv4 addresses of this network namespace are now these.
    AddressesChanged {
        /// Every address, of every interface, without repeats.
        addresses: Vec<Ipv4Addr>,
    },
    /// The kernel's table was read in full: these are all its host routes that concern us.
    TableRead {
        /// Ours and others', in the order of the kernel's answer.
        routes: Vec<RouteSeen>,
    },
    /// Somebody else than this process added or replaced a route.
    RouteAppeared(RouteSeen),
    /// Somebody else than this process deleted a route.
    RouteVanished(RouteSeen),
    /// Somebody else than this process deleted a covering `unreachable` route of ours.
    CoverVanished {
        /// Its prefix.
        prefix: Ipv4Network,
    },
    /// The kernel refused to write a host route.
    RouteRefused {
        /// On whose behalf it was written.
        segment: SegmentId,
        /// The route's destination.
        address: Ipv4Addr,
        /// The kernel's error number, positive.
        errno: i32,
        /// What the kernel said beside it, or the text of `errno`.
        reason: String,
    },
    /// The kernel was asked where it would forward a packet to, as [`crate::Order::FindRoute`] wanted.
    RouteFound {
        /// Where the target was asked for.
        segment: SegmentId,
        /// Who asked.
        asker: Ipv4Addr,
        /// Its link-layer address.
        asker_lladdr: LinkAddr,
        /// Whom it asked for.
        target: Ipv4Addr,
        /// The interface the route leaves by; `None` if there is no route, or none that forwards.
        interface: Option<u32>,
    },
    /// A segment's interface turned out to be this among radios; `None`: no radio tells of it.
    RadioSeen {
        /// Which segment.
        segment: SegmentId,
        /// What it is.
        role: Option<WifiRole>,
    },
    /// A station associated with the access point that a segment's interface is. Its keys may not be agreed on.
    StationJoined {
        /// Where.
        segment: SegmentId,
        /// Who.
        lladdr: LinkAddr,
    },
    /// A station is no longer associated there.
    StationLeft {
        /// Where.
        segment: SegmentId,
        /// Who.
        lladdr: LinkAddr,
    },
    /// The stations of an access point were read, as [`crate::Order::ReadStations`] wanted, or because news of
    /// them were lost.
    StationsRead {
        /// Where.
        segment: SegmentId,
        /// All of them, each with the time since it was last heard.
        stations: Vec<(LinkAddr, Duration)>,
    },
    /// A segment's interface, a station, associated with an access point: the first, another, or the same again.
    Associated {
        /// Which segment.
        segment: SegmentId,
    },
    /// It lost its access point.
    Disassociated {
        /// Which segment.
        segment: SegmentId,
    },
    /// The kernel's proxy entries that bear our mark, on the segments where it answers by them, are these.
    ProxiesRead {
        /// Where, and for whom.
        proxies: Vec<(SegmentId, Ipv4Addr)>,
    },
    /// The deadline the core asked for has come, or some time has passed anyway.
    TimePassed,
    /// The daemon is stopping.
    Stopped {
        /// Whether routes are to be taken away (`on_exit: purge`).
        purge: bool,
    },
}

/// An interface, as a segment sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The kernel's number for the interface; a recreated interface has another.
    pub index: u32,
    /// What it is.
    pub kind: LinkKind,
    /// Its own link-layer address.
    pub lladdr: LinkAddr,
    /// `IFF_UP`: set up by the administrator.
    pub up: bool,
    /// `IFF_LOWER_UP`: there is a carrier.
    pub carrier: bool,
    /// Its IPv4 addresses with their prefixes, in the kernel's order.
    pub addresses: Vec<Ipv4Network>,
    /// Why it cannot serve a segment, whatever its state; `None`: it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfit: Option<Unfit>,
}

/// Why an interface cannot serve a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfit {
    /// It is a port of another interface, which its packets belong to.
    Port,
    /// ARP as we know it is not spoken on it.
    NoArp,
}

/// What an interface is among radios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WifiRole {
    /// Stations associate with it.
    AccessPoint,
    /// It associates with an access point; its frames bear no other sender than itself.
    Station,
    /// The same with four addresses a frame, so that others can send through it.
    FourAddressStation,
}

impl WifiRole {
    /// The word used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessPoint => "ap",
            Self::Station => "station",
            Self::FourAddressStation => "4addr",
        }
    }
}

/// A host route (`/32`) somebody has in the table we write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSeen {
    /// Its destination.
    pub address: Ipv4Addr,
    /// `rtm_protocol`; ours says that an arpherd put it there.
    pub protocol: u8,
    /// `RTA_PRIORITY`, 0 if it has none.
    pub metric: u32,
    /// `RTA_OIF`, 0 if it has none.
    pub interface: u32,
    /// The segment whose interface it leaves by, if it is one of ours.
    pub segment: Option<SegmentId>,
    /// `RTA_PREFSRC`
    pub source: Option<Ipv4Addr>,
    /// What the kernel's neighbour table holds for the address on that interface, if read along.
    pub lladdr: LinkAddr,
}
