//! Hosts that moved to another segment without noticing it, and are told where they find the others from there.
//!
//! A virtual machine that migrates, or one whose port was moved by software, sees no link go down: its kernel keeps
//! its neighbour cache, and all of it is wrong. The hosts of its old segment are in it at their own link-layer
//! addresses, which lead nowhere now; the gateway itself and everybody behind it at the gateway's address on the old
//! segment; and so are the hosts of the new segment, which it could send to directly. Left alone, a kernel that has
//! something to send finds that out after 5 s to 40 s (`delay_first_probe_time`, `base_reachable_time`).
//!
//! So it is sent unicast announcements: gratuitous requests, to it alone. Of all forms of ARP this is the one that
//! Linux takes into an entry that exists at any time (`arp_process` lets it pass `locktime`), that makes no entry where
//! there is none, and that nobody answers; the entry is stale by it, so it is verified when it is used.
//!
//! Each mover is told about those it most likely has in its cache first, in three rounds, because frames get lost,
//! and keys of a Wi-Fi association take a while; and then about everybody else, once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::announcements::PAUSES;
use super::contacts::Contacts;
use super::effects::Effects;
use super::key::Key;
use super::policy;
use super::proxies::Proxies;
use super::remote_hosts::remotes_of;
use super::timers::{Timer, Token};
use super::world::{Moved, World};
use crate::address::Address;
use crate::fact::PendingRequest;
use crate::order::Order;
use crate::plan::{DomainId, SegmentId};
use crate::time::Time;

/// How often a mover is told about its likely peers.
const ROUNDS: usize = PAUSES.len() + 1;
/// Contacts that come first, before anybody else's; those heard last if there are more.
const CONTACTS: usize = 64;
/// Likely peers in all, but for own addresses: contacts, and the hosts of the domain that were heard last.
const LIKELY: usize = 256;
/// Movers of a segment that are being told; the oldest gives way.
const MOVERS: usize = 1024;
/// A list of the domain's hosts serves for so long; hosts that came after it are among the contacts, if they matter.
const ROSTER_AGE: Duration = Duration::from_secs(10);
/// Lists that exist at a time, for each domain. If movers hold so many, the newest serves longer.
const ROSTERS: usize = 8;
/// Peers looked at in one go; most cost a frame, and so wait for the pace, but some have nothing to be told.
const LOOKS: usize = 1024;
/// The pause after that.
const LOOKS_PAUSE: Duration = Duration::from_millis(10);

/// In which order movers of a segment are told, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// The gateway's own addresses and the contacts.
    First,
    /// The other likely peers.
    Likely,
    /// Everybody else.
    Rest,
}

/// A host that moved, and how far it has been told.
#[derive(Debug)]
struct Mover {
    key: Key,
    /// Told in each round: the gateway's own addresses, contacts, hosts heard last.
    likely: Vec<Address>,
    /// So many of them are [`Stage::First`].
    first: usize,
    /// The domain's hosts, those heard last first; told once.
    roster: Arc<[Address]>,
    round: usize,
    /// When the round begins.
    begins: Time,
    next_likely: usize,
    next_of_roster: usize,
}

impl Mover {
    fn stage(&self, now: Time) -> Option<Stage> {
        if self.round < ROUNDS && self.begins <= now {
            Some(if self.next_likely < self.first { Stage::First } else { Stage::Likely })
        } else {
            (self.next_of_roster < self.roster.len()).then_some(Stage::Rest)
        }
    }

    fn is_done(&self) -> bool {
        self.round == ROUNDS && self.next_of_roster == self.roster.len()
    }

    /// The next peer at that stage, if the round has one left.
    fn next_peer(&mut self, stage: Stage, now: Time) -> Option<Address> {
        if stage == Stage::Rest {
            let peer = self.roster.get(self.next_of_roster).copied();
            self.next_of_roster += 1;
            return peer.filter(|peer| !self.likely.contains(peer));
        }
        let peer = self.likely.get(self.next_likely).copied();
        self.next_likely += 1;
        if self.next_likely >= self.likely.len() {
            if let Some(pause) = PAUSES.get(self.round) {
                self.begins = now + *pause;
            }
            self.round += 1;
            self.next_likely = 0;
        }
        peer
    }
}

/// The movers of one segment.
#[derive(Debug, Default)]
struct Queue {
    movers: VecDeque<Mover>,
    timer: Token,
}

