//! What radios report: stations came, went, were listed; the interface found or lost its access point.

use std::time::Duration;

use super::Ledger;
use super::claims::Stake;
use super::host::{Host, HostState, Sighting};
use super::key::Key;
use super::wifi::StationsRead;
use crate::fact::WifiRole;
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;

impl Ledger {
    /// A station joined: the hosts remembered at its link-layer address are probed here, and those known
    /// elsewhere are claimed for this place.
    pub(super) fn station_joined(&mut self, id: SegmentId, lladdr: LinkAddr) {
        self.wifi.note_joined(id, lladdr, self.effects.now());
        self.probe_hosts_of(id, &lladdr);
    }

    fn probe_hosts_of(&mut self, id: SegmentId, lladdr: &LinkAddr) {
        let topology = &self.world.topology;
        // When the segment comes up, everybody is probed.
        if !topology.segment(id).may_hear(lladdr) || topology.is_own_lladdr(lladdr) {
            return;
        }
        for key in self.world.hosts.keys_where(|host| host.lladdr.same_port(lladdr)) {
            self.host_joined(&key, id, Stake::Joining);
        }
    }

    /// A host's station joined a segment, or was heard there. False if nothing follows from it.
    pub(super) fn host_joined(&mut self, key: &Key, id: SegmentId, stake: Stake) -> bool {
        let Some(host) = self.world.hosts.host(key) else { return false };
        let Host { lladdr, origin, segment: place, .. } = *host;
        let is_live = host.is_live();
        if place == id {
            self.world.wake(key, &mut self.effects);
            return !is_live;
        }
        // Its address may be that of another place.
        let topology = &self.world.topology;
        if !topology.may_live_on(id, key, &lladdr) || topology.is_one_link(place, id) {
            return false;
        }
        if !is_live {
            self.world.follow_station(key, id, &mut self.effects);
            return true;
        }
        // The old place is probed, unless that is being done already, or was in vain a moment ago.
        let claimant = Sighting { key: *key, segment: id, lladdr, origin };
        let is_idle =
            !self.claims.is_contested(key) && !self.claims.is_refused(self.effects.now(), &claimant);
        if is_idle {
            self.contest(claimant, stake);
        }
        is_idle
    }

    /// A station left: its hosts are gone at once, and remembered.
    pub(super) fn station_left(&mut self, id: SegmentId, lladdr: &LinkAddr) {
        self.wifi.note_left(id, lladdr);
        let is_its = |host: &Host| host.is_carried_by(id, lladdr);
        for key in self.world.hosts.keys_where(is_its) {
            // Whoever claims the address gets it now, and its route with it, in one step.
            self.decide(&key);
            if self.world.hosts.host(&key).is_some_and(is_its) {
                self.world.give_up(&key, &mut self.effects);
            }
        }
    }

    /// All stations of an access point, each with the time since it was last heard.
    pub(super) fn stations_read(&mut self, id: SegmentId, stations: &[(LinkAddr, Duration)]) {
        let StationsRead { missing, added } = self.wifi.note_list(id, stations, self.effects.now());
        // News may have been lost. One that left while the list was read can hide another (the kernel counts
        // them anew for each part of the list), so who is missing is not gone, but probed.
        for lladdr in missing {
            for key in self.world.hosts.keys_where(|host| host.is_carried_by(id, &lladdr)) {
                self.world.doubt(&key, &mut self.effects);
            }
        }
        for lladdr in added {
            self.probe_hosts_of(id, &lladdr);
        }
        if self.wifi.role(id) == Some(WifiRole::AccessPoint) {
            self.credit_stations(id);
        }
    }

    /// What the list says is held in favour of every host on the segment, and the quiet are decided upon.
    fn credit_stations(&mut self, id: SegmentId) {
        let now = self.effects.now();
        let quiet = self.world.topology.segment(id).plan.expiry.quiet;
        let is_here = |host: &Host| host.segment == id && host.state == HostState::Alive;
        for key in self.world.hosts.keys_where(is_here) {
            self.wifi.credit_station(&key, &mut self.world);
            if self.world.hosts.host(&key).is_some_and(|host| host.last_heard + quiet <= now) {
                self.look_at(now, &key);
            }
        }
    }

    /// The segment's interface found an access point: its hosts are probed at once, and what we answer for is
    /// announced, because whoever is behind that access point may have it from elsewhere.
    pub(super) fn associated(&mut self, id: SegmentId) {
        let segment = self.world.topology.segment_mut(id);
        (segment.is_disassociated, segment.untold.is_unannounced) = (false, true);
        self.world.look_again(id, &mut self.effects);
        let is_up = self.world.topology.segment(id).is_up();
        for key in self.world.hosts.keys_where(|host| is_up && host.segment == id) {
            self.world.doubt(&key, &mut self.effects);
            self.world.wake(&key, &mut self.effects);
        }
    }

    /// The segment's interface lost its access point, which is to it what a cable is to others.
    pub(super) fn disassociated(&mut self, id: SegmentId) {
        self.world.topology.segment_mut(id).is_disassociated = true;
        self.world.look_again(id, &mut self.effects);
    }
}
