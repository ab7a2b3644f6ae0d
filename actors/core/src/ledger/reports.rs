//! Which events were reported lately, so that they are not repeated without end, and how often each kind happened.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::Address;
use crate::event::{EventKind, Limit};
use crate::plan::SegmentId;
use crate::time::Time;

/// The same event about the same subject is not reported again within this time.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// Reports remembered for that; beyond it, repeats are possible, memory growth is not.
const REMEMBERED: usize = 4096;

/// What a report is about, apart from its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A host's address.
    Address(Address),
    /// A limit of the segment.
    Limit(Limit),
    /// The segment itself: one such report is enough, whomever it names.
    Segment,
}

/// Reports made lately, and the count of every kind of event.
#[derive(Debug, Default)]
pub(super) struct Reports {
    lately: BTreeMap<(EventKind, SegmentId, Subject), Time>,
    counts: BTreeMap<EventKind, u64>,
}

impl Reports {
    /// Counts the event, and says whether it is to be reported: its like was not lately.
    pub(super) fn admit(&mut self, now: Time, segment: SegmentId, subject: Subject, kind: EventKind) -> bool {
        self.count(kind);
        let about = (kind, segment, subject);
        let is_recent = |then: &Time| now.since(*then) < REPORT_INTERVAL;
        if self.lately.get(&about).is_some_and(is_recent) {
            return false;
        }
        if self.lately.len() >= REMEMBERED {
            self.lately.retain(|_, then| is_recent(then));
        }
        if self.lately.len() < REMEMBERED {
            self.lately.insert(about, now);
        }
        true
    }

    /// Counts an event that is always reported.
    pub(super) fn count(&mut self, kind: EventKind) {
        *self.counts.entry(kind).or_default() += 1;
    }

    /// How often each kind of event happened, reported or not; those that did not are left out.
    pub(super) fn counts(&self) -> impl Iterator<Item = (EventKind, u64)> + '_ {
        self.counts.iter().map(|(kind, count)| (*kind, *count))
    }
}
