//! Targets nobody is known to have: they are searched for while those who asked wait.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::effects::Effects;
use super::journal::Rule;
use super::key::{Key, KeyHashing};
use super::operator::probes::OperatorProbes;
use super::pacing::Pacing;
use super::policy;
use super::reports::Subject;
use super::timers::{Timer, Token};
use super::topology::Topology;
use crate::address::Address;
use crate::arp::Arp;
use crate::event::{Event, Limit};
use crate::lladdr::LinkAddr;
use crate::order::Purpose;
use crate::plan::SegmentId;
use crate::time::Time;

/// One target is searched for on one segment at most this often.
const SEARCH_GAP: Duration = Duration::from_secs(1);
/// How long a requester waits for its answer; it asks again by itself after a second.
const HOLD: Duration = Duration::from_millis(1500);
/// Unknown targets searched for at the same time; more are shed.
const SEARCHES: usize = 4096;
/// Unknown targets one station may have searched for at the same time, so that a flood of one leaves room for
/// others. Whoever asks for hosts that are there never gets near it.
const SEARCHES_PER_STATION: u32 = 1000;
/// Whoever has more searched for at the same time leaves half of the domain's pace to others.
const FEW_SEARCHES: u32 = 16;
/// A request that comes so soon after our own search for the target may be an echo of it.
const ECHO: Duration = Duration::from_millis(100);
/// Requesters held for one target.
const REQUESTERS: usize = 16;

/// A search was given up.
static NOBODY_ANSWERED: Rule =
    Rule { name: "nobody_answered", because: "it was searched for, and nobody answered" };

/// Who waits for a target to prove itself. An unspecified address is that of an address probe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requester {
    pub(super) segment: SegmentId,
    pub(super) lladdr: LinkAddr,
    pub(super) address: Address,
    at: Time,
    /// It is not answered yet; otherwise its request only had the target searched for.
    pub(super) is_waiting: bool,
    /// It asked of its own accord since the last search of ours, or was the cause of it. Only then the target is
    /// searched for once more without another request: a proxy that repeats our search on its segment must not
    /// keep it going.
    is_cause: bool,
}

impl Requester {
    pub(super) fn new(now: Time, segment: SegmentId, lladdr: LinkAddr, address: Address) -> Self {
        Self { segment, lladdr, address, at: now, is_waiting: true, is_cause: false }
    }

    /// The sender of a request.
    pub(super) fn of(now: Time, segment: SegmentId, arp: &Arp) -> Self {
        Self::new(now, segment, arp.sender_lladdr, arp.sender)
    }

    /// The same, answered already.
    pub(super) fn answered(self) -> Self {
        Self { is_waiting: false, ..self }
    }

    /// Whether it only wants to know that nobody has the address (RFC 5227).
    pub(super) fn is_prober(&self) -> bool {
        self.address.is_unspecified()
    }

    fn is_same_station(&self, other: &Self) -> bool {
        (self.segment, self.lladdr) == (other.segment, other.lladdr)
    }
}

/// A target that is searched for.
#[derive(Debug)]
struct Search {
    requesters: Vec<Requester>,
    /// On whose behalf it was first searched for.
    first: (SegmentId, LinkAddr),
    /// Where it was searched for, and when last.
    searched: Vec<(SegmentId, Time)>,
    timer: Token,
}

/// All targets that are searched for.
#[derive(Debug, Default)]
pub(super) struct Searches {
    open: BTreeMap<Key, Search>,
    /// How many of them on behalf of each station.
    by_station: HashMap<(SegmentId, LinkAddr), u32, KeyHashing>,
    /// Those of operators, each made once and not repeated.
    pub(super) probes: OperatorProbes,
}

impl Searches {
    /// Holds the request and searches wherever the target may be.
    pub(super) fn search(
        &mut self,
        key: Key,
        mut requester: Requester,
        topology: &Topology,
        pacing: &mut Pacing,
        effects: &mut Effects,
    ) {
        let segment = topology.segment(requester.segment);
        let places = policy::places_to_search(topology, segment, requester.address, key.address);
        if places.is_empty() {
            return;
        }
        // Only what is searched for anew counts against the station: it may ask as often as it likes.
        if !self.open.contains_key(&key) && !self.admit((requester.segment, requester.lladdr)) {
            pacing.pace_mut(requester.segment).shed += 1;
            return;
        }
        let now = effects.now();
        let is_many = self.by_station.get(&(requester.segment, requester.lladdr)) > Some(&FEW_SEARCHES);
        let search = self.open.entry(key).or_insert_with(|| Search {
            requesters: Vec::new(),
            first: (requester.segment, requester.lladdr),
            searched: Vec::new(),
            timer: effects.after(SEARCH_GAP, Timer::Search(key)),
        });
        let is_no_echo = search.searched.iter().all(|(_, at)| now.since(*at) >= ECHO);
        requester.is_cause =
            is_no_echo || search.requesters.iter().any(|old| old.is_same_station(&requester) && old.is_cause);
        search.requesters.retain(|old| !old.is_same_station(&requester));
        if search.requesters.len() < REQUESTERS {
            search.requesters.push(requester);
        }
        let cause = Cause { requester, is_many };
        search.search_in(&key, &cause, &places, topology, pacing, effects);
    }

