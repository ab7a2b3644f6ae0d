//! One instance of the actors for each network namespace, because each namespace has kernel tables of its own.
//! Instances are started one after another, queried as one, and stopped in reverse order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix::Recipient;
use arpherd_actors::io::netns::{Netns, NetnsError};
use arpherd_actors::messages::{Barrier, RunQuery};
use arpherd_actors::supervisor::{Instance, InstanceConfig, StartError};
use arpherd_core::view::Label;
use slog::{Logger, error, o};

use crate::config::{Config, NetnsPlan, OnExit};
use crate::control::{BoxFuture, ControlQuery, ControlResponse, Query, QueryHandler, Response, Unavailable};
use crate::events::{EventRing, EventSource};
use crate::exit::Exit;
use crate::log;

/// Why the instances could not all be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstancesError {
    /// A namespace cannot be entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// Two names of one namespace: its tables would have two owners.
    #[error("{one} and {other} are the same network namespace; use the same `netns` for both")]
    Same {
        /// The first.
        one: String,
        /// The second.
        other: String,
    },
    /// Namespaces cannot be compared.
    #[error("cannot compare network namespaces: {0}")]
    Identity(#[source] std::io::Error),
    /// An instance did not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl InstancesError {
    /// The exit code that fits.
    pub(crate) fn exit_code(&self) -> Exit {
        match self {
            Self::Netns(error) | Self::Start(StartError::Netns(error)) => match error {
                NetnsError::Missing { .. } | NetnsError::Other { .. } => Exit::Unavailable,
                NetnsError::Rights { .. } => Exit::NoPerm,
                NetnsError::Failed { .. } => Exit::OsErr,
            },
            Self::Same { .. } => Exit::Config,
            Self::Start(StartError::Locked(_)) => Exit::Unavailable,
            Self::Start(StartError::Rights { .. }) => Exit::NoPerm,
            Self::Start(StartError::Record { .. }) => Exit::CantCreat,
            Self::Identity(_)
            | Self::Start(StartError::Netlink(_) | StartError::Port(_) | StartError::Stopped) => Exit::OsErr,
        }
    }
}

/// Files that the daemon writes.
pub(crate) struct Files {
    /// Original values of sysctls, to restore after a crash; each namespace's number is appended to the stem.
    pub(crate) saved_sysctls: PathBuf,
    /// The recording of every fact, if one is wanted.
    pub(crate) record: Option<PathBuf>,
}

/// The running instances, each with its namespace's name (`None`: the daemon's own).
pub(crate) struct Instances {
    instances: Vec<(Option<Label>, Instance)>,
    events: Arc<EventRing>,
}

impl Instances {
    /// Starts an instance for each network namespace of the configuration.
    ///
    /// # Errors
    /// The exit code, if one does not start. The reason is in the log, and the instances started before are
    /// stopped in the ordinary way.
    pub(crate) async fn start(config: &Config, files: Files, log: &Logger) -> Result<Self, Exit> {
        let parts = config.netns_plans();
        let refuse = |log: &Logger, error: &InstancesError| {
            error!(log, "not_started"; "error" => %error);
            error.exit_code()
        };
        // Open all namespaces before anything is changed in one of them.
        let namespaces = open_namespaces(&parts).map_err(|error| refuse(log, &error))?;
        let mut instances = Self { instances: Vec::new(), events: Arc::default() };
        for (part, netns) in parts.into_iter().zip(namespaces) {
            let log = match &part.netns {
                Some(name) => log.new(o!("netns" => name.clone())),
                None => log.clone(),
            };
            let name = part.netns.as_deref().map(Label::from);
            let config = instance_config(part, netns, config.daemon.on_exit, &files);
            let source = EventSource { netns: name.clone(), names: log::SegmentNames::new(&config.plan) };
            let (source, ring, sink_log) = (Arc::new(source), Arc::clone(&instances.events), log.clone());
            let sink = Box::new(move |event: &_| {
                log::log_event(&sink_log, event, &source.names);
                ring.push(&source, event);
            });
            match Instance::start(config, sink, log.clone()).await {
                Ok(instance) => instances.instances.push((name, instance)),
                Err(error) => {
                    let code = refuse(&log, &error.into());
                    instances.stop().await;
                    return Err(code);
                }
            }
        }
        Ok(instances)
    }

    /// The handler of the control socket's queries.
    pub(crate) fn query_handler(&self) -> Arc<dyn QueryHandler> {
        let queries = |(netns, instance): &(Option<Label>, Instance)| InstanceQueries {
            netns: netns.clone(),
            owner: instance.queries(),
            captures: instance.counter_updates(),
        };
        let instances = self.instances.iter().map(queries).collect();
        Arc::new(AllInstances { instances, events: Arc::clone(&self.events) })
    }

    /// Stops them all, the last one first.
    pub(crate) async fn stop(self) {
        for (_, instance) in self.instances.into_iter().rev() {
            instance.stop().await;
        }
    }
}

