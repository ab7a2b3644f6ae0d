//! Two gateways of one domain, of which one answers: what follows from which of them this one is.
//!
//! ```text
//!   addresses, commands ─► take_role ─► settle_voice ─┬ silent: nothing is said from this moment on
//!                                            ▲        └ heard: routes first, then every host is announced
//!   presences of others ─► note_presence ────┘
//! ```
//!
//! A standby learns as an active one does, and asks less often (`segment.rs`). Whatever it would answer, announce or correct
//! is held back in one place, where frames are made (`effects.rs`).

use std::time::Duration;

use super::duties::{Duty, Rival};
use super::effects::Effects;
use super::entries::{delete_entries, put_entries};
use super::host::{Host, HostState};
use super::presence::{Presence, own_rank, tell, told};
use super::probing::look_after_all;
use super::segment::{Segment, Voice};
use super::timers::{Timer, Token};
use super::world::World;
use crate::arp::{Arp, Operation};
use crate::event::Event;
use crate::order::Order;
use crate::plan::{DomainId, LinkKind, RoleRule, SegmentId, StandbyRoutes};
use crate::role::Role;

/// An active one tells the others so often that it is there.
const BEAT: Duration = Duration::from_secs(1);
/// Who becomes active tells it, and waits for so long before it says anything else: another one that is active and goes
/// before it answers within a millisecond or two, so that no host hears both.
const WAIT: Duration = Duration::from_millis(40);

/// This machine's addresses are others, or the plan is: whoever follows one is what it says.
pub(super) fn follow_roles(world: &mut World, effects: &mut Effects) {
    let has = |world: &World, duty: &Duty| match duty.plan.rule {
        RoleRule::Follow(address) if world.topology.is_own(address) => Some(Role::Active),
        RoleRule::Follow(_) => Some(Role::Standby),
        RoleRule::Command { .. } => None,
    };
    let all = world.duties.all();
    let wanted: Vec<_> = all.filter_map(|(domain, duty)| Some((domain, has(world, duty)?))).collect();
    for (domain, role) in wanted {
        take_role(world, domain, role, effects);
    }
}

/// Somebody ordered a role. One that follows an address does not obey.
pub(super) fn order_role(world: &mut World, domain: DomainId, role: Role, effects: &mut Effects) {
    let Some(RoleRule::Command { ttl }) = world.duties.of(domain).map(|duty| duty.plan.rule) else { return };
    take_role(world, domain, role, effects);
    let Some(duty) = world.duties.of_mut(domain) else { return };
    let ttl = ttl.filter(|_| role == Role::Active);
    duty.expiry = ttl.map_or_else(Token::default, |ttl| effects.after(ttl, Timer::RoleEnd(domain)));
}

/// A role that was ordered for a while is over, if nobody ordered it again.
pub(super) fn role_ended(world: &mut World, domain: DomainId, token: Token, effects: &mut Effects) {
    if world.duties.of(domain).is_some_and(|duty| duty.expiry == token) {
        take_role(world, domain, Role::Standby, effects);
    }
}

fn take_role(world: &mut World, domain: DomainId, role: Role, effects: &mut Effects) {
    let Some(duty) = world.duties.of_mut(domain).filter(|duty| duty.role != role) else { return };
    duty.take_up(role);
    effects.emit(Event::RoleChanged { domain, role });
    settle_voice(world, domain, effects);
    beat(world, domain, effects);
}

/// The plan is another one: segments are silent or not as it says.
pub(super) fn replan_roles(world: &mut World, effects: &mut Effects) {
    follow_roles(world, effects);
    let domains: Vec<_> = (0..).map(DomainId).take(world.topology.domains.len()).collect();
    for domain in domains {
        settle_voice(world, domain, effects);
    }
}

/// The voice that this machine has in a domain.
pub(super) fn voice_in(world: &World, domain: DomainId) -> Voice {
    match world.duties.of(domain) {
        Some(Duty { role: Role::Standby, .. }) => Voice::Standby,
        Some(Duty { is_yielding, is_waiting, .. }) if *is_yielding || *is_waiting => Voice::Yielding,
        _ => Voice::Heard,
    }
}

/// Has the domain's segments say what they are to say from now on.
fn settle_voice(world: &mut World, domain: DomainId, effects: &mut Effects) {
    let voice = voice_in(world, domain);
    let members: Vec<SegmentId> = world.topology.members(domain).map(|segment| segment.id).collect();
    let changed: Vec<(SegmentId, Voice)> = members
        .into_iter()
        .map(|id| (id, world.topology.segment(id).voice))
        .filter(|(_, before)| *before != voice)
        .collect();
    for (id, _) in &changed {
        let segment = world.topology.segment(*id);
        if segment.voice.is_heard() && segment.keeps_kernel_state() {
            delete_entries(segment, world, effects);
        }
        world.topology.segment_mut(*id).voice = voice;
    }
    if changed.iter().any(|(_, before)| (*before == Voice::Standby) != (voice == Voice::Standby)) {
        follow_standby(world, domain, voice, effects);
    }
    for (id, _) in &changed {
        let segment = world.topology.segment(*id);
        if !voice.is_heard() {
            continue;
        }
        if segment.keeps_kernel_state() {
            put_entries(segment, world, effects);
        }
        if segment.is_up() {
            world.announce_all_on(*id);
        } else {
            world.topology.segment_mut(*id).untold.is_unannounced = true;
        }
    }
}

