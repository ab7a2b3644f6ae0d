//! The ledger goes on with another plan: what did not change is not touched, and the rest follows in one step.
//!
//! ```text
//!   what is gone: hosts, entries, covering routes         while the old plan says where they are
//!   the plan is exchanged in every room
//!   hosts that may no longer be there are given up, static ones are as the plan says
//!   prefixes, entries, sources, states, sweeps follow     by the verbs that follow links and addresses
//! ```

use super::Ledger;
use super::effects::Effects;
use super::entries::{delete_entries, put_entries};
use super::fast_policy::replan_fast_answers;
use super::host::{Host, Origin, Sighting};
use super::key::Key;
use super::lease_memory::replan_leases;
use super::probing::look_after_all;
use super::renumbering::follow_addresses;
use super::roles::replan_roles;
use super::sharing::drop_shared_lladdrs;
use super::world::World;
use crate::address::Prefix;
use crate::order::Order;
use crate::plan::{DomainId, Plan, SegmentId, SegmentPlan};

/// What is different on a segment that stays.
struct Change {
    id: SegmentId,
    before: SegmentPlan,
    prefixes: Vec<Prefix>,
}

/// Goes on with the plan. One that cannot follow the present one is ignored.
pub(super) fn replan(ledger: &mut Ledger, next: &Plan) {
    let (world, effects) = (&mut ledger.world, &mut ledger.effects);
    let present = present_plan(world);
    if !present.may_become(next) {
        return;
    }
    let pairs = || (0..).map(SegmentId).zip(present.segments.iter().zip(&next.segments));
    let is_gone = |old: &SegmentPlan, new: &SegmentPlan| !old.is_retired() && new.is_retired();
    let gone: Vec<SegmentId> =
        pairs().filter(|(_, (old, new))| is_gone(old, new)).map(|(id, _)| id).collect();
    // Before any host goes: which entries there are follows from the hosts.
    for (id, _) in pairs().filter(|(_, (old, new))| old != new) {
        let segment = world.topology.segment(id);
        if segment.keeps_kernel_state() {
            delete_entries(segment, world, effects);
        }
    }
    for id in &gone {
        ledger.wifi.set_role(*id, None);
        retire(world, *id, effects);
    }
    for (id, domain) in domain_ids(world).zip(&next.domains) {
        if domain.is_retired() {
            world.kernel.uncover_one(id, &world.topology, effects);
        }
    }
    let kept = pairs().filter(|(_, (_, new))| !new.is_retired());
    let changes: Vec<Change> = kept
        .map(|(id, (old, _))| {
            let prefixes = world.topology.segment(id).prefixes.clone();
            Change { id, before: old.clone(), prefixes }
        })
        .collect();
    let before: Vec<Vec<Prefix>> =
        domain_ids(world).map(|id| world.topology.domain(id).prefixes.clone()).collect();
    exchange(world, next, effects);
    ledger.wifi.resize(next.segments.len());
    let topology = &world.topology;
    let may_be_there = |it: &Sighting| topology.may_live_on(it.segment, &it.key, &it.lladdr);
    if present != *next {
        ledger.claims.close_claims_but(may_be_there);
        ledger.alternatives.forget_but(may_be_there);
        ledger.confirmations.retain(may_be_there);
    }
    replan_leases(world, &present.segments, effects);
    let is_other_fabric =
        present.domains.iter().zip(&next.domains).any(|(old, new)| old.fabric != new.fabric);
    let is_renumbered = follow(world, &changes, &before, effects);
    // Routes of an earlier run or of others may matter now that did not before.
    let has_other_pairs = present.domains.iter().zip(&next.domains).any(|(old, new)| old.ha != new.ha);
    if is_renumbered || has_other_pairs || is_other_fabric || next.segments.len() > present.segments.len() {
        effects.order(Order::ReadTable);
    }
}

fn domain_ids(world: &World) -> impl Iterator<Item = DomainId> + use<> {
    (0..).map(DomainId).take(world.topology.domains.len())
}

