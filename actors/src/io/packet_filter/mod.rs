//! What the packet filters do with forwarded IPv4 packets that no rule decides, for a diagnosis.
//!
//! ```text
//! forward_policies ─┬─ nf_tables ── decode      base chains and rules, by netlink
//!                   └─ ip_tables                the older filter's table, by socket options
//!                        accept_rule            what either accepts by the interfaces alone
//! ```
//!
//! nf_tables and ip_tables are two filters of the kernel, and a packet must pass both. Programs called iptables
//! write to either.

mod accept_rule;
mod ip_tables;
mod nf_tables;

use std::io;

pub use accept_rule::{AcceptRule, NamePattern};

use super::netlink::NetlinkError;

/// A chain that forwarded IPv4 packets pass, and its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardPolicy {
    /// Its name: family, table and chain as nft(8) writes them; of ip_tables always `FORWARD`.
    pub chain: String,
    /// Packets that no rule decides are dropped; else they are accepted.
    pub drops: bool,
    /// How many rules it has; of ip_tables, those of its whole table.
    pub rules: u32,
    /// What rules accept by the interfaces alone: rules of this chain, and those of other chains of its table that
    /// name both interfaces. Left empty by nf_tables if no chain drops.
    pub accepts: Vec<AcceptRule>,
}

/// What could be read of each filter.
#[derive(Debug)]
pub struct ForwardPolicies {
    /// The base chains of nf_tables. Fails without `CAP_NET_ADMIN` and on a kernel without nf_tables.
    pub nf_tables: Result<Vec<ForwardPolicy>, NetlinkError>,
    /// The chain of ip_tables; `None` if that filter is not in use. Fails without `CAP_NET_ADMIN`, or if its table
    /// cannot be understood.
    pub ip_tables: io::Result<Option<ForwardPolicy>>,
}

/// The chains of the calling thread's network namespace. Nothing is changed by it: a filter that is not in use is
/// not put in use.
pub fn forward_policies() -> ForwardPolicies {
    ForwardPolicies { nf_tables: nf_tables::forward_policies(), ip_tables: ip_tables::forward_policy() }
}
