//! The demo, as a user runs it: the built binary in a child process, judged by what it prints and by what
//! it leaves behind.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::wait_until;
use tempfile::TempDir;

/// What the demo may take.
const LIMIT: Duration = Duration::from_secs(20);
/// What its end may take.
const SOON: Duration = Duration::from_secs(10);

/// A demo that runs, with a directory of its own for temporary files.
struct Demo {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    directory: TempDir,
    begun: Instant,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut child = Command::new(env!("CARGO_BIN_EXE_arpherd"))
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let stdout = child.stdout.take().expect("it is piped");
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
        });
        Self { child, lines, seen: Vec::new(), directory, begun: Instant::now() }
    }

    /// Reads until a line contains `needle`; without one to the end.
    fn read_until(&mut self, needle: Option<&str>) {
        loop {
            let left = LIMIT.saturating_sub(self.begun.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let found = needle.is_some_and(|needle| line.contains(needle));
                    self.seen.push(line);
                    if found {
                        return;
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) if needle.is_none() => return,
                Err(error) => panic!("{error} before {needle:?}, {left:?} left:\n{}", self.text()),
            }
        }
    }

    fn text(&self) -> String {
        self.seen.join("\n")
    }

    /// Waits for its end, and makes sure that no process of it is left.
    fn end(&mut self) -> ExitStatus {
        self.read_until(None);
        let status = self.child.wait().expect("nobody else waits for it");
        assert!(processes_of(self.directory.path()).is_empty(), "left behind by\n{}", self.text());
        status
    }

    fn assert_no_files(&self) {
        let left: Vec<_> = fs::read_dir(self.directory.path()).expect("our own directory").collect();
        assert!(left.is_empty(), "{left:?} left behind by\n{}", self.text());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill(); // gone already is fine
        let _ = self.child.wait();
    }
}

/// Processes that name a file below `directory` on their command line, as the demo's daemon does.
fn processes_of(directory: &Path) -> Vec<String> {
    let needle = directory.display().to_string();
    let entries = fs::read_dir("/proc").expect("/proc is mounted").filter_map(Result::ok);
    let names = |path: &Path| {
        let text = fs::read(path.join("cmdline")).unwrap_or_default(); // a process may just have ended
        String::from_utf8_lossy(&text).contains(&needle)
    };
    let numbers = entries.filter(|entry| names(&entry.path())).map(|entry| entry.file_name());
    numbers.map(|number| number.to_string_lossy().into_owned()).collect()
}

