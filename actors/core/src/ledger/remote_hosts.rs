//! All hosts behind other gateways: in order, part by part, and how many. There may be a million.

use std::collections::BTreeSet;

use super::key::Key;
use super::remotes::remote_host;
use super::world::World;
use crate::address::Address;
use crate::plan::DomainId;

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
