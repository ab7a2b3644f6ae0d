//! Which events were reported lately, so that they are not repeated without end, and how often each happened.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::Address;
use crate::event::{Event, Limit};
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
}

/// Reports made lately, and the count of every event.
#[derive(Debug, Default)]
pub(super) struct Reports {
    lately: BTreeMap<(&'static str, SegmentId, Subject), Time>,
    counts: BTreeMap<&'static str, u64>,
}

impl Reports {
    /// Counts the event, and says whether it is to be reported: its like was not lately.
    pub(super) fn admit(&mut self, now: Time, segment: SegmentId, subject: Subject, event: &Event) -> bool {
        self.count(event);
        let about = (event.name(), segment, subject);
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
    pub(super) fn count(&mut self, event: &Event) {
        *self.counts.entry(event.name()).or_default() += 1;
    }

    /// How often each event happened, reported or not, by its name.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.counts.iter().map(|(name, count)| (*name, *count))
    }
}
