//! Settings of the kernel's IPv4 (`/proc/sys/net/ipv4`, Documentation/networking/ip-sysctl.rst): set what
//! differs, remember what was, put it back.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

/// One setting of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    area: Area,
    interface: String,
    key: &'static str,
}

/// Where the kernel keeps a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    Conf,
    Neigh,
}

impl Setting {
    /// `net.ipv4.conf.INTERFACE.KEY`; the interface may be `all` or `default`. Setting `forwarding` of `all`
    /// is setting `ip_forward`, and resets every other interface's.
    pub fn conf(interface: impl Into<String>, key: &'static str) -> Self {
        Self { area: Area::Conf, interface: interface.into(), key }
    }

    /// `net.ipv4.neigh.INTERFACE.KEY`, such as `proxy_delay`.
    pub fn neigh(interface: impl Into<String>, key: &'static str) -> Self {
        Self { area: Area::Neigh, interface: interface.into(), key }
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

/// Why a setting could not be read or set.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// No interface can have such a name.
    #[error("{0:?} is no interface name")]
    Name(String),
    /// The kernel has no such setting, or no such interface.
    #[error("{0} does not exist")]
    Missing(Setting),
    /// Reading or writing failed.
    #[error("cannot {doing} {setting}: {cause}")]
    Failed {
        /// `read` or `set`.
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

/// A setting that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub setting: Setting,
    /// What it was before the first change.
    pub before: String,
    /// What it was set to last.
    pub now: String,
}

/// The settings of the calling thread's network namespace, and what was changed of them through this value.
#[derive(Debug)]
pub struct Sysctls {
    root: PathBuf,
    changes: Vec<Change>,
}

impl Default for Sysctls {
    fn default() -> Self {
        Self::new()
    }
}

impl Sysctls {
    /// Nothing changed yet.
    pub fn new() -> Self {
        Self::rooted("/proc/sys/net/ipv4")
    }

    fn rooted(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), changes: Vec::new() }
    }

    /// A setting's value, without the line's end.
    ///
    /// # Errors
    /// If there is no such setting or interface, or it cannot be read.
    pub fn read(&self, setting: &Setting) -> Result<String, SysctlError> {
        let path = self.path(setting)?;
        match fs::read_to_string(path) {
            Ok(text) => Ok(text.trim_end().to_owned()),
            Err(cause) => Err(SysctlError::of("read", setting, cause)),
        }
    }

    /// Sets a setting unless it has the value already, and remembers what it was. Returns whether it was
    /// changed.
    ///
    /// # Errors
    /// If there is no such setting or interface, or it cannot be read or written.
    pub fn set(&mut self, setting: &Setting, value: &str) -> Result<bool, SysctlError> {
        let before = self.read(setting)?;
        if before == value {
            return Ok(false);
        }
        self.write(setting, value)?;
        match self.changes.iter_mut().find(|change| change.setting == *setting) {
            Some(change) => value.clone_into(&mut change.now),
            None => {
                let (setting, now) = (setting.clone(), value.to_owned());
                self.changes.push(Change { setting, before, now });
            }
        }
        Ok(true)
    }

    /// What was changed, in the order of the first changes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Puts everything back, the last change first, and goes on after failures. A setting that somebody has
    /// changed since, or whose interface is gone, is left alone.
    pub fn restore(&mut self) -> Vec<SysctlError> {
        let changes = std::mem::take(&mut self.changes);
        changes.iter().rev().filter_map(|change| self.put_back(change).err()).collect()
    }

    fn put_back(&self, change: &Change) -> Result<(), SysctlError> {
        match self.read(&change.setting) {
            Ok(value) if value == change.now => self.write(&change.setting, &change.before),
            Ok(_) | Err(SysctlError::Missing(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn write(&self, setting: &Setting, value: &str) -> Result<(), SysctlError> {
        fs::write(self.path(setting)?, value).map_err(|cause| SysctlError::of("set", setting, cause))
    }

    /// The interface's name is one component of the path: the rules are the kernel's (`dev_valid_name`).
    fn path(&self, setting: &Setting) -> Result<PathBuf, SysctlError> {
        let name = &setting.interface;
        if matches!(name.as_str(), "" | "." | "..") || name.len() > 15 || name.contains(['/', '\0']) {
            return Err(SysctlError::Name(name.clone()));
        }
        Ok(self.root.join(setting.area()).join(name).join(setting.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that stands for the kernel's, with a few settings in it.
    fn kernel(name: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("arpherd-sysctl-{}-{name}", std::process::id()));
        for interface in ["all", "eth0.100"] {
            let directory = root.join("conf").join(interface);
            fs::create_dir_all(&directory).expect("a directory");
            fs::write(directory.join("proxy_arp"), "1\n").expect("a setting");
            fs::write(directory.join("rp_filter"), "0\n").expect("a setting");
        }
        root
    }

    #[test]
    fn only_what_differs_is_set_and_all_of_it_is_put_back() {
        let root = kernel("restore");
        let mut sysctls = Sysctls::rooted(&root);
        let (proxy, filter) = (Setting::conf("eth0.100", "proxy_arp"), Setting::conf("all", "rp_filter"));
        assert!(sysctls.set(&proxy, "0").expect("set"));
        assert!(!sysctls.set(&proxy, "0").expect("set"));
        assert!(sysctls.set(&filter, "1").expect("set"));
        assert!(sysctls.set(&filter, "2").expect("set"));
        assert_eq!(sysctls.changes().len(), 2);
        assert_eq!((sysctls.changes()[1].before.as_str(), sysctls.changes()[1].now.as_str()), ("0", "2"));
        assert!(sysctls.restore().is_empty());
        assert_eq!(sysctls.read(&proxy).expect("read"), "1");
        assert_eq!(sysctls.read(&filter).expect("read"), "0");
        assert!(sysctls.changes().is_empty());
        fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn what_others_changed_since_is_left_alone() {
        let root = kernel("others");
        let mut sysctls = Sysctls::rooted(&root);
        let (proxy, filter) = (Setting::conf("eth0.100", "proxy_arp"), Setting::conf("all", "proxy_arp"));
        sysctls.set(&proxy, "0").expect("set");
        sysctls.set(&filter, "0").expect("set");
        fs::remove_dir_all(root.join("conf/eth0.100")).expect("the interface is gone");
        fs::write(root.join("conf/all/proxy_arp"), "7\n").expect("somebody else's");
        assert!(sysctls.restore().is_empty());
        assert_eq!(sysctls.read(&filter).expect("read"), "7");
        fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn a_name_cannot_leave_its_directory() {
        let sysctls = Sysctls::rooted("/nowhere");
        for name in ["", ".", "..", "a/b", "../all", "sixteen-letters-"] {
            let read = sysctls.read(&Setting::conf(name, "proxy_arp"));
            assert!(matches!(read, Err(SysctlError::Name(_))), "{name:?} is refused");
        }
        let missing = sysctls.read(&Setting::neigh("eth0.100", "proxy_delay")).expect_err("there is none");
        assert_eq!(missing.to_string(), "net.ipv4.neigh.eth0/100.proxy_delay does not exist");
    }
}
