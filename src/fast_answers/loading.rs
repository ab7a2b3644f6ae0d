//! Loading the program when the start is over, which it would hold up while the kernel checks it: for 1 to 20 ms.

use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use slog::{Logger, error};
use tokio::sync::oneshot;

use arpherd_actors::io::bpf::LoadError;

use super::{FastLoad, FastPrograms, Outcome, is_demanded, wanted};
use crate::config::Config;
use crate::exit::Exit;

/// Programs that are to be loaded, or are already.
pub(crate) struct Loading(State);

enum State {
    /// A thread with the rights to waits for its turn.
    Waiting(Loader),
    Ended(FastLoad, FastPrograms),
}

/// The thread that loads them. It ends without having done so when this is dropped.
struct Loader {
    turn: mpsc::Sender<()>,
    outcome: oneshot::Receiver<(FastLoad, FastPrograms)>,
    thread: JoinHandle<()>,
}

impl Loading {
    /// Prepares to load the programs that the configuration wants, with the rights that the calling thread has now: a
    /// thread keeps them until it has done so, and ends. Where a segment has to have its program it is loaded at once,
    /// because the daemon does not start without.
    pub(crate) fn prepare(config: &Config, is_recording: bool) -> Self {
        let (wanted, protocol) = (wanted(config), config.routes.protocol);
        let ended = |outcome| Self(State::Ended(FastLoad(outcome), FastPrograms::default()));
        if wanted.is_empty() {
            return ended(Outcome::NotWanted);
        }
        if is_recording {
            return ended(Outcome::Recording);
        }
        if is_demanded(config) {
            let (load, programs) = FastLoad::load(wanted, protocol);
            return Self(State::Ended(load, programs));
        }
        let ((turn, its_turn), (sender, outcome)) = (mpsc::channel(), oneshot::channel());
        let load = move || {
            if its_turn.recv().is_ok() {
                // Who gave it its turn waits for it.
                let _ = sender.send(FastLoad::load(wanted, protocol));
            }
        };
        match thread::Builder::new().name("load".to_owned()).spawn(load) {
            Ok(thread) => Self(State::Waiting(Loader { turn, outcome, thread })),
            Err(cause) => ended(refused(cause)),
        }
    }

    /// Whether the daemon may start, as far as that is known.
    ///
    /// # Errors
    /// The exit code, if a segment has to have a program that could not be loaded; the reason is in the log.
    pub(crate) fn check(&self, config: &Config, log: &Logger) -> Result<(), Exit> {
        match &self.0 {
            State::Ended(FastLoad(Outcome::Failed(error)), _) if is_demanded(config) => {
                error!(log, "not_started"; "error" => %format_args!("fast_answers is on, and {error}"),
                    "hint" => "with fast_answers: auto the daemon answers instead (docs/fast-answers.md)");
                Err(if matches!(error, LoadError::Forbidden(_)) { Exit::NoPerm } else { Exit::Unavailable })
            }
            State::Waiting(_) | State::Ended(..) => Ok(()),
        }
    }

    /// Loads them, as far as that is not done, and logs what became of it.
    pub(crate) async fn load(self, log: &Logger) -> (FastLoad, FastPrograms) {
        let (load, programs) = match self.0 {
            State::Ended(load, programs) => (load, programs),
            State::Waiting(Loader { turn, outcome, thread }) => {
                // If the thread is gone that is the outcome.
                let _ = turn.send(());
                let outcome = outcome.await;
                // It is at its end. From then on nobody has the rights.
                let _ = thread.join();
                outcome.unwrap_or_else(|_| {
                    let cause = io::Error::other("the thread that loads it has stopped");
                    (FastLoad(refused(cause)), FastPrograms::default())
                })
            }
        };
        load.log(log);
        (load, programs)
    }
}

/// It did not come so far that the kernel's verifier had a say.
fn refused(cause: io::Error) -> Outcome {
    Outcome::Failed(LoadError::Refused { cause, log: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fast_answers::testing::{failed, with};

    fn ended(load: FastLoad) -> Loading {
        Loading(State::Ended(load, FastPrograms::default()))
    }

    #[test]
    fn who_demands_it_does_not_start_without() {
        let log = Logger::root(slog::Discard, slog::o!());
        assert_eq!(ended(failed()).check(&with("auto", "", ""), &log), Ok(()));
        assert_eq!(ended(failed()).check(&with("off", "fast_answers: on", ""), &log), Err(Exit::NoPerm));
        let unsupported = ended(FastLoad(refused(io::ErrorKind::Unsupported.into())));
        assert_eq!(unsupported.check(&with("on", "", ""), &log), Err(Exit::Unavailable));
    }

    #[tokio::test]
    async fn a_loader_that_ends_without_an_outcome_has_failed() {
        let log = Logger::root(slog::Discard, slog::o!());
        let ((turn, _), (_, outcome)) = (mpsc::channel(), oneshot::channel());
        let thread = thread::spawn(|| {});
        let (load, _) = Loading(State::Waiting(Loader { turn, outcome, thread })).load(&log).await;
        assert!(matches!(load, FastLoad(Outcome::Failed(LoadError::Refused { .. }))));
    }
}
