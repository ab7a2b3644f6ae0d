//! What the responses are made of: the daemon's answers to queries, each asked for once for all who wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arpherd_core::view::{Query, Response};
use hyper::body::Bytes;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

use super::budget::Budget;
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

/// Keeps a distance between questions to the actors, even where the clients that wait for the answers are displaced.
#[derive(Debug, Default)]
pub(super) struct Pace(Option<Instant>);

impl Pace {
    /// Returns so long after it last did, or at once.
    pub(super) async fn wait(&mut self, distance: Duration) {
        if let Some(last) = self.0 {
            sleep_until(last + distance).await;
        }
        self.0 = Some(Instant::now());
    }
}

/// A result that is made once for all who ask at the same time or shortly after one another.
pub(super) struct Shared<T>(Mutex<Made<T>>);

struct Made<T> {
    pace: Pace,
    result: Option<(Instant, T)>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::new(Made { pace: Pace::default(), result: None }))
    }
}

impl<T: Clone> Shared<T> {
    /// The result of `make`, or that of another who asked at most 100 ms before or is being served now.
    pub(super) async fn get(&self, make: impl Future<Output = T>) -> T {
        // Who comes while it is being made waits here, and finds it made.
        let mut made = self.0.lock().await;
        if let Some((at, result)) = made.result.as_ref()
            && at.elapsed() < FRESH
        {
            return result.clone();
        }
        // Not kept in memory while the next is made.
        made.result = None;
        made.pace.wait(FRESH).await;
        let result = make.await;
        made.result = Some((Instant::now(), result.clone()));
        result
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(future)
    }

    #[test]
    fn who_asks_at_the_same_time_or_soon_after_shares_the_result() {
        let (shared, made) = (Shared::default(), Cell::new(0));
        let ask = || {
            shared.get(async {
                tokio::task::yield_now().await;
                made.set(made.get() + 1);
                made.get()
            })
        };
        block_on(async {
            assert_eq!(tokio::join!(ask(), ask(), ask()), (1, 1, 1));
            assert_eq!(ask().await, 1);
            tokio::time::sleep(FRESH).await;
            assert_eq!(ask().await, 2);
        });
    }

    #[test]
    fn who_is_displaced_while_it_waits_does_not_have_it_made_more_often() {
        let (shared, begun) = (Shared::<()>::default(), Cell::new(0));
        let start = Instant::now();
        block_on(async {
            for _ in 0..100 {
                let endless = async {
                    begun.set(begun.get() + 1);
                    std::future::pending::<()>().await;
                };
                let _ = timeout(Duration::from_millis(3), shared.get(endless)).await;
            }
        });
        let most = 1 + start.elapsed().as_millis() / FRESH.as_millis();
        assert!(begun.get() <= most && begun.get() >= 1, "{} in {:?}", begun.get(), start.elapsed());
    }
}
