//! What others did to the kernel's routes, what an earlier run left there, and what the kernel refused.

use std::collections::{BTreeMap, BTreeSet};

use super::effects::Effects;
use super::fabric::{forget_foreign, note_foreign, replace_foreign};
use super::fast_policy::fast_write_refused;
use super::host::{Host, HostState, Origin, Sighting};
use super::installed::RouteState;
use super::key::Key;
use super::memory::{recall, recall_others};
use super::renumbering::await_prefixes;
use super::reports::Subject;
use super::sharing::shared_lladdr_refused;
use super::timers::Token;
use super::topology::Topology;
use super::world::World;
use crate::address::{Address, Prefix};
use crate::event::Event;
use crate::fact::KernelRoute;
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;
use crate::write::Write;

/// `EEXIST`: a route stands there that we did not know of.
const EEXIST: i32 = 17;

impl World {
    /// The whole table, at the start and whenever events were lost. Ours are adopted, or deleted where they
    /// lead nowhere we serve; missing ones are put back; those of others are noted. Ours to addresses in `written` are
    /// left alone: what was written while the table was read is newer, and what others did after that is told apart.
    pub(super) fn table_read(&mut self, routes: &[KernelRoute], written: &[Address], effects: &mut Effects) {
        let written: BTreeSet<&Address> = written.iter().collect();
        let placed = routes.iter().map(|route| self.topology.placed(route));
        let (ours, others): (Vec<KernelRoute>, Vec<KernelRoute>) =
            placed.partition(|route| self.is_ours(route));
        let ours = ours.iter().filter(|route| !route.in_fabric_table && !written.contains(&route.address));
        let mut expected = self.hosts.keys_where(|host| host.installed.is_standing());
        expected.retain(|key| !written.contains(&key.address));
        let others = others.into_iter().filter(|route| self.topology.domain_of(route.address).is_some());
        for address in replace_foreign(self, &others.collect::<Vec<_>>(), effects) {
            self.touch_address(address);
        }
        let mut standing: BTreeMap<Key, SegmentId> = BTreeMap::new();
        for route in ours {
            if let Some((key, segment)) = self.take_over(route, effects) {
                standing.insert(key, segment);
            }
        }
        for key in expected {
            let is_missing = |host: &Host| standing.get(&key) != Some(&host.segment);
            let is_alone = self.kernel.foreign.in_use(key.address).is_none();
            if is_alone && self.hosts.live_host(&key).is_some_and(is_missing) {
                self.heal(&key, effects);
            }
        }
        await_prefixes(self, effects);
        recall_others(self, effects);
        let covers: Vec<Prefix> = self.kernel.covers(&self.topology).collect();
        for prefix in covers {
            self.kernel.put_cover(prefix, &self.topology, effects);
        }
    }

    fn is_ours(&self, route: &KernelRoute) -> bool {
        route.protocol == self.kernel.routes.protocol
    }

    /// The host of an address whose domain follows from the address alone.
    fn touch_address(&mut self, address: Address) {
        if let Some(domain) = self.topology.domain_of(address) {
            self.hosts.touch(Key { domain, address });
        }
    }

    /// A route with our protocol number: returns its host if it stands for one of ours, now or from now on.
    fn take_over(&mut self, route: &KernelRoute, effects: &mut Effects) -> Option<(Key, SegmentId)> {
        // Without a segment it leads over an interface that is not ours to look after: another arpherd's, perhaps.
        let segment = route.segment?;
        let key = self.topology.key(segment, route.address);
        let ha = self.topology.domain(key.domain).plan.ha;
        let standby_metric =
            ha.and_then(|ha| ha.standby_routes.own_metric()).filter(|it| *it == route.metric);
        let is_ours = route.metric == self.kernel.routes.metric || standby_metric.is_some();
        let is_awaited = |host: &Host| {
            host.segment == segment
                && (host.installed.is_standing() && host.installed.standby_metric() == standby_metric
                    || host.installed.route() == RouteState::Refused)
        };
        match self.hosts.host(&key) {
            Some(host) if is_ours && is_awaited(host) => {}
            None if is_ours && self.is_adoptable(segment, route.address) => {
                self.adopt(&key, segment, route, effects);
            }
            None if is_early(&self.topology, &key) => return None,
            _ => {
                effects.write(Write::DeleteStray(*route));
                return None;
            }
        }
        if let Some(installed) = self.hosts.installed_mut(&key).filter(|it| !it.is_standing()) {
            let is_refused = installed.route() == RouteState::Refused;
            self.kernel.adopt_route(installed, route.interface);
            installed.set_standby_metric(standby_metric);
            // The table may have been read before the refusal: only a write shows whether ours stands.
            if is_refused {
                installed.doubt();
            }
            self.hosts.touch(key);
        }
        self.refresh_source(&key, segment, route);
        Some((key, segment))
    }

    fn is_adoptable(&self, id: SegmentId, address: Address) -> bool {
        let segment = self.topology.segment(id);
        let key = self.topology.key(id, address);
        segment.may_hold(address)
            && !self.topology.is_own(address)
            && self.kernel.foreign.in_use(address).is_none()
            && self.topology.pin_against(&key, id, &LinkAddr::UNKNOWN).is_none()
            && self.hosts.live_on(id) < segment.plan.limits.hosts
    }

