//! What was decided about each address lately, and why: a bounded memory, which only `explain` reads.
//!
//! What every packet repeats is not in it: that a known host was heard at its place, that a request for it was
//! answered, that neighbours asked each other. `explain` works that out anew, by the functions that decide it.

use std::collections::{HashMap, VecDeque};
use std::slice;

use super::key::KeyHashing;
use crate::address::Address;
use crate::event::{Event, EventKind};
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;
use crate::time::Time;

/// Addresses whose decisions are remembered; the one that came in first makes room.
const ADDRESSES: usize = 4096;
/// Decisions remembered for each.
const DECISIONS: usize = 16;

/// A rule by which something was decided: a stable name, and what it says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) because: &'static str,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// An event was reported, or would have been but for its like of a moment ago.
    Event(Box<Event>),
    /// A rule applied that reports nothing, or an event happened that says no more than this.
    Rule {
        rule: &'static Rule,
        /// Where what caused it was heard.
        segment: SegmentId,
        /// Who caused it.
        lladdr: LinkAddr,
    },
}

/// Nothing is learned from whom has no lease where leases are demanded.
pub(super) static NOT_LEASED: Rule = Rule {
    name: "not_leased",
    because: "learn.from is leases there, and the address has no lease for its sender",
};

/// A host was found, as it stands in the journal: that is all there is of most addresses, so it takes little room.
static FOUND: Rule = Rule { name: EventKind::HostFound.name(), because: EventKind::HostFound.row().doc };
static GONE: Rule = Rule { name: EventKind::HostGone.name(), because: EventKind::HostGone.row().doc };

impl From<&Event> for Outcome {
    fn from(event: &Event) -> Self {
        match *event {
            Event::HostFound { lladdr, segment, .. } => Self::Rule { rule: &FOUND, segment, lladdr },
            Event::HostGone { lladdr, segment, .. } => Self::Rule { rule: &GONE, segment, lladdr },
            _ => Self::Event(Box::new(event.clone())),
        }
    }
}

/// A decision about an address. The same decision again is the same entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) outcome: Outcome,
    pub(super) first: Time,
    pub(super) last: Time,
    pub(super) times: u32,
}

/// The newest decisions about the addresses that were decided upon last.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// In the order in which the addresses came in.
    records: VecDeque<Record>,
    /// The number of each address's record, counted from the first there ever was, and from 0 again after 2³².
    numbers: HashMap<Address, u32, KeyHashing>,
    /// The number of the first record.
    first: u32,
}

/// What was decided about an address.
#[derive(Debug)]
struct Record {
    address: Address,
    decisions: Decisions,
}

/// Decisions about an address, the newest last. Of most addresses nothing is decided but that a host was found, and that
/// takes no allocation.
#[derive(Debug)]
enum Decisions {
    One(Decision),
    More(Vec<Decision>),
}

impl Decisions {
    fn as_slice(&self) -> &[Decision] {
        match self {
            Self::One(decision) => slice::from_ref(decision),
            Self::More(decisions) => decisions,
        }
    }

    /// A decision again, or one more.
    fn note(&mut self, now: Time, outcome: Outcome) {
        match self {
            Self::One(known) if known.outcome == outcome => known.repeat(now),
            Self::One(known) => *self = Self::More(vec![known.clone(), Decision::new(now, outcome)]),
            Self::More(decisions) => {
                // Two that alternate, such as a duplicate and its refusal, are two entries and not sixteen.
                let same = decisions.iter().position(|known| known.outcome == outcome);
                let decision = match same.map(|at| decisions.remove(at)) {
                    Some(mut known) => {
                        known.repeat(now);
                        known
                    }
                    None => Decision::new(now, outcome),
                };
                if decisions.len() >= DECISIONS {
                    decisions.remove(0);
                }
                decisions.push(decision);
            }
        }
    }
}

impl Decision {
    fn new(now: Time, outcome: Outcome) -> Self {
        Self { outcome, first: now, last: now, times: 1 }
    }

    fn repeat(&mut self, now: Time) {
        self.last = now;
        self.times = self.times.saturating_add(1);
    }
}

impl Journal {
    /// Remembers a decision. If there is none about the address yet, whoever came in first makes room for it.
    pub(super) fn note(&mut self, now: Time, address: Address, outcome: Outcome) {
        if let Some(number) = self.numbers.get(&address) {
            let place = self.place(*number);
            if let Some(record) = self.records.get_mut(place) {
                record.decisions.note(now, outcome);
            }
            return;
        }
        if self.records.len() >= ADDRESSES
            && let Some(oldest) = self.records.pop_front()
        {
            self.numbers.remove(&oldest.address);
            self.first = self.first.wrapping_add(1);
        }
        let number = self.first.wrapping_add(u32::try_from(self.records.len()).unwrap_or_default());
        let decisions = Decisions::One(Decision::new(now, outcome));
        self.records.push_back(Record { address, decisions });
        self.numbers.insert(address, number);
    }

    /// The decisions about an address, the newest first.
    pub(super) fn of(&self, address: Address) -> impl Iterator<Item = &Decision> {
        let record = self.numbers.get(&address).and_then(|number| self.records.get(self.place(*number)));
        record.into_iter().flat_map(|record| record.decisions.as_slice().iter().rev())
    }

    fn place(&self, number: u32) -> usize {
        usize::try_from(number.wrapping_sub(self.first)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    static RULE: Rule = Rule { name: "searched", because: "nobody is known to have it" };

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    fn address(number: usize) -> Address {
        Address::from_bits(u32::try_from(number).expect("a small number"))
    }

    fn searched(segment: u16) -> Outcome {
        Outcome::Rule { rule: &RULE, segment: SegmentId(segment), lladdr: LinkAddr::UNKNOWN }
    }

    fn found() -> Outcome {
        let (address, segment) = (address(9), SegmentId(0));
        Outcome::from(&Event::HostFound { address, lladdr: LinkAddr::UNKNOWN, segment })
    }

    #[test]
    fn the_same_decision_again_is_counted_and_becomes_the_newest() {
        let mut journal = Journal::default();
        for (seconds, outcome) in [(1, searched(0)), (2, found()), (3, searched(0))] {
            journal.note(at(seconds), address(9), outcome);
        }
        let decisions: Vec<_> = journal.of(address(9)).cloned().collect();
        let search = Decision { outcome: searched(0), first: at(1), last: at(3), times: 2 };
        assert_eq!(decisions, [search, Decision { outcome: found(), first: at(2), last: at(2), times: 1 }]);
    }

    #[test]
    fn however_much_happens_it_stays_within_its_bounds() {
        let mut journal = Journal::default();
        for segment in 0..100 {
            journal.note(at(1), address(1), searched(segment));
        }
        assert_eq!(journal.of(address(1)).count(), DECISIONS);
        for number in 2..2 * ADDRESSES {
            journal.note(at(2), address(number), searched(0));
        }
        assert_eq!((journal.numbers.len(), journal.records.len()), (ADDRESSES, ADDRESSES));
        assert_eq!(journal.of(address(1)).count(), 0, "the oldest made room");
        assert_eq!(journal.of(address(2 * ADDRESSES - 1)).count(), 1);
    }
}
