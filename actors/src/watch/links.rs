//! Reports addresses to the route owner, and links to the actors of their segments.

use std::net::Ipv4Addr;

use arpherd_core::Fact;

use super::Watch;
use crate::eligibility::link_update;
use crate::messages::{LinkUpdate, WifiLink};

impl Watch {
    /// Reports the addresses of all interfaces if they changed.
    pub(super) fn report_addresses(&mut self) {
        let mut own: Vec<Ipv4Addr> = self.addresses.iter().map(|(_, network)| network.ip()).collect();
        own.sort_unstable();
        own.dedup();
        if own != self.own {
            self.own.clone_from(&own);
            self.report(Fact::AddressesChanged { addresses: own });
        }
    }

    /// Reports the links that changed.
    pub(super) fn report_links(&mut self) {
        for index in 0..self.segments.len() {
            self.vrfs.check(&self.segments[index].interface, &self.links, &self.log);
            let update = self.present_link(index);
            if self.sent[index] == update {
                continue;
            }
            let segment = &self.segments[index];
            let interface = update.medium().map(|medium| medium.interface);
            self.sysctls.link_changed(&segment.interface, interface, segment.sysctl_mode);
            if let Some(sweep) = &segment.sweep {
                sweep.do_send(update.clone());
            }
            if let Some(wifi) = &segment.wifi {
                let link = update.0.as_ref().map(|(medium, _)| (medium.interface, medium.kind));
                wifi.do_send(WifiLink { segment: segment.segment, link });
            }
            segment.capture.do_send(update.clone());
            self.sent[index] = update;
        }
    }

    fn present_link(&self, index: usize) -> LinkUpdate {
        let name = &self.segments[index].interface;
        let Some(info) = self.links.values().find(|link| link.name == *name) else { return LinkUpdate(None) };
        link_update(info, &self.netns, &self.addresses)
    }
}
