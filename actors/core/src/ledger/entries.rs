//! The kernel's own proxy entries, on segments where it answers by them (`answer: kernel`, `kernel: entries`).
//!
//! An entry stands for each host alive on another segment of the domain, and for each published address; the
//! kernel loses them all when their interface goes down (`pneigh_ifdown`).

use std::collections::BTreeSet;

use super::effects::Effects;
use super::host::Host;
use super::hosts::Hosts;
use super::installed::RouteState;
use super::kernel_state::KernelState;
use super::key::Key;
use super::published::PublishedUsers;
use super::remote_hosts::remotes_of;
use super::remotes::remote_host;
use super::segment::Segment;
use super::topology::Topology;
use super::world::World;
use crate::address::Address;
use crate::plan::SegmentId;
use crate::write::Write;

/// What decides whether the kernel is to answer for an address.
pub(super) struct Reasons<'a> {
    pub(super) hosts: &'a Hosts,
    pub(super) topology: &'a Topology,
    pub(super) published: &'a PublishedUsers,
    pub(super) world: &'a World,
}

impl Reasons<'_> {
    fn wants_entry(&self, segment: &Segment, key: &Key) -> bool {
        let address = key.address;
        let is_carried = |host: &Host| {
            host.is_live() && host.segment != segment.id && host.installed.route() == RouteState::Written
        };
        let is_wanted = self.hosts.host(key).is_some_and(is_carried)
            || speaks_by_entry(self.world, segment, key)
            || segment.publishes(address) && !self.published.is_used(segment.id, address);
        is_wanted && segment.voice.is_heard() && !segment.is_never(address) && !self.topology.is_own(address)
    }

    /// What the segment's entries should be.
    fn wanted_entries(&self, segment: &Segment) -> BTreeSet<Address> {
        let domain = segment.plan.domain;
        let hosts = self.hosts.keys_where(|host| host.is_live() && host.segment != segment.id);
        let hosts = hosts.into_iter().filter(|key| key.domain == domain);
        let remotes = remotes_of(self.world, domain, None).map(|address| Key { domain, address });
        let hosts = hosts.chain(remotes);
        let keys = hosts.chain(published_addresses(segment).map(|address| Key { domain, address }));
        keys.filter(|key| self.wants_entry(segment, key)).map(|key| key.address).collect()
    }

    /// Has the kernel answer for the address on the segment, or no longer. While the segment's interface is down
    /// it has no entries.
    fn write_entry(&self, segment: &Segment, address: Address, effects: &mut Effects) {
        let Some(interface) = segment.last_index.filter(|_| segment.keeps_kernel_state()) else { return };
        effects.write(if self.wants_entry(segment, &Key { domain: segment.plan.domain, address }) {
            Write::PutProxy { interface, address }
        } else {
            Write::DeleteProxy { interface, address }
        });
    }
}

impl KernelState {
    /// Has the host's entries as they should be now: wherever it is answered for by one, and nowhere else.
    pub(super) fn follow_entries(&self, key: &Key, reasons: &Reasons<'_>, effects: &mut Effects) {
        for segment in self.entry_segments.iter().map(|id| reasons.topology.segment(*id)) {
            if segment.plan.domain == key.domain {
                reasons.write_entry(segment, key.address, effects);
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
    pub(super) fn delete_entries_on(
        &self,
        retired: &[SegmentId],
        reasons: &Reasons<'_>,
        effects: &mut Effects,
    ) {
        for segment in retired.iter().filter(|id| self.entry_segments.contains(id)) {
            let segment = reasons.topology.segment(*segment);
            let Some(interface) = segment.last_index.filter(|_| segment.keeps_kernel_state()) else {
                continue;
            };
            for address in reasons.wanted_entries(segment) {
                effects.write(Write::DeleteProxy { interface, address });
            }
        }
    }

    /// The kernel's entries as they are: what others deleted comes back, what is not wanted goes. The kernel
    /// reports neither, so they are read now and then.
    pub(super) fn proxies_read(
        &self,
        proxies: &[(SegmentId, Address)],
        reasons: &Reasons<'_>,
        effects: &mut Effects,
    ) {
        let segments = self.entry_segments.iter().map(|id| reasons.topology.segment(*id));
        for segment in segments.filter(|segment| segment.is_up()) {
            let Some(interface) = segment.last_index else { continue };
            let wanted = reasons.wanted_entries(segment);
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
pub(super) fn put_entries(segment: &Segment, reasons: &Reasons<'_>, effects: &mut Effects) {
    let Some(interface) = segment.last_index.filter(|_| segment.has_entries()) else { return };
    for address in reasons.wanted_entries(segment) {
        effects.write(Write::PutProxy { interface, address });
    }
}

/// The segment went down, or its interface is another one from now on. The kernel removes the entries of an
/// interface that was set down or deleted, but not those of one that only has another name.
pub(super) fn delete_entries(segment: &Segment, reasons: &Reasons<'_>, effects: &mut Effects) {
    let Some(interface) = segment.last_index.filter(|_| segment.has_entries()) else { return };
    for address in reasons.wanted_entries(segment) {
        effects.write(Write::DeleteProxy { interface, address });
    }
}

/// A published address came into use, or is free again; or it is this machine's from now on, or no longer.
pub(super) fn follow_use(segment: &Segment, address: Address, reasons: &Reasons<'_>, effects: &mut Effects) {
    if segment.has_entries() {
        reasons.write_entry(segment, address, effects);
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
