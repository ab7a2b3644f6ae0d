//! How many of clients' messages are relayed: by segment, with a share of their own for clients that have a lease, and by
//! client.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::dhcp::ClientId;
use crate::pace::Pace;
use crate::plan::{Plan, SegmentId};
use crate::time::Time;

/// Messages of one client per second. RFC 2131 (section 4.1) has it wait for 4 s before it repeats one.
const PER_CLIENT: u32 = 2;
/// So many at once: it may go through several exchanges when it moves.
const BURST: u32 = 10;
/// Clients whose messages are counted at the same time.
const CLIENTS: usize = 4096;
/// A full table is searched for clients at rest once in this time.
const SWEEP: Duration = Duration::from_secs(1);
/// Clients of which it is known that they have a lease.
const LEASED: usize = 65_536;
/// A lease that ends not before counts as one until then.
const LONGEST: Duration = Duration::from_hours(24);

/// The limits, and how much of them is used.
#[derive(Debug)]
pub(super) struct Limits {
    /// By segment: those of strangers, and of clients that have a lease.
    segments: Vec<(Pace, Pace)>,
    /// By segment too: who forges a client's identifier on one segment takes nothing from that client on another.
    clients: BTreeMap<(SegmentId, ClientId), (Pace, Time)>,
    /// When those at rest were last looked for.
    swept: Time,
    /// Until when.
    leased: BTreeMap<ClientId, Time>,
    /// Messages that were dropped and not reported yet, by segment.
    dropped: BTreeMap<SegmentId, u64>,
}

impl Limits {
    pub(super) fn new(plan: &Plan) -> Self {
        let pace = |rate| Pace::new(rate, rate);
        let paces = |rate| (pace(rate), pace(rate));
        Self {
            segments: plan.segments.iter().map(|segment| paces(segment.limits.dhcp_per_second)).collect(),
            clients: BTreeMap::new(),
            swept: Time::ZERO,
            leased: BTreeMap::new(),
            dropped: BTreeMap::new(),
        }
    }

    /// The plan is this one from now on.
    pub(super) fn replan(&mut self, plan: &Plan) {
        self.segments = Self::new(plan).segments;
    }

    /// Whether one more message of the client may be relayed; it is counted if so.
    pub(super) fn admits(&mut self, now: Time, segment: SegmentId, client: &ClientId) -> bool {
        let is_leased = self.leased.get(client).is_some_and(|until| *until > now);
        let is_admitted = self.has_share(now, segment, client)
            && self.segments.get_mut(segment.index()).is_some_and(|(strangers, leased)| {
                if is_leased { leased.take(now) } else { strangers.take(now) }
            });
        if !is_admitted {
            *self.dropped.entry(segment).or_default() += 1;
        }
        is_admitted
    }

    /// Messages that were dropped on the segment since the last report.
    pub(super) fn dropped_on(&self, segment: SegmentId) -> u64 {
        self.dropped.get(&segment).copied().unwrap_or_default()
    }

    /// They were reported.
    pub(super) fn reported(&mut self, segment: SegmentId) {
        self.dropped.remove(&segment);
    }

    /// The client has a lease from now on.
    pub(super) fn granted(&mut self, now: Time, client: &ClientId, duration: Option<Duration>) {
        if self.leased.len() >= LEASED && now.since(self.swept) >= SWEEP {
            self.swept = now;
            self.leased.retain(|_, until| *until > now);
        }
        if self.leased.len() < LEASED {
            self.leased.insert(client.clone(), now + duration.unwrap_or(LONGEST).min(LONGEST));
        }
    }

    /// The client has none any more.
    pub(super) fn ended(&mut self, client: &ClientId) {
        self.leased.remove(client);
    }

    /// Forged clients that find no room here are held back by the segment's limit alone.
    fn has_share(&mut self, now: Time, segment: SegmentId, client: &ClientId) -> bool {
        let place = (segment, client.clone());
        if self.clients.len() >= CLIENTS && !self.clients.contains_key(&place) {
            // A flood must not have the whole table searched for each of its messages.
            if now.since(self.swept) >= SWEEP {
                self.swept = now;
                let rest = Duration::from_secs(u64::from(BURST / PER_CLIENT));
                self.clients.retain(|_, (_, last)| now.since(*last) <= rest);
            }
            if self.clients.len() >= CLIENTS {
                return true;
            }
        }
        let fresh = || (Pace::new(PER_CLIENT, BURST), now);
        let (pace, last) = self.clients.entry(place).or_insert_with(fresh);
        *last = now;
        pace.take(now)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.clients.len() + self.leased.len()
    }
}
