//! The edge against the real kernel, judged by the lab's own reader of routes, neighbours and frames.
//!
//! Every test has network namespaces of its own; none needs a right or a program. One that cannot run
//! fails.

#![expect(clippy::unwrap_used, reason = "a test stops where it goes wrong")]

mod dhcp;
mod diagnosis;
mod ipoib;
mod lists;
mod monitor;
mod neighbours;
mod netns;
mod packets;
mod proxies;
mod radios;
mod rig;
mod route_lookup;
mod routes;
mod settings;
mod shared_lladdrs;
mod stamps;

use std::process::ExitCode;

use harness::Suite;

fn main() -> ExitCode {
    // Before any thread: the kernel lets only a process with one thread change its user namespace.
    if let Err(error) = arpherd_lab::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    Suite::from_args().run()
}
