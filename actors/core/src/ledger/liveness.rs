//! Time passed: the quiet are probed, the silent are given up.

use std::time::Duration;

use super::Ledger;
use super::claims::Stake;
use super::contest::{PROBE_WAIT, PROBES_ON_WIFI};
use super::fast_answers::Reading;
use super::fast_policy::consult_program;
use super::host::{Host, HostState, Origin, Sighting};
use super::key::Key;
use super::policy;
use super::probing::may_probe_wanted;
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
                self.world.probe(key, true, &mut self.effects);
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
                self.world.probe(key, true, &mut self.effects);
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
        let has_slot = self.world.hosts.set_slot(key, false);
        if let Some(at) = consult_program(at, key, has_slot, &mut self.world, &mut self.effects) {
            judge_quiet(self, at, key);
        }
    }
}

/// What is known of when a host was heard is all there is: it is let be, or probed.
fn judge_quiet(ledger: &mut Ledger, at: Time, key: &Key) {
    let Some(host) = ledger.world.hosts.host(key) else { return };
    let now = ledger.effects.now();
    let quiet = ledger.world.topology.segment(host.segment).quiet();
    let quiet_at = host.last_heard + quiet;
    let spared = if quiet_at > now {
        Some(on_grid(quiet_at, quiet))
    } else {
        ledger.wifi.spared_until(at, key, &mut ledger.world, &mut ledger.effects)
    };
    match spared {
        Some(until) => {
            ledger.world.look_after(key, until, &mut ledger.effects);
        }
        None => {
            ledger.world.hosts.doubt(key);
            ledger.world.probe(key, false, &mut ledger.effects);
        }
    }
}

/// It was read how long ago the program that answers inside the kernel heard a host.
pub(super) fn heard_in_kernel(ledger: &mut Ledger, key: &Key, heard: Option<Duration>) {
    let (world, now) = (&mut ledger.world, ledger.effects.now());
    let Some((reading, since)) = world.fast.end_reading(key) else { return };
    let (is_requested, look) = match reading {
        Reading::Look { at } => (false, at),
        Reading::Request => (true, now),
    };
    if let Some(heard) = heard.map(|span| now - span).filter(|at| *at >= since) {
        world.hosts.credit(key, heard);
    }
    let Some(host) = world.hosts.live_host(key) else { return };
    let Host { segment, lladdr, last_heard, .. } = *host;
    let quiet = world.topology.segment(segment).quiet();
    if is_requested
        && last_heard + quiet > now
        && policy::is_quiet(&world.topology, host, now)
        && !ledger.claims.is_contested(key)
        && may_probe_wanted(world, key, now)
    {
        // Who asked is not known, and nothing depends on it.
        let who = Sighting { key: *key, segment, lladdr, origin: Origin::Request };
        ledger.contest(who, Stake::Wanted);
    }
    judge_quiet(ledger, look, key);
}
