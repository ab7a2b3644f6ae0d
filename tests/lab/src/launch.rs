//! How to start an arpherd process: what it is given, and where it runs.
#![expect(unsafe_code, reason = "what a child does before it execs is said with system calls")]

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use tempfile::TempDir;

use crate::error::{Tried, check};
use crate::fast;
use crate::wait::pause;
use crate::{Daemon, LabError, Netns, Result};

/// Variables that would change what a daemon does, besides all that begin with `ARPHERD_`: a test does
/// not depend on whose shell it runs in.
const FOREIGN: [&str; 6] =
    ["INTERFACE", "SOURCE_IP", "NETWORK", "SWEEP_INTERVAL", "THREADS", "NOTIFY_SOCKET"];

/// What an arpherd process is started with. Can start any number of them.
#[derive(Clone, Debug)]
pub struct Launch {
    pub(crate) ns: Netns,
    pub(crate) binary: PathBuf,
    pub(crate) limit: Duration,
    args: Vec<String>,
    env: Vec<(String, String)>,
    config: Option<(String, String)>,
    end_with_caller: bool,
    without: Vec<u32>,
    no_landlock: Option<i32>,
}

/// How a process that should fail did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Launch {
    /// `binary` in namespace `ns`, without arguments.
    pub fn new(ns: &Netns, binary: &Path) -> Self {
        Self {
            ns: ns.clone(),
            binary: binary.to_owned(),
            limit: Duration::from_secs(10),
            args: Vec::new(),
            env: Vec::new(),
            config: None,
            end_with_caller: false,
            without: Vec::new(),
            no_landlock: None,
        }
    }

    /// Adds arguments; with a [`config`](Self::config) they follow `run --config FILE`.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// All requests are answered by the daemon itself, whatever [`crate::answer_in_kernel`] says.
    #[must_use]
    pub fn without_kernel(self) -> Self {
        self.env(fast::VARIABLE.0, "off")
    }

    /// Runs with a configuration file of this extension (`toml`, `yaml`) and text.
    #[must_use]
    pub fn config(mut self, extension: &str, text: &str) -> Self {
        self.config = Some((extension.to_owned(), text.to_owned()));
        self
    }

    /// How long the start may take; 10 seconds when not given.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The daemon gets a SIGTERM when the thread that starts it is gone, even by SIGKILL, so that no
    /// daemon is left behind.
    #[must_use]
    pub fn end_with_caller(mut self) -> Self {
        self.end_with_caller = true;
        self
    }

    /// The process is not given this capability (`CAP_NET_ADMIN` is 12, see linux/capability.h) either, though
    /// it is root.
    #[must_use]
    pub fn without(mut self, capability: u32) -> Self {
        self.without.push(capability);
        self
    }

    /// The kernel answers the process's questions for Landlock with this error, as one without it does: `ENOSYS`, or
    /// `EOPNOTSUPP` where it is built in and not started.
    #[must_use]
    pub fn without_landlock(mut self, error: i32) -> Self {
        self.no_landlock = Some(error);
        self
    }

    /// Starts the daemon and waits until it says it is ready.
    ///
    /// # Errors
    /// When it cannot be started, ends, or is not ready in time; with all it printed.
    pub fn start(&self) -> Result<Daemon> {
        Daemon::spawn(self)
    }

    /// Runs the program to its end, which must come within the limit, whatever the exit code.
    ///
    /// # Errors
    /// When it cannot be started or does not end.
    pub fn run(&self) -> Result<Failure> {
        let room = Room::new(self)?;
        let output = bounded(self.command(&room), self.limit)?;
        Ok(Failure {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// The daemon's command line.
    pub(crate) fn command(&self, room: &Room) -> Command {
        let mut command = self.plain(room);
        if let Some(config) = &room.config {
            command.args(["run", "--config"]).arg(config);
        }
        command.args(&self.args);
        if self.end_with_caller {
            // SAFETY: between fork and exec it makes one system call without pointers.
            unsafe {
                command.pre_exec(|| check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM)).map(drop));
            }
        }
        for capability in &self.without {
            let capability = libc::c_ulong::from(*capability);
            // SAFETY: between fork and exec it makes one system call without pointers.
            unsafe {
                command.pre_exec(move || check(libc::prctl(libc::PR_CAPBSET_DROP, capability)).map(drop));
            }
        }
        if let Some(error) = self.no_landlock {
            let mut filter = without_landlock(error);
            // SAFETY: between fork and exec it makes one system call, on a filter that exists already.
            unsafe {
                command.pre_exec(move || {
                    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
                    check(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program))
                        .map(drop)
                });
            }
        }
        command
    }

    /// The program with the daemon's environment and no arguments yet.
    pub(crate) fn plain(&self, room: &Room) -> Command {
        let mut command = self.ns.command(&self.binary);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("ARPHERD_")
                || FOREIGN.iter().any(|foreign| name == *foreign)
            {
                command.env_remove(name);
            }
        }
        command.env("ARPHERD_DAEMON__CONTROL", &room.control);
        let says = self.config.as_ref().is_some_and(|(_, text)| text.contains("fast_answers"));
        if fast::is_answered_in_kernel() {
            command.env(fast::VARIABLE.0, fast::VARIABLE.1);
        } else if !says {
            // What answers is the same for root and for others; and each attaching holds the kernel's network lock, for
            // which the daemons of all tests wait.
            command.env(fast::VARIABLE.0, "off");
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// A seccomp filter by which landlock_create_ruleset fails.
fn without_landlock(error: i32) -> [libc::sock_filter; 4] {
    /// The same number on every machine (asm-generic/unistd.h).
    const CREATE_RULESET: u32 = 444;
    let statement = |code: u32, k| libc::sock_filter {
        code: u16::try_from(code).expect("all codes are small"),
        jt: 0,
        jf: 0,
        k,
    };
    [
        // The number is the first word of `struct seccomp_data`.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter { jf: 1, ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, CREATE_RULESET) },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | error.unsigned_abs()),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ]
}

/// A daemon's private directory, removed with it.
pub(crate) struct Room {
    pub(crate) control: PathBuf,
    pub(crate) config: Option<PathBuf>,
    _dir: TempDir,
}

impl Room {
    pub(crate) fn new(launch: &Launch) -> Result<Self> {
        let make = || {
            let dir = tempfile::Builder::new().prefix("arpherd-lab-").tempdir()?;
            let mut config = None;
            if let Some((extension, text)) = &launch.config {
                let path = dir.path().join(format!("arpherd.{extension}"));
                fs::write(&path, text)?;
                config = Some(path);
            }
            Ok::<_, io::Error>(Self { control: dir.path().join("control.sock"), config, _dir: dir })
        };
        make().tried(|| format!("make a directory below {}", env::temp_dir().display()))
    }
}

/// Runs a command to its end or, when `limit` passed, kills it. Pipes are read meanwhile, so that a
/// full one stops nobody.
pub(crate) fn bounded(mut command: Command, limit: Duration) -> Result<Output> {
    let mut child = command.spawn().tried(|| format!("start {command:?}"))?;
    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let start = Instant::now();
    let mut ended = false;
    while !ended && start.elapsed() < limit {
        ended = child.try_wait().tried(|| "wait for a child".to_owned())?.is_some();
        if !ended {
            pause(Duration::from_millis(2));
        }
    }
    if !ended {
        let _ = child.kill();
    }
    let status = child.wait().tried(|| "wait for a child".to_owned())?;
    let read = |thread: thread::JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
    let output = Output { status, stdout: read(stdout), stderr: read(stderr) };
    if ended {
        return Ok(output);
    }
    let log = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Err(LabError::Daemon { what: format!("{command:?} did not end within {limit:?}"), log })
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes); // what came before an error is kept
        }
        bytes
    })
}
