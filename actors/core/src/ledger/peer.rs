//! Other proxies on our segments: how they give themselves away, and what is not learned from them.
//!
//! A proxy's replies name addresses of hosts that live somewhere else. Learned, they would draw the hosts'
//! traffic to the proxy, and two proxies could keep sending it to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::Ledger;
use super::host::{Host, Origin};
use super::learn::Sighting;
use crate::arp::{Heard, Operation};
use crate::event::{Event, ProxySign};
use crate::lladdr::LinkAddr;
use crate::order::Order;
use crate::plan::SegmentId;
use crate::time::Time;

/// A station is taken for a proxy for so long after the last sign of it.
const REMEMBERED: Duration = Duration::from_secs(600);
/// The same where the sign were disputes: two servers that fought over their addresses are none for long.
const AFTER_DISPUTES: Duration = Duration::from_secs(60);
/// So many addresses disputed by one station make it a proxy, or a liar.
const DISPUTES: usize = 3;
/// Addresses a proxy may hold of its own.
const OWN_ADDRESSES: u32 = 4;
/// Stations remembered.
const STATIONS: usize = 1024;

/// A station on a segment.
type Station = (SegmentId, LinkAddr);

/// Addresses a station disputed, each with the other party.
#[derive(Debug, Default)]
struct Disputes {
    parties: BTreeMap<Ipv4Addr, LinkAddr>,
    last: Time,
}

/// What is known of other proxies.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// Proxies, and until when they are taken for such.
    known: BTreeMap<Station, Time>,
    /// Addresses stations claimed in vain.
    claimed: BTreeMap<Station, Disputes>,
    /// Addresses stations kept that others claimed.
    kept: BTreeMap<Station, Disputes>,
}

impl Peers {
    fn is_proxy(&self, now: Time, segment: SegmentId, lladdr: &LinkAddr) -> bool {
        !self.known.is_empty() && self.known.get(&(segment, lladdr.port())).is_some_and(|until| *until > now)
    }

    /// Remembers the station as a proxy. True if it was not known as one.
    fn expose(&mut self, now: Time, station: Station, span: Duration) -> bool {
        if self.known.len() >= STATIONS {
            self.known.retain(|_, until| *until > now);
            if self.known.len() >= STATIONS {
                self.known.pop_first();
            }
        }
        let until = self.known.entry(station).or_default();
        let is_new = *until <= now;
        *until = (*until).max(now + span);
        is_new
    }
}

/// Notes a dispute and returns all the station had lately.
fn note(
    list: &mut BTreeMap<Station, Disputes>,
    now: Time,
    station: Station,
    address: Ipv4Addr,
    party: LinkAddr,
) -> &BTreeMap<Ipv4Addr, LinkAddr> {
    if list.len() >= STATIONS && !list.contains_key(&station) {
        list.retain(|_, disputes| now.since(disputes.last) < AFTER_DISPUTES);
        if list.len() >= STATIONS {
            list.pop_first();
        }
    }
    let disputes = list.entry(station).or_default();
    if now.since(disputes.last) >= AFTER_DISPUTES {
        disputes.parties.clear();
    }
    disputes.last = now;
    if disputes.parties.len() < DISPUTES {
        disputes.parties.insert(address, party);
    }
    &disputes.parties
}

impl Ledger {
    /// Another arpherd asks or announces. Its questions are about hosts of the segment they are asked on, so
    /// they are neither answered nor passed on: that is what keeps two of us from asking each other for ever.
    pub(super) fn peer_heard(
        &mut self,
        now: Time,
        segment: SegmentId,
        heard: &Heard,
        orders: &mut Vec<Order>,
    ) {
        let arp = &heard.arp;
        self.expose(now, segment, arp.sender_lladdr, ProxySign::Mark, orders);
        let speaks_for_itself = arp.operation == Operation::Request && !arp.is_gratuitous();
        if speaks_for_itself && !arp.is_address_probe() && !self.own.contains(&arp.sender) {
            self.sender_seen(now, segment, heard, orders);
        }
    }

    /// A station showed that it speaks for others.
    pub(super) fn expose(
        &mut self,
        now: Time,
        segment: SegmentId,
        lladdr: LinkAddr,
        sign: ProxySign,
        orders: &mut Vec<Order>,
    ) {
        let span = if sign == ProxySign::Disputes { AFTER_DISPUTES } else { REMEMBERED };
        if !self.peers.expose(now, (segment, lladdr.port()), span) {
            return;
        }
        orders.push(Order::Tell(Event::ProxyFound { segment, lladdr, sign }));
        // What its replies taught before is as doubtful as what they would teach now.
        let is_hearsay = |host: &Host| {
            host.is_live()
                && host.segment == segment
                && host.origin == Origin::Reply
                && host.lladdr.same_port(&lladdr)
        };
        for key in self.keys_of(is_hearsay) {
            self.gone(now, key, orders);
            self.forget(key);
        }
    }

    /// Whether a sighting proves nothing because a proxy made it. What it asks, it asks in its own name; so
    /// questions teach its own addresses, but move none.
    pub(super) fn is_hearsay(&self, now: Time, sighting: &Sighting) -> bool {
        let Sighting { key, segment, lladdr, origin } = *sighting;
        if !self.peers.is_proxy(now, segment, &lladdr) {
            return false;
        }
        match self.hosts.get(&key).filter(|host| host.is_live()) {
            Some(host) if host.is_at(segment, &lladdr) => false,
            Some(_) => true,
            None => {
                let held = self.segment(segment).holders.get(&lladdr.port()).copied().unwrap_or_default();
                origin != Origin::Request || held >= OWN_ADDRESSES
            }
        }
    }

    /// A claim was refused because the incumbent answered. Who loses many is a proxy or a liar; so is who
    /// keeps, by nothing but replies, what several others claim.
    pub(super) fn disputed(&mut self, now: Time, claimant: &Sighting, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get(&claimant.key) else { return };
        let (segment, lladdr, origin) = (host.segment, host.lladdr, host.origin);
        let address = claimant.key.address;
        let station = (claimant.segment, claimant.lladdr.port());
        let claimed = note(&mut self.peers.claimed, now, station, address, lladdr).len();
        let others = |parties: &BTreeMap<Ipv4Addr, LinkAddr>| parties.values().collect::<BTreeSet<_>>().len();
        let kept = (origin == Origin::Reply).then(|| {
            others(note(&mut self.peers.kept, now, (segment, lladdr.port()), address, claimant.lladdr))
        });
        if kept.is_some_and(|kept| kept >= DISPUTES) {
            self.expose(now, segment, lladdr, ProxySign::Disputes, orders);
        } else if claimed >= DISPUTES {
            self.expose(now, claimant.segment, claimant.lladdr, ProxySign::Disputes, orders);
        }
    }
}
