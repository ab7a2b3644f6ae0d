//! The edge against the real kernel, judged by the lab's own reader of routes, neighbours and frames.
//!
//! Every test has network namespaces of its own; none needs a right or a program. One that cannot run
//! fails.

#![expect(clippy::unwrap_used, reason = "a test stops where it goes wrong")]

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

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    // Before any thread: the kernel lets only a process with one thread change its user namespace.
    if let Err(error) = arpherd_lab::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let mut trials = Vec::new();
    for tests in [
        routes::TESTS,
        diagnosis::TESTS,
        route_lookup::TESTS,
        neighbours::TESTS,
        netns::TESTS,
        proxies::TESTS,
        monitor::TESTS,
        lists::TESTS,
        radios::TESTS,
        settings::TESTS,
        packets::TESTS,
        ipoib::TESTS,
    ] {
        trials.extend(tests.iter().map(|(name, test)| {
            Trial::test(*name, move || {
                test();
                Ok(())
            })
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
