//! What operators and sweeps are shown of the ledger, which knows of one network namespace only and not of its
//! name: whoever has several ledgers adds it.

pub(super) mod segments;

use self::segments::segment_view;
use super::Ledger;
use super::operator::role_views;
use super::remote_hosts::{remote_count, remotes_of};
use super::tables::Tables;
use crate::address::Address;
use crate::plan::{DomainId, SegmentId};
use crate::sweep::SweepContext;
use crate::time::Time;
use crate::view::{
    ControlView, DhcpServerView, HostView, Label, PROTOCOL, PacketsView, PartnersView, RouteView,
    SegmentView, StatusView,
};

impl Ledger {
    /// What a round of sweeping the segment needs to know. `None` while it is down.
    pub fn sweep_context(&self, id: SegmentId) -> Option<SweepContext> {
        let topology = &self.world.topology;
        let segment = topology.planned(id).filter(|segment| segment.is_up())?;
        let domain = segment.plan.domain;
        let known = self.world.hosts.live_keys().filter(|key| key.domain == domain);
        let remotes = remotes_of(&self.world, domain, None);
        let nobodys = topology.own_addresses().iter().chain(&segment.edges).copied();
        let skip = known.map(|key| key.address).chain(nobodys).chain(remotes).collect();
        let (lladdr, from) = (segment.lladdr(), segment.shared_lladdr());
        let senders = segment.source.senders().collect();
        let prefixes = segment.prefixes.clone();
        Some(SweepContext { senders, lladdr, from, prefixes, skip, patience: segment.patience() })
    }

    /// How the daemon is, but for what only its shell knows: how long it runs and whether it is ready.
    pub fn status_view(&self) -> StatusView {
        StatusView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            uptime_seconds: 0,
            domains: self.world.topology.domains.planned() as u64,
            hosts: self
                .world
                .topology
                .segments()
                .iter()
                .map(|it| u64::from(self.world.hosts.live_on(it.id)))
                .sum(),
            routes: u64::from(self.world.kernel.written()),
            start_time_seconds: 0,
            missing: crate::view::MissingRoutesView {
                remote_hosts: remote_count(&self.world) as u64,
                routes_refused: self.world.kernel.missing().0,
                routes_in_conflict: self.world.kernel.missing().1,
            },
            ready: false,
            packets: PacketsView::default(),
            partners: PartnersView { dhcp_servers: dhcp_servers(self), roles: role_views(self) },
            control: ControlView::default(),
            confinement: None,
            events: self.effects.event_counts().map(|(kind, count)| (kind.name().into(), count)).collect(),
        }
    }

    /// The segments in the order of the plan. Of the counters only what the ledger itself passed over; the
    /// shell counts the rest.
    pub fn segment_views(&self) -> Vec<SegmentView> {
        let planned = self.world.topology.segments().iter().filter(|segment| !segment.plan.is_retired());
        planned.map(|segment| segment_view(self, segment)).collect()
    }

    /// The live hosts, by domain and address.
    pub fn host_views(&self, now: Time) -> Vec<HostView> {
        Tables::of(self).hosts(now, None, usize::MAX).rows
    }

    /// The routes of live hosts and the covering ones, by domain and address.
    pub fn route_views(&self) -> Vec<RouteView> {
        Tables::of(self).routes(None, usize::MAX).rows
    }
}

fn dhcp_servers(ledger: &Ledger) -> Vec<DhcpServerView> {
    let view = |(&(domain, server), &answers): (&(DomainId, Address), &bool)| DhcpServerView {
        domain: Label::from(ledger.world.topology.domain(domain).plan.name.as_str()),
        server,
        state: if answers { "answers" } else { "silent" }.into(),
    };
    ledger.world.dhcp_servers.iter().map(view).collect()
}
