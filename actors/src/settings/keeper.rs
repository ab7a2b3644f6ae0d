//! The settings of one network namespace, for somebody who is not in it.

use std::path::Path;

use slog::{Logger, warn};

use super::Settings;
use crate::io::Wake;
use crate::io::netns::Netns;
use crate::io::sysctl::watcher::SysctlWatcher;
use crate::needs::Mode;

/// Goes to the namespace for every look and every change; does nothing where nothing is ours to touch.
pub(crate) struct Keeper {
    ground: Netns,
    settings: Option<Settings>,
    log: Logger,
}

impl Keeper {
    /// For these interfaces, each with what its settings are to serve, if they are ours to touch. Called in the
    /// namespace. `memory`: see [`Settings::new`].
    pub(crate) fn new<'e>(
        ground: &Netns,
        memory: Option<&Path>,
        interfaces: impl Iterator<Item = (&'e str, Option<Mode>)> + Clone,
        log: Logger,
    ) -> Self {
        let ours = interfaces.clone().any(|(_, mode)| mode.is_some());
        let settings = ours.then(|| {
            let mut settings = Settings::new(memory, log.clone());
            interfaces.filter(|(_, mode)| mode.is_none()).for_each(|(name, _)| settings.leave(name));
            settings
        });
        Self { ground: ground.clone(), settings, log }
    }

    /// Whether there is anything to look after.
    pub(crate) fn is_busy(&self) -> bool {
        self.settings.is_some()
    }

    /// The interface is there with this number, or is gone.
    pub(crate) fn follow(&mut self, interface: &str, index: Option<u32>, mode: Option<Mode>) {
        let Some(mode) = mode else { return };
        self.there(|settings| match index {
            // One that came up, too, may have lost its settings.
            Some(index) => settings.apply(interface, index, mode),
            None => settings.gone(interface),
        });
    }

    /// The interface of this number was deleted.
    pub(crate) fn deleted(&mut self, index: u32) {
        self.there(|settings| settings.deleted(index));
    }

    /// Wakes when somebody writes a setting, if that can be heard. Made on the thread that is to be woken.
    pub(crate) fn wake(&self) -> Option<Wake> {
        let ear = self.settings.as_ref()?.ear()?;
        Wake::on(ear).inspect_err(|error| warn!(self.log, "settings_unheard"; "error" => %error)).ok()
    }

    /// Puts right what was just heard of.
    pub(crate) fn heal_heard(&mut self) {
        let heard = self.settings.as_ref().and_then(Settings::ear).is_some_and(SysctlWatcher::any_written);
        if heard {
            self.heal();
        }
    }

    /// Puts right what others did.
    pub(crate) fn heal(&mut self) {
        self.there(Settings::heal);
    }

    /// Puts everything back, and touches nothing from then on.
    pub(crate) fn restore(&mut self) {
        self.there(Settings::restore);
        self.settings = None;
    }

    /// Leaves everything as it is from now on.
    pub(crate) fn rest(&mut self) {
        self.settings = None;
    }

    fn there(&mut self, work: impl FnOnce(&mut Settings)) {
        let Some(settings) = &mut self.settings else { return };
        if let Err(error) = self.ground.within(|| work(settings)) {
            warn!(self.log, "settings_unreachable"; "error" => %error);
        }
    }
}
