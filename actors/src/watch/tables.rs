//! Reads the kernel's tables and reports them to the route owner.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Instant;

use actix::Recipient;
use arpherd_core::Fact;
use arpherd_core::fact::KernelRoute;
use slog::warn;

use super::Watch;
use crate::io::netlink::NetlinkError;
use crate::messages::{Observed, TableRead};

/// The route owner, as the watch knows it.
pub struct Reports {
    /// Receives changes.
    pub facts: Recipient<Observed>,
    /// Receives the whole table.
    pub tables: Recipient<TableRead>,
}

impl Watch {
    /// Reports the host routes, those of earlier runs with their hosts' link-layer addresses.
    pub(super) fn report_routes(&mut self) -> Result<(), NetlinkError> {
        let begun = Instant::now();
        let mut routes = self.reader.host_routes(self.routes.table)?;
        if let Some(table) = self.routes.fabric_table {
            let fabric = self.reader.host_routes(table)?;
            routes.extend(fabric.into_iter().map(|route| KernelRoute { in_fabric_table: true, ..route }));
        }
        let next_routers = routes.iter().filter(|route| route.next_hop.is_some());
        self.fabric_interfaces = next_routers.map(|route| route.interface).collect();
        let ours = routes.iter().any(|route| route.protocol == self.routes.protocol);
        let neighbours: BTreeMap<(u32, Ipv4Addr), _> = if ours {
            let entries = self.reader.neighbours()?;
            entries.iter().map(|entry| ((entry.interface, entry.address), entry.lladdr)).collect()
        } else {
            BTreeMap::new()
        };
        for route in &mut routes {
            route.segment = self.segment_of(route.interface);
            route.lladdr = neighbours.get(&(route.interface, route.address)).copied().unwrap_or_default();
        }
        // In one mailbox with the facts, and in their order.
        if let Some(owner) = &self.owner {
            owner.tables.do_send(TableRead { routes, begun });
        }
        Ok(())
    }

    /// An interface is like this now: if it went down, so did the routes to next routers by it, of which the kernel says
    /// nothing.
    pub(super) fn routes_lost_with(&mut self, interface: u32, is_up: bool) {
        let was_up = self.links.get(interface).is_some_and(|link| link.up && link.carrier);
        if was_up
            && !is_up
            && self.fabric_interfaces.contains(&interface)
            && let Err(error) = self.report_routes()
        {
            warn!(self.log, "kernel_unreadable"; "error" => %error);
        }
    }

    /// Reports our proxy entries, so that the ledger notices and replaces those that others deleted.
    pub(super) fn report_proxies(&mut self) {
        match self.reader.proxies() {
            Ok(entries) => {
                let ours = entries.iter().filter(|entry| entry.protocol == self.routes.protocol);
                let placed =
                    ours.filter_map(|entry| Some((self.segment_of(entry.interface)?, entry.address)));
                self.report(Fact::ProxiesRead { proxies: placed.collect() });
            }
            Err(error) => warn!(self.log, "kernel_unreadable"; "error" => %error),
        }
    }
}
