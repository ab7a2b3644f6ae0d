//! Stations that speak for hosts behind them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::address::{Address, Prefix};
use crate::lladdr::LinkAddr;

/// The addresses of hosts behind a station: a proxy, a router, or a machine that has many addresses itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behind {
    /// Every address that its segment may hold.
    Allow,
    /// Those in these prefixes, each inside one of the segment's prefixes.
    Within(Vec<Prefix>),
}

impl Behind {
    /// Whether a host behind the station may have the address.
    pub fn holds(&self, address: Address) -> bool {
        match self {
            Self::Allow => true,
            Self::Within(prefixes) => prefixes.iter().any(|prefix| prefix.contains(address)),
        }
    }
}

/// Whether one of the stations, named by their [ports](LinkAddr::port), speaks for the address.
pub(crate) fn is_behind(stations: &BTreeMap<LinkAddr, Behind>, lladdr: &LinkAddr, address: Address) -> bool {
    !stations.is_empty() && stations.get(&lladdr.port()).is_some_and(|behind| behind.holds(address))
}
