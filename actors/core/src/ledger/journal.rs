//! What was decided about each address lately, and why: a bounded memory, which only `explain` reads.
//!
//! What every packet repeats is not in it: that a known host was heard at its place, that a request for it was
//! answered, that neighbours asked each other. `explain` works that out anew, by the functions that decide it.

use std::collections::{HashMap, VecDeque};

use crate::address::Address;
use crate::event::Event;
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
    Event(Event),
    /// A rule applied that reports nothing.
    Rule {
        rule: &'static Rule,
        /// Where what caused it was heard.
        segment: SegmentId,
        /// Who caused it.
        lladdr: LinkAddr,
    },
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
    decisions: HashMap<Address, VecDeque<Decision>>,
    /// The addresses in the order in which they came in.
    order: VecDeque<Address>,
}

impl Journal {
    /// Remembers a decision.
    pub(super) fn note(&mut self, now: Time, address: Address, outcome: Outcome) {
        if !self.decisions.contains_key(&address) {
            self.make_room();
            self.order.push_back(address);
        }
        // Of most addresses nothing is decided but that a host was found.
        let decisions = self.decisions.entry(address).or_insert_with(|| VecDeque::with_capacity(1));
        // Two that alternate, such as a duplicate and its refusal, are two entries and not sixteen.
        let same = decisions.iter().position(|known| known.outcome == outcome);
        let known = same.and_then(|at| decisions.remove(at));
        if known.is_none() && decisions.len() >= DECISIONS {
            decisions.pop_front();
        }
        let (first, times) = known.map_or((now, 0), |known| (known.first, known.times));
        decisions.push_back(Decision { outcome, first, last: now, times: times.saturating_add(1) });
    }

    /// The decisions about an address, the newest first.
    pub(super) fn of(&self, address: Address) -> impl Iterator<Item = &Decision> {
        self.decisions.get(&address).into_iter().flat_map(|decisions| decisions.iter().rev())
    }

    fn make_room(&mut self) {
        if self.order.len() >= ADDRESSES
            && let Some(oldest) = self.order.pop_front()
        {
            self.decisions.remove(&oldest);
        }
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
        Outcome::Event(Event::HostFound { address, lladdr: LinkAddr::UNKNOWN, segment })
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
        assert_eq!((journal.decisions.len(), journal.order.len()), (ADDRESSES, ADDRESSES));
        assert_eq!(journal.of(address(1)).count(), 0, "the oldest made room");
        assert_eq!(journal.of(address(2 * ADDRESSES - 1)).count(), 1);
    }
}
