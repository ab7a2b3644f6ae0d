//! The lab judges arpherd; these tests judge the lab, against the kernel alone.

mod daemon;
mod judge;
mod wire;

use std::process::ExitCode;

use harness::Suite;

fn main() -> ExitCode {
    // First of all: see the crate's documentation.
    if let Err(error) = arpherd_lab::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    Suite::from_args().run()
}
