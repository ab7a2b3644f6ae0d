//! What the operator wants: the domains, their segments and the rules on each.
//!
//! A plan is checked before it gets here (the binary's configuration does that, with file and line); the
//! core takes it as given.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use ipnetwork::Ipv4Network;
use serde::{Deserialize, Serialize};

use crate::lladdr::LinkAddr;

/// A domain's place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DomainId(pub u16);

/// A segment's place in the plan, counted over all domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SegmentId(pub u16);

impl DomainId {
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl SegmentId {
    /// The segment's index in [`Plan::segments`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Everything the core is to look after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The domains; a [`DomainId`] is an index here.
    pub domains: Vec<DomainPlan>,
    /// The segments of all domains; a [`SegmentId`] is an index here.
    pub segments: Vec<SegmentPlan>,
    /// How routes are marked.
    pub routes: RoutePlan,
}

/// One IP subnet spread over segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainPlan {
    /// The operator's name for it.
    pub name: String,
    /// The prefixes that make up the subnet, none inside another.
    pub prefixes: Vec<Ipv4Network>,
}

/// How every route of ours is marked in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutePlan {
    /// `rtm_protocol`, by which our own routes are known again after a restart.
    pub protocol: u8,
    /// Routing table, `RTA_TABLE`.
    pub table: u32,
    /// Metric of host routes, `RTA_PRIORITY`.
    pub metric: u32,
}

/// Metric of covering `unreachable` routes: behind any route a person would write, yet not the last number
/// there is (`0xffff_ffff` is what some tools use for "none").
pub const COVER_METRIC: u32 = 0xffff_ff00;

/// One link of a domain and the rules on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentPlan {
    /// The operator's name for it.
    pub name: String,
    /// The domain it belongs to.
    pub domain: DomainId,
    /// The interface it is reached through.
    pub interface: String,
    /// The kind the operator gave, or `None` to take what the interface is.
    pub kind: Option<LinkKind>,
    /// Preferred source of routes and sender of probes; `None`: the interface's first address in the domain.
    pub source: Option<Ipv4Addr>,
    /// What may be learned and routed here.
    pub prefixes: Vec<Ipv4Network>,
    /// Who answers for whom here.
    pub answer: AnswerMode,
    /// What makes the kernel answer, if it is the one who does.
    #[serde(default)]
    pub kernel: KernelProxy,
    /// Whether hosts of this very segment are answered for, too.
    #[serde(default)]
    pub private_vlan: PrivateVlan,
    /// Prefixes answered for here whether or not a host is known.
    #[serde(default)]
    pub publish: Vec<Ipv4Network>,
    /// Prefixes never learned, routed, asked for or answered here.
    #[serde(default)]
    pub never: Vec<Ipv4Network>,
    /// Hosts that live here whether or not they are heard.
    #[serde(default)]
    pub hosts: BTreeMap<Ipv4Addr, LinkAddr>,
    /// Addresses that only this link-layer address may hold, and only here.
    #[serde(default)]
    pub pins: BTreeMap<Ipv4Addr, LinkAddr>,
    /// Paced probes over the prefixes; `None`: no sweeps.
    pub sweep: Option<SweepPlan>,
    /// When a quiet host is asked and given up.
    pub expiry: ExpiryPlan,
    /// How much may be learned here.
    pub limits: Limits,
}

impl SegmentPlan {
    /// What makes the kernel answer here; `None` where it is not the one who does.
    pub fn kernel_proxy(&self) -> Option<KernelProxy> {
        (self.answer == AnswerMode::Kernel).then_some(self.kernel)
    }
}

/// What a link is, as far as it makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    /// Ethernet and all that looks like it.
    Ethernet,
    /// IEEE 802.11: clients sleep and miss broadcasts.
    Wifi,
    /// IP over InfiniBand: 20-octet addresses.
    Ipoib,
}

impl LinkKind {
    /// The word used in configuration and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ethernet => "ethernet",
            Self::Wifi => "wifi",
            Self::Ipoib => "ipoib",
        }
    }
}

