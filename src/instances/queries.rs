//! Queries of operators, sent to every instance; their responses are merged.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Instant, SystemTime};

use arpherd_core::view::ConfinementView;

use super::instance_queries::InstanceQueries;
use super::merging::{in_order, merged};
use super::operate;
use crate::control::{BoxFuture, ControlQuery, ControlResponse, Failure, Query, QueryHandler, Response};
use crate::events::EventRing;
use crate::reload::command::ReloadSender;

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
