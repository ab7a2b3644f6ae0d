//! Why the demo ends early, and the signals and keys that end it.

use std::io::{self, BufRead};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::LabError;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;

/// Why the demo does not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// A step showed something else than it should.
    #[error("expected {expected}, saw {seen}")]
    Wrong {
        /// What should have been.
        expected: String,
        /// What was.
        seen: String,
    },
    /// The lab could not do its part.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The user wants it to end, by this signal or, without one, at the keyboard.
    #[error("interrupted")]
    Wanted(Option<u8>),
    /// Nobody reads what it prints.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// What a step ends with.
pub(crate) type Done<T = ()> = Result<T, Stop>;

/// `Err` with what was expected and what was seen.
pub(crate) fn wrong<T>(expected: impl Into<String>, seen: impl Into<String>) -> Done<T> {
    Err(Stop::Wrong { expected: expected.into(), seen: seen.into() })
}

/// The exit code if the lab cannot be entered: missing rights, or a kernel that lacks something.
pub(crate) fn no_lab(error: &LabError) -> ExitCode {
    let kind = error.errno().map(|code| io::Error::from_raw_os_error(code).kind());
    if kind == Some(io::ErrorKind::PermissionDenied) { Exit::NoPerm.into() } else { Exit::Unavailable.into() }
}

/// What ends the demo: SIGINT, SIGTERM, SIGHUP and, if enabled, the keyboard.
pub(crate) struct Interrupts {
    sender: Sender<Option<u8>>,
    receiver: Receiver<Option<u8>>,
}

impl Interrupts {
    /// Listens from now on. Signals no longer end the process.
    ///
    /// # Errors
    /// When the kernel gives no signal handlers or no thread.
    pub(crate) fn listen() -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let inside = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        drop(inside);
        let signals = sender.clone();
        thread::Builder::new().spawn(move || {
            let first = async {
                tokio::select! {
                    number = number_of(&mut interrupt, 2) => number,
                    number = number_of(&mut terminate, 15) => number,
                    number = number_of(&mut hangup, 1) => number,
                }
            };
            let number = runtime.block_on(first);
            // Nobody listens any more when the demo is at its end anyway.
            let _ = signals.send(Some(number));
            // Handlers stay: further signals must not interrupt the cleaning up.
        })?;
        Ok(Self { sender, receiver })
    }

    /// Waits `pause`, or until the demo should end.
    pub(crate) fn pause(&self, pause: Duration) -> Done {
        match self.receiver.recv_timeout(pause) {
            Ok(signal) => Err(Stop::Wanted(signal)),
            // It cannot be disconnected: one sender is ours.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(()),
        }
    }

    /// Calls `look` again and again until it finds something; none if `limit` passes first.
    pub(crate) fn until<T>(
        &self,
        limit: Duration,
        mut look: impl FnMut() -> Done<Option<T>>,
    ) -> Done<Option<T>> {
        let (start, mut pause) = (Instant::now(), Duration::from_millis(1));
        loop {
            let found = look()?;
            if found.is_some() || start.elapsed() >= limit {
                return Ok(found);
            }
            self.pause(pause)?;
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Listens to the keyboard too: `q` or the end of standard input.
    pub(crate) fn listen_to_keyboard(&self) -> io::Result<()> {
        let sender = self.sender.clone();
        let read = move || {
            let lines = io::stdin().lock().lines();
            let quit = |line: &String| line.trim().eq_ignore_ascii_case("q");
            // An error is an end, too.
            let _ = lines.map_while(Result::ok).find(quit);
            let _ = sender.send(None);
        };
        thread::Builder::new().spawn(read).map(drop)
    }
}

async fn number_of(signal: &mut Signal, number: u8) -> u8 {
    // None cannot come: the runtime lives on.
    signal.recv().await;
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_gives_up_in_time_and_takes_what_it_finds() -> Done {
        let interrupts = Interrupts::listen()?;
        let mut looks = 0;
        let third = interrupts.until(Duration::from_secs(5), || {
            looks += 1;
            Ok((looks == 3).then_some("found"))
        })?;
        assert_eq!(third, Some("found"));
        assert_eq!(interrupts.until(Duration::from_millis(5), || Ok(None::<()>))?, None);
        Ok(())
    }

    #[test]
    fn an_interrupt_cuts_any_wait_short() -> Done {
        let interrupts = Interrupts::listen()?;
        assert!(interrupts.sender.send(Some(2)).is_ok());
        let start = Instant::now();
        assert!(matches!(interrupts.pause(Duration::from_secs(60)), Err(Stop::Wanted(Some(2)))));
        assert!(start.elapsed() < Duration::from_secs(30));
        Ok(())
    }
}
