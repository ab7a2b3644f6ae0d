//! The operator's configuration as the core uses it: the domains, their segments and the rules on each.
//!
//! A plan is validated before it reaches the core (the binary's configuration does that, and reports errors
//! with file and line); the core does not check it again. The `Default` implementations here are the only
//! place that holds default values; the configuration reads them from here.

mod behind;
mod cover;
mod dhcp;
mod fabric;
mod ha;
mod kernel_answers;
mod limits;
mod private_vlan;
mod replacement;
mod routes;
mod sources;
mod succession;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use behind::Behind;
pub(crate) use behind::is_behind;
pub use cover::Cover;
pub use dhcp::{ClientOption82, DhcpPlan, DhcpRole, DhcpRules, DhcpServer, LearnFrom};
pub use fabric::{FABRIC_METRIC, FabricPlan};
pub use ha::{HaPlan, RoleRule, StandbyRoutes};
pub use kernel_answers::{KernelAnswers, KernelProxy};
pub use limits::{DomainLimits, Limits};
pub use private_vlan::{Groups, PrivateVlan};
pub use routes::{COVER_METRIC, MAIN_TABLE, RoutePlan};
pub use succession::Succession;

use crate::address::{Address, Prefix};
use crate::lladdr::LinkAddr;

/// Index of a domain in [`Plan::domains`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DomainId(pub u16);

/// Index of a segment in [`Plan::segments`], counted over all domains.
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

/// Everything that one instance of the core manages: the domains of one network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The domains; a [`DomainId`] is an index here.
    pub domains: Vec<DomainPlan>,
    /// The segments of all domains; a [`SegmentId`] is an index here.
    pub segments: Vec<SegmentPlan>,
    /// Protocol, table and metric of the routes.
    pub routes: RoutePlan,
}

/// One IP subnet whose hosts are spread over several segments. By default it has neither name nor prefixes, and nothing is
/// done for it but what every domain needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DomainPlan {
    /// Name given by the operator: 1 to 127 printable characters without spaces.
    pub name: String,
    /// The prefixes that make up the subnet, each of length 8 to 32, none inside another.
    pub prefixes: Vec<Prefix>,
    /// The prefixes are those of the addresses of the domain's interfaces instead, and follow them (`prefixes: auto`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
    /// What becomes of packets for unknown hosts.
    #[serde(default, skip_serializing_if = "Cover::is_default")]
    pub cover: Cover,
    /// The link-layer address that we have on all Ethernet segments of the domain, as gateways of EVPN fabrics have
    /// (RFC 9135, section 4.1), a unicast address of 6 octets; `None`: on each that of its interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_lladdr: Option<LinkAddr>,
    /// How much may be sent on all its segments together.
    #[serde(default, skip_serializing_if = "DomainLimits::is_default")]
    pub limits: DomainLimits,
    /// What is done with its DHCP messages; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<DhcpPlan>,
    /// This machine is one of two gateways of the domain, of which one answers; `None`: it is the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ha: Option<HaPlan>,
    /// Whose routes lead to hosts behind other gateways; `None`: nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fabric: Option<FabricPlan>,
}

/// One link of a domain and the rules on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentPlan {
    /// Name given by the operator: 1 to 127 printable characters without spaces.
    pub name: String,
    /// The domain it belongs to.
    pub domain: DomainId,
    /// Name of the network interface, or an alternative name (`ip link property add … altname …`), 1 to 127 bytes.
    /// The interface need not exist yet.
    pub interface: String,
    /// Link kind given by the operator; `None`: detected from the interface.
    pub kind: Option<LinkKind>,
    /// Preferred source address of routes and sender address of probes: the first of these that this machine has.
    /// Empty: the interface's first address in the domain.
    #[serde(rename = "source", with = "sources", default)]
    pub sources: Vec<Address>,
    /// Which addresses may live here, which may not, and which are fixed.
    #[serde(flatten)]
    pub addresses: AddressRules,
    /// Which ARP requests are answered here, and by whom.
    pub answer: AnswerMode,
    /// What is answered inside the kernel, and how.
    #[serde(flatten)]
    pub kernel: KernelAnswers,
    /// Whether requests for hosts on this same segment are answered as well.
    #[serde(default)]
    pub private_vlan: PrivateVlan,
    /// Rate of the sweeps over the prefixes; `None`: no sweeps.
    pub sweep: Option<SweepPlan>,
    /// When a silent host is probed and removed.
    pub expiry: ExpiryPlan,
    /// How many hosts may be learned here.
    pub limits: Limits,
    /// Who takes part in DHCP here, and what a lease means.
    #[serde(default)]
    pub dhcp: DhcpRules,
}

impl SegmentPlan {
    /// A segment with every setting at its default and an interface of the same name.
    pub fn new(name: &str, domain: DomainId, prefixes: &[Prefix]) -> Self {
        Self {
            name: name.to_owned(),
            domain,
            interface: name.to_owned(),
            addresses: AddressRules { prefixes: prefixes.to_vec(), ..AddressRules::default() },
            ..Self::default()
        }
    }

