//! How soon a thread runs after it was woken.
//!
//! The kernel's fair scheduler lets the thread that runs finish its time slice, 0.7 to 3 ms by default, before it gives the
//! processor to one that was woken, unless the slice of that one is shorter (`PREEMPT_SHORT` in `kernel/sched/features.h`).
//! A thread may ask for a slice of its own (`__setparam_fair` in `kernel/sched/syscalls.c`); both since Linux 6.12. It gets
//! no more of the processor by that, so no right is needed.
#![expect(unsafe_code, reason = "these system calls have no safe wrapper in the crates we use")]

use std::io;
use std::mem::size_of;

use libc::{SYS_sched_getattr, SYS_sched_setattr, c_long, sched_attr};

/// In nanoseconds: the shortest that the kernel accepts.
const SHORTEST: u64 = 100_000;

/// Has the calling thread, and those that it starts from then on, run sooner after they were woken, and let each other run
/// sooner: a frame does not wait for the end of what another thread of ours is at. Before Linux 6.12 this changes nothing, and
/// neither where another scheduling policy was chosen for the process.
///
/// # Errors
/// If a filter of system calls forbids it.
pub fn shorten() -> io::Result<()> {
    let mut attributes = read()?;
    if u32::try_from(libc::SCHED_OTHER) != Ok(attributes.sched_policy) {
        return Ok(());
    }
    attributes.sched_runtime = SHORTEST;
    call(SYS_sched_setattr, &mut attributes, 0)
}

/// The attributes of the calling thread.
fn read() -> io::Result<sched_attr> {
    let size = u32::try_from(size_of::<sched_attr>()).unwrap_or(0);
    let mut attributes = sched_attr {
        size,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    call(SYS_sched_getattr, &mut attributes, size)?;
    Ok(attributes)
}

/// Both calls are alike: the thread (0 is the calling one), its attributes, a number, and flags for one of them.
fn call(number: c_long, attributes: &mut sched_attr, last: u32) -> io::Result<()> {
    // SAFETY: the kernel reads or fills `attributes`, no more than its `size`, and is done with it when the call returns.
    let outcome = unsafe { libc::syscall(number, 0, &raw mut *attributes, last, 0) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;

    /// As the kernel says it; the slice in nanoseconds.
    fn slice_and_nice() -> (u64, i32) {
        let attributes = read().expect("permitted");
        (attributes.sched_runtime, attributes.sched_nice)
    }

    /// Linux 6.12 and later follow the request.
    fn is_followed() -> bool {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("the kernel says its release");
        let mut numbers =
            release.split(|other: char| !other.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
        (numbers.next(), numbers.next()) >= (Some(6), Some(12))
    }

    #[test]
    fn the_slice_is_the_shortest_here_and_in_later_threads_and_elsewhere_as_before() {
        let outcome = thread::spawn(|| {
            let before = slice_and_nice();
            shorten().expect("permitted");
            let later = thread::spawn(slice_and_nice).join().expect("it ran");
            (before, slice_and_nice(), later)
        });
        let (before, after, later) = outcome.join().expect("it ran");
        let expected = if is_followed() { (SHORTEST, before.1) } else { before };
        assert_eq!((after, later), (expected, expected));
        assert_eq!(slice_and_nice(), before);
    }
}
