//! What the rooms of the ledger name things by.

use crate::address::Address;
use crate::plan::{DomainId, SegmentId};

/// An address within its domain; domains never mix, so the same address in two domains is two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) domain: DomainId,
    pub(super) address: Address,
}

/// Two segments, in either order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair(pub(super) SegmentId, pub(super) SegmentId);

impl Pair {
    pub(super) fn of(one: SegmentId, other: SegmentId) -> Self {
        Self(one.min(other), one.max(other))
    }
}
