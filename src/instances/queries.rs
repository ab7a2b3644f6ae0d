//! Queries of operators, sent to every instance; their responses are merged.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Instant, SystemTime};

use actix::Recipient;
use arpherd_actors::messages::{Barrier, DemandSweep, GetSweepProgress, RunCommand, RunQuery};
use arpherd_actors::peer::Peer;
use arpherd_core::view::{ConfinementView, Label};

use super::operate;
use crate::control::{BoxFuture, ControlQuery, ControlResponse, Failure, Query, QueryHandler, Response};
use crate::events::EventRing;
use crate::reload::ReloadSender;

/// Sends each query to every instance and merges their responses.
pub(super) struct AllInstances {
    instances: RwLock<Vec<InstanceQueries>>,
    pub(super) events: EventRing,
    reloads: ReloadSender,
    started: (Instant, SystemTime),
    confinement: ConfinementView,
}

impl AllInstances {
    /// Without instances yet.
    pub(super) fn new(reloads: ReloadSender, confinement: ConfinementView) -> Self {
        let started = (Instant::now(), SystemTime::now());
        Self { instances: RwLock::default(), events: EventRing::default(), reloads, started, confinement }
    }

    /// Queries go to these instances from now on.
    pub(super) fn set(&self, instances: Vec<InstanceQueries>) {
        *self.instances.write().unwrap_or_else(PoisonError::into_inner) = instances;
    }

    /// With what is the process's: what it may do, and the time of its start, which is before that of an instance that a
    /// reload has started.
    fn with_start(&self, mut response: Response) -> Response {
        if let Response::Status(status) = &mut response {
            let (instant, time) = self.started;
            status.confinement = Some(self.confinement.clone());
            status.uptime_seconds = instant.elapsed().as_secs();
            status.start_time_seconds =
                time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        }
        response
    }

