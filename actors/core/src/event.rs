//! What operators are told. Names and fields are stable.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::fact::Ineligible;
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;

/// Something an operator may want to know, alarm on or count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A host was heard for the first time.
    HostFound {
        /// Its address.
        address: Ipv4Addr,
        /// Its link-layer address.
        lladdr: LinkAddr,
        /// Where it lives.
        segment: SegmentId,
    },
    /// A host stopped answering, or its link went away; its route is withdrawn.
    HostGone {
        /// Its address.
        address: Ipv4Addr,
        /// Its link-layer address.
        lladdr: LinkAddr,
        /// Where it lived.
        segment: SegmentId,
    },
    /// An address is now on another segment or at another link-layer address.
    HostMoved {
        /// The address.
        address: Ipv4Addr,
        /// Its link-layer address before.
        old_lladdr: LinkAddr,
        /// Its link-layer address now.
        lladdr: LinkAddr,
        /// Where it lived.
        old_segment: SegmentId,
        /// Where it lives.
        segment: SegmentId,
    },
    /// Two hosts claim one address and the incumbent answers; it keeps the address.
    DuplicateAddress {
        /// The address.
        address: Ipv4Addr,
        /// The incumbent's link-layer address.
        lladdr: LinkAddr,
        /// Where the incumbent lives.
        segment: SegmentId,
        /// The claimant's link-layer address.
        claimant_lladdr: LinkAddr,
        /// Where the claimant was heard.
        claimant_segment: SegmentId,
    },
    /// A host claims an address of this machine.
    OwnAddressClaimed {
        /// The address.
        address: Ipv4Addr,
        /// The claimant's link-layer address.
        lladdr: LinkAddr,
        /// Where it was heard.
        segment: SegmentId,
    },
    /// Hosts on two segments probe for the same address at the same time; neither is told of the other.
    DuplicateProbe {
        /// The address.
        address: Ipv4Addr,
        /// The first one's link-layer address.
        lladdr: LinkAddr,
        /// Where the first was heard.
        segment: SegmentId,
        /// The second one's link-layer address.
        claimant_lladdr: LinkAddr,
        /// Where the second was heard.
        claimant_segment: SegmentId,
    },
    /// An address moved too often; it is held where it is for a while.
    HostFlapping {
        /// The address.
        address: Ipv4Addr,
        /// Its link-layer address now.
        lladdr: LinkAddr,
        /// Where it is held.
        segment: SegmentId,
        /// The link-layer address that wanted it.
        claimant_lladdr: LinkAddr,
        /// Where that was heard.
        claimant_segment: SegmentId,
    },
    /// Somebody else has a route to a host's address; ours is not written while it stands.
    RouteConflict {
        /// The address.
        address: Ipv4Addr,
        /// Where the host lives.
        segment: SegmentId,
        /// The other route's protocol.
        protocol: u8,
        /// The other route's metric.
        metric: u32,
        /// The number of the interface the other route leaves by.
        interface: u32,
    },
    /// A route of ours was deleted by somebody else and put back.
    RouteHealed {
        /// The address.
        address: Ipv4Addr,
        /// Where the host lives.
        segment: SegmentId,
    },
    /// The kernel refused a route; it is tried again.
    RouteRefused {
        /// The address.
        address: Ipv4Addr,
        /// Where the host lives.
        segment: SegmentId,
        /// The kernel's error number.
        errno: i32,
        /// Its words.
        reason: String,
    },
    /// A route left by an earlier run was taken over; its host is being asked.
    RouteAdopted {
        /// The address.
        address: Ipv4Addr,
        /// Where the route leads.
        segment: SegmentId,
    },
    /// A segment can be used.
    SegmentUp {
        /// Which.
        segment: SegmentId,
        /// The interface's own link-layer address.
        lladdr: LinkAddr,
        /// Sender of probes and preferred source of routes.
        source: Option<Ipv4Addr>,
    },
    /// A segment cannot be used.
    SegmentDown {
        /// Which.
        segment: SegmentId,
        /// Why.
        reason: DownReason,
    },
    /// A host uses an address of a prefix that is published where it was heard; it gets no route.
    PublishedAddressUsed {
        /// The address.
        address: Ipv4Addr,
        /// Who uses it.
        lladdr: LinkAddr,
        /// Where it was heard.
        segment: SegmentId,
    },
    /// A pinned or static address was claimed by somebody else, in vain.
    PinViolated {
        /// The address.
        address: Ipv4Addr,
        /// Whose it is.
        lladdr: LinkAddr,
        /// Where it lives.
        segment: SegmentId,
        /// The claimant's link-layer address.
        claimant_lladdr: LinkAddr,
        /// Where the claimant was heard.
        claimant_segment: SegmentId,
    },
    /// A station answers for others; its replies teach nothing.
    ProxyFound {
        /// Where it was heard.
        segment: SegmentId,
        /// Its link-layer address.
        lladdr: LinkAddr,
        /// By what it was recognised.
        sign: ProxySign,
    },
    /// Two segments of a domain turned out to be one link: frames of ours sent on one were heard on the other.
    /// Nothing is proxied between them until that stops.
    SegmentsBridged {
        /// The one frames were sent on.
        segment: SegmentId,
        /// The one they were heard on.
        other: SegmentId,
    },
    /// They are two links again.
    SegmentsSeparated {
        /// The one.
        segment: SegmentId,
        /// The other.
        other: SegmentId,
    },
    /// Something was not learned because a limit is reached.
    LimitReached {
        /// Where.
        segment: SegmentId,
        /// Which limit.
        limit: Limit,
        /// The address that was not learned.
        address: Ipv4Addr,
        /// Its sender.
        lladdr: LinkAddr,
    },
}

