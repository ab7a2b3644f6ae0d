//! What an interface is to a segment: which can serve one, and which VRF the others of theirs are in.

use std::collections::BTreeMap;

use arpherd_core::fact::{Ineligible, Link};
use arpherd_core::plan::LinkKind;
use ipnetwork::Ipv4Network;
use slog::{Logger, warn};

use crate::io::netlink::LinkInfo;
use crate::io::netns::Netns;
use crate::io::packet::Medium;
use crate::messages::LinkUpdate;

/// What a segment's actors are told of its interface. `addresses`: those of all interfaces, by their numbers.
pub(crate) fn update(seen: &LinkInfo, ground: &Netns, addresses: &[(u32, Ipv4Network)]) -> LinkUpdate {
    let seen_kind = seen.kind_in(ground);
    let kind = seen_kind.unwrap_or(LinkKind::Ethernet);
    let on_link = addresses.iter().filter(|(interface, _)| *interface == seen.index);
    let medium = Medium { interface: seen.index, kind, broadcast: seen.broadcast };
    let link = Link {
        index: seen.index,
        kind,
        lladdr: seen.lladdr,
        up: seen.up,
        carrier: seen.carrier,
        addresses: on_link.map(|(_, network)| *network).collect(),
        ineligible: ineligible(seen, seen_kind),
    };
    LinkUpdate(Some((medium, link)))
}

/// Why the interface cannot serve a segment; none if it can.
///
/// What comes in by a port is handed to its bridge, bond or team before IP sees it, and what is sent by its
/// own address may not come back. A VRF's members are ports in name only: their packets stay their own.
pub(crate) fn ineligible(seen: &LinkInfo, kind: Option<LinkKind>) -> Option<Ineligible> {
    if seen.master.is_some() && seen.port_of.as_deref() != Some(VRF) {
        return Some(Ineligible::Port);
    }
    let octets = match kind {
        Some(LinkKind::Ipoib) => 20,
        Some(LinkKind::Ethernet | LinkKind::Wifi) => 6,
        None => return Some(Ineligible::NoArp),
    };
    // A fabric's port has no GID before its subnet manager came by, a bond no address without a cable.
    let is_somebody = seen.lladdr.len() == octets && seen.lladdr.is_station();
    (!seen.arp || !is_somebody).then_some(Ineligible::NoArp)
}

const VRF: &str = "vrf";

/// The VRFs of segments' interfaces. A VRF looks routes up in a table of its own.
pub(crate) struct Vrfs {
    /// The table our routes go to.
    table: u32,
    /// Of which interfaces it was said that theirs is another.
    told: BTreeMap<String, u32>,
}

impl Vrfs {
    /// None yet.
    pub(crate) fn new(table: u32) -> Self {
        Self { table, told: BTreeMap::new() }
    }

    /// Warns once if packets from the interface are routed by another table than ours.
    pub(crate) fn mind(&mut self, interface: &str, links: &BTreeMap<u32, LinkInfo>, log: &Logger) {
        let seen = links.values().find(|link| link.name == interface);
        let vrf = seen.and_then(|link| link.master).and_then(|master| links.get(&master));
        let other = vrf.and_then(|vrf| vrf.vrf_table).filter(|table| *table != self.table);
        let Some(table) = other else {
            self.told.remove(interface);
            return;
        };
        if self.told.insert(interface.to_owned(), table) != Some(table) {
            warn!(log, "vrf_has_another_table"; "interface" => interface, "vrf_table" => table,
                "our_table" => self.table,
                "hint" => format!("packets from this interface are routed by its VRF: set routes.table to {table}"));
        }
    }
}
