//! What follows from leases: hosts are known when their lease is granted, and asked for when it is over.
//!
//! ```text
//!   granted ─┬ nobody there: the host is routed at once; it is asked for after a pause, for it may be probing
//!            ├ the client is known elsewhere: it has moved
//!            └ somebody else is: he is asked, and loses the address if he is silent
//!   ended, expired ─ whoever used the lease is asked: gone if silent; who answers stays where leases are not demanded
//! ```

use std::time::Duration;

use super::Ledger;
use super::claims::{Proof, Stake};
use super::contest::{PROBE_WAIT, PROBES_ON_WIFI};
use super::effects::Effects;
use super::host::{Host, Origin, Sighting};
use super::journal::Rule;
use super::key::Key;
use super::lease_notes::{keep_lease, report_conflict, report_unleased};
use super::leases::{Check, Held};
use super::reports::Subject;
use super::timers::{Timer, Token};
use super::world::World;
use crate::address::Address;
use crate::dhcp::{ClientId, DhcpNews, Lease, LeaseEnd};
use crate::event::Event;
use crate::lladdr::LinkAddr;
use crate::plan::{LearnFrom, LinkKind, SegmentId};

/// Probes of a host whose lease is over.
const PROBES: u8 = 2;
/// A client that gives its address back sends the message first and goes then.
const LEAVING: Duration = Duration::from_millis(250);
/// Who answers is asked once more so much later: dhclient takes a second to give an address up whose lease has expired.
const SECOND_CHECK: Duration = Duration::from_millis(2500);
/// Hosts that are asked at a time because their leases are over; others are doubted as if they had been quiet.
const CHECKS: usize = 4096;

/// A lease says that the host is there.
static GRANTED: Rule =
    Rule { name: "leased", because: "a DHCP server granted the address to a client on that segment" };
/// A lease says that the host has moved.
static MOVED: Rule =
    Rule { name: "lease_moved", because: "its client has the lease there now, so the host is there as well" };
/// A lease is for an address that may not be there.
static IN_VAIN: Rule = Rule {
    name: "lease_in_vain",
    because: "a lease was granted there, but the configuration or this machine has the address elsewhere",
};
/// A renewal that nobody saw.
static RENEWED_UNSEEN: Rule = Rule {
    name: "lease_renewed_unseen",
    because: "its host answers and its server is on the same link, where renewals pass without us",
};

/// DHCP messages said this on the segment.
pub(super) fn dhcp_told(ledger: &mut Ledger, id: SegmentId, news: DhcpNews) {
    let (world, effects) = (&mut ledger.world, &mut ledger.effects);
    let domain = world.topology.segment(id).plan.domain;
    match news {
        DhcpNews::Granted(lease) => {
            lease_granted(ledger, id, lease);
        }
        DhcpNews::Ended { address, client, end } => lease_given_up(ledger, id, address, &client, end),
        DhcpNews::RogueServer { server, lladdr, offered } => {
            let event = Event::RogueDhcpServer { server, lladdr, segment: id, address: offered };
            effects.report(id, Subject::Address(server), event);
        }
        DhcpNews::OutsideDomain { server, address } => {
            let event = Event::DhcpAddressOutside { server, address, segment: id };
            effects.report(id, Subject::Address(server), event);
        }
        DhcpNews::Unidentified { lladdr } => {
            effects.report(id, Subject::Segment, Event::DhcpClientUnidentified { lladdr, segment: id });
        }
        DhcpNews::Limited { dropped } => {
            let dropped = u32::try_from(dropped).unwrap_or(u32::MAX);
            effects.report(id, Subject::Segment, Event::DhcpLimited { segment: id, dropped });
        }
        DhcpNews::ServerSilent { server, since } => {
            world.dhcp_servers.insert((domain, server), false);
            let seconds = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
            effects.emit(Event::DhcpServerSilent { server, segment: id, seconds });
        }
        DhcpNews::ServerAnswers { server } => {
            world.dhcp_servers.insert((domain, server), true);
            effects.emit(Event::DhcpServerAnswers { server, segment: id });
        }
    }
}

