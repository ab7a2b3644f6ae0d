//! Leases, and what else is learned from DHCP messages.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::lladdr::LinkAddr;

/// By what a server tells clients apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientId {
    /// Option 61, its type octet included: 2 to 255 octets (RFC 2132, section 9.14; RFC 4361).
    Identifier(Vec<u8>),
    /// Without that option `htype` and `chaddr`, which has 1 to 16 octets.
    Hardware(u8, Vec<u8>),
}

impl fmt::Display for ClientId {
    /// Octets in hexadecimal, with colons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Identifier(octets) | Self::Hardware(_, octets)) = self;
        for (at, octet) in octets.iter().enumerate() {
            write!(f, "{}{octet:02x}", if at == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

/// What a server granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The address.
    pub address: Address,
    /// Whose it is.
    pub client: ClientId,
    /// The client's link-layer address; unknown on InfiniBand, whose messages carry none (RFC 4390).
    pub lladdr: LinkAddr,
    /// The server's identifier (option 54).
    pub server: Address,
    /// For how long from now; `None`: for ever (RFC 2131, section 3.3).
    pub duration: Option<Duration>,
}

/// Why a lease is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseEnd {
    /// DHCPRELEASE: the client gave it back.
    Released,
    /// DHCPDECLINE: the client found that somebody else uses the address.
    Declined,
    /// DHCPNAK: the server says that the client must not use the address.
    Refused,
    /// Its time is over.
    Expired,
}

impl fmt::Display for LeaseEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl LeaseEnd {
    /// The name shown to operators.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Declined => "declined",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }
}

/// What DHCP messages say of leases, clients and servers on a segment. Who reports them keeps repetitions within limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DhcpNews {
    /// A server that is believed granted a lease to a client of the segment, or renewed it (DHCPACK).
    Granted(Lease),
    /// A lease of a client of the segment is over.
    Ended {
        /// The address.
        address: Address,
        /// Whose it was.
        client: ClientId,
        /// Why.
        end: LeaseEnd,
    },
    /// A server that is not believed offered or granted an address on the segment.
    RogueServer {
        /// Its identifier, or the source of its packet.
        server: Address,
        /// The frame's source; unknown on InfiniBand.
        lladdr: LinkAddr,
        /// What it offered.
        offered: Address,
    },
    /// A server granted or offered an address outside of the domain's prefixes; the message was dropped.
    OutsideDomain {
        /// Its identifier.
        server: Address,
        /// The address.
        address: Address,
    },
    /// A client on InfiniBand sent no client identifier (RFC 4390, section 2.1), without which servers ignore it.
    Unidentified {
        /// The frame's source, where the link tells it.
        lladdr: LinkAddr,
    },
    /// So many messages of clients on the segment were neither relayed nor read since the last report, because there were
    /// too many.
    Limited {
        /// How many.
        dropped: u64,
    },
    /// A server has not answered for some time though clients of the segment asked it.
    ServerSilent {
        /// Which.
        server: Address,
        /// For how long.
        since: Duration,
    },
    /// A server answers: for the first time, or again.
    ServerAnswers {
        /// Which.
        server: Address,
    },
}
