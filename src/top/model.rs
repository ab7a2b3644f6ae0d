//! What the screen is about: the newest answers of the daemon, and what the user chose to see of them.

use std::collections::VecDeque;
use std::time::Duration;

use arpherd_core::view::{SegmentView, StatusView};

use super::columns::{HOSTS, SEGMENTS};
use super::filter::Filter;
use super::hosts::{HostsPage, HostsWanted};
use super::layout::{Layout, Pane};
use super::rates::{Meters, Rates, SegmentRow};
use super::table::Fitted;
use crate::events::{EventView, EventsView};
use crate::log::Escaped;

/// Events that are remembered.
pub(super) const EVENTS: usize = 500;
/// How long it is said that the daemon was restarted.
const SAID: Duration = Duration::from_secs(10);

/// What the daemon answered; times are since the start of this program.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) at: Duration,
    pub(super) status: StatusView,
    pub(super) segments: Vec<SegmentView>,
    /// None if they were not asked for this time.
    pub(super) hosts: Option<HostsPage>,
    /// Those since the last snapshot.
    pub(super) events: EventsView,
    /// Whether the daemon is another process than the last time.
    pub(super) restarted: bool,
}

/// News for the model.
#[derive(Debug, Clone)]
pub(super) enum News {
    Answered(Box<Snapshot>),
    /// The daemon does not answer, and why.
    Lost {
        at: Duration,
        reason: String,
    },
}

/// What the daemon is to be asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Wanted {
    /// Nothing is asked.
    pub(super) paused: bool,
    /// None while no hosts are shown.
    pub(super) hosts: Option<HostsWanted>,
}

/// How one pane is shown.
#[derive(Debug, Clone, Default)]
pub(super) struct PaneState {
    /// The column it is sorted by.
    pub(super) column: usize,
    /// The greatest first; of events, the oldest last.
    pub(super) descending: bool,
    pub(super) filter: Filter,
    /// Rows that are scrolled past.
    pub(super) offset: usize,
}

/// All that is shown.
#[derive(Debug)]
pub(super) struct Model {
    /// Time between two questions.
    pub(super) interval: Duration,
    /// Columns and lines of the terminal.
    pub(super) size: (u16, u16),
    pub(super) status: Option<StatusView>,
    pub(super) segments: Vec<SegmentRow>,
    meters: Meters,
    pub(super) hosts: HostsPage,
    /// The newest first, [`EVENTS`] at the most.
    pub(super) events: VecDeque<EventView>,
    /// How many events came and went between two questions.
    pub(super) missed: u64,
    /// Since when the daemon does not answer, and why.
    pub(super) lost: Option<(Duration, String)>,
    /// The time of the newest news.
    pub(super) now: Duration,
    restarted: Option<Duration>,
    pub(super) panes: [PaneState; 3],
    pub(super) chosen: Pane,
    /// Whether the chosen pane has the screen for itself.
    pub(super) alone: bool,
    pub(super) help: bool,
    pub(super) paused: bool,
    /// The filter as it was, while another is typed.
    pub(super) typing: Option<Filter>,
}

impl Model {
    pub(super) fn new(interval: Duration, size: (u16, u16)) -> Self {
        let mut panes: [PaneState; 3] = Default::default();
        panes[Pane::Events as usize].descending = true;
        Self {
            interval,
            size,
            status: None,
            segments: Vec::new(),
            meters: Meters::default(),
            hosts: HostsPage::default(),
            events: VecDeque::new(),
            missed: 0,
            lost: None,
            now: Duration::ZERO,
            restarted: None,
            panes,
            chosen: Pane::Hosts,
            alone: false,
            help: false,
            paused: false,
            typing: None,
        }
    }

    /// Takes news in. While paused, what is shown stays.
    pub(super) fn update(&mut self, news: News) {
        if self.paused {
            return;
        }
        match news {
            News::Answered(snapshot) => self.take(*snapshot),
            News::Lost { at, reason } => {
                self.now = at;
                let since = self.lost.as_ref().map_or(at, |(since, _)| *since);
                self.lost = Some((since, reason));
            }
        }
        self.keep_in_range();
    }

    fn take(&mut self, snapshot: Snapshot) {
        let Snapshot { at, status, segments, hosts, events, restarted } = snapshot;
        self.now = at;
        self.lost = None;
        if restarted {
            self.restarted = Some(at);
        }
        self.status = Some(status);
        self.segments = self.meters.read(segments, at);
        if let Some(hosts) = hosts {
            self.hosts = hosts;
        }
        self.missed += events.missed;
        let added = events.events.len().min(EVENTS);
        for event in events.events {
            self.events.push_front(event);
        }
        self.events.truncate(EVENTS);
        // What somebody reads further down stays where it is.
        let pane = &mut self.panes[Pane::Events as usize];
        if pane.offset > 0 && pane.descending {
            pane.offset += added;
        }
    }

