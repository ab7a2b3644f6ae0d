//! The two that are compared, as processes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};

use arpherd_lab::{Daemon, Launch};

use crate::error::{BenchError, Result, Tried};
use crate::floor::{self, Job};
use crate::sys::CpuClock;
use crate::testbed::{LINKS, SUBNET, Testbed};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The reference.
    Floor,
    /// The daemon.
    Arpherd,
}

impl Who {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Arpherd => "arpherd",
        }
    }
}

/// A process in a testbed's gateway; it ends with this value.
pub(crate) enum Contender {
    /// The reference and its input.
    Floor(Child, ChildStdin),
    /// The daemon.
    Arpherd(Box<Daemon>),
}

impl Contender {
    /// A floor that receives from the return on.
    pub(crate) fn floor(testbed: &Testbed, job: &Job) -> Result<Self> {
        let this = std::env::current_exe().tried(|| "find the bench's own executable".to_owned())?;
        let mut command = testbed.gateway.command(this);
        command.args(floor::arguments(job, &testbed.links()?));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().tried(|| "start the floor".to_owned())?;
        let mut line = String::new();
        let said = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        match (said, child.stdin.take()) {
            (Some(Ok(1..)), Some(input)) if line.trim() == "ready" => Ok(Self::Floor(child, input)),
            _ => {
                let _ = child.kill(); // it has ended already
                let _ = child.wait();
                Err(BenchError::Ended { who: "floor", log: line })
            }
        }
    }

    /// A daemon that is ready.
    pub(crate) fn arpherd(testbed: &Testbed, binary: &Path, config: &str) -> Result<Self> {
        let launch = Launch::new(&testbed.gateway, binary).config("yaml", config).end_with_caller();
        Ok(Self::Arpherd(Box::new(launch.start()?)))
    }

    pub(crate) fn who(&self) -> Who {
        match self {
            Self::Floor(..) => Who::Floor,
            Self::Arpherd(_) => Who::Arpherd,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        match self {
            Self::Floor(child, _) => child.id(),
            Self::Arpherd(daemon) => daemon.pid(),
        }
    }

    /// Its processor time.
    pub(crate) fn cpu(&self) -> Result<CpuClock> {
        CpuClock::of(self.pid())
    }

    /// Has a floor sweep; a daemon does so by itself.
    pub(crate) fn go(&mut self) -> Result<()> {
        match self {
            Self::Floor(_, input) => input.write_all(b"go\n").tried(|| "tell the floor to sweep".to_owned()),
            Self::Arpherd(_) => Ok(()),
        }
    }

    /// An error when the process is gone: what was measured then is nothing.
    pub(crate) fn still_there(&mut self) -> Result<()> {
        let (gone, log) = match self {
            Self::Floor(child, _) => (!matches!(child.try_wait(), Ok(None)), String::new()),
            Self::Arpherd(daemon) => (!daemon.is_running(), daemon.log()),
        };
        if gone { Err(BenchError::Ended { who: self.who().as_str(), log }) } else { Ok(()) }
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        if let Self::Floor(child, _) = self {
            let _ = child.kill(); // gone already is fine
            let _ = child.wait();
        }
    }
}

/// How the daemon is set for a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// The domain's prefix.
    pub(crate) prefix: &'static str,
    /// The value of `sweep` on `vms`; `lan` is not swept.
    pub(crate) sweep: &'static str,
    /// The value of `expiry`.
    pub(crate) expiry: &'static str,
    /// The value of `limits`.
    pub(crate) limits: &'static str,
    /// The domain's value of `dhcp`.
    pub(crate) dhcp: &'static str,
    /// The value of `fast_answers`.
    pub(crate) fast_answers: &'static str,
}

impl Settings {
    /// Nothing but what frames cause: no sweeps, nobody is asked, no limit is met.
    pub(crate) const QUIET: Self = Self {
        prefix: SUBNET,
        sweep: "off",
        expiry: "{ quiet: 24h }",
        limits: "{ hosts: 1000000, hosts_per_lladdr: 1000000, new_per_second: 10000000 }",
        dhcp: "off",
        fast_answers: "off",
    };

    /// The configuration file, in YAML.
    pub(crate) fn yaml(&self) -> String {
        let Self { prefix, sweep, expiry, limits, dhcp, fast_answers } = self;
        let [lan, vms] = LINKS;
        format!(
            "daemon: {{ fast_answers: {fast_answers} }}\ndomains:\n  bench:\n    prefixes: [{prefix}]\n    dhcp: {dhcp}\n    segments:\n      \
             {lan}: {{ sweep: off, expiry: {expiry}, limits: {limits} }}\n      \
             {vms}: {{ sweep: {sweep}, expiry: {expiry}, limits: {limits} }}\n"
        )
    }
}
