//! Who has which address by lease, until when, and from whom: what was said, and what follows from it for a sighting.
//! What happens to hosts because of it is decided in `leasing.rs`.
//!
//! A lease that is over is remembered for a while, so that what an earlier run knew of it does not bring it back: only
//! another DHCPACK does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::effects::Effects;
use super::host::Host;
use super::key::Key;
use super::timers::{Timer, Token};
use crate::address::Address;
use crate::dhcp::{ClientId, LeaseEnd};
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;
use crate::time::Time;

/// Leases at the most, those that are over included; of more the one goes that would go first anyway.
const LEASES: usize = 65_536;
/// A lease that is over is remembered for so long.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
/// A client makes sure that nobody has its new address, for up to seven seconds before it announces it, and answers
/// nobody until then (RFC 5227, section 2.1.1): so long after its DHCPACK it is not given up.
const SETTLING: Duration = Duration::from_secs(10);
/// It is asked so soon after its DHCPACK.
const PAUSE: Duration = Duration::from_secs(2);
/// The same where its link-layer address is unknown: it cannot be reached before it has answered.
const PAUSE_UNLOCATED: Duration = Duration::from_millis(200);

/// A lease.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) client: ClientId,
    /// The client's, as the message had it, or else as it was heard first; unknown until then.
    pub(super) lladdr: LinkAddr,
    pub(super) segment: SegmentId,
    pub(super) server: Address,
    pub(super) duration: Option<Duration>,
    /// When it was granted or renewed.
    pub(super) granted: Time,
    /// `None`: never.
    pub(super) expires: Option<Time>,
    /// How it ended, and when.
    pub(super) ended: Option<(LeaseEnd, Time)>,
}

impl Held {
    /// Whether a station on the segment is the client. On InfiniBand, whose messages bear no link-layer address, it is
    /// whoever is heard first on the client's segment, and from then on who has that GID.
    pub(super) fn is_clients(&self, segment: SegmentId, lladdr: &LinkAddr) -> bool {
        if self.lladdr.is_empty() {
            self.segment == segment
        } else {
            self.lladdr.same_port(lladdr) || self.lladdr.same_gid(lladdr)
        }
    }

    /// Whole seconds until it ends.
    pub(super) fn seconds_left(&self, now: Time) -> Option<u64> {
        self.expires.map(|expires| expires.since(now).as_secs())
    }

    /// When it is over, or, if it is, forgotten.
    fn due(&self) -> Option<Time> {
        self.ended.map_or(self.expires, |(_, at)| Some(at + REMEMBERED_FOR))
    }
}

/// A host whose lease is over is being asked whether it is still there.
#[derive(Debug)]
pub(super) struct Check {
    /// Sent so far.
    pub(super) probes: u8,
    /// When the first was sent.
    pub(super) since: Time,
    /// It has answered before: clients take their time to give an address up.
    pub(super) is_second: bool,
    pub(super) timer: Token,
}

/// All leases, and those that were some a while ago.
#[derive(Debug, Default)]
pub(super) struct Leases {
    table: BTreeMap<Key, Held>,
    due: BTreeSet<(Time, Key)>,
    timer: Option<(Time, Token)>,
    pub(super) checks: BTreeMap<Key, Check>,
}

impl Leases {
    /// What is known of an address, whether its lease is over or not.
    pub(super) fn lease(&self, key: &Key) -> Option<&Held> {
        self.table.get(key)
    }

    /// The lease of an address that is not over.
    pub(super) fn valid(&self, key: &Key) -> Option<&Held> {
        self.lease(key).filter(|held| held.ended.is_none())
    }

    /// Whether a station on the segment has the address by lease.
    pub(super) fn permits(&self, key: &Key, segment: SegmentId, lladdr: &LinkAddr) -> bool {
        self.valid(key).is_some_and(|held| held.is_clients(segment, lladdr))
    }

    /// Whether a prober on the segment makes sure of an address that it was granted, and the address's host is nobody else.
    pub(super) fn is_own_probe(&self, key: &Key, host: &Host, segment: SegmentId, prober: &LinkAddr) -> bool {
        let is_clients =
            |held: &Held| held.is_clients(segment, prober) && held.is_clients(host.segment, &host.lladdr);
        self.valid(key).is_some_and(is_clients)
    }

