//! Reports addresses to the route owner, and links to the actors of their segments.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use arpherd_core::Fact;

use super::{Watch, WatchedSegment};
use crate::eligibility::link_update;
use crate::io::netlink::LinkInfo;
use crate::messages::{DhcpUpdate, LinkUpdate, WifiLink};
use crate::required_sysctls::SysctlMode;

impl Watch {
    /// Reports the addresses of all interfaces if they changed.
    pub(super) fn report_addresses(&mut self) {
        let mut own: Vec<Ipv4Addr> = self.addresses.values().flatten().map(|network| network.ip()).collect();
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

    /// A link appeared or is now like this.
    pub(super) fn link_changed(&mut self, link: LinkInfo) {
        let (index, is_vrf) = (link.index, link.vrf_table.is_some());
        let before = self.links.insert(link);
        let concerned: BTreeSet<usize> =
            before.iter().chain(self.links.get(index)).flat_map(|link| self.places_on(link)).collect();
        // Its members are looked up in its table.
        if is_vrf {
            self.report_links(0..self.segments.len());
        } else {
            self.report_links(concerned);
        }
    }

    /// A link was deleted, and its addresses with it.
    pub(super) fn link_gone(&mut self, index: u32) {
        let gone = self.links.remove(index);
        self.sysctls.deleted(index);
        if self.addresses.remove(&index).is_some() {
            self.report_addresses();
        }
        let concerned: BTreeSet<usize> = gone.iter().flat_map(|link| self.places_on(link)).collect();
        self.report_links(concerned);
    }

    /// A link has other addresses.
    pub(super) fn addresses_changed(&mut self, index: u32) {
        self.report_addresses();
        let concerned: Vec<usize> =
            self.links.get(index).into_iter().flat_map(|link| self.places_on(link)).collect();
        self.report_links(concerned);
    }

    /// Where in `segments` those are that are reached through the link.
    pub(super) fn places_on<'l>(&'l self, link: &'l LinkInfo) -> impl Iterator<Item = usize> + 'l {
        link.names().filter_map(|name| self.places.get(name)).flatten().copied()
    }

    /// Reports those of the segments whose links changed; of two whose interfaces change names, the one that loses its
    /// first.
    pub(super) fn report_links(&mut self, places: impl IntoIterator<Item = usize>) {
        let mut changed = Vec::new();
        for index in places {
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
            && !self.links.called(name).any(|link| link.name == name && self.sysctl_mode_of(link).is_some())
        {
            self.sysctls.link_changed(name, None, self.segments[index].sysctl_mode);
        }
        if let Some((interface, name)) = now {
            let mode = self.links.get(interface).and_then(|link| self.sysctl_mode_of(link));
            self.sysctls.link_changed(name, Some(interface), mode);
        }
    }

    /// What the interface's sysctls are to serve, for all segments that are reached through it, whatever they call it.
    pub(super) fn sysctl_mode_of(&self, link: &LinkInfo) -> Option<SysctlMode> {
        let of_name = |name| {
            let last = self.places.get(name)?.last()?;
            Some(self.segments[*last].sysctl_mode)
        };
        let modes: Option<Vec<_>> = link.names().filter_map(of_name).collect();
        modes?.into_iter().reduce(SysctlMode::beside)
    }

    fn present_link(&self, index: usize) -> LinkUpdate {
        let Some(info) = self.links.find(&self.segments[index].interface) else { return LinkUpdate(None) };
        let addresses = self.addresses.get(&info.index).map_or(&[][..], Vec::as_slice);
        link_update(info, &self.netns, addresses)
    }
}

/// Where those segments are that name their interface so, by that name.
pub(super) fn places_of(segments: &[WatchedSegment]) -> BTreeMap<String, Vec<usize>> {
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, segment) in segments.iter().enumerate() {
        places.entry(segment.interface.clone()).or_default().push(place);
    }
    places
}
