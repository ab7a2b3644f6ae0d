//! Taking up a changed configuration while the daemon runs.
//!
//! The whole configuration is read and checked first; if anything is wrong with it, nothing changes. Then the network
//! namespaces whose plans differ get a new instance of the actors, which adopts the routes, entries and settings of the
//! one before; the others are not touched.

pub(crate) mod command;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use sd_notify::NotifyState;
use slog::{Logger, error, info};

use crate::config::{Config, ConfigError, DaemonConfig, EffectiveValue, Loaded};
use crate::confine::Confinement;
use crate::exit::Exit;
use crate::fast_answers::FastLoad;
use crate::http::HttpService;
use crate::instances::{Instances, ReplaceError};
use crate::service_manager::{StatusText, notify};
use command::{KeyChange, PendingReload, ReloadView};

type Read = dyn Fn(&Path) -> Result<Loaded, ConfigError>;

/// Reads the configuration again.
pub(crate) struct ReadConfig {
    file: PathBuf,
    read: Box<Read>,
}

impl ReadConfig {
    /// From this file or folder, in this way.
    pub(crate) fn new(file: PathBuf, read: impl Fn(&Path) -> Result<Loaded, ConfigError> + 'static) -> Self {
        Self { file, read: Box::new(read) }
    }

    /// Where it is read from.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    fn read(&self) -> Result<Loaded, ConfigError> {
        (self.read)(&self.file)
    }
}

/// Why a configuration is not taken up.
#[derive(Debug)]
enum Refusal {
    /// The daemon runs without a configuration file.
    NoFile,
    /// The configuration is wrong.
    Wrong(ConfigError),
    /// It cannot be read, because the daemon gave up what it would take.
    Unreadable(String),
    /// The daemon gave up what it needs.
    GivenUp(String),
    /// This key can only be changed by a restart.
    NeedsRestart(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => {
                f.write_str("the daemon runs without a configuration file; restart it with other flags")
            }
            Self::Wrong(error) => error.fmt(f),
            Self::Unreadable(why) | Self::GivenUp(why) => f.write_str(why),
            Self::NeedsRestart(key) => write!(f, "{key} can only be changed by a restart"),
        }
    }
}

/// Carries reloads out, one after the other.
pub(crate) struct Reloader<'a> {
    /// What runs.
    pub(crate) instances: Instances,
    /// What is served over HTTP.
    pub(crate) http: HttpService,
    /// The configuration in effect.
    pub(crate) loaded: Loaded,
    /// Reads it again; none without a file.
    pub(crate) read: Option<ReadConfig>,
    /// What was loaded at the start.
    pub(crate) fast: FastLoad,
    /// What a reload cannot have.
    pub(crate) confinement: &'a Confinement,
    /// What the service manager shows.
    pub(crate) status: StatusText,
    /// Where all of it is logged.
    pub(crate) log: &'a Logger,
}

impl Reloader<'_> {
    /// Takes up a changed configuration, for a client that waits or for a signal. One that is wrong, or cannot be taken
    /// up, is logged, and all goes on as before.
    ///
    /// # Errors
    /// The exit code, if neither the new configuration nor the one of before can be served any more.
    pub(crate) async fn carry_out(&mut self, pending: Option<PendingReload>) -> Result<(), Exit> {
        let dry_run = pending.as_ref().is_some_and(|pending| pending.command.dry_run);
        notify(self.log, &reloading());
        let outcome = self.reload(dry_run).await;
        if !dry_run {
            self.status.set_refused(outcome.as_ref().err().map(|(text, _)| text.clone()));
        }
        self.status.refresh().await;
        notify(self.log, &[NotifyState::Ready]);
        let (told, lost) = match outcome {
            Ok(view) => (Ok(view), None),
            Err((text, lost)) => (Err(text), lost),
        };
        if let Some(pending) = pending {
            // The client may have gone.
            let _ = pending.outcome.send(told);
        }
        lost.map_or(Ok(()), Err)
    }

    async fn reload(&mut self, dry_run: bool) -> Result<ReloadView, (String, Option<Exit>)> {
        let refused = |log: &Logger, text: String| {
            for line in text.lines() {
                error!(log, "reload_refused"; "error" => line, "detail" => "the daemon goes on as before");
            }
            (text, None)
        };
        let (next, changes) = read_changes(self.read.as_ref(), &self.loaded, self.confinement)
            .and_then(|changes| {
                self.fast
                    .needs_restart(&changes.0.config)
                    .map_or(Ok(changes), |why| Err(Refusal::GivenUp(why)))
            })
            .map_err(|refusal| refused(self.log, refusal.to_string()))?;
        if dry_run {
            return Ok(ReloadView { applied: false, changes });
        }
        let http = self.http.prepare(&next.config.daemon.http);
        let http = http.map_err(|error| {
            let hint = if error.is_refused_port() { self.confinement.hint_of_refusal() } else { "" };
            refused(self.log, format!("{error}{hint}"))
        })?;
        for KeyChange { key, before, after } in &changes {
            info!(self.log, "config_changed"; "key" => key, "before" => %before, "after" => %after);
        }
        match self.instances.replace(&next.config, self.log).await {
            Ok(()) => {
                self.http.change_to(http).await;
                info!(self.log, "reloaded"; "changes" => changes.len());
                self.loaded = next;
                // The instances' plans have them.
                self.loaded.config.domains = Vec::new();
                Ok(ReloadView { applied: true, changes })
            }
            Err(ReplaceError::Refused(error)) => Err(refused(self.log, error.to_string())),
            Err(ReplaceError::Lost(error)) => {
                error!(self.log, "reload_failed"; "error" => %error);
                Err((error.to_string(), Some(error.exit_code())))
            }
        }
    }
}