fn present_plan(world: &World) -> Plan {
    Plan {
        domains: domain_ids(world).map(|id| world.topology.domain(id).plan.clone()).collect(),
        segments: world.topology.segments().iter().map(|segment| segment.plan.clone()).collect(),
        routes: world.kernel.routes,
    }
}

/// Takes away what there is for a segment: its hosts with their routes, and the shared address.
fn retire(world: &mut World, id: SegmentId, effects: &mut Effects) {
    let segment = world.topology.segment(id);
    if segment.is_up() {
        effects.order(Order::Sweep { segment: id, active: false });
    }
    for key in world.hosts.keys_where(|host| host.segment == id) {
        give_up_for_good(world, &key, effects);
    }
    drop_shared_lladdrs(&mut world.topology, |it| it == id, effects);
}

fn give_up_for_good(world: &mut World, key: &Key, effects: &mut Effects) {
    world.give_up(key, effects);
    world.hosts.remove(key);
}

/// Gives every room the plan.
fn exchange(world: &mut World, next: &Plan, effects: &mut Effects) {
    world.topology.replan(next);
    world.duties.replan(next);
    world.hosts.replan(&next.segments);
    world.pacing.replan(next);
    world.kernel.replan(&world.topology);
    replan_fast_answers(world, next);
    world.addressed.replan(next);
    world.addressed.follow(world.topology.own_addresses(), effects);
    settle_origins(world, effects);
    let is_misfit = |key: &Key| {
        let host = world.hosts.host(key);
        host.is_some_and(|host| !is_fitting(world, key, host))
    };
    let misfits: Vec<Key> = world.hosts.keys_where(|_| true).into_iter().filter(is_misfit).collect();
    for key in misfits {
        give_up_for_good(world, &key, effects);
    }
}

fn is_fitting(world: &World, key: &Key, host: &Host) -> bool {
    let segment = world.topology.segment(host.segment);
    let is_static = host.origin == Origin::Static && segment.spans(key.address);
    is_static || world.topology.may_live_on(host.segment, key, &host.lladdr)
}

/// Static hosts are where the plan says. One of which it says nothing any more is a host like any other.
fn settle_origins(world: &mut World, effects: &mut Effects) {
    for key in world.hosts.keys_where(|host| host.origin == Origin::Static) {
        let Some(host) = world.hosts.host(&key) else { continue };
        let planned = world.topology.segment(host.segment).plan.addresses.hosts.get(&key.address).copied();
        match planned {
            Some(lladdr) if lladdr == host.lladdr => {}
            Some(lladdr) => world.hosts.fix(&key, lladdr),
            None => {
                world.hosts.unfix(&key);
                world.doubt(&key, effects);
            }
        }
    }
}

/// What follows from the new plan for what stays. True if prefixes are others.
fn follow(world: &mut World, changes: &[Change], before: &[Vec<Prefix>], effects: &mut Effects) -> bool {
    let mut is_renumbered = false;
    for (id, before) in domain_ids(world).zip(before) {
        if world.topology.domain(id).prefixes != *before {
            is_renumbered = true;
            world.kernel.follow_prefixes(id, before, &world.topology, effects);
        }
    }
    for Change { id, before, prefixes } in changes {
        let segment = world.topology.segment(*id);
        is_renumbered |= segment.prefixes != *prefixes;
        if segment.plan != *before && segment.keeps_kernel_state() {
            put_entries(segment, world, effects);
        }
        let is_other_sweep = segment.prefixes != *prefixes || !segment.plan.is_swept_like(before);
        if is_other_sweep && segment.is_up() {
            effects.order(Order::Sweep { segment: *id, active: true });
        }
        if segment.plan.expiry != before.expiry {
            look_after_all(world, *id, effects);
        }
    }
    // Sources and states may be others, static hosts have come, and what addresses give may count or not.
    for Change { id, .. } in changes {
        let mut concerned = follow_addresses(world, *id, effects);
        concerned.retain(|other| other != id);
        for id in std::iter::once(*id).chain(concerned) {
            world.look_again(id, effects);
        }
    }
    replan_roles(world, effects);
    if is_renumbered {
        world.note_renumbering();
    }
    is_renumbered
}
