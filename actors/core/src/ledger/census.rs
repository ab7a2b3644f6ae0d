//! The hosts of one segment, counted.

use std::collections::{BTreeMap, HashMap};

use super::host::Host;
use super::key::Key;
use crate::lladdr::LinkAddr;
use crate::plan::{Behind, SegmentPlan, is_behind};

/// The hosts of one segment, counted.
#[derive(Debug)]
pub(super) struct Census {
    pub(super) live: u32,
    pub(super) dormant: u32,
    /// Dormant hosts at the most.
    pub(super) room: u32,
    /// Live hosts of each link-layer address, those behind it left out.
    holders: HashMap<LinkAddr, u32>,
    /// Stations that speak for hosts behind them.
    behind: BTreeMap<LinkAddr, Behind>,
}

impl Census {
    /// Of a segment without hosts.
    pub(super) fn new(plan: &SegmentPlan) -> Self {
        Self {
            live: 0,
            dormant: 0,
            room: plan.limits.hosts,
            holders: HashMap::new(),
            behind: plan.addresses.behind.clone(),
        }
    }

    /// Live hosts at one link-layer address, those behind it left out.
    pub(super) fn held_by(&self, lladdr: &LinkAddr) -> u32 {
        self.holders.get(&lladdr.port()).copied().unwrap_or_default()
    }

    /// One more live host is at the link-layer address.
    pub(super) fn hold(&mut self, key: &Key, lladdr: &LinkAddr) {
        if !lladdr.is_empty() && !is_behind(&self.behind, lladdr, key.address) {
            *self.holders.entry(lladdr.port()).or_default() += 1;
        }
    }

    /// One less is.
    pub(super) fn release(&mut self, key: &Key, lladdr: &LinkAddr) {
        if is_behind(&self.behind, lladdr, key.address) {
            return;
        }
        if let Some(held) = self.holders.get_mut(&lladdr.port()) {
            *held -= 1;
            if *held == 0 {
                self.holders.remove(&lladdr.port());
            }
        }
    }

    /// A host is on the segment, live or remembered.
    pub(super) fn add(&mut self, key: &Key, host: &Host) {
        if host.is_live() {
            self.live += 1;
            self.hold(key, &host.lladdr);
        } else {
            self.dormant += 1;
        }
    }

    /// It is not any longer, or is to be added in another state.
    pub(super) fn subtract(&mut self, key: &Key, host: &Host) {
        if host.is_live() {
            self.live -= 1;
            self.release(key, &host.lladdr);
        } else {
            self.dormant -= 1;
        }
    }
}