/// What the service manager is told at the beginning of a reload; see sd_notify(3).
fn reloading() -> Vec<NotifyState<'static>> {
    let now = NotifyState::monotonic_usec_now().ok();
    std::iter::once(NotifyState::Reloading).chain(now).collect()
}

/// Reads the configuration and compares it with the one in effect.
///
/// # Errors
/// If it cannot be taken up.
fn read_changes(
    read: Option<&ReadConfig>,
    now: &Loaded,
    confinement: &Confinement,
) -> Result<(Loaded, Vec<KeyChange>), Refusal> {
    let read = read.ok_or(Refusal::NoFile)?;
    let next = read.read().map_err(|error| {
        confinement.why_unreadable(read.file()).map_or_else(|| Refusal::Wrong(error), Refusal::Unreadable)
    })?;
    if let Some(key) = needs_restart(&now.config, &next.config) {
        return Err(Refusal::NeedsRestart(key));
    }
    if let Some(why) = confinement.needs_restart(&next.config) {
        return Err(Refusal::GivenUp(why));
    }
    let changes = changes(&now.rows(), &next.rows());
    Ok((next, changes))
}

/// A key that differs and can only be changed by a restart. Clients find the daemon by its socket, which gets
/// its group when it is made, and the saved sysctls lie beside it.
fn needs_restart(now: &Config, next: &Config) -> Option<&'static str> {
    RESTART_KEYS.iter().find(|(_, differs)| differs(&now.daemon, &next.daemon)).map(|(key, _)| *key)
}

type Differs = fn(&DaemonConfig, &DaemonConfig) -> bool;

/// The keys that can only be changed by a restart.
pub(crate) const RESTART_KEYS: [(&str, Differs); 4] = [
    ("daemon.control", |now, next| now.control != next.control),
    ("daemon.read_group", |now, next| now.read_group != next.read_group),
    ("daemon.admin_group", |now, next| now.admin_group != next.admin_group),
    ("daemon.confine", |now, next| now.confine != next.confine),
];

fn changes(before: &[EffectiveValue], after: &[EffectiveValue]) -> Vec<KeyChange> {
    let values = |rows: &[EffectiveValue]| -> BTreeMap<String, serde_json::Value> {
        rows.iter().map(|row| (row.key.to_string(), row.value.clone())).collect()
    };
    let (before, mut after) = (values(before), values(after));
    let mut changes = Vec::new();
    for (key, before) in before {
        let after = after.remove(&key).unwrap_or_default();
        if before != after {
            changes.push(KeyChange { key, before, after });
        }
    }
    let added = after.into_iter().filter(|(_, value)| !value.is_null());
    changes.extend(added.map(|(key, after)| KeyChange { key, before: serde_json::Value::Null, after }));
    changes.sort_by(|one, other| one.key.cmp(&other.key));
    changes
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config;

    /// The configuration of a file with this text.
    fn loaded(text: &str) -> Result<Loaded, ConfigError> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file: PathBuf = directory.path().join("a.yaml");
        std::fs::write(&file, text).expect("a file");
        config::from_file(&file, &[], &[])
    }

    fn with(sweep: &str, more: &str) -> String {
        let segments = format!("segments: {{ eth0: {{ sweep: {sweep} }}, eth1: {{}}{more} }}");
        format!("domains: {{ lan: {{ prefixes: [10.2.0.0/24], {segments} }} }}")
    }

    fn compare(before: &str, after: String) -> Result<Vec<(String, String, String)>, Refusal> {
        let now = loaded(before).unwrap_or_else(|error| panic!("{error}"));
        let read = ReadConfig::new("a.yaml".into(), move |_| loaded(&after));
        let (_, changes) = read_changes(Some(&read), &now, &Confinement::off())?;
        Ok(changes.into_iter().map(|it| (it.key, it.before.to_string(), it.after.to_string())).collect())
    }

    #[test]
    fn the_difference_is_shown_key_by_key() {
        let before = with("{ interval: 60s }", "");
        assert_eq!(compare(&before, before.clone()).expect("valid"), []);
        let changes = compare(&before, with("{ interval: 30s }", "")).expect("valid");
        let interval = "domains.lan.segments.eth0.sweep.interval".to_owned();
        assert_eq!(changes, [(interval, "\"60s\"".to_owned(), "\"30s\"".to_owned())]);
        let changes = compare(&before, with("{ interval: 60s }", ", eth2: {}")).expect("valid");
        assert!(!changes.is_empty());
        assert!(
            changes.iter().all(|(key, before, _)| key.contains("eth2") && before == "null"),
            "{changes:?}"
        );
    }

    #[test]
    fn what_is_wrong_or_needs_a_restart_is_refused_with_a_word() {
        let before = with("off", "");
        let wrong = compare(&before, with("sometimes", "")).expect_err("wrong").to_string();
        assert!(wrong.contains("sweep") && wrong.contains("sometimes"), "{wrong}");
        let moved = format!("daemon: {{ control: /run/other.sock }}\n{before}");
        let refusal = compare(&before, moved).expect_err("another socket").to_string();
        assert_eq!(refusal, "daemon.control can only be changed by a restart");
        let now = loaded(&before).unwrap_or_else(|error| panic!("{error}"));
        let refusal = read_changes(None, &now, &Confinement::off()).err().map(|refusal| refusal.to_string());
        assert!(refusal.is_some_and(|text| text.contains("without a configuration file")));
    }
}
