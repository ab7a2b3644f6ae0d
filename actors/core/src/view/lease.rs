//! Leases of DHCP, and the servers that grant them.

use serde::{Deserialize, Serialize};

use super::{Keyword, Label};
use crate::address::Address;
use crate::lladdr::LinkAddr;

/// A lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseView {
    /// The address.
    pub address: Address,
    /// The link-layer address of the client; empty on InfiniBand until it is heard.
    pub lladdr: LinkAddr,
    /// The domain.
    pub domain: Label,
    /// The segment that the client is on.
    pub segment: Label,
    /// The client's identifier, or without one its hardware address, in hexadecimal.
    pub client: String,
    /// The server's identifier.
    pub server: Address,
    /// What its host is: `alive`, `suspect`, or `absent` if it was not heard there or is gone.
    pub state: Keyword,
    /// Seconds until it ends; none if it never does.
    pub expires_seconds: Option<u64>,
    /// The network namespace it is in; none for the daemon's own.
    pub netns: Option<Label>,
}

/// A DHCP server that clients' messages are relayed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpServerView {
    /// The domain.
    pub domain: Label,
    /// The server.
    pub server: Address,
    /// `answers` or `silent`.
    pub state: Keyword,
}
