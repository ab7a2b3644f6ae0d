//! How DHCP is served across the segments of a domain.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::plan::Plan;

/// What is done with a domain's DHCP messages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DhcpPlan {
    /// The servers. Each is asked, and of others nothing is believed but on segments that are marked as theirs
    /// ([`DhcpRole::Servers`]). Without any, and with no segment marked, every server is believed.
    pub servers: Vec<DhcpServer>,
    /// Clients' broadcasts are relayed to the servers; else leases are only read from what passes.
    pub is_relaying: bool,
    /// Clients see us as the server (RFC 5107), so that their renewals come to us; else they renew with the server itself.
    #[serde(default)]
    pub server_id_override: bool,
    /// What becomes of the relay agent information (option 82) that a client sends.
    #[serde(default)]
    pub client_option_82: ClientOption82,
}

/// Where a DHCP server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DhcpServer {
    /// At this address: on a segment, or behind a router.
    At(Address),
    /// On this machine.
    Local,
}

/// What becomes of the relay agent information that a client sends, which only relays may send (RFC 3046, section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientOption82 {
    /// Its message is dropped.
    #[default]
    Drop,
    /// Ours takes its place.
    Replace,
    /// It is kept, and ours is not added.
    Keep,
}

/// What a segment's hosts may be to DHCP, and what a lease means there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DhcpRules {
    /// Who is there.
    pub role: DhcpRole,
    /// What proves that a host has an address.
    pub learn: LearnFrom,
}

/// Who takes part in DHCP on a segment of a domain that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DhcpRole {
    /// Clients. Servers are believed if they are the domain's.
    #[default]
    Clients,
    /// Clients, and servers that are believed whatever their address.
    Servers,
    /// Nobody: nothing is relayed from or to the segment, and nothing is read there.
    Off,
}

/// From what hosts of a segment are learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnFrom {
    /// From whatever proves that they are there.
    #[default]
    Any,
    /// Only addresses with a lease, from that client's link-layer address, and static ones.
    Leases,
}

impl Plan {
    /// Whether DHCP is relayed or read in any domain.
    pub fn has_dhcp(&self) -> bool {
        self.domains.iter().any(|domain| domain.dhcp.is_some())
    }
}
