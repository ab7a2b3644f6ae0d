//! The table of hosts: the only place that adds, moves or removes one, and so the only one that counts them.

mod asking;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::census::Census;
use super::departed::Departed;
use super::host::{Host, HostState, Origin, Sighting, Transition};
use super::installed::Installed;
use super::key::{Key, KeyHashing};
use super::timers::Token;
use super::verification::Waiting;
use crate::address::Address;
use crate::lladdr::LinkAddr;
use crate::plan::{DomainId, SegmentId, SegmentPlan};
use crate::time::Time;

/// All hosts, live and remembered.
#[derive(Debug)]
pub(super) struct Hosts {
    /// Hashed for speed, and never iterated without sorting where order could show in the orders.
    table: HashMap<Key, Host, KeyHashing>,
    census: Vec<Census>,
    /// Addresses of which something changed that the kernel's tables depend on.
    touched: Vec<Key>,
    /// Live hosts that became suspect, or are no longer.
    roused: Vec<Key>,
    /// What the kernel still holds for hosts that were removed.
    remains: BTreeMap<Key, Installed>,
    departed: Departed,
}

impl Hosts {
    /// A table for hosts of these segments.
    pub(super) fn new(segments: &[SegmentPlan]) -> Self {
        Self {
            table: HashMap::default(),
            census: segments.iter().map(Census::new).collect(),
            touched: Vec::new(),
            roused: Vec::new(),
            remains: BTreeMap::new(),
            departed: Departed::default(),
        }
    }

    /// The segments are planned like this from now on; each host is on one of them.
    pub(super) fn replan(&mut self, segments: &[SegmentPlan]) {
        self.census = segments.iter().map(Census::new).collect();
        for (key, host) in &self.table {
            self.census[host.segment.index()].add(key, host);
        }
    }

    /// What is known of an address, live or not.
    pub(super) fn host(&self, key: &Key) -> Option<&Host> {
        self.table.get(key)
    }

    /// The live host of an address.
    pub(super) fn live_host(&self, key: &Key) -> Option<&Host> {
        self.host(key).filter(|host| host.is_live())
    }

    /// Where the host of an address is, or was when it went, if its link-layer address was known.
    pub(super) fn last_place(&self, key: &Key) -> Option<(SegmentId, LinkAddr)> {
        let known = self.host(key).map(|host| (host.segment, host.lladdr));
        known.or_else(|| self.departed.place(key)).filter(|(_, lladdr)| !lladdr.is_empty())
    }

    /// Keys of the hosts that fit, in order.
    pub(super) fn keys_where(&self, fits: impl Fn(&Host) -> bool) -> Vec<Key> {
        let mut keys: Vec<Key> =
            self.table.iter().filter(|(_, host)| fits(host)).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys
    }

    /// The first addresses of live hosts, in order, of those that follow one; and whether there are more.
    pub(super) fn live_keys_after(&self, after: Option<Key>, most: usize) -> (Vec<Key>, bool) {
        let follows = |key: &&Key| after.is_none_or(|after| **key > after);
        let mut keys: Vec<Key> = self.live_keys().filter(follows).copied().collect();
        let has_more = keys.len() > most;
        if has_more {
            keys.select_nth_unstable(most);
            keys.truncate(most);
        }
        keys.sort_unstable();
        (keys, has_more)
    }

    /// The addresses of all live hosts, in no order.
    pub(super) fn live_keys(&self) -> impl Iterator<Item = &Key> {
        self.table.iter().filter(|(_, host)| host.is_live()).map(|(key, _)| key)
    }

    /// The addresses of a domain's live hosts whose link-layer address is known, those heard last first.
    pub(super) fn by_last_word(&self, domain: DomainId) -> Vec<Address> {
        let of_domain = self.table.iter().filter(|(key, host)| key.domain == domain && host.is_located());
        let mut words: Vec<(Reverse<Time>, Address)> =
            of_domain.map(|(key, host)| (Reverse(host.last_heard), key.address)).collect();
        words.sort_unstable();
        words.into_iter().map(|(_, address)| address).collect()
    }

    /// Live hosts of a segment.
    pub(super) fn live_on(&self, segment: SegmentId) -> u32 {
        self.census[segment.index()].live
    }

    /// Live hosts of a segment that are being asked whether they still are.
    pub(super) fn suspects_on(&self, segment: SegmentId) -> u32 {
        self.census[segment.index()].suspect
    }

