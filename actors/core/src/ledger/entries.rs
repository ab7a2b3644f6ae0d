//! The kernel's own proxy entries, on segments where it answers by them (`answer: kernel`, `kernel: entries`).
//!
//! An entry stands for each host alive on another segment of the domain, and for each published address; the
//! kernel loses them all when their interface goes down (`pneigh_ifdown`).

use std::collections::BTreeSet;

use super::effects::Effects;
use super::host::Host;
use super::installed::RouteState;
use super::kernel_state::KernelState;
use super::key::Key;
use super::remote_hosts::{remote_host, remotes_of};
use super::segment::Segment;
use super::topology::Topology;
use super::world::World;
use crate::address::Address;
use crate::plan::SegmentId;
use crate::write::Write;

/// Whether the kernel is to answer for the address on the segment.
fn is_wanted(world: &World, segment: &Segment, key: &Key) -> bool {
    let address = key.address;
    let is_carried = |host: &Host| {
        host.is_live() && host.segment != segment.id && host.installed.route() == RouteState::Written
    };
    let is_known = world.hosts.host(key).is_some_and(is_carried)
        || speaks_by_entry(world, segment, key)
        || segment.publishes(address) && !world.published.is_used(segment.id, address);
    is_known && segment.voice.is_heard() && !segment.is_never(address) && !world.topology.is_own(address)
}

/// What the segment's entries should be.
fn wanted_entries(world: &World, segment: &Segment) -> BTreeSet<Address> {
    let domain = segment.plan.domain;
    let hosts = world.hosts.keys_where(|host| host.is_live() && host.segment != segment.id);
    let hosts = hosts.into_iter().filter(|key| key.domain == domain);
    let remotes = remotes_of(world, domain, None).map(|address| Key { domain, address });
    let published = published_addresses(segment).map(|address| Key { domain, address });
    let keys = hosts.chain(remotes).chain(published);
    keys.filter(|key| is_wanted(world, segment, key)).map(|key| key.address).collect()
}

/// Has the kernel answer for the address on the segment, or no longer. While the segment's interface is down it has no
/// entries.
fn write_entry(world: &World, segment: &Segment, address: Address, effects: &mut Effects) {
    let Some(interface) = segment.last_index.filter(|_| segment.keeps_kernel_state()) else { return };
    effects.write(if is_wanted(world, segment, &Key { domain: segment.plan.domain, address }) {
        Write::PutProxy { interface, address }
    } else {
        Write::DeleteProxy { interface, address }
    });
}

impl KernelState {
    /// Has the host's entries as they should be now: wherever it is answered for by one, and nowhere else.
    pub(super) fn follow_entries(&self, key: &Key, world: &World, effects: &mut Effects) {
        for segment in self.entry_segments.iter().map(|id| world.topology.segment(*id)) {
            if segment.plan.domain == key.domain {
                write_entry(world, segment, key.address, effects);
            }
        }
    }

    /// Takes away what stands for published addresses; entries of hosts go with their routes.
    pub(super) fn delete_published_entries(&self, topology: &Topology, effects: &mut Effects) {
        for segment in self.entry_segments.iter().map(|id| topology.segment(*id)) {
            let Some(interface) = segment.last_index else { continue };
            for address in published_addresses(segment).filter(|address| segment.publishes(*address)) {
                effects.write(Write::DeleteProxy { interface, address });
            }
        }
    }

    /// Takes away all entries on segments that are no longer served.
    pub(super) fn delete_entries_on(&self, retired: &[SegmentId], world: &World, effects: &mut Effects) {
        for segment in retired.iter().filter(|id| self.entry_segments.contains(id)) {
            let segment = world.topology.segment(*segment);
            let Some(interface) = segment.last_index.filter(|_| segment.keeps_kernel_state()) else {
                continue;
            };
            for address in wanted_entries(world, segment) {
                effects.write(Write::DeleteProxy { interface, address });
            }
        }
    }

    /// The kernel's entries as they are: what others deleted comes back, what is not wanted goes. The kernel
    /// reports neither, so they are read now and then.
    pub(super) fn proxies_read(
        &self,
        proxies: &[(SegmentId, Address)],
        world: &World,
        effects: &mut Effects,
    ) {
        let segments = self.entry_segments.iter().map(|id| world.topology.segment(*id));
        for segment in segments.filter(|segment| segment.is_up()) {
            let Some(interface) = segment.last_index else { continue };
            let wanted = wanted_entries(world, segment);
            let there = proxies.iter().filter(|(place, _)| *place == segment.id);
            let there: BTreeSet<Address> = there.map(|(_, address)| *address).collect();
            for &address in wanted.difference(&there) {
                effects.write(Write::PutProxy { interface, address });
            }
            for &address in there.difference(&wanted) {
                effects.write(Write::DeleteProxy { interface, address });
            }
        }
    }
}

/// The segment came up, and the kernel has none of its entries.
pub(super) fn put_entries(segment: &Segment, world: &World, effects: &mut Effects) {
    let Some(interface) = segment.last_index.filter(|_| segment.has_entries()) else { return };
    for address in wanted_entries(world, segment) {
        effects.write(Write::PutProxy { interface, address });
    }
}

/// The segment went down, or its interface is another one from now on. The kernel removes the entries of an
/// interface that was set down or deleted, but not those of one that only has another name.
pub(super) fn delete_entries(segment: &Segment, world: &World, effects: &mut Effects) {
    let Some(interface) = segment.last_index.filter(|_| segment.has_entries()) else { return };
    for address in wanted_entries(world, segment) {
        effects.write(Write::DeleteProxy { interface, address });
    }
}

/// A published address came into use, or is free again; or it is this machine's from now on, or no longer.
pub(super) fn follow_use(segment: &Segment, address: Address, world: &World, effects: &mut Effects) {
    if segment.has_entries() {
        write_entry(world, segment, address, effects);
    }
}

/// Whether the kernel is to speak on the segment for a host behind another gateway. It does not where the route leaves by
/// that interface.
fn speaks_by_entry(world: &World, segment: &Segment, key: &Key) -> bool {
    remote_host(world, key).is_some_and(|remote| Some(remote.route.interface) != segment.index())
}

fn published_addresses(segment: &Segment) -> impl Iterator<Item = Address> + '_ {
    segment.plan.addresses.publish.iter().flat_map(|prefix| prefix.iter())
}
