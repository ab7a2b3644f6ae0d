//! Hosts wait for their turn to be asked (`verification.rs`); what follows when it comes is in `turns.rs`.

use super::effects::Effects;
use super::key::Key;
use super::timers::Timer;
use super::verification::Line;
use super::world::World;
use crate::plan::SegmentId;
use crate::time::Time;

/// A host waits for its turn from now on, or in a better line than before.
pub(super) fn wait_for_turn(world: &mut World, key: &Key, line: Line, effects: &mut Effects) {
    let Some(host) = world.hosts.host(key) else { return };
    let (id, now) = (host.segment, effects.now());
    if !world.hosts.wait_in(key, line) {
        return;
    }
    world.pacing.pace_mut(id).verification.join(line, *key, now);
    set_turn_timer(world, id, now, effects);
}

/// Somebody asked for a live host at that time. If it waits for its turn it does so in a better line from now on.
pub(super) fn note_wanted(world: &mut World, key: &Key, at: Time, effects: &mut Effects) {
    if let Some(line) = world.hosts.want(key, at) {
        wait_for_turn(world, key, line, effects);
    }
}

/// The timer of the next turn is set where somebody waits and it is not.
pub(super) fn set_turn_timer(world: &mut World, id: SegmentId, from: Time, effects: &mut Effects) {
    let is_up = world.topology.segment(id).is_up();
    let verification = &mut world.pacing.pace_mut(id).verification;
    if verification.needs_timer() && !verification.is_idle() {
        let at = if is_up { verification.earliest(from) } else { from };
        verification.set_timer(effects.at(at, Timer::Turn(id)));
    }
}
