//! The sysctls of one network namespace. Every call must be made inside it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use slog::{Logger, debug, info, warn};

use super::rewrite_limit::{RewriteDecision, RewriteLimit};
use super::valid_values::ValidValues;
use crate::clock::Clock;
use crate::io::netlink::Reader;
use crate::io::sysctl::saved::SavedSysctls;
use crate::io::sysctl::watcher::SysctlWatcher;
use crate::io::sysctl::{Restored, Setting, SysctlError, Sysctls};
use crate::required_sysctls::{Combination, Enforcement, SysctlMode, required_sysctls};

/// The name under which the kernel keeps the values that are combined with each interface's.
const ALL: &str = "all";

/// Sets, corrects and restores the sysctls of one network namespace's interfaces.
pub(super) struct ManagedSysctls {
    sysctls: Sysctls,
    /// Reports writes of sysctls; `None`: they are only noticed when [`Self::correct`] is called.
    watcher: Option<SysctlWatcher>,
    /// The sysctls of `all` that it watches. They are there as long as the namespace, and concern every interface.
    watched: BTreeSet<Setting>,
    /// The managed interfaces that exist, with index and mode.
    interfaces: BTreeMap<String, (u32, SysctlMode)>,
    /// The value of each sysctl when it was last found, or made, valid. Another value is somebody else's.
    valid: ValidValues,
    rewrite_limits: BTreeMap<Setting, RewriteLimit>,
    /// Sysctls that could not be read or set, which was logged.
    refused: BTreeSet<Setting>,
    clock: Clock,
    log: Logger,
}

impl ManagedSysctls {
    /// Sets nothing yet. `saved`: the file that keeps the original values over a crash; see [`SavedSysctls::at`].
    pub(super) fn new(saved: Option<&Path>, log: Logger) -> Self {
        let saved = match saved.map(SavedSysctls::at).transpose() {
            Ok(saved) => saved.unwrap_or_default(),
            Err(error) => {
                warn!(log, "sysctls_not_saved"; "error" => %error);
                SavedSysctls::default()
            }
        };
        for change in saved.changes() {
            info!(log, "sysctl_adopted"; "setting" => %change.setting, "value" => change.now,
                "before" => change.before, "detail" => "an earlier run set it and did not restore it");
        }
        Self {
            sysctls: Sysctls::with_saved(saved),
            watcher: SysctlWatcher::open()
                .inspect_err(|error| {
                    warn!(log, "sysctl_watch_failed"; "error" => %error,
                        "detail" => "changes by others are noticed up to a minute later");
                })
                .ok(),
            watched: BTreeSet::new(),
            interfaces: BTreeMap::new(),
            valid: ValidValues::default(),
            rewrite_limits: BTreeMap::new(),
            refused: BTreeSet::new(),
            clock: Clock::start(),
            log,
        }
    }

    /// Forgets what an earlier run changed on an interface that is not managed any longer.
    pub(super) fn forget_interface(&mut self, interface: &str) {
        self.sysctls.saved().forget_interface(interface);
    }

    /// Sets the sysctls of an interface that exists, and those of `all` that would override them.
    pub(super) fn apply(&mut self, interface: &str, index: u32, mode: SysctlMode) {
        if self.interfaces.get(interface).is_some_and(|(known, _)| *known != index) {
            self.name_vanished(interface);
        }
        self.interfaces.insert(interface.to_owned(), (index, mode));
        self.correct_interface(interface, index, mode);
    }

    /// Whether that was done, for this interface and this mode.
    pub(super) fn is_applied(&self, interface: &str, index: u32, mode: SysctlMode) -> bool {
        self.interfaces.get(interface) == Some(&(index, mode))
    }

    /// There is no interface of this name any more; a later one starts with values of its own.
    pub(super) fn name_vanished(&mut self, interface: &str) {
        if self.interfaces.remove(interface).is_some() {
            self.valid.forget_interface(interface);
        }
    }

    /// The interface with this index was deleted, and its sysctls with it. One whose name has vanished may only have
    /// been renamed.
    pub(super) fn deleted(&mut self, index: u32) {
        self.sysctls.saved().forget_index(index);
    }

    /// What reports writes of sysctls, if it could be opened.
    pub(super) fn watcher(&self) -> Option<&SysctlWatcher> {
        self.watcher.as_ref()
    }

    /// Corrects sysctls that others have changed, and saves what could not be saved before.
    pub(super) fn correct(&mut self) {
        if self.sysctls.saved().retry() {
            info!(self.log, "sysctls_saved"; "detail" => "there was an error before");
        }
        let known: Vec<_> = self.interfaces.iter().map(|(name, known)| (name.clone(), *known)).collect();
        for (interface, (index, mode)) in known {
            self.correct_interface(&interface, index, mode);
        }
    }

    fn correct_interface(&mut self, interface: &str, index: u32, mode: SysctlMode) {
        let readings = Readings::default();
        let table = required_sysctls(mode);
        for required in table.iter().filter(|required| required.enforcement == Enforcement::Set) {
            let read = |setting: &Setting| readings.read(&self.sysctls, setting).ok();
            let writes = required.corrections(interface, &read);
            for (setting, wanted) in writes.into_iter().flatten() {
                let index = if setting.interface() == interface { index } else { 0 };
                self.set(&setting, index, wanted, &readings);
            }
            self.observe(&required.setting(interface), &readings);
            if required.combination != Combination::Own {
                self.observe(&required.setting(ALL), &readings);
            }
        }
    }

    /// Watches a sysctl whose value is valid now, and keeps that value unless one is kept already.
    fn observe(&mut self, setting: &Setting, readings: &Readings) {
        self.watch(setting);
        if self.valid.get(setting).is_some() {
            return;
        }
        match readings.read(&self.sysctls, setting) {
            Ok(value) => self.valid.set(setting, value),
            Err(error) => self.log_refusal(setting, &error),
        }
    }

