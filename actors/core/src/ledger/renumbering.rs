//! What follows when a domain's prefixes are others, because the machine is in another network: see `domains.rs`.

use super::domains::{Renumbered, given_by_link};
use super::effects::Effects;
use super::entries::{delete_entries, put_entries};
use super::key::Key;
use super::timers::{Timer, Token};
use super::world::World;
use crate::event::{Event, PrefixList};
use crate::order::Order;
use crate::plan::SegmentId;

/// The addresses of a segment's interface may be others. Returns the segments of domains whose prefixes are.
pub(super) fn follow_addresses(world: &mut World, id: SegmentId, effects: &mut Effects) -> Vec<SegmentId> {
    let segment = world.topology.segment(id);
    let given = given_by_link(segment.link.as_ref(), &segment.plan.addresses.never);
    world.topology.domains.note_addresses(id, given, effects.now());
    renumber(world, effects)
}

/// The time has come to give up prefixes that no address gives any more, or to say which there are. Returns the
/// segments of domains whose prefixes are others.
pub(super) fn expire_prefixes(world: &mut World, timer: Token, effects: &mut Effects) -> Vec<SegmentId> {
    if world.prefix_timer.take_if(|(_, token)| *token == timer).is_none() {
        return Vec::new();
    }
    world.topology.domains.expire(effects.now());
    let changed = renumber(world, effects);
    let settled = world.topology.domains.take_settled(effects.now());
    for settled in &settled {
        if let Some(before) = &settled.before {
            let prefixes = PrefixList(world.topology.domain(settled.domain).prefixes.clone());
            let old_prefixes = PrefixList(before.clone());
            effects.emit(Event::PrefixChanged { domain: settled.domain, prefixes, old_prefixes });
        }
    }
    // What an earlier run left outside of them is ours to delete now.
    if !settled.is_empty() {
        effects.order(Order::ReadTable);
    }
    watch_prefixes(world, effects);
    changed
}

/// Routes of an earlier run were read, perhaps before the prefixes that they belong to are known.
pub(super) fn await_prefixes(world: &mut World, effects: &mut Effects) {
    world.topology.domains.routes_read(effects.now());
    watch_prefixes(world, effects);
}

fn renumber(world: &mut World, effects: &mut Effects) -> Vec<SegmentId> {
    let mut concerned = Vec::new();
    for renumbered in world.topology.domains.settle(effects.now()) {
        concerned.extend(follow_prefixes(world, &renumbered, effects));
    }
    watch_prefixes(world, effects);
    concerned
}

/// Sets the timer for what the domains wait for, unless it fires before.
fn watch_prefixes(world: &mut World, effects: &mut Effects) {
    let Some(at) = world.topology.domains.next_deadline() else { return };
    if world.prefix_timer.is_none_or(|(then, _)| at < then) {
        world.prefix_timer = Some((at, effects.at(at, Timer::Prefixes)));
    }
}

/// Hosts outside of the new prefixes are nobody's we know; whoever has a route inside of them is to be read.
fn follow_prefixes(world: &mut World, renumbered: &Renumbered, effects: &mut Effects) -> Vec<SegmentId> {
    let domain = renumbered.domain;
    let members: Vec<_> = world.topology.members(domain).map(|segment| segment.id).collect();
    let standing = |world: &World| {
        let standing = members.iter().map(|id| world.topology.segment(*id));
        standing.filter(|segment| segment.keeps_kernel_state()).map(|segment| segment.id).collect::<Vec<_>>()
    };
    for id in standing(world) {
        delete_entries(world.topology.segment(id), world, effects);
    }
    world.topology.follow_prefixes(domain);
    let is_outside = |key: &Key| {
        let segment = world.hosts.host(key).map(|host| world.topology.segment(host.segment));
        key.domain == domain && segment.is_some_and(|segment| !segment.may_hold(key.address))
    };
    for key in world.hosts.keys_where(|_| true).into_iter().filter(is_outside).collect::<Vec<_>>() {
        world.put_to_sleep(&key, effects);
        world.hosts.remove(&key);
    }
    world.kernel.follow_prefixes(domain, &renumbered.before, &world.topology, effects);
    for id in standing(world) {
        put_entries(world.topology.segment(id), world, effects);
    }
    // Those that came up because of it are swept by themselves.
    if !world.topology.domain(domain).prefixes.is_empty() {
        for id in members.iter().filter(|id| world.topology.segment(**id).is_up()) {
            effects.order(Order::Sweep { segment: *id, active: true });
        }
    }
    effects.order(Order::ReadTable);
    world.note_renumbering();
    members
}
