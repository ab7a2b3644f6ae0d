//! Debian's Prometheus beside the built binary: it reads all metrics, and evaluates every alert rule and every query of
//! the dashboard in `configs`.
//!
//! They run by `just test-metrics` (see `run.sh`), which fetches it. Elsewhere `cargo test` lists each as ignored: it did
//! not run and does not count as passed.

mod dashboard;
#[path = "../behaviours/rig.rs"]
#[allow(dead_code, reason = "shared with the behaviours, which use more of it")]
mod rig;
mod rules;
mod scraped;
mod server;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use harness::Suite;

/// The folder that Prometheus' package is unpacked in; set by `run.sh`.
const PREPARED: &str = "ARPHERD_PROMETHEUS";

/// A program of Prometheus' package.
fn program(name: &str) -> PathBuf {
    let root = env::var_os(PREPARED).expect("no test runs without it");
    Path::new(&root).join("usr/bin").join(name)
}

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn main() -> ExitCode {
    let prepared = env::var_os(PREPARED).is_some();
    let suite = Suite::from_args().threads(2).kind("prometheus").ignored(!prepared);
    if suite.is_list() {
        return suite.run();
    }
    if !prepared {
        println!("these tests need Prometheus; `just test-metrics` fetches it and runs them");
    } else if let Err(error) = arpherd_lab::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    suite.run()
}
