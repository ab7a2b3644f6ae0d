//! What operators command on the control socket beside a reload, and what they get: sweeps, probes, hosts to be
//! forgotten, the level of the log.

use std::fmt;
use std::sync::Arc;

use arpherd_core::Address;
use arpherd_core::sweep::SweepProgress;
use arpherd_core::view::{Keyword, Label, SegmentView};
use arpherd_core::wake::Sleeper;
use serde::{Deserialize, Serialize};
use slog::{Level, Logger, info};

use crate::cli::LogLevel;
use crate::control::{BoxFuture, ControlQuery, ControlResponse, Failure, QueryHandler};
use crate::log::LevelSwitch;

/// An address, of which a client asks or commands something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressQuery {
    /// The address.
    pub(crate) address: Address,
}

/// Who is to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WakeCommand {
    /// The host's address, or its link-layer address.
    pub(crate) host: Sleeper,
}

/// Which segments are to be swept, or whose sweeps are asked about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SweepQuery {
    /// A segment by its name or its interface's; all without it.
    pub(crate) segment: Option<String>,
}

/// How far the sweeps of a segment are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SweepView {
    /// The name of its domain.
    pub(crate) domain: Label,
    /// Its own name.
    pub(crate) segment: Label,
    /// The interface it is reached through.
    pub(crate) interface: Label,
    /// `sweeping`, `due` (about to begin), `idle`, or `inactive` (cannot be swept).
    pub(crate) state: Keyword,
    /// Why it cannot be swept: the state of the segment, or `too_large` for a sweep on demand.
    pub(crate) because: Option<Keyword>,
    /// How many rounds were begun; what follows is about the last one.
    pub(crate) rounds: u64,
    /// Addresses that it has passed, probed or not.
    pub(crate) done: u64,
    /// All addresses of the segment's prefixes.
    pub(crate) total: u64,
    /// Probes that were sent.
    pub(crate) probed: u64,
    /// Hosts that were not known before.
    pub(crate) found: u64,
    /// How long it has gone on, or took.
    pub(crate) elapsed_milliseconds: u64,
    /// Time from the start of one round to the start of the next; none where they come on demand only.
    pub(crate) interval_milliseconds: Option<u64>,
    /// The network namespace; none for the daemon's own.
    pub(crate) netns: Option<Label>,
}

impl SweepView {
    /// Of a segment and how far its sweeps are.
    pub(crate) fn new(segment: &SegmentView, progress: &SweepProgress) -> Self {
        let SweepProgress { state, rounds, done, total, probed, found, elapsed, interval } = *progress;
        let milliseconds = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self {
            domain: segment.domain.clone(),
            segment: segment.segment.clone(),
            interface: segment.interface.clone(),
            state: state.as_str().into(),
            because: (segment.state != "up").then(|| segment.state.clone()),
            rounds,
            done,
            total,
            probed,
            found,
            elapsed_milliseconds: milliseconds(elapsed),
            interval_milliseconds: interval.map(milliseconds),
            netns: segment.netns.clone(),
        }
    }
}

/// The level of the log that a client wants; without one it is only shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogCommand {
    /// The level from now on.
    pub(crate) level: Option<LevelName>,
}

/// The level of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogView {
    /// The level now.
    pub(crate) level: Keyword,
    /// The level before the command.
    pub(crate) before: Keyword,
}

/// A level of the log by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LevelName {
    /// Failures of a part of the daemon.
    Error,
    /// Problems to look into.
    Warn,
    /// Important changes.
    Info,
    /// Every change of a host.
    Debug,
    /// Every packet and decision.
    Trace,
}

impl From<LogLevel> for LevelName {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warn,
            LogLevel::Info => Self::Info,
            LogLevel::Debug => Self::Debug,
            LogLevel::Trace => Self::Trace,
        }
    }
}

impl LevelName {
    fn level(self) -> Level {
        match self {
            Self::Error => Level::Error,
            Self::Warn => Level::Warning,
            Self::Info => Level::Info,
            Self::Debug => Level::Debug,
            Self::Trace => Level::Trace,
        }
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Critical | Level::Error => "error",
        Level::Warning => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

impl fmt::Display for LevelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(level_name(self.level()))
    }
}

/// Handles what concerns the log, and leaves all else to another handler.
pub(crate) struct WithLog {
    /// Whose level is shown and changed.
    pub(crate) level: LevelSwitch,
    /// Where a change is logged.
    pub(crate) log: Logger,
    /// Handles the rest.
    pub(crate) rest: Arc<dyn QueryHandler>,
}

impl QueryHandler for WithLog {
    fn handle(self: Arc<Self>, query: ControlQuery) -> BoxFuture<'static, Result<ControlResponse, Failure>> {
        let ControlQuery::Log(LogCommand { level }) = query else {
            return Arc::clone(&self.rest).handle(query);
        };
        let before = self.level.get();
        if let Some(level) = level {
            self.level.set(level.level());
            info!(self.log, "log_level"; "level" => %level, "before" => level_name(before));
        }
        let view = LogView { level: level_name(self.level.get()).into(), before: level_name(before).into() };
        Box::pin(async { Ok(ControlResponse::Log(view)) })
    }
}
