//! The kernel's own proxy entries, on segments where it answers by them (`answer: kernel`, `kernel: entries`).
//!
//! An entry stands for each host alive on another segment of the domain, and for each published address; the
//! kernel loses them all when their interface goes down (`pneigh_ifdown`).

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::Ledger;
use super::host::{Host, Key, RouteState};
use crate::order::Order;
use crate::plan::{KernelProxy, SegmentId, SegmentPlan};

pub(super) fn has_entries(plan: &SegmentPlan) -> bool {
    plan.kernel_proxy() == Some(KernelProxy::Entries)
}

impl Ledger {
    /// Has the host's entries as they should be now: wherever it is answered for by one, and nowhere else.
    pub(super) fn follow_entries(&self, key: Key, orders: &mut Vec<Order>) {
        if self.entries.is_empty() {
            return;
        }
        let address = key.address;
        for &segment in &self.entries {
            if self.segment(segment).plan.domain != key.domain {
                continue;
            }
            orders.push(if self.wants_entry(segment, key) {
                Order::PutProxy { segment, address }
            } else {
                Order::DeleteProxy { segment, address }
            });
        }
    }

    fn wants_entry(&self, segment: SegmentId, key: Key) -> bool {
        let it = self.segment(segment);
        let is_carried =
            |host: &Host| host.is_live() && host.segment != segment && host.route == RouteState::Written;
        let is_wanted = self.hosts.get(&key).is_some_and(is_carried)
            || it.publishes(key.address) && !self.is_squatted(segment, key.address);
        is_wanted && !it.is_never(key.address) && !self.own.contains(&key.address)
    }

    /// The segment came up, and has none.
    pub(super) fn put_entries(&self, segment: SegmentId, orders: &mut Vec<Order>) {
        if has_entries(&self.segment(segment).plan) {
            for address in self.wanted_entries(segment) {
                orders.push(Order::PutProxy { segment, address });
            }
        }
    }

    /// What the segment's entries should be.
    fn wanted_entries(&self, segment: SegmentId) -> BTreeSet<Ipv4Addr> {
        let it = self.segment(segment);
        let hosts = self.keys_of(|host| host.is_live() && host.segment != segment);
        let hosts = hosts.into_iter().filter(|key| key.domain == it.plan.domain);
        let published = it.plan.publish.iter().flat_map(|prefix| prefix.iter());
        let keys = hosts.chain(published.map(|address| self.key(segment, address)));
        keys.filter(|key| self.wants_entry(segment, *key)).map(|key| key.address).collect()
    }

    /// The kernel's entries as they are: what others took away comes back, what nobody wants goes. The kernel
    /// says nothing of either, so they are read now and then.
    pub(super) fn proxies_read(&self, proxies: &[(SegmentId, Ipv4Addr)], orders: &mut Vec<Order>) {
        for &segment in self.entries.iter().filter(|id| self.segment(**id).is_up()) {
            let wanted = self.wanted_entries(segment);
            let there = proxies.iter().filter(|(place, _)| *place == segment).map(|(_, address)| *address);
            let there: BTreeSet<Ipv4Addr> = there.collect();
            orders.extend(wanted.difference(&there).map(|&address| Order::PutProxy { segment, address }));
            orders.extend(there.difference(&wanted).map(|&address| Order::DeleteProxy { segment, address }));
        }
    }

    /// Has an entry for the address if one is wanted.
    pub(super) fn offer_entry(&self, segment: SegmentId, address: Ipv4Addr, orders: &mut Vec<Order>) {
        if has_entries(&self.segment(segment).plan) && self.wants_entry(segment, self.key(segment, address)) {
            orders.push(Order::PutProxy { segment, address });
        }
    }

    /// Has no entry for the address if none is wanted any longer.
    pub(super) fn withdraw_entry(&self, segment: SegmentId, address: Ipv4Addr, orders: &mut Vec<Order>) {
        if has_entries(&self.segment(segment).plan) && !self.wants_entry(segment, self.key(segment, address))
        {
            orders.push(Order::DeleteProxy { segment, address });
        }
    }

    /// Takes away what stands for published addresses; those of hosts go with their routes.
    pub(super) fn delete_published_entries(&self, orders: &mut Vec<Order>) {
        for &segment in &self.entries {
            let it = self.segment(segment);
            for address in it.plan.publish.iter().flat_map(|prefix| prefix.iter()) {
                if it.publishes(address) {
                    orders.push(Order::DeleteProxy { segment, address });
                }
            }
        }
    }
}
