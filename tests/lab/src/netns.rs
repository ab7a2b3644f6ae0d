//! Network namespaces: made, entered, and kept by a file descriptor.
#![expect(unsafe_code, reason = "unshare and setns are system calls")]

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, panic, thread};

use crate::Result;
use crate::enter::{mount, own_sysfs};
use crate::error::{Tried, check};
use crate::rtnl::Rtnl;

/// A network namespace. Clones share it; the kernel removes it, and all its links, when the last
/// clone, socket and process that use it are gone.
#[derive(Clone)]
pub struct Netns(Arc<Inner>);

struct Inner {
    name: String,
    fd: OwnedFd,
    /// A netlink socket belongs to the namespace it was opened in for ever, so requests need no thread.
    rtnl: Mutex<Rtnl>,
}

impl Netns {
    /// Makes a fresh namespace: `lo` is up, IPv6 is off, IPv4 settings are the kernel's defaults
    /// whatever the machine's are. The name is for messages and [`publish`](Self::publish) only.
    ///
    /// # Errors
    /// When the kernel refuses; most often [`enter`](crate::enter()) was not called.
    pub fn new(name: &str) -> Result<Self> {
        let make = || -> io::Result<(OwnedFd, Rtnl)> {
            // SAFETY: no pointers; a throwaway thread loses nothing it needs.
            check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
            Ok((own_netns()?, Rtnl::open()?))
        };
        // A thread of its own: this one must stay where it is.
        let (fd, rtnl) =
            in_thread(make).tried(|| format!("make network namespace {name} (was lab::enter() called?)"))?;
        let ns = Self(Arc::new(Inner { name: name.to_owned(), fd, rtnl: Mutex::new(rtnl) }));
        ns.prepare()?;
        Ok(ns)
    }

    /// The calling thread's namespace.
    ///
    /// # Errors
    /// When `/proc` is not mounted or no netlink socket can be had.
    pub fn current() -> Result<Self> {
        let open = || Ok((own_netns()?, Rtnl::open()?));
        let (fd, rtnl) = open().tried(|| "open the current network namespace".to_owned())?;
        Ok(Self(Arc::new(Inner { name: "current".to_owned(), fd, rtnl: Mutex::new(rtnl) })))
    }

    /// `lo` up, and settings that do not depend on the machine.
    pub(crate) fn prepare(&self) -> Result<()> {
        self.reset_sysctls();
        self.up("lo")
    }

    /// The name it was made with.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The descriptor that keeps it, good for `setns`.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }

    pub(crate) fn rtnl(&self) -> MutexGuard<'_, Rtnl> {
        self.0.rtnl.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on a thread inside the namespace. Sockets it opens stay in the namespace wherever
    /// they are used later.
    ///
    /// # Panics
    /// When `work` does, and when the namespace cannot be entered.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        in_thread(|| {
            self.enter_thread().expect("whoever made a namespace may enter it");
            work()
        })
    }

    /// Moves the calling thread into the namespace, for good.
    pub(crate) fn enter_thread(&self) -> io::Result<()> {
        setns(self.0.fd.as_raw_fd())
    }

    /// A command that will run inside the namespace, with a `/sys` that shows it where the kernel
    /// allows that.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let ns = self.clone(); // keeps the descriptor open until the command is dropped
        // SAFETY: between fork and exec it only makes system calls on data that exists already.
        unsafe {
            command.pre_exec(move || {
                setns(ns.0.fd.as_raw_fd())?;
                own_sysfs();
                Ok(())
            });
        }
        command
    }

    /// Makes the namespace known as `/run/netns/NAME`, where programs look for named namespaces. Only
    /// this process and its children see that directory: the lab's first call covers the machine's
    /// `/run` with an empty one for them.
    ///
    /// # Errors
    /// When mounts are refused, or the name is taken.
    pub fn publish(&self) -> Result<()> {
        static COVERED: Mutex<bool> = Mutex::new(false);
        let mut covered = COVERED.lock().unwrap_or_else(PoisonError::into_inner);
        let path = format!("/run/netns/{}", self.name());
        let mut bind = || {
            if !*covered {
                mount(Some(c"lab"), c"/run", Some(c"tmpfs"), 0)?;
                fs::create_dir("/run/netns")?;
                *covered = true;
            }
            File::create_new(&path)?;
            let source = std::ffi::CString::new(format!("/proc/self/fd/{}", self.0.fd.as_raw_fd()))?;
            mount(Some(&source), &std::ffi::CString::new(path.as_str())?, None, libc::MS_BIND)
        };
        bind().tried(|| format!("bind namespace {} to {path}", self.name()))
    }
}

impl fmt::Debug for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Netns({})", self.name())
    }
}

fn own_netns() -> io::Result<OwnedFd> {
    File::open("/proc/thread-self/ns/net").map(OwnedFd::from)
}

fn setns(fd: libc::c_int) -> io::Result<()> {
    // SAFETY: no pointers; a wrong descriptor is an error, not a danger.
    check(unsafe { libc::setns(fd, libc::CLONE_NEWNET) }).map(drop)
}

fn in_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| panic::resume_unwind(panic))
}
