//! A segment's interface came, changed or went; an address of this machine did.

use super::effects::Effects;
use super::entries::{delete_entries, follow_use, put_entries};
use super::host::{Host, Origin, Sighting};
use super::installed::RouteState;
use super::renumbering::follow_addresses;
use super::sharing::follow_shared_lladdr;
use super::standby_routes::standby_routes;
use super::world::World;
use crate::address::Address;
use crate::event::{DownReason, Event};
use crate::fact::Link;
use crate::order::{Order, Purpose};
use crate::plan::{SegmentId, StandbyRoutes};

impl World {
    /// A segment's interface is now like this, or gone.
    pub(super) fn link_changed(&mut self, id: SegmentId, link: Option<Link>, effects: &mut Effects) {
        let old = self.topology.segment(id).link.clone();
        let (is_recreated, is_renumbered) = match (&old, &link) {
            (Some(old), Some(new)) => (old.index != new.index, old.addresses != new.addresses),
            _ => (false, false),
        };
        // Another number is another interface: what stood on the old one is taken away there.
        if is_recreated {
            self.set_link(id, None, false, effects);
        }
        self.set_link(id, link, is_renumbered && !is_recreated, effects);
        // Whether it is free or taken from now on, other segments that name it otherwise follow.
        let old = old.map(|link| link.index);
        if old != self.topology.segment(id).index() {
            for other in self.topology.later_members_on(id, old) {
                self.look_again(other, effects);
            }
        }
    }

    fn set_link(&mut self, id: SegmentId, link: Option<Link>, is_renumbered: bool, effects: &mut Effects) {
        self.topology.set_link(id, link);
        let mut concerned = follow_addresses(self, id, effects);
        concerned.retain(|other| *other != id);
        for id in std::iter::once(id).chain(concerned) {
            self.look_again(id, effects);
        }
        if is_renumbered {
            self.rewrite_routes(id);
        }
    }

    /// Works out what follows from news about the segment.
    pub(super) fn look_again(&mut self, id: SegmentId, effects: &mut Effects) {
        if self.refresh(id, effects) {
            self.rewrite_routes(id);
        }
        self.settle_static_hosts(id, effects);
        self.fast.doubt_segment(id);
    }

    /// This machine's addresses are now these.
    pub(super) fn own_addresses_changed(&mut self, addresses: Vec<Address>, effects: &mut Effects) {
        let changed = self.topology.set_own_addresses(addresses);
        self.addressed.follow(self.topology.own_addresses(), effects);
        for &address in &changed {
            for segment in self.topology.segments().iter().filter(|segment| segment.publishes(address)) {
                follow_use(segment, address, self, effects);
            }
        }
        let mut taken = self.hosts.keys_where(|_| true);
        taken.retain(|key| self.topology.is_own(key.address));
        for key in taken {
            self.take_from_host(&key, effects);
        }
        let segments: Vec<_> = self.topology.segments().iter().map(|segment| segment.id).collect();
        for id in segments {
            self.look_again(id, effects);
        }
        for address in changed {
            self.ask_claimants(address, effects);
        }
    }

    /// Whoever claimed an address while it was ours has it now, perhaps.
    fn ask_claimants(&mut self, address: Address, effects: &mut Effects) {
        if self.topology.is_own(address) {
            return;
        }
        for (id, lladdr) in self.own_claims.take_claimants(address) {
            let segment = self.topology.segment(id);
            if segment.may_hold(address) {
                effects.request(segment, address, Some(lladdr), Purpose::Verify);
            }
        }
    }

    /// Works out anew what the segment's source is and whether it can be used. True if its routes have to be
    /// written again because of that.
    fn refresh(&mut self, id: SegmentId, effects: &mut Effects) -> bool {
        let had_kernel_state = self.topology.segment(id).keeps_kernel_state();
        let refreshed = self.topology.refresh_segment(id, effects.now());
        let down = self.topology.segment(id).down;
        if refreshed.before != down {
            match down {
                None => self.came_up(id, effects),
                Some(reason) => self.went_down(id, refreshed.before, reason, effects),
            }
        }
        let segment = self.topology.segment(id);
        if had_kernel_state && !segment.keeps_kernel_state() {
            delete_entries(segment, self, effects);
        }
        if refreshed.before.is_some() && down.is_none() {
            self.topology.segment_mut(id).shared.doubt_written();
        }
        follow_shared_lladdr(&mut self.topology, id, effects);
        let segment = self.topology.segment_mut(id);
        // The kernel forgets a link's neighbours with its old link-layer address (`neigh_changeaddr`).
        if refreshed.is_relabelled {
            segment.untold.is_unheard = refreshed.before.is_some();
        }
        if refreshed.is_relabelled || segment.is_up() && std::mem::take(&mut segment.untold.is_unannounced) {
            self.announce_all_on(id);
        }
        if refreshed.is_new_source {
            let domain = self.topology.segment(id).plan.domain;
            self.kernel.source_changed(domain, &self.topology, effects);
        }
        let is_back = refreshed.before.is_some() && down.is_none();
        refreshed.is_new_source || refreshed.is_relabelled || is_back
    }

