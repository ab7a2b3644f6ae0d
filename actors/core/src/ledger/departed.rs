//! Where hosts were that have gone, without a limit of time and within one of number: a machine that sleeps may be woken
//! after days.

use std::collections::{HashMap, VecDeque};

use super::key::{Key, KeyHashing};
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;

/// Hosts that are remembered after they have gone; those that went last.
const DEPARTED: usize = 4096;

/// Where hosts were that have gone.
#[derive(Debug, Default)]
pub(super) struct Departed {
    places: HashMap<Key, (SegmentId, LinkAddr), KeyHashing>,
    /// In the order in which they went. A host that went again stands here more than once.
    order: VecDeque<Key>,
}

impl Departed {
    /// A host has gone from there.
    pub(super) fn note(&mut self, key: Key, segment: SegmentId, lladdr: LinkAddr) {
        if self.places.insert(key, (segment, lladdr)).is_some() {
            // Rarely many: only who comes and goes.
            self.order.retain(|other| *other != key);
        }
        self.order.push_back(key);
        if self.order.len() > DEPARTED
            && let Some(oldest) = self.order.pop_front()
        {
            self.places.remove(&oldest);
        }
    }

    /// Where the address's host was last.
    pub(super) fn place(&self, key: &Key) -> Option<(SegmentId, LinkAddr)> {
        self.places.get(key).copied()
    }
}
