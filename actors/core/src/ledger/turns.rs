//! The turn of hosts that wait to be asked (`verifying.rs`) comes.

use std::time::Duration;

use super::Ledger;
use super::effects::Effects;
use super::host::Host;
use super::timers::Token;
use super::verification::Place;
use super::verifying::set_turn_timer;
use super::world::World;
use crate::event::Event;
use crate::plan::SegmentId;
use crate::time::Time;

/// Places that are looked at in one go: some of them belong to nobody any more.
const MOST: usize = 256;
/// The pause after that.
const PAUSE: Duration = Duration::from_millis(1);
/// Who is late by less is not told of, however short the quiet time is.
const LATE: Duration = Duration::from_secs(1);

/// The pace has a place for the next one who waits.
pub(super) fn turn_due(ledger: &mut Ledger, id: SegmentId, token: Token) {
    if !ledger.world.pacing.pace_mut(id).verification.timer_fired(token) {
        return;
    }
    let now = ledger.effects.now();
    let mut looked = 0;
    while looked < MOST && has_turn(&ledger.world, id, now) {
        let Some(place) = ledger.world.pacing.pace_mut(id).verification.next_place() else { break };
        looked += 1;
        if let Some(late) = call(&mut ledger.world, id, &place, now) {
            ledger.look_at(now, &place.key);
            // Whoever needed no question leaves its turn.
            ledger.world.hosts.set_slot(&place.key, false);
            ledger.world.pacing.pace_mut(id).verification.asked(place.line, late);
        }
    }
    let pause = if looked == MOST { PAUSE } else { Duration::ZERO };
    set_turn_timer(&mut ledger.world, id, now + pause, &mut ledger.effects);
    tell(&mut ledger.world, id, &mut ledger.effects);
}

/// Tells that hosts are asked too late: by more than another quiet time. And that they no longer are.
fn tell(world: &mut World, id: SegmentId, effects: &mut Effects) {
    let (quiet, waiting) = (world.topology.segment(id).quiet(), world.hosts.waiting_on(id));
    let verification = &mut world.pacing.pace_mut(id).verification;
    match verification.take_news(quiet.max(LATE)) {
        Some(true) => {
            let seconds = u32::try_from(verification.lateness().as_secs()).unwrap_or(u32::MAX);
            effects.emit(Event::VerificationLate { segment: id, waiting, seconds });
        }
        Some(false) => effects.emit(Event::VerificationInTime { segment: id }),
        None => {}
    }
}

/// Whether somebody may be asked now. Without a link nothing is sent, and there is nothing to pace.
fn has_turn(world: &World, id: SegmentId, now: Time) -> bool {
    !world.topology.segment(id).is_up() || world.pacing.pace(id).verification.earliest(now) <= now
}

/// Whoever has the place is asked now, if it still waits. By how much it is late: after its quiet time, and since it waits.
fn call(world: &mut World, id: SegmentId, place: &Place, now: Time) -> Option<Duration> {
    let &Host { last_heard, .. } = world.hosts.call(&place.key, id, place.line)?;
    let segment = world.topology.segment(id);
    let due = place.since.max(last_heard + segment.quiet());
    if segment.is_up() {
        world.pacing.pace_mut(id).verification.take_turn(now);
    }
    Some(now.since(due))
}