    fn came_up(&mut self, id: SegmentId, effects: &mut Effects) {
        let segment = self.topology.segment(id);
        let (lladdr, source, domain) =
            (segment.interface_lladdr(), segment.source.address, segment.plan.domain);
        effects.emit(Event::SegmentUp { segment: id, lladdr, source });
        if standby_routes(&self.topology, segment) != Some(StandbyRoutes::None) {
            self.kernel.cover(domain, &self.topology, effects);
        }
        put_entries(segment, self, effects);
        // Hosts kept over a lost carrier keep their routes; others are probed before they get them back.
        self.pacing.pace_mut(id).verification.refill();
        for key in self.hosts.keys_where(|host| host.segment == id) {
            self.doubt(&key, effects);
            self.wake(&key, effects);
        }
        effects.order(Order::Sweep { segment: id, active: true });
    }

    fn went_down(
        &mut self,
        id: SegmentId,
        before: Option<DownReason>,
        reason: DownReason,
        effects: &mut Effects,
    ) {
        effects.emit(Event::SegmentDown { segment: id, reason });
        if before.is_none() {
            effects.order(Order::Sweep { segment: id, active: false });
        }
        for key in self.hosts.keys_where(|host| host.segment == id && host.is_live()) {
            match reason {
                // The kernel keeps the routes, and the cable may be back in a moment: the hosts get as long
                // as it takes to probe them in vain.
                DownReason::NoCarrier => self.doubt(&key, effects),
                // It has dropped them, or some of them, or none: the interface may only have another name, or
                // be up again by the time we hear that it went down.
                DownReason::AdminDown
                | DownReason::Absent
                | DownReason::WaitingForAddress
                | DownReason::PrefixOverlap
                | DownReason::SourceMissing
                | DownReason::Port
                | DownReason::NoArp
                | DownReason::InterfaceTaken => {
                    self.put_to_sleep(&key, effects);
                }
            }
        }
    }

    /// Writes the routes and neighbour entries of all live hosts of the segment again: the kernel drops routes
    /// without a notification with an address, all of them with the last, and others may take them while a cable is out.
    fn rewrite_routes(&mut self, id: SegmentId) {
        if !self.topology.segment(id).keeps_kernel_state() {
            return;
        }
        let is_written = |host: &Host| host.segment == id && host.installed.route() == RouteState::Written;
        for key in self.hosts.keys_where(is_written) {
            self.rewrite(&key);
        }
    }

    /// If the segment can be used, its static hosts live, whatever else was known of their addresses.
    fn settle_static_hosts(&mut self, id: SegmentId, effects: &mut Effects) {
        let segment = self.topology.segment(id);
        if !segment.is_up() || segment.plan.addresses.hosts.is_empty() {
            return;
        }
        let statics: Vec<_> =
            segment.plan.addresses.hosts.iter().map(|(ip, lladdr)| (*ip, *lladdr)).collect();
        for (address, lladdr) in statics {
            if self.topology.is_own(address) || !self.topology.segment(id).spans(address) {
                continue;
            }
            let key = self.topology.key(id, address);
            match self.hosts.live_host(&key).map(|host| (host.segment, host.origin)) {
                Some((place, Origin::Static)) if place == id => continue,
                Some((place, _)) if place == id => {
                    self.hosts.fix(&key, lladdr);
                    continue;
                }
                Some(_) => self.give_up(&key, effects),
                None => {}
            }
            let sighting = Sighting { key, segment: id, lladdr, origin: Origin::Static };
            self.arrive(&sighting, effects);
        }
    }
}
