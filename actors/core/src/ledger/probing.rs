//! Probes: hosts are asked whether they live, at their segment's pace, and so are those who use an address that
//! is published on their segment.

use super::effects::Effects;
use super::entries::follow_use;
use super::host::{HostState, Sighting};
use super::key::Key;
use super::reports::Subject;
use super::segment::Segment;
use super::segment::Voice;
use super::timers::{Timer, Token};
use super::verification::Line;
use super::verifying::wait_for_turn;
use super::world::{REMEMBERED, World};
use crate::address::Address;
use crate::event::Event;
use crate::lladdr::LinkAddr;
use crate::order::Purpose;
use crate::plan::SegmentId;
use crate::time::Time;

/// So often the pause between probes of a host that did not come back is doubled at the most.
const DOUBLINGS: u8 = 20;

impl World {
    /// Asks a host whether it lives, when its turn has come: a late probe is never held against the host, because only
    /// probes that were sent count. `is_doubted`: there is more against it than that it was quiet.
    pub(super) fn probe(&mut self, key: &Key, is_doubted: bool, effects: &mut Effects) {
        let Some(host) = self.hosts.host(key) else { return };
        let (lladdr, id) = (host.lladdr, host.segment);
        let probes = match host.state {
            HostState::Suspect { probes } | HostState::Returning { probes } => probes,
            HostState::Alive | HostState::Dormant => 0,
        };
        let segment = self.topology.segment(id);
        let now = effects.now();
        let line = Line::of(is_doubted, host.is_wanted(REMEMBERED, now));
        // Without a link nothing is sent, and there is nothing to pace.
        if segment.is_up() && !self.hosts.set_slot(key, false) {
            if !self.pacing.pace_mut(id).verification.take_spare(now) {
                return wait_for_turn(self, key, line, effects);
            }
        } else {
            self.hosts.stop_waiting(key);
        }
        let is_unicast = probes < segment.plan.expiry.unicast_on(segment.kind()) && !lladdr.is_empty();
        effects.request(segment, key.address, is_unicast.then_some(lladdr), Purpose::Verify);
        let due = now + segment.plan.expiry.interval;
        if probes == segment.plan.expiry.unicast_on(segment.kind()) {
            self.ask_elsewhere(key, effects);
        }
        self.hosts.probed(key);
        self.look_after(key, due, effects);
    }

    /// Asks on the other segments for a host that did not answer by unicast: it may be there by now, and have said
    /// nothing. A standby leaves that to the active one.
    pub(super) fn ask_elsewhere(&mut self, key: &Key, effects: &mut Effects) {
        let Some(host) = self.hosts.live_host(key) else { return };
        if self.topology.segment(host.segment).voice == Voice::Standby {
            return;
        }
        let now = effects.now();
        let is_possible = |other: &&Segment| {
            other.is_up() && other.may_hold(key.address) && !self.topology.is_one_link(other.id, host.segment)
        };
        let places: Vec<_> = self.topology.others(host.segment).filter(is_possible).map(|it| it.id).collect();
        // Of half of the domain's pace unknown targets take nothing as long as one station asks for many.
        if !self.pacing.take_searches(key.domain, places.len(), false, now) {
            return;
        }
        for place in places {
            if self.pacing.pace_mut(place).searches.take(now) {
                effects.request(self.topology.segment(place), key.address, None, Purpose::Search);
            }
        }
    }

    /// Probes a host that did not come back with its segment, less and less often, for as long as it is
    /// remembered. Who sends to it has it in a cache and asks nobody, so waiting to be asked could take long.
    pub(super) fn probe_on(&mut self, key: &Key, over: u8, effects: &mut Effects) {
        let Some(host) = self.hosts.host(key) else { return };
        let segment = self.topology.segment(host.segment);
        let pause = segment.plan.expiry.interval.saturating_mul(1 << over.min(DOUBLINGS));
        if pause > REMEMBERED / 2 || over >= DOUBLINGS {
            self.let_rest(key, effects);
            return;
        }
        let now = effects.now();
        // Never at the cost of a host that is known to live.
        if self.pacing.pace_mut(host.segment).verification.take_spare(now) {
            effects.request(segment, key.address, None, Purpose::Verify);
        }
        self.hosts.probed(key);
        self.look_after(key, now + pause, effects);
    }

    /// A dormant host is not probed any more, only remembered.
    pub(super) fn let_rest(&mut self, key: &Key, effects: &mut Effects) {
        self.hosts.rest(key);
        self.look_after(key, effects.now() + REMEMBERED, effects);
    }

    /// A host uses an address that is published where it was heard.
    pub(super) fn published_address_used(&mut self, sighting: &Sighting, effects: &mut Effects) {
        let Sighting { key, segment: id, lladdr, .. } = *sighting;
        let address = key.address;
        if self.published.has_room_for(id, address) {
            let quiet = self.topology.segment(id).plan.expiry.quiet;
            let timer = effects.after(quiet, Timer::Published(id, address));
            if self.published.note_use(id, address, lladdr, timer) {
                let segment = self.topology.segment(id);
                follow_use(segment, address, self, effects);
            }
        }
        let event = Event::PublishedAddressUsed { address, lladdr, segment: id };
        effects.report(id, Subject::Address(address), event);
    }

    /// A host on a published address was quiet: it is probed like any other, and forgotten if it is silent.
    pub(super) fn published_due(
        &mut self,
        id: SegmentId,
        address: Address,
        token: Token,
        effects: &mut Effects,
    ) {
        let Some((lladdr, probes)) = self.published.due(id, address, token) else { return };
        let segment = self.topology.segment(id);
        let expiry = &segment.plan.expiry;
        if probes >= expiry.unicast_on(segment.kind()) || !segment.is_up() {
            self.published.release(id, address);
            let segment = self.topology.segment(id);
            follow_use(segment, address, self, effects);
            return;
        }
        let timer = effects.after(expiry.interval, Timer::Published(id, address));
        self.published.note_probe(id, address, timer);
        effects.request(segment, address, Some(lladdr), Purpose::Verify);
    }

    /// Asks for a known host at a place where it may be now, whatever that segment's pace.
    pub(super) fn probe_there(&self, key: &Key, id: SegmentId, lladdr: &LinkAddr, effects: &mut Effects) {
        effects.request(self.topology.segment(id), key.address, Some(*lladdr), Purpose::Verify);
    }

    /// Asks the host of a contested address whether it lives, whatever its segment's pace.
    pub(super) fn probe_incumbent(&self, key: &Key, effects: &mut Effects) {
        if let Some(host) = self.hosts.host(key) {
            let to = Some(host.lladdr).filter(|lladdr| !lladdr.is_empty());
            let segment = self.topology.segment(host.segment);
            effects.request(segment, key.address, to, Purpose::Verify);
        }
    }
}

/// Takes a place in the pace for the probe of a host that is wanted; false if there is none now.
pub(super) fn may_probe_wanted(world: &mut World, key: &Key, now: Time) -> bool {
    let Some(host) = world.hosts.live_host(key) else { return false };
    world.pacing.pace_mut(host.segment).verification.take_wanted(now)
}

/// Live hosts of a segment may be quiet for another time from now on.
pub(super) fn look_after_all(world: &mut World, id: SegmentId, effects: &mut Effects) {
    let quiet = world.topology.segment(id).quiet();
    for key in world.hosts.keys_where(|host| host.segment == id && host.state == HostState::Alive) {
        let Some(host) = world.hosts.host(&key) else { continue };
        let at = (host.last_heard + quiet).max(effects.now());
        world.look_after(&key, at, effects);
    }
}
