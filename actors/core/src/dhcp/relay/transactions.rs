//! Who asked for what, and where: by that a reply finds its client, and a lease its segment, where the server does not give
//! back what it was told.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::address::Address;
use crate::dhcp::options::Kind;
use crate::dhcp::{ClientId, LeaseEnd, Message};
use crate::plan::SegmentId;
use crate::time::Time;

/// A reply is waited for so long; clients give up after some 60 s (RFC 2131, section 4.1).
const LIFE: Duration = Duration::from_secs(60);
/// Transactions of one segment at the most; the oldest gives way.
const MOST: usize = 4096;
/// Reports between two messages of the client: servers answer it once, or refuse what another granted.
const MOST_REPORTS: u8 = 3;

/// An exchange between a client and servers.
#[derive(Debug, Clone)]
pub(super) struct Transaction {
    pub(super) segment: SegmentId,
    pub(super) client: ClientId,
    /// `chaddr`, which servers give back whatever they do with the identifier (RFC 2131, table 3).
    chaddr: [u8; 16],
    /// What it asked last, and whether it had to repeat that.
    kind: Option<Kind>,
    pub(super) is_repeated: bool,
    /// The address that the client wants to have or keep.
    pub(super) wanted: Option<Address>,
    /// It was relayed to servers.
    pub(super) is_relayed: bool,
    /// What was reported of it: the same reply is seen where it comes in and where it goes out.
    reported: Option<Outcome>,
    /// How many reports that were: a forger could have two replies take turns.
    reports: u8,
    began: Time,
}

impl Transaction {
    /// Whether that outcome is news; it is none any more.
    pub(super) fn is_news(&mut self, outcome: Outcome) -> bool {
        let is_news = self.reported != Some(outcome) && self.reports < MOST_REPORTS;
        if is_news {
            self.reported = Some(outcome);
            self.reports += 1;
        }
        is_news
    }
}

/// What a client asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) segment: SegmentId,
    pub(super) xid: u32,
    pub(super) chaddr: [u8; 16],
    pub(super) kind: Option<Kind>,
    /// The address that the client wants to have or keep.
    pub(super) wanted: Option<Address>,
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
    pub(super) fn note(&mut self, now: Time, question: Question, client: &ClientId) {
        let Question { segment, xid, chaddr, kind, wanted } = question;
        self.expire(now, segment);
        if let Some(known) = self.of_client(xid, client).filter(|known| known.segment == segment) {
            known.is_repeated = known.kind == kind;
            known.kind = kind;
            known.began = now;
            known.reported = None;
            known.reports = 0;
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
        let begun = Transaction {
            segment,
            client: client.clone(),
            chaddr,
            kind,
            is_repeated: false,
            wanted,
            is_relayed: false,
            reported: None,
            reports: 0,
            began: now,
        };
        self.open.insert(place, begun);
    }

    /// The client's exchange of that number, the last one if there are several.
    pub(super) fn of_client(&mut self, xid: u32, client: &ClientId) -> Option<&mut Transaction> {
        let mut of_xid = self.open.range_mut((xid, 0)..=(xid, u64::MAX)).rev();
        of_xid.find(|(_, it)| it.client == *client).map(|(_, it)| it)
    }

    /// The exchange that a reply belongs to: its client's, or, where the reply does not name its client as that named
    /// itself (RFC 2131 had servers leave out the client identifier until RFC 6842), the one of that number and `chaddr`, or
    /// the only one of that number.
    pub(super) fn of_reply(
        &mut self,
        reply: &Message,
        client: Option<&ClientId>,
    ) -> Option<&mut Transaction> {
        let of_xid = (reply.xid, 0)..=(reply.xid, u64::MAX);
        let is_named = |it: &Transaction| Some(&it.client) == client;
        let is_of_hardware = |it: &Transaction| it.chaddr == reply.chaddr;
        let place = [&is_named as &dyn Fn(&Transaction) -> bool, &is_of_hardware, &|_| true]
            .into_iter()
            .find_map(|fits| {
            let mut fitting = self.open.range(of_xid.clone()).rev().filter(|(_, it)| fits(it));
            let (place, last) = fitting.next()?;
            Some(fitting.all(|(_, other)| other.client == last.client).then_some(*place))
        })??;
        self.open.get_mut(&place)
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
