//! Daemons that answer inside the kernel, by `fast_answers: auto`, without the tests' configurations saying so. All others answer
//! themselves.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Daemon;
use crate::wait::pause;

static ON: AtomicBool = AtomicBool::new(false);
static ANSWERED: AtomicU64 = AtomicU64::new(0);
static DAEMONS: AtomicU64 = AtomicU64::new(0);

/// The variable that daemons get.
pub(crate) const VARIABLE: (&str, &str) = ("ARPHERD_DAEMON__FAST_ANSWERS", "auto");
/// How long a daemon may take to attach its program where a link is up.
const LIMIT: Duration = Duration::from_secs(5);

/// Has all daemons that are started from now on answer inside the kernel where they can. Those that can are ready only when
/// their program is attached to every link that is up.
///
/// # Errors
/// With the reason, if this process could not load such a program either: it takes real root, outside of every user
/// namespace.
pub fn answer_in_kernel() -> Result<(), String> {
    can_answer_in_kernel()?;
    ON.store(true, Ordering::Relaxed);
    Ok(())
}

/// Whether the rights are there for daemons that answer inside the kernel.
///
/// # Errors
/// With the reason, if they are not.
pub fn can_answer_in_kernel() -> Result<(), String> {
    /// linux/capability.h
    const CAP_BPF: u32 = 39;
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    if !read("/proc/self/uid_map").split_whitespace().eq(["0", "0", "4294967295"]) {
        return Err("this is not the initial user namespace: run it as root itself".to_owned());
    }
    let status = read("/proc/self/status");
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let rights = rights.and_then(|rights| u64::from_str_radix(rights.trim(), 16).ok()).unwrap_or(0);
    if rights & 1 << CAP_BPF == 0 {
        return Err("CAP_BPF is missing: run it as root".to_owned());
    }
    Ok(())
}

/// How many requests were answered inside the kernel up to now, by how many daemons that have ended.
pub fn answered_in_kernel() -> (u64, u64) {
    (ANSWERED.load(Ordering::Relaxed), DAEMONS.load(Ordering::Relaxed))
}

/// Whether daemons are started so.
pub fn is_answered_in_kernel() -> bool {
    ON.load(Ordering::Relaxed)
}

fn segments(daemon: &Daemon) -> Vec<Value> {
    let rows = daemon.try_cli(&["segments"]).ok();
    rows.and_then(|rows| rows.as_array().cloned()).unwrap_or_default()
}

/// Waits until the program is where it is to be. What takes too long is left to the test to find.
pub(crate) fn wait_attached(daemon: &Daemon) {
    let start = Instant::now();
    let is_waiting = |row: &Value| row["fast_answers"] == "waiting";
    while is_answered_in_kernel() && start.elapsed() < LIMIT && segments(daemon).iter().any(is_waiting) {
        pause(Duration::from_millis(20));
    }
}

/// Counts what a daemon did that is about to end.
pub(crate) fn count(daemon: &mut Daemon) {
    if is_answered_in_kernel() && daemon.is_running() {
        let answered: u64 =
            segments(daemon).iter().filter_map(|row| row["answered_in_kernel"].as_u64()).sum();
        ANSWERED.fetch_add(answered, Ordering::Relaxed);
        DAEMONS.fetch_add(u64::from(answered > 0), Ordering::Relaxed);
    }
}
