//! A kernel's tables, as far as the ledger's orders reach into them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_core::fact::{Link, RouteSeen};
use arpherd_core::{LinkAddr, SegmentId};

use crate::facts::{METRIC, PROTOCOL};

const ENXIO: i32 = 6;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;
const ENETDOWN: i32 = 100;
const ENOBUFS: i32 = 105;

/// Links, host routes and neighbour entries.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) links: Vec<Option<Link>>,
    pub(crate) routes: Vec<RouteSeen>,
    neighbours: BTreeMap<(u32, Ipv4Addr), LinkAddr>,
    /// So many of the next writes are refused.
    pub(crate) failing: u32,
    /// Routes of others that a write of ours took the place of.
    pub(crate) trampled: u32,
}

impl Kernel {
    pub(crate) fn new(links: Vec<Option<Link>>) -> Self {
        Self { links, routes: Vec::new(), neighbours: BTreeMap::new(), failing: 0, trampled: 0 }
    }

    fn link(&self, segment: SegmentId) -> Option<&Link> {
        self.links[segment.index()].as_ref()
    }

    pub(crate) fn own(&self) -> Vec<Ipv4Addr> {
        self.links
            .iter()
            .flatten()
            .flat_map(|link| link.addresses.iter().map(|network| network.ip()))
            .collect()
    }

    /// Writes a route of ours. Like the kernel's `NLM_F_REPLACE` it looks at address and metric alone.
    pub(crate) fn put(
        &mut self,
        segment: SegmentId,
        address: Ipv4Addr,
        source: Option<Ipv4Addr>,
        replace: bool,
    ) -> Result<(), i32> {
        let link = self.link(segment).ok_or(ENXIO)?;
        if !link.up {
            return Err(ENETDOWN);
        }
        let interface = link.index;
        if source.is_some_and(|source| !self.own().contains(&source)) {
            return Err(EINVAL);
        }
        if self.failing > 0 {
            self.failing -= 1;
            return Err(ENOBUFS);
        }
        let standing = self.routes.iter().position(|it| it.address == address && it.metric == METRIC);
        if let Some(at) = standing {
            if !replace {
                return Err(EEXIST);
            }
            self.trampled += u32::from(self.routes[at].protocol != PROTOCOL);
            self.routes.remove(at);
        }
        self.routes.push(RouteSeen {
            address,
            protocol: PROTOCOL,
            metric: METRIC,
            interface,
            segment: Some(segment),
            source,
            lladdr: LinkAddr::UNKNOWN,
        });
        Ok(())
    }

    pub(crate) fn delete(&mut self, segment: SegmentId, address: Ipv4Addr) {
        let Some(interface) = self.link(segment).map(|link| link.index) else { return };
        self.routes.retain(|it| {
            (it.address, it.protocol, it.metric, it.interface) != (address, PROTOCOL, METRIC, interface)
        });
    }

    pub(crate) fn delete_stray(&mut self, stray: &RouteSeen) {
        let name = |it: &RouteSeen| (it.address, it.protocol, it.metric, it.interface);
        self.routes.retain(|it| name(it) != name(stray));
    }

    pub(crate) fn put_neighbour(&mut self, segment: SegmentId, address: Ipv4Addr, lladdr: LinkAddr) {
        if let Some(interface) = self.link(segment).filter(|link| link.up).map(|link| link.index) {
            self.neighbours.insert((interface, address), lladdr);
        }
    }

    pub(crate) fn delete_neighbour(&mut self, segment: SegmentId, address: Ipv4Addr) {
        if let Some(interface) = self.link(segment).map(|link| link.index) {
            self.neighbours.remove(&(interface, address));
        }
    }

    pub(crate) fn table(&self) -> Vec<RouteSeen> {
        let with_neighbour = |seen: &RouteSeen| {
            let lladdr = self.neighbours.get(&(seen.interface, seen.address)).copied().unwrap_or_default();
            RouteSeen { lladdr, ..*seen }
        };
        self.routes.iter().map(with_neighbour).collect()
    }

    /// A link changes; what goes with it goes without a word.
    pub(crate) fn set_link(&mut self, segment: SegmentId, link: Option<&Link>) {
        let old = std::mem::replace(&mut self.links[segment.index()], link.cloned());
        let Some(old) = old else { return };
        let is_bare = |new: &Link| new.addresses.is_empty() && !old.addresses.is_empty();
        let is_flushed = link.is_none_or(|new| !new.up || new.index != old.index || is_bare(new));
        if is_flushed {
            self.routes.retain(|it| it.interface != old.index);
            self.neighbours.retain(|(interface, _), _| *interface != old.index);
        }
        let own = self.own();
        self.routes.retain(|it| it.source.is_none_or(|source| own.contains(&source)));
    }

    /// Adds somebody's route; false if the kernel has the like.
    pub(crate) fn add(&mut self, route: RouteSeen) -> bool {
        let is_free = !self.routes.iter().any(|it| (it.address, it.metric) == (route.address, route.metric));
        if is_free {
            self.routes.push(route);
        }
        is_free
    }

    /// Takes the first route that fits away.
    pub(crate) fn take(&mut self, fits: impl Fn(&RouteSeen) -> bool) -> Option<RouteSeen> {
        let at = self.routes.iter().position(fits)?;
        Some(self.routes.remove(at))
    }

    /// The route a packet to the address takes.
    pub(crate) fn lookup(&self, address: Ipv4Addr) -> Option<&RouteSeen> {
        self.routes.iter().filter(|it| it.address == address).min_by_key(|it| it.metric)
    }

    pub(crate) fn ours_to(&self, address: Ipv4Addr) -> Vec<RouteSeen> {
        self.routes.iter().filter(|it| it.address == address && it.protocol == PROTOCOL).copied().collect()
    }
}