/// Routes are those of an active one or of a standby, and hosts are asked as often as either does.
fn follow_standby(world: &mut World, domain: DomainId, voice: Voice, effects: &mut Effects) {
    let routes =
        world.topology.domain(domain).plan.ha.map_or_else(StandbyRoutes::default, |ha| ha.standby_routes);
    if routes == StandbyRoutes::None {
        let is_up = world.topology.members(domain).any(|segment| segment.came_up.is_some());
        if voice == Voice::Standby {
            world.kernel.uncover_one(domain, &world.topology, effects);
        } else if is_up {
            world.kernel.cover(domain, &world.topology, effects);
        }
    }
    for key in world.hosts.keys_where(|host| host.is_live()) {
        if key.domain == domain {
            world.hosts.touch(key);
        }
    }
    let members: Vec<SegmentId> = world.topology.members(domain).map(|segment| segment.id).collect();
    for id in members {
        look_after_all(world, id, effects);
        if voice != Voice::Standby && world.topology.segment(id).is_up() {
            effects.order(Order::Sweep { segment: id, active: true });
        }
    }
}

/// Another arpherd's packet came in: it may be the other gateway's presence. True if it was one.
pub(super) fn note_presence(world: &mut World, id: SegmentId, arp: &Arp, effects: &mut Effects) -> bool {
    let segment = world.topology.segment(id);
    let domain = segment.plan.domain;
    if world.duties.of(domain).is_none() {
        return false;
    }
    let Some((presence, rank)) = told(&world.topology, segment, arp) else { return false };
    let now = effects.now();
    let (own, heard) = (own_rank(&world.topology, domain), Rival::heard(id, arp.sender_lladdr, now));
    let is_concerned = |duty: &&mut Duty| duty.role == Role::Active && rank != own;
    let Some(duty) = world.duties.of_mut(domain).filter(is_concerned) else { return true };
    let is_new = duty.note_rival(rank, presence, heard);
    let was_yielding = duty.is_yielding;
    duty.is_yielding = duty.is_outranked(own, now);
    if duty.is_yielding != was_yielding {
        settle_voice(world, domain, effects);
        beat(world, domain, effects);
    } else if is_new && !was_yielding {
        // It gives way as soon as it hears of us; what it announced meanwhile is said anew.
        beat(world, domain, effects);
        announce_everywhere(world, domain);
    }
    true
}

fn announce_everywhere(world: &mut World, domain: DomainId) {
    let up: Vec<_> = world.topology.members(domain).filter(|it| it.is_up()).map(|it| it.id).collect();
    for id in up {
        world.announce_all_on(id);
    }
}

/// It is time to tell the other gateways that this one is there, and to see whether they are.
pub(super) fn beat_due(world: &mut World, domain: DomainId, token: Token, effects: &mut Effects) {
    let own = own_rank(&world.topology, domain);
    let now = effects.now();
    let Some(duty) = world.duties.of_mut(domain).filter(|duty| duty.beat == token) else { return };
    duty.is_waiting = false;
    duty.is_yielding = duty.is_outranked(own, now);
    let yields = duty.is_yielding;
    if let Some(Rival { segment, lladdr, .. }) = duty.take_untold(now) {
        effects.emit(Event::TwoActive {
            segment,
            lladdr,
            answers: if yields { "other" } else { "this" }.to_owned(),
        });
    }
    settle_voice(world, domain, effects);
    beat(world, domain, effects);
}

/// Tells the other gateways. Wi-Fi segments are spared where there are others: a broadcast wakes every sleeping station.
fn beat(world: &mut World, domain: DomainId, effects: &mut Effects) {
    let rank = own_rank(&world.topology, domain);
    let Some(duty) = world.duties.of_mut(domain) else { return };
    let presence = duty.presence();
    if presence != Presence::Leaving && !(duty.is_waiting && duty.beat != Token::default()) {
        let pause = if duty.is_waiting { WAIT } else { BEAT };
        duty.beat = effects.after(pause, Timer::Beat(domain));
    }
    let up = || world.topology.members(domain).filter(|segment| segment.is_up());
    let is_spared = |segment: &Segment| segment.kind() == LinkKind::Wifi;
    let only_wifi = up().all(is_spared);
    for segment in up().filter(|segment| only_wifi || !is_spared(segment)) {
        if let Some(arp) = tell(&world.topology, segment, presence, rank) {
            effects.tell_gateways(segment, arp);
        }
    }
}

/// The active gateway asks everybody for a host: it does not answer it any more, or was never known to it. A standby that
/// knows the host asks it, too, and so learns as soon as the active one that it is gone.
pub(super) fn doubt_with_peer(world: &mut World, id: SegmentId, arp: &Arp, effects: &mut Effects) {
    let segment = world.topology.segment(id);
    if segment.voice != Voice::Standby || arp.operation != Operation::Request || arp.is_gratuitous() {
        return;
    }
    let key = world.topology.key(id, arp.target);
    let interval = segment.plan.expiry.interval;
    let is_quiet = |host: &&Host| {
        host.segment == id
            && host.state == HostState::Alive
            && effects.now().since(host.last_heard) >= interval
    };
    if world.hosts.live_host(&key).filter(is_quiet).is_some() {
        world.doubt(&key, effects);
    }
}
