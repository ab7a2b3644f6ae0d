//! What hosts believe: their neighbour caches, which nothing but a frame changes (nobody's kernel verifies an entry
//! here, so what is outdated stays so).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_core::arp::Frame;
use arpherd_core::order::Purpose;
use arpherd_core::{LinkAddr, SegmentId};

use crate::stations::Station;

/// The cache of each host.
#[derive(Debug, Default)]
pub(crate) struct Caches(BTreeMap<Ipv4Addr, BTreeMap<Ipv4Addr, LinkAddr>>);

impl Caches {
    /// What a host believes of others.
    pub(crate) fn of(&self, host: Ipv4Addr) -> BTreeMap<Ipv4Addr, LinkAddr> {
        self.0.get(&host).cloned().unwrap_or_default()
    }

    /// Another machine has the address, and starts with an empty cache.
    pub(crate) fn clear(&mut self, host: Ipv4Addr) {
        self.0.remove(&host);
    }

    /// A host enters a neighbour.
    pub(crate) fn enter(&mut self, host: Ipv4Addr, neighbour: Ipv4Addr, lladdr: LinkAddr) {
        self.0.entry(host).or_default().insert(neighbour, lladdr);
    }

    /// A host heard of a neighbour that it may have in its cache.
    fn update(&mut self, host: Ipv4Addr, neighbour: Ipv4Addr, lladdr: LinkAddr) {
        if let Some(entry) = self.0.get_mut(&host).and_then(|cache| cache.get_mut(&neighbour)) {
            *entry = lladdr;
        }
    }

    /// A host announced itself on its segment.
    pub(crate) fn announced(
        &mut self,
        segment: SegmentId,
        neighbour: Ipv4Addr,
        lladdr: LinkAddr,
        stations: &BTreeMap<Ipv4Addr, Station>,
    ) {
        for (host, _) in stations.iter().filter(|(_, station)| station.segment == segment) {
            self.update(*host, neighbour, lladdr);
        }
    }

    /// A frame of ours arrives.
    pub(crate) fn received(
        &mut self,
        segment: SegmentId,
        frame: &Frame,
        purpose: Purpose,
        stations: &BTreeMap<Ipv4Addr, Station>,
    ) {
        let (sender, lladdr) = (frame.arp.sender, frame.arp.sender_lladdr);
        let hears =
            |station: &Station| station.segment == segment && frame.to.is_none_or(|to| to == station.lladdr);
        for (host, _) in stations.iter().filter(|(_, station)| hears(station)) {
            let is_for_it = frame.arp.target == *host && !sender.is_unspecified();
            match purpose {
                Purpose::Answer | Purpose::Verify | Purpose::Search if is_for_it => {
                    self.enter(*host, sender, lladdr);
                }
                _ => self.update(*host, sender, lladdr),
            }
        }
    }
}
