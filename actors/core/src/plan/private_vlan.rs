//! Private VLANs: which hosts of one segment are answered for each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::address::{Address, Prefix};

/// Whether requests between hosts of the same segment are answered, where the switch or access point isolates
/// them from each other (RFC 3069; the kernel's `proxy_arp_pvlan`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrivateVlan {
    /// Not answered: the hosts reach each other directly.
    #[default]
    Off,
    /// Answered between any two hosts.
    Open,
    /// Answered between hosts of the same group.
    Groups(Box<Groups>),
}

impl PrivateVlan {
    /// Whether any request between hosts of the segment is answered.
    pub fn is_on(&self) -> bool {
        *self != Self::Off
    }

    /// The name used in tables.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Open => "open",
            Self::Groups(_) => "groups",
        }
    }

    /// Whether a request of `requester` for `target` on their common segment is answered.
    pub fn joins(&self, requester: Address, target: Address) -> bool {
        match self {
            Self::Off => false,
            Self::Open => true,
            Self::Groups(groups) => match (groups.membership(requester), groups.membership(target)) {
                (Membership::Isolated, _) | (_, Membership::Isolated) => false,
                (one, other) => one == other,
            },
        }
    }
}

/// The groups of a private VLAN, in the terms of RFC 5517. Addresses in no list form one further community; an
/// address that is both in a community and isolated is isolated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Groups {
    /// Prefixes of each named community; communities do not overlap.
    pub communities: BTreeMap<String, Vec<Prefix>>,
    /// Prefixes of hosts that reach no other host of the segment.
    pub isolated: Vec<Prefix>,
}

/// The group that an address belongs to.
#[derive(PartialEq, Eq)]
enum Membership<'a> {
    Isolated,
    Community(&'a str),
    Rest,
}

impl Groups {
    fn membership(&self, address: Address) -> Membership<'_> {
        let holds = |prefixes: &[Prefix]| prefixes.iter().any(|prefix| prefix.contains(address));
        if holds(&self.isolated) {
            return Membership::Isolated;
        }
        let community = self.communities.iter().find(|(_, prefixes)| holds(prefixes));
        community.map_or(Membership::Rest, |(name, _)| Membership::Community(name))
    }
}
