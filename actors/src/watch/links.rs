//! Reports addresses to the route owner, and links to the actors of their segments.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use arpherd_core::Fact;

use super::{Watch, WatchedSegment};
use crate::eligibility::link_update;
use crate::io::netlink::LinkInfo;
use crate::messages::{DhcpUpdate, LinkUpdate, WifiLink};

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
        link.names().flat_map(|name| self.places.named(name, &self.segments)).copied()
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
                let link = update.0.as_deref().map(|(medium, _)| (medium.interface, medium.kind));
                wifi.do_send(WifiLink { segment: segment.segment, link });
            }
            if let Some(dhcp) = &segment.dhcp {
                dhcp.do_send(DhcpUpdate::Link(segment.segment, update.clone()));
            }
            segment.capture.do_send(update.clone());
            self.sent[index] = update;
        }
    }

    fn present_link(&self, index: usize) -> LinkUpdate {
        let Some(info) = self.links.find(&self.segments[index].interface) else { return LinkUpdate(None) };
        let addresses = self.addresses.get(&info.index).map_or(&[][..], Vec::as_slice);
        link_update(info, &self.netns, addresses)
    }
}

/// Where in a list of segments each is, in the order of what they call their interfaces.
pub(super) struct Places(Vec<usize>);

impl Places {
    pub(super) fn of(segments: &[WatchedSegment]) -> Self {
        let mut places: Vec<usize> = (0..segments.len()).collect();
        places.sort_by_key(|place| &segments[*place].interface);
        Self(places)
    }

    /// Where those are that call their interface so, the first one first. `segments`: the same list.
    pub(super) fn named(&self, name: &str, segments: &[WatchedSegment]) -> &[usize] {
        let called = |place: &usize| segments[*place].interface.as_str();
        let from = self.0.partition_point(|place| called(place) < name);
        let (_, rest) = self.0.split_at(from);
        &rest[..rest.partition_point(|place| called(place) == name)]
    }
}
