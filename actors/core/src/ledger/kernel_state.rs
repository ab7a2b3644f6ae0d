//! What the kernel's tables should hold against what was written to them.
//!
//! Nothing else orders routes, neighbour entries or proxy entries of hosts: whoever changes a host touches its
//! address, and at the end of the step what should stand for each touched address is compared with its record.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use super::effects::Effects;
use super::foreign::ForeignRoutes;
use super::hosts::Hosts;
use super::installed::{Installed, RouteState};
use super::key::Key;
use super::remotes::Remotes;
use super::standby_routes::{is_withheld, standby_routes};
use super::timers::{Timer, Token};
use super::topology::Topology;
use crate::address::{Address, Prefix};
use crate::event::Event;
use crate::fact::KernelRoute;
use crate::lladdr::LinkAddr;
use crate::order::Order;
use crate::plan::{DomainId, Plan, RoutePlan, SegmentId, StandbyRoutes};
use crate::time::Time;
use crate::write::Write;

/// A refused route is tried again after this time, and the table is read at most so often because of refusals.
pub(super) const RETRY: std::time::Duration = std::time::Duration::from_secs(1);
/// The table is read so often while routes of others keep some of ours away.
const CONFLICT_CHECK: std::time::Duration = std::time::Duration::from_secs(60);

/// What should stand for a live host.
struct Wanted {
    segment: SegmentId,
    interface: NonZeroU32,
    source: Option<Address>,
    lladdr: LinkAddr,
    /// The metric of its route, if it is that of a standby.
    standby_metric: Option<u32>,
}

impl Wanted {
    fn of(key: &Key, hosts: &Hosts, topology: &Topology) -> Option<Self> {
        let host = hosts.live_host(key)?;
        let segment = topology.segment(host.segment);
        Some(Self {
            segment: segment.id,
            interface: NonZeroU32::new(segment.last_index?)?,
            source: segment.source.address,
            lladdr: host.lladdr,
            standby_metric: standby_routes(topology, segment).and_then(StandbyRoutes::own_metric),
        })
    }
}

/// The kernel's tables, as far as they are known.
#[derive(Debug)]
pub(super) struct KernelState {
    pub(super) routes: RoutePlan,
    /// Routes of others.
    pub(super) foreign: ForeignRoutes,
    /// Routes of the fabric, to hosts behind other gateways.
    pub(super) remotes: Remotes,
    /// Domains whose covering routes are written.
    pub(super) covered: BTreeSet<DomainId>,
    /// The covering device.
    pub(super) cover_device: Option<u32>,
    /// Segments where the kernel answers by entries of ours.
    pub(super) entry_segments: Vec<SegmentId>,
    /// Routes of ours that stand.
    written: u32,
    /// Hosts whose routes stay away because of somebody else's.
    conflicts: u32,
    conflict_check: Option<Token>,
    /// Of the timers of refused routes.
    retries: BTreeMap<Key, Token>,
    /// When the table was last asked for, so that refusals cannot ask for it without end.
    table_asked: Option<Time>,
}

impl KernelState {
    pub(super) fn new(plan: &Plan, topology: &Topology) -> Self {
        Self {
            routes: plan.routes,
            foreign: ForeignRoutes::default(),
            remotes: Remotes::default(),
            covered: BTreeSet::new(),
            cover_device: None,
            entry_segments: with_entries(topology),
            written: 0,
            conflicts: 0,
            conflict_check: None,
            retries: BTreeMap::new(),
            table_asked: None,
        }
    }

    /// The segments are others from now on.
    pub(super) fn replan(&mut self, topology: &Topology) {
        self.entry_segments = with_entries(topology);
    }

    /// Routes of ours that stand.
    pub(super) fn written(&self) -> u32 {
        self.written
    }

    /// Routes that the kernel refused and that are tried again, and those that stay away because of somebody else's.
    pub(super) fn missing(&self) -> (u64, u64) {
        (self.retries.len() as u64, self.conflicts.into())
    }

