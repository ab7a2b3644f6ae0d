//! The control socket: how operators look at a running daemon, and the only place of async-std.
//!
//! ```text
//! arpherd hosts ──► client ──unix socket──► server ──► Oracle ──► the daemon's actors
//!              table ◄──         one JSON line each way
//! ```
//!
//! The control plane owns no state and runs on an executor of its own, so that no client, however slow or
//! rude, ever holds up a turn of the actors that answer ARP. async-std is discontinued
//! (RUSTSEC-2025-0052); should it have to go, this module is all there is to change.

mod client;
mod place;
mod protocol;
mod server;
mod table;
#[cfg(test)]
mod testing;

pub(crate) use arpherd_core::view::{Answer, Question};
pub(crate) use client::{ClientError, fetch_as, run_client};
pub(crate) use place::ControlError;
pub(crate) use server::{BoxFuture, Oracle, Server, ServerHandle, Unavailable};

/// Limits async-std to one thread; the control plane has no use for one per processor.
///
/// Takes effect only while the process has a single thread, so it belongs at the very top of `main`. An
/// operator's own `ASYNC_STD_THREAD_COUNT` stands.
pub(crate) fn use_one_thread() {
    const KEY: &str = "ASYNC_STD_THREAD_COUNT";
    if std::env::var_os(KEY).is_some() {
        return;
    }
    let alone = std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1);
    if alone {
        // SAFETY: there is no other thread that could read the environment at the same time.
        #[expect(unsafe_code, reason = "async-std takes this setting from the environment only")]
        #[expect(clippy::disallowed_methods, reason = "the one place for it: there is no other thread yet")]
        unsafe {
            std::env::set_var(KEY, "1");
        }
    }
}