    /// Live hosts of a segment at one link-layer address, those behind it left out.
    pub(super) fn held_by(&self, segment: SegmentId, lladdr: &LinkAddr) -> u32 {
        self.census[segment.index()].held_by(lladdr)
    }

    /// Whether a host at the link-layer address is known on the segment, live or dormant.
    pub(super) fn is_known_at(&self, segment: SegmentId, lladdr: &LinkAddr) -> bool {
        self.census[segment.index()].is_known(lladdr)
    }

    /// Whether a dormant host at the link-layer address is remembered for the segment.
    pub(super) fn is_remembered_at(&self, segment: SegmentId, lladdr: &LinkAddr) -> bool {
        self.census[segment.index()].is_remembered(lladdr)
    }

    /// Puts a host into the table in place of the one of the same address, which is returned. What the kernel
    /// holds for the address stays known.
    pub(super) fn insert(&mut self, key: Key, mut host: Host) -> Option<Host> {
        let before = self.take(&key);
        let remains = self.remains.remove(&key);
        host.installed = before.as_ref().map(|old| old.installed).or(remains).unwrap_or_default();
        if let Some(old) = &before {
            host.follow(old);
        }
        self.census[host.segment.index()].add(&key, &host);
        host.installed.relocated();
        self.table.insert(key, host);
        self.touched.push(key);
        before
    }

    /// Puts a dormant host into the table, of whom nothing is known, as long as there is room. True if there was.
    pub(super) fn remember(&mut self, key: Key, host: Host) -> bool {
        let census = &self.census[host.segment.index()];
        let has_room = census.dormant < census.room;
        if has_room {
            self.insert(key, host);
        }
        has_room
    }

    /// A live host was heard at its place. True if it waited to be asked, which it does no longer: no timer looks after it.
    pub(super) fn refresh(&mut self, key: &Key, now: Time) -> bool {
        let Some(host) = self.table.get_mut(key) else { return false };
        host.last_heard = now;
        let is_roused = host.state != HostState::Alive;
        let census = &mut self.census[host.segment.index()];
        census.pass(host, Transition::Heard);
        if is_roused {
            self.roused.push(*key);
        }
        is_roused && census.stop_waiting(host)
    }

    /// Something else than the host itself says that it was there at that time.
    pub(super) fn credit(&mut self, key: &Key, heard: Time) {
        if let Some(host) = self.table.get_mut(key) {
            host.last_heard = host.last_heard.max(heard);
        }
    }

    /// A live host has another link-layer address, at the same place.
    pub(super) fn readdress(&mut self, key: &Key, lladdr: LinkAddr) {
        let Some(host) = self.table.get_mut(key).filter(|host| host.is_live()) else { return };
        let census = &mut self.census[host.segment.index()];
        census.subtract(key, host);
        host.lladdr = lladdr;
        census.add(key, host);
        host.installed.outdate_neighbour();
        self.touched.push(*key);
    }

    /// A live host is where the operator says, and stays alive.
    pub(super) fn fix(&mut self, key: &Key, lladdr: LinkAddr) {
        self.readdress(key, lladdr);
        if let Some(host) = self.table.get_mut(key).filter(|host| host.is_live()) {
            host.origin = Origin::Static;
            let census = &mut self.census[host.segment.index()];
            census.pass(host, Transition::Heard);
            census.stop_waiting(host);
        }
    }

    /// A host of which the operator says nothing any more: only its route says that it is there.
    pub(super) fn unfix(&mut self, key: &Key) {
        if let Some(host) = self.table.get_mut(key) {
            host.origin = Origin::Kernel;
        }
    }

    /// A live host is now where it was seen. Returns where it was.
    pub(super) fn relocate(&mut self, to: &Sighting, now: Time) -> Option<(SegmentId, LinkAddr)> {
        let host = self.table.get_mut(&to.key).filter(|host| host.is_live())?;
        self.census[host.segment.index()].subtract(&to.key, host);
        let before = (host.segment, host.lladdr);
        (host.segment, host.lladdr, host.origin) = (to.segment, to.lladdr, to.origin);
        host.last_heard = now;
        host.state = host.state.after(Transition::Heard);
        host.waiting.leave();
        host.installed.outdate_neighbour();
        if before.0 != to.segment {
            host.installed.relocated();
            host.waiting = Waiting::default();
        }
        self.census[host.segment.index()].add(&to.key, host);
        self.touched.push(to.key);
        Some(before)
    }

