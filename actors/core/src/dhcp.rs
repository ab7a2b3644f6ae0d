//! DHCP (RFC 2131) as far as it concerns us: messages that are relayed between segments, and the leases that they
//! grant.
//!
//! A lease says where a client is before it speaks ARP. What is relayed, and to whom, is decided by a state machine of
//! its own, beside the ledger; what it learns of leases and servers reaches the ledger as [`crate::Fact::Dhcp`].

mod lease;
mod message;
mod options;
mod relay;
mod traffic;

pub use lease::{ClientId, DhcpNews, Lease, LeaseEnd};
pub use message::{BOOT_REPLY, BOOT_REQUEST, Message, Names};
pub use relay::Relay;
pub use traffic::{ClientPlace, DhcpCount, Path, Received, RelayOrder};
