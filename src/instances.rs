//! One instance of the actors for each network namespace, because each namespace has kernel tables of its own.
//! Instances are started one after another, queried as one, and stopped in reverse order.

mod instance_queries;
mod merging;
mod operate;
mod queries;
mod replacement;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arpherd_actors::io::netns::{Netns, NetnsError};
use arpherd_actors::io::packet::wait_until_closed;
use arpherd_actors::liveness::ActorList;
use arpherd_actors::owner::EventSink;
use arpherd_actors::supervisor::{Instance, InstanceConfig, StartError};
use arpherd_core::Plan;
use arpherd_core::memory::RememberedHost;
use arpherd_core::view::{ConfinementView, Label};
use slog::{Logger, error, o};

use crate::config::{DaemonConfig, HttpListen, NetnsPlan, OnExit};
use crate::control::QueryHandler;
use crate::events::EventSource;
use crate::exit::Exit;
use crate::fast_answers::FastPrograms;
use crate::log;
use crate::reload::command::ReloadSender;
use instance_queries::InstanceQueries;
use queries::AllInstances;
pub(crate) use replacement::ReplaceError;

/// How long the stop waits for packet sockets to be closed.
const CLOSING_LIMIT: Duration = Duration::from_secs(5);

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
    /// What is known of hosts, from a stop that keeps the routes to the next start; named likewise.
    pub(crate) saved_hosts: PathBuf,
    /// The recording of every fact, if one is wanted.
    pub(crate) record: Option<PathBuf>,
}

/// The running instances.
pub(crate) struct Instances {
    running: Vec<Running>,
    queries: Arc<AllInstances>,
    files: Files,
    /// What answers inside the kernel; none before they are loaded.
    programs: FastPrograms,
    /// Every actor that has to answer pings.
    actors: ActorList,
    /// Whether it is measured how long what frames cause takes.
    timing: bool,
    /// How often instances were replaced, to name their recordings.
    replacements: u32,
}

/// An instance, and what it was started with.
struct Running {
    part: NetnsPlan,
    netns: Netns,
    instance: Instance,
}

impl Instances {
    /// Starts an instance for each part of the configuration.
    ///
    /// # Errors
    /// The exit code, if one does not start. The reason is in the log, and the instances started before are
    /// stopped in the ordinary way.
    pub(crate) async fn start(
        daemon: &DaemonConfig,
        parts: Vec<NetnsPlan>,
        files: Files,
        reloads: ReloadSender,
        confinement: ConfinementView,
        log: &Logger,
    ) -> Result<Self, Exit> {
        let refuse = |error: &InstancesError| {
            error!(log, "not_started"; "error" => %error);
            error.exit_code()
        };
        // Open all namespaces before anything is changed in one of them.
        let namespaces = open_namespaces(&parts).map_err(|error| refuse(&error))?;
        let queries = Arc::new(AllInstances::new(reloads, confinement));
        let timing = daemon.http != HttpListen::Off;
        let actors = ActorList::default();
        let (running, programs, replacements) = (Vec::new(), FastPrograms::default(), 0);
        let mut instances = Self { running, queries, files, programs, actors, timing, replacements };
        for (part, netns) in parts.into_iter().zip(namespaces) {
            if let Err(error) = instances.start_one(part, netns, daemon.on_exit, Vec::new(), log).await {
                let code = refuse(&error);
                instances.stop().await;
                return Err(code);
            }
        }
        instances.publish();
        Ok(instances)
    }

    async fn start_one(
        &mut self,
        part: NetnsPlan,
        netns: Netns,
        on_exit: OnExit,
        known_hosts: Vec<RememberedHost>,
        log: &Logger,
    ) -> Result<(), InstancesError> {
        let log = log_of(log, part.netns.as_deref());
        let sink = self.event_sink(&part, &part.plan, &log);
        let record = self.files.record.as_ref();
        let config = InstanceConfig {
            saved_sysctls: Some(self.files.saved_sysctls.clone()),
            saved_hosts: Some(self.files.saved_hosts.clone()),
            known_hosts,
            record: record.map(|path| recording_path(path, netns.name(), self.replacements)),
            netns: netns.clone(),
            manage: part.manage.clone(),
            actors: self.actors.clone(),
            purge: on_exit == OnExit::Purge,
            plan: part.plan.clone(),
        };
        let mut instance = Instance::start(config, sink, log.clone()).await?;
        if self.timing {
            instance.set_timing(true);
        }
        let running = Running { part, netns, instance };
        running.answer_in_kernel(&mut self.programs, &log);
        self.running.push(running);
        Ok(())
    }

