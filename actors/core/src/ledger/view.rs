//! What operators and sweeps are shown of the ledger, which knows of one network namespace only and not of its
//! name: whoever has several ledgers adds it.

use std::net::Ipv4Addr;

use super::Ledger;
use super::host::{Host, Key, Life, RouteState};
use crate::lladdr::LinkAddr;
use crate::plan::{COVER_METRIC, SegmentId};
use crate::time::Time;
use crate::view::{CountersView, Destination, HostView, Label, RouteView, SegmentView, StatusView};

impl Ledger {
    /// The number of the interface the segment is reached through, or was last.
    pub fn interface(&self, segment: SegmentId) -> Option<u32> {
        self.segments.get(segment.index()).and_then(|segment| segment.last_index)
    }

    /// The segment an address would have its route through on an interface.
    pub fn segment_of(&self, interface: u32, address: Ipv4Addr) -> Option<SegmentId> {
        let domain = self.domain_of(address)?;
        let mut members = self.members[domain.index()].iter().copied();
        members.find(|id| self.segment(*id).last_index == Some(interface))
    }

    /// For a sweep of the segment: the sender of its probes, that one's link-layer address, and the addresses
    /// that need no probe because their hosts are known, they are our own, or no host of the domain can have
    /// them. `None` while it is down.
    pub fn roll(&self, id: SegmentId) -> Option<(Option<Ipv4Addr>, LinkAddr, Vec<Ipv4Addr>)> {
        let segment = self.segments.get(id.index()).filter(|segment| segment.is_up())?;
        let domain = segment.plan.domain;
        let known = self.hosts.iter().filter(|(key, host)| key.domain == domain && host.is_live());
        let nobodys = self.own.iter().chain(&segment.edges).copied();
        let skip = known.map(|(key, _)| key.address).chain(nobodys).collect();
        Some((segment.source, segment.lladdr(), skip))
    }

    /// How the daemon is, but for what only its shell knows: how long it runs and whether it is ready.
    pub fn status_view(&self) -> StatusView {
        StatusView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: 0,
            domains: self.domains.len() as u64,
            hosts: self.segments.iter().map(|segment| u64::from(segment.hosts)).sum(),
            routes: u64::from(self.written),
            ready: false,
            events: self.complaints.counts().map(|(name, count)| (name.into(), count)).collect(),
        }
    }

    /// The segments in the order of the plan. Of the counters only what the ledger itself passed over; the
    /// shell counts the rest.
    pub fn segment_views(&self) -> Vec<SegmentView> {
        self.segments
            .iter()
            .map(|segment| SegmentView {
                domain: Label::from(self.domain(segment.plan.domain).name.as_str()),
                segment: Label::from(segment.plan.name.as_str()),
                interface: Label::from(segment.plan.interface.as_str()),
                kind: match (segment.plan.kind, &segment.link) {
                    (None, None) => "auto".into(),
                    _ => segment.kind().as_str().into(),
                },
                wifi: segment.air.role.map(|role| role.as_str().into()),
                state: segment.down.map_or("up", super::DownReason::as_str).into(),
                lladdr: segment.lladdr(),
                answer: segment.plan.answer.as_str().into(),
                private_vlan: segment.plan.private_vlan.as_str().into(),
                publish: segment.plan.publish.clone(),
                hosts: u64::from(segment.hosts),
                counters: CountersView {
                    dropped: segment.shed,
                    malformed: segment.mismatched,
                    ..CountersView::default()
                },
                netns: None,
            })
            .collect()
    }

    /// The live hosts, by domain and address.
    pub fn host_views(&self, now: Time) -> Vec<HostView> {
        let places = self.segment_views();
        let view = |key: Key| {
            let host = self.hosts.get(&key)?;
            let place = places.get(host.segment.index())?;
            Some(HostView {
                address: key.address,
                lladdr: host.lladdr,
                domain: place.domain.clone(),
                segment: place.segment.clone(),
                interface: place.interface.clone(),
                state: if host.life == Life::Alive { "alive" } else { "suspect" }.into(),
                learned_from: host.origin.as_str().into(),
                age_seconds: now.since(host.last_heard).as_secs(),
                netns: None,
            })
        };
        self.keys_of(Host::is_live).into_iter().filter_map(view).collect()
    }

    /// The routes of live hosts and the covering ones, by domain and address.
    pub fn route_views(&self) -> Vec<RouteView> {
        let places = self.segment_views();
        let route = |address, metric, state: &'static str| RouteView {
            address,
            interface: None,
            source: None,
            metric,
            table: self.routes.table,
            protocol: self.routes.protocol,
            state: state.into(),
            netns: None,
        };
        let covers = self.covered.iter().flat_map(|id| &self.domain(*id).prefixes);
        let mut views: Vec<RouteView> =
            covers.map(|prefix| route(Destination::Prefix(*prefix), COVER_METRIC, "cover")).collect();
        for key in self.keys_of(Host::is_live) {
            let Some(host) = self.hosts.get(&key) else { continue };
            let state = match host.route {
                RouteState::Written => "installed",
                RouteState::Conflict => "conflict",
                RouteState::Refused => "refused",
                RouteState::None => continue,
            };
            let mut view = route(Destination::Host(key.address), self.routes.metric, state);
            view.interface = places.get(host.segment.index()).map(|place| place.interface.clone());
            view.source = self.segment(host.segment).source;
            views.push(view);
        }
        views
    }
}
