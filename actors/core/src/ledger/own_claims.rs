//! Claims for addresses of this machine. Nothing follows from one while the address is ours; the moment it is not,
//! its claimants are asked. So a virtual address (VRRP) that goes back to its master is routed at once, although the
//! master announced it before this machine had let it go, and does not announce it again.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;

/// Claims that are remembered.
const CLAIMS: usize = 1024;

/// The last claimant of each own address on each segment.
#[derive(Debug, Default)]
pub(super) struct OwnClaims(BTreeMap<(Address, SegmentId), LinkAddr>);

impl OwnClaims {
    /// A station on the segment claimed an address of ours.
    pub(super) fn note_claim(&mut self, address: Address, segment: SegmentId, lladdr: LinkAddr) {
        if self.0.len() >= CLAIMS && !self.0.contains_key(&(address, segment)) {
            self.0.pop_first();
        }
        self.0.insert((address, segment), lladdr);
    }

    /// Takes the claimants of an address that is no longer ours.
    pub(super) fn take_claimants(&mut self, address: Address) -> Vec<(SegmentId, LinkAddr)> {
        let all = (address, SegmentId(0))..=(address, SegmentId(u16::MAX));
        let keys: Vec<_> = self.0.range(all).map(|(key, _)| *key).collect();
        keys.into_iter().filter_map(|key| Some((key.1, self.0.remove(&key)?))).collect()
    }
}
