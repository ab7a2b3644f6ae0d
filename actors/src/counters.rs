//! What the actors of one segment count together.

use std::sync::atomic::{AtomicU64, Ordering};

use arpherd_core::dhcp::DhcpCount;
use arpherd_core::view::{CountersView, DhcpCountersView, PacketsView};

/// Counts of frames, shared by the actors of one segment. All only grow.
#[derive(Debug, Default)]
pub struct Counters {
    /// Frames read.
    pub read: AtomicU64,
    /// Proxied replies sent.
    pub answered: AtomicU64,
    /// Requests sent: searches, verifications and sweeps.
    pub probed: AtomicU64,
    /// Frames that share the rate of a sweep, which is lowered by as many: requests that verified known hosts, and
    /// corrections of outdated neighbour caches.
    pub paced: AtomicU64,
    /// Frames lost on receipt or sending because a queue was full or the link was down.
    pub dropped: AtomicU64,
    /// Frames that show where a station is, but none of its addresses: RARP requests.
    pub traces: AtomicU64,
    /// Frames that are no ARP packet of a supported form.
    pub malformed: AtomicU64,
    /// Of DHCP.
    pub dhcp: DhcpCounters,
}

/// Counts of DHCP messages of one segment. All only grow.
#[derive(Debug, Default)]
pub struct DhcpCounters {
    /// Clients' messages sent to servers, once for each server.
    pub relayed: AtomicU64,
    /// Servers' messages sent to clients.
    pub answered: AtomicU64,
    /// Clients' messages dropped because there were too many.
    pub limited: AtomicU64,
    /// Messages that could not be read.
    pub malformed: AtomicU64,
    /// Messages that were not to be passed on.
    pub refused: AtomicU64,
}

impl DhcpCounters {
    /// The present values.
    pub fn view(&self) -> DhcpCountersView {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DhcpCountersView {
            relayed: get(&self.relayed),
            answered: get(&self.answered),
            limited: get(&self.limited),
            malformed: get(&self.malformed),
            refused: get(&self.refused),
        }
    }

    /// The counter of what became of a message.
    pub fn of(&self, what: DhcpCount) -> &AtomicU64 {
        match what {
            DhcpCount::Relayed => &self.relayed,
            DhcpCount::Answered => &self.answered,
            DhcpCount::Limited => &self.limited,
            DhcpCount::Malformed => &self.malformed,
            DhcpCount::Refused => &self.refused,
        }
    }
}

/// Counts of packets for unknown hosts. All only grow.
#[derive(Debug, Default)]
pub struct CoverCounters {
    /// Held until their target was searched for.
    pub held: AtomicU64,
    /// Sent on.
    pub forwarded: AtomicU64,
    /// Refused, whether or not their senders were told.
    pub refused: AtomicU64,
    /// Dropped because there were too many, or they could not be sent on.
    pub dropped: AtomicU64,
}

impl CoverCounters {
    /// The present values.
    pub fn view(&self) -> PacketsView {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PacketsView {
            held: get(&self.held),
            forwarded: get(&self.forwarded),
            refused: get(&self.refused),
            dropped: get(&self.dropped),
        }
    }
}

impl Counters {
    /// Adds `count` to one of the counters.
    pub fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// The present values.
    pub fn view(&self) -> CountersView {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CountersView {
            read: get(&self.read),
            answered: get(&self.answered),
            // Only the kernel knows.
            answered_in_kernel: 0,
            probed: get(&self.probed),
            traces: get(&self.traces),
            dropped: get(&self.dropped),
            malformed: get(&self.malformed),
            // Only the ledger knows.
            mismatched: 0,
        }
    }
}
