//! Other proxies on our segments: how they give themselves away, and what is not learned from them.
//!
//! A proxy's replies name addresses of hosts that live somewhere else. Learned, they would draw the hosts'
//! traffic to the proxy, and two proxies could keep sending it to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::address::Address;
use crate::event::ProxySign;
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;
use crate::time::Time;

/// A station is taken for a proxy for so long after the last sign of it.
const REMEMBERED: Duration = Duration::from_secs(600);
/// The same where the sign were disputes: two servers that fought over their addresses are none for long.
const AFTER_DISPUTES: Duration = Duration::from_secs(60);
/// So many addresses disputed by one station make it a proxy, or a spoofer.
const DISPUTES: usize = 3;
/// Addresses a proxy may hold of its own.
const OWN_ADDRESSES: u32 = 4;
/// Stations remembered.
const STATIONS: usize = 1024;

/// A station on a segment.
type Station = (SegmentId, LinkAddr);

/// A station on a segment, as a party to a dispute about an address, or one that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Party {
    pub(super) segment: SegmentId,
    pub(super) lladdr: LinkAddr,
}

impl Party {
    /// The station, whatever the flags octet says on IPoIB.
    pub(super) fn of(segment: SegmentId, lladdr: &LinkAddr) -> Self {
        Self { segment, lladdr: lladdr.port() }
    }

    fn station(&self) -> Station {
        (self.segment, self.lladdr.port())
    }
}

/// Addresses a station disputed, each with the other party.
#[derive(Debug, Default)]
struct Disputes {
    parties: BTreeMap<Address, LinkAddr>,
    last: Time,
}

/// What is known of other proxies.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    /// Proxies, and until when they are taken for such.
    known: BTreeMap<Station, Time>,
    /// Addresses stations claimed in vain.
    claimed: BTreeMap<Station, Disputes>,
    /// Addresses stations kept that others claimed.
    kept: BTreeMap<Station, Disputes>,
}

impl Proxies {
    /// Whether the station is taken for a proxy.
    pub(super) fn is_proxy(&self, now: Time, segment: SegmentId, lladdr: &LinkAddr) -> bool {
        !self.known.is_empty() && self.known.get(&(segment, lladdr.port())).is_some_and(|until| *until > now)
    }

    /// Whether a proxy that holds so many addresses of its own may be taken to have another one.
    pub(super) fn may_hold_one_more(&self, held: u32) -> bool {
        held < OWN_ADDRESSES
    }

    /// Remembers the station as a proxy. True if it was not known as one.
    pub(super) fn note_sign(&mut self, now: Time, party: &Party, sign: ProxySign) -> bool {
        let span = if sign == ProxySign::Disputes { AFTER_DISPUTES } else { REMEMBERED };
        if self.known.len() >= STATIONS {
            self.known.retain(|_, until| *until > now);
            if self.known.len() >= STATIONS {
                self.known.pop_first();
            }
        }
        let until = self.known.entry(party.station()).or_default();
        let is_new = *until <= now;
        *until = (*until).max(now + span);
        is_new
    }

    /// A claim was refused because the incumbent answered. Who loses against many is a proxy or spoofs; so is who
    /// keeps, by nothing but replies, what several others claim. Returns whom that makes a proxy. Two that dispute many
    /// addresses with each other only are one machine with two links, or a machine and its copy.
    pub(super) fn note_dispute(
        &mut self,
        now: Time,
        address: Address,
        claimant: Party,
        incumbent: Party,
        is_kept_by_replies: bool,
    ) -> Option<Party> {
        let others = |parties: &BTreeMap<Address, LinkAddr>| parties.values().collect::<BTreeSet<_>>().len();
        let claimed = others(note(&mut self.claimed, now, claimant.station(), address, incumbent.lladdr));
        let kept = is_kept_by_replies
            .then(|| others(note(&mut self.kept, now, incumbent.station(), address, claimant.lladdr)));
        if kept.is_some_and(|kept| kept >= DISPUTES) {
            Some(incumbent)
        } else {
            (claimed >= DISPUTES).then_some(claimant)
        }
    }
}

/// Notes a dispute and returns all the station had lately.
fn note(
    list: &mut BTreeMap<Station, Disputes>,
    now: Time,
    station: Station,
    address: Address,
    party: LinkAddr,
) -> &BTreeMap<Address, LinkAddr> {
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
    let is_another = !disputes.parties.values().any(|known| known.same_port(&party));
    if disputes.parties.len() < DISPUTES || is_another {
        disputes.parties.insert(address, party);
    }
    &disputes.parties
}
