//! What follows from news of DHCP: a host is known and routed from the moment its lease is granted, and checked when
//! the lease is over.

use std::time::Duration;

use super::Ledger;
use super::effects::Effects;
use super::host::{Origin, Sighting};
use super::journal::Rule;
use super::key::Key;
use super::leases::Granted;
use super::reports::Subject;
use super::timers::{Timer, Token};
use crate::address::Address;
use crate::dhcp::{ClientId, DhcpNews, Lease, LeaseEnd};
use crate::event::Event;
use crate::order::Purpose;
use crate::plan::SegmentId;

/// After a grant that told no link-layer address its client is asked for it.
const ASKED_AFTER: Duration = Duration::from_secs(2);

static LEASED: Rule =
    Rule { name: "leased", because: "a DHCP server granted the address to a client on that segment" };
static RETURNED: Rule =
    Rule { name: "lease_over", because: "its lease is over, so it is asked whether it is still there" };

/// DHCP messages said something.
pub(super) fn dhcp_told(ledger: &mut Ledger, segment: SegmentId, news: DhcpNews) {
    let effects = &mut ledger.effects;
    match news {
        DhcpNews::Granted(lease) => granted(ledger, segment, lease),
        DhcpNews::Ended { address, client, end } => {
            let key = ledger.world.topology.key(segment, address);
            if ledger.world.leases.end(&key, &client).is_some() {
                over(ledger, &key, segment, &client, end);
            }
        }
        DhcpNews::RogueServer { server, lladdr, offered } => {
            let event = Event::RogueDhcpServer { server, lladdr, segment, address: offered };
            effects.report(segment, Subject::Address(server), event);
        }
        DhcpNews::OutsideDomain { server, address } => {
            let event = Event::DhcpAddressOutside { server, address, segment };
            effects.report(segment, Subject::Address(server), event);
        }
        DhcpNews::Unidentified { lladdr } => {
            let event = Event::DhcpClientUnidentified { lladdr, segment };
            effects.report(segment, Subject::Segment, event);
        }
        DhcpNews::Limited { dropped } => {
            let dropped = u32::try_from(dropped).unwrap_or(u32::MAX);
            effects.report(segment, Subject::Segment, Event::DhcpLimited { segment, dropped });
        }
        DhcpNews::ServerSilent { server, since } => {
            let seconds = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
            ledger.world.dhcp_servers.insert((segment_domain(ledger, segment), server), false);
            ledger.effects.emit(Event::DhcpServerSilent { server, segment, seconds });
        }
        DhcpNews::ServerAnswers { server } => {
            ledger.world.dhcp_servers.insert((segment_domain(ledger, segment), server), true);
            ledger.effects.emit(Event::DhcpServerAnswers { server, segment });
        }
    }
}

fn segment_domain(ledger: &Ledger, segment: SegmentId) -> crate::plan::DomainId {
    ledger.world.topology.segment(segment).plan.domain
}

/// A client of the segment was granted an address.
fn granted(ledger: &mut Ledger, id: SegmentId, lease: Lease) {
    let key = ledger.world.topology.key(id, lease.address);
    let segment = ledger.world.topology.segment(id);
    if !segment.may_hold(lease.address) || ledger.world.topology.is_own(lease.address) {
        return;
    }
    let now = ledger.effects.now();
    let (address, lladdr, server) = (lease.address, lease.lladdr, lease.server);
    let client = lease.client.clone();
    let outcome = ledger.world.leases.grant(now, key, id, lease);
    if outcome == Granted::NoRoom {
        return;
    }
    arm(ledger, &key, lladdr.is_empty());
    ledger.effects.note(address, &LEASED, id, lladdr);
    if outcome == Granted::New {
        let client = client.to_string();
        ledger.effects.emit(Event::LeaseGranted { address, lladdr, segment: id, server, client });
    }
    if !ledger.world.topology.segment(id).is_up() {
        return;
    }
    let sighting = Sighting { key, segment: id, lladdr, origin: Origin::Lease };
    if lladdr.is_empty() {
        located_by_lease(ledger, &sighting);
    } else {
        let verdict = ledger.evidence().judge_sighting(&sighting);
        ledger.follow(verdict, &sighting);
    }
}

