//! Who asked for what, and where: by that a reply finds its client, and a lease its segment, where the server does not give
//! back what it was told.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::address::Address;
use crate::dhcp::{ClientId, LeaseEnd};
use crate::plan::SegmentId;
use crate::time::Time;

/// A reply is waited for so long; clients give up after some 60 s (RFC 2131, section 4.1).
const LIFE: Duration = Duration::from_secs(60);
/// Transactions of one segment at the most; the oldest gives way.
const MOST: usize = 4096;

/// An exchange between a client and servers.
#[derive(Debug, Clone)]
pub(super) struct Transaction {
    pub(super) segment: SegmentId,
    pub(super) client: ClientId,
    /// The address that the client wants to have or keep.
    pub(super) wanted: Option<Address>,
    /// It was relayed to servers.
    pub(super) is_relayed: bool,
    /// What was reported of it: the same reply is seen where it comes in and where it goes out.
    pub(super) reported: Option<Outcome>,
    began: Time,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Granted(Address),
    Ended(Address, LeaseEnd),
}

/// All exchanges of the last minute.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// By `xid` and the order in which they began.
    open: BTreeMap<(u32, u64), Transaction>,
    /// Of each segment, the oldest first.
    order: BTreeMap<SegmentId, VecDeque<(u32, u64)>>,
    next: u64,
}

impl Transactions {
    /// A client asks on a segment. What it asked for before on another segment, it asks here now.
    pub(super) fn note(
        &mut self,
        now: Time,
        segment: SegmentId,
        xid: u32,
        client: &ClientId,
        wanted: Option<Address>,
    ) {
        self.expire(now, segment);
        if let Some(known) = self.of_client(xid, client).filter(|known| known.segment == segment) {
            known.began = now;
            known.reported = None;
            known.wanted = wanted;
            return;
        }
        let place = (xid, self.next);
        self.next += 1;
        let queue = self.order.entry(segment).or_default();
        if queue.len() >= MOST
            && let Some(oldest) = queue.pop_front()
        {
            self.open.remove(&oldest);
        }
        queue.push_back(place);
        let client = client.clone();
        let begun = Transaction { segment, client, wanted, is_relayed: false, reported: None, began: now };
        self.open.insert(place, begun);
    }

    /// The client's exchange of that number, the last one if there are several.
    pub(super) fn of_client(&mut self, xid: u32, client: &ClientId) -> Option<&mut Transaction> {
        let mut of_xid = self.open.range_mut((xid, 0)..=(xid, u64::MAX)).rev();
        of_xid.find(|(_, it)| it.client == *client).map(|(_, it)| it)
    }

    /// The exchange that a reply belongs to: its client's, or, where the reply does not name its client as that named
    /// itself (RFC 2131 had servers leave out the client identifier until RFC 6842), the only one of that number.
    pub(super) fn of_reply(&mut self, xid: u32, client: Option<&ClientId>) -> Option<&mut Transaction> {
        let named = client.is_some_and(|client| self.of_client(xid, client).is_some());
        if let Some(client) = client.filter(|_| named) {
            return self.of_client(xid, client);
        }
        let mut of_xid = self.open.range_mut((xid, 0)..=(xid, u64::MAX)).rev().map(|(_, it)| it);
        let last = of_xid.next()?;
        of_xid.all(|other| other.client == last.client).then_some(last)
    }

    /// Keeps only exchanges of such segments.
    pub(super) fn retain(&mut self, is_served: impl Fn(SegmentId) -> bool) {
        self.open.retain(|_, it| is_served(it.segment));
        self.order.retain(|segment, _| is_served(*segment));
    }

    fn expire(&mut self, now: Time, segment: SegmentId) {
        let Some(queue) = self.order.get_mut(&segment) else { return };
        // One that was renewed stands behind younger ones; it goes when its turn comes again.
        while let Some(first) = queue.front().copied() {
            match self.open.get(&first) {
                Some(it) if now.since(it.began) <= LIFE => break,
                _ => {
                    queue.pop_front();
                    self.open.remove(&first);
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}
