//! A segment's interface came, changed or went; an address of this machine did.

use super::Ledger;
use super::entries::{delete_entries, put_entries};
use super::host::{Host, Origin, Sighting};
use super::installed::RouteState;
use crate::address::Address;
use crate::event::{DownReason, Event};
use crate::fact::Link;
use crate::order::Order;
use crate::plan::SegmentId;

impl Ledger {
    /// A segment's interface is now like this, or gone.
    pub(super) fn link_changed(&mut self, id: SegmentId, link: Option<Link>) {
        let old = self.world.topology.segment(id).link.clone();
        let (is_recreated, is_renumbered) = match (&old, &link) {
            (Some(old), Some(new)) => (old.index != new.index, old.addresses != new.addresses),
            _ => (false, false),
        };
        // Another number is another interface: what stood on the old one is taken away there.
        if is_recreated {
            self.set_link(id, None, false);
        }
        self.set_link(id, link, is_renumbered && !is_recreated);
    }

    fn set_link(&mut self, id: SegmentId, link: Option<Link>, is_renumbered: bool) {
        self.world.topology.segment_mut(id).set_link(link);
        if self.refresh(id) || is_renumbered {
            self.rewrite_routes(id);
        }
        self.settle_static_hosts(id);
    }

    /// Works out what follows from news about the segment that are not about its interface.
    pub(super) fn look_again(&mut self, id: SegmentId) {
        if self.refresh(id) {
            self.rewrite_routes(id);
        }
        self.settle_static_hosts(id);
    }

    /// This machine's addresses are now these.
    pub(super) fn addresses_changed(&mut self, addresses: Vec<Address>) {
        self.world.topology.set_own_addresses(addresses);
        let topology = &self.world.topology;
        self.claims.close_claims_on(|address| topology.is_own(address));
        self.searches.close_searches_for(|address| topology.is_own(address));
        let taken = self.world.hosts.keys_where(|_| true).into_iter();
        let taken: Vec<_> = taken.filter(|key| topology.is_own(key.address)).collect();
        for key in taken {
            self.world.give_up(&key, &mut self.effects);
            self.world.hosts.remove(&key);
        }
        let segments = self.world.topology.segments().iter().map(|segment| segment.id);
        for id in segments.collect::<Vec<_>>() {
            self.look_again(id);
        }
    }

    /// Works out anew what the segment's source is and whether it can be used. True if its routes have to be
    /// written again because of that.
    fn refresh(&mut self, id: SegmentId) -> bool {
        let had_kernel_state = self.world.topology.segment(id).keeps_kernel_state();
        let refreshed = self.world.topology.refresh_segment(id, self.effects.now());
        let down = self.world.topology.segment(id).down;
        if refreshed.before != down {
            match down {
                None => self.came_up(id),
                Some(reason) => self.went_down(id, refreshed.before, reason),
            }
        }
        let segment = self.world.topology.segment(id);
        if had_kernel_state && !segment.keeps_kernel_state() {
            delete_entries(segment, &self.world.reasons(), &mut self.effects);
        }
        let segment = self.world.topology.segment_mut(id);
        // The kernel forgets a link's neighbours with its old link-layer address (`neigh_changeaddr`).
        if refreshed.is_relabelled {
            segment.is_unheard = refreshed.before.is_some();
        }
        if refreshed.is_relabelled || segment.is_up() && std::mem::take(&mut segment.is_unannounced) {
            self.announcements.announce_all(id, &self.world, &mut self.effects);
        }
        let is_back = refreshed.before.is_some() && down.is_none();
        refreshed.is_new_source || refreshed.is_relabelled || is_back
    }

    fn came_up(&mut self, id: SegmentId) {
        let segment = self.world.topology.segment(id);
        let (lladdr, source, domain) = (segment.lladdr(), segment.source, segment.plan.domain);
        self.effects.emit(Event::SegmentUp { segment: id, lladdr, source });
        self.world.kernel.cover(domain, &self.world.topology, &mut self.effects);
        put_entries(segment, &self.world.reasons(), &mut self.effects);
        // Hosts kept over a lost carrier keep their routes; others are probed before they get them back.
        self.pacing.pace_mut(id).probes.clear();
        for key in self.world.hosts.keys_where(|host| host.segment == id) {
            self.world.doubt(&key, &mut self.effects);
            self.world.wake(&key, &mut self.effects);
        }
        self.effects.order(Order::Sweep { segment: id, active: true });
    }

    fn went_down(&mut self, id: SegmentId, before: Option<DownReason>, reason: DownReason) {
        self.effects.emit(Event::SegmentDown { segment: id, reason });
        if before.is_none() {
            self.effects.order(Order::Sweep { segment: id, active: false });
        }
        for key in self.world.hosts.keys_where(|host| host.segment == id && host.is_live()) {
            match reason {
                // The kernel keeps the routes, and the cable may be back in a moment: the hosts get as long
                // as it takes to probe them in vain.
                DownReason::NoCarrier => self.world.doubt(&key, &mut self.effects),
                // It has dropped them, or some of them, or none: the interface may only have another name, or
                // be up again by the time we hear that it went down.
                DownReason::AdminDown
                | DownReason::Absent
                | DownReason::SourceMissing
                | DownReason::Port
                | DownReason::NoArp => {
                    self.world.put_to_sleep(&key, &mut self.effects);
                }
            }
        }
    }

    /// Writes the routes and neighbour entries of all live hosts of the segment again: the kernel drops routes
    /// without a word with an address, all of them with the last, and others may take them while a cable is out.
    fn rewrite_routes(&mut self, id: SegmentId) {
        if !self.world.topology.segment(id).keeps_kernel_state() {
            return;
        }
        let is_written = |host: &Host| host.segment == id && host.installed.route() == RouteState::Written;
        for key in self.world.hosts.keys_where(is_written) {
            self.world.rewrite(&key);
        }
    }

    /// If the segment can be used, its static hosts live, whatever else was known of their addresses.
    fn settle_static_hosts(&mut self, id: SegmentId) {
        let segment = self.world.topology.segment(id);
        if !segment.is_up() || segment.plan.hosts.is_empty() {
            return;
        }
        let statics: Vec<_> = segment.plan.hosts.iter().map(|(ip, lladdr)| (*ip, *lladdr)).collect();
        for (address, lladdr) in statics {
            if self.world.topology.is_own(address) {
                continue;
            }
            let key = self.world.topology.key(id, address);
            match self.world.hosts.live_host(&key).map(|host| (host.segment, host.origin)) {
                Some((place, Origin::Static)) if place == id => continue,
                Some((place, _)) if place == id => {
                    self.world.hosts.fix(&key, lladdr);
                    continue;
                }
                Some(_) => self.world.give_up(&key, &mut self.effects),
                None => {}
            }
            let sighting = Sighting { key, segment: id, lladdr, origin: Origin::Static };
            self.world.arrive(&sighting, &mut self.effects);
            self.incumbent_spoke(&key);
        }
    }
}