    /// How the kernel is made to answer here; `None` where the kernel does not answer.
    pub fn kernel_proxy(&self) -> Option<KernelProxy> {
        (self.answer == AnswerMode::Kernel).then_some(self.kernel.proxy)
    }
}

/// The addresses of a segment: where hosts are learned, what is answered for without one, and what is fixed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AddressRules {
    /// Prefixes in which hosts are learned and routed here, each inside one of the domain's prefixes. In a domain whose
    /// prefixes follow addresses only what lies in those counts, and none at all are all of those.
    pub prefixes: Vec<Prefix>,
    /// Prefixes answered for here whether or not the host is known.
    #[serde(default)]
    pub publish: Vec<Prefix>,
    /// Prefixes never learned, routed, probed or answered for here.
    #[serde(default)]
    pub never: Vec<Prefix>,
    /// Static hosts: present on this segment whether or not they are heard.
    #[serde(default)]
    pub hosts: BTreeMap<Address, LinkAddr>,
    /// Pinned addresses: only this link-layer address may use them, and only on this segment.
    #[serde(default)]
    pub pins: BTreeMap<Address, LinkAddr>,
    /// Stations that speak for hosts behind them, by their [ports](LinkAddr::port): such hosts are learned from their
    /// replies and do not count towards [`Limits::hosts_per_lladdr`].
    #[serde(default)]
    pub behind: BTreeMap<LinkAddr, Behind>,
}

impl AddressRules {
    /// Whether the station speaks for the address because the operator says so.
    pub(crate) fn is_behind(&self, lladdr: &LinkAddr, address: Address) -> bool {
        is_behind(&self.behind, lladdr, address)
    }
}

/// The default of every setting. Name, interface and prefixes are empty: use [`SegmentPlan::new`].
impl Default for SegmentPlan {
    fn default() -> Self {
        Self {
            name: String::new(),
            domain: DomainId(0),
            interface: String::new(),
            kind: None,
            sources: Vec::new(),
            addresses: AddressRules::default(),
            answer: AnswerMode::default(),
            kernel: KernelAnswers::default(),
            private_vlan: PrivateVlan::default(),
            sweep: Some(SweepPlan::default()),
            expiry: ExpiryPlan::default(),
            limits: Limits::default(),
            dhcp: DhcpRules::default(),
        }
    }
}

/// Kind of a link, as far as arpherd treats links differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    /// Ethernet, and every other link with 6-byte addresses that is not Wi-Fi.
    Ethernet,
    /// IEEE 802.11: clients sleep and miss broadcasts.
    Wifi,
    /// IP over InfiniBand (RFC 4391): 20-byte addresses.
    Ipoib,
}

impl LinkKind {
    /// The name used in configuration and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ethernet => "ethernet",
            Self::Wifi => "wifi",
            Self::Ipoib => "ipoib",
        }
    }
}

/// Which ARP requests are answered on a segment, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerMode {
    /// arpherd answers for hosts that are alive on another segment of the domain.
    #[default]
    Live,
    /// As [`AnswerMode::Live`], and arpherd also answers for every target whose route leaves by another
    /// interface, as the kernel's `proxy_arp` does (`arp_fwd_proxy` in net/ipv4/arp.c).
    Routed,
    /// The kernel answers; arpherd maintains its settings or proxy entries.
    Kernel,
    /// No request is answered.
    Off,
}

impl AnswerMode {
    /// The name used in configuration and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Routed => "routed",
            Self::Kernel => "kernel",
            Self::Off => "off",
        }
    }

    /// Whether arpherd itself sends the replies.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Live | Self::Routed)
    }
}

/// Interval and rate of the sweeps: probes of every address in the segment's prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepPlan {
    /// Time from the start of one sweep to the start of the next, 100 ms to 168 h; the first starts at once.
    pub interval: Duration,
    /// Maximum probes per second, 1 to 10 000 000.
    pub rate: u32,
    /// Maximum probes that wait for a reply at the same time, 1 to 1 000 000.
    pub in_flight: u32,
}

impl Default for SweepPlan {
    fn default() -> Self {
        Self { interval: Duration::from_secs(60), rate: 500, in_flight: 256 }
    }
}

/// When a silent host is probed, how often, and thereby when it is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryPlan {
    /// Silence after which a host is probed, 10 ms to 24 h.
    pub quiet: Duration,
    /// Time between two probes, 10 ms to 1 h.
    pub interval: Duration,
    /// Number of unicast probes, 1 to 100; `None`: 5 on Wi-Fi, 3 elsewhere.
    pub unicast: Option<u8>,
    /// Number of broadcast probes after the unicast probes got no reply, 0 to 100.
    pub broadcast: u8,
}

impl Default for ExpiryPlan {
    fn default() -> Self {
        Self { quiet: Duration::from_secs(30), interval: Duration::from_secs(1), unicast: None, broadcast: 2 }
    }
}

impl ExpiryPlan {
    /// Number of unicast probes on a link of this kind. Sleeping Wi-Fi clients reply late, so they get more.
    pub fn unicast_on(&self, kind: LinkKind) -> u8 {
        self.unicast.unwrap_or(if kind == LinkKind::Wifi { 5 } else { 3 })
    }
}
