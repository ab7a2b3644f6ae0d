//! What a ledger knows of hosts, in a form that another one can take over: that of the daemon's next run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::dhcp::ClientId;
pub use crate::ledger::{leases_of, memory_of};
use crate::lladdr::LinkAddr;

/// What proved that a host is where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// An ARP request of its own.
    Request,
    /// An ARP reply of its own.
    Reply,
    /// The answer to a question of ours that was sent to nobody else, in a frame of another source.
    Answer,
    /// Its gratuitous ARP.
    Announcement,
    /// A DHCP server granted its address to it.
    Lease,
    /// A route of an earlier run, which the kernel had kept.
    Kernel,
    /// The configuration.
    Static,
}

impl Origin {
    /// The name shown to operators.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Reply => "reply",
            Self::Answer => "answer",
            Self::Announcement => "announcement",
            Self::Lease => "lease",
            Self::Kernel => "kernel",
            Self::Static => "static",
        }
    }
}

/// A host as it was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedHost {
    /// Its address, which is one host's only in a network namespace.
    pub address: Address,
    /// The interface of its segment, as the plan calls it: segments and domains may have other names by now.
    pub interface: String,
    /// Its link-layer address.
    pub lladdr: LinkAddr,
    /// What proved that it was there.
    pub learned_from: Origin,
    /// Whether it was answered for; else it was gone, and those who knew its place were not all told of a new one.
    pub is_live: bool,
    /// How long ago it was last heard.
    pub age: Duration,
}

/// A lease as it was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedLease {
    /// The address.
    pub address: Address,
    /// The interface of the client's segment, as the plan calls it.
    pub interface: String,
    /// Whose it is.
    pub client: ClientId,
    /// The client's link-layer address; unknown where neither the message had it nor the client was heard.
    pub lladdr: LinkAddr,
    /// The server.
    pub server: Address,
    /// For how long it was granted; `None`: for ever.
    pub duration: Option<Duration>,
    /// How long ago it was granted or renewed.
    pub age: Duration,
}
