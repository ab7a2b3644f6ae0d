//! A kernel's tables, as far as the ledger's orders reach into them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_core::fact::{KernelRoute, Link};
use arpherd_core::{LinkAddr, SegmentId, Write};

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
    /// Interfaces that were a segment's and now have another name.
    renamed: Vec<Link>,
    pub(crate) routes: Vec<KernelRoute>,
    neighbours: BTreeMap<(u32, Ipv4Addr), LinkAddr>,
    /// So many of the next writes are refused.
    pub(crate) failing: u32,
    /// Routes of others that a write of ours took the place of.
    pub(crate) trampled: u32,
}

impl Kernel {
    pub(crate) fn new(links: Vec<Option<Link>>) -> Self {
        Self {
            links,
            renamed: Vec::new(),
            routes: Vec::new(),
            neighbours: BTreeMap::new(),
            failing: 0,
            trampled: 0,
        }
    }

    pub(crate) fn own(&self) -> Vec<Ipv4Addr> {
        self.links
            .iter()
            .flatten()
            .flat_map(|link| link.addresses.iter().map(|network| network.ip()))
            .collect()
    }

    /// The segment whose interface a route leaves by.
    pub(crate) fn segment_of(&self, route: &KernelRoute) -> Option<SegmentId> {
        let has_index = |link: &Option<Link>| link.as_ref().is_some_and(|it| it.index == route.interface);
        let position = self.links.iter().position(has_index)?;
        u16::try_from(position).ok().map(SegmentId)
    }

    fn interface(&self, index: u32) -> Option<&Link> {
        self.links.iter().flatten().chain(&self.renamed).find(|link| link.index == index)
    }

    /// Carries a write of ours out, on the interface it names.
    pub(crate) fn write(&mut self, write: &Write) -> Result<(), i32> {
        match *write {
            Write::PutRoute { interface, address, source, replace } => {
                return self.put(METRIC, interface, address, source, replace);
            }
            Write::PutStandbyRoute { interface, address, source, metric, replace } => {
                return self.put(metric, interface, address, source, replace);
            }
            Write::DeleteRoute { interface, address } => self.routes.retain(|it| {
                (it.address, it.protocol, it.metric, it.interface) != (address, PROTOCOL, METRIC, interface)
            }),
            Write::DeleteStray(stray) => {
                let name = |it: &KernelRoute| (it.address, it.protocol, it.metric, it.interface);
                self.routes.retain(|it| name(it) != name(&stray));
            }
            Write::PutNeighbour { interface, address, lladdr } => {
                if self.interface(interface).is_some_and(|link| link.up) {
                    self.neighbours.insert((interface, address), lladdr);
                }
            }
            Write::DeleteNeighbour { interface, address } => {
                self.neighbours.remove(&(interface, address));
            }
            Write::PutCover { .. }
            | Write::PutSearchRoute { .. }
            | Write::DeleteSearchRoute { .. }
            | Write::DeleteCover { .. }
            | Write::PutProxy { .. }
            | Write::PutSharedLladdr { .. }
            | Write::DeleteSharedLladdr { .. }
            | Write::PutFastAnswer { .. }
            | Write::DeleteFastAnswer { .. }
            | Write::PutFastLink { .. }
            | Write::DeleteFastLink { .. }
            | Write::DeleteProxy { .. } => {}
        }
        Ok(())
    }

    /// Writes a route of ours. Like the kernel's `NLM_F_REPLACE` it looks at address and metric alone.
    fn put(
        &mut self,
        metric: u32,
        interface: u32,
        address: Ipv4Addr,
        source: Option<Ipv4Addr>,
        replace: bool,
    ) -> Result<(), i32> {
        let link = self.interface(interface).ok_or(ENXIO)?;
        if !link.up {
            return Err(ENETDOWN);
        }
        if source.is_some_and(|source| !self.own().contains(&source)) {
            return Err(EINVAL);
        }
        if self.failing > 0 {
            self.failing -= 1;
            return Err(ENOBUFS);
        }
        let standing = self.routes.iter().position(|it| it.address == address && it.metric == metric);
        if let Some(at) = standing {
            if !replace {
                return Err(EEXIST);
            }
            self.trampled += u32::from(self.routes[at].protocol != PROTOCOL);
            self.routes.remove(at);
        }
        self.routes.push(KernelRoute {
            address,
            protocol: PROTOCOL,
            metric,
            interface,
            segment: None,
            source,
            lladdr: LinkAddr::UNKNOWN,
            next_hop: None,
            in_fabric_table: false,
        });
        Ok(())
    }

    pub(crate) fn table(&self) -> Vec<KernelRoute> {
        let with_neighbour = |seen: &KernelRoute| {
            let lladdr = self.neighbours.get(&(seen.interface, seen.address)).copied().unwrap_or_default();
            KernelRoute { lladdr, segment: self.segment_of(seen), ..*seen }
        };
        self.routes.iter().map(with_neighbour).collect()
    }

    /// The segment's interface has another name from now on, with all that stands on it, and its name is another
    /// interface's.
    pub(crate) fn swap_link(&mut self, segment: SegmentId, link: Link) {
        self.renamed.retain(|old| old.index != link.index);
        self.renamed.extend(self.links[segment.index()].replace(link));
    }

    /// A link changes; what goes with it goes without a word.
    pub(crate) fn set_link(&mut self, segment: SegmentId, link: Option<&Link>) {
        let old = std::mem::replace(&mut self.links[segment.index()], link.cloned());
        if let Some(link) = link {
            self.renamed.retain(|old| old.index != link.index);
        }
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
    pub(crate) fn add(&mut self, route: KernelRoute) -> bool {
        let is_free = !self.routes.iter().any(|it| (it.address, it.metric) == (route.address, route.metric));
        if is_free {
            self.routes.push(route);
        }
        is_free
    }

    /// Takes the first route that fits away.
    pub(crate) fn take(&mut self, fits: impl Fn(&KernelRoute) -> bool) -> Option<KernelRoute> {
        let at = self.routes.iter().position(fits)?;
        Some(self.routes.remove(at))
    }

    /// The route a packet to the address takes.
    pub(crate) fn lookup(&self, address: Ipv4Addr) -> Option<&KernelRoute> {
        self.routes.iter().filter(|it| it.address == address).min_by_key(|it| it.metric)
    }

    pub(crate) fn ours_to(&self, address: Ipv4Addr) -> Vec<KernelRoute> {
        self.routes.iter().filter(|it| it.address == address && it.protocol == PROTOCOL).copied().collect()
    }
}
