//! What can go wrong in the lab, and what was being tried.

use std::io;

/// The lab's result.
pub type Result<T, E = LabError> = std::result::Result<T, E>;

/// What the lab tried and why it failed.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The process could not get namespaces of its own.
    #[error("cannot enter the lab: {tried}: {source}; {advice}")]
    Enter {
        /// The step that was refused.
        tried: String,
        /// The kernel's answer.
        source: io::Error,
        /// What the operator can do about it.
        advice: String,
    },
    /// The kernel refused a netlink request.
    #[error("{what}: {source}{}{text}", if text.is_empty() { "" } else { ": " })]
    Kernel {
        /// The request.
        what: String,
        /// The kernel's error number.
        source: io::Error,
        /// The kernel's own message, if it sent one.
        text: String,
    },
    /// A system call or file operation failed.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// The error number.
        source: io::Error,
    },
    /// There is no such link in the namespace.
    #[error("namespace {netns} has no link {link}")]
    NoLink {
        /// The namespace's name.
        netns: String,
        /// The link's name.
        link: String,
    },
    /// A value given as text does not read.
    #[error("{what}: cannot read {text:?}")]
    Invalid {
        /// What the text should have been.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// The daemon did not do what was expected of it.
    #[error("{what}; its output was:\n{log}")]
    Daemon {
        /// What was expected and what came.
        what: String,
        /// All the daemon printed until then.
        log: String,
    },
}

impl LabError {
    /// True when what was to be changed or removed is not there.
    pub fn missing(&self) -> bool {
        matches!(self, Self::NoLink { .. })
            || matches!(self.errno(), Some(libc::ENOENT | libc::ESRCH | libc::ENODEV))
    }

    /// The error number, where a system call or the kernel gave one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Enter { source, .. } | Self::Kernel { source, .. } | Self::System { source, .. } => {
                source.raw_os_error()
            }
            Self::NoLink { .. } | Self::Invalid { .. } | Self::Daemon { .. } => None,
        }
    }
}

/// Names what was tried on an I/O result.
pub(crate) trait Tried<T> {
    fn tried(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Tried<T> for io::Result<T> {
    fn tried(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| LabError::System { what: what(), source })
    }
}

/// Turns a system call's −1 into `errno`.
pub(crate) fn check(code: libc::c_int) -> io::Result<libc::c_int> {
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(code) }
}
