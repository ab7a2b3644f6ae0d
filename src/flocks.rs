//! A flock of actors for each network namespace, because each has kernel tables of its own: started one after
//! another, asked as one, stopped in reverse.

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
use crate::control::{Answer, BoxFuture, Oracle, Question, Unavailable};
use crate::exit::Exit;
use crate::log;

/// Why not all could be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FlocksError {
    /// A namespace cannot be worked in.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// Two names, one namespace: its tables would have two owners.
    #[error("{one} and {other} are the same network namespace: say the same `netns` for both")]
    Same {
        /// The first.
        one: String,
        /// The second.
        other: String,
    },
    /// It cannot be told which namespaces are the same.
    #[error("cannot tell network namespaces apart: {0}")]
    Identity(#[source] std::io::Error),
    /// A flock did not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl FlocksError {
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
    /// Original values of settings, for after a crash; each namespace's number is put behind the stem.
    pub(crate) memory: PathBuf,
    /// Every fact, if anywhere.
    pub(crate) record: Option<PathBuf>,
}

/// All that runs.
pub(crate) struct Flocks(Vec<(Option<Label>, Instance)>);

impl Flocks {
    /// Starts a flock for each network namespace of the configuration. If one does not start, those before it
    /// are stopped as at any end; why is in the log, and the exit code is returned.
    pub(crate) async fn start(config: &Config, files: Files, log: &Logger) -> Result<Self, Exit> {
        let parts = config.netns_plans();
        let refuse = |log: &Logger, error: &FlocksError| {
            error!(log, "not_started"; "error" => %error);
            error.exit_code()
        };
        // All of them before anything is changed in any.
        let grounds = grounds(&parts).map_err(|error| refuse(log, &error))?;
        let mut flocks = Self(Vec::new());
        for (part, ground) in parts.into_iter().zip(grounds) {
            let log = match &part.netns {
                Some(name) => log.new(o!("netns" => name.clone())),
                None => log.clone(),
            };
            let netns = part.netns.as_deref().map(Label::from);
            let charge = charge(part, ground, config.daemon.on_exit, &files);
            let (names, teller_log) = (log::SegmentNames::new(&charge.plan), log.clone());
            let teller = Box::new(move |event: &_| log::log_event(&teller_log, event, &names));
            match Instance::start(charge, teller, log.clone()).await {
                Ok(flock) => flocks.0.push((netns, flock)),
                Err(error) => {
                    let code = refuse(&log, &error.into());
                    flocks.stop().await;
                    return Err(code);
                }
            }
        }
        Ok(flocks)
    }

    /// Who answers operators' questions.
    pub(crate) fn asker(&self) -> Arc<dyn Oracle> {
        let ear = |(netns, flock): &(Option<Label>, Instance)| Ear {
            netns: netns.clone(),
            show: flock.queries(),
            counted: flock.counter_updates(),
        };
        Arc::new(Asker(self.0.iter().map(ear).collect()))
    }

    /// Stops them all, the last one first.
    pub(crate) async fn stop(self) {
        for (_, flock) in self.0.into_iter().rev() {
            flock.stop().await;
        }
    }
}

/// The namespaces of the parts, each a different one.
fn grounds(parts: &[NetnsPlan]) -> Result<Vec<Netns>, FlocksError> {
    let mut seen = BTreeMap::new();
    let mut grounds = Vec::new();
    for part in parts {
        let ground = part.netns.as_deref().map_or_else(|| Ok(Netns::own()), Netns::named)?;
        let name = part.netns.clone().unwrap_or_else(|| "the daemon's own".to_owned());
        let identity = ground.identity().map_err(FlocksError::Identity)?;
        if let Some(one) = seen.insert(identity, name.clone()) {
            return Err(FlocksError::Same { one, other: name });
        }
        grounds.push(ground);
    }
    Ok(grounds)
}

fn charge(part: NetnsPlan, ground: Netns, on_exit: OnExit, files: &Files) -> InstanceConfig {
    InstanceConfig {
        saved_sysctls: Some(files.memory.clone()),
        record: files.record.as_ref().map(|path| recording(path, ground.name())),
        netns: ground,
        manage: part.manage,
        purge: on_exit == OnExit::Purge,
        plan: part.plan,
    }
}

