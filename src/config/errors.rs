//! Configuration errors, one line each, and the origin of each value.

use std::fmt;

use super::path::KeyPath;
use super::text;

use crate::exit::Exit;

/// The source that a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValueOrigin {
    /// No source: the value is a default.
    Default,
    /// The configuration file; line and column are counted from 1, the column in characters.
    File {
        /// The file name as given, escaped.
        name: String,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// The environment variable of this name.
    Environment(String),
    /// This flag of the command line.
    CommandLine(String),
}

impl ValueOrigin {
    /// Sort key of errors: those of a file by position, then the environment's, then the command line's.
    fn rank(&self) -> (u8, usize, usize) {
        match self {
            Self::Default => (0, 0, 0),
            Self::File { line, column, .. } => (1, *line, *column),
            Self::Environment(_) => (2, 0, 0),
            Self::CommandLine(_) => (3, 0, 0),
        }
    }
}

/// As `check` shows it.
impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line, .. } => write!(f, "{name}:{line}"),
            Self::Environment(name) => write!(f, "environment variable {}", text::plain(name)),
            Self::CommandLine(flag) => write!(f, "command line {}", text::plain(flag)),
        }
    }
}

/// One error of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where the value came from.
    pub(crate) origin: ValueOrigin,
    /// The key, if the error concerns one.
    pub(crate) key: Option<KeyPath>,
    /// What was found and what was expected; free of control characters.
    pub(crate) text: String,
}

/// One line: `FILE:LINE:COL: key.path: found VALUE, expected WHAT`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            ValueOrigin::Default => f.write_str("configuration: ")?,
            ValueOrigin::File { name, line: 0, .. } => write!(f, "{name}: ")?,
            ValueOrigin::File { name, line, column } => write!(f, "{name}:{line}:{column}: ")?,
            ValueOrigin::Environment(name) => write!(f, "environment variable {}: ", text::plain(name))?,
            ValueOrigin::CommandLine(flag) => write!(f, "{}: ", text::plain(flag))?,
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// Why a configuration was not loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The command line is incomplete.
    #[error("{0}")]
    Usage(String),
    /// Every error of the configuration, one line each.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Problem>),
}

impl ConfigError {
    /// All these errors, in the order of their positions.
    pub(crate) fn wrong(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.origin.rank());
        problems.dedup();
        Self::Wrong(problems)
    }

    /// The exit code: 64 for usage, 78 for the configuration itself.
    pub(crate) fn exit_code(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Wrong(_) => Exit::Config,
        }
    }
}
