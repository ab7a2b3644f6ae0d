//! Packets for hosts that no ARP request announced (`cover: search`): they wait in the covering device while their
//! target is searched for. A router behind us sends such packets, and this machine itself.

use std::collections::BTreeMap;
use std::time::Duration;

use super::effects::Effects;
use super::key::Key;
use super::policy;
use super::remote_hosts::remote_host;
use super::timers::{Timer, Token};
use super::world::World;
use crate::address::Address;
use crate::order::{Order, Purpose};
use crate::time::Time;

/// How long packets wait for their target; then they are refused. TCP repeats its first packet after a second.
const HOLD: Duration = Duration::from_secs(1);
/// The target is searched for so often meanwhile, because a frame may be lost.
const SEARCH_GAP: Duration = Duration::from_millis(400);
/// Targets that packets wait for; the device holds no more either.
const TARGETS: usize = 1024;

/// The targets for which packets are held.
#[derive(Debug, Default)]
pub(super) struct HeldPackets(BTreeMap<Key, Held>);

#[derive(Debug)]
struct Held {
    since: Time,
    timer: Token,
}

impl HeldPackets {
    /// A packet waits for a target: it goes on if there is a route by now, and is refused if no host can have the
    /// address; otherwise its target is searched for on every segment of the domain.
    pub(super) fn packet_held(&mut self, target: Address, world: &mut World, effects: &mut Effects) {
        let domain = world.topology.domain_of(target);
        let Some(key) = domain.map(|domain| Key { domain, address: target }) else {
            return settle(target, None, effects);
        };
        if let Some(interface) = interface_to(&key, world) {
            settle(target, Some(interface), effects);
        } else if self.0.len() >= TARGETS || !search(&key, world, effects) {
            settle(target, None, effects);
        } else {
            let now = effects.now();
            let timer = effects.after(SEARCH_GAP, Timer::Packets(key));
            self.0.insert(key, Held { since: now, timer });
        }
    }

    /// Something about an address changed: if it is routed now, packets for it go on.
    pub(super) fn host_changed(&mut self, key: &Key, world: &World, effects: &mut Effects) {
        if !self.0.is_empty()
            && self.0.contains_key(key)
            && let Some(interface) = interface_to(key, world)
        {
            self.0.remove(key);
            settle(key.address, Some(interface), effects);
        }
    }

    /// The target is searched for once more, or its packets are refused.
    pub(super) fn packets_due(&mut self, key: &Key, token: Token, world: &mut World, effects: &mut Effects) {
        let Some(held) = self.0.get_mut(key).filter(|held| held.timer == token) else { return };
        let waited = effects.now().since(held.since);
        if waited < HOLD && search(key, world, effects) {
            let pause = SEARCH_GAP.min(HOLD.saturating_sub(waited));
            held.timer = effects.after(pause, Timer::Packets(*key));
        } else {
            self.0.remove(key);
            settle(key.address, None, effects);
        }
    }
}

fn settle(target: Address, forward: Option<u32>, effects: &mut Effects) {
    effects.order(Order::SettlePackets { target, forward });
}

/// The interface by which a target is routed, if it is.
fn interface_to(key: &Key, world: &World) -> Option<u32> {
    if let Some(remote) = remote_host(world, key) {
        return Some(remote.route.interface);
    }
    let host = world.hosts.live_host(key).filter(|host| policy::is_reachable(world, host, key.address))?;
    world.topology.segment(host.segment).index()
}

/// Asks on every segment that may hold the target. False if none may.
fn search(key: &Key, world: &mut World, effects: &mut Effects) -> bool {
    if world.topology.is_own(key.address) {
        return false;
    }
    let members = world.topology.members(key.domain);
    let places = members.filter(|segment| segment.is_up() && segment.may_hold(key.address));
    let places: Vec<_> = places.map(|segment| segment.id).collect();
    if !world.pacing.take_searches(key.domain, places.len(), true, effects.now()) {
        return !places.is_empty();
    }
    for &place in &places {
        let pace = world.pacing.pace_mut(place);
        if pace.searches.take(effects.now()) {
            effects.request(world.topology.segment(place), key.address, None, Purpose::Search);
        } else {
            pace.shed += 1;
        }
    }
    !places.is_empty()
}
