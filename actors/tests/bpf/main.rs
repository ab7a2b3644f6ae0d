//! The program that answers inside the kernel, run by the kernel: on single frames of every kind, and on real links.
//!
//! Loading it takes root outside of every user namespace (`CAP_BPF` there). Elsewhere `cargo test` lists each test as
//! ignored: it did not run and does not count as passed. Its encoding is tested everywhere, in `io::bpf::assembler`.

#![expect(clippy::unwrap_used, reason = "a test stops where it goes wrong")]

mod frames;
mod links;
mod maps;
mod path;
mod rig;
mod rights;

use std::process::ExitCode;

use arpherd_actors::io::bpf::{FastAnswers, LoadError};
use harness::Suite;

fn main() -> ExitCode {
    let forbidden = match FastAnswers::load(rig::ROOM, rig::PROTOCOL) {
        Err(LoadError::Forbidden(error)) => Some(error),
        // Another error is shown by each test.
        Ok(_) | Err(LoadError::Refused { .. }) => None,
    };
    let suite = Suite::from_args().kind("bpf").ignored(forbidden.is_some());
    if let Some(error) = forbidden {
        println!("these tests load a program into the kernel, which root alone may: {error}");
    } else if let Err(error) = arpherd_lab::enter() {
        // Before any thread: the kernel lets only a process with one thread change its namespaces.
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    suite.run()
}
