//! What all clients share who may only read: their turn at the packet path, and memory for long responses.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arpherd_core::view::{ControlView, Query, Response};
use async_std::channel::{Receiver, Sender, bounded};
use async_std::task;

use super::super::protocol::{ControlQuery, ControlResponse};

/// Long responses in memory at the same time. Of 65,536 hosts one is some 20 MiB.
const LONG: usize = 2;
/// Rows of a response that is not long.
const SHORT: usize = 256;
/// After a query the packet path is left alone for so many times as long as it took.
const REST: u32 = 9;
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What ordinary clients share.
pub(super) struct Share {
    turn: Tokens,
    long: Tokens,
}

impl Default for Share {
    fn default() -> Self {
        Self { turn: Tokens::new(1), long: Tokens::new(LONG) }
    }
}

/// Tokens that are taken and come back.
struct Tokens {
    back: Sender<()>,
    free: Receiver<()>,
}

/// One that was taken; it goes back when it is dropped.
pub(super) struct Token(Sender<()>);

impl Tokens {
    fn new(number: usize) -> Self {
        let (back, free) = bounded(number);
        for _ in 0..number {
            // There is room for all of them.
            let _ = back.try_send(());
        }
        Self { back, free }
    }

    async fn take(&self) -> Token {
        // The sender in `self` keeps the channel open.
        let _ = self.free.recv().await;
        Token(self.back.clone())
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // There is room for all of them.
        let _ = self.0.try_send(());
    }
}

/// What a query occupies.
pub(super) struct Occupied {
    turn: Option<(Token, Instant)>,
    long: Option<Token>,
}

impl Share {
    /// Waits until the query may be asked.
    pub(super) async fn occupy(&self, query: &ControlQuery) -> Occupied {
        let (is_long, has_turn) = match query {
            ControlQuery::State(Query::Hosts | Query::Routes | Query::Leases) => (true, true),
            // It has a few events at the most, and waits.
            ControlQuery::Events(events) if events.wait => (false, false),
            ControlQuery::Events(_) => (true, false),
            _ => (false, true),
        };
        let long = if is_long { Some(self.long.take().await) } else { None };
        let turn = if has_turn { Some((self.turn.take().await, Instant::now())) } else { None };
        Occupied { turn, long }
    }
}

impl Occupied {
    /// The query was answered: the next one's turn is after a rest.
    pub(super) fn rest(&mut self) {
        if let Some((turn, begun)) = self.turn.take() {
            let rest = begun.elapsed().saturating_mul(REST).min(LONGEST_REST);
            task::spawn(async move {
                task::sleep(rest).await;
                drop(turn);
            });
        }
    }

    /// What is given back only when the response is sent.
    pub(super) fn until_sent(self, response: &ControlResponse) -> Option<Token> {
        let rows = match response {
            ControlResponse::State(Response::Hosts(rows)) => rows.len(),
            ControlResponse::State(Response::Routes(rows)) => rows.len(),
            ControlResponse::State(Response::Leases(rows)) => rows.len(),
            ControlResponse::Events(view) => view.events.len(),
            _ => 0,
        };
        self.long.filter(|_| rows > SHORT)
    }
}

/// Counts of clients since the start. All only grow.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Connections accepted.
    pub(super) connections: AtomicU64,
    /// Connections and queries refused because there were too many.
    pub(super) refused: AtomicU64,
    /// Connections that ended because the client sent too much, or did not read.
    pub(super) failed: AtomicU64,
}

impl Counts {
    /// Adds one.
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts as they are shown.
    pub(super) fn view(&self) -> ControlView {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (connections, refused) = (read(&self.connections), read(&self.refused));
        ControlView { clients: 0, connections, refused, failed: read(&self.failed) }
    }
}
