//! What the program that answers inside the kernel was given: links, on which it answers, and hosts, whom it answers and
//! for whom. Who is given to it is decided in `fast_policy.rs`.

use std::collections::{BTreeSet, HashMap};

use super::key::{Key, KeyHashing};
use crate::address::Prefix;
use crate::lladdr::LinkAddr;
use crate::pace::Pace;
use crate::plan::{AnswerMode, DomainId, Plan, SegmentId};
use crate::time::Time;

/// Hosts a second of whom is read what the program noticed, and at once: a microsecond each, and the thread that reads it
/// answers requests, too.
const READS: (u32, u32) = (25_600, 256);
/// Own link-layer addresses that are kept, beside eight of each segment.
const OWN_LLADDRS: usize = 64;

/// What the program knows of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resident {
    pub(super) segment: SegmentId,
    pub(super) lladdr: LinkAddr,
    /// Whether it is answered for on other segments.
    pub(super) answered_for: bool,
}

/// An interface where the program answers, and as whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FastLink {
    pub(super) interface: u32,
    pub(super) lladdr: LinkAddr,
}

/// Why it is being read what the program noticed of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The time to look at the host has come.
    Look {
        /// When that was set for.
        at: Time,
    },
    /// Somebody asked for it, and it was quiet as far as is known.
    Request,
}

/// A host that was given to the program.
#[derive(Debug)]
struct FastHost {
    resident: Resident,
    since: Time,
    reading: Option<Reading>,
}

/// What is known of a segment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FastSegment {
    /// The number that its interface had when this was decided.
    pub(super) interface: Option<u32>,
    /// The program answers on its interface.
    pub(super) link: Option<FastLink>,
    /// The program may know hosts that live here.
    pub(super) is_home: bool,
}

/// What the plan says of a domain.
#[derive(Debug, Default)]
struct FastDomain {
    /// The program may answer on a segment of it.
    is_served: bool,
    /// Addresses that are not answered for on one segment or another.
    never: Vec<Prefix>,
}

/// Everything that was given to the program.
#[derive(Debug)]
pub(super) struct FastAnswers {
    is_ready: bool,
    /// There is a program, and a segment where it may answer, or there was one in an earlier plan.
    is_on: bool,
    domains: Vec<FastDomain>,
    segments: Vec<FastSegment>,
    /// Never iterated without sorting.
    hosts: HashMap<Key, FastHost, KeyHashing>,
    /// Link-layer addresses that are or were our own.
    own: BTreeSet<LinkAddr>,
    /// Segments of which something changed, and hosts.
    pub(super) doubtful_segments: Vec<SegmentId>,
    pub(super) doubtful: Vec<Key>,
    pub(super) reads: Pace,
}

impl FastAnswers {
    pub(super) fn new(plan: &Plan) -> Self {
        let (rate, burst) = READS;
        let mut fast = Self {
            is_ready: false,
            is_on: false,
            domains: Vec::new(),
            segments: Vec::new(),
            hosts: HashMap::default(),
            own: BTreeSet::new(),
            doubtful_segments: Vec::new(),
            doubtful: Vec::new(),
            reads: Pace::new(rate, burst),
        };
        fast.adopt_plan(plan);
        fast
    }

    /// The plan is this one from now on; it may become of the one before.
    pub(super) fn adopt_plan(&mut self, plan: &Plan) {
        self.domains = plan.domains.iter().map(|_| FastDomain::default()).collect();
        for segment in plan.segments.iter().filter(|segment| !segment.is_retired()) {
            let domain = &mut self.domains[segment.domain.index()];
            // Of two gateways one may hang, and be replaced before its program falls silent.
            let is_one_of_two = plan.domains[segment.domain.index()].ha.is_some();
            domain.is_served |= segment.kernel.fast && segment.answer == AnswerMode::Live && !is_one_of_two;
            domain.never.extend(&segment.addresses.never);
        }
        self.segments.resize_with(plan.segments.len(), FastSegment::default);
        self.is_on = self.is_ready && (self.is_on || self.is_any_served());
    }

