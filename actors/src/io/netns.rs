//! Network namespaces by name: opening sockets and reading settings in another one than the daemon's own.
//!
//! A socket stays in the namespace it was opened in, and `/proc/sys/net` shows that of the thread that reads it
//! (network_namespaces(7)). So a thread enters the other namespace only to open or to read, and returns.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, OnceLock};

use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

use super::sockopt;

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
    /// The file of that name is something else.
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

/// A network namespace: the daemon's own, or one with a name. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Netns(Option<Arc<Named>>);

/// A namespace that is not the daemon's own. It stays the same one even if its name is given to another.
#[derive(Debug)]
struct Named {
    name: String,
    target: File,
    /// Where the thread that opened it was, and returns to.
    home: File,
    /// A sysfs that shows it; `None` if the kernel refused to mount one.
    sysfs: Option<OwnedFd>,
}

impl Netns {
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
        let target = File::open(Path::new(NAMES).join(name)).map_err(failed)?;
        let home = File::open(OWN).map_err(|cause| NetnsError::Failed { name: name.to_owned(), cause })?;
        let mut named = Named { name: name.to_owned(), target, home, sysfs: None };
        named.sysfs = named.within(mount_sysfs).map_err(failed)?.ok();
        Ok(Self(Some(Arc::new(named))))
    }

    /// Its name; the daemon's own has none.
    pub fn name(&self) -> Option<&str> {
        self.0.as_ref().map(|named| named.name.as_str())
    }

    /// Does the work with the calling thread in the namespace, then returns the thread to its own. The work must
    /// not start threads: they would stay there.
    ///
    /// # Errors
    /// If the namespace cannot be entered; nothing was done then.
    ///
    /// A thread that cannot return ends the process: whatever it did next would be done to the wrong network.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> Result<T, NetnsError> {
        match &self.0 {
            None => Ok(work()),
            Some(named) => named.within(work).map_err(|cause| NetnsError::of(&named.name, cause)),
        }
    }

    /// Device and inode number, which two names of one namespace share and no two namespaces do.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let metadata = match &self.0 {
            None => File::open(OWN)?.metadata()?,
            Some(named) => named.target.metadata()?,
        };
        Ok((metadata.dev(), metadata.ino()))
    }

    /// The directory of its interfaces in sysfs (`/sys/class/net`); `None` if the kernel refused a sysfs.
    ///
    /// A sysfs shows the namespace it was mounted from, so one is mounted for every other namespace, attached to
    /// no directory.
    pub fn interfaces(&self) -> Option<PathBuf> {
        let Some(named) = &self.0 else { return Some(PathBuf::from("/sys/class/net")) };
        let sysfs = named.sysfs.as_ref()?;
        Some(PathBuf::from(format!("/proc/self/fd/{}/class/net", sysfs.as_raw_fd())))
    }
}

impl Named {
    fn within<T>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        enter(self.target.as_fd())?;
        // Dropped when the work is done, and when it panics.
        let _return = Return { home: self.home.as_fd(), from: &self.name };
        Ok(work())
    }
}

/// Returns the thread to its namespace when dropped.
struct Return<'n> {
    home: BorrowedFd<'n>,
    from: &'n str,
}

impl Drop for Return<'_> {
    fn drop(&mut self) {
        if let Err(cause) = enter(self.home) {
            // Standard error may be closed; there is nobody else to report to.
            let _ = writeln!(io::stderr(), "arpherd: cannot return from namespace {}: {cause}", self.from);
            process::abort();
        }
    }
}

/// Moves the calling thread; a descriptor of anything but a network namespace is refused (setns(2), `EINVAL`).
fn enter(namespace: BorrowedFd<'_>) -> io::Result<()> {
    Ok(move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network))?)
}

/// Mounts a sysfs of the calling thread's namespace, attached to no directory. Linux 5.2.
fn mount_sysfs() -> io::Result<OwnedFd> {
    // A user namespace may mount no more than a sysfs that is there already allows (`mount_too_revealing`).
    let read_only = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let context = fsopen(c"sysfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, read_only)?)
}

/// Identifies a network namespace, of all that there are until the machine is rebooted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NetnsId {
    /// `/proc/sys/kernel/random/boot_id`
    boot: String,
    /// The namespace's inode number, which can be another's after its end.
    inode: u64,
    /// `SO_NETNS_COOKIE`, which is never used again; 0 on kernels before 5.14.
    cookie: u64,
}

impl NetnsId {
    /// That of the calling thread.
    pub(super) fn current() -> io::Result<Self> {
        static BOOT: OnceLock<String> = OnceLock::new();
        let boot = match BOOT.get() {
            Some(boot) => boot.clone(),
            None => {
                let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
                BOOT.get_or_init(|| boot.trim_end().to_owned()).clone()
            }
        };
        let inode = fs::metadata(OWN)?.ino();
        let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
        // A u64 in the machine's order.
        let halves = sockopt::get::<2>(&socket, libc::SOL_SOCKET, libc::SO_NETNS_COOKIE).unwrap_or_default();
        let octets: Vec<u8> = halves.iter().flat_map(|half| half.to_ne_bytes()).collect();
        let cookie = octets.first_chunk().map_or(0, |octets| u64::from_ne_bytes(*octets));
        Ok(Self { boot, inode, cookie })
    }

    /// The namespace's own among files of one name: its inode number is appended to the stem.
    pub(super) fn own_file(&self, path: &Path) -> PathBuf {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!("{stem}-{}.json", self.inode))
    }
}