/// The lease tells the segment and no link-layer address. Its route needs none: the kernel asks by ARP when there is
/// something to send.
fn located_by_lease(ledger: &mut Ledger, sighting: &Sighting) {
    let Sighting { key, segment: id, .. } = sighting;
    let limit = ledger.world.topology.segment(*id).plan.limits.hosts;
    match ledger.world.hosts.live_host(key).map(|host| host.segment) {
        None if ledger.world.hosts.live_on(*id) < limit => ledger.world.admit(sighting, &mut ledger.effects),
        Some(place) if place == *id => ledger.world.hosts.credit(key, ledger.effects.now()),
        // Elsewhere: whoever answers the question for its link-layer address is judged as anybody.
        _ => ledger.world.doubt(key, &mut ledger.effects),
    }
}

/// Sets the lease's timer: for the question for its client's link-layer address, or its end.
fn arm(ledger: &mut Ledger, key: &Key, is_to_be_asked: bool) {
    let now = ledger.effects.now();
    let Some(leased) = ledger.world.leases.lease(key) else { return };
    let ask = (is_to_be_asked && leased.lladdr.is_empty()).then(|| now + ASKED_AFTER);
    let Some(at) = ask.into_iter().chain(leased.expires).min() else { return };
    let timer = ledger.effects.at(at, Timer::Lease(*key));
    ledger.world.leases.set_timer(key, timer);
}

/// A lease's timer fired.
pub(super) fn lease_due(ledger: &mut Ledger, key: &Key, timer: Token) {
    let now = ledger.effects.now();
    if let Some(leased) = ledger.world.leases.expire(now, key, timer) {
        return over(ledger, key, leased.segment, &leased.client, LeaseEnd::Expired);
    }
    let Some(leased) = ledger.world.leases.lease(key).filter(|leased| leased.timer == timer) else { return };
    let id = leased.segment;
    if leased.lladdr.is_empty() {
        ask(ledger, key.address, id);
    }
    arm(ledger, key, false);
}

fn ask(ledger: &mut Ledger, address: Address, id: SegmentId) {
    let now = ledger.effects.now();
    let segment = ledger.world.topology.segment(id);
    if segment.is_up() && ledger.world.pacing.pace_mut(id).searches.take(now) {
        ledger.effects.request(segment, address, None, Purpose::Verify);
    }
}

/// A lease is over. Its host is asked whether it is still there, and goes if it is not.
fn over(ledger: &mut Ledger, key: &Key, segment: SegmentId, client: &ClientId, end: LeaseEnd) {
    let address = key.address;
    ledger.effects.emit(Event::LeaseEnded { address, segment, client: client.to_string(), end });
    let Some(host) = ledger.world.hosts.live_host(key).filter(|host| host.segment == segment) else { return };
    ledger.effects.note(address, &RETURNED, segment, host.lladdr);
    if host.origin != Origin::Static {
        ledger.world.doubt(key, &mut ledger.effects);
    }
}

/// An address was seen that its lease says to be another client's.
pub(super) fn report_conflict(ledger: &mut Ledger, sighting: &Sighting) {
    let Some(leased) = ledger.world.leases.contradicts(sighting) else { return };
    let Sighting { key, segment, lladdr, .. } = *sighting;
    let event = Event::LeaseConflict {
        address: key.address,
        lladdr: leased.lladdr,
        segment: leased.segment,
        claimant_lladdr: lladdr,
        claimant_segment: segment,
    };
    ledger.effects.report(segment, Subject::Address(key.address), event);
}

/// An address was seen on a segment where only leases are believed, and has none there.
pub(super) fn report_not_leased(sighting: &Sighting, effects: &mut Effects) {
    let Sighting { key, segment, lladdr, .. } = *sighting;
    let event = Event::NotLeased { address: key.address, lladdr, segment };
    effects.report(segment, Subject::Address(key.address), event);
}
