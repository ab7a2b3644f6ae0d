//! What is said of leases to operators, and to the shell, which keeps them for the next run.

use super::effects::Effects;
use super::key::Key;
use super::leases::Held;
use super::reports::Subject;
use super::world::World;
use crate::event::Event;
use crate::lladdr::LinkAddr;
use crate::memory::RememberedLease;
use crate::order::Order;
use crate::plan::SegmentId;
use crate::time::Time;

/// Who uses an address without a lease is reported.
pub(super) fn report_unleased(key: &Key, segment: SegmentId, lladdr: LinkAddr, effects: &mut Effects) {
    let event = Event::NotLeased { address: key.address, lladdr, segment };
    effects.report(segment, Subject::Address(key.address), event);
}

/// An address that one has by lease is used or leased by another.
pub(super) fn report_conflict(
    key: &Key,
    held: &Held,
    claimant_segment: SegmentId,
    claimant_lladdr: LinkAddr,
    effects: &mut Effects,
) {
    let (address, lladdr, segment) = (key.address, held.lladdr, held.segment);
    let event = Event::LeaseConflict { address, lladdr, segment, claimant_lladdr, claimant_segment };
    effects.report(claimant_segment, Subject::Address(address), event);
}

/// Has the shell keep what is known of a lease now.
pub(super) fn keep_lease(world: &World, key: &Key, effects: &mut Effects) {
    let Some(held) = world.leases.lease(key) else { return };
    effects.order(if held.ended.is_none() {
        Order::KeepLease(Box::new(remembered(world, key, held, effects.now())))
    } else {
        let interface = world.topology.segment(held.segment).plan.interface.clone();
        Order::DropLease { address: key.address, interface }
    });
}

pub(super) fn remembered(world: &World, key: &Key, held: &Held, now: Time) -> RememberedLease {
    RememberedLease {
        address: key.address,
        interface: world.topology.segment(held.segment).plan.interface.clone(),
        client: held.client.clone(),
        lladdr: held.lladdr,
        server: held.server,
        duration: held.duration,
        age: now.since(held.granted),
    }
}
