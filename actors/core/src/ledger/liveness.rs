//! Time passed: the quiet are probed, the silent are given up.

use super::Ledger;
use super::claims::Stake;
use super::contest::{PROBE_WAIT, PROBES_ON_WIFI};
use super::host::{Host, HostState, Origin};
use super::key::Key;
use super::timers::Token;
use super::wifi::on_grid;
use crate::time::Time;

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
        // Whoever was granted an address a moment ago does not answer for it yet.
        if let HostState::Suspect { probes } = host.state
            && (probes == 0 || probes >= budget)
            && let Some(until) = self.world.leases.peace(key, host, probes, segment.source.is_inside())
            && until > now
        {
            return self.world.look_after(key, until, &mut self.effects);
        }
        match host.state {
            // It lives because the operator says so.
            HostState::Alive | HostState::Suspect { .. } if host.origin == Origin::Static => {}
            HostState::Alive => self.look_at_alive(at, key),
            HostState::Suspect { probes } if probes < budget => {
                self.world.probe(key, &mut self.effects);
                if let Some(claimant) = self.alternatives.standby(key, &self.claims).filter(|_| probes > 0) {
                    self.contest(claimant, Stake::Standby);
                }
            }
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
            HostState::Returning { probes } if probes < budget && segment.is_up() => {
                self.world.probe(key, &mut self.effects);
            }
            HostState::Returning { probes } if segment.is_up() => {
                self.world.probe_on(key, probes - budget, &mut self.effects);
            }
            HostState::Returning { .. } => self.world.let_rest(key, &mut self.effects),
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
        let quiet = self.world.topology.segment(host.segment).quiet();
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
                self.world.probe(key, &mut self.effects);
            }
        }
    }
}
