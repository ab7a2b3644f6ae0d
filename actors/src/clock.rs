//! The daemon's clock: monotonic, counted from its start or from before it.

use arpherd_core::Time;
use tokio::time::{Duration, Instant};

/// Gives the present [`Time`]. Copies count from the same start, so times of different actors can be compared.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    /// The time at the start.
    offset: Time,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self::start_after(Duration::ZERO)
    }

    /// A clock that starts now, with a time for everything since so long before.
    pub fn start_after(past: Duration) -> Self {
        Self { start: Instant::now(), offset: Time::ZERO + past }
    }

    /// The time since the start, and since what is known from before it.
    pub fn now(&self) -> Time {
        self.offset + self.start.elapsed()
    }

    /// The duration from now until `at`; zero if `at` is past.
    pub fn until(&self, at: Time) -> Duration {
        at.since(self.now())
    }
}