/// Opens the namespaces of the parts; they must all differ.
fn open_namespaces(parts: &[NetnsPlan]) -> Result<Vec<Netns>, InstancesError> {
    let mut seen = BTreeMap::new();
    let mut namespaces = Vec::new();
    for part in parts {
        let netns = part.netns.as_deref().map_or_else(|| Ok(Netns::own()), Netns::named)?;
        let name = part.netns.clone().unwrap_or_else(|| "the daemon's own".to_owned());
        let identity = netns.identity().map_err(InstancesError::Identity)?;
        if let Some(one) = seen.insert(identity, name.clone()) {
            return Err(InstancesError::Same { one, other: name });
        }
        namespaces.push(netns);
    }
    Ok(namespaces)
}

fn instance_config(part: NetnsPlan, netns: Netns, on_exit: OnExit, files: &Files) -> InstanceConfig {
    InstanceConfig {
        saved_sysctls: Some(files.saved_sysctls.clone()),
        record: files.record.as_ref().map(|path| recording_path(path, netns.name())),
        netns,
        manage: part.manage,
        purge: on_exit == OnExit::Purge,
        plan: part.plan,
    }
}

/// `FILE` for the daemon's own namespace, `FILE.NAME` for another.
fn recording_path(path: &Path, netns: Option<&str>) -> PathBuf {
    let mut path = path.to_path_buf();
    if let Some(name) = netns {
        path.as_mut_os_string().push(format!(".{name}"));
    }
    path
}

/// Sends each query to every instance and merges their responses.
struct AllInstances {
    instances: Vec<InstanceQueries>,
    events: Arc<EventRing>,
}

/// The actors of one instance that a query needs.
#[derive(Clone)]
struct InstanceQueries {
    netns: Option<Label>,
    owner: Recipient<RunQuery>,
    /// Captures read the kernel's drop counts only on request; without it the counters are incomplete.
    captures: Vec<Recipient<Barrier>>,
}

impl InstanceQueries {
    async fn run(self, query: Query) -> Result<Response, Unavailable> {
        if query == Query::Segments {
            for capture in self.captures {
                // A capture that has stopped counts nothing more.
                let _ = capture.send(Barrier).await;
            }
        }
        let response = self.owner.send(RunQuery(query)).await;
        let response = response.map_err(|_| Unavailable("the daemon is stopping".into()))?;
        Ok(in_netns(response, self.netns.as_ref()))
    }
}

impl QueryHandler for AllInstances {
    fn handle(&self, query: ControlQuery) -> BoxFuture<'static, Result<ControlResponse, Unavailable>> {
        let (instances, events) = (self.instances.clone(), Arc::clone(&self.events));
        Box::pin(async move {
            match query {
                ControlQuery::State(query) => run_all(instances, query).await.map(ControlResponse::State),
                ControlQuery::Events(query) => Ok(ControlResponse::Events(events.read(&query).await)),
            }
        })
    }
}

async fn run_all(instances: Vec<InstanceQueries>, query: Query) -> Result<Response, Unavailable> {
    let mut responses = Vec::new();
    for instance in instances {
        responses.push(instance.run(query.clone()).await?);
    }
    let whole = responses.into_iter().reduce(merged).map(in_order);
    whole.ok_or(Unavailable("the daemon has no instance to query".into()))
}

/// The response with its namespace in every row.
fn in_netns(mut response: Response, netns: Option<&Label>) -> Response {
    match &mut response {
        Response::Status(_) => {}
        Response::Segments(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Hosts(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Routes(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Explain(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
    }
    response
}

/// Merges two responses to the same query.
fn merged(mut one: Response, other: Response) -> Response {
    match (&mut one, other) {
        (Response::Status(sum), Response::Status(more)) => {
            sum.domains += more.domains;
            sum.hosts += more.hosts;
            sum.routes += more.routes;
            sum.ready &= more.ready;
            sum.uptime_seconds = sum.uptime_seconds.max(more.uptime_seconds);
            for (name, count) in more.events {
                *sum.events.entry(name).or_default() += count;
            }
        }
        (Response::Segments(rows), Response::Segments(more)) => rows.extend(more),
        (Response::Hosts(rows), Response::Hosts(more)) => rows.extend(more),
        (Response::Routes(rows), Response::Routes(more)) => rows.extend(more),
        // Domains that hold the address say more than those that do not.
        (Response::Explain(rows), Response::Explain(more)) => {
            rows.extend(more);
            if rows.iter().any(|row| row.in_domain) {
                rows.retain(|row| row.in_domain);
            }
        }
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
    use arpherd_core::view::StatusView;

    use super::*;

    #[test]
    fn each_namespace_is_recorded_in_a_file_of_its_own() {
        let names = [None, Some("blue")].map(|name| recording_path(Path::new("/tmp/facts.json"), name));
        assert_eq!(names, ["/tmp/facts.json", "/tmp/facts.json.blue"].map(PathBuf::from));
    }

    #[test]
    fn the_daemon_is_ready_when_all_of_it_is_and_counts_all_there_is() {
        let status = |hosts, ready| {
            Response::Status(StatusView {
                version: "1".into(),
                uptime_seconds: hosts,
                domains: 1,
                hosts,
                routes: hosts,
                ready,
                events: [("host_found".into(), hosts)].into(),
            })
        };
        let Response::Status(sum) = merged(status(2, true), status(3, false)) else { panic!("a status") };
        assert_eq!((sum.domains, sum.hosts, sum.routes, sum.uptime_seconds, sum.ready), (2, 5, 5, 3, false));
        assert_eq!(sum.events, [("host_found".into(), 5)].into());
    }
}
