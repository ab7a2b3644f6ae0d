//! The signals that a running daemon handles, in the order in which they were sent.

use std::io;

use arpherd_actors::io::wake::Wake;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// SIGTERM, SIGINT: stop, and do with the routes what the configuration says.
    Stop,
    /// SIGUSR2: stop, and keep the routes for the next start.
    StopForRestart,
    /// SIGHUP: take up a changed configuration.
    Reload,
    /// SIGUSR1: turn debug records on or off.
    ToggleDebug,
}

/// The signals of [`Request`], blocked in this thread and in those that it starts from now on: they wait in the kernel
/// until [`Signals`] reads them.
#[derive(Debug)]
pub(crate) struct BlockedSignals(SigSet);

impl BlockedSignals {
    /// Blocks them. To be called before any other thread is started: a thread in which they are not blocked would end
    /// the process.
    pub(crate) fn new() -> io::Result<Self> {
        let handled = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR2, Signal::SIGHUP, Signal::SIGUSR1];
        let set: SigSet = handled.into_iter().collect();
        set.thread_block()?;
        Ok(Self(set))
    }

    /// To read them, within a tokio runtime. None is lost that arrived since [`Self::new`].
    pub(crate) fn read(&self) -> io::Result<Signals> {
        let descriptor = SignalFd::with_flags(&self.0, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Signals { wake: Wake::on(&descriptor)?, descriptor })
    }
}

/// Reads what was sent, the lowest number first (`dequeue_signal` in kernel/signal.c).
///
/// A unit whose ExecStop sends SIGUSR2 (12) has systemd send SIGTERM (15) right after it. Handlers run on
/// whichever threads the kernel chooses, so that of the second could be seen before that of the first, and routes be
/// withdrawn that were to be kept. Here, whoever can read the second can read the first, and does so before.
#[derive(Debug)]
pub(crate) struct Signals {
    descriptor: SignalFd,
    wake: Wake,
}

impl Signals {
    /// Waits for the next one: its name, and what it asks for.
    ///
    /// # Errors
    /// When the kernel refuses to be asked, which leaves the daemon without a way to be stopped.
    pub(crate) async fn next(&mut self) -> io::Result<(&'static str, Request)> {
        loop {
            let Some(read) = self.descriptor.read_signal()? else {
                self.wake.readable().await?;
                continue;
            };
            let signal = i32::try_from(read.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok());
            let request = match signal {
                Some(Signal::SIGTERM | Signal::SIGINT) => Request::Stop,
                Some(Signal::SIGUSR2) => Request::StopForRestart,
                Some(Signal::SIGHUP) => Request::Reload,
                Some(Signal::SIGUSR1) => Request::ToggleDebug,
                _ => continue,
            };
            return Ok((signal.map_or("", Signal::as_str), request));
        }
    }
}
