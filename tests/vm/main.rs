//! What arpherd must do on links that few machines have: IPoIB, Wi-Fi, VLANs, bonds and their like. As the
//! behaviours, these tests drive the built binary and are judged by kernels' tables and frames.
//!
//! They run in a VM of Debian's kernel, by `just test-vm` (see `run.sh`). Elsewhere `cargo test` lists each as
//! ignored: it did not run and does not count as passed.

#[path = "../behaviours/rig.rs"]
#[allow(dead_code, reason = "it serves the behaviour tests too")]
mod rig;
#[path = "../behaviours/doctor/told.rs"]
#[allow(dead_code, reason = "it serves the behaviour tests too")]
mod told;

mod a_wifi;
mod air;
mod d6_bond;
mod d6_fabric;
mod d6_ipoib;
mod d_fillarpd;
mod doctor;
mod fabric;
mod ib_arp;
mod links;
mod pair;
mod stations;
mod tools;

use std::env;
use std::process::ExitCode;
use std::sync::OnceLock;

use arpherd_lab::{self as lab, Netns};
use libtest_mimic::{Arguments, Failed, Trial};

/// Set by `run.sh`.
const IN_VM: &str = "ARPHERD_IN_VM";

/// The VM's first network namespace, where radios wait to be taken.
static MACHINE: OnceLock<Netns> = OnceLock::new();

fn main() -> ExitCode {
    let in_vm = env::var_os(IN_VM).is_some();
    let mut arguments = Arguments::from_args();
    if in_vm && !arguments.list {
        // First of all: only a process with one thread may change its namespaces.
        let entered = Netns::current().and_then(|machine| {
            let _ = MACHINE.set(machine);
            lab::enter()
        });
        if let Err(error) = entered {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    let files = [
        a_wifi::tests,
        d6_bond::tests,
        d6_fabric::tests,
        d6_ipoib::tests,
        d_fillarpd::tests,
        doctor::tests,
        links::tests,
        stations::tests,
    ];
    let tests = files.iter().flat_map(|tests| tests());
    let tests = tests.map(|test| test.with_ignored_flag(!in_vm)).collect();
    // They wait more than they work, but an emulated machine is slow.
    arguments.test_threads.get_or_insert(3);
    if !in_vm && !arguments.list {
        println!("these tests need links that few machines have; `just test-vm` runs them in a VM");
    }
    libtest_mimic::run(&arguments, tests).exit_code()
}

/// A test that may end with any of the lab's errors.
fn test(name: &str, run: fn() -> lab::Result<()>) -> Trial {
    Trial::test(name, move || run().map_err(Failed::from)).with_kind("vm")
}
