//! Hearing of it when somebody writes a setting (inotify(7)). The kernel tells by netlink of a few settings only.
//!
//! It hears of writes through the mount of `/proc` that it looks at. Who writes through another one, as from
//! within a container, goes unheard.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

use super::{Setting, SysctlError, Sysctls};

/// Room for some hundred events; each is 16 octets, for a watched file has no name in it.
const ROOM: usize = 4096;

/// Hears of writes to settings.
#[derive(Debug)]
pub struct SysctlWatcher(OwnedFd);

impl SysctlWatcher {
    /// Listens to nothing yet.
    ///
    /// # Errors
    /// If the user has as many of these as `fs.inotify.max_user_instances` allows.
    pub fn open() -> io::Result<Self> {
        Ok(Self(inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?))
    }

    /// Listens to the setting from now on, as long as its interface is there. To call it again changes nothing.
    ///
    /// # Errors
    /// If there is no such setting, or `fs.inotify.max_user_watches` is reached.
    pub fn listen_to(&self, sysctls: &Sysctls, setting: &Setting) -> Result<(), SysctlError> {
        let path = sysctls.path(setting)?;
        inotify::add_watch(&self.0, path, WatchFlags::MODIFY)
            .map(drop)
            .map_err(|cause| SysctlError::of("watch", setting, cause.into()))
    }

    /// Takes in all that was heard. True if there was anything.
    pub fn heard(&self) -> bool {
        let mut room = [MaybeUninit::uninit(); ROOM];
        let mut reader = inotify::Reader::new(&self.0, &mut room);
        let mut heard = false;
        while let Ok(event) = reader.next() {
            heard |= event.events().contains(ReadFlags::MODIFY)
                || event.events().contains(ReadFlags::QUEUE_OVERFLOW);
        }
        heard
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
    fn writes_are_heard_and_looks_are_not() {
        let directory = std::env::temp_dir().join(format!("arpherd-ear-{}", std::process::id()));
        let conf = directory.join("conf/eth0");
        std::fs::create_dir_all(&conf).expect("a directory");
        let file = conf.join("send_redirects");
        std::fs::write(&file, "1").expect("a file");
        let sysctls = Sysctls::rooted(&directory);
        let setting = Setting::conf("eth0", "send_redirects");
        let ear = SysctlWatcher::open().expect("an inotify instance");
        for _ in 0..2 {
            ear.listen_to(&sysctls, &setting).expect("the file is there");
        }
        assert!(matches!(
            ear.listen_to(&sysctls, &Setting::conf("eth1", "send_redirects")),
            Err(SysctlError::Missing(_))
        ));
        assert!(!ear.heard());
        std::fs::read(&file).expect("readable");
        assert!(!ear.heard(), "nobody wrote");
        std::fs::write(&file, "0").expect("writable");
        assert!(ear.heard());
        assert!(!ear.heard(), "once");
        std::fs::remove_dir_all(&directory).expect("removed");
        assert!(!ear.heard(), "that it is gone is told elsewhere");
    }
}
