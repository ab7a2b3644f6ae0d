//! The reasons, signs and limits that events carry.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::Prefix;
use crate::fact::Ineligible;

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
    /// No interface of the domain has an address that gives a prefix (`prefixes: auto`).
    WaitingForAddress,
    /// The prefixes that the addresses give are those of another domain (`prefixes: auto`).
    PrefixOverlap,
    /// None of the configured sources is an address of this machine.
    SourceMissing,
    /// It is a port of a bridge, bond or team, which its packets belong to.
    Port,
    /// ARP as we know it is not spoken on it.
    NoArp,
    /// Another segment of the domain has the interface already, under another of its names.
    InterfaceTaken,
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
    /// The name used in tables and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::AdminDown => "admin_down",
            Self::NoCarrier => "no_carrier",
            Self::WaitingForAddress => "waiting_for_address",
            Self::PrefixOverlap => "prefix_overlap",
            Self::SourceMissing => "source_missing",
            Self::Port => "port",
            Self::NoArp => "no_arp",
            Self::InterfaceTaken => "interface_taken",
        }
    }

    /// What brings the segment up.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Absent => "it is taken up when an interface of this name appears",
            Self::AdminDown => "it is taken up when the interface is set up (ip link set … up)",
            Self::NoCarrier => {
                "it is taken up when the link has a carrier; look at cable, port or access point"
            }
            Self::WaitingForAddress => {
                "it is taken up when an interface of its domain has an address with a prefix shorter than /32"
            }
            Self::PrefixOverlap => {
                "another domain has a network that its interfaces' addresses are in; it is taken up when that \
                 changes"
            }
            Self::SourceMissing => {
                "give this machine a configured source address, or configure another, or none where addresses come by \
                 DHCP"
            }
            Self::Port => {
                "it is a port of a bridge, bond or team and its packets are theirs: configure that interface \
                 instead"
            }
            Self::NoArp => {
                "it has no link-layer address of 6 or 20 octets, or ARP is off (ip link set … arp on); \
                 it is taken up when that changes"
            }
            Self::InterfaceTaken => {
                "another segment of the domain has this interface under another of its names (ip link show lists \
                 them): configure it once"
            }
        }
    }
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Prefixes, shown with commas between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrefixList(pub Vec<Prefix>);

impl fmt::Display for PrefixList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, prefix) in self.0.iter().enumerate() {
            write!(f, "{}{prefix}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// Why a route of the fabric stands for no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FabricFault {
    /// The address is this machine's own.
    OwnAddress,
    /// The configuration says where the address is (`hosts`, `pins`).
    Pinned,
}

impl FabricFault {
    /// The name used in tables and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OwnAddress => "own_address",
            Self::Pinned => "pinned",
        }
    }

    /// What the operator can do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::OwnAddress => {
                "another gateway announces an address of this machine: look for a host that uses it there"
            }
            Self::Pinned => {
                "the configuration fixes the address to a segment here, and another gateway announces it: move the entry \
                 there, or look for a host that uses it"
            }
        }
    }
}

impl fmt::Display for FabricFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// By what another proxy gave itself away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxySign {
    /// Its requests bear the mark of another arpherd.
    Mark,
    /// It answered for addresses that nobody has, or for hosts that live elsewhere.
    FalseAnswers,
    /// It claimed several addresses whose holders live elsewhere.
    Disputes,
}

impl ProxySign {
    /// The name used in tables and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mark => "mark",
            Self::FalseAnswers => "false_answers",
            Self::Disputes => "disputes",
        }
    }
}

impl fmt::Display for ProxySign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A limit on learning, or on searching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `limits.hosts`
    Hosts,
    /// `limits.hosts_per_lladdr`
    HostsPerLladdr,
    /// `limits.new_per_second`
    NewPerSecond,
    /// `limits.searches_per_second` of the domain.
    SearchesPerSecond,
}

impl Limit {
    /// The configuration key.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hosts => "hosts",
            Self::HostsPerLladdr => "hosts_per_lladdr",
            Self::NewPerSecond => "new_per_second",
            Self::SearchesPerSecond => "searches_per_second",
        }
    }

    /// What the operator can do when it is reached.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Hosts => "look at who sends so many addresses, or raise limits.hosts",
            Self::HostsPerLladdr => "look at who sends so many addresses, or raise limits.hosts_per_lladdr",
            Self::NewPerSecond => "look at who sends so many addresses, or raise limits.new_per_second",
            Self::SearchesPerSecond => {
                "look at who asks for so many addresses, or raise the domain's limits.searches_per_second"
            }
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
