//! The kernel settings that answering from here needs, in their order, and back at the end.

use slog::{Logger, info, warn};

use crate::io::sysctl::{Setting, SysctlError, Sysctls};

/// Settings of each managed interface, in the order they are made.
///
/// First the kernel stops answering for others, so that there is exactly one answerer, then it forwards.
/// Only the interface's own `forwarding` is written: writing `ip_forward` resets every interface.
const WANTED: [(&str, &str); 3] = [("proxy_arp", "0"), ("proxy_arp_pvlan", "0"), ("forwarding", "1")];

/// What was set, to be put back.
pub(crate) struct Settings {
    sysctls: Sysctls,
    log: Logger,
}

impl Settings {
    pub(crate) fn new(log: Logger) -> Self {
        Self { sysctls: Sysctls::new(), log }
    }

    /// Makes the settings of one interface, and those of all that would override them.
    pub(crate) fn apply(&mut self, interface: &str) {
        // `all` is or-ed with the interface's own value (inetdevice.h, IN_DEV_PROXY_ARP).
        self.set(&Setting::conf("all", "proxy_arp"), "0");
        for (key, value) in WANTED {
            self.set(&Setting::conf(interface, key), value);
        }
    }

    fn set(&mut self, setting: &Setting, value: &str) {
        match self.sysctls.set(setting, value) {
            Ok(true) => info!(self.log, "setting_changed"; "setting" => %setting, "value" => value),
            // The interface went away meanwhile; its return is told.
            Ok(false) | Err(SysctlError::Missing(_)) => {}
            Err(error) => warn!(self.log, "setting_refused"; "error" => %error,
                "advice" => "set it by hand, or allow writing to /proc/sys/net"),
        }
    }

    /// Puts everything back as it was.
    pub(crate) fn restore(&mut self) {
        for error in self.sysctls.restore() {
            warn!(self.log, "setting_not_restored"; "error" => %error);
        }
    }
}
