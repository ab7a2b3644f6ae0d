//! Announcements of ours (gratuitous ARP requests): the other segments are to send to us for an address.

use std::collections::BTreeMap;
use std::time::Duration;

use super::effects::Effects;
use super::fabric::speaks_for_remote;
use super::key::Key;
use super::policy;
use super::remote_hosts::{remote_host, remotes_of};
use super::timers::{Timer, Token};
use super::world::World;
use crate::address::Address;
use crate::plan::{DomainId, SegmentId};

/// Pauses before the second and third announcement. Linux ignores an update within a second of the last one
/// (`locktime`), so the three span more than two.
pub(super) const PAUSES: [Duration; 2] = [Duration::from_millis(1100), Duration::from_millis(1400)];
/// After an own link-layer address changed, so many addresses are announced at once …
const CHUNK: usize = 50;
/// … and then after this pause the next.
const CHUNK_PAUSE: Duration = Duration::from_millis(100);

/// Where this gateway takes over from another one, so many are announced at once …
const BURST: usize = 20;
/// … and then after this pause the next: 2,000 a second, so that a hundred milliseconds are enough for most networks. The
/// other gateway answers nobody any more.
const BURST_PAUSE: Duration = Duration::from_millis(10);

/// Own addresses that are announced at the same time; more only as the kernel or whoever gave them to us does.
const OWN: usize = 1024;

/// An address being announced.
#[derive(Debug)]
struct Announcement {
    sent: usize,
    timer: Token,
}

/// The addresses still to be announced on a segment whose own link-layer address changed, or where this gateway takes
/// over from another one.
#[derive(Debug)]
struct Roll {
    /// Those heard last come first: whoever talks is missed soonest.
    keys: std::vec::IntoIter<Key>,
    /// How often all of them were announced before.
    round: usize,
    timer: Token,
}

/// Everything that is being announced.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    hosts: BTreeMap<Key, Announcement>,
    /// Addresses of this machine, where they were a host's before.
    own: BTreeMap<(SegmentId, Address), Announcement>,
    segments: BTreeMap<SegmentId, Roll>,
}

impl Announcements {
    /// Announces a host that moved: on every segment but the one it lives on, which may be another gateway's, three times.
    pub(super) fn announce_host(&mut self, key: Key, world: &World, effects: &mut Effects) {
        self.hosts.insert(key, Announcement { sent: 0, timer: Token::default() });
        self.announcement_due(key, Token::default(), world, effects);
    }

    pub(super) fn announcement_due(&mut self, key: Key, timer: Token, world: &World, effects: &mut Effects) {
        let Some(announcement) = self.hosts.get_mut(&key).filter(|it| it.timer == timer) else { return };
        let host = world.hosts.live_host(&key);
        if host.is_none() && remote_host(world, &key).is_none() {
            self.hosts.remove(&key);
            return;
        }
        match PAUSES.get(announcement.sent) {
            Some(pause) => {
                announcement.sent += 1;
                announcement.timer = effects.after(*pause, Timer::Announce(key));
            }
            None => {
                self.hosts.remove(&key);
            }
        }
        let Some(host) = host else {
            for segment in world.topology.members(key.domain) {
                if speaks_for_remote(world, segment, &key) {
                    effects.announce(segment, key.address);
                }
            }
            return;
        };
        if policy::is_reachable(world, host, key.address) {
            let others = world.topology.others(host.segment);
            for other in others.filter(|it| !world.topology.is_one_link(it.id, host.segment)) {
                effects.announce(other, key.address);
            }
        }
    }

    /// A host's address is this machine's now. On the host's own segment everybody has its link-layer address in the
    /// cache, where the kernel's answers do not reach; whoever gave us the address (a VRRP daemon, say) announces it on
    /// one interface, perhaps another. On other segments we were asked for it, and still are.
    pub(super) fn announce_own(
        &mut self,
        segment: SegmentId,
        address: Address,
        world: &World,
        effects: &mut Effects,
    ) {
        if self.own.len() < OWN || self.own.contains_key(&(segment, address)) {
            self.own.insert((segment, address), Announcement { sent: 0, timer: Token::default() });
            self.own_announcement_due(segment, address, Token::default(), world, effects);
        }
    }

