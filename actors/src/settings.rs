//! The kernel settings that each way of answering needs: made in their order, put right when somebody changes
//! them, and back as they were at the end. What is needed is [`crate::needs`]' to say.

mod contest;
mod keeper;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use slog::{Logger, debug, info, warn};

use crate::clock::Clock;
use crate::io::netlink::Reader;
use crate::io::sysctl::saved::SavedSysctls;
use crate::io::sysctl::watcher::SysctlWatcher;
use crate::io::sysctl::{Restored, Setting, SysctlError, Sysctls};
use crate::needs::{Mode, Rule, Weight, needs};
use contest::{Contest, Verdict};
pub(crate) use keeper::Keeper;

/// The settings of one network namespace. Every call is to be made there.
pub(crate) struct Settings {
    sysctls: Sysctls,
    /// Hears of it when somebody writes a setting; without it a look now and then has to do.
    ear: Option<SysctlWatcher>,
    /// The interfaces that are there: their numbers, and what they serve.
    managed: BTreeMap<String, (u32, Mode)>,
    /// What each setting was when it was last found, or made, right. One that is not is another's doing.
    right: BTreeMap<Setting, i32>,
    contests: BTreeMap<Setting, Contest>,
    /// What could not be had, and was said so.
    refused: BTreeSet<Setting>,
    clock: Clock,
    log: Logger,
}

impl Settings {
    /// Nothing set yet. `memory`: the file in which the original values outlive a crash; see [`SavedSysctls::at`].
    pub(crate) fn new(memory: Option<&Path>, log: Logger) -> Self {
        let memory = match memory.map(SavedSysctls::at).transpose() {
            Ok(memory) => memory.unwrap_or_default(),
            Err(error) => {
                warn!(log, "settings_not_remembered"; "error" => %error);
                SavedSysctls::default()
            }
        };
        for change in memory.changes() {
            info!(log, "setting_adopted"; "setting" => %change.setting, "value" => change.now,
                "before" => change.before, "detail" => "an earlier run set it and did not put it back");
        }
        Self {
            sysctls: Sysctls::with_saved(memory),
            ear: SysctlWatcher::open()
                .inspect_err(|error| {
                    warn!(log, "settings_unheard"; "error" => %error,
                        "detail" => "what others change is noticed up to a minute later");
                })
                .ok(),
            managed: BTreeMap::new(),
            right: BTreeMap::new(),
            contests: BTreeMap::new(),
            refused: BTreeSet::new(),
            clock: Clock::start(),
            log,
        }
    }

    /// Never touches an interface, nor what an earlier run made of it.
    pub(crate) fn leave(&mut self, interface: &str) {
        self.sysctls.saved().forget_interface(interface);
    }

    /// Makes the settings of an interface that is there, and those of `all` that would override them.
    pub(crate) fn apply(&mut self, interface: &str, index: u32, mode: Mode) {
        if self.managed.get(interface).is_some_and(|(known, _)| *known != index) {
            self.gone(interface);
        }
        self.managed.insert(interface.to_owned(), (index, mode));
        self.look_at(interface, index, mode);
    }

    /// There is no interface of this name any more: one that comes in its place begins anew.
    pub(crate) fn gone(&mut self, interface: &str) {
        if self.managed.remove(interface).is_some() {
            self.right.retain(|setting, _| setting.interface() != interface);
        }
    }

    /// The interface of this number was deleted, and its settings with it; one that is gone by its name alone
    /// may have been renamed.
    pub(crate) fn deleted(&mut self, index: u32) {
        self.sysctls.saved().forget_index(index);
    }

    /// What says that somebody wrote a setting.
    pub(crate) fn ear(&self) -> Option<&SysctlWatcher> {
        self.ear.as_ref()
    }

    /// Puts right what somebody has changed since.
    pub(crate) fn heal(&mut self) {
        let managed: Vec<_> = self.managed.iter().map(|(name, known)| (name.clone(), *known)).collect();
        for (interface, (index, mode)) in managed {
            self.look_at(&interface, index, mode);
        }
    }

