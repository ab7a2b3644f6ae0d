//! What happened lately: the events of all instances in one ring, for `arpherd events`.
//!
//! ```text
//! route owners ──► EventRing::push ──► ring of 4,096 ──► control socket: what is newer than a sequence number
//! ```
//!
//! An event is formatted when somebody reads it. A reader that comes back too late is told how many it missed.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arpherd_core::Event;
use arpherd_core::event::{EventKind, EventLevel};
use arpherd_core::view::{Keyword, Label};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::log::{SegmentNames, event_values};

/// Events that are remembered.
const CAPACITY: usize = 4096;
/// Events that a reader who waits is given at once; it comes back for the rest.
const AT_ONCE: usize = 128;
/// Readers that wait for the next event at the same time; the control socket has fewer clients. Those that gave up
/// are among them until the next event, so the ones that wait longest make room.
const WAITING: usize = 128;

/// Which events a client wants.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EventsQuery {
    /// Only events after the one of this number; see [`EventsView::last`].
    pub(crate) after: Option<u64>,
    /// Only events of this time or later, in milliseconds since 1970.
    pub(crate) since: Option<u64>,
    /// Only events of these names; all if it is empty.
    pub(crate) names: Vec<String>,
    /// If there is none yet, respond when one happens; after a few seconds without one.
    pub(crate) wait: bool,
}

impl EventsQuery {
    /// The first of its names that no event has.
    pub(crate) fn unknown_name(&self) -> Option<&str> {
        let is_known = |name: &&String| EventKind::ALL.iter().any(|kind| kind.name() == **name);
        self.names.iter().find(|name| !is_known(name)).map(String::as_str)
    }

    fn wants(&self, entry: &Entry) -> bool {
        let is_new = self.since.is_none_or(|since| entry.at >= since);
        is_new && (self.names.is_empty() || self.names.iter().any(|name| name == entry.event.name()))
    }
}

/// Some of the events that happened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct EventsView {
    /// How many events after the wanted number are forgotten, whatever their names.
    pub(crate) missed: u64,
    /// The number of the newest event, or of the last of these if there are more, for the next query.
    pub(crate) last: u64,
    /// The events, the oldest first.
    pub(crate) events: Vec<EventView>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventView {
    /// Its number since the daemon's start, from 1 without a gap.
    pub(crate) sequence: u64,
    /// When it happened, RFC 3339 in UTC.
    pub(crate) time: String,
    /// `debug`, `info`, `warning` or `error`.
    pub(crate) level: Keyword,
    /// Its name.
    pub(crate) event: Keyword,
    /// The network namespace; none for the daemon's own.
    pub(crate) netns: Option<Label>,
    /// The keys of its log record.
    #[serde(flatten)]
    pub(crate) values: BTreeMap<String, String>,
}

/// Where events come from.
#[derive(Debug)]
pub(crate) struct EventSource {
    /// The network namespace; none for the daemon's own.
    pub(crate) netns: Option<Label>,
    /// What its segments are called.
    pub(crate) names: SegmentNames,
}

#[derive(Debug, Clone)]
struct Entry {
    /// When it happened, in milliseconds since 1970.
    at: u64,
    source: Arc<EventSource>,
    event: Event,
}

impl Entry {
    fn view(&self, sequence: u64) -> EventView {
        let values = event_values(&self.event, &self.source.names).into_iter();
        let at = UNIX_EPOCH + Duration::from_millis(self.at);
        EventView {
            sequence,
            time: OffsetDateTime::from(at).format(&Rfc3339).unwrap_or_default(),
            level: level_name(self.event.kind().level()).into(),
            event: self.event.name().into(),
            netns: self.source.netns.clone(),
            values: values.map(|(key, text)| (key.to_owned(), text)).collect(),
        }
    }
}

/// The newest events.
#[derive(Debug, Default)]
pub(crate) struct EventRing(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    /// The number of the newest event.
    last: u64,
    entries: VecDeque<Entry>,
    waiting: VecDeque<Waker>,
}

impl EventRing {
    /// Remembers an event that happens now. Called on the packet path: it never waits for a reader's formatting.
    pub(crate) fn push(&self, source: &Arc<EventSource>, event: &Event) {
        let mut ring = self.lock();
        ring.last += 1;
        if ring.entries.len() >= CAPACITY {
            ring.entries.pop_front();
        }
        let (at, source) = (milliseconds(SystemTime::now()), Arc::clone(source));
        ring.entries.push_back(Entry { at, source, event: event.clone() });
        for waker in std::mem::take(&mut ring.waiting) {
            waker.wake();
        }
    }

