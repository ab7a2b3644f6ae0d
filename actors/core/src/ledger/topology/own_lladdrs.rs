//! The link-layer addresses that are ours on any segment, found at once however many segments there are: every frame that
//! comes in is looked up, for it may be one of ours that came back.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::super::key::KeyHashing;
use super::Segment;
use crate::lladdr::LinkAddr;

/// How many times each address is ours: VLANs of one device have its address, all of them.
#[derive(Debug, Default)]
pub(super) struct OwnLladdrs(HashMap<LinkAddr, u32, KeyHashing>);

impl OwnLladdrs {
    /// Whether the address is ours on any segment.
    pub(super) fn contains(&self, lladdr: &LinkAddr) -> bool {
        self.0.contains_key(&lladdr.port())
    }

    /// Counts those of a segment.
    pub(super) fn add(&mut self, segment: &Segment) {
        for lladdr in segment.own_ports() {
            *self.0.entry(lladdr).or_default() += 1;
        }
    }

    /// Takes back what was counted of a segment: called right before it changes.
    pub(super) fn subtract(&mut self, segment: &Segment) {
        for lladdr in segment.own_ports() {
            if let Entry::Occupied(mut times) = self.0.entry(lladdr) {
                *times.get_mut() -= 1;
                if *times.get() == 0 {
                    times.remove();
                }
            }
        }
    }
}
