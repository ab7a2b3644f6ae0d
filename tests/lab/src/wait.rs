//! Time, and waiting for things with a limit.
#![expect(unsafe_code, reason = "clocks, poll and eventfd are system calls")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::check;

/// Waits until `done` holds, asking every millisecond at first and every 20 ms later.
///
/// # Panics
/// When `limit` passed first; the message names `what`.
pub fn wait_until(limit: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    let mut time = Duration::from_millis(1);
    while !done() {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        pause(time);
        time = (time * 2).min(Duration::from_millis(20));
    }
}

/// Between two looks at something that reports no change; whoever looks has a limit.
#[expect(clippy::disallowed_methods, reason = "the lab asks kernels and processes that report no change")]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}

/// `CLOCK_MONOTONIC` in nanoseconds; every time stamp of the lab is one of these.
pub fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

pub(crate) fn realtime_ns() -> u64 {
    clock_ns(libc::CLOCK_REALTIME)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec for the whole call; both clocks exist on every Linux.
    let code = unsafe { libc::clock_gettime(clock, &raw mut now) };
    assert!(code == 0, "the kernel has no clock {clock}");
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// What is left of `limit` since `start`.
pub(crate) fn left(start: Instant, limit: Duration) -> Duration {
    limit.saturating_sub(start.elapsed())
}

/// Waits until `fd` can be read; false when `limit` passed first.
pub(crate) fn readable(fd: RawFd, limit: Duration) -> io::Result<bool> {
    let mut set = [entry(fd)];
    poll(&mut set, Some(limit))?;
    Ok(set[0].revents != 0)
}

/// Why a background thread woke up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    Readable,
    TimedOut,
    Stopped,
}

/// Ends a background thread that waits for a file descriptor.
#[derive(Clone)]
pub(crate) struct Stop(Arc<OwnedFd>);

impl Stop {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the descriptor is checked before it is owned.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: the kernel just gave us this descriptor, nobody else holds it.
        Ok(Self(Arc::new(unsafe { OwnedFd::from_raw_fd(fd) })))
    }

    pub(crate) fn stop(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight readable bytes. The write can only fail when the counter is full: already stopped.
        let _ = unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Waits for `fd` or the end, at most `limit` (for ever without one).
    pub(crate) fn wait(&self, fd: RawFd, limit: Option<Duration>) -> io::Result<Woken> {
        let mut set = [entry(fd), entry(self.0.as_raw_fd())];
        poll(&mut set, limit)?;
        Ok(match (set[1].revents, set[0].revents) {
            (0, 0) => Woken::TimedOut,
            (0, _) => Woken::Readable,
            _ => Woken::Stopped,
        })
    }
}

fn entry(fd: RawFd) -> libc::pollfd {
    libc::pollfd { fd, events: libc::POLLIN, revents: 0 }
}

fn poll(set: &mut [libc::pollfd], limit: Option<Duration>) -> io::Result<()> {
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(limit.subsec_nanos()),
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let count = libc::nfds_t::try_from(set.len()).unwrap_or(0);
    // SAFETY: `set` holds `count` entries; `limit` is null or outlives the call.
    match check(unsafe { libc::ppoll(set.as_mut_ptr(), count, limit, std::ptr::null()) }) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}