    /// Whether the address is leased to another than the station on the segment.
    pub(super) fn other_client(&self, key: &Key, segment: SegmentId, lladdr: &LinkAddr) -> Option<&Held> {
        self.valid(key).filter(|held| !held.is_clients(segment, lladdr))
    }

    /// Until when a host that got its address a moment ago, and was not heard since, is left in peace. `is_named`: it is
    /// asked in the name of an address of ours; else the question would look like that of another who wants the address.
    pub(super) fn peace(&self, key: &Key, host: &Host, probes: u8, is_named: bool) -> Option<Time> {
        let held = self.valid(key).filter(|held| held.segment == host.segment)?;
        if host.last_heard > held.granted {
            return None;
        }
        let pause = match (is_named, probes) {
            (true, 0) if host.lladdr.is_empty() => PAUSE_UNLOCATED,
            (true, 0) => PAUSE,
            _ => SETTLING,
        };
        Some(held.granted + pause)
    }

    /// Puts a lease into the table.
    pub(super) fn put(&mut self, key: Key, held: Held, effects: &mut Effects) {
        if self.table.len() >= LEASES && !self.table.contains_key(&key) {
            let first = self.due.first().map(|(_, key)| *key).or_else(|| self.table.keys().next().copied());
            if let Some(first) = first {
                self.drop_lease(&first);
            }
        }
        self.drop_lease(&key);
        self.due.extend(held.due().map(|at| (at, key)));
        self.table.insert(key, held);
        self.arm(effects);
    }

    /// A lease is over. Returns it as it was.
    pub(super) fn end(&mut self, key: &Key, end: LeaseEnd, effects: &mut Effects) -> Option<Held> {
        let before = self.valid(key).cloned()?;
        let ended = Some((end, effects.now()));
        self.put(*key, Held { ended, ..before.clone() }, effects);
        Some(before)
    }

    /// Nothing is known of the address any more.
    pub(super) fn drop_lease(&mut self, key: &Key) -> Option<Held> {
        let held = self.table.remove(key)?;
        if let Some(at) = held.due() {
            self.due.remove(&(at, *key));
        }
        Some(held)
    }

    /// The client of an unknown link-layer address was heard. True if it was unknown.
    pub(super) fn bind(&mut self, key: &Key, segment: SegmentId, lladdr: LinkAddr) -> bool {
        let unknown =
            |held: &&mut Held| held.ended.is_none() && held.lladdr.is_empty() && held.segment == segment;
        let held = self.table.get_mut(key).filter(unknown);
        held.map(|held| held.lladdr = lladdr).is_some()
    }

    /// Keeps only the leases that fit.
    pub(super) fn keep(&mut self, mut fits: impl FnMut(&Key, &Held) -> bool) {
        let misfits: Vec<Key> =
            self.table.iter().filter(|(key, held)| !fits(key, held)).map(|(key, _)| *key).collect();
        for key in &misfits {
            self.drop_lease(key);
        }
    }

    /// An address whose lease is due, if the timer is the present one or none is; to be asked until there is none.
    pub(super) fn next_due(&mut self, now: Time) -> Option<Key> {
        self.due.first().filter(|(at, _)| *at <= now).map(|(_, key)| *key)
    }

    /// Whether the timer that fired is the one that leases wait for, which is then to be set anew.
    pub(super) fn take_timer(&mut self, token: Token) -> bool {
        self.timer.take_if(|(_, armed)| *armed == token).is_some()
    }

    /// Has the timer fire when the next lease is due.
    pub(super) fn arm(&mut self, effects: &mut Effects) {
        let Some((at, _)) = self.due.first().copied() else { return };
        if self.timer.is_none_or(|(armed, _)| at < armed) {
            self.timer = Some((at, effects.at(at, Timer::Leases)));
        }
    }

    /// The leases that are not over, by domain and address.
    pub(super) fn not_over(&self) -> impl Iterator<Item = (&Key, &Held)> {
        self.table.iter().filter(|(_, held)| held.ended.is_none())
    }
}
