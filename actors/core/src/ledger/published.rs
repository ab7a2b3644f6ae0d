//! Hosts that use an address published on their segment. It is not answered for while one lives there: the host
//! answers for itself, and two answers would help nobody.

use std::collections::BTreeMap;

use super::timers::Token;
use crate::address::Address;
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;

/// Users that are remembered.
const USERS: usize = 4096;

/// Users of published addresses, by segment and address.
#[derive(Debug, Default)]
pub(super) struct PublishedUsers(BTreeMap<(SegmentId, Address), User>);

#[derive(Debug)]
struct User {
    lladdr: LinkAddr,
    probes: u8,
    timer: Token,
}

impl PublishedUsers {
    /// Whether somebody on the segment has the published address for its own.
    pub(super) fn is_used(&self, segment: SegmentId, address: Address) -> bool {
        !self.0.is_empty() && self.0.contains_key(&(segment, address))
    }

    /// Whether this user can be remembered.
    pub(super) fn has_room_for(&self, segment: SegmentId, address: Address) -> bool {
        self.0.len() < USERS || self.is_used(segment, address)
    }

    /// A user spoke. True if it was not known.
    pub(super) fn note_use(
        &mut self,
        segment: SegmentId,
        address: Address,
        lladdr: LinkAddr,
        timer: Token,
    ) -> bool {
        self.0.insert((segment, address), User { lladdr, probes: 0, timer }).is_none()
    }

    /// The user whose timer this is: its link-layer address, and how often it was probed since it spoke.
    pub(super) fn due(&self, segment: SegmentId, address: Address, timer: Token) -> Option<(LinkAddr, u8)> {
        let user = self.0.get(&(segment, address)).filter(|user| user.timer == timer)?;
        Some((user.lladdr, user.probes))
    }

    /// A user is probed once more.
    pub(super) fn note_probe(&mut self, segment: SegmentId, address: Address, timer: Token) {
        if let Some(user) = self.0.get_mut(&(segment, address)) {
            user.probes = user.probes.saturating_add(1);
            user.timer = timer;
        }
    }

    /// A user is gone.
    pub(super) fn release(&mut self, segment: SegmentId, address: Address) {
        self.0.remove(&(segment, address));
    }
}