    /// Orders what is missing for an address, and takes away what should no longer stand. True if the kernel's
    /// proxy entries for it are others now.
    pub(super) fn reconcile(
        &mut self,
        key: &Key,
        hosts: &mut Hosts,
        topology: &Topology,
        effects: &mut Effects,
    ) -> bool {
        let is_withheld = is_withheld(key, hosts, topology);
        let wanted = Wanted::of(key, hosts, topology).filter(|_| !is_withheld);
        if wanted.is_none() && !is_withheld && hosts.live_host(key).is_some() {
            // Its interface is not known yet: a route of an earlier run stands until it is.
            return false;
        }
        let Some(mut installed) = hosts.installed_mut(key).map(|it| *it) else { return false };
        match &wanted {
            Some(wanted) => {
                let before = installed;
                self.put_route(key.address, wanted, &mut installed, effects);
                let stands = installed.is_standing().then_some(wanted.standby_metric);
                self.retract(key, &before, stands, effects);
                installed.set_standby_metric(wanted.standby_metric);
                put_neighbour(key.address, wanted, &mut installed, effects);
                installed.place_on(wanted.interface);
            }
            None => {
                self.retract(key, &installed, None, effects);
                self.set_route(&mut installed, RouteState::None);
                remove_all(key.address, &mut installed, effects);
                installed.set_standby_metric(None);
            }
        }
        let is_written = installed.route() == RouteState::Written;
        let is_changed = installed.proxy_on(wanted.map(|wanted| wanted.segment).filter(|_| is_written));
        if let Some(record) = hosts.installed_mut(key) {
            *record = installed;
        }
        if hosts.host(key).is_none() {
            hosts.drop_remains(key);
        }
        is_changed
    }

    /// Writes the route, unless somebody else has one: theirs stands and is reported.
    fn put_route(
        &mut self,
        address: Address,
        wanted: &Wanted,
        installed: &mut Installed,
        effects: &mut Effects,
    ) {
        let interface = wanted.interface.get();
        let is_elsewhere = installed.interface().is_some_and(|it| it != wanted.interface);
        if let Some(foreign) = self.foreign.in_use(address).copied() {
            if installed.route() != RouteState::Conflict {
                // Ours may be on its way there: news of theirs and our write can cross.
                if let Some(interface) = installed.interface().map(NonZeroU32::get) {
                    effects.write(Write::DeleteRoute { interface, address });
                }
                self.set_route(installed, RouteState::Conflict);
                effects.emit(conflict(address, wanted.segment, &foreign));
            }
            return;
        }
        let is_other_metric = installed.is_standing() && installed.standby_metric() != wanted.standby_metric;
        if is_elsewhere
            || is_other_metric
            || !matches!(installed.route(), RouteState::Written | RouteState::Refused)
        {
            // A first route is written so that the kernel refuses it if any other exists, because
            // `NLM_F_REPLACE` does not look at the protocol.
            let replace = installed.is_standing() && !is_other_metric;
            self.set_route(installed, RouteState::Written);
            let source = wanted.source;
            effects.write(match wanted.standby_metric {
                Some(metric) => Write::PutStandbyRoute { interface, address, source, metric, replace },
                None => Write::PutRoute { interface, address, source, replace },
            });
        }
    }

    fn set_route(&mut self, installed: &mut Installed, state: RouteState) {
        let before = *installed;
        installed.set_route(state);
        self.written += u32::from(installed.is_standing());
        self.written -= u32::from(before.is_standing());
        self.conflicts += u32::from(state == RouteState::Conflict);
        self.conflicts -= u32::from(before.route() == RouteState::Conflict);
    }

    /// A route of an earlier run stands for the host on this interface.
    pub(super) fn adopt_route(&mut self, installed: &mut Installed, interface: u32) {
        self.set_route(installed, RouteState::Written);
        installed.adopted(interface);
    }

    /// The kernel refused a route that was written. It is tried again; the host is not answered for until then.
    pub(super) fn refuse_route(&mut self, key: Key, installed: &mut Installed, effects: &mut Effects) {
        self.set_route(installed, RouteState::Refused);
        self.retries.insert(key, effects.after(RETRY, Timer::Retry(key)));
    }

    /// Whether the timer is that of a refused route, which is then no longer waited for.
    pub(super) fn take_retry(&mut self, key: &Key, timer: Token) -> bool {
        let is_due = self.retries.get(key) == Some(&timer);
        if is_due {
            self.retries.remove(key);
        }
        is_due
    }

    /// Somebody else's route goes without a notification when its interface does, so while one keeps ours away the table
    /// is read now and then.
    pub(super) fn watch_conflicts(&mut self, effects: &mut Effects) {
        if self.conflicts > 0 && self.conflict_check.is_none() {
            self.conflict_check = Some(effects.after(CONFLICT_CHECK, Timer::Conflicts));
        }
    }

