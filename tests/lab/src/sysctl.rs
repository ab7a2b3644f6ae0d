//! Settings below `/proc/sys/net`.

use std::fs;

use crate::error::Tried;
use crate::{Netns, Result};

/// A new namespace copies the machine's current IPv4 settings (`devconf_inherit_init_net`), so a test
/// would depend on where it runs. These are the kernel's built-in values.
const DEFAULTS: [(&str, &str); 14] = [
    ("forwarding", "0"),
    ("accept_redirects", "1"),
    ("accept_source_route", "0"),
    ("arp_accept", "0"),
    ("arp_announce", "0"),
    ("arp_filter", "0"),
    ("arp_ignore", "0"),
    ("arp_notify", "0"),
    ("proxy_arp", "0"),
    ("proxy_arp_pvlan", "0"),
    ("rp_filter", "0"),
    ("secure_redirects", "1"),
    ("send_redirects", "1"),
    ("log_martians", "0"),
];

impl Netns {
    /// Reads a setting; `path` is below `/proc/sys/net`, as in `ipv4/conf/eth0/forwarding`.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn sysctl(&self, path: &str) -> Result<String> {
        // /proc/sys/net shows the reading thread's namespace.
        let read = self.run(|| fs::read_to_string(file(path)));
        read.map(|text| text.trim_end().to_owned())
            .tried(|| format!("read {} in {}", file(path), self.name()))
    }

    /// Writes a setting, see [`sysctl`](Self::sysctl).
    ///
    /// # Errors
    /// When there is no such setting, it refuses the value, or `/proc/sys` is mounted read-only.
    pub fn set_sysctl(&self, path: &str, value: &str) -> Result<()> {
        let written = self.run(|| fs::write(file(path), value));
        written.tried(|| format!("write {value:?} to {} in {}", file(path), self.name()))
    }

    /// Best effort: a kernel without IPv6 lacks half of them, and a container may hold them read-only.
    pub(crate) fn reset_sysctls(&self) {
        self.run(|| {
            for scope in ["all", "default"] {
                // Else every link start brings duplicate address detection and router solicitations.
                let _ = fs::write(file(&format!("ipv6/conf/{scope}/disable_ipv6")), "1");
                for (name, value) in DEFAULTS {
                    let _ = fs::write(file(&format!("ipv4/conf/{scope}/{name}")), value);
                }
            }
        });
    }
}

fn file(path: &str) -> String {
    format!("/proc/sys/net/{path}")
}
