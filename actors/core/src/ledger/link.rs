//! A segment's interface came, changed or went; an address of this machine did.

use std::net::Ipv4Addr;

use super::Ledger;
use super::host::{Host, RouteState};
use crate::event::{DownReason, Event};
use crate::fact::Link;
use crate::order::Order;
use crate::plan::SegmentId;
use crate::time::Time;

impl Ledger {
    pub(super) fn link_changed(
        &mut self,
        now: Time,
        id: SegmentId,
        link: Option<Link>,
        orders: &mut Vec<Order>,
    ) {
        let old = self.segment(id).link.clone();
        // Another number is another interface: what the old one had went with it.
        let recreated = matches!((&old, &link), (Some(old), Some(new)) if old.index != new.index);
        if recreated {
            self.link_changed(now, id, None, orders);
        }
        let renumbered = matches!((&old, &link), (Some(old), Some(new)) if old.addresses != new.addresses);
        let segment = self.segment_mut(id);
        segment.last_index = link.as_ref().map(|link| link.index).or(segment.last_index);
        segment.link = link;
        // What the kernel says of the carrier is as new as what the radio said.
        segment.air.parted = false;
        if self.refresh(now, id, orders) || renumbered {
            self.rewrite_routes(id, orders);
        }
        self.settle(now, id, orders);
    }

    /// Works out what follows from news about the segment that are not about its interface.
    pub(super) fn look_again(&mut self, now: Time, id: SegmentId, orders: &mut Vec<Order>) {
        if self.refresh(now, id, orders) {
            self.rewrite_routes(id, orders);
        }
        self.settle(now, id, orders);
    }

    pub(super) fn addresses_changed(&mut self, now: Time, addresses: Vec<Ipv4Addr>, orders: &mut Vec<Order>) {
        self.own = addresses.into_iter().collect();
        let taken: Vec<_> =
            self.keys_of(|_| true).into_iter().filter(|key| self.own.contains(&key.address)).collect();
        self.claims.retain(|key, _| !self.own.contains(&key.address));
        let answered: Vec<_> =
            self.questions.keys().filter(|key| self.own.contains(&key.address)).copied().collect();
        for key in answered {
            self.close(key);
        }
        for key in taken {
            if self.hosts.get(&key).is_some_and(Host::is_live) {
                self.gone(now, key, orders);
            }
            self.forget(key);
        }
        for index in 0..self.segments.len() {
            let Ok(index) = u16::try_from(index) else { break };
            let id = SegmentId(index);
            self.look_again(now, id, orders);
        }
    }

    /// Works out anew what the segment's source is and whether it can be used. True if its routes have to be
    /// written again because of that.
    fn refresh(&mut self, now: Time, id: SegmentId, orders: &mut Vec<Order>) -> bool {
        let segment = self.segment(id);
        let chosen = segment.choose_source(&self.own, self.domain(segment.plan.domain));
        let down = match (&segment.link, &chosen) {
            (None, _) => Some(DownReason::Absent),
            (Some(Link { unfit: Some(unfit), .. }), _) => Some((*unfit).into()),
            (Some(link), _) if !link.up => Some(DownReason::AdminDown),
            (_, Err(reason)) => Some(*reason),
            (Some(link), _) if !link.carrier || segment.air.parted => Some(DownReason::NoCarrier),
            _ => None,
        };
        let source = chosen.unwrap_or_default();
        let segment = self.segment_mut(id);
        segment.came_up = down.is_none().then(|| segment.came_up.unwrap_or(now));
        let before = std::mem::replace(&mut segment.down, down);
        let new_source = std::mem::replace(&mut segment.source, source) != source;
        if before != down {
            match down {
                None => self.came_up(now, id, orders),
                Some(reason) => self.went_down(now, id, before, reason, orders),
            }
        }
        let segment = self.segment_mut(id);
        // The kernel forgets a link's neighbours with its old link-layer address (`neigh_changeaddr`).
        let relabelled = segment.is_up() && segment.relabel();
        if relabelled {
            segment.unheard = before.is_some();
        }
        if relabelled || segment.is_up() && std::mem::take(&mut segment.air.unannounced) {
            self.reannounce(now, id);
        }
        new_source || relabelled || (before.is_some() && down.is_none())
    }

    fn came_up(&mut self, now: Time, id: SegmentId, orders: &mut Vec<Order>) {
        let segment = self.segment(id);
        let (lladdr, source) = (segment.lladdr(), segment.source);
        orders.push(Order::Tell(Event::SegmentUp { segment: id, lladdr, source }));
        self.put_covers(id, orders);
        self.put_entries(id, orders);
        // Hosts kept over a lost carrier keep their routes; others are asked before they get them back.
        self.segment_mut(id).verifications.clear();
        for key in self.keys_of(|host| host.segment == id) {
            self.suspect(now, key);
            self.rouse(now, key);
        }
        orders.push(Order::Sweep { segment: id, active: true });
    }

    fn went_down(
        &mut self,
        now: Time,
        id: SegmentId,
        before: Option<DownReason>,
        reason: DownReason,
        orders: &mut Vec<Order>,
    ) {
        orders.push(Order::Tell(Event::SegmentDown { segment: id, reason }));
        if before.is_none() {
            orders.push(Order::Sweep { segment: id, active: false });
        }
        for key in self.keys_of(|host| host.segment == id && host.is_live()) {
            match reason {
                // The kernel keeps the routes, and the cable may be back in a moment: the hosts get as long
                // as it takes to ask them in vain.
                DownReason::NoCarrier => self.suspect(now, key),
                // It has dropped them, or some of them, or none: the interface may only have another name, or
                // be up again by the time we hear that it went down.
                DownReason::AdminDown
                | DownReason::Absent
                | DownReason::SourceMissing
                | DownReason::Port
                | DownReason::NoArp => {
                    self.delete_route(key, orders);
                    self.put_to_sleep(now, key);
                }
            }
        }
    }

    /// Writes the routes and neighbour entries of all live hosts of the segment again: the kernel drops routes
    /// without a word with an address, all of them with the last, and others may take them while a cable is out.
    fn rewrite_routes(&mut self, id: SegmentId, orders: &mut Vec<Order>) {
        if !matches!(self.segment(id).down, None | Some(DownReason::NoCarrier)) {
            return;
        }
        for key in self.keys_of(|host| host.segment == id && host.route == RouteState::Written) {
            self.put_route(key, true, orders);
            self.put_neighbour(key, orders);
        }
    }
}
