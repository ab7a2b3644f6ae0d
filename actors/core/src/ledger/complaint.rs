//! What operators were told lately, so that it is not repeated without end, and how often it all happened.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::event::Event;
use crate::plan::SegmentId;
use crate::time::Time;

/// The same complaint about the same address is not repeated within this time.
pub(super) const QUIET_BETWEEN_COMPLAINTS: Duration = Duration::from_secs(10);
/// Complaints remembered for that; beyond it, repeats are possible, memory growth is not.
const COMPLAINTS: usize = 4096;

/// An event's name, where it happened and about which address.
type About = (&'static str, SegmentId, Ipv4Addr);

/// Complaints made lately, and the count of every event.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    made: BTreeMap<About, Time>,
    counts: BTreeMap<&'static str, u64>,
}

impl Complaints {
    /// Whether this one was not made lately. If it was, it is only counted.
    pub(super) fn may_make(&mut self, now: Time, about: About) -> bool {
        let lately = |then: &Time| now.since(*then) < QUIET_BETWEEN_COMPLAINTS;
        if self.made.get(&about).is_some_and(lately) {
            *self.counts.entry(about.0).or_default() += 1;
            return false;
        }
        if self.made.len() >= COMPLAINTS {
            self.made.retain(|_, then| lately(then));
        }
        if self.made.len() < COMPLAINTS {
            self.made.insert(about, now);
        }
        true
    }

    /// Counts what was told.
    pub(super) fn count<'a>(&mut self, events: impl Iterator<Item = &'a Event>) {
        for event in events {
            *self.counts.entry(event.name()).or_default() += 1;
        }
    }

    /// How often each event happened, told or not, by its name.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.counts.iter().map(|(name, count)| (*name, *count))
    }
}
