//! What the packet filters do with IPv4 packets that no rule decides, for a diagnosis.
//!
//! ```text
//! policies ─┬─ nf_tables ── decode      base chains and rules, by netlink
//!           └─ ip_tables                the older filter's table, by socket options
//!                accept_rule            what either accepts by the interfaces alone
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

/// Where packets pass the filters (linux/netfilter.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// `NF_INET_LOCAL_IN`: those for this machine.
    Input,
    /// `NF_INET_FORWARD`: those that it passes on.
    Forward,
}

impl Hook {
    /// Its number.
    fn number(self) -> u32 {
        match self {
            Self::Input => 1,
            Self::Forward => 2,
        }
    }

    /// The name of its chain in ip_tables.
    fn chain(self) -> &'static str {
        match self {
            Self::Input => "INPUT",
            Self::Forward => "FORWARD",
        }
    }
}

/// A chain that IPv4 packets pass at a hook, and its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainPolicy {
    /// Its name: family, table and chain as nft(8) writes them; of ip_tables `INPUT` or `FORWARD`.
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
pub struct FilterPolicies {
    /// The base chains of nf_tables. Fails without `CAP_NET_ADMIN` and on a kernel without nf_tables.
    pub nf_tables: Result<Vec<ChainPolicy>, NetlinkError>,
    /// The chain of ip_tables; `None` if that filter is not in use. Fails without `CAP_NET_ADMIN`, or if its table
    /// cannot be understood.
    pub ip_tables: io::Result<Option<ChainPolicy>>,
}

/// The chains at the hook in the calling thread's network namespace. Nothing is changed by it: a filter that is not in use is
/// not put in use.
pub fn policies(hook: Hook) -> FilterPolicies {
    FilterPolicies { nf_tables: nf_tables::policies(hook), ip_tables: ip_tables::policy(hook) }
}
