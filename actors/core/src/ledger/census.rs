//! The hosts of one segment, counted.

use std::collections::{BTreeMap, HashMap};

use super::host::{Host, Transition};
use super::key::{Key, KeyHashing};
use super::verification::Line;
use crate::lladdr::{ETHERNET_LEN, LinkAddr};
use crate::plan::{Behind, SegmentPlan, is_behind};

/// The hosts of one segment, counted.
#[derive(Debug)]
pub(super) struct Census {
    pub(super) live: u32,
    /// Live ones that are being asked whether they still are.
    pub(super) suspect: u32,
    pub(super) dormant: u32,
    /// Those that wait to be asked, live or dormant.
    pub(super) waiting: u32,
    /// Dormant hosts at the most.
    pub(super) room: u32,
    /// Hosts of each link-layer address.
    holders: Holders,
    /// Stations that speak for hosts behind them.
    behind: BTreeMap<LinkAddr, Behind>,
}

/// Hosts of each port. There may be as many ports as hosts, so Ethernet addresses take the room that they need, and not
/// that of an IPoIB address.
#[derive(Debug, Default)]
struct Holders {
    ethernet: HashMap<[u8; ETHERNET_LEN], Held, KeyHashing>,
    /// None until there is one.
    #[expect(clippy::box_collection, reason = "nearly all of thousands of segments have none")]
    ipoib: Option<Box<HashMap<LinkAddr, Held, KeyHashing>>>,
}

/// The hosts at one link-layer address, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Held {
    /// Live ones that are its own.
    own: u32,
    /// Live ones that the operator says are behind it.
    behind: u32,
    dormant: u32,
}

impl Census {
    /// Of a segment without hosts.
    pub(super) fn new(plan: &SegmentPlan) -> Self {
        Self {
            live: 0,
            suspect: 0,
            dormant: 0,
            waiting: 0,
            room: plan.limits.hosts,
            holders: Holders::default(),
            behind: plan.addresses.behind.clone(),
        }
    }

    /// Live hosts at one link-layer address, those behind it left out.
    pub(super) fn held_by(&self, lladdr: &LinkAddr) -> u32 {
        self.holders.get(lladdr).map_or(0, |held| held.own)
    }

    /// Whether any host is at the link-layer address, live or dormant.
    pub(super) fn is_known(&self, lladdr: &LinkAddr) -> bool {
        self.holders.get(lladdr).is_some()
    }

    /// Whether a dormant host is remembered at the link-layer address.
    pub(super) fn is_remembered(&self, lladdr: &LinkAddr) -> bool {
        self.holders.get(lladdr).is_some_and(|held| held.dormant > 0)
    }

    /// A host is on the segment, live or remembered.
    pub(super) fn add(&mut self, key: &Key, host: &Host) {
        *self.total(host) += 1;
        self.suspect += u32::from(host.state.is_suspect());
        self.waiting += u32::from(host.waiting.is_on());
        if !host.lladdr.is_empty() {
            let is_behind = is_behind(&self.behind, &host.lladdr, key.address);
            *self.holders.entry(&host.lladdr).number(host, is_behind) += 1;
        }
    }

    /// It is not any longer, or is to be added in another state or at another link-layer address.
    pub(super) fn subtract(&mut self, key: &Key, host: &Host) {
        *self.total(host) -= 1;
        self.suspect -= u32::from(host.state.is_suspect());
        self.waiting -= u32::from(host.waiting.is_on());
        if !host.lladdr.is_empty() {
            let held = self.holders.entry(&host.lladdr);
            *held.number(host, is_behind(&self.behind, &host.lladdr, key.address)) -= 1;
            if *held == Held::default() {
                self.holders.remove(&host.lladdr);
            }
        }
    }

    /// A host of the segment passes to another state, and stays live or dormant.
    pub(super) fn pass(&mut self, host: &mut Host, transition: Transition) {
        let before = host.state;
        host.state = before.after(transition);
        self.suspect += u32::from(host.state.is_suspect());
        self.suspect -= u32::from(before.is_suspect());
    }

    /// A host of the segment waits to be asked, in that line. True if it is to be put there.
    pub(super) fn wait_in(&mut self, host: &mut Host, line: Line) -> bool {
        self.waiting += u32::from(!host.waiting.is_on());
        host.waiting.enter(line)
    }

    /// A host of the segment waits no longer. True if it did.
    pub(super) fn stop_waiting(&mut self, host: &mut Host) -> bool {
        let was_waiting = host.waiting.leave();
        self.waiting -= u32::from(was_waiting);
        was_waiting
    }

    fn total(&mut self, host: &Host) -> &mut u32 {
        if host.is_live() { &mut self.live } else { &mut self.dormant }
    }
}

impl Holders {
    fn get(&self, lladdr: &LinkAddr) -> Option<&Held> {
        match octets(lladdr) {
            Some(octets) => self.ethernet.get(&octets),
            None => self.ipoib.as_ref()?.get(&lladdr.port()),
        }
    }

    fn entry(&mut self, lladdr: &LinkAddr) -> &mut Held {
        match octets(lladdr) {
            Some(octets) => self.ethernet.entry(octets).or_default(),
            None => self.ipoib.get_or_insert_default().entry(lladdr.port()).or_default(),
        }
    }

    fn remove(&mut self, lladdr: &LinkAddr) {
        match octets(lladdr) {
            Some(octets) => drop(self.ethernet.remove(&octets)),
            None => drop(self.ipoib.as_mut().map(|held| held.remove(&lladdr.port()))),
        }
    }
}

fn octets(lladdr: &LinkAddr) -> Option<[u8; ETHERNET_LEN]> {
    lladdr.octets().try_into().ok()
}

impl Held {
    fn number(&mut self, host: &Host, is_behind: bool) -> &mut u32 {
        match (host.is_live(), is_behind) {
            (true, false) => &mut self.own,
            (true, true) => &mut self.behind,
            (false, _) => &mut self.dormant,
        }
    }
}
