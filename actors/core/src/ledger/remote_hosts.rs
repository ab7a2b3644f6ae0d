//! Hosts behind other gateways: which routes of the fabric stand for one, and all of them in order, part by part. There may
//! be a million.

use std::collections::BTreeSet;

use super::key::Key;
use super::remotes::{Remote, is_same};
use super::world::World;
use crate::address::Address;
use crate::plan::DomainId;

/// Why a route of the fabric does not stand for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The address is this machine's.
    Own,
    /// The operator says where it is.
    Pinned,
    /// Somebody else's route is preferred to it.
    Outranked,
}

/// The route of the fabric to an address, whether or not a host of ours has it too: it stands for a host behind another
/// gateway, unless the operator or the kernel knows better.
pub(super) fn route_elsewhere<'w>(world: &'w World, key: &Key) -> Option<&'w Remote> {
    let remote = world.kernel.remotes.best(key.address)?;
    unfitness(world, key, remote).is_none().then_some(remote)
}

/// Why the route does not count.
pub(super) fn unfitness(world: &World, key: &Key, remote: &Remote) -> Option<Unfit> {
    let route = &remote.route;
    let other = world.kernel.foreign.in_use(key.address).filter(|other| {
        let is_itself = is_same(other, route) && other.metric == route.metric;
        !is_itself && (route.in_fabric_table || other.metric <= route.metric)
    });
    if world.topology.is_own(key.address) {
        Some(Unfit::Own)
    } else if world.topology.is_pinned(key) {
        Some(Unfit::Pinned)
    } else {
        other.map(|_| Unfit::Outranked)
    }
}

/// The host behind another gateway that has the address: there is a route of the fabric that counts, and no live host on
/// a segment of ours.
pub(super) fn remote_host<'w>(world: &'w World, key: &Key) -> Option<&'w Remote> {
    route_elsewhere(world, key).filter(|_| world.hosts.live_host(key).is_none())
}

/// Those of a domain by address, those that follow one.
pub(super) fn remotes_of(
    world: &World,
    domain: DomainId,
    after: Option<Address>,
) -> impl Iterator<Item = Address> {
    let mut prefixes = world.topology.domain(domain).prefixes.clone();
    prefixes.sort_unstable();
    let addresses = move |prefix| world.kernel.remotes.addresses_in(prefix, after);
    let is_remote = move |address: &Address| remote_host(world, &Key { domain, address: *address }).is_some();
    prefixes.into_iter().flat_map(addresses).filter(is_remote)
}

/// All of them by domain and address, those that follow one.
pub(super) fn remote_keys(world: &World, after: Option<Key>) -> impl Iterator<Item = Key> {
    let first = after.map_or(0, |after| usize::from(after.domain.0));
    let domains = (0..).map(DomainId).take(world.topology.domains.len()).skip(first);
    domains.flat_map(move |domain| {
        let after = after.filter(|after| after.domain == domain).map(|after| after.address);
        remotes_of(world, domain, after).map(move |address| Key { domain, address })
    })
}

/// How many there are. They are not looked at one by one: an address whose route stands for nobody is known for something
/// else, and that is little.
pub(super) fn remote_count(world: &World) -> usize {
    let remotes = &world.kernel.remotes;
    if remotes.len() == 0 {
        return 0;
    }
    let topology = &world.topology;
    let live = world.hosts.live_keys().map(|key| key.address);
    let foreign = world.kernel.foreign.addresses();
    let ours = topology.own_addresses().iter().copied().chain(topology.pinned_addresses());
    let known: BTreeSet<Address> = live.chain(foreign).chain(ours).collect();
    let stands_for_nobody = |address: &&Address| {
        let key = topology.domain_of(**address).map(|domain| Key { domain, address: **address });
        let is_remote = key.is_some_and(|key| remote_host(world, &key).is_some());
        !is_remote && remotes.best(**address).is_some()
    };
    remotes.len() - known.iter().filter(stands_for_nobody).count()
}
