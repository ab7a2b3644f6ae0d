//! Where hosts were that have gone, without a limit of time and within one of number: a machine that sleeps may be woken
//! after days.

use std::collections::{BTreeMap, HashMap};

use super::key::{Key, KeyHashing};
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;

/// Hosts that are remembered after they have gone; those that went last.
const DEPARTED: usize = 4096;

/// Where hosts were that have gone.
#[derive(Debug, Default)]
pub(super) struct Departed {
    /// With the number of each in the order in which they went.
    places: HashMap<Key, (u64, SegmentId, LinkAddr), KeyHashing>,
    /// By that number, so that nothing is scanned when a link with thousands of hosts goes down once more.
    order: BTreeMap<u64, Key>,
    next: u64,
}

impl Departed {
    /// A host has gone from there.
    pub(super) fn note(&mut self, key: Key, segment: SegmentId, lladdr: LinkAddr) {
        self.next += 1;
        if let Some((before, ..)) = self.places.insert(key, (self.next, segment, lladdr)) {
            self.order.remove(&before);
        }
        self.order.insert(self.next, key);
        if self.order.len() > DEPARTED
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.places.remove(&oldest);
        }
    }

    /// Where the address's host was last.
    pub(super) fn place(&self, key: &Key) -> Option<(SegmentId, LinkAddr)> {
        self.places.get(key).map(|(_, segment, lladdr)| (*segment, *lladdr))
    }
}
