//! Settings of the kernel's IPv4 (`/proc/sys/net/ipv4`, Documentation/networking/ip-sysctl.rst): reading and setting
//! them, saving their original values (even if the daemon is killed), and restoring those.

pub mod saved;
pub mod watcher;

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use saved::{Change, SavedSysctls};

/// Octets that the value of a setting takes at the most: that of every setting in use is a 32-bit number.
const ROOM: usize = 64;

/// One setting of one interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Setting {
    area: Area,
    interface: String,
    key: Cow<'static, str>,
}

/// Which of an interface's settings it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingName(Area, Cow<'static, str>);

/// Where the kernel keeps a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Area {
    Conf,
    Neigh,
}

impl Setting {
    /// `net.ipv4.conf.INTERFACE.KEY`; the interface may be `all` or `default`. Setting `forwarding` of `all`
    /// is setting `ip_forward`, and resets every other interface's.
    pub fn conf(interface: impl Into<String>, key: &'static str) -> Self {
        Self { area: Area::Conf, interface: interface.into(), key: key.into() }
    }

    /// `net.ipv4.neigh.INTERFACE.KEY`, such as `proxy_delay`.
    pub fn neigh(interface: impl Into<String>, key: &'static str) -> Self {
        Self { area: Area::Neigh, interface: interface.into(), key: key.into() }
    }

    /// Which of an interface's settings it is.
    pub(crate) fn name(&self) -> SettingName {
        SettingName(self.area, self.key.clone())
    }

    /// The interface, or `all`.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The same setting of another interface, or of the same one under a new name.
    #[must_use]
    pub fn of(self, interface: String) -> Self {
        Self { interface, ..self }
    }

    fn area(&self) -> &'static str {
        match self.area {
            Area::Conf => "conf",
            Area::Neigh => "neigh",
        }
    }
}

/// In the notation of sysctl(8), in which a dot inside an interface's name is a slash.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net.ipv4.{}.{}.{}", self.area(), self.interface.replace('.', "/"), self.key)
    }
}

/// Why a setting could not be read, set or watched.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// No interface or setting can have such a name.
    #[error("{0:?} is not a valid name")]
    Name(String),
    /// The kernel's value is not a number, as that of every setting in use is.
    #[error("{setting} is {value:?}, which is not a number")]
    NoNumber {
        /// Which.
        setting: Setting,
        /// What it is.
        value: String,
    },
    /// The kernel has no such setting, or no such interface.
    #[error("{0} does not exist")]
    Missing(Setting),
    /// Reading or writing failed.
    #[error("cannot {doing} {setting}: {cause}")]
    Failed {
        /// `read`, `set` or `watch`.
        doing: &'static str,
        /// Which.
        setting: Setting,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
}

impl SysctlError {
    fn of(doing: &'static str, setting: &Setting, cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::NotFound => Self::Missing(setting.clone()),
            _ => Self::Failed { doing, setting: setting.clone(), cause },
        }
    }
}

/// The settings of the calling thread's network namespace, and what was changed of them through this value.
///
/// Every call is for the namespace of the thread that makes it, and they must all be made in the same one.
#[derive(Debug)]
pub struct Sysctls {
    root: PathBuf,
    saved: SavedSysctls,
}

impl Default for Sysctls {
    fn default() -> Self {
        Self::new()
    }
}

impl Sysctls {
    /// Nothing changed yet; original values are lost with this value.
    pub fn new() -> Self {
        Self::with_saved(SavedSysctls::default())
    }

    /// With what an earlier run changed and did not restore.
    pub fn with_saved(saved: SavedSysctls) -> Self {
        Self { root: "/proc/sys/net/ipv4".into(), saved }
    }