    fn is_any_served(&self) -> bool {
        self.domains.iter().any(|domain| domain.is_served)
    }

    /// The program can be given hosts from now on, and knows none; or it cannot.
    pub(super) fn set_ready(&mut self, is_ready: bool) {
        self.is_ready = is_ready;
        self.is_on = is_ready && self.is_any_served();
        self.hosts.clear();
        self.segments.fill(FastSegment::default());
        self.doubtful.clear();
        self.doubtful_segments.clear();
    }

    /// Whether there is anything to be followed.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Something changed that decides whether the segment's interface or its hosts are given to the program.
    pub(super) fn doubt_segment(&mut self, segment: SegmentId) {
        if self.is_on {
            self.doubtful_segments.push(segment);
        }
    }

    /// Whether the program may know hosts of the domain.
    pub(super) fn is_served(&self, domain: DomainId) -> bool {
        self.domains[domain.index()].is_served
    }

    /// Whether the address is answered for on all segments but its own.
    pub(super) fn is_answerable(&self, key: &Key) -> bool {
        !self.domains[key.domain.index()].never.iter().any(|prefix| prefix.contains(key.address))
    }

    pub(super) fn segment(&self, id: SegmentId) -> FastSegment {
        self.segments[id.index()]
    }

    pub(super) fn segment_mut(&mut self, id: SegmentId) -> &mut FastSegment {
        &mut self.segments[id.index()]
    }

    /// All links of the program, which are forgotten.
    pub(super) fn take_links(&mut self) -> Vec<FastLink> {
        self.segments.iter_mut().filter_map(|segment| segment.link.take()).collect()
    }

    /// Whether the link-layer address is or was our own on a segment.
    pub(super) fn is_own(&self, lladdr: &LinkAddr) -> bool {
        self.own.contains(lladdr)
    }

    /// The link-layer address is our own from now on. Hosts that have it are none, perhaps.
    pub(super) fn note_own(&mut self, lladdr: LinkAddr) {
        if lladdr.is_empty() || !self.own.insert(lladdr) {
            return;
        }
        let is_its = |(_, host): &(&Key, &FastHost)| host.resident.lladdr == lladdr;
        self.doubtful.extend(self.hosts.iter().filter(is_its).map(|(key, _)| *key));
    }

    /// Whether so many own link-layer addresses are known that those which are no longer ours are to be forgotten.
    pub(super) fn has_many_own(&self) -> bool {
        self.own.len() > 8 * self.segments.len() + OWN_LLADDRS
    }

    pub(super) fn forget_own(&mut self) {
        self.own.clear();
    }

    /// What the program knows of a host.
    pub(super) fn resident(&self, key: &Key) -> Option<Resident> {
        if self.hosts.is_empty() {
            return None;
        }
        self.hosts.get(key).map(|host| host.resident)
    }

    /// For how many seconds the program has answered for a host.
    pub(super) fn seconds_answered(&self, key: &Key, now: Time) -> Option<u64> {
        let host = self.hosts.get(key).filter(|host| host.resident.answered_for)?;
        Some(now.since(host.since).as_secs())
    }

    /// The program knows the host like this from now on, and noticed nothing of it; or no longer.
    pub(super) fn set_resident(&mut self, key: Key, resident: Option<Resident>, now: Time) {
        match resident {
            Some(resident) => {
                self.hosts.insert(key, FastHost { resident, since: now, reading: None });
            }
            None => {
                self.hosts.remove(&key);
            }
        }
    }

    /// It is being read what the program noticed of a host. True if it was not before.
    pub(super) fn begin_reading(&mut self, key: &Key, reading: Reading) -> bool {
        let host = self.hosts.get_mut(key).filter(|host| host.reading.is_none());
        host.map(|host| host.reading = Some(reading)).is_some()
    }

    /// Why it is being read what the program noticed of the host, and since when that counts; from now on it is not.
    pub(super) fn end_reading(&mut self, key: &Key) -> Option<(Reading, Time)> {
        let host = self.hosts.get_mut(key)?;
        host.reading.take().map(|reading| (reading, host.since))
    }
}