    pub(super) fn own_announcement_due(
        &mut self,
        segment: SegmentId,
        address: Address,
        timer: Token,
        world: &World,
        effects: &mut Effects,
    ) {
        let key = (segment, address);
        let Some(announcement) = self.own.get_mut(&key).filter(|it| it.timer == timer) else { return };
        let is_own = world.topology.is_own(address);
        match PAUSES.get(announcement.sent).filter(|_| is_own) {
            Some(pause) => {
                announcement.sent += 1;
                announcement.timer = effects.after(*pause, Timer::AnnounceOwn(segment, address));
            }
            None => {
                self.own.remove(&key);
            }
        }
        if is_own {
            effects.announce(world.topology.segment(segment), address);
        }
    }

    /// Our own link-layer address on the segment changed: whoever was answered before has the old one. All are
    /// announced three times, too: the first may find a switch that does not forward yet.
    pub(super) fn announce_all(&mut self, segment: SegmentId, world: &World, effects: &mut Effects) {
        self.start_round(segment, 0, Duration::ZERO, world, effects);
    }

    fn start_round(
        &mut self,
        segment: SegmentId,
        round: usize,
        pause: Duration,
        world: &World,
        effects: &mut Effects,
    ) {
        let domain = world.topology.segment(segment).plan.domain;
        let addresses = world.hosts.by_last_word(domain).into_iter();
        let own = own_addresses_of_pair(world, domain).into_iter();
        let keys = own.chain(addresses).map(|address| Key { domain, address });
        let remote = remotes_of(world, domain, None).map(|address| Key { domain, address });
        let keys: Vec<Key> = keys.chain(remote).filter(|key| !lives_on(world, key, segment)).collect();
        let timer = effects.after(pause, Timer::AnnounceAll(segment));
        self.segments.insert(segment, Roll { keys: keys.into_iter(), round, timer });
    }

    pub(super) fn announce_all_due(
        &mut self,
        segment: SegmentId,
        timer: Token,
        world: &World,
        effects: &mut Effects,
    ) {
        let Some(roll) = self.segments.get_mut(&segment).filter(|it| it.timer == timer) else { return };
        let takes_over = is_of_pair(world, world.topology.segment(segment).plan.domain);
        let (most, pause) = if takes_over { (BURST, BURST_PAUSE) } else { (CHUNK, CHUNK_PAUSE) };
        let chunk: Vec<Key> = roll.keys.by_ref().take(most).collect();
        if roll.keys.len() > 0 {
            roll.timer = effects.after(pause, Timer::AnnounceAll(segment));
        } else if let Some(pause) = PAUSES.get(roll.round) {
            let round = roll.round + 1;
            self.start_round(segment, round, *pause, world, effects);
        } else {
            self.segments.remove(&segment);
        }
        for key in chunk {
            let on = world.topology.segment(segment);
            let is_own = takes_over && world.topology.is_own(key.address);
            if is_own || speaks_for_remote(world, on, &key) {
                effects.announce(on, key.address);
            } else {
                reassert(&key, segment, world, effects);
            }
        }
    }
}

/// Whether this machine is one of two gateways of the domain.
fn is_of_pair(world: &World, domain: DomainId) -> bool {
    world.topology.domain(domain).plan.ha.is_some()
}

/// This machine's addresses in a domain that has two gateways: the one that they share was the other's before, and whoever
/// gave it to us announces it on one interface only.
fn own_addresses_of_pair(world: &World, domain: DomainId) -> Vec<Address> {
    let own = world.topology.own_addresses_in(domain).filter(|_| is_of_pair(world, domain));
    own.collect()
}

fn lives_on(world: &World, key: &Key, segment: SegmentId) -> bool {
    world.hosts.live_host(key).is_some_and(|host| host.segment == segment)
}

/// Whether it took so long until somebody was heard on a segment that nobody may have heard the first announcement.
pub(super) fn was_missed(world: &World, segment: SegmentId, effects: &Effects) -> bool {
    let came_up = world.topology.segment(segment).came_up;
    came_up.is_some_and(|then| effects.now().since(then) >= PAUSES[0])
}

/// Whoever heard a false claim on the segment may believe it now. Where we speak for the host, we say once more
/// where it is, as the host itself would (RFC 5227, section 2.4).
pub(super) fn reassert(key: &Key, segment: SegmentId, world: &World, effects: &mut Effects) {
    let Some(host) = world.hosts.live_host(key) else { return };
    if host.segment != segment
        && !world.topology.is_one_link(host.segment, segment)
        && policy::is_reachable(world, host, key.address)
    {
        effects.announce(world.topology.segment(segment), key.address);
    }
}
