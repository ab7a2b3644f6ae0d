//! Network namespaces by name: doing something in another one than the daemon's own.
//!
//! A socket stays in the namespace it was opened in, and `/proc/sys/net` shows that of the thread that looks
//! (network_namespaces(7)). So a thread goes there to open or to look, and comes back: nobody lives there.
#![expect(unsafe_code, reason = "setns and the mount calls have no safe wrapper in the crates we use")]

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::ptr;
use std::sync::Arc;

use libc::{c_long, c_uint};

/// Where `ip netns` keeps the names.
const NAMES: &str = "/run/netns";
/// The calling thread's own, whatever thread it is.
const OWN: &str = "/proc/thread-self/ns/net";

/// Why a namespace cannot be worked in.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// There is none of that name.
    #[error("there is no network namespace {name} (no {NAMES}/{name}); `ip netns add {name}` makes one")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A file of that name is something else.
    #[error("{NAMES}/{name} is no network namespace")]
    Other {
        /// Its name.
        name: String,
    },
    /// It may not be entered.
    #[error(
        "CAP_SYS_ADMIN is missing, and only with it can the network namespace {name} be entered: run as root, or \
         give the program the right (setcap cap_sys_admin,cap_net_admin,cap_net_raw+ep)"
    )]
    Rights {
        /// Its name.
        name: String,
    },
    /// A system call failed.
    #[error("cannot enter the network namespace {name}: {cause}")]
    Failed {
        /// Its name.
        name: String,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
}

impl NetnsError {
    fn of(name: &str, cause: io::Error) -> Self {
        let name = name.to_owned();
        match cause.raw_os_error() {
            Some(libc::ENOENT) => Self::Missing { name },
            Some(libc::EINVAL) => Self::Other { name },
            Some(libc::EPERM) => Self::Rights { name },
            _ => Self::Failed { name, cause },
        }
    }
}

/// The network namespace in which sockets are opened and settings are read and made. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Ground(Option<Arc<Place>>);

/// A namespace that is not the daemon's own. It stays what it is even if its name is given to another.
#[derive(Debug)]
struct Place {
    name: String,
    there: File,
    home: File,
    /// A sysfs that shows it; `None` if the kernel would not have one.
    sysfs: Option<OwnedFd>,
}

impl Ground {
    /// The daemon's own namespace.
    pub fn own() -> Self {
        Self::default()
    }

    /// The namespace of this name in `/run/netns`; it has been entered once when this returns, so that a
    /// missing right shows at once.
    ///
    /// # Errors
    /// See [`NetnsError`].
    pub fn named(name: &str) -> Result<Self, NetnsError> {
        let failed = |cause| NetnsError::of(name, cause);
        let there = File::open(Path::new(NAMES).join(name)).map_err(failed)?;
        let home = File::open(OWN).map_err(|cause| NetnsError::Failed { name: name.to_owned(), cause })?;
        let mut place = Place { name: name.to_owned(), there, home, sysfs: None };
        place.sysfs = place.within(mount_sysfs).map_err(failed)?.ok();
        Ok(Self(Some(Arc::new(place))))
    }

    /// Its name; the daemon's own has none.
    pub fn name(&self) -> Option<&str> {
        self.0.as_ref().map(|place| place.name.as_str())
    }

    /// Does the work with the calling thread in the namespace, and brings the thread back. The work must not
    /// start threads: they would stay there.
    ///
    /// # Errors
    /// If the namespace cannot be entered; nothing was done then.
    ///
    /// A thread that cannot be brought back ends the process: whatever it did next would be done to the wrong
    /// network.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> Result<T, NetnsError> {
        match &self.0 {
            None => Ok(work()),
            Some(place) => place.within(work).map_err(|cause| NetnsError::of(&place.name, cause)),
        }
    }

    /// What tells it from other namespaces, whatever its names.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let metadata = match &self.0 {
            None => File::open(OWN)?.metadata()?,
            Some(place) => place.there.metadata()?,
        };
        Ok((metadata.dev(), metadata.ino()))
    }

    /// Where its interfaces are shown (`/sys/class/net`); `None` if the kernel would not say.
    ///
    /// A sysfs shows the namespace it was mounted from, so another one's is mounted, but nowhere in sight.
    pub fn interfaces(&self) -> Option<PathBuf> {
        let Some(place) = &self.0 else { return Some(PathBuf::from("/sys/class/net")) };
        let sysfs = place.sysfs.as_ref()?;
        Some(PathBuf::from(format!("/proc/self/fd/{}/class/net", sysfs.as_raw_fd())))
    }
}

impl Place {
    fn within<T>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        enter(self.there.as_raw_fd())?;
        // Dropped when the work is done, and when it panics.
        let _back = Back { home: self.home.as_raw_fd(), from: &self.name };
        Ok(work())
    }
}

/// Brings the thread home.
struct Back<'p> {
    home: RawFd,
    from: &'p str,
}

impl Drop for Back<'_> {
    fn drop(&mut self) {
        if let Err(cause) = enter(self.home) {
            // Standard error may be closed; there is nobody else to tell.
            let _ = writeln!(io::stderr(), "arpherd: cannot come back from namespace {}: {cause}", self.from);
            process::abort();
        }
    }
}

fn enter(namespace: RawFd) -> io::Result<()> {
    // SAFETY: no pointers; a descriptor of something else is an error.
    let outcome = unsafe { libc::setns(namespace, libc::CLONE_NEWNET) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `FSOPEN_CLOEXEC`, `FSMOUNT_CLOEXEC`
const CLOEXEC: c_uint = 1;
/// `FSCONFIG_CMD_CREATE`
const CREATE: c_uint = 6;
/// `MOUNT_ATTR_RDONLY`, `NOSUID`, `NODEV`, `NOEXEC`: no more than any sysfs that is there already, else a user
/// namespace is refused (`mount_too_revealing`).
const LOOK_ONLY: c_uint = 0xf;

/// Mounts a sysfs of the calling thread's namespace, attached to no directory. Linux 5.2.
fn mount_sysfs() -> io::Result<OwnedFd> {
    const KIND: &CStr = c"sysfs";
    // SAFETY: the string is terminated and static.
    let context = descriptor(unsafe { libc::syscall(libc::SYS_fsopen, KIND.as_ptr(), CLOEXEC) })?;
    let (none, context) = (ptr::null::<u8>(), context);
    // SAFETY: this command takes no key and no value.
    let made = unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), CREATE, none, none, 0) };
    if made < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: no pointers.
    descriptor(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), CLOEXEC, LOOK_ONLY) })
}

fn descriptor(outcome: c_long) -> io::Result<OwnedFd> {
    match RawFd::try_from(outcome) {
        // SAFETY: the call has just opened it for us alone.
        Ok(number) if number >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
        _ => Err(io::Error::last_os_error()),
    }
}
