//! Noticing that somebody writes a setting (inotify(7)). By netlink the kernel reports changes of a few settings only.
//!
//! Only writes through the mount of `/proc` that this process sees are noticed, not those through another one, as from
//! within a container.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

use super::{Setting, SysctlError, Sysctls};

/// Room for some hundred events; each is 16 octets, for a watched file has no name in it.
const ROOM: usize = 4096;

/// Watches settings for writes.
#[derive(Debug)]
pub struct SysctlWatcher(OwnedFd);

impl SysctlWatcher {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// If the user has as many inotify instances as `fs.inotify.max_user_instances` allows.
    pub fn open() -> io::Result<Self> {
        Ok(Self(inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?))
    }

    /// Watches the setting from now on, as long as its interface is there. Calling it again changes nothing.
    ///
    /// # Errors
    /// If there is no such setting, or `fs.inotify.max_user_watches` is reached.
    pub fn watch(&self, sysctls: &Sysctls, setting: &Setting) -> Result<(), SysctlError> {
        let path = sysctls.path(setting)?;
        inotify::add_watch(&self.0, path, WatchFlags::MODIFY)
            .map(drop)
            .map_err(|cause| SysctlError::of("watch", setting, cause.into()))
    }

    /// Reads all events. True if a watched setting was written since the last call, or may have been: events were lost.
    pub fn any_written(&self) -> bool {
        let mut room = [MaybeUninit::uninit(); ROOM];
        let mut reader = inotify::Reader::new(&self.0, &mut room);
        let mut written = false;
        while let Ok(event) = reader.next() {
            written |= event.events().contains(ReadFlags::MODIFY)
                || event.events().contains(ReadFlags::QUEUE_OVERFLOW);
        }
        written
    }
}

impl AsFd for SysctlWatcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_noticed_and_reads_are_not() {
        let directory = std::env::temp_dir().join(format!("arpherd-watcher-{}", std::process::id()));
        let conf = directory.join("conf/eth0");
        std::fs::create_dir_all(&conf).expect("a directory");
        let file = conf.join("send_redirects");
        std::fs::write(&file, "1").expect("a file");
        let sysctls = Sysctls::rooted(&directory);
        let setting = Setting::conf("eth0", "send_redirects");
        let watcher = SysctlWatcher::open().expect("an inotify instance");
        for _ in 0..2 {
            watcher.watch(&sysctls, &setting).expect("the file is there");
        }
        assert!(matches!(
            watcher.watch(&sysctls, &Setting::conf("eth1", "send_redirects")),
            Err(SysctlError::Missing(_))
        ));
        assert!(!watcher.any_written());
        std::fs::read(&file).expect("readable");
        assert!(!watcher.any_written(), "nobody wrote");
        std::fs::write(&file, "0").expect("writable");
        assert!(watcher.any_written());
        assert!(!watcher.any_written(), "once");
        std::fs::remove_dir_all(&directory).expect("removed");
        assert!(!watcher.any_written(), "deletion is reported elsewhere");
    }
}