    fn watch(&mut self, setting: &Setting) {
        let Some(watcher) = &self.watcher else { return };
        if self.watched.contains(setting) {
            return;
        }
        match watcher.watch(&self.sysctls, setting) {
            Ok(()) if setting.interface() == ALL => {
                self.watched.insert(setting.clone());
            }
            // Again with each pass: an interface of the same name may be another one.
            Ok(()) => {}
            Err(error) => self.log_refusal(setting, &error),
        }
    }

    /// Logs why a sysctl cannot be read or set, once for each.
    fn log_refusal(&mut self, setting: &Setting, error: &SysctlError) {
        if matches!(error, SysctlError::Missing(_)) {
            // The interface is gone, and its return will be reported; or the kernel has no such sysctl.
            debug!(self.log, "sysctl_missing"; "error" => %error);
        } else if self.refused.insert(setting.clone()) {
            warn!(self.log, "sysctl_refused"; "error" => %error,
                "hint" => "set it by hand, or allow writing to /proc/sys/net");
        }
    }

    /// Sets a sysctl whose value is not valid: for the first time, or because somebody changed it.
    fn set(&mut self, setting: &Setting, index: u32, wanted: i32, readings: &Readings) {
        let Ok(found) = readings.read(&self.sysctls, setting) else { return };
        let valid = self.valid.get(setting);
        let was_changed = valid.is_some_and(|valid| valid != found);
        if was_changed && !self.may_rewrite(setting) {
            return;
        }
        // The value to restore is the one before the first change, not what others set meanwhile.
        match self.sysctls.set(setting, index, valid.unwrap_or(found), wanted) {
            Ok(()) => {
                readings.written(setting, wanted);
                self.valid.set(setting, wanted);
                self.refused.remove(setting);
                if was_changed {
                    info!(self.log, "sysctl_healed"; "setting" => %setting, "found" => found, "value" => wanted,
                        "detail" => "somebody changed it, and it was set again");
                } else {
                    info!(self.log, "sysctl_changed"; "setting" => %setting, "found" => found, "value" => wanted);
                }
            }
            Err(error) => self.log_refusal(setting, &error),
        }
        if let Some(error) = self.sysctls.saved().take_error() {
            warn!(self.log, "sysctls_not_saved"; "error" => %error,
                "detail" => "as long as that is so, a start after a crash does not know the original values",
                "hint" => "make room beside the control socket; it is tried again once a minute");
        }
    }

    /// Whether a sysctl that somebody changed is to be set again now.
    fn may_rewrite(&mut self, setting: &Setting) -> bool {
        let now = self.clock.now();
        let decision = self.rewrite_limits.entry(setting.clone()).or_default().decide(now);
        if decision == RewriteDecision::RewriteAndWarn {
            warn!(self.log, "sysctl_contested"; "setting" => %setting,
                "detail" => "somebody keeps changing it; from now on it is set again once a minute",
                "hint" => "find out who, or set `sysctl: leave` for the segment");
        }
        decision != RewriteDecision::Wait
    }

    /// The present names of the interfaces by index, or if they cannot be read, those at the time of the changes.
    fn names(&self) -> BTreeMap<u32, String> {
        match Reader::open().and_then(|mut reader| reader.links()) {
            Ok(links) => links.into_iter().map(|link| (link.index, link.name)).collect(),
            Err(error) => {
                warn!(self.log, "kernel_unreadable"; "error" => %error);
                let changes = self.sysctls.changes();
                changes.iter().map(|change| (change.index, change.setting.interface().to_owned())).collect()
            }
        }
    }

    /// Restores all values as they were before the first change, except those that others set since.
    pub(super) fn restore(&mut self) {
        self.interfaces.clear();
        self.restore_where(|_| true);
    }

    /// Restores the values of these interfaces in the same way.
    pub(super) fn restore_interfaces(&mut self, interfaces: &[String]) {
        self.interfaces.retain(|name, _| !interfaces.contains(name));
        self.restore_where(|name| interfaces.iter().any(|interface| interface == name));
    }

    /// Restores the values of interfaces whose present names fit.
    fn restore_where(&mut self, fits: impl Fn(&str) -> bool) {
        let names = self.names();
        let name = |index| names.get(&index).cloned();
        for (change, outcome) in self.sysctls.restore(name, fits) {
            let setting = &change.setting;
            match outcome {
                Restored::Done => {
                    info!(self.log, "sysctl_restored"; "setting" => %setting, "value" => change.before);
                }
                Restored::Left(value) => info!(self.log, "sysctl_left"; "setting" => %setting,
                    "found" => value, "detail" => "somebody has set it since arpherd did"),
                Restored::Gone => {}
                Restored::Failed(error) => warn!(self.log, "sysctl_not_restored"; "error" => %error),
            }
        }
    }
}

/// What the sysctls of one interface, and those of `all`, were in one pass: each is read once, although several conditions
/// may concern it.
#[derive(Default)]
struct Readings(RefCell<Vec<(Setting, i32)>>);

impl Readings {
    fn read(&self, sysctls: &Sysctls, setting: &Setting) -> Result<i32, SysctlError> {
        if let Some((_, value)) = self.0.borrow().iter().find(|(known, _)| known == setting) {
            return Ok(*value);
        }
        let value = sysctls.read(setting)?;
        self.0.borrow_mut().push((setting.clone(), value));
        Ok(value)
    }

    /// A sysctl that was read has this value now.
    fn written(&self, setting: &Setting, value: i32) {
        if let Some((_, read)) = self.0.borrow_mut().iter_mut().find(|(known, _)| known == setting) {
            *read = value;
        }
    }
}
