//! A running arpherd.
#![expect(unsafe_code, reason = "sending a signal is a system call")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::Tried;
use crate::fast;
use crate::launch::{Launch, Room, bounded};
use crate::wait::{left, pause};
use crate::{Failure, LabError, Netns, Result};

/// An arpherd process in a namespace, with a private directory for its configuration and control
/// socket. Dropping it kills the process and removes the directory.
pub struct Daemon {
    launch: Launch,
    room: Room,
    child: Child,
    log: Arc<Log>,
}

/// What the process prints, standard output and error in order of arrival.
#[derive(Default)]
struct Log {
    text: Mutex<Text>,
    grown: Condvar,
}

#[derive(Default)]
struct Text {
    lines: Vec<String>,
    open: usize,
}

impl Daemon {
    /// Starts `binary` in the namespace and waits, at most 10 seconds, for a line with the word
    /// `ready`. With a configuration (extension and text) its arguments are `run --config FILE` and
    /// then `args`; without one just `args`. See [`Launch`] for more to choose.
    ///
    /// # Errors
    /// When it cannot be started, ends, or is not ready in time; with all it printed.
    pub fn start(ns: &Netns, binary: &Path, args: &[&str], config: Option<(&str, &str)>) -> Result<Self> {
        launch(ns, binary, args, config).start()
    }

    /// Starts `binary` the same way and waits for its end, to see how it refuses.
    ///
    /// # Errors
    /// When it cannot be started or still runs after 10 seconds.
    pub fn start_expecting_failure(
        ns: &Netns,
        binary: &Path,
        args: &[&str],
        config: Option<(&str, &str)>,
    ) -> Result<Failure> {
        launch(ns, binary, args, config).run()
    }

    pub(crate) fn spawn(launch: &Launch) -> Result<Self> {
        let room = Room::new(launch)?;
        let mut command = launch.command(&room);
        let mut child = command.spawn().tried(|| format!("start {command:?}"))?;
        let log = Arc::new(Log::default());
        log.follow(child.stdout.take());
        log.follow(child.stderr.take());
        let mut daemon = Self { launch: launch.clone(), room, child, log };
        if daemon.log.wait(launch.limit, is_ready).is_none() {
            let end = daemon.child.try_wait().ok().flatten();
            let how = end.map_or_else(
                || format!("within {:?}", launch.limit),
                |status| format!("but ended ({status})"),
            );
            return Err(LabError::Daemon {
                what: format!("{command:?} was not ready {how}"),
                log: daemon.log(),
            });
        }
        fast::wait_attached(&daemon);
        Ok(daemon)
    }

    /// All it printed up to now.
    pub fn log(&self) -> String {
        self.log.lock().lines.join("\n")
    }

    /// The first line, from the start on, that contains `needle`; waits for it up to `limit`.
    pub fn wait_log(&self, needle: &str, limit: Duration) -> Option<String> {
        self.log.wait(limit, |line| line.contains(needle))
    }

