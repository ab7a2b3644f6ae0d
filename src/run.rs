//! Runs the daemon: the order of startup and shutdown, signals, and notification of the service manager.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use actix::System;
use arpherd_actors::io::descriptors::{limit, raise_limit};
use arpherd_actors::io::time_slice;
use arpherd_actors::liveness::{ActorGroup, ActorName, Ping};
use sd_notify::NotifyState;
use slog::{Logger, debug, error, info, warn};
use tokio::sync::mpsc;

use crate::cli::{LogFormat, LogLevel, ReportArgs};
use crate::config::{Config, Loaded};
use crate::confine::{Confinement, StartFiles};
use crate::control::{Server, ServerHandle};
use crate::exit::Exit;
use crate::fast_answers::Loading;
use crate::http::HttpService;
use crate::instances::{Files, Instances};
use crate::log;
use crate::operate::WithLog;
use crate::reload::command::ReloadSender;
use crate::reload::{ReadConfig, Reloader};
use crate::service_manager::{StatusText, notify};
use crate::signals::{BlockedSignals, Request};
use crate::sockets::Sockets;
use crate::watchdog::Watchdog;

/// Runs the daemon with the configuration until a signal stops it. `spare`: the path of its control socket if
/// another daemon has the configured one.
/// `read`: reads it again, for a reload.
pub(crate) fn run(
    loaded: Loaded,
    report: &ReportArgs,
    spare: Option<&Path>,
    read: Option<ReadConfig>,
) -> ExitCode {
    // Before the log starts its thread, because threads have signals, capabilities, time slices and access to files of their
    // own.
    let signals = BlockedSignals::new();
    let descriptors = raise_limit();
    let time_slice = time_slice::shorten();
    let sockets = Sockets::bind(&loaded.config.daemon, spare);
    let loading = Loading::prepare(&loaded.config, report.record.is_some());
    let confinement = sockets.as_ref().map(|sockets| {
        let config = read.as_ref().map(ReadConfig::file);
        let files = StartFiles { control: sockets.server.path(), config, record: report.record.as_deref() };
        Confinement::apply(&loaded.config, files)
    });
    let confinement = confinement.unwrap_or_else(|_| Confinement::off());
    let log = log::start(format_of(report.log_format), level_of(report.log_level));
    let signals = match signals {
        Ok(signals) => signals,
        Err(error) => {
            error!(log.logger, "not_started"; "error" => %format_args!("cannot block signals: {error}"));
            return Exit::OsErr.into();
        }
    };
    let Sockets { server, is_spare, http } = match sockets {
        Ok(sockets) => sockets,
        Err(error) => {
            error!(log.logger, "not_started"; "error" => %error);
            return error.exit_code().into();
        }
    };
    if is_spare {
        info!(log.logger, "control_elsewhere"; "control" => %server.path().display(),
            "detail" => "another arpherd has the default socket");
    }
    confinement.log(&log.logger);
    if let Err(error) = time_slice {
        debug!(log.logger, "time_slice_kept"; "error" => %error,
            "detail" => "frames may wait longer where the processors are busy");
    }
    if let Err(code) = loading.check(&loaded.config, &log.logger) {
        return code.into();
    }
    warn_of_few_descriptors(&loaded.config, descriptors, &log.logger);
    let http = HttpService::new(http, &log.logger);
    for warning in &loaded.warnings {
        warn!(log.logger, "config_warning"; "detail" => warning, "hint" => "see arpherd check");
    }
    let (record, logger, flush) = (report.record.clone(), log.logger.clone(), log.flush());
    let levels = LogLevels { switch: log.level.clone(), configured: level_of(report.log_level) };
    System::new().block_on(async {
        // A task of its own, because `block_on` polls its future each time any actor wakes.
        let daemon = actix::spawn(async move {
            serve(
                (loaded, read),
                confinement,
                loading,
                (server, http),
                record,
                signals,
                (&logger, &levels, flush),
            )
            .await
        });
        daemon.await.unwrap_or(Exit::Software.into())
    })
}

