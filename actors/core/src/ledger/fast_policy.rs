//! Who is given to the program that answers inside the kernel, which knows nothing of the rules here and asks nobody. What
//! it would answer the ledger would answer at that moment, too, with the same frame:
//!
//! ```text
//! the program answers where                        the ledger does (`answering.rs`), because
//! the interface is one of its links                the segment is up and plainly `answer: live`, its interface serves no
//!                                                  other domain, it is one link with no other segment, and there is no
//!                                                  second gateway
//! the asker is known to it, at this very place     it lives there, is no suspect, and nobody else claims its address: all
//!                                                  that follows from its question is that it was heard
//! the target is known to it, on another segment    it lives there, its route stands, and no segment forbids it
//! with another link-layer address than the asker
//! ```
//! What becomes doubtful is taken from it in the same step, and given back when the doubt is over.
//!
//! Most questions that it answers are not heard. So it stamps whom it heard, which is read before a host is taken for
//! quiet. And it passes on, besides answering, a question every two seconds of each asker, and for each target that asked
//! nothing itself for five seconds: so a silent host that is wanted is probed, as without the program.

use std::time::Duration;

use super::Ledger;
use super::alternatives::Alternatives;
use super::claims::Claims;
use super::effects::Effects;
use super::fast_answers::{FastLink, FastSegment, Reading, Resident};
use super::host::{Host, HostState};
use super::installed::RouteState;
use super::key::Key;
use super::segment::Segment;
use super::world::World;
use crate::lladdr::{ETHERNET_LEN, IPOIB_LEN};
use crate::order::Order;
use crate::plan::{AnswerMode, LinkKind, Plan, SegmentId};
use crate::time::Time;
use crate::write::Write;

/// What the program noticed is waited for so long; without it the host is looked at as if it had noticed nothing.
const READ_WAIT: Duration = Duration::from_secs(1);
/// Looks that have to wait for their pace come in such steps.
const LOOK_STEP: u64 = 10_000_000;

/// The program can be given hosts from now on, and knows none; or no longer.
pub(super) fn program_changed(world: &mut World, is_ready: bool) {
    world.fast.set_ready(is_ready);
    doubt_all(world);
}

/// The plan is this one from now on.
pub(super) fn replan_fast_answers(world: &mut World, plan: &Plan) {
    world.fast.adopt_plan(plan);
    doubt_all(world);
}

fn doubt_all(world: &mut World) {
    if world.fast.is_on() {
        let segments = world.topology.segments().iter().map(|segment| segment.id);
        world.fast.doubtful_segments.extend(segments);
        world.fast.doubtful.extend(world.hosts.keys_where(|_| true));
    }
}

/// The program answers nothing any more.
pub(super) fn withdraw_fast_answers(world: &mut World, effects: &mut Effects) {
    for FastLink { interface, .. } in world.fast.take_links() {
        effects.write(Write::DeleteFastLink { interface });
    }
    world.fast.set_ready(false);
}

/// The kernel refused a write to the program's maps: there is no room, or something is wrong with them.
pub(super) fn fast_write_refused(world: &mut World, write: &Write, effects: &mut Effects) {
    match *write {
        Write::PutFastAnswer { domain, address, .. } => {
            world.fast.set_resident(Key { domain, address }, None, effects.now());
        }
        Write::PutFastLink { segment, .. } if world.topology.planned(segment).is_some() => {
            world.fast.segment_mut(segment).link = None;
        }
        // What it cannot be made to forget it must not answer.
        Write::DeleteFastAnswer { .. } | Write::DeleteFastLink { .. } => {
            withdraw_fast_answers(world, effects);
        }
        _ => {}
    }
}

/// Gives the program what it is to know after a step, and takes away what it is not.
pub(super) fn settle_fast_answers(ledger: &mut Ledger) {
    let Ledger { world, claims, alternatives, effects, .. } = ledger;
    let doubtful = &mut world.fast.doubtful;
    world.hosts.take_roused(doubtful);
    claims.take_changed(doubtful);
    alternatives.take_changed(doubtful);
    if !world.fast.is_on() {
        world.fast.doubtful.clear();
        return;
    }
    if !world.fast.doubtful_segments.is_empty() {
        follow_segments(world, effects);
    }
    let mut doubtful = std::mem::take(&mut world.fast.doubtful);
    if doubtful.len() > 1 {
        doubtful.sort_unstable();
        doubtful.dedup();
    }
    for key in doubtful.drain(..) {
        follow_host(&key, world, claims, alternatives, effects);
    }
    // Keeps the allocation.
    world.fast.doubtful = doubtful;
}

fn follow_segments(world: &mut World, effects: &mut Effects) {
    let mut ids = std::mem::take(&mut world.fast.doubtful_segments);
    for id in ids.clone() {
        let segment = world.topology.segment(id);
        let known = world.fast.segment(id).interface;
        let is_twin = |other: &&Segment| {
            other.index().is_some() && (other.index() == segment.index() || other.index() == known)
        };
        ids.extend(world.topology.segments().iter().filter(is_twin).map(|other| other.id));
    }
    ids.sort_unstable();
    ids.dedup();
    note_own_lladdrs(&ids, world);
    let decided: Vec<(SegmentId, FastSegment, FastSegment)> = ids
        .into_iter()
        .map(|id| (id, world.fast.segment(id), decide(world.topology.segment(id), world)))
        .collect();
    for (_, before, now) in &decided {
        if let Some(FastLink { interface, .. }) = before.link.filter(|_| before.link != now.link) {
            effects.write(Write::DeleteFastLink { interface });
        }
    }
    for (id, before, now) in decided {
        if let Some(FastLink { interface, lladdr }) = now.link.filter(|_| before.link != now.link) {
            let domain = world.topology.segment(id).plan.domain;
            effects.write(Write::PutFastLink { interface, domain, segment: id, lladdr });
        }
        if before.is_home != now.is_home {
            world.fast.doubtful.extend(world.hosts.keys_where(|host| host.segment == id));
        }
        *world.fast.segment_mut(id) = now;
    }
}