impl Event {
    /// The event's stable name: the message of its log record and its counter's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::HostFound { .. } => "host_found",
            Self::HostGone { .. } => "host_gone",
            Self::HostMoved { .. } => "host_moved",
            Self::DuplicateAddress { .. } => "duplicate_address",
            Self::OwnAddressClaimed { .. } => "own_address_claimed",
            Self::DuplicateProbe { .. } => "duplicate_probe",
            Self::HostFlapping { .. } => "host_flapping",
            Self::RouteConflict { .. } => "route_conflict",
            Self::RouteHealed { .. } => "route_healed",
            Self::RouteRefused { .. } => "route_refused",
            Self::RouteAdopted { .. } => "route_adopted",
            Self::SegmentUp { .. } => "segment_up",
            Self::SegmentDown { .. } => "segment_down",
            Self::PublishedAddressUsed { .. } => "published_address_used",
            Self::PinViolated { .. } => "pin_violated",
            Self::ProxyFound { .. } => "proxy_found",
            Self::SegmentsBridged { .. } => "segments_bridged",
            Self::SegmentsSeparated { .. } => "segments_separated",
            Self::LimitReached { .. } => "limit_reached",
        }
    }
}

/// Why a segment is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownReason {
    /// There is no such interface.
    Absent,
    /// It was set down.
    AdminDown,
    /// It has no carrier.
    NoCarrier,
    /// The configured source is not an address of this machine.
    SourceMissing,
    /// It is a port of a bridge, bond or team, which its packets belong to.
    Port,
    /// ARP as we know it is not spoken on it.
    NoArp,
}

impl From<Ineligible> for DownReason {
    fn from(reason: Ineligible) -> Self {
        match reason {
            Ineligible::Port => Self::Port,
            Ineligible::NoArp => Self::NoArp,
        }
    }
}

impl DownReason {
    /// The word used in tables and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::AdminDown => "admin_down",
            Self::NoCarrier => "no_carrier",
            Self::SourceMissing => "source_missing",
            Self::Port => "port",
            Self::NoArp => "no_arp",
        }
    }
}

/// By what another proxy gave itself away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxySign {
    /// Its questions bear the mark of another arpherd.
    Mark,
    /// It answered for more addresses than `limits.hosts_per_lladdr` allows.
    ManyAddresses,
    /// It claimed several addresses whose holders live elsewhere.
    Disputes,
}

impl ProxySign {
    /// The word used in tables and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mark => "mark",
            Self::ManyAddresses => "many_addresses",
            Self::Disputes => "disputes",
        }
    }
}

/// A limit on learning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `limits.hosts`
    Hosts,
    /// `limits.hosts_per_lladdr`
    HostsPerLladdr,
    /// `limits.new_per_second`
    NewPerSecond,
}

impl Limit {
    /// The configuration key.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hosts => "hosts",
            Self::HostsPerLladdr => "hosts_per_lladdr",
            Self::NewPerSecond => "new_per_second",
        }
    }
}
