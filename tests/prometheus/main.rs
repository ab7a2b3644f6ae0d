//! Debian's Prometheus beside the built binary: it reads all metrics, and evaluates every alert rule and every query of
//! the dashboard in `configs`. Fetched on the first run; see `fetch.sh`.

mod dashboard;
#[path = "../behaviours/rig.rs"]
#[allow(dead_code, reason = "shared with the behaviours, which use more of it")]
mod rig;
mod rules;
mod scraped;
mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use harness::Suite;

/// Where the programs are.
static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();

/// A program of Prometheus' package.
fn program(name: &str) -> PathBuf {
    PROGRAMS.get().expect("set before any test runs").join(name)
}

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn fetch() -> Result<PathBuf, String> {
    let script = repository("tests/prometheus/fetch.sh");
    let output = Command::new(&script).output().map_err(|error| format!("{}: {error}", script.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn main() -> ExitCode {
    let suite = Suite::from_args();
    if !suite.is_list() {
        // Before the machine's network is left.
        match fetch() {
            Ok(programs) => PROGRAMS.set(programs).expect("set once"),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
        if let Err(error) = arpherd_lab::enter() {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    suite.threads(2).run()
}
