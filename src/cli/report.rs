//! What the daemon reports, and how.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Logging and recording of the daemon.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Minimum log level
    #[arg(long, value_enum, default_value_t = LogLevel::Info, value_name = "LEVEL")]
    pub(crate) log_level: LogLevel,
    /// Log format: fields for the journal where stderr is the journal and text lines elsewhere, always text lines, or JSON
    /// with one object per line
    #[arg(long, value_enum, default_value_t = LogFormat::Auto, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Record every fact for `arpherd replay`; network namespace NAME is recorded in FILE.NAME
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

/// The level of a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Every packet and decision
    Trace,
    /// Every change of a host
    Debug,
    /// Important changes
    Info,
    /// Problems to look into
    #[value(alias = "warning")]
    Warn,
    /// Failures of a part of the daemon
    Error,
}

/// The format of log records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Fields for the systemd journal if stderr is the journal, otherwise text lines
    Auto,
    /// Text lines
    Text,
    /// One JSON object per line
    Json,
}
