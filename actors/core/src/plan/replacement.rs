//! What becomes of one plan when another takes its place.

use std::collections::BTreeSet;

use super::{Plan, SegmentId};
use crate::address::Prefix;
use crate::fact::Fact;

impl Plan {
    /// What the ledger of this plan is given before that of the next one takes its place.
    pub fn give_way_to(&self, next: &Self) -> Fact {
        let numbered = (0..).map(SegmentId).zip(&self.segments);
        let retired =
            numbered.filter(|(_, segment)| !segment.is_retired() && !next.serves(&segment.interface));
        let prefixes: Vec<Prefix> =
            next.domains.iter().flat_map(|domain| domain.prefixes.iter().copied()).collect();
        Fact::Replaced { retired: retired.map(|(id, _)| id).collect(), prefixes }
    }

    /// Interfaces that this plan serves and the next one does not.
    pub fn interfaces_without(&self, next: &Self) -> Vec<String> {
        let served = self.segments.iter().filter(|segment| !segment.is_retired());
        let interfaces: BTreeSet<_> = served.map(|segment| segment.interface.clone()).collect();
        interfaces.into_iter().filter(|interface| !next.serves(interface)).collect()
    }

    /// Whether a segment is reached through the interface.
    pub fn serves(&self, interface: &str) -> bool {
        self.segments.iter().any(|segment| segment.interface == interface)
    }
}