fn lease_granted(ledger: &mut Ledger, id: SegmentId, lease: Lease) {
    let (world, effects) = (&mut ledger.world, &mut ledger.effects);
    let Lease { address, client, lladdr, server, duration } = lease;
    let (key, now) = (world.topology.key(id, address), effects.now());
    let lladdr = if is_fit(world, id, &lladdr) { lladdr } else { LinkAddr::UNKNOWN };
    let before = world.leases.valid(&key).cloned();
    let is_same = |held: &&Held| held.client == client || !lladdr.is_empty() && held.lladdr == lladdr;
    let same = before.as_ref().filter(is_same);
    let known = same.filter(|held| held.segment == id).map(|held| held.lladdr);
    let lladdr = if lladdr.is_empty() { known.unwrap_or_default() } else { lladdr };
    if let Some(other) = before.as_ref().filter(|_| same.is_none()) {
        report_conflict(&key, other, id, lladdr, effects);
    }
    let expires = duration.map(|duration| now + duration);
    let held = Held {
        client: client.clone(),
        lladdr,
        segment: id,
        server,
        duration,
        granted: now,
        expires,
        ended: None,
    };
    world.leases.put(key, held, effects);
    world.leases.checks.remove(&key);
    keep_lease(world, &key, effects);
    if known.is_none() {
        let client = client.to_string();
        let event = Event::LeaseGranted { address, lladdr, segment: id, server, client };
        effects.report(id, Subject::Address(address), event);
    }
    let sighting = Sighting { key, segment: id, lladdr, origin: Origin::Lease };
    let was_clients = |host: &Host| same.is_some_and(|held| held.is_clients(host.segment, &host.lladdr));
    let is_clients = world.hosts.live_host(&key).is_some_and(was_clients);
    place_by_lease(ledger, &sighting, is_clients);
}

/// Whether a station of the link can have the link-layer address.
fn is_fit(world: &World, id: SegmentId, lladdr: &LinkAddr) -> bool {
    let segment = world.topology.segment(id);
    let fits_link = !segment.is_up() || segment.may_hear(lladdr);
    lladdr.is_station() && fits_link && segment.kind() != LinkKind::Ipoib
}

/// The host is where its lease was granted, unless somebody else lives with the address.
fn place_by_lease(ledger: &mut Ledger, there: &Sighting, is_clients: bool) {
    let (world, effects) = (&mut ledger.world, &mut ledger.effects);
    let Sighting { key, segment: id, lladdr, .. } = *there;
    if !world.topology.segment(id).is_up() || world.topology.is_own_lladdr(&lladdr) {
        return;
    }
    if !world.topology.may_live_on(id, &key, &lladdr) {
        effects.note(key.address, &IN_VAIN, id, lladdr);
        if let Some(held) = world.leases.lease(&key)
            && let Some(pin) = world.topology.pin_against(&key, id, &lladdr)
        {
            report_conflict(&key, held, pin.segment, pin.lladdr, effects);
        }
        return;
    }
    match world.hosts.live_host(&key) {
        None => match ledger.evidence().admission(there) {
            Ok(()) => {
                let (world, effects) = (&mut ledger.world, &mut ledger.effects);
                effects.note(key.address, &GRANTED, id, lladdr);
                world.admit(there, effects);
                world.doubt(&key, effects);
            }
            Err(limit) => ledger.keep_out(limit, there),
        },
        Some(host) if host.origin == Origin::Static => {}
        Some(host) if host.segment == id && (lladdr.is_empty() || host.is_at(id, &lladdr)) => {
            if host.lladdr.is_empty() && !lladdr.is_empty() {
                world.hosts.readdress(&key, lladdr);
                world.doubt(&key, effects);
            }
        }
        Some(host) if host.lladdr.same_port(&lladdr) && world.topology.is_one_link(host.segment, id) => {}
        Some(host) => {
            let has_moved = is_clients || !lladdr.is_empty() && host.lladdr.same_port(&lladdr);
            if has_moved && !ledger.claims.is_held(effects.now(), &key) {
                effects.note(key.address, &MOVED, id, lladdr);
                ledger.claims.close_claim(&key);
                ledger.move_host(there, Proof::SameHost);
                if ledger.world.hosts.live_host(&key).is_some_and(|host| host.segment == id) {
                    ledger.world.doubt(&key, &mut ledger.effects);
                }
            } else if !ledger.claims.is_contested(&key) {
                effects.note(key.address, &GRANTED, id, lladdr);
                ledger.contest(*there, Stake::Joining);
            }
        }
    }
}

/// The client or the server said that a lease is over.
fn lease_given_up(ledger: &mut Ledger, id: SegmentId, address: Address, client: &ClientId, end: LeaseEnd) {
    let (world, effects) = (&mut ledger.world, &mut ledger.effects);
    let key = world.topology.key(id, address);
    let is_its = match world.leases.lease(&key) {
        Some(held) if held.client != *client => return,
        Some(held) => {
            let held = held.clone();
            let is_its = |host: &Host| held.is_clients(host.segment, &host.lladdr);
            world.hosts.live_host(&key).is_some_and(is_its)
        }
        None => {
            let ClientId::Hardware(_, octets) = client else { return };
            let is_its = |host: &Host| host.segment == id && host.lladdr.octets() == octets;
            world.hosts.live_host(&key).is_some_and(is_its)
        }
    };
    end_lease(world, &key, end, effects);
    if end == LeaseEnd::Declined {
        // Somebody else has it, perhaps on another segment.
        world.ask_elsewhere(&key, effects);
    }
    if is_its {
        check(world, &key, end, effects);
    }
}

fn end_lease(world: &mut World, key: &Key, end: LeaseEnd, effects: &mut Effects) {
    let Some(Held { client, segment, .. }) = world.leases.end(key, end, effects) else { return };
    effects.emit(Event::LeaseEnded { address: key.address, segment, client: client.to_string(), end });
    keep_lease(world, key, effects);
}