/// Starts the instances, serves until a signal arrives, and stops them. Packets are handled on the calling thread.
async fn serve(
    (mut loaded, read): (Loaded, Option<ReadConfig>),
    confinement: Confinement,
    loading: Loading,
    (server, mut http): (Server, HttpService),
    record: Option<PathBuf>,
    signals: BlockedSignals,
    (log, levels, flush): (&Logger, &LogLevels, log::Flush),
) -> ExitCode {
    let mut signals = match signals.read() {
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
    let confined = confinement.view();
    let (reloads, mut commands) = ReloadSender::channel();
    let (domains, segments) = (loaded.config.domains.len(), loaded.config.segments().count());
    let parts = loaded.take_parts();
    let daemon = &loaded.config.daemon;
    let mut instances = match Instances::start(daemon, parts, files, reloads, confined, log).await {
        Ok(instances) => instances,
        Err(code) => return code.into(),
    };
    let (fast, programs) = loading.load(log).await;
    instances.answer_in_kernel(programs, log);
    let control = server.path().to_path_buf();
    let handler = WithLog { level: levels.switch.clone(), log: log.clone(), rest: instances.query_handler() };
    let mut handle = server.serve(Arc::new(handler));
    if let Err(error) = http.serve(instances.query_handler()) {
        error!(log, "not_started"; "error" => %error);
        stop(instances, &mut http, &mut handle).await;
        return error.exit_code().into();
    }
    let group = instances.actors().group();
    let mut pings = answer_pings(&group);
    handle.join(&group);
    let watchdog = match Watchdog::start(instances.actors().clone(), log.clone(), flush) {
        Ok(watchdog) => watchdog,
        Err(error) => {
            error!(log, "not_started"; "error" => %format_args!("cannot start the watchdog: {error}"));
            stop(instances, &mut http, &mut handle).await;
            return Exit::OsErr.into();
        }
    };
    log::use_fields(true);
    notify(log, &[NotifyState::Ready]);
    info!(log, "ready"; "domains" => domains, "segments" => segments,
        "control" => %control.display(), "version" => env!("CARGO_PKG_VERSION"));
    let status = StatusText::new(instances.query_handler(), log);
    let confinement = &confinement;
    let mut reloader = Reloader { instances, http, loaded, read, fast, confinement, status, log };
    let lost = loop {
        let pending = tokio::select! {
            signal = signals.next() => match signal {
                Ok((name, Request::Stop)) => {
                    info!(log, "stopping"; "signal" => name);
                    break None;
                }
                Ok((name, Request::StopForRestart)) => {
                    info!(log, "stopping"; "signal" => name, "detail" => "routes are kept for the next start");
                    reloader.instances.keep_routes();
                    break None;
                }
                Ok((_, Request::Reload)) => None,
                Ok((_, Request::ToggleDebug)) => {
                    let level = levels.switch.toggle_debug(levels.configured);
                    info!(log, "log_level"; "level" => level.as_str());
                    continue;
                }
                Err(error) => {
                    error!(log, "stopping"; "error" => %format_args!("cannot read signals: {error}"));
                    break Some(Exit::OsErr);
                }
            },
            pending = commands.recv() => pending,
            Some(ping) = pings.recv() => {
                ping.answer();
                continue;
            }
            () = reloader.status.tick() => {
                reloader.status.refresh().await;
                continue;
            }
        };
        // It waits for the actors, which answer pings themselves.
        let outcome = {
            let mut carried_out = pin!(reloader.carry_out(pending));
            loop {
                tokio::select! {
                    outcome = &mut carried_out => break outcome,
                    Some(ping) = pings.recv() => ping.answer(),
                }
            }
        };
        if let Err(code) = outcome {
            break Some(code);
        }
    };
    let Reloader { instances, mut http, .. } = reloader;
    log::use_fields(false);
    notify(log, &[NotifyState::Stopping]);
    drop((watchdog, group));
    stop(instances, &mut http, &mut handle).await;
    lost.map_or(ExitCode::SUCCESS, ExitCode::from)
}

/// Descriptors that the daemon needs for itself, its log and its control socket's clients.
const DESCRIPTORS: u64 = 128;
/// Those of a segment's sockets while it is swept.
const DESCRIPTORS_OF_SEGMENT: u64 = 6;
/// Those that DHCP adds to it.
const DESCRIPTORS_OF_DHCP: u64 = 4;

/// Says so if the process may not have as many descriptors as its segments need.
fn warn_of_few_descriptors(config: &Config, raised: std::io::Result<Option<u64>>, log: &Logger) {
    let of_dhcp = config.netns_plans().iter().any(|part| part.plan.has_dhcp()).then_some(DESCRIPTORS_OF_DHCP);
    let each = DESCRIPTORS_OF_SEGMENT + of_dhcp.unwrap_or(0);
    let segments = config.segments().count();
    let needed = DESCRIPTORS + segments as u64 * each;
    let (limit, error) = match raised {
        Ok(limit) => (limit, None),
        Err(error) => (limit(), Some(error.to_string())),
    };
    if let Some(limit) = limit.filter(|limit| *limit < needed) {
        warn!(log, "descriptors_short"; "limit" => limit, "needed" => needed, "segments" => segments,
            "error" => error, "detail" => "some segments will not be served",
            "hint" => %format_args!("LimitNOFILE={needed} in the unit, or ulimit -n {needed}"));
    }
}

/// Has the calling task, which supervises the instances, answer pings, too.
fn answer_pings(group: &ActorGroup) -> mpsc::UnboundedReceiver<Ping> {
    let (sender, pings) = mpsc::unbounded_channel();
    group.add(ActorName::of("supervisor"), move |ping| sender.send(ping).is_ok());
    pings
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
        LogFormat::Auto => log::Format::Auto,
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    }
}
