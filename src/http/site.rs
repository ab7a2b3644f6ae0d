//! What the responses are made of: the daemon's answers to queries, each asked for once for all who wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arpherd_core::view::{Query, Response};
use hyper::body::Bytes;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::budget::Budget;
use super::state::PageCache;
use crate::control::{ControlQuery, ControlResponse, Failure, QueryHandler};
use crate::events::{EventsQuery, EventsView};
use crate::metrics::HttpView;

/// How long the actors may take.
const ANSWER: Duration = Duration::from_secs(3);
/// A result is given to all who ask so soon after it was made: the packet path is asked ten times a second at the most.
const FRESH: Duration = Duration::from_millis(100);

/// What all connections share.
pub(super) struct Site {
    handler: Arc<dyn QueryHandler>,
    /// What became of connections and requests.
    pub(super) counts: Arc<Counts>,
    /// The memory of responses.
    pub(super) budget: Arc<Budget>,
    pub(super) status: Shared<Result<Response, Failure>>,
    pub(super) segments: Shared<Result<Response, Failure>>,
    /// The metrics in each of their formats.
    pub(super) open_metrics: Shared<Result<Bytes, Failure>>,
    pub(super) prometheus: Shared<Result<Bytes, Failure>>,
    /// What those who look at the page share.
    pub(super) page: PageCache,
}

impl Site {
    /// A site that asks the handler.
    pub(super) fn new(handler: Arc<dyn QueryHandler>, counts: Arc<Counts>) -> Self {
        Self {
            handler,
            counts,
            budget: Arc::default(),
            status: Shared::default(),
            segments: Shared::default(),
            open_metrics: Shared::default(),
            prometheus: Shared::default(),
            page: PageCache::default(),
        }
    }

    /// Asks the daemon. The callers limit how often: see [`Shared`].
    ///
    /// # Errors
    /// If it cannot answer, or takes too long.
    pub(super) async fn ask(&self, query: Query) -> Result<Response, Failure> {
        match self.handle(query.into()).await? {
            ControlResponse::State(response) => Ok(response),
            _ => Err(Failure::Unavailable("the daemon answered another query".into())),
        }
    }

    /// Asks for events, which the packet path is not asked for.
    ///
    /// # Errors
    /// If the daemon cannot answer.
    pub(super) async fn ask_events(&self, query: EventsQuery) -> Result<EventsView, Failure> {
        match self.handle(ControlQuery::Events(query)).await? {
            ControlResponse::Events(events) => Ok(events),
            _ => Err(Failure::Unavailable("the daemon answered another query".into())),
        }
    }

    async fn handle(&self, query: ControlQuery) -> Result<ControlResponse, Failure> {
        let handled = timeout(ANSWER, Arc::clone(&self.handler).handle(query)).await;
        handled.unwrap_or_else(|_| Err(Failure::Unavailable("the packet path does not answer".into())))
    }
}

/// Counts of connections and requests since the start. All only grow.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Connections accepted.
    pub(super) connections: AtomicU64,
    /// Connections ended because there were too many.
    pub(super) displaced: AtomicU64,
    /// Connections without a valid request, or that ended before their response was received.
    pub(super) failed: AtomicU64,
    /// Requests that got a response.
    pub(super) requests: AtomicU64,
    /// Those among them that were refused because slow clients held too much memory.
    pub(super) refused: AtomicU64,
}

impl Counts {
    /// Adds one.
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The present values.
    pub(super) fn view(&self) -> HttpView {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HttpView {
            connections: get(&self.connections),
            displaced: get(&self.displaced),
            failed: get(&self.failed),
            requests: get(&self.requests),
            refused: get(&self.refused),
        }
    }
}

/// A result that is made once for all who ask at the same time or shortly after one another.
pub(super) struct Shared<T>(Mutex<Option<(Instant, T)>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Shared<T> {
    /// The result of `make`, or that of another who asked at most 100 ms before or is being served now.
    pub(super) async fn get(&self, make: impl Future<Output = T>) -> T {
        // Who comes while it is being made waits here, and finds it made.
        let mut made = self.0.lock().await;
        if let Some((at, result)) = made.as_ref()
            && at.elapsed() < FRESH
        {
            return result.clone();
        }
        // Not kept in memory while the next is made.
        *made = None;
        let result = make.await;
        *made = Some((Instant::now(), result.clone()));
        result
    }
}