    #[cfg(test)]
    fn rooted(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), saved: SavedSysctls::default() }
    }

    /// A setting's value.
    ///
    /// # Errors
    /// If there is no such setting or interface, or it cannot be read, or is no number.
    pub fn read(&self, setting: &Setting) -> Result<i32, SysctlError> {
        let path = self.path(setting)?;
        let mut room = [0; ROOM];
        // One call: the kernel gives a value as a whole, and a start reads hundreds.
        let read = fs::File::open(path).and_then(|mut file| file.read(&mut room));
        let length = read.map_err(|cause| SysctlError::of("read", setting, cause))?;
        let text = String::from_utf8_lossy(&room[..length]);
        let value = text.trim_end();
        value.parse().map_err(|_| SysctlError::NoNumber { setting: setting.clone(), value: value.to_owned() })
    }

    /// Sets a setting, and saves that it was `before` unless an older value is saved. Saving is done first: so a daemon
    /// that is killed in between leaves no change that is not saved.
    ///
    /// `index` is the interface's number, which tells it from another one of the same name; 0 for `all`.
    ///
    /// # Errors
    /// If there is no such setting or interface, or it cannot be written.
    pub fn set(&mut self, setting: &Setting, index: u32, before: i32, now: i32) -> Result<(), SysctlError> {
        let path = self.path(setting)?;
        let former = self.saved.record(Change { setting: setting.clone(), index, before, now });
        fs::write(path, now.to_string()).map_err(|cause| {
            self.saved.revert(setting, index, former);
            SysctlError::of("set", setting, cause)
        })
    }

    /// What was changed, in the order of the first changes.
    pub fn changes(&self) -> Vec<Change> {
        self.saved.changes()
    }

    /// The original values that are saved.
    pub fn saved(&mut self) -> &mut SavedSysctls {
        &mut self.saved
    }

    /// Restores every setting whose interface fits by its present name, or `all`; the last change first. Returns what
    /// became of each. It goes on after failures.
    ///
    /// `name` gives what the interface of that number is called now, if it is still there.
    pub fn restore(
        &mut self,
        name: impl Fn(u32) -> Option<String>,
        fits: impl Fn(&str) -> bool,
    ) -> Vec<(Change, Restored)> {
        let is_meant = |change: &Change| {
            let present = if change.index == 0 { None } else { name(change.index) };
            fits(present.as_deref().unwrap_or(change.setting.interface()))
        };
        let changes = self.saved.take(is_meant);
        let restore = |change: Change| {
            let Some(change) = change.clone().renamed(&name) else { return (change, Restored::Gone) };
            let outcome = self.restore_one(&change);
            (change, outcome)
        };
        changes.into_iter().rev().map(restore).collect()
    }

    fn restore_one(&self, change: &Change) -> Restored {
        match self.read(&change.setting) {
            Ok(value) if value == change.now => {
                let written = self.path(&change.setting).and_then(|path| {
                    fs::write(path, change.before.to_string())
                        .map_err(|cause| SysctlError::of("set", &change.setting, cause))
                });
                written.map_or_else(Restored::Failed, |()| Restored::Done)
            }
            Ok(value) => Restored::Left(value),
            Err(SysctlError::Missing(_)) => Restored::Gone,
            Err(error) => Restored::Failed(error),
        }
    }

    /// The names are components of the path: the rules for interfaces are the kernel's (`dev_valid_name`).
    fn path(&self, setting: &Setting) -> Result<PathBuf, SysctlError> {
        let name = &setting.interface;
        if matches!(name.as_str(), "" | "." | "..") || name.len() > 15 || name.contains(['/', '\0']) {
            return Err(SysctlError::Name(name.clone()));
        }
        // A key may come from a file.
        let key = &*setting.key;
        if key.is_empty() || !key.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_') {
            return Err(SysctlError::Name(key.to_owned()));
        }
        Ok(self.root.join(setting.area()).join(name).join(key))
    }
}

/// What became of a setting that was to be restored.
#[derive(Debug)]
pub enum Restored {
    /// It has its original value.
    Done,
    /// Somebody has set it to this value since, and it is left alone.
    Left(i32),
    /// Its interface is gone.
    Gone,
    /// It could not be read or written.
    Failed(SysctlError),
}

#[cfg(test)]
mod tests;