/// Who answers for whom on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerMode {
    /// We answer for hosts alive on another segment of the domain.
    Live,
    /// We answer for those, and for any target whose route leaves by another interface, as the kernel's
    /// `proxy_arp` does (`arp_fwd_proxy` in net/ipv4/arp.c).
    Routed,
    /// The kernel answers; we keep its settings right.
    Kernel,
    /// Nobody is answered.
    Off,
}

impl AnswerMode {
    /// The word used in configuration and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Routed => "routed",
            Self::Kernel => "kernel",
            Self::Off => "off",
        }
    }

    /// Whether answers are ours to give.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Live | Self::Routed)
    }
}

/// What makes the kernel answer on a segment with [`AnswerMode::Kernel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelProxy {
    /// The setting `proxy_arp`: everything routed elsewhere.
    #[default]
    ProxyArp,
    /// One entry (`ip neigh add proxy`) for each host alive on another segment, and for each published address.
    Entries,
}

/// Whether hosts of one segment, kept apart by their switch or access point, are answered for each other
/// (RFC 3069; the kernel's `proxy_arp_pvlan`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrivateVlan {
    /// No: they reach each other by themselves.
    #[default]
    Off,
    /// Each for each other.
    Open,
    /// Only within a group.
    Groups(Groups),
}

impl PrivateVlan {
    /// Whether there is any answering on the segment itself.
    pub fn is_on(&self) -> bool {
        *self != Self::Off
    }

    /// The word used in tables.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Open => "open",
            Self::Groups(_) => "groups",
        }
    }

    /// Whether `asker` may be given an answer for `target` on their common segment.
    pub fn joins(&self, asker: Ipv4Addr, target: Ipv4Addr) -> bool {
        match self {
            Self::Off => false,
            Self::Open => true,
            Self::Groups(groups) => match (groups.group_of(asker), groups.group_of(target)) {
                (Group::Isolated, _) | (_, Group::Isolated) => false,
                (one, other) => one == other,
            },
        }
    }
}

/// Who reaches whom on a private VLAN, in the terms of RFC 5517. Addresses in no list are a community of
/// their own; one that is both in a community and isolated is isolated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Groups {
    /// Prefixes of each named community; communities do not overlap.
    pub communities: BTreeMap<String, Vec<Ipv4Network>>,
    /// Prefixes of hosts that reach nobody on the segment.
    pub isolated: Vec<Ipv4Network>,
}

/// One address's place among the groups.
#[derive(PartialEq, Eq)]
enum Group<'a> {
    Isolated,
    Community(&'a str),
    Rest,
}

impl Groups {
    fn group_of(&self, address: Ipv4Addr) -> Group<'_> {
        let holds = |prefixes: &[Ipv4Network]| prefixes.iter().any(|prefix| prefix.contains(address));
        if holds(&self.isolated) {
            return Group::Isolated;
        }
        let community = self.communities.iter().find(|(_, prefixes)| holds(prefixes));
        community.map_or(Group::Rest, |(name, _)| Group::Community(name))
    }
}

/// The pace of sweeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepPlan {
    /// From the start of one sweep to the start of the next; the first is at once.
    pub interval: Duration,
    /// Probes per second at the most.
    pub rate: u32,
    /// Probes that may wait for an answer at the same time.
    pub in_flight: u32,
}

/// When a quiet host is asked, how often, and so when it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryPlan {
    /// Silence after which a host is asked.
    pub quiet: Duration,
    /// Between two questions.
    pub interval: Duration,
    /// Unicast questions; `None`: 5 on Wi-Fi, 3 elsewhere.
    pub unicast: Option<u8>,
    /// Broadcast questions after the unicast ones went unanswered.
    pub broadcast: u8,
}

impl ExpiryPlan {
    /// Unicast questions on a link of this kind. Sleeping Wi-Fi clients answer late, so they get more.
    pub fn unicast_on(&self, kind: LinkKind) -> u8 {
        self.unicast.unwrap_or(if kind == LinkKind::Wifi { 5 } else { 3 })
    }
}

/// How much may be learned on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Hosts known at the same time.
    pub hosts: u32,
    /// Addresses one link-layer address may hold.
    pub hosts_per_lladdr: u32,
    /// New hosts a second; a burst of as many is let through.
    pub new_per_second: u32,
}
