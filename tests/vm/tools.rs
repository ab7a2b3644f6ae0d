//! The programs of the VM, run in namespaces.

use std::process::{Command, Stdio};

use arpherd_lab::Netns;

/// Runs a program to its end and gives what it printed.
///
/// # Panics
/// When it cannot be run or fails; with what it said.
pub(crate) fn run(ns: &Netns, program: &str, arguments: &[&str]) -> String {
    finish(ns.command(program).args(arguments))
        .unwrap_or_else(|said| panic!("{program} {arguments:?}: {said}"))
}

/// Runs `ip` with these words.
///
/// # Panics
/// When it fails; with what it said.
pub(crate) fn ip(ns: &Netns, words: &str) -> String {
    run(ns, "ip", &words.split_whitespace().collect::<Vec<_>>())
}

/// How `ip` with these words refuses.
///
/// # Panics
/// When it does not.
pub(crate) fn ip_refuses(ns: &Netns, words: &str) -> String {
    finish(ns.command("ip").args(words.split_whitespace())).expect_err(words)
}

/// Reads or writes, by a shell line, what `/sys` shows of the namespace's links.
///
/// # Panics
/// When the line fails.
pub(crate) fn shell(ns: &Netns, line: &str) -> String {
    run(ns, "busybox", &["sh", "-c", line])
}

fn finish(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{}: {}{}", output.status, text(&output.stdout), text(&output.stderr)))
}