    /// The time to look has come.
    pub(super) fn check_conflicts(&mut self, timer: Token, effects: &mut Effects) {
        if self.conflict_check.take_if(|token| *token == timer).is_some() && self.conflicts > 0 {
            self.read_table(effects);
        }
    }

    /// Has the kernel's table read, at most once a second.
    pub(super) fn read_table(&mut self, effects: &mut Effects) {
        let now = effects.now();
        if self.table_asked.is_none_or(|then| now.since(then) >= RETRY) {
            self.table_asked = Some(now);
            effects.order(Order::ReadTable);
        }
    }

    /// Covers a domain from now on, by one route for each of its prefixes.
    pub(super) fn cover(&mut self, domain: DomainId, topology: &Topology, effects: &mut Effects) {
        if self.covered.insert(domain) {
            for &prefix in &topology.domain(domain).prefixes {
                self.put_cover(prefix, topology, effects);
            }
        }
    }

    /// Writes the covering route of a prefix, and the one into the covering device before it where packets for unknown
    /// targets have them searched for.
    pub(super) fn put_cover(&self, prefix: Prefix, topology: &Topology, effects: &mut Effects) {
        effects.write(Write::PutCover { prefix });
        self.put_search_route(prefix, topology, effects);
    }

    fn put_search_route(&self, prefix: Prefix, topology: &Topology, effects: &mut Effects) {
        if let Some((interface, source)) = self.cover_device.zip(topology.searched_from(prefix)) {
            effects.write(Write::PutSearchRoute { interface, prefix, source });
        }
    }

    /// The source of a segment is another one: routes into the covering device bear the domain's. The kernel has taken
    /// along those whose source is no address of this machine any more.
    pub(super) fn source_changed(&self, domain: DomainId, topology: &Topology, effects: &mut Effects) {
        if self.covered.contains(&domain) {
            for &prefix in &topology.domain(domain).prefixes {
                self.put_search_route(prefix, topology, effects);
            }
        }
    }

    /// The covering device is another one; the kernel has taken the routes of the one before along.
    pub(super) fn cover_device_changed(
        &mut self,
        device: Option<u32>,
        topology: &Topology,
        effects: &mut Effects,
    ) {
        self.cover_device = device;
        for prefix in self.covers(topology) {
            self.put_search_route(prefix, topology, effects);
        }
    }

    /// Whether the interface is the covering device.
    pub(super) fn is_cover_device(&self, interface: u32) -> bool {
        self.cover_device == Some(interface)
    }

    /// The prefixes that are covered.
    pub(super) fn covers<'a>(&'a self, topology: &'a Topology) -> impl Iterator<Item = Prefix> + 'a {
        self.covered.iter().flat_map(|id| topology.domain(*id).prefixes.iter().copied())
    }
}

/// Segments where the kernel answers by entries of ours.
fn with_entries(topology: &Topology) -> Vec<SegmentId> {
    let segments = topology.segments().iter().filter(|segment| segment.has_entries());
    segments.map(|segment| segment.id).collect()
}

fn put_neighbour(address: Address, wanted: &Wanted, installed: &mut Installed, effects: &mut Effects) {
    if let Some(former) = installed.interface().filter(|it| *it != wanted.interface) {
        effects.write(Write::DeleteNeighbour { interface: former.get(), address });
        installed.outdate_neighbour();
    }
    if !wanted.lladdr.is_empty() && installed.complete_neighbour() {
        let (interface, lladdr) = (wanted.interface.get(), wanted.lladdr);
        effects.write(Write::PutNeighbour { interface, address, lladdr });
    }
}

/// Route and neighbour entry are deleted even if there should be none: a rewrite may have been refused, or news of
/// somebody else's route have crossed ours.
fn remove_all(address: Address, installed: &mut Installed, effects: &mut Effects) {
    if let Some(interface) = installed.leave().map(NonZeroU32::get) {
        effects.write(Write::DeleteRoute { interface, address });
        effects.write(Write::DeleteNeighbour { interface, address });
    }
}

fn conflict(address: Address, segment: SegmentId, foreign: &KernelRoute) -> Event {
    Event::RouteConflict {
        address,
        segment,
        protocol: foreign.protocol,
        metric: foreign.metric,
        interface: foreign.interface,
    }
}