    /// Runs a client command against the daemon and gives what it printed as JSON; several lines of
    /// JSON become an array.
    ///
    /// # Panics
    /// When the command fails or prints something else; see [`try_cli`](Self::try_cli).
    pub fn cli(&self, args: &[&str]) -> Value {
        self.try_cli(args).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a client command against the daemon, see [`cli`](Self::cli).
    ///
    /// # Errors
    /// When it fails, takes longer than 10 seconds, or prints something else than JSON.
    pub fn try_cli(&self, args: &[&str]) -> Result<Value> {
        let output = self.run_cli(&[args, &["--json"]].concat())?;
        let Failure { code, stdout, stderr } = output;
        let parsed = serde_json::from_str(&stdout).or_else(|_| {
            stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>().map(Value::Array)
        });
        match parsed {
            Ok(value) if code == Some(0) => Ok(value),
            _ => Err(LabError::Daemon {
                what: format!("arpherd {args:?} --json gave code {code:?} and {stdout:?}, {stderr:?}"),
                log: self.log(),
            }),
        }
    }

    /// Runs a client command with exactly these arguments and gives how it ended.
    ///
    /// # Errors
    /// When it cannot be started or takes longer than 10 seconds.
    pub fn run_cli(&self, args: &[&str]) -> Result<Failure> {
        let mut command = self.launch.plain(&self.room);
        command.args(args);
        let output = bounded(command, Duration::from_secs(10))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Failure { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }

    /// Its configuration file, to be rewritten for a reload.
    pub fn config_path(&self) -> Option<&Path> {
        self.room.config.as_deref()
    }

    /// Its control socket.
    pub fn control_path(&self) -> &Path {
        &self.room.control
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has for itself: private memory in KiB (`RssAnon` of proc(5)), and open descriptors.
    ///
    /// # Errors
    /// If it has ended.
    pub fn burden(&self) -> Result<(u64, usize)> {
        let folder = Path::new("/proc").join(self.pid().to_string());
        let status = std::fs::read_to_string(folder.join("status")).tried(|| "read its status".to_owned())?;
        let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
        let open = std::fs::read_dir(folder.join("fd")).tried(|| "list its descriptors".to_owned())?;
        Ok((own.and_then(|own| own.trim().parse().ok()).unwrap_or_default(), open.count()))
    }

    /// True while it runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal, e.g. `libc::SIGHUP`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&mut self, signal: i32) -> Result<()> {
        let what = || format!("send signal {signal}");
        if !self.is_running() {
            return Err(std::io::Error::from_raw_os_error(libc::ESRCH)).tried(what);
        }
        let pid = libc::pid_t::try_from(self.pid()).unwrap_or(libc::pid_t::MAX);
        // SAFETY: no pointers; our child is not reaped yet, so the number is still its own.
        crate::error::check(unsafe { libc::kill(pid, signal) }).map(drop).tried(what)
    }

    /// Asks it to end (SIGTERM) and waits; after 10 seconds it is killed, which the status shows.
    /// Afterwards [`log`](Self::log) is complete.
    pub fn terminate(&mut self) -> ExitStatus {
        fast::count(self);
        let _ = self.signal(libc::SIGTERM); // gone already is fine
        let start = Instant::now();
        while self.is_running() && start.elapsed() < Duration::from_secs(10) {
            pause(Duration::from_millis(2));
        }
        self.kill()
    }

    /// Ends it at once (SIGKILL) and waits.
    ///
    /// # Panics
    /// When the process was reaped by someone else.
    pub fn kill(&mut self) -> ExitStatus {
        let _ = self.child.kill(); // gone already is fine
        let status = self.child.wait().expect("nobody else waits for our child");
        self.log.wait_end(Duration::from_secs(2));
        status
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        fast::count(self);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(ns: &Netns, binary: &Path, args: &[&str], config: Option<(&str, &str)>) -> Launch {
    let launch = Launch::new(ns, binary).args(args);
    match config {
        Some((extension, text)) => launch.config(extension, text),
        None => launch,
    }
}

/// `ready` as a separate word: "already" is not.
fn is_ready(line: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric()).any(|word| word == "ready")
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Text> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a pipe to its end, which comes with the process's.
    fn follow(self: &Arc<Self>, pipe: Option<impl Read + Send + 'static>) {
        let Some(pipe) = pipe else { return };
        self.lock().open += 1;
        let log = Arc::clone(self);
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n') {
                let Ok(line) = line else { break };
                log.lock().lines.push(String::from_utf8_lossy(&line).into_owned());
                log.grown.notify_all();
            }
            log.lock().open -= 1;
            log.grown.notify_all();
        });
    }

    /// The first line that fits; none when `limit` passed or the pipes ended before.
    fn wait(&self, limit: Duration, fits: impl Fn(&str) -> bool) -> Option<String> {
        let start = Instant::now();
        let mut asked = 0;
        let mut text = self.lock();
        loop {
            if let Some(line) = text.lines[asked..].iter().find(|line| fits(line)) {
                return Some(line.clone());
            }
            asked = text.lines.len();
            let left = left(start, limit);
            if text.open == 0 || left.is_zero() {
                return None;
            }
            text = self.grown.wait_timeout(text, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn wait_end(&self, limit: Duration) {
        let start = Instant::now();
        let mut text = self.lock();
        while text.open > 0 && !left(start, limit).is_zero() {
            text =
                self.grown.wait_timeout(text, left(start, limit)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