/// A list of a domain's hosts.
#[derive(Debug)]
struct Roster {
    made: Time,
    newest: Weak<[Address]>,
    older: Vec<Weak<[Address]>>,
}

/// Everybody who is being told.
#[derive(Debug, Default)]
pub(super) struct Movers {
    /// Who talks with whom, to tell movers about those first.
    pub(super) contacts: Contacts,
    queues: BTreeMap<SegmentId, Queue>,
    rosters: BTreeMap<DomainId, Roster>,
}

impl Movers {
    /// A host moved: what it was being told about another place is outdated, and if the machine moved with its neighbour
    /// cache, it is told about this one. A proxy is not: it is not the host that it speaks for. Segments that are one
    /// link leave no cache outdated.
    pub(super) fn host_moved(
        &mut self,
        moved: &Moved,
        proxies: &Proxies,
        world: &mut World,
        effects: &mut Effects,
    ) {
        let Moved { key, from, is_same_station } = *moved;
        self.forget_mover(&key);
        let Some(host) = world.hosts.live_host(&key).filter(|_| is_same_station) else { return };
        if host.segment != from
            && !world.topology.is_one_link(host.segment, from)
            && !proxies.is_proxy(effects.now(), host.segment, &host.lladdr)
        {
            self.tell_mover(key, host.segment, world, effects);
        }
    }

    /// A host came from behind another gateway: what is here is told to it. A proxy is not the host that it speaks for.
    pub(super) fn tell_arrival(
        &mut self,
        key: Key,
        proxies: &Proxies,
        world: &mut World,
        effects: &mut Effects,
    ) {
        self.forget_mover(&key);
        let Some(host) = world.hosts.live_host(&key) else { return };
        let segment = host.segment;
        if !proxies.is_proxy(effects.now(), segment, &host.lladdr) {
            self.tell_mover(key, segment, world, effects);
        }
    }

    fn tell_mover(&mut self, key: Key, segment: SegmentId, world: &mut World, effects: &mut Effects) {
        let now = effects.now();
        let roster = self.roster(key.domain, world, now);
        let mut likely = own_addresses(segment, world);
        likely.extend(contacts_by_last_word(&self.contacts, &key, world).into_iter().take(CONTACTS));
        let first = likely.len();
        let recent = roster.iter().filter(|address| !likely.contains(address));
        let recent: Vec<Address> = recent.take(LIKELY.saturating_sub(CONTACTS)).copied().collect();
        likely.extend(recent);
        let mover =
            Mover { key, likely, first, roster, round: 0, begins: now, next_likely: 0, next_of_roster: 0 };
        let queue = self.queues.entry(segment).or_default();
        if queue.movers.len() >= MOVERS {
            queue.movers.pop_front();
        }
        queue.movers.push_back(mover);
        self.work_off(segment, world, effects);
    }

    fn forget_mover(&mut self, key: &Key) {
        for queue in self.queues.values_mut() {
            queue.movers.retain(|mover| mover.key != *key);
        }
    }

    /// The timer of a segment's movers fired.
    pub(super) fn movers_due(
        &mut self,
        segment: SegmentId,
        timer: Token,
        world: &mut World,
        effects: &mut Effects,
    ) {
        if self.queues.get(&segment).is_some_and(|queue| queue.timer == timer) {
            self.work_off(segment, world, effects);
        }
    }

    /// Tells as much as the segment's pace allows now, and sets the timer for what is left.
    fn work_off(&mut self, segment: SegmentId, world: &mut World, effects: &mut Effects) {
        let Some(queue) = self.queues.get_mut(&segment) else { return };
        match queue.tell(segment, world, effects) {
            Some(at) => queue.timer = effects.at(at, Timer::Movers(segment)),
            None => {
                self.queues.remove(&segment);
            }
        }
    }

