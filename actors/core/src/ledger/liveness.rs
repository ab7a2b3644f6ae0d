//! Time passed: the quiet are probed, the silent are given up.

use super::Ledger;
use super::contest::{PROBE_WAIT, PROBES_ON_WIFI};
use super::entries::follow_use;
use super::host::{Host, HostState, Origin};
use super::key::Key;
use super::timers::{Timer, Token};
use super::wifi::on_grid;
use super::world::REMEMBERED;
use crate::address::Address;
use crate::order::Purpose;
use crate::plan::SegmentId;
use crate::time::Time;

/// So often the pause between probes of a host that did not come back is doubled at the most.
const DOUBLINGS: u8 = 20;

impl Ledger {
    /// A host's timer fired, if it is still the host's.
    pub(super) fn host_due(&mut self, at: Time, key: &Key, token: Token) {
        if self.world.hosts.host(key).is_some_and(|host| host.timer == token) {
            self.look_at(at, key);
        }
    }

    /// It is time to look at a host: to let it be, probe it, or give it up. `at`: when its timer was set for.
    pub(super) fn look_at(&mut self, at: Time, key: &Key) {
        let Some(host) = self.world.hosts.host(key) else { return };
        let segment = self.world.topology.segment(host.segment);
        let expiry = &segment.plan.expiry;
        let budget = expiry.unicast_on(segment.kind()).saturating_add(expiry.broadcast);
        let now = self.effects.now();
        match host.state {
            // It lives because the operator says so.
            HostState::Alive | HostState::Suspect { .. } if host.origin == Origin::Static => {}
            HostState::Alive => self.look_at_alive(at, key),
            HostState::Suspect { probes } if probes < budget => self.probe(key),
            // A claim gives it a last chance to answer; more of them do not give it more.
            HostState::Suspect { probes }
                if probes - budget < PROBES_ON_WIFI && self.claims.is_contested(key) =>
            {
                self.world.hosts.probed(key);
                self.world.look_after(key, now + PROBE_WAIT, &mut self.effects);
            }
            HostState::Suspect { .. } => self.give_up_silent(key),
            HostState::Dormant => {
                self.world.hosts.remove(key);
            }
            HostState::Returning { probes } if probes < budget && segment.is_up() => self.probe(key),
            HostState::Returning { probes } if segment.is_up() => self.probe_on(key, probes - budget),
            HostState::Returning { .. } => self.let_rest(key),
        }
    }

    fn give_up_silent(&mut self, key: &Key) {
        let place = self.world.hosts.host(key).map(|host| host.segment);
        // Whoever claims the address gets it now, and its route with it, in one step.
        self.decide(key);
        let is_there =
            |host: &Host| Some(host.segment) == place && matches!(host.state, HostState::Suspect { .. });
        if self.world.hosts.host(key).is_some_and(is_there) {
            self.world.give_up(key, &mut self.effects);
        }
    }

    /// A host that lives may have been quiet for too long.
    fn look_at_alive(&mut self, at: Time, key: &Key) {
        // A slot it took to be probed in was not needed, and is not kept for when it is.
        self.world.hosts.set_slot(key, false);
        let Some(host) = self.world.hosts.host(key) else { return };
        let now = self.effects.now();
        let quiet = self.world.topology.segment(host.segment).plan.expiry.quiet;
        let quiet_at = host.last_heard + quiet;
        let spared = if quiet_at > now {
            Some(on_grid(quiet_at, quiet))
        } else {
            self.wifi.spared_until(at, key, &mut self.world, &mut self.effects)
        };
        match spared {
            Some(until) => self.world.look_after(key, until, &mut self.effects),
            None => {
                self.world.hosts.doubt(key);
                self.probe(key);
            }
        }
    }

    /// Asks a host whether it lives, when the segment's pace allows: a late probe is never held against
    /// the host, because only probes that were sent count.
    fn probe(&mut self, key: &Key) {
        let Some(host) = self.world.hosts.host(key) else { return };
        let (lladdr, id) = (host.lladdr, host.segment);
        let probes = match host.state {
            HostState::Suspect { probes } | HostState::Returning { probes } => probes,
            HostState::Alive | HostState::Dormant => 0,
        };
        let segment = self.world.topology.segment(id);
        let now = self.effects.now();
        // Without a link nothing is sent, and there is nothing to pace.
        if segment.is_up() && !self.world.hosts.set_slot(key, false) {
            let slot = self.pacing.pace_mut(id).probes.reserve(now);
            if slot > now {
                self.world.hosts.set_slot(key, true);
                self.world.look_after(key, slot, &mut self.effects);
                return;
            }
        }
        let is_unicast = probes < segment.plan.expiry.unicast_on(segment.kind()) && !lladdr.is_empty();
        self.effects.request(segment, key.address, is_unicast.then_some(lladdr), Purpose::Verify);
        let due = now + segment.plan.expiry.interval;
        self.world.hosts.probed(key);
        self.world.look_after(key, due, &mut self.effects);
    }

    /// Probes a host that did not come back with its segment, less and less often, for as long as it is
    /// remembered. Who sends to it has it in a cache and asks nobody, so waiting to be asked could take long.
    fn probe_on(&mut self, key: &Key, over: u8) {
        let Some(host) = self.world.hosts.host(key) else { return };
        let segment = self.world.topology.segment(host.segment);
        let pause = segment.plan.expiry.interval.saturating_mul(1 << over.min(DOUBLINGS));
        if pause > REMEMBERED / 2 || over >= DOUBLINGS {
            self.let_rest(key);
            return;
        }
        let now = self.effects.now();
        // Never at the cost of a host that is known to live.
        if self.pacing.pace_mut(host.segment).probes.take(now) {
            self.effects.request(segment, key.address, None, Purpose::Verify);
        }
        self.world.hosts.probed(key);
        self.world.look_after(key, now + pause, &mut self.effects);
    }

    /// A dormant host is not probed any more, only remembered.
    fn let_rest(&mut self, key: &Key) {
        self.world.hosts.rest(key);
        self.world.look_after(key, self.effects.now() + REMEMBERED, &mut self.effects);
    }

    /// A host on a published address was quiet: it is probed like any other, and forgotten if it is silent.
    pub(super) fn published_due(&mut self, id: SegmentId, address: Address, token: Token) {
        let Some((lladdr, probes)) = self.world.published.due(id, address, token) else { return };
        let segment = self.world.topology.segment(id);
        let expiry = &segment.plan.expiry;
        if probes >= expiry.unicast_on(segment.kind()) || !segment.is_up() {
            self.world.published.release(id, address);
            let segment = self.world.topology.segment(id);
            follow_use(segment, address, &self.world.reasons(), &mut self.effects);
            return;
        }
        let timer = self.effects.after(expiry.interval, Timer::Published(id, address));
        self.world.published.note_probe(id, address, timer);
        self.effects.request(segment, address, Some(lladdr), Purpose::Verify);
    }
}
