//! The demo (on its way).
use std::path::Path;
use std::process::ExitCode;
pub(crate) fn run(_keep: bool, _binary: &Path) -> ExitCode {
    eprintln!("arpherd: this build has no demo yet");
    ExitCode::from(70)
}
