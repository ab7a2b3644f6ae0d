//! Where the program is attached, and for how long.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::{FastAnswers, call};
use crate::io::netlink::clsact::IngressFilter;

impl FastAnswers {
    /// Has the program see the ARP frames that come in on the interface of the calling thread's network namespace, behind
    /// the programs of others, until what is returned is dropped or the interface is deleted: by tcx if the kernel has it
    /// (6.6), which ends with the process, too; else as [`Self::attach_by_filter`] does.
    ///
    /// # Errors
    /// If `CAP_NET_ADMIN` is missing, there is no such interface, or the kernel knows neither way.
    pub fn attach(&self, interface: u32) -> io::Result<Attachment> {
        match call::attach(self.program.as_fd(), interface) {
            // What it does not know it calls invalid.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.attach_by_filter(interface),
            outcome => outcome.map(|link| Attachment(Way::Tcx(link))),
        }
    }

    /// The same by a filter of traffic control, in place of one that an earlier run left there: one that was killed leaves
    /// its filter, which goes on answering for as long as [`Self::vouch`] said. An interface has one at a time of each
    /// protocol number, as it has one daemon: when either of two is dropped, none is left.
    ///
    /// # Errors
    /// If `CAP_NET_ADMIN` is missing, there is no such interface, or the kernel has no `clsact` or `cls_bpf`.
    pub fn attach_by_filter(&self, interface: u32) -> io::Result<Attachment> {
        IngressFilter::put(self.program.as_fd(), interface, self.protocol)
            .map(|filter| Attachment(Way::Filter(filter)))
    }
}

/// How many programs, anybody's, run by tcx for packets that come in on the interface of the calling thread's network
/// namespace.
///
/// # Errors
/// If `CAP_NET_ADMIN` is missing, there is no such interface, or the kernel has no tcx.
pub fn count_programs(interface: u32) -> io::Result<u32> {
    call::count(interface)
}

/// The program's place at an interface.
#[derive(Debug)]
#[must_use = "the program is detached when this is dropped"]
pub struct Attachment(Way);

/// How a program is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// tcx (Linux 6.6).
    Tcx,
    /// A filter of the queueing discipline `clsact`.
    Clsact,
}

impl Hook {
    /// Its name in the log and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }
}

impl Attachment {
    /// Where it is.
    pub fn hook(&self) -> Hook {
        match self.0 {
            Way::Tcx(_) => Hook::Tcx,
            Way::Filter(_) => Hook::Clsact,
        }
    }

    /// Whether it is detached when the process is killed; otherwise it answers for as long as was vouched for.
    pub fn ends_with_process(&self) -> bool {
        self.hook() == Hook::Tcx
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "their being there is all they do")]
enum Way {
    Tcx(OwnedFd),
    Filter(IngressFilter),
}
