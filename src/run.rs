//! Runs the daemon: the order of startup and shutdown, signals, and notification of the service manager.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use actix::System;
use slog::{Logger, error, info, warn};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{LogFormat, LogLevel, ReportArgs};
use crate::config::{DaemonConfig, Loaded};
use crate::control::{Access, ControlError, Server, ServerHandle};
use crate::exit::Exit;
use crate::http::HttpService;
use crate::instances::{Files, Instances};
use crate::log;
use crate::operate::WithLog;
use crate::reload::{ReadConfig, ReloadSender, Reloader};

/// Runs the daemon with the configuration until a signal stops it. `spare`: the path of its control socket if
/// another daemon has the configured one.
/// `read`: reads it again, for a reload.
pub(crate) fn run(
    loaded: Loaded,
    report: &ReportArgs,
    spare: Option<&Path>,
    read: Option<ReadConfig>,
) -> ExitCode {
    let log = log::start(format_of(report.log_format), level_of(report.log_level));
    // Before anything else, so that a second daemon changes nothing.
    let server = match bind(&loaded.config.daemon, spare, &log.logger) {
        Ok(server) => server,
        Err(error) => {
            error!(log.logger, "not_started"; "error" => %error);
            return error.exit_code().into();
        }
    };
    let http = match HttpService::bind(&loaded.config.daemon.http, &log.logger) {
        Ok(http) => http,
        Err(error) => {
            error!(log.logger, "not_started"; "error" => %error);
            return error.exit_code().into();
        }
    };
    for warning in &loaded.warnings {
        warn!(log.logger, "config_warning"; "detail" => warning, "hint" => "see arpherd check");
    }
    let (record, logger) = (report.record.clone(), log.logger.clone());
    let levels = LogLevels { switch: log.level.clone(), configured: level_of(report.log_level) };
    System::new().block_on(async {
        // A task of its own, because `block_on` polls its future each time any actor wakes.
        let daemon =
            actix::spawn(async move { serve(loaded, read, (server, http), record, &logger, &levels).await });
        daemon.await.unwrap_or(Exit::Software.into())
    })
}

/// Creates the control socket at its path, or at the spare one if another daemon has that.
fn bind(daemon: &DaemonConfig, spare: Option<&Path>, log: &Logger) -> Result<Server, ControlError> {
    let access = Access::new(daemon)?;
    match (Server::bind(&daemon.control, access.clone()), spare) {
        (Err(ControlError::InUse(_) | ControlError::Locked(_)), Some(spare)) => {
            info!(log, "control_elsewhere"; "control" => %spare.display(),
                "detail" => "another arpherd has the default socket");
            Server::bind(spare, access)
        }
        (outcome, _) => outcome,
    }
}

/// Starts the instances, serves until a signal arrives, and stops them. Packets are handled on the calling thread.
async fn serve(
    loaded: Loaded,
    read: Option<ReadConfig>,
    (server, mut http): (Server, HttpService),
    record: Option<PathBuf>,
    log: &Logger,
    levels: &LogLevels,
) -> ExitCode {
    // Before the first route, so that an early signal leaves none behind.
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            error!(log, "not_started"; "error" => %format_args!("cannot listen for signals: {error}"));
            return Exit::OsErr.into();
        }
    };
    // Beside the socket, where the daemon's next start finds it.
    let beside = |extension| server.path().with_extension(extension);
    let (saved_sysctls, saved_hosts) = (beside("settings.json"), beside("hosts.json"));
    let files = Files { saved_sysctls, saved_hosts, record };
    let (reloads, mut commands) = ReloadSender::channel();
    let instances = match Instances::start(&loaded.config, files, reloads, log).await {
        Ok(instances) => instances,
        Err(code) => return code.into(),
    };
    let control = server.path().to_path_buf();
    let handler = WithLog { level: levels.switch.clone(), log: log.clone(), rest: instances.query_handler() };
    let mut handle = server.serve(Arc::new(handler));
    if let Err(error) = http.serve(instances.query_handler()) {
        error!(log, "not_started"; "error" => %error);
        stop(instances, &mut http, &mut handle).await;
        return error.exit_code().into();
    }
    notify_service_manager(log, &[sd_notify::NotifyState::Ready]);
    let config = &loaded.config;
    info!(log, "ready"; "domains" => config.domains.len(), "segments" => config.segments().count(),
        "control" => %control.display(), "version" => env!("CARGO_PKG_VERSION"));
    let mut reloader = Reloader { instances, http, loaded, read, log };
    let lost = loop {
        let pending = tokio::select! {
            request = signals.next(log, levels) => match request {
                Request::Stop => break None,
                Request::StopForRestart => {
                    reloader.instances.keep_routes();
                    break None;
                }
                Request::Reload => None,
            },
            pending = commands.recv() => pending,
        };
        if let Err(code) = reloader.carry_out(pending).await {
            break Some(code);
        }
    };
    let Reloader { instances, mut http, .. } = reloader;
    notify_service_manager(log, &[sd_notify::NotifyState::Stopping]);
    stop(instances, &mut http, &mut handle).await;
    lost.map_or(ExitCode::SUCCESS, ExitCode::from)
}

/// Stops the instances, which withdraws routes, and then HTTP and the control socket, which respond until then.
async fn stop(instances: Instances, http: &mut HttpService, handle: &mut ServerHandle) {
    instances.stop().await;
    http.stop().await;
    handle.stop().await;
}

/// The log level now, and the one configured at the start.
struct LogLevels {
    switch: log::LevelSwitch,
    configured: slog::Level,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    /// Stop, and do with the routes what the configuration says.
    Stop,
    /// Stop, and keep the routes for the next start.
    StopForRestart,
    Reload,
}

/// The signals that the daemon handles.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    toggle_debug: Signal,
    restart: Signal,
}

impl Signals {
    /// Installs the handlers; signals that arrive before [`Self::next`] are not lost.
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            toggle_debug: signal(SignalKind::user_defined1())?,
            restart: signal(SignalKind::user_defined2())?,
        })
    }

    /// Waits for a signal that asks for something. SIGUSR1 turns debug records on and off meanwhile.
    async fn next(&mut self, log: &Logger, levels: &LogLevels) -> Request {
        loop {
            tokio::select! {
                // In this order: systemd sends SIGTERM as soon as what the unit has sent before it is on its way.
                biased;
                _ = self.restart.recv() => {
                    info!(log, "stopping"; "signal" => "SIGUSR2", "detail" => "routes are kept for the next start");
                    return Request::StopForRestart;
                }
                _ = self.terminate.recv() => {
                    info!(log, "stopping"; "signal" => "SIGTERM");
                    return Request::Stop;
                }
                _ = self.interrupt.recv() => {
                    info!(log, "stopping"; "signal" => "SIGINT");
                    return Request::Stop;
                }
                _ = self.hangup.recv() => return Request::Reload,
                _ = self.toggle_debug.recv() => {
                    let level = levels.switch.toggle_debug(levels.configured);
                    info!(log, "log_level"; "level" => level.as_str());
                }
            }
        }
    }
}

pub(crate) fn notify_service_manager(log: &Logger, state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(log, "service_manager_not_notified"; "error" => %error);
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
