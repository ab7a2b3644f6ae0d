//! Leases from one run to the next, and from one configuration to the next.

use super::Ledger;
use super::effects::Effects;
use super::host::{Host, Origin};
use super::key::Key;
use super::lease_notes::{remembered, report_unleased};
use super::leases::Held;
use super::segment::Segment;
use super::world::World;
use crate::memory::RememberedLease;
use crate::order::Order;
use crate::plan::{DomainId, LearnFrom, SegmentId, SegmentPlan};
use crate::time::Time;

/// Hosts without a lease that are reported at once when leases come to be demanded.
const REPORTED: usize = 16;

/// The leases that are not over, for a ledger that takes over.
pub fn leases_of(ledger: &Ledger, now: Time) -> Vec<RememberedLease> {
    let leases = ledger.world.leases.not_over();
    leases.map(|(key, held)| remembered(&ledger.world, key, held, now)).collect()
}

/// An earlier ledger knew these leases. What has been said since is newer. Hosts do not follow from them: the kernel's
/// routes and what is known of hosts say who is there.
pub(super) fn recall_leases(world: &mut World, leases: Vec<RememberedLease>, effects: &mut Effects) {
    let now = effects.now();
    for lease in leases {
        let Some(id) = place_of_lease(world, &lease) else { continue };
        let key = world.topology.key(id, lease.address);
        let is_over = lease.duration.is_some_and(|duration| duration <= lease.age);
        if is_over || world.leases.lease(&key).is_some() {
            continue;
        }
        let granted = now - lease.age;
        let held = Held {
            client: lease.client,
            lladdr: lease.lladdr,
            segment: id,
            server: lease.server,
            duration: lease.duration,
            granted,
            expires: lease.duration.map(|duration| now + duration.saturating_sub(lease.age)),
            ended: None,
        };
        world.leases.put(key, held, effects);
    }
}

/// The segment of a lease: segments and domains may have other names by now.
fn place_of_lease(world: &World, lease: &RememberedLease) -> Option<SegmentId> {
    let topology = &world.topology;
    let is_there = |segment: &&Segment| {
        let is_leased = topology.domain(segment.plan.domain).plan.dhcp.is_some();
        !segment.plan.is_retired() && is_leased && segment.plan.interface == lease.interface
    };
    let mut places = topology.segments().iter().filter(is_there);
    let spans = |segment: &&Segment| topology.spans(segment.plan.domain, lease.address);
    let nearest = places.clone().find(spans);
    nearest.or_else(|| places.find(|segment| topology.domain(segment.plan.domain).plan.auto)).map(|it| it.id)
}

/// The configuration is another one: leases of what is gone are dropped, and where leases are demanded from now on those
/// who live without one are reported. They stay until they go: their leases may be older than this daemon.
pub(super) fn replan_leases(world: &mut World, before: &[SegmentPlan], effects: &mut Effects) {
    let topology = &world.topology;
    let has_dhcp = |domain: DomainId| topology.domain(domain).plan.dhcp.is_some();
    let fits = |key: &Key, held: &Held| {
        topology.planned(held.segment).is_some_and(|it| it.plan.domain == key.domain) && has_dhcp(key.domain)
    };
    let mut dropped = Vec::new();
    world.leases.keep(|key, held| {
        let fits = fits(key, held);
        if !fits {
            let interface = before.get(held.segment.index()).map(|segment| segment.interface.clone());
            dropped.push((key.address, interface.unwrap_or_default()));
        }
        fits
    });
    world.dhcp_servers.retain(|(domain, _), _| world.topology.domain(*domain).plan.dhcp.is_some());
    for (address, interface) in dropped {
        effects.order(Order::DropLease { address, interface });
    }
    for (id, before) in (0..).map(SegmentId).zip(before) {
        let learn = world.topology.segment(id).plan.dhcp.learn;
        if learn == LearnFrom::Leases && before.dhcp.learn != learn {
            report_unleased_on(world, id, effects);
        }
    }
}

fn report_unleased_on(world: &World, id: SegmentId, effects: &mut Effects) {
    let is_there = |host: &Host| host.is_located() && host.segment == id && host.origin != Origin::Static;
    let is_unleased = |key: &Key, host: &Host| {
        !world.leases.permits(key, id, &host.lladdr) && !world.topology.is_pinned_at(key, id, &host.lladdr)
    };
    let hosts = world.hosts.keys_where(is_there).into_iter();
    let hosts = hosts.filter_map(|key| Some((key, world.hosts.host(&key)?)));
    for (key, host) in hosts.filter(|(key, host)| is_unleased(key, host)).take(REPORTED) {
        report_unleased(&key, id, host.lladdr, effects);
    }
}
