//! The lab judges arpherd; these tests judge the lab, against the kernel alone.

mod daemon;
mod judge;
mod wire;

use std::process::ExitCode;

use arpherd_lab as lab;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    // First of all: see the crate's documentation.
    if let Err(error) = lab::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let mut tests = Vec::new();
    tests.extend(judge::tests());
    tests.extend(wire::tests());
    tests.extend(daemon::tests());
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// A test that may end with any of the lab's errors.
fn test(name: &str, run: fn() -> lab::Result<()>) -> Trial {
    Trial::test(name, move || run().map_err(Failed::from))
}