    /// A dormant host's station is on another segment now: it is remembered for that one, as long as there is
    /// room. True if it is remembered there now.
    pub(super) fn rehome(&mut self, key: &Key, segment: SegmentId) -> bool {
        let Some(host) = self.table.get_mut(key).filter(|host| !host.is_live()) else { return false };
        let census = &self.census[segment.index()];
        if host.segment != segment && census.dormant < census.room {
            self.census[host.segment.index()].subtract(key, host);
            host.lived_on = Some(host.lived_on.unwrap_or(host.segment));
            host.segment = segment;
            host.waiting = Waiting::default();
            self.census[segment.index()].add(key, host);
        }
        host.segment == segment
    }

    /// There is a reason to probe a live host. False where the operator says that it lives.
    pub(super) fn doubt(&mut self, key: &Key) -> bool {
        let may_die = |host: &&mut Host| host.is_live() && host.origin != Origin::Static;
        self.change(key, may_die, Transition::Doubted)
    }

    /// A live host is given up. It is remembered as long as there is room. Returns it as it was.
    pub(super) fn sleep(&mut self, key: &Key) -> Option<Host> {
        self.live_host(key)?;
        let mut before = self.take(key)?;
        self.departed.note(*key, before.segment, before.lladdr);
        before.installed.doubt();
        before.waiting.leave();
        let census = &self.census[before.segment.index()];
        if census.dormant < census.room {
            let state = before.state.after(Transition::Lost);
            let asleep = Host { state, has_slot: false, timer: Token::default(), ..before.clone() };
            self.census[asleep.segment.index()].add(key, &asleep);
            self.table.insert(*key, asleep);
        } else {
            self.remains.insert(*key, before.installed);
        }
        self.touched.push(*key);
        Some(before)
    }

    /// A dormant host is to be probed: its segment or its station returned. False if there is none.
    pub(super) fn wake(&mut self, key: &Key) -> bool {
        self.change(key, |host| !host.is_live(), Transition::Woken)
    }

    /// Removes a host, live or remembered.
    pub(super) fn remove(&mut self, key: &Key) -> Option<Host> {
        let host = self.take(key)?;
        self.remains.insert(*key, host.installed);
        self.touched.push(*key);
        Some(host)
    }

    /// What the kernel holds for the address is to be compared with what it should hold.
    pub(super) fn touch(&mut self, key: Key) {
        self.touched.push(key);
    }

    /// Whether any address was touched since [`Hosts::take_touched`].
    pub(super) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The addresses touched since the last call, in order, each once.
    pub(super) fn take_touched(&mut self) -> Vec<Key> {
        let mut touched = std::mem::take(&mut self.touched);
        if touched.len() > 1 {
            touched.sort_unstable();
            touched.dedup();
        }
        touched
    }

    /// Moves those that became suspect since the last call, or are no longer, to a list.
    pub(super) fn take_roused(&mut self, list: &mut Vec<Key>) {
        list.append(&mut self.roused);
    }

    /// The record of what the kernel holds for an address, of a host or of one that was removed.
    pub(super) fn installed_mut(&mut self, key: &Key) -> Option<&mut Installed> {
        match self.table.get_mut(key) {
            Some(host) => Some(&mut host.installed),
            None => self.remains.get_mut(key),
        }
    }

    /// The kernel holds nothing any more for an address whose host was removed.
    pub(super) fn drop_remains(&mut self, key: &Key) {
        self.remains.remove(key);
    }

    fn take(&mut self, key: &Key) -> Option<Host> {
        let host = self.table.remove(key)?;
        self.census[host.segment.index()].subtract(key, &host);
        Some(host)
    }

    fn change(
        &mut self,
        key: &Key,
        applies: impl FnOnce(&&mut Host) -> bool,
        transition: Transition,
    ) -> bool {
        let Some(host) = self.table.get_mut(key).filter(applies) else { return false };
        if host.state == HostState::Alive {
            self.roused.push(*key);
        }
        self.census[host.segment.index()].pass(host, transition);
        if matches!(transition, Transition::Doubted | Transition::Woken) {
            host.has_slot = false;
        }
        true
    }
}
