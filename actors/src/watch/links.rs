//! Reports addresses to the route owner, and links to the actors of their segments.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_core::Fact;

use super::Watch;
use crate::eligibility::link_update;
use crate::io::netlink::{LinkInfo, find_link};
use crate::messages::{DhcpUpdate, LinkUpdate, WifiLink};
use crate::required_sysctls::SysctlMode;

impl Watch {
    /// Reports the addresses of all interfaces if they changed.
    pub(super) fn report_addresses(&mut self) {
        let mut own: Vec<Ipv4Addr> = self.addresses.iter().map(|(_, network)| network.ip()).collect();
        own.sort_unstable();
        own.dedup();
        if own != self.own {
            self.own.clone_from(&own);
            // It is the same actor for all of them.
            if let Some(dhcp) = self.segments.iter().find_map(|segment| segment.dhcp.as_ref()) {
                dhcp.do_send(DhcpUpdate::Addresses(own.clone()));
            }
            self.report(Fact::AddressesChanged { addresses: own });
        }
    }

    /// Reports the links that changed; of two segments whose interfaces change names, the one that loses its first.
    pub(super) fn report_links(&mut self) {
        let mut changed = Vec::new();
        for index in 0..self.segments.len() {
            self.vrfs.check(&self.segments[index].interface, &self.links, &self.log);
            let update = self.present_link(index);
            if self.sent[index] != update {
                changed.push((index, update));
            }
        }
        changed.sort_by_key(|(_, update)| update.0.is_some());
        for (index, update) in changed {
            self.follow_sysctls(index, &update);
            let segment = &self.segments[index];
            if let Some(sweep) = &segment.sweep {
                sweep.do_send(update.clone());
            }
            if let Some(wifi) = &segment.wifi {
                let link = update.0.as_ref().map(|(medium, _)| (medium.interface, medium.kind));
                wifi.do_send(WifiLink { segment: segment.segment, link });
            }
            if let Some(dhcp) = &segment.dhcp {
                dhcp.do_send(DhcpUpdate::Link(segment.segment, update.clone()));
            }
            segment.capture.do_send(update.clone());
            self.sent[index] = update;
        }
    }

    /// Has the sysctls follow the interface of a segment. They go by its own name, whatever the segment calls it.
    fn follow_sysctls(&mut self, index: usize, update: &LinkUpdate) {
        let (before, now) = (self.sent[index].served(), update.served());
        if let Some((_, name)) = before.filter(|before| now.map(|(_, name)| name) != Some(before.1))
            && !self.links.values().any(|link| link.name == name && self.sysctl_mode_of(link).is_some())
        {
            self.sysctls.link_changed(name, None, self.segments[index].sysctl_mode);
        }
        if let Some((interface, name)) = now {
            let mode = self.links.get(&interface).and_then(|link| self.sysctl_mode_of(link));
            self.sysctls.link_changed(name, Some(interface), mode);
        }
    }

    /// What the interface's sysctls are to serve, for all segments that are reached through it, whatever they call it.
    pub(super) fn sysctl_mode_of(&self, link: &LinkInfo) -> Option<SysctlMode> {
        let mut modes: BTreeMap<&str, Option<SysctlMode>> = BTreeMap::new();
        for segment in self.segments.iter().filter(|segment| link.is_called(&segment.interface)) {
            modes.insert(&segment.interface, segment.sysctl_mode);
        }
        let modes: Option<Vec<_>> = modes.into_values().collect();
        modes?.into_iter().reduce(SysctlMode::beside)
    }

    fn present_link(&self, index: usize) -> LinkUpdate {
        let Some(info) = find_link(self.links.values(), &self.segments[index].interface) else {
            return LinkUpdate(None);
        };
        link_update(info, &self.netns, &self.addresses)
    }
}