/// Whose link-layer address is ours is no host: what it says is nobody's word.
fn note_own_lladdrs(ids: &[SegmentId], world: &mut World) {
    let all = world.topology.segments();
    let ours = |segment: &Segment| [Some(segment.interface_lladdr()), segment.shared.configured];
    if world.fast.has_many_own() {
        world.fast.forget_own();
        all.iter().flat_map(ours).flatten().for_each(|lladdr| world.fast.note_own(lladdr));
    } else {
        let doubtful = ids.iter().map(|id| &all[id.index()]);
        doubtful.flat_map(ours).flatten().for_each(|lladdr| world.fast.note_own(lladdr));
    }
}

/// What a segment is to the program now.
fn decide(segment: &Segment, world: &World) -> FastSegment {
    let topology = &world.topology;
    let is_home = segment.is_up()
        && !segment.plan.is_retired()
        && !segment.plan.private_vlan.is_on()
        && !topology.bridges.has_bridge(segment.id);
    let lladdr = segment.lladdr();
    let is_plain = is_home
        && world.fast.is_served(segment.plan.domain)
        && segment.plan.kernel.fast
        && segment.plan.answer == AnswerMode::Live
        && segment.plan.addresses.publish.is_empty()
        && segment.kind() != LinkKind::Ipoib
        && lladdr.len() == ETHERNET_LEN
        // Whoever speaks first there is to be heard.
        && !segment.untold.is_unheard;
    let interface = segment.index().filter(|_| is_plain);
    let is_alone =
        |index: &u32| topology.segments().iter().all(|it| it.id == segment.id || it.index() != Some(*index));
    let link = interface.filter(is_alone).map(|interface| FastLink { interface, lladdr });
    FastSegment { interface: segment.index(), link, is_home }
}

/// What the program is to know of a host.
fn wanted(key: &Key, world: &World, claims: &Claims, alternatives: &Alternatives) -> Option<Resident> {
    let host = world.hosts.host(key)?;
    let is_settled = host.state == HostState::Alive
        && host.installed.route() == RouteState::Written
        && world.fast.is_served(key.domain)
        && world.fast.segment(host.segment).is_home
        && !claims.is_contested(key)
        && alternatives.of(key).is_none();
    let Host { segment, lladdr, .. } = *host;
    let is_ipoib = world.topology.segment(segment).kind() == LinkKind::Ipoib;
    let length = if is_ipoib { IPOIB_LEN } else { ETHERNET_LEN };
    let is_plain = lladdr.len() == length && lladdr.is_station() && !world.fast.is_own(&lladdr);
    let answered_for = world.fast.is_answerable(key);
    (is_settled && is_plain).then_some(Resident { segment, lladdr, answered_for })
}

fn follow_host(
    key: &Key,
    world: &mut World,
    claims: &Claims,
    alternatives: &Alternatives,
    effects: &mut Effects,
) {
    let wanted = wanted(key, world, claims, alternatives);
    let known = world.fast.resident(key);
    if known == wanted {
        return;
    }
    let Key { domain, address } = *key;
    if known.is_some() {
        effects.write(Write::DeleteFastAnswer { domain, address });
    }
    if let Some(Resident { segment, lladdr, answered_for }) = wanted {
        effects.write(Write::PutFastAnswer { domain, address, segment, lladdr, answered_for });
    }
    world.fast.set_resident(*key, wanted, effects.now());
}

/// It is time to look at a live host: the time `at` that was set for it, if nothing is to be asked before. If the program
/// knows the host, whether it was heard there is read first, and the host is looked at later. `has_slot`: it has waited for
/// its turn.
pub(super) fn consult_program(
    at: Time,
    key: &Key,
    has_slot: bool,
    world: &mut World,
    effects: &mut Effects,
) -> Option<Time> {
    let now = effects.now();
    let Some(host) = world.hosts.host(key).filter(|_| world.fast.resident(key).is_some()) else {
        return Some(at);
    };
    // No answer came.
    match world.fast.end_reading(key) {
        Some((Reading::Look { at }, _)) => return Some(at),
        Some((Reading::Request, _)) => return Some(at),
        None => {}
    }
    if host.last_heard + world.topology.segment(host.segment).quiet() > now {
        return Some(at);
    }
    let slot = if has_slot { now } else { world.fast.reads.reserve(now) };
    if slot > now {
        world.hosts.set_slot(key, true);
        let steps = slot.as_nanos() / LOOK_STEP + 1;
        world.look_after(key, Time::from_nanos(steps.saturating_mul(LOOK_STEP)), effects);
        return None;
    }
    world.fast.begin_reading(key, Reading::Look { at });
    read_heard(key, effects);
    world.look_after(key, now + READ_WAIT, effects);
    None
}

/// Somebody asked for a host that was quiet as far as is known. If the program knows it, it is read first what that
/// noticed: true if so.
pub(super) fn consult_for_request(key: &Key, world: &mut World, effects: &mut Effects) -> bool {
    if world.fast.resident(key).is_none() {
        return false;
    }
    if world.fast.begin_reading(key, Reading::Request) {
        read_heard(key, effects);
    }
    true
}

fn read_heard(key: &Key, effects: &mut Effects) {
    effects.order(Order::ReadHeard { domain: key.domain, address: key.address });
}