    /// The events that the query wants; with `wait` not before there is one.
    pub(crate) async fn read(&self, query: &EventsQuery) -> EventsView {
        let mut query = query.clone();
        let mut missed = 0;
        poll_fn(|context| {
            let found = self.find(&query);
            missed += found.missed;
            if !query.wait || missed > 0 || !found.events.is_empty() {
                return Poll::Ready(EventsView { missed, ..found });
            }
            query.after = Some(found.last);
            let mut ring = self.lock();
            if ring.last > found.last {
                // Another happened meanwhile.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if ring.waiting.len() >= WAITING {
                ring.waiting.pop_front();
            }
            ring.waiting.push_back(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn find(&self, query: &EventsQuery) -> EventsView {
        let ring = self.lock();
        // A number of an earlier run of the daemon may be higher than all of this one's.
        let after = query.after.filter(|after| *after <= ring.last);
        let forgotten = ring.last.saturating_sub(ring.entries.len() as u64);
        let missed = query.after.map_or(0, |_| forgotten.saturating_sub(after.unwrap_or_default()));
        let numbered = (forgotten + 1..).zip(&ring.entries);
        let is_new = |(sequence, _): &(u64, &Entry)| after.is_none_or(|after| *sequence > after);
        let wanted = numbered.filter(is_new).filter(|(_, entry)| query.wants(entry));
        let most = if query.wait { AT_ONCE } else { CAPACITY };
        let wanted: Vec<_> = wanted.map(|(sequence, entry)| (sequence, entry.clone())).take(most).collect();
        let last = if wanted.len() < most { ring.last } else { wanted.last().map_or(ring.last, |it| it.0) };
        // They are formatted when the packet path can go on.
        drop(ring);
        EventsView {
            missed,
            last,
            events: wanted.iter().map(|(number, entry)| entry.view(*number)).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        // A reader that panicked has changed nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn level_name(level: EventLevel) -> &'static str {
    match level {
        EventLevel::Debug => "debug",
        EventLevel::Info => "info",
        EventLevel::Warning => "warning",
        EventLevel::Error => "error",
    }
}

fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    use arpherd_core::{LinkAddr, SegmentId};

    use super::*;

    fn ring_of(events: u8) -> (EventRing, Arc<EventSource>) {
        let ring = EventRing::default();
        let source = Arc::new(EventSource { netns: None, names: SegmentNames::default() });
        for last in 0..events {
            ring.push(&source, &found(last));
        }
        (ring, source)
    }

    fn found(last: u8) -> Event {
        Event::HostFound {
            address: [10, 2, 0, last].into(),
            lladdr: LinkAddr::UNKNOWN,
            segment: SegmentId(0),
        }
    }

    fn read(ring: &EventRing, query: &EventsQuery) -> EventsView {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(ring.read(query)).poll(&mut context) {
            Poll::Ready(view) => view,
            Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn events_have_numbers_without_a_gap_and_the_values_of_their_log_records() {
        let (ring, _) = ring_of(3);
        let view = read(&ring, &EventsQuery::default());
        let numbers: Vec<_> = view.events.iter().map(|event| event.sequence).collect();
        assert_eq!((numbers, view.last, view.missed), (vec![1, 2, 3], 3, 0));
        assert_eq!((view.events[0].event.as_ref(), view.events[0].level.as_ref()), ("host_found", "debug"));
        assert_eq!(view.events[2].values.get("address").map(String::as_str), Some("10.2.0.2"));
        assert!(view.events[0].time.ends_with('Z'), "{}", view.events[0].time);
        let text = serde_json::to_string(&view).expect("plain data");
        assert_eq!(serde_json::from_str::<EventsView>(&text).expect("own text"), view);
    }

    #[test]
    fn only_what_is_wanted_is_returned() {
        let (ring, source) = ring_of(3);
        ring.push(
            &source,
            &Event::HostGone {
                address: [10, 2, 0, 9].into(),
                lladdr: LinkAddr::UNKNOWN,
                segment: SegmentId(0),
            },
        );
        let numbers = |query: EventsQuery| -> Vec<u64> {
            read(&ring, &query).events.iter().map(|event| event.sequence).collect()
        };
        assert_eq!(numbers(EventsQuery { after: Some(2), ..EventsQuery::default() }), [3, 4]);
        let gone = EventsQuery { names: vec!["host_gone".into()], ..EventsQuery::default() };
        assert_eq!(numbers(gone.clone()), [4]);
        assert_eq!(gone.unknown_name(), None);
        let future = milliseconds(SystemTime::now()) + 60_000;
        assert_eq!(numbers(EventsQuery { since: Some(future), ..EventsQuery::default() }), Vec::<u64>::new());
        let wrong =
            EventsQuery { names: vec!["host_gone".into(), "weather".into()], ..EventsQuery::default() };
        assert_eq!(wrong.unknown_name(), Some("weather"));
    }

    #[test]
    fn a_reader_that_comes_too_late_is_told_how_many_it_missed() {
        let (ring, source) = ring_of(1);
        for _ in 0..CAPACITY + 9 {
            ring.push(&source, &found(7));
        }
        let view = read(&ring, &EventsQuery { after: Some(1), ..EventsQuery::default() });
        assert_eq!((view.missed, view.events.len()), (9, CAPACITY));
        let another_run = EventsQuery { after: Some(1_000_000), ..EventsQuery::default() };
        assert_eq!(read(&ring, &another_run).missed, 10);
    }

    #[test]
    fn a_reader_that_waits_is_woken_by_what_it_wants() {
        let (ring, source) = ring_of(2);
        let names = vec!["host_found".to_owned()];
        let query = EventsQuery { after: Some(2), wait: true, names, since: None };
        let mut reading = pin!(ring.read(&query));
        let mut context = Context::from_waker(Waker::noop());
        assert!(reading.as_mut().poll(&mut context).is_pending());
        ring.push(
            &source,
            &Event::HostGone {
                address: [10, 2, 0, 9].into(),
                lladdr: LinkAddr::UNKNOWN,
                segment: SegmentId(0),
            },
        );
        assert!(reading.as_mut().poll(&mut context).is_pending(), "it waits for another event");
        ring.push(&source, &found(9));
        let Poll::Ready(view) = reading.as_mut().poll(&mut context) else { panic!("it still waits") };
        assert_eq!((view.events.len(), view.events[0].sequence, view.missed), (1, 4, 0));
    }
}
