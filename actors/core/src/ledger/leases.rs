//! Leases of DHCP: who was granted which address, on which segment, until when.

use std::collections::BTreeMap;
use std::time::Duration;

use super::host::Sighting;
use super::key::Key;
use super::timers::Token;
use super::topology::Topology;
use crate::address::Address;
use crate::dhcp::{ClientId, Lease};
use crate::lladdr::LinkAddr;
use crate::plan::{LearnFrom, SegmentId};
use crate::time::Time;

/// Leases that are kept at the most.
const MOST: usize = 65_536;
/// So long after its grant a client may still make sure that nobody has its address (RFC 5227, section 2.1: up to 7 s).
const GRACE: Duration = Duration::from_secs(10);

/// One lease.
#[derive(Debug, Clone)]
pub(super) struct Leased {
    pub(super) segment: SegmentId,
    pub(super) client: ClientId,
    /// Unknown on InfiniBand until its client is heard.
    pub(super) lladdr: LinkAddr,
    pub(super) server: Address,
    pub(super) granted: Time,
    /// `None`: never.
    pub(super) expires: Option<Time>,
    pub(super) timer: Token,
}

impl Leased {
    /// Whole seconds until it ends.
    pub(super) fn seconds_left(&self, now: Time) -> Option<u64> {
        self.expires.map(|expires| expires.since(now).as_secs())
    }
}

/// What a grant is to what was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Granted {
    /// Nobody had the lease, or another client.
    New,
    /// Its client has it for longer.
    Renewed,
    /// There is no room for more.
    NoRoom,
}

/// All leases that have not expired.
#[derive(Debug, Default)]
pub(super) struct Leases {
    by_key: BTreeMap<Key, Leased>,
}

impl Leases {
    /// The lease of an address.
    pub(super) fn lease(&self, key: &Key) -> Option<&Leased> {
        self.by_key.get(key)
    }

    /// All of them, in the order of their addresses.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Key, &Leased)> {
        self.by_key.iter()
    }

    /// A client was granted an address.
    pub(super) fn grant(&mut self, now: Time, key: Key, segment: SegmentId, lease: Lease) -> Granted {
        let known = self.by_key.get(&key).filter(|known| known.client == lease.client);
        let is_renewed = known.is_some_and(|known| known.segment == segment);
        if self.by_key.len() >= MOST && !self.by_key.contains_key(&key) {
            return Granted::NoRoom;
        }
        // What its client was heard at on the same segment is still true.
        let bound = known.filter(|_| is_renewed).map(|known| known.lladdr);
        let Lease { client, lladdr, server, duration, .. } = lease;
        let lladdr = if lladdr.is_empty() { bound.unwrap_or(lladdr) } else { lladdr };
        let expires = duration.map(|duration| now + duration);
        let timer = Token::default();
        let leased = Leased { segment, client, lladdr, server, granted: now, expires, timer };
        self.by_key.insert(key, leased);
        if is_renewed { Granted::Renewed } else { Granted::New }
    }

    /// The timer of a lease.
    pub(super) fn set_timer(&mut self, key: &Key, timer: Token) {
        if let Some(leased) = self.by_key.get_mut(key) {
            leased.timer = timer;
        }
    }

    /// Takes the client's lease away.
    pub(super) fn end(&mut self, key: &Key, client: &ClientId) -> Option<Leased> {
        self.by_key.get(key).filter(|leased| leased.client == *client)?;
        self.by_key.remove(key)
    }

    /// Takes away a lease whose timer this is, if its time is over.
    pub(super) fn expire(&mut self, now: Time, key: &Key, timer: Token) -> Option<Leased> {
        let leased = self.by_key.get(key).filter(|leased| leased.timer == timer)?;
        leased.expires.filter(|expires| *expires <= now)?;
        self.by_key.remove(key)
    }

    /// A lease whose client's link-layer address was not known is that one's from now on.
    pub(super) fn bind(&mut self, sighting: &Sighting) {
        let unbound = self.by_key.get_mut(&sighting.key).filter(|leased| leased.lladdr.is_empty());
        if let Some(leased) = unbound.filter(|leased| leased.segment == sighting.segment) {
            leased.lladdr = sighting.lladdr;
        }
    }

    /// Whether the probe of an address is that of the client that it was granted: it must not find it taken.
    pub(super) fn is_own_probe(&self, now: Time, key: &Key, segment: SegmentId, prober: &LinkAddr) -> bool {
        self.by_key.get(key).is_some_and(|leased| {
            let is_fresh = now.since(leased.granted) < GRACE;
            leased.segment == segment
                && (leased.lladdr.is_same_client(prober) || leased.lladdr.is_empty() && is_fresh)
        })
    }

    /// Whether the lease of the address is that of another client than the one seen there.
    pub(super) fn contradicts(&self, sighting: &Sighting) -> Option<&Leased> {
        let leased = self.by_key.get(&sighting.key)?;
        let is_other = !leased.lladdr.is_empty() && !leased.lladdr.is_same_client(&sighting.lladdr);
        is_other.then_some(leased)
    }

    /// Whether the address may be learned where it was seen: everywhere but on a segment where a lease has to say so.
    pub(super) fn permit(&self, topology: &Topology, sighting: &Sighting) -> bool {
        let Sighting { key, segment, lladdr, .. } = sighting;
        if topology.segment(*segment).plan.dhcp.learn == LearnFrom::Any {
            return true;
        }
        let is_leased = self.by_key.get(key).is_some_and(|leased| {
            leased.segment == *segment
                && (leased.lladdr.is_empty() || lladdr.is_empty() || leased.lladdr.is_same_client(lladdr))
        });
        is_leased || topology.is_pinned_at(key, *segment, lladdr)
    }

    /// Keeps only leases of such segments.
    pub(super) fn retain(&mut self, is_served: impl Fn(&Key, SegmentId) -> bool) {
        self.by_key.retain(|key, leased| is_served(key, leased.segment));
    }
}

impl LinkAddr {
    /// Whether it is the same port, or, on InfiniBand, the same GID: a queue pair changes when a link goes up again.
    fn is_same_client(&self, other: &Self) -> bool {
        self.same_port(other) || self.same_gid(other)
    }
}
