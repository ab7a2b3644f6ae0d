//! What radios tell: who joined and left the access point that a segment's interface is, when each station was
//! last heard there, and whether a station's own access point is in reach.
//!
//! A station joins before its keys are agreed on, and says nothing of its addresses by it. So joining proves no
//! address: it only says where to ask. Leaving proves that nobody is there any more.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Ledger;
use super::host::{Host, Key, Life, Origin};
use super::learn::Sighting;
use super::life::on_grid;
use crate::fact::WifiRole;
use crate::lladdr::LinkAddr;
use crate::order::Order;
use crate::plan::SegmentId;
use crate::time::Time;

/// A station of which the access point heard nothing for so long is asked: it may be out of reach. After the
/// same time hostapd looks for it itself (`ap_max_inactivity`).
const ASLEEP: Duration = Duration::from_secs(300);
/// An access point's list is read at most so often, taken for fresh as long, and waited for no longer.
const FRESH: Duration = Duration::from_secs(1);

/// What is known of the air around a segment.
#[derive(Debug, Default)]
pub(crate) struct Air {
    /// What the interface is there; `None`: no radio tells.
    pub(crate) role: Option<WifiRole>,
    /// The stations of an access point, and when each was last heard.
    stations: BTreeMap<LinkAddr, Time>,
    /// When they were last read, and when that was last ordered.
    read: Option<Time>,
    asked: Option<Time>,
    /// The access point was lost, and none found since.
    pub(super) parted: bool,
    /// One was found, and what we answer for is yet to be announced there.
    pub(super) unannounced: bool,
}

/// What an access point's list says of a host that is quiet.
enum Word {
    /// It is being read: wait until then.
    Wait(Time),
    /// The host's station was last heard then.
    Heard(Time),
    /// Nothing.
    Silence,
}

impl Air {
    /// What is known of a station now, or an order to find out. `at` is the time the host's timer was set for.
    fn word_of(&mut self, now: Time, at: Time, lladdr: &LinkAddr) -> (Word, bool) {
        if self.read.is_some_and(|read| now.since(read) < FRESH) {
            return (self.stations.get(lladdr).map_or(Word::Silence, |heard| Word::Heard(*heard)), false);
        }
        match self.asked.map(|asked| asked + FRESH) {
            Some(end) if end == at => (Word::Silence, false),
            Some(end) if end > now => (Word::Wait(end), false),
            _ => {
                self.asked = Some(now);
                (Word::Wait(now + FRESH), true)
            }
        }
    }
}

impl Ledger {
    pub(super) fn radio_seen(&mut self, segment: SegmentId, role: Option<WifiRole>) {
        let air = &mut self.segment_mut(segment).air;
        if air.role != role {
            *air = Air { role, parted: air.parted, unannounced: air.unannounced, ..Air::default() };
        }
    }

    /// A station joined: the hosts remembered at its link-layer address are asked here, and those known
    /// elsewhere are claimed for this place.
    pub(super) fn station_joined(
        &mut self,
        now: Time,
        segment: SegmentId,
        lladdr: LinkAddr,
        orders: &mut Vec<Order>,
    ) {
        self.segment_mut(segment).air.stations.insert(lladdr, now);
        self.welcome(now, segment, lladdr, orders);
    }

    fn welcome(&mut self, now: Time, segment: SegmentId, lladdr: LinkAddr, orders: &mut Vec<Order>) {
        // When it comes up, everybody is asked.
        if !self.segment(segment).may_hear(&lladdr) || super::is_own_lladdr(&self.segments, &lladdr) {
            return;
        }
        for key in self.keys_of(|host| host.lladdr.same_port(&lladdr)) {
            self.host_joined(now, key, segment, orders);
        }
    }

    fn host_joined(&mut self, now: Time, key: Key, segment: SegmentId, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get(&key) else { return };
        let Host { lladdr, origin, segment: place, .. } = *host;
        if host.segment == segment {
            self.rouse(now, key);
        } else if !self.may_live_on(segment, key, &lladdr) || self.is_one_link(place, segment) {
            // Its address is that of another place.
        } else if host.is_live() {
            let claimant = Sighting { key, segment, lladdr, origin };
            self.claim_by_joining(now, claimant, orders);
        } else {
            self.follow_home(now, key, segment);
        }
    }

    fn may_live_on(&self, segment: SegmentId, key: Key, lladdr: &LinkAddr) -> bool {
        let it = self.segment(segment);
        it.plan.domain == key.domain
            && it.may_hold(key.address)
            && !self.own.contains(&key.address)
            && !self.is_pinned_elsewhere(key, segment, lladdr)
    }

    /// Remembers a host that is gone for the segment its station is on now, and asks it there. Where it lived is
    /// remembered along: if it answers, it has moved.
    pub(super) fn follow_home(&mut self, now: Time, key: Key, segment: SegmentId) {
        let (dormant, most) = (self.segment(segment).dormant, self.segment(segment).plan.limits.hosts);
        let Some(host) = self.hosts.get_mut(&key).filter(|host| !host.is_live()) else { return };
        if host.segment != segment && dormant < most {
            let old = std::mem::replace(&mut host.segment, segment);
            host.lived_on = Some(host.lived_on.unwrap_or(old));
            self.segment_mut(old).dormant -= 1;
            self.segment_mut(segment).dormant += 1;
        }
        if self.hosts.get(&key).is_some_and(|host| host.segment == segment) {
            self.rouse(now, key);
        }
    }

