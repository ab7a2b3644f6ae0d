//! What an earlier ledger knew of hosts, until the kernel's routes say what of it still holds.
//!
//! ```text
//! Remembered ─► Recollection ─┬ a route of ours stands for it: alive, with its age and origin (routes.rs, adopt)
//!                             └ none does: remembered as gone, and asked for when its segment comes up
//! ```
//!
//! The kernel's table decides: while nobody looked after it, others may have changed it.

pub(super) mod recollection;

use super::Ledger;
use super::effects::Effects;
use super::host::{Host, HostState, Origin, Sighting};
use super::key::Key;
use super::world::{REMEMBERED, World};
use crate::fact::KernelRoute;
use crate::memory::RememberedHost;
use crate::plan::SegmentId;
use crate::time::Time;

/// What is known of all hosts, by address, for a ledger that takes over. Static hosts are left out: the configuration
/// has them. So are those of whom only a route is known, which the kernel has.
pub fn memory_of(ledger: &Ledger, now: Time) -> Vec<RememberedHost> {
    let hosts = &ledger.world.hosts;
    let is_known = |host: &Host| host.origin != Origin::Static && !host.lladdr.is_empty();
    let remembered = |key: Key| {
        let host = hosts.host(&key)?;
        let place = ledger.world.topology.segment(host.segment);
        Some(RememberedHost {
            address: key.address,
            interface: place.plan.interface.clone(),
            lladdr: host.lladdr,
            learned_from: host.origin,
            is_live: host.is_live(),
            age: now.since(host.last_heard),
        })
    };
    hosts.keys_where(is_known).into_iter().filter_map(remembered).collect()
}

/// The host for which a route of an earlier run stands on the segment, as it was known; `None` if it was not, or the
/// kernel knows it at another link-layer address by now.
pub(super) fn recall(
    world: &mut World,
    id: SegmentId,
    route: &KernelRoute,
    effects: &Effects,
) -> Option<Host> {
    let known = world.recollection.take(route.address)?;
    let key = world.topology.key(id, known.address);
    let is_there = world.topology.segment(id).plan.interface == known.interface
        && (route.lladdr.is_empty() || route.lladdr.same_port(&known.lladdr))
        && world.topology.pin_against(&key, id, &known.lladdr).is_none();
    is_there.then(|| host_of(&known, key, id, effects.now()))
}

/// The kernel's routes were read. Those of whom it has none are remembered as gone, and asked for if they were not: with
/// their segment, or at once where that is up already.
pub(super) fn recall_others(world: &mut World, effects: &mut Effects) {
    for (address, known) in world.recollection.take_all() {
        let Some(id) = place_of(world, &known) else {
            // The prefixes that it belongs to may be yet to come.
            if world.topology.domains.are_unsettled() {
                world.recollection.keep(address, known);
            }
            continue;
        };
        let key = world.topology.key(id, address);
        if world.hosts.host(&key).is_some() {
            continue;
        }
        let host = Host { state: HostState::Dormant, ..host_of(&known, key, id, effects.now()) };
        if world.hosts.remember(key, host) {
            world.look_after(&key, effects.now() + REMEMBERED, effects);
            if known.is_live && world.topology.segment(id).is_up() {
                world.wake(&key, effects);
            }
        }
    }
}

fn place_of(world: &World, known: &RememberedHost) -> Option<SegmentId> {
    let mut segments = world.topology.segments().iter();
    let is_its = |id: SegmentId| {
        let key = world.topology.key(id, known.address);
        world.topology.may_live_on(id, &key, &known.lladdr)
    };
    segments
        .find(|it| !it.plan.is_retired() && it.plan.interface == known.interface && is_its(it.id))
        .map(|it| it.id)
}

fn host_of(known: &RememberedHost, key: Key, segment: SegmentId, now: Time) -> Host {
    let seen = Sighting { key, segment, lladdr: known.lladdr, origin: known.learned_from };
    Host { last_heard: now - known.age, ..Host::seen(&seen, now) }
}
