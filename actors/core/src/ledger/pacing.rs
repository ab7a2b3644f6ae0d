//! How much may be done on each segment, and in each domain, in a second, and what was passed over for it.

use super::verification::Verification;
use crate::pace::Pace;
use crate::plan::{DomainId, DomainPlan, Plan, SegmentId, SegmentPlan};
use crate::time::Time;

/// Searches for unknown targets a second and segment.
const SEARCH_RATE: u32 = 2000;
/// Sightings a second that are confirmed by a request of ours.
const CONFIRMATION_RATE: u32 = 100;
/// Look-ups of routes a second; each costs the kernel some microseconds.
const LOOKUP_RATE: u32 = 10_000;

/// The paces of all segments and domains.
#[derive(Debug)]
pub(super) struct Pacing {
    segments: Vec<SegmentPace>,
    /// Searches on all segments of each domain, with their rate.
    searches: Vec<(u32, Pace)>,
}

/// The paces of one segment.
#[derive(Debug)]
pub(super) struct SegmentPace {
    /// Of sweeps and probes, and of new hosts, as planned.
    rates: (Option<u32>, u32),
    /// New hosts; a fabric that comes back after a power cut speaks all at once.
    pub(super) newcomers: Pace,
    /// Probes of known hosts, and hosts that wait for theirs.
    pub(super) verification: Verification,
    /// Corrections of outdated caches, beside those that the pace of probes leaves room for.
    corrections: Pace,
    /// Hosts whose station was heard on the segment, and nothing else of it.
    pub(super) traces: Pace,
    /// Searches for unknown targets.
    pub(super) searches: Pace,
    /// Sightings that are to be confirmed.
    pub(super) confirmations: Pace,
    /// Look-ups of routes.
    pub(super) lookups: Pace,
    /// Sightings that were not learned because frame source and ARP sender differ.
    pub(super) mismatched: u64,
    /// Packets of a multicast sender that the operator did not name.
    pub(super) multicast: u64,
    /// Requests for unknown targets that were not followed up because there were too many.
    pub(super) shed: u64,
}

impl Pacing {
    pub(super) fn new(plan: &Plan) -> Self {
        let search_pace = |domain: &DomainPlan| {
            let rate = domain.limits.searches_per_second;
            (rate, Pace::new(rate, rate))
        };
        Self {
            segments: plan.segments.iter().map(SegmentPace::new).collect(),
            searches: plan.domains.iter().map(search_pace).collect(),
        }
    }

    /// The plan is this one from now on. Paces that are the same go on, and so do the counters.
    pub(super) fn replan(&mut self, plan: &Plan) {
        let before = std::mem::replace(self, Self::new(plan));
        for (new, old) in self.searches.iter_mut().zip(before.searches).filter(|(new, old)| new.0 == old.0) {
            *new = old;
        }
        for (new, old) in self.segments.iter_mut().zip(before.segments) {
            if new.rates == old.rates {
                *new = old;
            } else {
                let pace = std::mem::replace(&mut new.verification, old.verification).into_pace();
                new.verification.set_pace(pace);
                (new.mismatched, new.multicast, new.shed) = (old.mismatched, old.multicast, old.shed);
            }
        }
    }

    pub(super) fn pace(&self, segment: SegmentId) -> &SegmentPace {
        &self.segments[segment.index()]
    }

    pub(super) fn pace_mut(&mut self, segment: SegmentId) -> &mut SegmentPace {
        &mut self.segments[segment.index()]
    }

    /// Takes the domain's places for searches on so many segments, which are for one target: it may be on any of them, so
    /// it is searched for on all or on none. Whoever has many searched for leaves half of the pace to others.
    pub(super) fn take_searches(&mut self, domain: DomainId, count: usize, is_many: bool, now: Time) -> bool {
        let Some((_, pace)) = self.searches.get_mut(domain.index()) else { return true };
        pace.take_many(now, u32::try_from(count).unwrap_or(u32::MAX), is_many)
    }
}

fn probe_pace(plan: &SegmentPlan) -> Pace {
    let rate = plan.questions_per_second();
    Pace::new(rate, rate / 10)
}

impl SegmentPace {
    fn new(plan: &SegmentPlan) -> Self {
        // Sweeps have the rest; where there are none, all of it is for questions.
        let rate = plan.sweep.map_or(plan.questions_per_second(), |sweep| sweep.rate);
        let newcomers = plan.limits.new_per_second;
        Self {
            rates: (plan.sweep.map(|sweep| sweep.rate), newcomers),
            newcomers: Pace::new(newcomers, newcomers.saturating_mul(4)),
            verification: Verification::new(probe_pace(plan)),
            corrections: Pace::new(rate / 4, rate / 2),
            traces: Pace::new(rate / 4, rate / 2),
            searches: Pace::new(SEARCH_RATE, SEARCH_RATE),
            confirmations: Pace::new(CONFIRMATION_RATE, CONFIRMATION_RATE),
            lookups: Pace::new(LOOKUP_RATE, LOOKUP_RATE / 4),
            mismatched: 0,
            multicast: 0,
            shed: 0,
        }
    }

    /// When a cache may be corrected next: now or later. Corrections have a quarter of the segment's rate for
    /// themselves, with a burst of half a second's worth, and what probes of known hosts leave of theirs; a sweep
    /// gives way to both.
    pub(super) fn earliest_correction(&self, now: Time) -> Time {
        let own = self.corrections.earliest(now);
        if self.verification.is_idle() { own.min(self.verification.earliest(now)) } else { own }
    }

    /// Takes the place for a correction.
    pub(super) fn take_correction(&mut self, now: Time) {
        if !self.corrections.take(now) {
            self.verification.take_spare(now);
        }
    }
}
