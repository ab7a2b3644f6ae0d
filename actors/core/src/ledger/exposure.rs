//! Stations that speak for others: what happens to those that answer for more addresses than one may hold, and to
//! proxies.

use super::Ledger;
use super::effects::Effects;
use super::host::{Host, Origin, Sighting};
use super::proxies::Party;
use super::reports::Subject;
use super::timers::{Timer, Token};
use super::trials::{Outcome, WAIT};
use crate::event::{Event, Limit, ProxySign};
use crate::plan::Behind;

impl Ledger {
    /// A new host is not learned because of a limit. What is known stays, also of a station that has reached its own:
    /// it may be one machine with many addresses. Whether it is a proxy is put to the proof.
    pub(super) fn keep_out(&mut self, limit: Limit, sighting: &Sighting) {
        report_limit(limit, sighting, &mut self.effects);
        if limit == Limit::HostsPerLladdr && sighting.origin == Origin::Reply {
            self.trials.try_station(sighting, &self.world, &mut self.effects);
        }
    }

    /// The time of a trial is over.
    pub(super) fn trial_due(&mut self, token: Token) {
        match self.trials.due(token) {
            Some((station, Outcome::Undecided(addresses))) => {
                // A frame may have been lost.
                let segment = self.world.topology.segment(station.segment);
                for address in addresses {
                    self.effects.address_probe(segment, address, station.lladdr);
                }
                self.trials.go_on(&station, self.effects.after(WAIT, Timer::Trial));
            }
            Some((station, Outcome::Proxy)) => self.expose(station, ProxySign::FalseAnswers),
            Some((_, Outcome::Unproven)) | None => {}
        }
    }

    /// A station showed that it speaks for others.
    pub(super) fn expose(&mut self, proxy: Party, sign: ProxySign) {
        let Party { segment, lladdr } = proxy;
        let behind = &self.world.topology.segment(segment).plan.addresses.behind;
        let behind = behind.get(&lladdr.port()).cloned();
        // The operator knows.
        if behind == Some(Behind::Allow) || !self.proxies.note_sign(self.effects.now(), &proxy, sign) {
            return;
        }
        self.effects.emit(Event::ProxyFound { segment, lladdr, sign });
        // What its replies taught before is as doubtful as what they would teach now.
        let is_hearsay = |host: &Host| host.is_carried_by(segment, &lladdr) && host.origin == Origin::Reply;
        let mut keys = self.world.hosts.keys_where(is_hearsay);
        keys.retain(|key| !behind.as_ref().is_some_and(|it| it.holds(key.address)));
        for key in keys {
            self.world.give_up(&key, &mut self.effects);
            self.world.hosts.remove(&key);
        }
    }
}

/// Tells that something was not learned because of a limit.
pub(super) fn report_limit(limit: Limit, sighting: &Sighting, effects: &mut Effects) {
    let Sighting { key, segment, lladdr, .. } = *sighting;
    let event = Event::LimitReached { segment, limit, address: key.address, lladdr };
    effects.report(segment, Subject::Limit(limit), event);
}