    /// A station left: its hosts are gone at once, and remembered.
    pub(super) fn station_left(
        &mut self,
        now: Time,
        segment: SegmentId,
        lladdr: LinkAddr,
        orders: &mut Vec<Order>,
    ) {
        self.segment_mut(segment).air.stations.remove(&lladdr);
        for key in self.keys_of(|host| is_carried(host, segment, &lladdr)) {
            // Whoever claims the address gets it now, and its route with it, in one step.
            self.decide(now, key, orders);
            if self.hosts.get(&key).is_some_and(|host| is_carried(host, segment, &lladdr)) {
                self.gone(now, key, orders);
            }
        }
    }

    /// All stations of an access point, each with the time since it was last heard.
    pub(super) fn stations_read(
        &mut self,
        now: Time,
        segment: SegmentId,
        stations: &[(LinkAddr, Duration)],
        orders: &mut Vec<Order>,
    ) {
        let air = &mut self.segment_mut(segment).air;
        let heard = stations.iter().map(|(lladdr, inactive)| (*lladdr, now - *inactive)).collect();
        let known = std::mem::replace(&mut air.stations, heard);
        let is_first = air.read.replace(now).is_none();
        air.asked = None;
        // News may have been lost. One that left while the list was read can hide another (the kernel counts
        // them anew for each part of the list), so who is missing is not gone, but asked.
        for lladdr in known.keys() {
            if !self.segment(segment).air.stations.contains_key(lladdr) {
                for key in self.keys_of(|host| is_carried(host, segment, lladdr)) {
                    self.suspect(now, key);
                }
            }
        }
        for (lladdr, _) in stations.iter().filter(|(lladdr, _)| !is_first && !known.contains_key(lladdr)) {
            self.welcome(now, segment, *lladdr, orders);
        }
        self.heed(now, segment, orders);
    }

    /// What the list says is held in favour of every host on the segment, and the quiet are decided upon.
    fn heed(&mut self, now: Time, segment: SegmentId, orders: &mut Vec<Order>) {
        if self.segment(segment).air.role != Some(WifiRole::AccessPoint) {
            return;
        }
        let quiet = self.segment(segment).plan.expiry.quiet;
        for key in self.keys_of(|host| host.segment == segment && host.life == Life::Alive) {
            self.refresh_by_radio(key);
            let Some(host) = self.hosts.get_mut(&key).filter(|host| host.last_heard + quiet <= now) else {
                continue;
            };
            host.due = now;
            self.host_due(now, now, key, orders);
        }
    }

    /// A station that was heard speaks for its host, if it has but one: of several any may have spoken.
    fn refresh_by_radio(&mut self, key: Key) {
        let Some(host) = self.hosts.get_mut(&key) else { return };
        let segment = &self.segments[host.segment.index()];
        let is_alone = segment.holders.get(&host.lladdr).is_none_or(|held| *held <= 1);
        if let Some(heard) = segment.air.stations.get(&host.lladdr).filter(|_| is_alone) {
            host.last_heard = host.last_heard.max(*heard);
        }
    }

    /// Until when a quiet host needs no question, because of what its access point knows: it was heard, or its
    /// station sleeps, and a question would wake it for nothing. `None`: it is to be asked.
    pub(super) fn spared_until(
        &mut self,
        now: Time,
        at: Time,
        key: Key,
        orders: &mut Vec<Order>,
    ) -> Option<Time> {
        let Host { segment: id, lladdr, .. } = *self.hosts.get(&key)?;
        let segment = &mut self.segments[id.index()];
        if segment.air.role != Some(WifiRole::AccessPoint) || !segment.is_up() || lladdr.is_empty() {
            return None;
        }
        let (word, is_wanted) = segment.air.word_of(now, at, &lladdr);
        if is_wanted {
            orders.push(Order::ReadStations { segment: id });
        }
        let heard = match word {
            Word::Wait(until) => return Some(until),
            Word::Silence => return None,
            Word::Heard(heard) => heard,
        };
        let quiet = segment.plan.expiry.quiet;
        self.refresh_by_radio(key);
        let last_heard = self.hosts.get(&key)?.last_heard;
        if last_heard + quiet > now {
            return Some(on_grid(last_heard + quiet, quiet));
        }
        // Awake, but it is another of its hosts that spoke: a question costs it nothing.
        let is_awake = heard + quiet > now;
        let is_lost = now.since(heard) >= ASLEEP;
        (!is_awake && !is_lost).then(|| on_grid(now + quiet.max(FRESH), quiet).min(heard + ASLEEP))
    }

    /// The segment's interface found an access point: its hosts are asked at once, and what we answer for is
    /// announced, because whoever is behind that access point may have it from elsewhere.
    pub(super) fn associated(&mut self, now: Time, segment: SegmentId, orders: &mut Vec<Order>) {
        let air = &mut self.segment_mut(segment).air;
        (air.parted, air.unannounced) = (false, true);
        self.look_again(now, segment, orders);
        let is_up = self.segment(segment).is_up();
        for key in self.keys_of(|host| is_up && host.segment == segment) {
            self.suspect(now, key);
            self.rouse(now, key);
        }
    }

    /// The segment's interface lost its access point, which is to it what a cable is to others.
    pub(super) fn disassociated(&mut self, now: Time, segment: SegmentId, orders: &mut Vec<Order>) {
        self.segment_mut(segment).air.parted = true;
        self.look_again(now, segment, orders);
    }
}

/// Whether the host lives on the segment by way of this station, and not because the operator says so.
fn is_carried(host: &Host, segment: SegmentId, lladdr: &LinkAddr) -> bool {
    host.is_live()
        && host.segment == segment
        && host.lladdr.same_port(lladdr)
        && host.origin != Origin::Static
}