    /// Takes a route of an earlier run over: it stays, and its host is what that run knew of it. One that it did not know
    /// is probed.
    fn adopt(&mut self, key: &Key, segment: SegmentId, route: &KernelRoute, effects: &mut Effects) {
        let now = effects.now();
        let (host, at) = match recall(self, segment, route, effects) {
            Some(host) => {
                let quiet = self.topology.segment(segment).plan.expiry.quiet;
                let at = (host.last_heard + quiet).max(now);
                (host, at)
            }
            None => {
                let seen = Sighting { key: *key, segment, lladdr: route.lladdr, origin: Origin::Kernel };
                (Host { state: HostState::Suspect { probes: 0 }, ..Host::seen(&seen, now) }, now)
            }
        };
        self.hosts.insert(*key, host);
        self.look_after(key, at, effects);
        effects.emit(Event::RouteAdopted { address: key.address, segment });
    }

    /// Has a route of ours written again if its preferred source is an old one.
    fn refresh_source(&mut self, key: &Key, segment: SegmentId, route: &KernelRoute) {
        let segment = self.topology.segment(segment);
        if segment.is_up()
            && segment.source.address != route.source
            && let Some(installed) = self.hosts.installed_mut(key)
        {
            installed.doubt();
            self.hosts.touch(*key);
        }
    }

    /// Somebody else than this process added or replaced a route.
    pub(super) fn route_appeared(&mut self, route: &KernelRoute, effects: &mut Effects) {
        let route = self.topology.placed(route);
        let Some(key) = self.topology.key_of_route(&route) else { return };
        if !self.is_ours(&route) {
            if self.topology.domain_of(route.address).is_some() {
                note_foreign(self, &key, &route, effects);
                self.hosts.touch(key);
            }
            return;
        }
        if route.in_fabric_table {
            return;
        }
        match self.hosts.host(&key) {
            // Somebody rewrote ours in our name; the ledger knows better where the host is.
            Some(host) if host.installed.is_standing() => {
                let metric = self.kernel.metric_of(&host.installed);
                if route.segment != Some(host.segment) && route.metric == metric {
                    self.heal(&key, effects);
                }
            }
            _ => {
                self.take_over(&route, effects);
            }
        }
    }

    /// Somebody else than this process deleted a route.
    pub(super) fn route_vanished(&mut self, route: &KernelRoute, effects: &mut Effects) {
        let route = self.topology.placed(route);
        let Some(key) = self.topology.key_of_route(&route) else { return };
        if self.is_ours(&route) {
            if route.in_fabric_table {
                return;
            }
            let is_its = |host: &Host| {
                host.installed.is_standing()
                    && route.metric == self.kernel.metric_of(&host.installed)
                    && route.segment.is_none_or(|segment| segment == host.segment)
            };
            if self.hosts.host(&key).is_some_and(is_its) {
                self.heal(&key, effects);
            }
        } else if forget_foreign(self, &route) {
            self.touch_address(route.address);
        }
    }

    fn heal(&mut self, key: &Key, effects: &mut Effects) {
        let Some(host) = self.hosts.host(key) else { return };
        let segment = host.segment;
        self.rewrite(key);
        effects.emit(Event::RouteHealed { address: key.address, segment });
    }

    /// Somebody else than this process deleted a covering route of ours.
    pub(super) fn cover_vanished(&mut self, prefix: Prefix, effects: &mut Effects) {
        if self.kernel.covers(&self.topology).any(|covered| covered == prefix) {
            self.kernel.put_cover(prefix, &self.topology, effects);
        }
    }

    /// The kernel refused a write. A host whose route it refused is not answered for until the route stands;
    /// a neighbour entry only saves an ARP request.
    pub(super) fn write_refused(&mut self, write: &Write, errno: i32, reason: String, effects: &mut Effects) {
        if let Write::PutSharedLladdr { interface, lladdr, .. } = *write {
            for id in shared_lladdr_refused(&mut self.topology, interface, lladdr, &reason, effects) {
                self.look_again(id, effects);
            }
            return;
        }
        if write.is_fast() {
            return fast_write_refused(self, write, effects);
        }
        let (Write::PutRoute { interface, address, .. } | Write::PutStandbyRoute { interface, address, .. }) =
            *write
        else {
            return;
        };
        let Some(segment) = self.topology.segment_by_interface(interface, address) else { return };
        let key = self.topology.key(segment, address);
        let Some(installed) = self.hosts.installed_mut(&key) else { return };
        if installed.route() != RouteState::Written || !installed.is_on(interface) {
            return;
        }
        self.kernel.refuse_route(key, installed, effects);
        self.hosts.touch(key);
        if errno == EEXIST {
            self.kernel.read_table(effects);
            return;
        }
        // If it was a move, our route to the old place still stands.
        for other in self.topology.others(segment) {
            if let Some(interface) = other.last_index {
                effects.write(Write::DeleteRoute { interface, address });
            }
        }
        let event = Event::RouteRefused { address, segment, errno, reason };
        effects.report(segment, Subject::Address(address), event);
    }

    /// A refused route is tried again.
    pub(super) fn retry_due(&mut self, key: &Key, token: Token) {
        if !self.kernel.take_retry(key, token) {
            return;
        }
        let Some(host) = self.hosts.live_host(key) else { return };
        let has_link = self.topology.segment(host.segment).link.is_some();
        if host.installed.route() == RouteState::Refused
            && has_link
            && let Some(installed) = self.hosts.installed_mut(key)
        {
            installed.retry();
            self.hosts.touch(*key);
        }
    }
}

/// Whether the address lies outside of a domain whose prefixes are not all known yet, because they follow addresses
/// that are still to come.
fn is_early(topology: &Topology, key: &Key) -> bool {
    topology.domains.is_unsettled(key.domain) && !topology.domains.spans(key.domain, key.address)
}
