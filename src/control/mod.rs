//! The control socket: queries to a running daemon. The only module that uses async-std.
//!
//! ```text
//! arpherd hosts ──► client ──unix socket──► server ──► QueryHandler ──► the daemon's actors
//!              table ◄──         one JSON line each way
//! ```
//!
//! It owns no state and runs on an executor of its own, so that no client, however slow, delays the actors that
//! answer ARP. async-std is discontinued (RUSTSEC-2025-0052); replacing it changes this module only.

mod access;
mod client;
mod commands;
mod filter;
mod protocol;
#[cfg(feature = "top")]
mod rows;
mod server;
mod socket_file;
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod waking;

pub(crate) use access::Access;
pub(crate) use arpherd_core::view::{Query, Response};
pub(crate) use client::{ClientError, fetch_as, run_client, run_events, run_reload};
pub(crate) use commands::{run_forget, run_log, run_probe, run_role, run_sweep};
pub(crate) use filter::TableFilter;
pub(crate) use protocol::{ControlQuery, ControlResponse};
#[cfg(feature = "top")]
pub(crate) use rows::fetch_rows;
pub(crate) use server::{BoxFuture, Failure, QueryHandler, Server, ServerHandle};
pub(crate) use socket_file::{ControlError, SocketFile};
pub(crate) use waking::run_wake;

/// Limits async-std to one thread instead of one per processor; the control socket needs no more.
///
/// Takes effect only while the process has a single thread, so `main` calls it first. An `ASYNC_STD_THREAD_COUNT`
/// in the environment is kept.
pub(crate) fn use_one_thread() {
    const KEY: &str = "ASYNC_STD_THREAD_COUNT";
    if std::env::var_os(KEY).is_some() {
        return;
    }
    let alone = std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1);
    if alone {
        // SAFETY: there is no other thread that could read the environment at the same time.
        #[expect(unsafe_code, reason = "async-std takes this setting from the environment only")]
        #[expect(clippy::disallowed_methods, reason = "called first in main, while there is a single thread")]
        unsafe {
            std::env::set_var(KEY, "1");
        }
    }
}
