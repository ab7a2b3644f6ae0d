//! Asks the daemon, in a thread of its own, so that a daemon that does not answer leaves the keys alone.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use arpherd_core::view::{HostView, Query, StatusView};

use super::hosts::{HostsCollector, HostsPage, HostsWanted};
use super::model::{News, Snapshot, Wanted};
use crate::control::{ClientError, ControlQuery, fetch_as, fetch_rows};
use crate::events::{EventsQuery, EventsView};

/// Hosts are asked for again after so many times the time that the last answer took: a daemon with 65,536 hosts
/// spends a tenth of a core on it at the most.
const REST: u32 = 10;

/// The questions and what follows from one to the next.
#[derive(Debug)]
pub(super) struct Poller {
    control: PathBuf,
    start: Instant,
    /// The newest event that was read.
    last_event: Option<u64>,
    /// The daemon's uptime in seconds, and when it was read.
    uptime: Option<(u64, Instant)>,
    asked_for: Option<HostsWanted>,
    /// Before that, hosts are only asked for if others are wanted.
    hosts_again: Instant,
}

impl Poller {
    pub(super) fn new(control: PathBuf) -> Self {
        let start = Instant::now();
        Self { control, start, last_event: None, uptime: None, asked_for: None, hosts_again: start }
    }

    /// Asks once.
    ///
    /// # Errors
    /// If the daemon does not answer.
    pub(super) fn ask(&mut self, wanted: &Wanted) -> Result<Snapshot, ClientError> {
        let status: StatusView = fetch_as(&self.control, Query::Status)?;
        let restarted = self.uptime.is_some_and(|(uptime, at)| is_another(uptime, at.elapsed(), &status));
        self.uptime = Some((status.uptime_seconds, Instant::now()));
        if restarted {
            // Its events are numbered from one again.
            self.last_event = None;
        }
        let segments = fetch_as(&self.control, Query::Segments)?;
        let at = self.start.elapsed();
        let query = EventsQuery { after: self.last_event, ..EventsQuery::default() };
        let events: EventsView = fetch_as(&self.control, ControlQuery::Events(query))?;
        let hosts = self.hosts(wanted.hosts.as_ref())?;
        self.last_event = Some(events.last);
        Ok(Snapshot { at, status, segments, hosts, events, restarted })
    }

    fn hosts(&mut self, wanted: Option<&HostsWanted>) -> Result<Option<HostsPage>, ClientError> {
        let start = Instant::now();
        let Some(wanted) = wanted else {
            // They are asked for at once when they are shown again.
            self.asked_for = None;
            return Ok(None);
        };
        if self.asked_for.as_ref() == Some(wanted) && start < self.hosts_again {
            return Ok(None);
        }
        let mut collector = HostsCollector::new(wanted.clone());
        fetch_rows(&self.control, Query::Hosts, |host: HostView| collector.add(host))?;
        self.asked_for = Some(wanted.clone());
        self.hosts_again = Instant::now() + start.elapsed() * REST;
        Ok(Some(collector.finish()))
    }

    /// Asks every `interval`, and at once when something else is wanted, until nobody takes the news or wants any.
    pub(super) fn run(
        mut self,
        interval: Duration,
        mut wanted: Wanted,
        changes: &Receiver<Wanted>,
        tell: impl Fn(News) -> bool,
    ) {
        loop {
            let start = Instant::now();
            if !wanted.paused {
                let news = match self.ask(&wanted) {
                    Ok(snapshot) => News::Answered(Box::new(snapshot)),
                    Err(error) => News::Lost { at: self.start.elapsed(), reason: error.to_string() },
                };
                if !tell(news) {
                    return;
                }
            }
            let rest = interval.saturating_sub(start.elapsed());
            match changes.recv_timeout(rest) {
                // Of several changes, as typing makes them, only the newest counts.
                Ok(change) => wanted = changes.try_iter().last().unwrap_or(change),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

/// Whether the daemon is younger than it would be, had it gone on since it was `uptime` seconds old, so long ago. Its
/// own seconds are whole ones.
fn is_another(uptime: u64, ago: Duration, status: &StatusView) -> bool {
    Duration::from_secs(status.uptime_seconds) + Duration::from_millis(1500)
        < Duration::from_secs(uptime) + ago
}

#[cfg(test)]
mod tests {
    use super::super::testing::status;
    use super::*;

    #[test]
    fn a_daemon_that_is_too_young_is_another() {
        let another = |uptime, ago, now| is_another(uptime, Duration::from_millis(ago), &status(now, 0));
        assert!(!another(7, 1000, 8) && !another(7, 1999, 8) && !another(7, 200, 7));
        assert!(another(7, 1000, 0) && another(0, 2500, 0) && another(9, 60_000, 20));
    }
}
