//! `/state.json` and `/explain.json`: what the page draws, of a bounded size however many hosts there are.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use arpherd_core::view::{ExplainQuery, HostView, Keyword, Label, Query, Response, SegmentView, StatusView};
use arpherd_core::{Address, LinkAddr};
use hyper::StatusCode;
use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::reply::{Reply, body_of, text, unavailable};
use super::site::{Pace, Site};
use crate::control::Failure;
use crate::events::{EventView, EventsQuery};

/// With more hosts than these none are listed, only counted: listing them takes the packet path's time.
const LISTABLE: u64 = 4096;
/// Hosts that are listed in all.
const LISTED: usize = 512;
/// Newest events in an answer.
const EVENTS: usize = 100;
/// An answer is given to all who ask so soon after it was made, or for so many times the time that it took.
const FRESH: Duration = Duration::from_millis(500);
const REST: u32 = 20;
/// Time between two explanations, and between two attempts to make the state, whoever asks for them.
const PACE: Duration = Duration::from_millis(100);

/// What all who look at the page share.
#[derive(Debug, Default)]
pub(super) struct PageCache {
    made: Mutex<Made>,
    explanations: Mutex<Pace>,
}

#[derive(Debug, Default)]
struct Made {
    text: Bytes,
    pace: Pace,
    /// None before the first.
    until: Option<Instant>,
    since: Option<Instant>,
    /// The newest events, the oldest first, and the number of the last one read.
    events: VecDeque<EventView>,
    last_event: Option<u64>,
}

/// What is drawn.
#[derive(Serialize)]
struct StateView<'a> {
    /// When it was made, from any moment on: rates are differences by it.
    made_milliseconds: u128,
    #[serde(flatten)]
    status: &'a StatusView,
    /// Whether hosts are listed.
    listed: bool,
    segments: Vec<SegmentState>,
    newest: &'a VecDeque<EventView>,
}

#[derive(Serialize)]
struct SegmentState {
    #[serde(flatten)]
    view: SegmentView,
    /// The first of its hosts, by address.
    listed: Vec<HostState>,
}

#[derive(Serialize)]
struct HostState {
    address: Address,
    lladdr: LinkAddr,
    state: Keyword,
    learned_from: Keyword,
    age_seconds: u64,
}

/// The state.
pub(super) async fn state(site: &Site, cache: &PageCache) -> Reply {
    let mut made = cache.made.lock().await;
    if made.until.is_none_or(|until| Instant::now() >= until) {
        made.pace.wait(PACE).await;
        let begun = Instant::now();
        match made.make(site).await {
            Ok(text) => made.text = text,
            Err(failure) => return unavailable(&failure),
        }
        made.until = Some(Instant::now() + FRESH.max(begun.elapsed() * REST));
    }
    json(made.text.clone())
}

impl Made {
    async fn make(&mut self, site: &Site) -> Result<Bytes, Failure> {
        let other = || Failure::Unavailable("the daemon answered another query".into());
        let Response::Status(status) = site.status.get(site.ask(Query::Status)).await? else {
            return Err(other());
        };
        let Response::Segments(segments) = site.segments.get(site.ask(Query::Segments)).await? else {
            return Err(other());
        };
        let listed = status.hosts + status.missing.remote_hosts <= LISTABLE;
        let hosts = if listed { site.ask(Query::Hosts).await? } else { Response::Hosts(Vec::new()) };
        let Response::Hosts(hosts) = hosts else { return Err(other()) };
        self.read_events(site).await?;
        let made_milliseconds = self.since.get_or_insert_with(Instant::now).elapsed().as_millis();
        let segments = with_hosts(segments, hosts);
        let view = StateView { made_milliseconds, status: &status, listed, segments, newest: &self.events };
        serde_json::to_vec(&view)
            .map(Bytes::from)
            .map_err(|error| Failure::Unavailable(error.to_string().into()))
    }

    /// Asks for what is new only: each event is formatted once, however often the page is looked at.
    async fn read_events(&mut self, site: &Site) -> Result<(), Failure> {
        let after = match self.last_event {
            Some(last) => last,
            None => {
                // None happens so late: this only asks for the number of the newest.
                let none = EventsQuery { since: Some(u64::MAX), ..EventsQuery::default() };
                site.ask_events(none).await?.last.saturating_sub(EVENTS as u64)
            }
        };
        let view = site.ask_events(EventsQuery { after: Some(after), ..EventsQuery::default() }).await?;
        self.last_event = Some(view.last);
        self.events.extend(view.events);
        self.events.drain(..self.events.len().saturating_sub(EVENTS));
        Ok(())
    }
}

/// The segments with the first of their hosts: all where they are few, else the same number for each.
fn with_hosts(segments: Vec<SegmentView>, mut hosts: Vec<HostView>) -> Vec<SegmentState> {
    // Those behind other gateways are on no segment.
    hosts.retain(|host| host.state != "remote");
    let share = if hosts.len() <= LISTED { LISTED } else { LISTED / segments.len().max(1) };
    let mut by_segment: HashMap<(Option<Label>, Label, Label), Vec<HostView>> = HashMap::new();
    for host in hosts {
        let key = (host.netns.clone(), host.domain.clone(), host.segment.clone());
        by_segment.entry(key).or_default().push(host);
    }
    let with_hosts = |mut view: SegmentView| {
        // Histograms are for /metrics.
        view.measured.latency = None;
        let key = (view.netns.clone(), view.domain.clone(), view.segment.clone());
        let mut hosts = by_segment.remove(&key).unwrap_or_default();
        hosts.sort_unstable_by_key(|host| host.address);
        let listed = hosts.into_iter().take(share).map(|host| {
            let HostView { address, lladdr, state, learned_from, age_seconds, .. } = host;
            HostState { address, lladdr, state, learned_from, age_seconds }
        });
        SegmentState { listed: listed.collect(), view }
    };
    segments.into_iter().map(with_hosts).collect()
}

/// What is known of an address, and where it is answered for: `?address=10.2.0.9`. `query`: what is after the question
/// mark.
pub(super) async fn explain(site: &Site, cache: &PageCache, query: Option<&str>) -> Reply {
    let address = query.and_then(|query| query.strip_prefix("address="));
    let Some(address) = address.and_then(|address| address.parse().ok()) else {
        return text(StatusCode::BAD_REQUEST, "Ask for one address: ?address=10.2.0.9\n");
    };
    cache.explanations.lock().await.wait(PACE).await;
    match site.ask(Query::Explain(ExplainQuery { address, from: None })).await {
        Ok(response) => match serde_json::to_vec(&response) {
            Ok(text) => json(text.into()),
            Err(error) => unavailable(&Failure::Unavailable(error.to_string().into())),
        },
        Err(failure) => unavailable(&failure),
    }
}

fn json(text: Bytes) -> Reply {
    body_of(StatusCode::OK, "application/json", text)
}

#[cfg(test)]
mod tests;
