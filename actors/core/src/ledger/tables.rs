//! The long tables that operators are shown: hosts and routes, part by part.

use super::Ledger;
use super::installed::RouteState;
use super::key::Key;
use super::leases::Held;
use super::remote_hosts::{remote_host, remote_keys};
use super::remotes::Remote;
use super::view::segments::places;
use crate::lladdr::LinkAddr;
use crate::plan::COVER_METRIC;
use crate::time::Time;
use crate::view::{Destination, HostView, Label, LeaseView, Part, RouteView, RowPlace, SegmentView};

/// Hosts and routes of a ledger.
#[derive(Debug)]
pub struct Tables<'a>(&'a Ledger);

impl<'a> Tables<'a> {
    /// Of the ledger.
    pub fn of(ledger: &'a Ledger) -> Self {
        Self(ledger)
    }

    /// Hosts, live here or behind other gateways, by domain and address, of so many at the most: those that follow a
    /// place, or the first ones.
    pub fn hosts(&self, now: Time, after: Option<RowPlace>, most: usize) -> Part<HostView> {
        let after = after.map(key_of);
        let (mut keys, mut has_more) = self.0.world.hosts.live_keys_after(after, most);
        let here = keys.len();
        keys.extend(remote_keys(&self.0.world, after).take(most.saturating_add(1)));
        if keys.len() > here {
            keys.sort_unstable();
            has_more |= keys.len() > most;
            keys.truncate(most);
        }
        self.rows_of(&keys, has_more, |key, places| {
            if let Some(remote) = remote_host(&self.0.world, key) {
                return Some(self.remote_view(key, remote, now, places));
            }
            let host = self.0.world.hosts.live_host(key)?;
            let place = places.get(host.segment.index())?;
            let lease = self.0.world.leases.valid(key).filter(|lease| lease.segment == host.segment);
            Some(HostView {
                address: key.address,
                lladdr: host.lladdr,
                domain: place.domain.clone(),
                segment: place.segment.clone(),
                interface: place.interface.clone(),
                state: host.state.as_str().into(),
                learned_from: host.origin.as_str().into(),
                age_seconds: now.since(host.last_heard).as_secs(),
                lease_server: lease.map(|lease| lease.server),
                lease_expires_seconds: lease.and_then(|lease| lease.seconds_left(now)),
                next_hop: None,
                in_kernel_seconds: self.0.world.fast.seconds_answered(key, now),
                netns: None,
            })
        })
    }

    fn remote_view(&self, key: &Key, remote: &Remote, now: Time, places: &[SegmentView]) -> HostView {
        let place = remote.route.segment.and_then(|id| places.get(id.index()));
        HostView {
            address: key.address,
            lladdr: LinkAddr::UNKNOWN,
            domain: Label::from(self.0.world.topology.domain(key.domain).plan.name.as_str()),
            segment: Label::from(""),
            interface: place.map_or_else(|| Label::from(""), |place| place.interface.clone()),
            state: "remote".into(),
            learned_from: "route".into(),
            age_seconds: now.since(remote.since).as_secs(),
            lease_server: None,
            lease_expires_seconds: None,
            next_hop: remote.route.next_hop,
            in_kernel_seconds: None,
            netns: None,
        }
    }

    /// The covering routes, and those of live hosts by domain and address, of so many hosts at the most: those that
    /// follow a place, or the first ones with all covering routes before them.
    pub fn routes(&self, after: Option<RowPlace>, most: usize) -> Part<RouteView> {
        let kernel = &self.0.world.kernel;
        let route = |address, metric, state: &'static str| RouteView {
            address,
            interface: None,
            source: None,
            metric,
            table: kernel.routes.table,
            protocol: kernel.routes.protocol,
            state: state.into(),
            netns: None,
        };
        let mut part = self.part(after, most, |key, places| {
            let host = self.0.world.hosts.host(key)?;
            let state = host.installed.route();
            if state == RouteState::None {
                return None;
            }
            let mut view = route(Destination::Host(key.address), kernel.routes.metric, state.as_str());
            view.interface = places.get(host.segment.index()).map(|place| place.interface.clone());
            view.source = self.0.world.topology.segment(host.segment).source.address;
            Some(view)
        });
        if after.is_none() {
            let covers = kernel.covers(&self.0.world.topology);
            let table = kernel.routes.cover_table();
            let covers = covers.map(|prefix| RouteView {
                table,
                ..route(Destination::Prefix(prefix), COVER_METRIC, "cover")
            });
            part.rows.splice(..0, covers);
        }
        part
    }

    /// The leases, by domain and address.
    pub fn leases(&self, now: Time) -> Vec<LeaseView> {
        let places = places(self.0);
        let view = |(key, lease): (&Key, &Held)| {
            let place = places.get(lease.segment.index())?;
            let host = self.0.world.hosts.live_host(key).filter(|host| host.segment == lease.segment);
            Some(LeaseView {
                address: key.address,
                lladdr: lease.lladdr,
                domain: place.domain.clone(),
                segment: place.segment.clone(),
                client: lease.client.to_string(),
                server: lease.server,
                state: host.map_or("absent", |host| host.state.as_str()).into(),
                expires_seconds: lease.seconds_left(now),
                netns: None,
            })
        };
        self.0.world.leases.not_over().filter_map(view).collect()
    }

    fn part<T>(
        &self,
        after: Option<RowPlace>,
        most: usize,
        view: impl Fn(&Key, &[SegmentView]) -> Option<T>,
    ) -> Part<T> {
        let (keys, has_more) = self.0.world.hosts.live_keys_after(after.map(key_of), most);
        self.rows_of(&keys, has_more, view)
    }

    fn rows_of<T>(
        &self,
        keys: &[Key],
        has_more: bool,
        view: impl Fn(&Key, &[SegmentView]) -> Option<T>,
    ) -> Part<T> {
        let last = keys.last().filter(|_| has_more);
        let last = last.map(|Key { domain, address }| RowPlace { domain: *domain, address: *address });
        let places = places(self.0);
        Part { rows: keys.iter().filter_map(|key| view(key, &places)).collect(), last }
    }
}

fn key_of(RowPlace { domain, address }: RowPlace) -> Key {
    Key { domain, address }
}
