//! Warns about segments whose interface belongs to a VRF with another routing table than ours.

use std::collections::BTreeMap;

use slog::{Logger, warn};

use crate::known_links::KnownLinks;

/// Compares the routing tables of VRFs with the table of our routes: packets that come in by a VRF's interface are
/// looked up in the VRF's table alone.
pub(crate) struct VrfCheck {
    /// The table of our routes.
    table: u32,
    /// The other table that was last warned of, by interface.
    warned: BTreeMap<String, u32>,
}

impl VrfCheck {
    /// No warning given yet.
    pub(crate) fn new(table: u32) -> Self {
        Self { table, warned: BTreeMap::new() }
    }

    /// Warns, once for each table, if packets from the interface are looked up in another table than ours.
    pub(crate) fn check(&mut self, interface: &str, links: &KnownLinks, log: &Logger) {
        let link = links.find(interface);
        let vrf = link.and_then(|link| link.master).and_then(|master| links.get(master));
        let other = vrf.and_then(|vrf| vrf.vrf_table).filter(|table| *table != self.table);
        let Some(table) = other else {
            self.warned.remove(interface);
            return;
        };
        if self.warned.insert(interface.to_owned(), table) != Some(table) {
            warn!(log, "vrf_has_another_table"; "interface" => interface, "vrf_table" => table,
                "our_table" => self.table,
                "hint" => format!("packets from this interface are routed by its VRF: set routes.table to {table}"));
        }
    }
}
