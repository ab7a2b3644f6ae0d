//! What can keep a scenario from being measured.

use std::io;

use arpherd_lab::LabError;

/// The bench's result.
pub(crate) type Result<T, E = BenchError> = std::result::Result<T, E>;

/// Why there is no number.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// The lab could not be built, or a contender not started.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A system call or file operation failed.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// The error number.
        source: io::Error,
    },
    /// What was measured did not happen in time.
    #[error("{who}: waited {limit_ms} ms in vain for {what}")]
    Absent {
        /// The contender.
        who: &'static str,
        /// What should have come.
        what: String,
        /// How long it was waited for.
        limit_ms: u128,
    },
    /// A contender ended by itself.
    #[error("{who} ended in the middle; it printed:\n{log}")]
    Ended {
        /// The contender.
        who: &'static str,
        /// What it printed.
        log: String,
    },
}

/// Names what was tried on an I/O result.
pub(crate) trait Tried<T> {
    fn tried(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Tried<T> for io::Result<T> {
    fn tried(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| BenchError::System { what: what(), source })
    }
}
