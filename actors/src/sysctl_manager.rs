//! The sysctl manager: sets the sysctls that an instance's interfaces require, sets them again when others change
//! them, and restores them at the end. Which are required is up to [`crate::required_sysctls`].
//!
//! The manager may be called from any namespace; [`managed`] has the work that is done inside the instance's.

mod managed;
mod rewrite_limit;
mod valid_values;

use std::path::Path;

use managed::ManagedSysctls;
use slog::{Logger, warn};

use crate::io::Wake;
use crate::io::netns::Netns;
use crate::io::sysctl::watcher::SysctlWatcher;
use crate::required_sysctls::SysctlMode;

/// Manages the sysctls of one network namespace, and does nothing if none is to be managed.
pub(crate) struct SysctlManager {
    netns: Netns,
    managed: Option<ManagedSysctls>,
    /// Links are being reported for the first time: none has lost what was set on it.
    is_starting: bool,
    log: Logger,
}

impl SysctlManager {
    /// Manages interfaces with a mode, and leaves those without to the administrator. Called in the namespace.
    /// `saved`: see [`ManagedSysctls::new`].
    pub(crate) fn new<'e>(
        netns: &Netns,
        saved: Option<&Path>,
        interfaces: impl Iterator<Item = (&'e str, Option<SysctlMode>)> + Clone,
        log: Logger,
    ) -> Self {
        let is_needed = interfaces.clone().any(|(_, mode)| mode.is_some());
        let managed = is_needed.then(|| {
            let mut managed = ManagedSysctls::new(saved, log.clone());
            let unmanaged = interfaces.filter(|(_, mode)| mode.is_none());
            unmanaged.for_each(|(name, _)| managed.forget_interface(name));
            managed
        });
        Self { netns: netns.clone(), managed, is_starting: true, log }
    }

    /// Whether any interface is managed.
    pub(crate) fn is_active(&self) -> bool {
        self.managed.is_some()
    }

    /// All links were reported once: whatever changes from now on may have lost its settings. Before, an interface's are set
    /// once.
    pub(crate) fn end_start(&mut self) {
        self.is_starting = false;
    }

    /// The interface's link changed; it has this index now, or there is none of its name.
    pub(crate) fn link_changed(&mut self, interface: &str, index: Option<u32>, mode: Option<SysctlMode>) {
        let Some(mode) = mode else { return };
        let is_starting = self.is_starting;
        self.in_netns(|managed| match index {
            Some(index) if is_starting && managed.is_applied(interface, index, mode) => {}
            // An interface that was set up again may have lost its settings, too.
            Some(index) => managed.apply(interface, index, mode),
            None => managed.name_vanished(interface),
        });
    }

    /// The interface is left to the administrator from now on, as it is.
    pub(crate) fn leave(&mut self, interface: &str) {
        self.in_netns(|managed| {
            managed.name_vanished(interface);
            managed.forget_interface(interface);
        });
    }

    /// The interface with this index was deleted.
    pub(crate) fn deleted(&mut self, index: u32) {
        self.in_netns(|managed| managed.deleted(index));
    }

    /// Readiness of the watcher that reports writes of sysctls, if it works. Called on the thread that waits for it.
    pub(crate) fn wake(&self) -> Option<Wake> {
        let watcher = self.managed.as_ref()?.watcher()?;
        Wake::on(watcher).inspect_err(|error| warn!(self.log, "sysctl_watch_failed"; "error" => %error)).ok()
    }

    /// Whether the watcher reports a write, perhaps our own, since the last call.
    pub(crate) fn any_written(&self) -> bool {
        let watcher = self.managed.as_ref().and_then(ManagedSysctls::watcher);
        watcher.is_some_and(SysctlWatcher::any_written)
    }

    /// Corrects sysctls that others have changed.
    pub(crate) fn correct(&mut self) {
        self.in_netns(ManagedSysctls::correct);
    }

    /// Restores the original values and stops managing.
    pub(crate) fn restore(&mut self) {
        self.in_netns(ManagedSysctls::restore);
        self.managed = None;
    }

    /// Restores the original values of these interfaces and manages them no longer.
    pub(crate) fn restore_interfaces(&mut self, interfaces: &[String]) {
        self.in_netns(|managed| managed.restore_interfaces(interfaces));
    }

    /// Stops managing and leaves the values as they are.
    pub(crate) fn release(&mut self) {
        self.managed = None;
    }

    fn in_netns(&mut self, work: impl FnOnce(&mut ManagedSysctls)) {
        let Some(managed) = &mut self.managed else { return };
        if let Err(error) = self.netns.within(|| work(managed)) {
            warn!(self.log, "sysctls_unreachable"; "error" => %error);
        }
    }
}
