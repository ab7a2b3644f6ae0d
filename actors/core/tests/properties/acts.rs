//! What may happen in the small network.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::fact::{KernelRoute, Link};
use arpherd_core::{Fact, LinkAddr, SegmentId};

use crate::facts::{METRIC, PROTOCOL, own_lladdr};
use crate::stations::{Act, Station, ip, mac, request};
use crate::world::{World, fine, swapped};

impl World {
    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::Arrive { last, segment, which, announces } => {
                let lladdr = mac(last, which);
                let before = self.stations.insert(ip(last), Station { segment, lladdr });
                if before.is_none_or(|before| before.lladdr != lladdr) {
                    self.caches.clear(ip(last));
                }
                if announces {
                    self.caches.announced(segment, ip(last), lladdr, &self.stations);
                    self.says(segment, request(ip(last), lladdr, ip(last)));
                }
            }
            Act::Leave(last) => {
                self.stations.remove(&ip(last));
            }
            Act::Ask { last, target } => {
                if let Some(station) = self.stations.get(&ip(last)).copied() {
                    self.meet(last, target);
                    self.says(station.segment, request(ip(last), station.lladdr, ip(target)));
                }
            }
            Act::Show(last) => {
                if let Some(station) = self.stations.get(&ip(last)).copied() {
                    self.shows(station.segment, station.lladdr);
                }
            }
            Act::ForgeTrace { last, segment, which } => self.shows(segment, mac(last, which)),
            Act::Forge { last, segment } => self.says(segment, request(ip(last), mac(last, 9), ip(last))),
            Act::Probe { last, segment } => {
                self.says(segment, request(Ipv4Addr::UNSPECIFIED, mac(last, 8), ip(last)));
            }
            Act::Wait(span) => self.pass(span),
            _ => self.meddle(act),
        }
        self.pass(Duration::ZERO);
    }

    /// If the two are on one segment, each enters the other's address.
    fn meet(&mut self, last: u8, target: u8) {
        let (one, other) = (self.stations.get(&ip(last)), self.stations.get(&ip(target)));
        if let (Some(one), Some(other)) = (one.copied(), other.copied())
            && one.segment == other.segment
            && last != target
        {
            self.caches.enter(ip(last), ip(target), other.lladdr);
            self.caches.enter(ip(target), ip(last), one.lladdr);
        }
    }

    /// The route as it is told, with its segment.
    fn placed(&self, route: KernelRoute) -> KernelRoute {
        KernelRoute { segment: self.kernel.segment_of(&route), ..route }
    }

    /// What others do to the gateway.
    fn meddle(&mut self, act: Act) {
        match act {
            Act::AdminDown(segment) => {
                self.with_link(segment, |link| (link.up, link.carrier) = (false, false));
            }
            Act::NoCarrier(segment) => self.with_link(segment, |link| link.carrier = false),
            Act::Absent(segment) => self.set_link(segment, None),
            Act::Recreated(segment) => {
                let lladdr = own_lladdr(7);
                self.set_link(
                    segment,
                    Some(Link { index: 90 + u32::from(segment.0), lladdr, ..fine(segment) }),
                );
            }
            Act::Swapped(segment) => {
                self.swap_link(segment, swapped(segment));
            }
            Act::SwappedBack(segment) => {
                let is_other = |link: &Link| link.index != fine(segment).index;
                if self.kernel.links[segment.index()].as_ref().is_some_and(is_other) {
                    self.swap_link(segment, fine(segment));
                }
            }
            Act::Up(segment) => self.set_link(segment, Some(fine(segment))),
            Act::AddressLost => self.with_link(SegmentId(0), |link| link.addresses.clear()),
            Act::AddressBack => self.with_link(SegmentId(0), |link| {
                link.addresses = fine(SegmentId(0)).addresses;
            }),
            Act::Foreign { last, our_metric } => {
                let route = foreign(last, our_metric);
                if self.kernel.add(route) {
                    self.hear_of(Fact::RouteAppeared(self.placed(route)));
                }
            }
            Act::ForeignGone(last) => {
                let is_theirs = |it: &KernelRoute| it.address == ip(last) && it.protocol != PROTOCOL;
                if let Some(route) = self.kernel.take(is_theirs) {
                    self.hear_of(Fact::RouteVanished(self.placed(route)));
                }
            }
            Act::Vandal(last) => {
                let is_ours = |it: &KernelRoute| it.address == ip(last) && it.protocol == PROTOCOL;
                if let Some(route) = self.kernel.take(is_ours) {
                    self.hear_of(Fact::RouteVanished(self.placed(route)));
                }
            }
            Act::Impostor { last, segment } => {
                let Some(link) = self.kernel.links[segment.index()].clone().filter(|link| link.up) else {
                    return;
                };
                let route = impostor(last, &link);
                if self.kernel.add(route) {
                    self.hear_of(Fact::RouteAppeared(self.placed(route)));
                }
            }
            Act::Failing(writes) => self.kernel.failing = writes,
            Act::Overrun => self.hear_of(Fact::TableRead { routes: self.kernel.table() }),
            _ => {}
        }
    }
}

fn foreign(last: u8, our_metric: bool) -> KernelRoute {
    KernelRoute {
        address: ip(last),
        protocol: 4,
        metric: if our_metric { METRIC } else { 20 },
        interface: 99,
        segment: None,
        source: None,
        lladdr: LinkAddr::UNKNOWN,
        next_hop: None,
        in_fabric_table: false,
    }
}

/// A route in our name that is none of this run's.
pub(crate) fn impostor(last: u8, link: &Link) -> KernelRoute {
    let interface = link.index;
    KernelRoute { protocol: PROTOCOL, metric: METRIC, interface, ..foreign(last, true) }
}