    /// Logs and remembers the events of an instance. `plan`: its plan, in the numbers that its segments have.
    fn event_sink(&self, part: &NetnsPlan, plan: &Plan, log: &Logger) -> EventSink {
        let netns = part.netns.as_deref().map(Label::from);
        let source = Arc::new(EventSource { netns, names: log::SegmentNames::new(plan) });
        let (queries, log) = (Arc::clone(&self.queries), log.clone());
        Box::new(move |event: &_| {
            log::log_event(&log, event, &source.names);
            queries.events.push(&source, event);
        })
    }

    /// Measures how long what frames cause takes, as far as somebody can read it. It costs a little.
    fn set_timing(&mut self, timing: bool) {
        if std::mem::replace(&mut self.timing, timing) != timing {
            self.running.iter_mut().for_each(|running| running.instance.set_timing(timing));
        }
    }

    /// Has these programs answer inside the kernel from now on, for the instances that run and those to come. Called once.
    pub(crate) fn answer_in_kernel(&mut self, programs: FastPrograms, log: &Logger) {
        self.programs = programs;
        for running in &self.running {
            running.answer_in_kernel(&mut self.programs, &log_of(log, running.part.netns.as_deref()));
        }
    }

    /// Has queries go to the instances that run now.
    fn publish(&self) {
        let queries = |running: &Running| InstanceQueries {
            netns: running.part.netns.as_deref().map(Label::from),
            owner: running.instance.queries(),
            captures: running.instance.counter_updates(),
            commands: running.instance.commands(),
            sweeps: running.instance.sweeps(),
        };
        self.queries.set(self.running.iter().map(queries).collect());
    }

    /// Every actor that has to answer pings, and whoever else is added.
    pub(crate) fn actors(&self) -> &ActorList {
        &self.actors
    }

    /// The handler of the control socket's queries.
    pub(crate) fn query_handler(&self) -> Arc<dyn QueryHandler> {
        Arc::clone(&self.queries) as Arc<dyn QueryHandler>
    }

    /// At the end routes, entries and settings are kept, whatever the configuration says.
    pub(crate) fn keep_routes(&mut self) {
        self.running.iter_mut().for_each(|running| running.instance.set_purge(false));
    }

    /// Stops them all, the last one first.
    pub(crate) async fn stop(self) {
        for running in self.running.into_iter().rev() {
            running.instance.stop().await;
        }
        self.programs.detach();
        // Together; at the end of the process the kernel would close one after the other.
        wait_until_closed(CLOSING_LIMIT);
    }
}

impl Running {
    /// Has the program of its namespace answer, if there is one. `log`: the namespace's.
    fn answer_in_kernel(&self, programs: &mut FastPrograms, log: &Logger) {
        if let Some(program) = programs.of(&self.netns, log) {
            self.instance.answer_in_kernel(program);
        }
    }
}

fn log_of(log: &Logger, netns: Option<&str>) -> Logger {
    netns.map_or_else(|| log.clone(), |name| log.new(o!("netns" => name.to_owned())))
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

/// `FILE` for the daemon's own namespace, `FILE.NAME` for another; with a number after each replacement, so that the
/// recording of before is kept.
fn recording_path(path: &Path, netns: Option<&str>, replacements: u32) -> PathBuf {
    let mut path = path.to_path_buf();
    if let Some(name) = netns {
        path.as_mut_os_string().push(format!(".{name}"));
    }
    if replacements > 0 {
        path.as_mut_os_string().push(format!(".{replacements}"));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_namespace_is_recorded_in_a_file_of_its_own() {
        let names = [None, Some("blue")].map(|name| recording_path(Path::new("/tmp/facts.json"), name, 0));
        assert_eq!(names, ["/tmp/facts.json", "/tmp/facts.json.blue"].map(PathBuf::from));
        let second = recording_path(Path::new("/tmp/facts.json"), None, 1);
        assert_eq!(second, PathBuf::from("/tmp/facts.json.1"), "what was recorded before a reload is kept");
    }
}
