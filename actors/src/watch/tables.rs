//! What the kernel's tables hold, told to the route owner.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_core::Fact;
use slog::warn;

use super::Watch;
use crate::io::netlink::NetlinkError;

impl Watch {
    pub(super) fn tell_routes(&mut self) -> Result<(), NetlinkError> {
        let mut routes = self.reader.host_routes(self.routes.table)?;
        let ours = routes.iter().any(|route| route.protocol == self.routes.protocol);
        let neighbours: BTreeMap<(u32, Ipv4Addr), _> = if ours {
            let seen = self.reader.neighbours()?;
            seen.iter().map(|seen| ((seen.interface, seen.address), seen.lladdr)).collect()
        } else {
            BTreeMap::new()
        };
        for route in &mut routes {
            route.segment = self.segment_of(route.interface);
            route.lladdr = neighbours.get(&(route.interface, route.address)).copied().unwrap_or_default();
        }
        self.tell(Fact::TableRead { routes });
        Ok(())
    }

    /// Proxy entries that others took away are put back by whoever hears of it.
    pub(super) fn tell_proxies(&mut self) {
        match self.reader.proxies() {
            Ok(seen) => {
                let ours = seen.iter().filter(|seen| seen.protocol == self.routes.protocol);
                let placed = ours.filter_map(|seen| Some((self.segment_of(seen.interface)?, seen.address)));
                self.tell(Fact::ProxiesRead { proxies: placed.collect() });
            }
            Err(error) => warn!(self.log, "kernel_unreadable"; "error" => %error),
        }
    }
}
