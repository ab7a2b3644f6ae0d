//! Hosts that come, move and go. Each of these is one verb, with all that follows from it.

use super::{Moved, REMEMBERED, World};
use crate::event::Event;
use crate::ledger::effects::Effects;
use crate::ledger::host::{Host, Origin, Sighting};
use crate::ledger::key::Key;
use crate::ledger::remote_hosts::{remote_host, route_elsewhere};
use crate::ledger::remotes::{host_came, host_left};
use crate::lladdr::LinkAddr;
use crate::order::Order;
use crate::plan::SegmentId;

impl World {
    /// A host lives here from now on.
    pub(in crate::ledger) fn arrive(&mut self, sighting: &Sighting, effects: &mut Effects) {
        let Sighting { key, segment, lladdr, .. } = *sighting;
        let came_from = remote_host(self, &key).map(|remote| remote.route.next_hop);
        let before = self.hosts.insert(key, Host::seen(sighting, effects.now()));
        self.look_after_quiet_time(&key, segment, effects);
        effects.order(Order::HostSeen { segment, address: key.address });
        self.pending.arrived.push(key);
        if let Some(next_hop) = came_from {
            effects.emit(host_came(sighting, next_hop));
            self.pending.came.push(key);
            return;
        }
        effects.emit(Event::HostFound { address: key.address, lladdr, segment });
        // Those who knew its old place would go on sending there until their caches give it up.
        if let Some(old) = before {
            self.note_move(sighting, old.lived_on.unwrap_or(old.segment), old.lladdr, effects);
        }
    }

    /// A live host is at another place, on its segment or elsewhere.
    pub(in crate::ledger) fn relocate(&mut self, to: &Sighting, effects: &mut Effects) {
        let Some((old_segment, old_lladdr)) = self.hosts.relocate(to, effects.now()) else { return };
        self.look_after_quiet_time(&to.key, to.segment, effects);
        effects.order(Order::HostSeen { segment: to.segment, address: to.key.address });
        if old_segment == to.segment {
            effects.emit(host_moved(to, old_segment, old_lladdr));
        } else {
            self.note_move(to, old_segment, old_lladdr, effects);
        }
    }

    fn note_move(
        &mut self,
        to: &Sighting,
        old_segment: SegmentId,
        old_lladdr: LinkAddr,
        effects: &mut Effects,
    ) {
        if old_segment != to.segment {
            effects.emit(host_moved(to, old_segment, old_lladdr));
            let is_same_station =
                old_lladdr.is_empty() || old_lladdr.same_port(&to.lladdr) || old_lladdr.same_gid(&to.lladdr);
            self.pending.moved.push(Moved { key: to.key, from: old_segment, is_same_station });
        }
    }

    /// Gives a live host up: route and neighbour entry go, the address is remembered for a while.
    pub(in crate::ledger) fn give_up(&mut self, key: &Key, effects: &mut Effects) {
        let Some(host) = self.put_to_sleep(key, effects) else { return };
        let (lladdr, segment) = (host.lladdr, host.segment);
        match route_elsewhere(self, key).map(|remote| remote.route.next_hop) {
            Some(next_hop) => {
                effects.emit(host_left(key, segment, lladdr, next_hop));
                self.pending.departed.push(*key);
            }
            None => effects.emit(Event::HostGone { address: key.address, lladdr, segment }),
        }
        let came_up = self.topology.segment(segment).came_up;
        if came_up.is_some_and(|then| host.last_heard < then) {
            self.wake(key, effects);
        }
    }

    /// Makes a live host a remembered one. Returns it as it was.
    pub(in crate::ledger) fn put_to_sleep(&mut self, key: &Key, effects: &mut Effects) -> Option<Host> {
        let before = self.hosts.sleep(key)?;
        if self.hosts.host(key).is_some() {
            self.look_after(key, effects.now() + REMEMBERED, effects);
        }
        Some(before)
    }

    /// A host's address is this machine's: the host is gone. On its segment the address is announced, unless it is at
    /// the virtual link-layer address of a VRRP router, which comes along with it.
    pub(in crate::ledger) fn take_from_host(&mut self, key: &Key, effects: &mut Effects) {
        self.give_up(key, effects);
        let Some(host) = self.hosts.remove(key) else { return };
        if host.origin != Origin::Kernel && !host.lladdr.is_vrrp() {
            self.pending.taken.push((host.lived_on.unwrap_or(host.segment), key.address));
        }
    }
}

fn host_moved(to: &Sighting, old_segment: SegmentId, old_lladdr: LinkAddr) -> Event {
    let Sighting { key, segment, lladdr, .. } = *to;
    let (segment, old_segment) = (Some(segment), Some(old_segment));
    Event::HostMoved { address: key.address, old_lladdr, lladdr, old_segment, segment, next_hop: None }
}
