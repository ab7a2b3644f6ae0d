//! The daemon's life in this process: what is bound first, who is told, and the order of the end.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use actix::System;
use slog::{Logger, error, info, warn};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{LogFormat, LogLevel, ReportArgs};
use crate::config::{Config, Loaded};
use crate::control::{ControlError, Server, ServerHandle};
use crate::exit::Exit;
use crate::flocks::{Files, Flocks};
use crate::log;

/// Runs the daemon with the configuration until it is told to stop. `spare`: where its control socket may be
/// if another daemon has the configured place.
pub(crate) fn run(loaded: &Loaded, report: &ReportArgs, spare: Option<&Path>) -> ExitCode {
    let log = log::start(format_of(report.log_format), level_of(report.log_level));
    let config = &loaded.config;
    // Before anything else: a second daemon must harm nothing.
    let server = match bind(&config.daemon.control, spare, &log.logger) {
        Ok(server) => server,
        Err(error) => {
            error!(log.logger, "not_started"; "error" => %error);
            return error.exit_code().into();
        }
    };
    let (config, record, logger) = (config.clone(), report.record.clone(), log.logger.clone());
    let volume = Volume { level: log.level.clone(), usual: level_of(report.log_level) };
    System::new().block_on(async {
        // As a task of its own: what is blocked on is looked at anew each time any actor wakes.
        let life = actix::spawn(async move { live(&config, server, record, &logger, &volume).await });
        life.await.unwrap_or(Exit::Software.into())
    })
}

/// Takes the place of the control socket, or the spare one.
fn bind(path: &Path, spare: Option<&Path>, log: &Logger) -> Result<Server, ControlError> {
    match (Server::bind(path), spare) {
        (Err(ControlError::Live(_) | ControlError::Held(_)), Some(spare)) => {
            info!(log, "control_elsewhere"; "control" => %spare.display(),
                "detail" => "another arpherd has the usual place");
            Server::bind(spare)
        }
        (outcome, _) => outcome,
    }
}

/// From the start to the end. The calling thread is the packet path.
async fn live(
    config: &Config,
    server: Server,
    record: Option<PathBuf>,
    log: &Logger,
    volume: &Volume,
) -> ExitCode {
    // Before the first route: a signal that comes early must not leave any behind.
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            error!(log, "not_started"; "error" => %format_args!("cannot listen for signals: {error}"));
            return Exit::OsErr.into();
        }
    };
    // The memory lies beside the socket: whoever starts this daemon again finds it there.
    let files = Files { memory: server.path().with_extension("settings.json"), record };
    let flocks = match Flocks::start(config, files, log).await {
        Ok(flocks) => flocks,
        Err(code) => return code.into(),
    };
    let control = server.path().to_path_buf();
    let mut handle = server.serve(flocks.asker());
    tell_manager(log, &[sd_notify::NotifyState::Ready]);
    info!(log, "ready"; "domains" => config.domains.len(), "segments" => config.segments().count(),
        "control" => %control.display(), "version" => env!("CARGO_PKG_VERSION"));
    signals.wait_for_end(log, volume).await;
    tell_manager(log, &[sd_notify::NotifyState::Stopping]);
    end(flocks, &mut handle).await;
    ExitCode::SUCCESS
}

/// Routes go first; who asks meanwhile is still answered.
async fn end(flocks: Flocks, handle: &mut ServerHandle) {
    flocks.stop().await;
    handle.stop().await;
}

/// How much is logged, and what the operator asked for at the start.
struct Volume {
    level: log::LevelSwitch,
    usual: slog::Level,
}

/// The signals that say something to the daemon.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    louder: Signal,
}

impl Signals {
    /// Listens from now on: what comes before it is waited for is not lost.
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            louder: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for the one that ends the daemon; SIGUSR1 turns debug records on and off meanwhile.
    async fn wait_for_end(&mut self, log: &Logger, volume: &Volume) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break info!(log, "stopping"; "signal" => "SIGTERM"),
                _ = self.interrupt.recv() => break info!(log, "stopping"; "signal" => "SIGINT"),
                _ = self.hangup.recv() => warn!(log, "reload_unsupported";
                    "hint" => "restart with `on_exit: keep` to change the configuration without losing a packet"),
                _ = self.louder.recv() => {
                    let level = volume.level.toggle_debug(volume.usual);
                    info!(log, "log_level"; "level" => level.as_str());
                }
            }
        }
    }
}

fn tell_manager(log: &Logger, state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(log, "manager_not_told"; "error" => %error);
    }
}

fn level_of(level: LogLevel) -> slog::Level {
    match level {
        LogLevel::Trace => slog::Level::Trace,
        LogLevel::Debug => slog::Level::Debug,
        LogLevel::Info => slog::Level::Info,
        LogLevel::Warn => slog::Level::Warning,
        LogLevel::Error => slog::Level::Error,
    }
}

fn format_of(format: LogFormat) -> log::Format {
    match format {
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    }
}