    fn admit(&mut self, station: (SegmentId, LinkAddr)) -> bool {
        if self.open.len() >= SEARCHES {
            return false;
        }
        let open = self.by_station.entry(station).or_default();
        let is_free = *open < SEARCHES_PER_STATION;
        *open += u32::from(is_free);
        is_free
    }

    /// Whether anything is searched for.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether the target is searched for.
    pub(super) fn is_sought(&self, key: &Key) -> bool {
        self.open.contains_key(key)
    }

    /// How many stations wait for a target that is searched for, and where it was searched for.
    pub(super) fn progress(&self, key: &Key) -> Option<(u64, impl Iterator<Item = SegmentId>)> {
        let search = self.open.get(key)?;
        let waiting = search.requesters.iter().filter(|requester| requester.is_waiting).count();
        Some((waiting as u64, search.searched.iter().map(|(segment, _)| *segment)))
    }

    /// A target is found, given up, or nobody's to search for. Returns those who asked for it.
    pub(super) fn close_search(&mut self, key: &Key) -> Vec<Requester> {
        let Some(search) = self.open.remove(key) else { return Vec::new() };
        if let Some(open) = self.by_station.get_mut(&search.first) {
            *open -= 1;
            if *open == 0 {
                self.by_station.remove(&search.first);
            }
        }
        search.requesters
    }

    /// Gives up the targets that fit.
    pub(super) fn close_searches_for(&mut self, fits: impl Fn(Address) -> bool) {
        let keys: Vec<Key> = self.open.keys().filter(|key| fits(key.address)).copied().collect();
        for key in keys {
            self.close_search(&key);
        }
    }

    /// A prober of the same address on another segment, if one waits.
    pub(super) fn other_prober(&self, key: &Key, segment: SegmentId, lladdr: &LinkAddr) -> Option<Requester> {
        let search = self.open.get(key)?;
        let is_other =
            |it: &&Requester| it.is_prober() && it.segment != segment && !it.lladdr.same_port(lladdr);
        search.requesters.iter().find(is_other).copied()
    }

    /// A search's timer fired: it is given up, or goes on for those who still ask.
    pub(super) fn search_due(
        &mut self,
        key: Key,
        timer: Token,
        topology: &Topology,
        pacing: &mut Pacing,
        effects: &mut Effects,
    ) {
        let now = effects.now();
        let Some(search) = self.open.get_mut(&key).filter(|search| search.timer == timer) else { return };
        search.requesters.retain(|requester| now.since(requester.at) < HOLD);
        let is_recent = |(_, then): &(SegmentId, Time)| now.since(*then) < SEARCH_GAP;
        if search.requesters.is_empty() && !search.searched.iter().any(is_recent) {
            let (segment, lladdr) = search.first;
            self.close_search(&key);
            effects.note(key.address, &NOBODY_ANSWERED, segment, lladdr);
            return;
        }
        search.timer = effects.after(SEARCH_GAP, Timer::Search(key));
        let causes: Vec<Requester> = search.requesters.iter().copied().filter(|it| it.is_cause).collect();
        for requester in &mut search.requesters {
            requester.is_cause = false;
        }
        for requester in causes {
            let is_many = self.by_station.get(&(requester.segment, requester.lladdr)) > Some(&FEW_SEARCHES);
            let segment = topology.segment(requester.segment);
            let places = policy::places_to_search(topology, segment, requester.address, key.address);
            let cause = Cause { requester, is_many };
            search.search_in(&key, &cause, &places, topology, pacing, effects);
        }
    }
}

/// On whose behalf a target is searched for.
struct Cause {
    requester: Requester,
    /// It has many others searched for.
    is_many: bool,
}

impl Search {
    /// Sends requests to those of the places where the target was not searched for lately, as far as the domain's limit
    /// and the segments' allow.
    fn search_in(
        &mut self,
        key: &Key,
        cause: &Cause,
        places: &[SegmentId],
        topology: &Topology,
        pacing: &mut Pacing,
        effects: &mut Effects,
    ) {
        let now = effects.now();
        // Who probes for the target, perhaps here, would take a request in nobody's name for another prober's.
        let is_probed_for = self.requesters.iter().any(Requester::is_prober);
        let Cause { requester: Requester { segment, lladdr, .. }, is_many } = *cause;
        let target = key.address;
        let is_recent = |place: &SegmentId| {
            self.searched.iter().any(|(segment, at)| segment == place && now.since(*at) < SEARCH_GAP)
        };
        let due: Vec<SegmentId> = places.iter().copied().filter(|place| !is_recent(place)).collect();
        if !due.is_empty() && !pacing.take_searches(key.domain, due.len(), is_many, now) {
            pacing.pace_mut(segment).shed += 1;
            let limit = Limit::SearchesPerSecond;
            let event = Event::LimitReached { segment, limit, address: target, lladdr };
            effects.report(segment, Subject::Limit(limit), event);
            return;
        }
        for place in due {
            let last = self.searched.iter_mut().find(|(segment, _)| *segment == place);
            let pace = pacing.pace_mut(place);
            if !pace.searches.take(now) {
                pace.shed += 1;
                continue;
            }
            match last {
                Some((_, at)) => *at = now,
                None => self.searched.push((place, now)),
            }
            if is_probed_for {
                effects.request_once(topology.segment(place), target, None, Purpose::Search);
            } else {
                effects.request(topology.segment(place), target, None, Purpose::Search);
            }
        }
    }
}