/// `FILE` for the daemon's own namespace, `FILE.NAME` for another.
fn recording(path: &Path, netns: Option<&str>) -> PathBuf {
    let mut path = path.to_path_buf();
    if let Some(name) = netns {
        path.as_mut_os_string().push(format!(".{name}"));
    }
    path
}

/// Puts operators' questions to every route owner, and makes one answer of theirs.
struct Asker(Vec<Ear>);

/// Who knows one namespace.
#[derive(Clone)]
struct Ear {
    netns: Option<Label>,
    show: Recipient<RunQuery>,
    /// Captures fetch the kernel's drop counts when asked; only then are the counters whole.
    counted: Vec<Recipient<Barrier>>,
}

impl Ear {
    async fn ask(self, question: Question) -> Result<Answer, Unavailable> {
        if question == Question::Segments {
            for capture in self.counted {
                // A capture that is gone has nothing more to count.
                let _ = capture.send(Barrier).await;
            }
        }
        let answer = self.show.send(RunQuery(question)).await;
        let answer = answer.map_err(|_| Unavailable("the daemon is stopping".into()))?;
        Ok(in_netns(answer, self.netns.as_ref()))
    }
}

impl Oracle for Asker {
    fn ask(&self, question: Question) -> BoxFuture<'static, Result<Answer, Unavailable>> {
        let ears = self.0.clone();
        Box::pin(async move {
            let mut answers = Vec::new();
            for ear in ears {
                answers.push(ear.ask(question).await?);
            }
            let whole = answers.into_iter().reduce(joined).map(in_order);
            whole.ok_or(Unavailable("the daemon has nothing to tell of".into()))
        })
    }
}

/// The answer, with the namespace it is about in every row.
fn in_netns(mut answer: Answer, netns: Option<&Label>) -> Answer {
    match &mut answer {
        Answer::Status(_) => {}
        Answer::Segments(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Answer::Hosts(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Answer::Routes(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
    }
    answer
}

/// Two answers to the same question as one.
fn joined(mut one: Answer, other: Answer) -> Answer {
    match (&mut one, other) {
        (Answer::Status(sum), Answer::Status(more)) => {
            sum.domains += more.domains;
            sum.hosts += more.hosts;
            sum.routes += more.routes;
            sum.ready &= more.ready;
            sum.uptime_seconds = sum.uptime_seconds.max(more.uptime_seconds);
            for (name, count) in more.events {
                *sum.events.entry(name).or_default() += count;
            }
        }
        (Answer::Segments(rows), Answer::Segments(more)) => rows.extend(more),
        (Answer::Hosts(rows), Answer::Hosts(more)) => rows.extend(more),
        (Answer::Routes(rows), Answer::Routes(more)) => rows.extend(more),
        // Each was asked the same.
        _ => {}
    }
    one
}

/// Segments stand in the order of the configuration: by domain, and there as they are. The others are sorted
/// when they are sent.
fn in_order(mut answer: Answer) -> Answer {
    if let Answer::Segments(rows) = &mut answer {
        rows.sort_by(|one, other| one.domain.cmp(&other.domain));
    }
    answer
}

#[cfg(test)]
mod tests {
    use arpherd_core::view::StatusView;

    use super::*;

    #[test]
    fn each_namespace_is_recorded_in_a_file_of_its_own() {
        let names = [None, Some("blue")].map(|name| recording(Path::new("/tmp/facts.json"), name));
        assert_eq!(names, ["/tmp/facts.json", "/tmp/facts.json.blue"].map(PathBuf::from));
    }

    #[test]
    fn the_daemon_is_ready_when_all_of_it_is_and_counts_all_there_is() {
        let status = |hosts, ready| {
            Answer::Status(StatusView {
                version: "1".into(),
                uptime_seconds: hosts,
                domains: 1,
                hosts,
                routes: hosts,
                ready,
                events: [("host_found".into(), hosts)].into(),
            })
        };
        let Answer::Status(sum) = joined(status(2, true), status(3, false)) else { panic!("a status") };
        assert_eq!((sum.domains, sum.hosts, sum.routes, sum.uptime_seconds, sum.ready), (2, 5, 5, 3, false));
        assert_eq!(sum.events, [("host_found".into(), 5)].into());
    }
}