    fn get(&self) -> Vec<InstanceQueries> {
        self.instances.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The actors of one instance that a query needs.
#[derive(Clone)]
pub(super) struct InstanceQueries {
    pub(super) netns: Option<Label>,
    pub(super) owner: Recipient<RunQuery>,
    /// Captures read the kernel's drop counts only on request; without it the counters are incomplete.
    pub(super) captures: Arc<[Peer<Barrier>]>,
    /// Of operators, about addresses.
    pub(super) commands: Recipient<RunCommand>,
    /// By segment.
    pub(super) sweeps: Arc<[(Peer<DemandSweep>, Peer<GetSweepProgress>)]>,
}

impl InstanceQueries {
    pub(super) async fn run(self, query: Query) -> Result<Response, Failure> {
        if query == Query::Segments {
            for capture in &*self.captures {
                // A capture that has stopped counts nothing more.
                let _ = capture.send(Barrier).await;
            }
        }
        let mut whole: Option<Response> = None;
        let mut after = None;
        loop {
            let part = self.owner.send(RunQuery { query: query.clone(), after }).await;
            let part = part.map_err(|_| Failure::Unavailable("the daemon is stopping".into()))?;
            let response = match whole.take() {
                Some(before) => merged(before, part.response),
                None => part.response,
            };
            if part.last.is_none() {
                return Ok(in_netns(response, self.netns.as_ref()));
            }
            (whole, after) = (Some(response), part.last);
        }
    }
}

impl QueryHandler for AllInstances {
    fn handle(self: Arc<Self>, query: ControlQuery) -> BoxFuture<'static, Result<ControlResponse, Failure>> {
        Box::pin(async move {
            match query {
                ControlQuery::State(query) => {
                    let response = run_all(self.get(), query).await?;
                    Ok(ControlResponse::State(self.with_start(response)))
                }
                ControlQuery::Events(query) => Ok(ControlResponse::Events(self.events.read(&query).await)),
                ControlQuery::Reload(command) => self.reloads.send(command).await,
                ControlQuery::Operate(command) => {
                    operate::command(self.get(), command).await.map(ControlResponse::State)
                }
                ControlQuery::Sweep(query) => {
                    operate::sweep(self.get(), &query).await.map(ControlResponse::Sweeps)
                }
                ControlQuery::Sweeps(query) => {
                    operate::sweeps(self.get(), &query).await.map(ControlResponse::Sweeps)
                }
                // Whoever has the log handles it before.
                ControlQuery::Log(_) => Err(Failure::Unavailable("the log's level is not known here".into())),
            }
        })
    }
}

async fn run_all(instances: Vec<InstanceQueries>, query: Query) -> Result<Response, Failure> {
    let mut responses = Vec::new();
    for instance in instances {
        responses.push(instance.run(query.clone()).await?);
    }
    let whole = responses.into_iter().reduce(merged).map(in_order);
    whole.ok_or(Failure::Unavailable("the daemon has no instance to query".into()))
}

/// The response with its namespace in every row.
pub(super) fn in_netns(mut response: Response, netns: Option<&Label>) -> Response {
    match &mut response {
        Response::Status(status) => {
            status.partners.roles.iter_mut().for_each(|row| row.netns = netns.cloned());
        }
        Response::Segments(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Hosts(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Routes(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Leases(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Explain(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Probed(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Forgotten(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Woken(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Roles(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
    }
    response
}

/// Merges two responses to the same query.
pub(super) fn merged(mut one: Response, other: Response) -> Response {
    match (&mut one, other) {
        (Response::Status(sum), Response::Status(more)) => {
            sum.domains += more.domains;
            sum.hosts += more.hosts;
            sum.routes += more.routes;
            sum.ready &= more.ready;
            sum.uptime_seconds = sum.uptime_seconds.max(more.uptime_seconds);
            sum.packets = sum.packets + more.packets;
            sum.partners.dhcp_servers.extend(more.partners.dhcp_servers);
            sum.partners.roles.extend(more.partners.roles);
            sum.missing.routes_refused += more.missing.routes_refused;
            sum.missing.remote_hosts += more.missing.remote_hosts;
            sum.missing.routes_in_conflict += more.missing.routes_in_conflict;
            for (name, count) in more.events {
                *sum.events.entry(name).or_default() += count;
            }
        }
        (Response::Segments(rows), Response::Segments(more)) => rows.extend(more),
        (Response::Hosts(rows), Response::Hosts(more)) => rows.extend(more),
        (Response::Routes(rows), Response::Routes(more)) => rows.extend(more),
        (Response::Leases(rows), Response::Leases(more)) => rows.extend(more),
        // Domains that hold the address say more than those that do not.
        (Response::Explain(rows), Response::Explain(more)) => {
            rows.extend(more);
            if rows.iter().any(|row| row.in_domain) {
                rows.retain(|row| row.in_domain);
            }
        }
        (Response::Probed(rows), Response::Probed(more)) => rows.extend(more),
        (Response::Forgotten(rows), Response::Forgotten(more)) => rows.extend(more),
        (Response::Woken(rows), Response::Woken(more)) => rows.extend(more),
        (Response::Roles(rows), Response::Roles(more)) => rows.extend(more),
        // All instances got the same query.
        _ => {}
    }
    one
}

/// Segments are sorted by domain and keep the configuration's order within it. Hosts and routes are sorted
/// when they are sent.
fn in_order(mut response: Response) -> Response {
    if let Response::Segments(rows) = &mut response {
        rows.sort_by(|one, other| one.domain.cmp(&other.domain));
    }
    response
}

#[cfg(test)]
mod tests {
    use arpherd_core::view::{PacketsView, StatusView};

    use super::*;

    #[test]
    fn the_daemon_is_ready_when_all_of_it_is_and_counts_all_there_is() {
        let status = |hosts, ready| {
            Response::Status(StatusView {
                version: "1".into(),
                protocol: 1,
                uptime_seconds: hosts,
                domains: 1,
                hosts,
                routes: hosts,
                ready,
                events: [("host_found".into(), hosts)].into(),
                packets: PacketsView { held: 2 * hosts, forwarded: hosts, refused: 0, dropped: hosts },
                control: arpherd_core::view::ControlView::default(),
                confinement: None,
                start_time_seconds: 0,
                missing: arpherd_core::view::MissingRoutesView {
                    routes_refused: hosts,
                    remote_hosts: 0,
                    routes_in_conflict: 1,
                },
                partners: arpherd_core::view::PartnersView::default(),
            })
        };
        let Response::Status(sum) = merged(status(2, true), status(3, false)) else { panic!("a status") };
        assert_eq!((sum.domains, sum.hosts, sum.routes, sum.uptime_seconds, sum.ready), (2, 5, 5, 3, false));
        assert_eq!(sum.events, [("host_found".into(), 5)].into());
        assert_eq!((sum.missing.routes_refused, sum.missing.routes_in_conflict), (5, 2));
        assert_eq!(sum.packets, PacketsView { held: 10, forwarded: 5, refused: 0, dropped: 5 });
    }
}
