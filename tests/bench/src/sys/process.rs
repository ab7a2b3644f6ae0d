//! What a process costs: processor time, memory, wake-ups.
#![expect(unsafe_code, reason = "process clocks are system calls")]

use std::fs;
use std::io;

use crate::error::{Result, Tried};

/// The processor time of a process, all its threads together, the ended ones included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuClock(libc::clockid_t);

impl CpuClock {
    /// The clock of this process.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let number = libc::pid_t::try_from(pid).unwrap_or(libc::pid_t::MAX);
        let mut clock = 0;
        // SAFETY: the call writes one clock id.
        match unsafe { libc::clock_getcpuclockid(number, &raw mut clock) } {
            0 => Ok(Self(clock)),
            code => {
                Err(io::Error::from_raw_os_error(code)).tried(|| format!("find the clock of process {pid}"))
            }
        }
    }

    /// User and system time so far, in nanoseconds.
    pub(crate) fn nanoseconds(self) -> Result<u64> {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is a valid timespec for the whole call.
        super::check(unsafe { libc::clock_gettime(self.0, &raw mut now) })
            .tried(|| "read the clock of a process".to_owned())?;
        Ok(u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0))
    }
}

/// Resident memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// All of it, pages of the program's file included (`VmRSS`).
    pub(crate) resident: u64,
    /// What only this process has (`RssAnon`).
    pub(crate) own: u64,
}

impl Memory {
    /// What the process has now.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let status = read(&format!("/proc/{pid}/status"))?;
        let kilobytes = |name| field(&status, name).tried(|| format!("read {name} of process {pid}"));
        Ok(Self { resident: kilobytes("VmRSS")? << 10, own: kilobytes("RssAnon")? << 10 })
    }
}

/// Gives the kernel back what this process freed, so that what it takes from then on shows in its memory.
pub(crate) fn give_back_memory() {
    // SAFETY: it takes a number, and touches only what is free.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// How often the threads of a process went to sleep, or lost the processor, so far: a thread that never
/// wakes does neither.
pub(crate) fn wakeups(pid: u32) -> Result<u64> {
    let tasks = format!("/proc/{pid}/task");
    let mut sum = 0;
    for task in fs::read_dir(&tasks).tried(|| format!("read {tasks}"))? {
        let path = task.tried(|| format!("read {tasks}"))?.path().join("status");
        let status = read(&path.to_string_lossy())?;
        for name in ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"] {
            sum += field(&status, name).tried(|| format!("read {name} in {}", path.display()))?;
        }
    }
    Ok(sum)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).tried(|| format!("read {path}"))
}

/// The number after `name:`.
fn field(status: &str, name: &str) -> io::Result<u64> {
    let values = status.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let mut numbers = values.filter_map(|value| value.split_whitespace().next()?.parse().ok());
    numbers.next_back().ok_or_else(|| io::ErrorKind::NotFound.into())
}
