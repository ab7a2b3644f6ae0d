//! The daemon's clock: monotonic, counted from its start.

use arpherd_core::Time;
use tokio::time::{Duration, Instant};

/// Gives the present [`Time`]. Copies count from the same start, so times of different actors can be compared.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub fn now(&self) -> Time {
        Time::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// The duration from now until `at`; zero if `at` is past.
    pub fn until(&self, at: Time) -> Duration {
        at.since(self.now())
    }
}
