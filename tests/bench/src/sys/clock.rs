//! Waiting for a moment, and ending in time.
#![expect(unsafe_code, reason = "clock_nanosleep and prctl are system calls")]

use std::io;
use std::time::Duration;

use arpherd_lab::monotonic_ns;

/// Sleeps until `CLOCK_MONOTONIC` shows `at`, in nanoseconds; not at all when that is past.
pub(crate) fn sleep_until(at: u64) {
    let (seconds, rest) = (at / 1_000_000_000, at % 1_000_000_000);
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(seconds).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::try_from(rest).unwrap_or(0),
    };
    let sleep = || {
        // SAFETY: `time` outlives the call; with an absolute time there is no remainder to write.
        unsafe {
            libc::clock_nanosleep(
                libc::CLOCK_MONOTONIC,
                libc::TIMER_ABSTIME,
                &raw const time,
                std::ptr::null_mut(),
            )
        }
    };
    while sleep() == libc::EINTR {}
}

/// Lets this much time go by: when pauses are what is measured, not to wait for something.
pub(crate) fn pause(time: Duration) {
    sleep_until(monotonic_ns().saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)));
}

/// Has this process killed when the thread that started it ends, so that a reference never outlives its
/// bench.
pub(crate) fn end_with_parent() -> io::Result<()> {
    // SAFETY: plain numbers.
    super::check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }).map(drop)
}