    /// What to ask the daemon.
    pub(super) fn wanted(&self) -> Wanted {
        let shown = self.layout().is_some_and(|layout| layout.panes[Pane::Hosts as usize].is_some());
        let pane = &self.panes[Pane::Hosts as usize];
        let PaneState { column, descending, ref filter, .. } = *pane;
        let hosts = shown.then(|| HostsWanted { filter: filter.clone(), column, descending });
        Wanted { paused: self.paused, hosts }
    }

    /// None while the terminal is too small.
    pub(super) fn layout(&self) -> Option<Layout> {
        let (width, height) = self.size;
        Layout::new(width, height, self.chosen, self.alone, self.segments.len())
    }

    pub(super) fn pane(&self) -> &PaneState {
        &self.panes[self.chosen as usize]
    }

    pub(super) fn pane_mut(&mut self) -> &mut PaneState {
        &mut self.panes[self.chosen as usize]
    }

    /// The segments that are shown, in their order.
    pub(super) fn shown_segments(&self) -> Vec<&SegmentRow> {
        let pane = &self.panes[Pane::Segments as usize];
        let allowed = self.segments.iter().filter(|row| {
            let view = &row.view;
            let netns = view.netns.as_deref().unwrap_or_default();
            pane.filter.allows(&[
                &view.domain,
                &view.segment,
                &view.interface,
                &view.kind,
                &view.state,
                &view.answering.answer,
                netns,
            ])
        });
        let mut rows: Vec<_> = allowed.collect();
        let order = SEGMENTS[pane.column.min(SEGMENTS.len() - 1)].order;
        rows.sort_by(|a, b| if pane.descending { order(b, a) } else { order(a, b) });
        rows
    }

    /// The events that are shown, in their order.
    pub(super) fn shown_events(&self) -> Vec<&EventView> {
        let pane = &self.panes[Pane::Events as usize];
        let allowed = self.events.iter().filter(|event| {
            let values = event.values.values().map(String::as_str);
            let texts: Vec<_> = [&*event.event, &*event.level].into_iter().chain(values).collect();
            pane.filter.allows(&texts)
        });
        if pane.descending { allowed.collect() } else { allowed.rev().collect() }
    }

    /// Of all segments together; none before the second reading.
    pub(super) fn sum(&self) -> Option<Rates> {
        self.segments.iter().filter_map(|row| row.rates).reduce(|a, b| a + b)
    }

    /// What is to be said about the daemon, and whether it is bad.
    pub(super) fn notice(&self) -> Option<(String, bool)> {
        if let Some((since, reason)) = &self.lost {
            let seconds = (self.now - *since).as_secs();
            return Some((format!("no answer for {seconds}s: {}", Escaped(reason)), true));
        }
        if self.paused {
            return Some(("paused; p goes on".into(), false));
        }
        let restarted = self.restarted.is_some_and(|at| self.now < at + SAID);
        restarted.then(|| ("the daemon was restarted".into(), false))
    }

    /// Rows of the chosen pane and how many of them are seen at a time.
    fn extent(&self) -> (usize, usize) {
        let rows = match self.chosen {
            Pane::Segments => self.shown_segments().len(),
            Pane::Hosts => self.hosts.rows.len(),
            Pane::Events => self.shown_events().len(),
        };
        (rows, self.layout().map_or(0, |layout| layout.rows(self.chosen)))
    }

    /// Rows of the chosen pane that are seen at a time.
    pub(super) fn page(&self) -> usize {
        self.extent().1.max(1)
    }

    /// Nobody scrolls past the end.
    pub(super) fn keep_in_range(&mut self) {
        let (rows, seen) = self.extent();
        let last = rows.saturating_sub(seen);
        let pane = self.pane_mut();
        pane.offset = pane.offset.min(last);
    }

    /// Columns of the chosen pane that are seen, by which it can be sorted; events have their time only.
    pub(super) fn sort_columns(&self) -> Vec<usize> {
        let width = usize::from(self.size.0.saturating_sub(2));
        match self.chosen {
            Pane::Segments => Fitted::new(&SEGMENTS, &self.shown_segments(), width).shown().collect(),
            Pane::Hosts => {
                let rows: Vec<_> = self.hosts.rows.iter().collect();
                Fitted::new(&HOSTS, &rows, width).shown().collect()
            }
            Pane::Events => vec![0],
        }
    }

    /// Whether a column of the chosen pane is a number.
    pub(super) fn is_number(&self, column: usize) -> bool {
        match self.chosen {
            Pane::Segments => SEGMENTS[column].is_number,
            Pane::Hosts => HOSTS[column].is_number,
            Pane::Events => true,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
