//! What people look at: `arpherd top` in a terminal and the page of `daemon.http` in a browser, both of which others
//! wrote (pyte and Chromium, from Debian's packages).
//!
//! They run by `just test-screen` (see `run.sh`), which fetches these. Elsewhere `cargo test` lists each as ignored: it
//! did not run and does not count as passed.

#[path = "../behaviours/rig.rs"]
#[allow(dead_code, reason = "it serves the behaviour tests too")]
mod rig;

mod driver;
mod page;
mod top;

use std::env;
use std::process::ExitCode;

use harness::Suite;

/// Set by `run.sh`.
const PREPARED: &str = "ARPHERD_SCREEN_PYTE";

fn main() -> ExitCode {
    let prepared = env::var_os(PREPARED).is_some();
    let suite = Suite::from_args().threads(2).kind("screen").ignored(!prepared);
    if suite.is_list() {
        return suite.run();
    }
    if !prepared {
        println!("these tests need a terminal and a browser; `just test-screen` fetches and runs them");
    } else if let Err(error) = arpherd_lab::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    suite.run()
}