    /// The addresses of the domain's hosts, those heard last first, and those behind other gateways after them.
    fn roster(&mut self, domain: DomainId, world: &World, now: Time) -> Arc<[Address]> {
        let known = self.rosters.get_mut(&domain);
        if let Some(roster) = known {
            roster.older.retain(|older| older.strong_count() > 0);
            let serves = now.since(roster.made) < ROSTER_AGE || roster.older.len() + 1 >= ROSTERS;
            if let Some(newest) = roster.newest.upgrade().filter(|_| serves) {
                return newest;
            }
        }
        let mut addresses = world.hosts.by_last_word(domain);
        addresses.extend(remotes_of(world, domain, None));
        let addresses: Arc<[Address]> = addresses.into();
        let older = self.rosters.remove(&domain).map_or_else(Vec::new, |old| {
            let mut older = old.older;
            older.push(old.newest);
            older
        });
        let newest = Arc::downgrade(&addresses);
        self.rosters.insert(domain, Roster { made: now, newest, older });
        addresses
    }
}

impl Queue {
    /// Tells what may be told now. Returns when to go on; `None`: everybody has been told everything.
    fn tell(&mut self, segment: SegmentId, world: &mut World, effects: &mut Effects) -> Option<Time> {
        let now = effects.now();
        self.movers.retain(|mover| is_there(&mover.key, segment, world));
        for _ in 0..LOOKS {
            let Some((stage, at)) = self.next_mover(now) else {
                return self.movers.iter().map(|mover| mover.begins).min();
            };
            let earliest = world.pacing.pace(segment).earliest_correction(now);
            if earliest > now {
                return Some(earliest);
            }
            let mover = &mut self.movers[at];
            let key = mover.key;
            let peer = mover.next_peer(stage, now);
            if mover.is_done() {
                self.movers.remove(at);
            }
            if let Some(peer) = peer
                && inform(&key, segment, peer, stage, world, effects)
            {
                world.pacing.pace_mut(segment).take_correction(now);
            }
        }
        Some(now + LOOKS_PAUSE)
    }

    /// Whose turn it is: of the movers at the earliest stage, the one that moved first.
    fn next_mover(&self, now: Time) -> Option<(Stage, usize)> {
        let mut best = None;
        for (at, mover) in self.movers.iter().enumerate() {
            match mover.stage(now) {
                Some(Stage::First) => return Some((Stage::First, at)),
                Some(stage) if best.is_none_or(|(least, _)| stage < least) => best = Some((stage, at)),
                _ => {}
            }
        }
        best
    }
}

fn is_there(key: &Key, segment: SegmentId, world: &World) -> bool {
    world.topology.segment(segment).is_up()
        && world.hosts.live_host(key).is_some_and(|host| host.segment == segment)
}

/// Tells a mover where it finds a peer. False if there is nothing to tell.
fn inform(
    mover: &Key,
    segment: SegmentId,
    peer: Address,
    stage: Stage,
    world: &mut World,
    effects: &mut Effects,
) -> bool {
    let Some(host) = world.hosts.live_host(mover) else { return false };
    let on = world.topology.segment(segment);
    if let Some(lladdr) = policy::lladdr_for(world, on, host, mover.address, peer) {
        effects.correct(on, peer, lladdr, host.lladdr);
        return true;
    }
    // What it asked for and no host has may be beyond a router; it is answered as if it had asked again.
    let is_host = world.hosts.host(&Key { domain: mover.domain, address: peer }).is_some();
    if stage != Stage::First || is_host || !policy::may_follow_route(on, peer) {
        return false;
    }
    let request = PendingRequest { segment, requester: mover.address, lladdr: host.lladdr, target: peer };
    let interface = on.index().filter(|_| world.pacing.pace_mut(segment).lookups.take(effects.now()));
    interface.map(|interface| effects.order(Order::LookUpRoute { interface, request })).is_some()
}

/// This machine's addresses in the domain, that which the segment's probes bear first.
fn own_addresses(segment: SegmentId, world: &World) -> Vec<Address> {
    let source = world.topology.segment(segment).source.address;
    let domain = world.topology.segment(segment).plan.domain;
    let mut own: Vec<Address> = world.topology.own_addresses_in(domain).collect();
    own.sort_by_key(|address| Some(*address) != source);
    own
}

/// Contacts of a host that are not hosts known to be gone, those heard last first.
fn contacts_by_last_word(contacts: &Contacts, key: &Key, world: &World) -> Vec<Address> {
    let mut known = contacts.contacts_of(key);
    known.retain(|other| !world.topology.is_own(other.address));
    let last_word = |other: &Key| world.hosts.live_host(other).map(|host| host.last_heard);
    known.sort_by_key(|other| std::cmp::Reverse(last_word(other)));
    known.into_iter().map(|other| other.address).collect()
}