/// The time of the next lease has come.
pub(super) fn leases_due(world: &mut World, token: Token, effects: &mut Effects) {
    if !world.leases.take_timer(token) {
        return;
    }
    while let Some(key) = world.leases.next_due(effects.now()) {
        if world.leases.valid(&key).is_none() {
            world.leases.drop_lease(&key);
            continue;
        }
        end_lease(world, &key, LeaseEnd::Expired, effects);
        let is_clients = |host: &Host| {
            let held = world.leases.lease(&key);
            held.is_some_and(|held| held.is_clients(host.segment, &host.lladdr))
        };
        if world.hosts.live_host(&key).is_some_and(is_clients) {
            check(world, &key, LeaseEnd::Expired, effects);
        }
    }
    world.leases.arm(effects);
}

/// Has a host asked whether it is still there.
fn check(world: &mut World, key: &Key, end: LeaseEnd, effects: &mut Effects) {
    if world.hosts.live_host(key).is_some_and(|host| host.origin == Origin::Static) {
        return;
    }
    if world.leases.checks.len() >= CHECKS {
        world.doubt(key, effects);
        return;
    }
    let pause = if end == LeaseEnd::Released { LEAVING } else { Duration::ZERO };
    let timer = effects.after(pause, Timer::LeaseCheck(*key));
    let since = effects.now() + pause;
    world.leases.checks.insert(*key, Check { probes: 0, since, is_second: false, timer });
}

/// It is time to ask a host again whose lease is over, or to decide.
pub(super) fn check_due(ledger: &mut Ledger, key: &Key, token: Token) {
    let (world, effects) = (&mut ledger.world, &mut ledger.effects);
    let Some(check) = world.leases.checks.get_mut(key).filter(|check| check.timer == token) else { return };
    let host = world.hosts.live_host(key).filter(|host| host.origin != Origin::Static);
    let Some(host) = host else {
        world.leases.checks.remove(key);
        return;
    };
    let (id, lladdr) = (host.segment, host.lladdr);
    let has_answered = check.probes > 0 && host.last_heard > check.since;
    let segment = world.topology.segment(id);
    let probes = if segment.kind() == LinkKind::Wifi { PROBES_ON_WIFI } else { PROBES };
    let is_demanded = segment.plan.dhcp.learn == LearnFrom::Leases;
    if has_answered && !check.is_second && !is_demanded {
        let timer = effects.after(SECOND_CHECK, Timer::LeaseCheck(*key));
        *check = Check { probes: 0, since: effects.now() + SECOND_CHECK, is_second: true, timer };
        return;
    }
    if has_answered {
        world.leases.checks.remove(key);
        return outlived(world, key, id, lladdr, effects);
    }
    if check.probes < probes {
        check.probes += 1;
        check.timer = effects.after(PROBE_WAIT, Timer::LeaseCheck(*key));
        world.probe_incumbent(key, effects);
    } else {
        world.leases.checks.remove(key);
        ledger.decide(key);
        let is_there = |host: &Host| host.segment == id && host.lladdr == lladdr;
        if ledger.world.hosts.live_host(key).is_some_and(is_there) {
            ledger.world.give_up(key, &mut ledger.effects);
        }
    }
}

/// A host answers though its lease is over.
fn outlived(world: &mut World, key: &Key, id: SegmentId, lladdr: LinkAddr, effects: &mut Effects) {
    let held = world.leases.lease(key);
    if let Some(held) = held.filter(|held| matches!(held.ended, Some((LeaseEnd::Expired, _)))) {
        let server = Key { domain: key.domain, address: held.server };
        let is_beside = world.hosts.live_host(&server).is_some_and(|host| host.segment == id);
        if is_beside && held.is_clients(id, &lladdr) {
            let now = effects.now();
            let expires = held.duration.map(|duration| now + duration);
            let held = Held { granted: now, expires, ended: None, lladdr, ..held.clone() };
            world.leases.put(*key, held, effects);
            keep_lease(world, key, effects);
            effects.note(key.address, &RENEWED_UNSEEN, id, lladdr);
            return;
        }
    }
    report_unleased(key, id, lladdr, effects);
    if world.topology.segment(id).plan.dhcp.learn == LearnFrom::Leases {
        world.give_up(key, effects);
    }
}

/// A host was learned, at a new link-layer address or place perhaps: a lease without a link-layer address gets it, and
/// whoever uses another's is reported.
pub(super) fn lease_used(world: &mut World, sighting: &Sighting, effects: &mut Effects) {
    let Sighting { key, segment, lladdr, .. } = *sighting;
    if world.leases.bind(&key, segment, lladdr) {
        keep_lease(world, &key, effects);
    } else if let Some(other) = world.leases.other_client(&key, segment, &lladdr) {
        report_conflict(&key, other, segment, lladdr, effects);
    }
}
