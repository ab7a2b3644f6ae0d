//! Ends the daemon when one of its actors hangs or has died, so that it is started again.
//!
//! A thread of its own sends the pings, for a thread that hangs cannot say so. While all answer, it tells the service
//! manager so. If one does not, its name is logged and the process ends at once, with routes and entries as they are: the
//! next start adopts them.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, process};

use arpherd_actors::liveness::{ActorList, ActorName, Verdict};
use sd_notify::NotifyState;
use slog::{Logger, error, info, o};

use crate::exit::Exit;
use crate::log::{Flush, use_fields};
use crate::service_manager::notify;

/// How long an actor may take to answer where no service manager has set another limit.
const LIMIT: Duration = Duration::from_secs(30);

/// The running watchdog; dropping it ends it.
pub(crate) struct Watchdog {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts it for these actors.
    ///
    /// # Errors
    /// If the kernel gives no thread.
    pub(crate) fn start(actors: ActorList, log: Logger, flush: Flush) -> io::Result<Self> {
        let asked_for = sd_notify::watchdog_enabled();
        let is_watched = asked_for.is_some();
        let limit = asked_for.unwrap_or(LIMIT);
        let (stop, stopped) = mpsc::channel();
        let watch = move || {
            // Between two messages to the service manager lie a pause and the time for answers, less than its limit.
            while matches!(stopped.recv_timeout(limit / 4), Err(RecvTimeoutError::Timeout)) {
                match actors.round(limit / 2) {
                    Verdict::Alive if is_watched => notify(&log, &[NotifyState::Watchdog]),
                    Verdict::Alive => {}
                    Verdict::Stalled => info!(log, "process_stalled";
                        "detail" => "the daemon stood still: it was stopped, or had no processor"),
                    Verdict::Hung(names) => end(&log, &flush, "actor_hung", &names),
                    Verdict::Died(names) => end(&log, &flush, "actor_died", &names),
                }
            }
        };
        let thread = thread::Builder::new().name("watchdog".into()).spawn(watch)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It may be in the midst of a round; nobody has to wait for that.
        drop(self.thread.take());
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "main may be what hangs; the log is flushed, and routes are to stay"
)]
fn end(log: &Logger, flush: &Flush, what: &'static str, names: &[ActorName]) -> ! {
    use_fields(false);
    for ActorName { actor, segment } in names {
        let log = match segment {
            Some(segment) => log.new(o!("segment" => segment.to_string())),
            None => log.clone(),
        };
        error!(log, "{}", what; "actor" => actor,
            "hint" => "the daemon ends, to be started again; routes stay. Please report this");
    }
    flush.flush(Duration::from_secs(1));
    process::exit(Exit::Software.code())
}