    fn look_at(&mut self, interface: &str, index: u32, mode: Mode) {
        for need in needs(mode).iter().filter(|need| need.weight == Weight::Must) {
            let writes = need.mend(interface, &|setting| self.sysctls.read(setting).ok());
            for (setting, wanted) in writes.into_iter().flatten() {
                let index = if setting.interface() == interface { index } else { 0 };
                self.set(&setting, index, wanted);
            }
            self.learn(need.setting(interface));
            if need.rule != Rule::Own {
                self.learn(need.setting("all"));
            }
        }
    }

    /// Takes a setting for right as it is, unless that is known, and listens to what becomes of it.
    fn learn(&mut self, setting: Setting) {
        if let Some(Err(error)) = self.ear.as_ref().map(|ear| ear.watch(&self.sysctls, &setting)) {
            self.complain(&setting, &error);
        }
        if self.right.contains_key(&setting) {
            return;
        }
        match self.sysctls.read(&setting) {
            Ok(value) => drop(self.right.insert(setting, value)),
            Err(error) => self.complain(&setting, &error),
        }
    }

    /// Says why a setting cannot be had, once for each.
    fn complain(&mut self, setting: &Setting, error: &SysctlError) {
        if matches!(error, SysctlError::Missing(_)) {
            // The interface went away meanwhile, and its return is told; or the kernel has no such setting.
            debug!(self.log, "setting_missing"; "error" => %error);
        } else if self.refused.insert(setting.clone()) {
            warn!(self.log, "setting_refused"; "error" => %error,
                "hint" => "set it by hand, or allow writing to /proc/sys/net");
        }
    }

    /// Sets a setting that is not as it must be: for the first time, or because somebody changed it.
    fn set(&mut self, setting: &Setting, index: u32, wanted: i32) {
        let Ok(found) = self.sysctls.read(setting) else { return };
        let right = self.right.get(setting).copied();
        let healed = right.is_some_and(|right| right != found);
        if healed && !self.may_heal(setting) {
            return;
        }
        // What is remembered is what was there before us, and not what others made of it in between.
        match self.sysctls.set(setting, index, right.unwrap_or(found), wanted) {
            Ok(()) => {
                self.right.insert(setting.clone(), wanted);
                self.refused.remove(setting);
                if healed {
                    info!(self.log, "setting_healed"; "setting" => %setting, "found" => found, "value" => wanted,
                        "detail" => "somebody changed it, and it was put back");
                } else {
                    info!(self.log, "setting_changed"; "setting" => %setting, "found" => found, "value" => wanted);
                }
            }
            Err(error) => self.complain(setting, &error),
        }
        if let Some(error) = self.sysctls.saved().take_error() {
            warn!(self.log, "settings_not_remembered"; "error" => %error,
                "detail" => "after a crash the original values will not be known");
        }
    }

    fn may_heal(&mut self, setting: &Setting) -> bool {
        let now = self.clock.now();
        let verdict = self.contests.entry(setting.clone()).or_default().ask(now);
        if verdict == Verdict::Contested {
            warn!(self.log, "setting_contested"; "setting" => %setting,
                "detail" => "somebody keeps changing it; from now on it is put back once a minute",
                "hint" => "find out who, or say `sysctl: leave` of the segment");
        }
        verdict != Verdict::Wait
    }

    /// What the interfaces are called now; if that cannot be known, what they were called.
    fn names(&self) -> BTreeMap<u32, String> {
        match Reader::open().and_then(|mut reader| reader.links()) {
            Ok(links) => links.into_iter().map(|link| (link.index, link.name)).collect(),
            Err(error) => {
                warn!(self.log, "kernel_unreadable"; "error" => %error);
                let changes = self.sysctls.changes().iter();
                changes.map(|change| (change.index, change.setting.interface().to_owned())).collect()
            }
        }
    }

    /// Puts everything back as it was before the first change.
    pub(crate) fn restore(&mut self) {
        self.managed.clear();
        let names = self.names();
        for (change, outcome) in self.sysctls.restore(|index| names.get(&index).cloned()) {
            let setting = &change.setting;
            match outcome {
                Restored::Done => {
                    info!(self.log, "setting_restored"; "setting" => %setting, "value" => change.before);
                }
                Restored::Left(value) => info!(self.log, "setting_left"; "setting" => %setting,
                    "found" => value, "detail" => "somebody has set it since arpherd did"),
                Restored::Gone => {}
                Restored::Failed(error) => warn!(self.log, "setting_not_restored"; "error" => %error),
            }
        }
    }
}
