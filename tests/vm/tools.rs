//! The programs of the VM, run in namespaces.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use arpherd_lab::{Netns, wait_until};

/// Runs a program to its end and gives what it printed.
///
/// # Panics
/// When it cannot be run or fails; with what it said.
pub(crate) fn run(ns: &Netns, program: &str, arguments: &[&str]) -> String {
    finish(ns.command(program).args(arguments))
        .unwrap_or_else(|said| panic!("{program} {arguments:?}: {said}"))
}

/// Runs `ip` with these arguments.
///
/// # Panics
/// When it fails; with what it said.
pub(crate) fn ip(ns: &Netns, words: &str) -> String {
    run(ns, "ip", &words.split_whitespace().collect::<Vec<_>>())
}

/// How `ip` with these arguments refuses.
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

/// A program that goes on running until it is dropped.
pub(crate) struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Running {
    /// Starts it; what it prints is kept.
    ///
    /// # Panics
    /// When it cannot be started.
    pub(crate) fn start(ns: &Netns, program: &str, arguments: &[&str]) -> Self {
        let mut command = ns.command(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("start {program}: {error}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let output = child.stdout.take().expect("it was asked for");
        let kept = Arc::clone(&lines);
        // Ends with the program.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self { child, lines }
    }

    /// Waits until it printed `words` for the `count`th time.
    ///
    /// # Panics
    /// When it does not within `limit`; with all it printed.
    pub(crate) fn wait_line(&self, words: &str, count: usize, limit: Duration) {
        let lines = || self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let what = || format!("{words:?} from a program that printed\n{}", lines().join("\n"));
        let said = || lines().iter().filter(|line| line.contains(words)).count() >= count;
        let waited = std::panic::catch_unwind(|| wait_until(limit, words, said));
        assert!(waited.is_ok(), "waited {limit:?} for {}", what());
    }

    /// How many of its lines have all these words.
    pub(crate) fn count(&self, words: &[&str]) -> usize {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    /// All that it printed.
    pub(crate) fn said(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}

impl Running {
    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill(); // gone already is fine
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
