//! What arpherd must do on links that few machines have: IPoIB, Wi-Fi, VLANs, bonds and their like. As the
//! behaviours, these tests drive the built binary and are judged by kernels' tables and frames.
//!
//! They run in a VM of Debian's kernel, by `just test-vm` (see `run.sh`). Elsewhere `cargo test` lists each as
//! ignored: it did not run and does not count as passed.

#[path = "../behaviours/doctor/output.rs"]
#[allow(dead_code, reason = "it serves the behaviour tests too")]
mod output;
#[path = "../behaviours/rig.rs"]
#[allow(dead_code, reason = "it serves the behaviour tests too")]
mod rig;

mod a_wifi;
mod d6_bond;
mod d6_fabric;
mod d6_ipoib;
mod d_fillarpd;
mod dhcp;
mod doctor;
mod fabric;
mod ib_arp;
mod links;
mod pair;
mod radios;
mod stations;
mod tools;

use std::env;
use std::process::ExitCode;
use std::sync::OnceLock;

use arpherd_lab::Netns;
use harness::Suite;

/// Set by `run.sh`.
const IN_VM: &str = "ARPHERD_IN_VM";

/// The VM's first network namespace, where radios wait to be taken.
static MACHINE: OnceLock<Netns> = OnceLock::new();

fn main() -> ExitCode {
    let in_vm = env::var_os(IN_VM).is_some();
    // They wait more than they work, but an emulated machine is slow.
    let suite = Suite::from_args().threads(3).kind("vm").ignored(!in_vm);
    if suite.is_list() {
        return suite.run();
    }
    if in_vm {
        // First of all: only a process with one thread may change its namespaces.
        let entered = Netns::current().and_then(|machine| {
            let _ = MACHINE.set(machine);
            arpherd_lab::enter()
        });
        if let Err(error) = entered {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    } else {
        println!("these tests need links that few machines have; `just test-vm` runs them in a VM");
    }
    suite.run()
}