/// Runs a line as a user would in another terminal.
fn shell(line: &str) -> (bool, String) {
    let output = Command::new("/bin/sh").args(["-c", line]).output().expect("a shell");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn demo_shows_all_it_promises_in_time_and_leaves_nothing() {
    let mut demo = Demo::start(&[]);
    let status = demo.end();
    let text = demo.text();
    assert!(status.success(), "{status}:\n{text}");
    assert!(demo.begun.elapsed() < LIMIT, "{:?}:\n{text}", demo.begun.elapsed());
    demo.assert_no_files();
    assert!(demo.seen.iter().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains('\x1b'), "no colour where there is no terminal:\n{text}");
    // The configuration, a host's row, its route, a proxied neighbour, the table, the move, the end.
    for needle in [
        "prefixes: [10.7.0.0/24]",
        "02:00:0a:07:00:17",
        "10.7.0.23 dev vms proto 169 scope link src 10.7.0.254 metric 50",
        "10.7.0.21  02:00:00:00:ff:01 gw",
        "its cable is in lan after",
        "vm1 lost ",
        "host_moved",
        "ended with code 0",
    ] {
        assert!(text.contains(needle), "{needle:?} is missing:\n{text}");
    }
    for near in ["router", "pc1", "pc2"] {
        for far in ["vm1", "vm2", "vm3"] {
            let row = demo.seen.iter().find(|line| line.trim().starts_with(&format!("{near} - {far} ")));
            let lossless =
                row.is_some_and(|row| row.matches(" 0/10 ").count() == 2 && row.matches(" ms").count() == 4);
            assert!(lossless, "{near} - {far}: {row:?}\n{text}");
        }
    }
}

#[test]
fn kept_demo_can_be_looked_into_as_it_says_and_ends_at_the_keyboard() {
    let mut demo = Demo::start(&["--keep"]);
    demo.read_until(Some("It ends with q"));
    let text = demo.text();
    assert!(demo.seen.iter().all(|line| line.chars().count() <= 80), "{text}");
    let joined = text.replace("\\\n", "");
    let commands = |word: &str| -> Vec<&str> {
        joined
            .lines()
            .filter(|line| line.split_whitespace().next().is_some_and(|first| first.ends_with(word)))
            .collect()
    };
    let clients = commands("/arpherd");
    assert_eq!(clients.len(), 3, "hosts, routes, segments:\n{text}");
    for command in clients {
        let (fine, said) = shell(command);
        assert!(fine && said.contains("vms"), "{command}:\n{said}");
    }
    let inside = commands("nsenter");
    assert!(inside.len() >= 3, "gateway, a host on each side:\n{text}");
    for command in inside {
        // Where nsenter would go, whether or not there is an nsenter.
        let by_descriptor = command.split_whitespace().find_map(|word| word.strip_prefix("--net="));
        if let Some(path) = by_descriptor {
            let target = fs::read_link(path).unwrap_or_default();
            assert!(target.display().to_string().starts_with("net:["), "{command}: {target:?}");
        }
        if shell("command -v nsenter").0 && !command.contains("tcpdump") {
            let (fine, said) = shell(command);
            // Where there is no ip program, it is the kernel's own table, which has them in hexadecimal.
            let shows_hosts = said.contains("10.7.0.") || said.contains("00070A");
            assert!(fine && shows_hosts, "{command}:\n{said}");
        }
    }
    let mut keyboard = demo.child.stdin.take().expect("it is piped");
    keyboard.write_all(b"what?\nq\n").expect("it listens");
    assert_eq!(demo.end().code(), Some(0), "{}", demo.text());
    demo.assert_no_files();
}

#[test]
fn kept_demo_ends_with_its_standard_input() {
    let mut demo = Demo::start(&["--keep"]);
    drop(demo.child.stdin.take());
    assert_eq!(demo.end().code(), Some(0), "{}", demo.text());
    demo.assert_no_files();
}

#[test]
fn interrupted_demo_leaves_nothing() {
    let mut demo = Demo::start(&[]);
    demo.read_until(Some("ready in"));
    assert!(shell(&format!("kill -INT {}", demo.child.id())).0);
    assert_eq!(demo.end().code(), Some(130), "{}", demo.text());
    demo.assert_no_files();
}

#[test]
fn step_that_fails_tells_what_was_expected_and_seen() {
    let mut demo = Demo::start(&[]);
    demo.read_until(Some("ready in"));
    let daemon = processes_of(demo.directory.path()).join(" ");
    assert!(shell(&format!("kill -KILL {daemon}")).0, "{daemon:?}");
    let status = demo.end();
    let text = demo.text();
    assert_eq!(status.code(), Some(1), "{text}");
    for needle in ["FAILED after", "expected  ", "seen  ", "end of the daemon's log:", "ready, domains: 1"] {
        assert!(text.contains(needle), "{needle:?} is missing:\n{text}");
    }
    assert!(demo.seen.iter().all(|line| line.chars().count() <= 80), "{text}");
    demo.assert_no_files();
}

#[test]
fn demo_that_nobody_reads_ends_quietly() {
    let mut demo = Demo::start(&[]);
    demo.read_until(Some("ready in"));
    demo.lines = mpsc::channel().1; // the reader ends, and the pipe with it
    wait_until(SOON, "the demo to end", || matches!(demo.child.try_wait(), Ok(Some(_))));
    assert!(processes_of(demo.directory.path()).is_empty());
    demo.assert_no_files();
}

#[test]
fn daemon_of_a_killed_demo_ends_too() {
    let mut demo = Demo::start(&[]);
    demo.read_until(Some("ready in"));
    demo.child.kill().expect("it runs");
    wait_until(SOON, "the daemon to end", || processes_of(demo.directory.path()).is_empty());
}
