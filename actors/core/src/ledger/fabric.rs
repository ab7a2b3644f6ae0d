//! The fabric: routes of routing daemons stand for hosts that live behind other gateways. Here is what follows from such
//! a route for the tables and for those who ask; what follows for a host of ours is in `mobility.rs`.

use std::collections::BTreeSet;

use super::effects::Effects;
use super::key::Key;
use super::policy;
use super::remote_hosts::{Unfit, remote_host, unfitness};
use super::remotes::{Appearance, Check, outranks_ours};
use super::reports::Subject;
use super::segment::Segment;
use super::timers::Timer;
use super::topology::Topology;
use super::world::World;
use crate::address::Address;
use crate::event::{Event, FabricFault};
use crate::fact::KernelRoute;

/// Whether somebody whose routes stand for hosts wrote it, and packets are forwarded by it.
fn is_of_fabric(topology: &Topology, route: &KernelRoute) -> bool {
    let domain = topology.domain_of(route.address);
    let fabric = domain.and_then(|id| topology.domain(id).plan.fabric.as_ref());
    route.interface != 0 && fabric.is_some_and(|fabric| fabric.protocols.contains(&route.protocol))
}

/// Takes note of a route of somebody else, which appeared.
pub(super) fn note_foreign(world: &mut World, key: &Key, route: &KernelRoute, effects: &mut Effects) {
    let place = (route.address, route.in_fabric_table, route.metric);
    if !is_of_fabric(&world.topology, route) {
        if !route.in_fabric_table {
            world.kernel.remotes.clear_place(place);
            world.kernel.foreign.note(*route);
        }
        return;
    }
    note_outranking(world, route);
    let appearance = world.kernel.remotes.note_remote(*route, effects.now());
    if appearance == Appearance::Unclear {
        world.kernel.read_table(effects);
    }
    if appearance != Appearance::Known {
        consider(world, key, effects);
    }
}

/// A route of the fabric that is preferred to ours keeps it away, as any route of somebody else does.
fn note_outranking(world: &mut World, route: &KernelRoute) {
    if outranks_ours(route, &world.kernel.routes) {
        world.kernel.foreign.note(*route);
    } else if !route.in_fabric_table {
        world.kernel.foreign.forget_place(route.address, route.metric);
    }
}

/// A route of somebody else is gone. True if it was known.
pub(super) fn forget_foreign(world: &mut World, route: &KernelRoute) -> bool {
    let was_remote = world.kernel.remotes.forget_remote(route);
    let was_foreign = !route.in_fabric_table && world.kernel.foreign.forget(route);
    was_remote || was_foreign
}

/// The routes of others as a table that was read in full has them. Returns the addresses that had one or have one now.
pub(super) fn replace_foreign(
    world: &mut World,
    others: &[KernelRoute],
    effects: &mut Effects,
) -> BTreeSet<Address> {
    let (remotes, foreign): (Vec<KernelRoute>, Vec<KernelRoute>) =
        others.iter().partition(|route| is_of_fabric(&world.topology, route));
    let outranking = remotes.iter().filter(|route| outranks_ours(route, &world.kernel.routes));
    let foreign = foreign.iter().filter(|route| !route.in_fabric_table).chain(outranking);
    let mut concerned = world.kernel.foreign.replace_all(foreign.copied());
    let changed = world.kernel.remotes.replace_remotes(remotes.into_iter(), effects.now());
    for (address, is_new) in changed {
        concerned.insert(address);
        if is_new && let Some(domain) = world.topology.domain_of(address) {
            consider(world, &Key { domain, address }, effects);
        }
    }
    concerned
}

/// A route of the fabric is new: what it says is wrong, or a host of ours may have moved.
fn consider(world: &mut World, key: &Key, effects: &mut Effects) {
    let Some(remote) = world.kernel.remotes.best(key.address) else { return };
    let reason = match unfitness(world, key, remote) {
        Some(Unfit::Own) => FabricFault::OwnAddress,
        Some(Unfit::Pinned) => FabricFault::Pinned,
        Some(Unfit::Outranked) => return,
        None => {
            if world.hosts.live_host(key).is_some() {
                check_at(world, key, Check { at: effects.now(), round: 0 }, effects);
            }
            return;
        }
    };
    let KernelRoute { address, protocol, metric, next_hop, .. } = remote.route;
    let event = Event::FabricRouteIgnored { address, protocol, metric, next_hop, reason };
    if let Some(segment) = world.topology.members(key.domain).next().map(|segment| segment.id) {
        effects.report(segment, Subject::Segment, event);
    }
}

/// Has a host asked then whether it is still here.
pub(super) fn check_at(world: &mut World, key: &Key, check: Check, effects: &mut Effects) {
    world.kernel.remotes.check_move(*key, check);
    set_timer(world, effects);
}

/// Sets the timer for the next host that is to be asked.
pub(super) fn set_timer(world: &mut World, effects: &mut Effects) {
    if let Some(at) = world.kernel.remotes.next_check() {
        world.kernel.remotes.set_check_timer(at, effects.at(at, Timer::Fabric));
    }
}

/// Whether we speak for a host behind another gateway on the segment. Whoever is on the link that its route leaves by
/// reaches the next router without us.
pub(super) fn speaks_for_remote(world: &World, segment: &Segment, key: &Key) -> bool {
    remote_host(world, key).is_some_and(|remote| {
        let interface = remote.route.interface;
        let leaves_by = |other: &&Segment| other.index() == Some(interface);
        let is_there =
            |other: &Segment| other.id == segment.id || world.topology.is_one_link(other.id, segment.id);
        let on = world.topology.members(key.domain).filter(leaves_by).any(is_there);
        !on && policy::may_speak(&world.topology, segment, key.address).is_ok()
    })
}
