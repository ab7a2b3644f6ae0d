//! A host that has an alternative (`alternatives.rs`) is watched, and when it is silent the alternative takes its
//! address over, if it answers.

use super::alternatives::{Alternatives, RETRY};
use super::claims::Claims;
use super::effects::Effects;
use super::host::Sighting;
use super::key::Key;
use super::timers::{Timer, Token};
use super::world::World;
use crate::order::Purpose;
use crate::time::Time;

impl Alternatives {
    /// A claimant was refused because the incumbent lives: it is remembered, and asked whether it answers.
    pub(super) fn remember(&mut self, claimant: &Sighting, is_proven: bool, effects: &mut Effects) {
        if self.insert(effects.now(), claimant, is_proven) {
            self.look_after(&claimant.key, effects.now(), effects);
        }
    }

    /// The address moved. If it is now where its alternative was, what was its place is the alternative from now on.
    pub(super) fn address_moved(&mut self, from: &Sighting, to: &Sighting, effects: &mut Effects) {
        if self.of(&to.key).is_some_and(|alternative| alternative.is_at(to)) {
            self.forget(&to.key);
            self.remember(from, true, effects);
        }
    }

    /// An address was heard at another place than its host is known at. If it is that of its alternative, and that was
    /// not known to answer, the host is watched from now on.
    pub(super) fn heard(&mut self, sighting: &Sighting, effects: &mut Effects) {
        if self.note_sighting(effects.now(), sighting) {
            self.look_after(&sighting.key, effects.now(), effects);
        }
    }

    fn look_after(&mut self, key: &Key, at: Time, effects: &mut Effects) {
        let timer = effects.at(at, Timer::Alternative(*key));
        self.set_timer(key, timer);
    }

    /// It is time to look at an alternative, and at the host whose address it claimed. True if the host is to be probed
    /// for its sake.
    pub(super) fn alternative_due(
        &mut self,
        key: &Key,
        token: Token,
        world: &mut World,
        effects: &mut Effects,
    ) -> bool {
        let Some(alternative) = self.due(key, token) else { return false };
        let now = effects.now();
        let Some(host) = world.hosts.live_host(key) else {
            // Nobody is in its way: if it answers, it is learned like any other.
            self.ask(key, world, effects);
            self.forget(key);
            return false;
        };
        let is_there = host.is_at(alternative.segment, &alternative.lladdr);
        if is_there || alternative.is_lost() && alternative.check_at() <= now {
            self.forget(key);
            return false;
        }
        let (id, last_heard) = (host.segment, host.last_heard);
        let place = world.topology.segment(id);
        let (is_cut_off, pause) = (!place.is_up(), self.pause(place.kind()));
        if is_cut_off || alternative.check_at() <= now {
            self.ask(key, world, effects);
        }
        let Some(alternative) = self.of(key) else { return false };
        let is_watched = alternative.is_answering() && !is_cut_off;
        let next = match is_watched {
            true => (last_heard + pause).max(now),
            false if is_cut_off => now + pause,
            // Later, if it could not be asked.
            false => alternative.check_at().max(now + RETRY),
        };
        let is_due = is_watched && next == now;
        self.look_after(key, if is_due { now + pause } else { next }, effects);
        // Never at the cost of hosts whose time to be probed has come.
        is_due && world.pacing.pace_mut(id).verification.take_spare(now)
    }

    /// Asks an alternative whether it answers for the address.
    pub(super) fn ask(&mut self, key: &Key, world: &mut World, effects: &mut Effects) {
        let Some(alternative) = self.of(key) else { return };
        let (id, to) = (alternative.segment, alternative.lladdr);
        let segment = world.topology.segment(id);
        if segment.is_up() && world.pacing.pace_mut(id).verification.take_spare(effects.now()) {
            effects.request(segment, key.address, Some(to), Purpose::Verify);
            self.note_asked(effects.now(), key);
        }
    }

    /// Who is to contest the address with nothing but its being there ([`Stake::Standby`]): its alternative, unless
    /// somebody contests it already.
    ///
    /// [`Stake::Standby`]: super::claims::Stake::Standby
    pub(super) fn standby(&self, key: &Key, claims: &Claims) -> Option<Sighting> {
        self.of(key).filter(|_| !claims.is_contested(key)).map(|alternative| alternative.sighting(key))
    }
}
