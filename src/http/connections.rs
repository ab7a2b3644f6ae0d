//! Connections: accepted, limited in number and time, and counted.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{sleep, timeout};

use super::budget::Share;
use super::listener::{Listener, Stream};
use super::routes::{self, Client};
use super::site::{Counts, Site};
use super::state::PageCache;

/// What clients may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Concurrent connections.
    pub(super) connections: usize,
    /// Time for a request's line and headers to arrive.
    pub(super) request: Duration,
    /// Time for a connection as a whole.
    pub(super) connection: Duration,
    /// Time for responses in flight when the service stops.
    pub(super) stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            request: Duration::from_secs(5),
            connection: Duration::from_secs(10),
            stop: Duration::from_secs(1),
        }
    }
}

/// Octets of a request's line and headers; the least that hyper takes.
const REQUEST_ROOM: usize = 8 * 1024;
/// Headers of a request.
const MOST_HEADERS: usize = 64;

/// Serves the listener until `stopped` resolves.
pub(super) async fn serve(
    listener: Listener,
    site: Arc<Site>,
    limits: Limits,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    let (page, is_loopback) = (Arc::<PageCache>::default(), listener.is_loopback());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        let Ok(stream) = accepted else {
            // Out of file descriptors, most likely: wait for some to come back instead of spinning.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        Counts::add(&site.counts.connections);
        open.retain(|connection| !connection.is_finished());
        if open.len() >= limits.connections {
            // The oldest makes room, so that clients that sit on their connections keep nobody out.
            if let Some(oldest) = open.pop_front() {
                oldest.abort();
                while !oldest.is_finished() {
                    yield_now().await;
                }
                Counts::add(&site.counts.displaced);
            }
        }
        let share = Arc::new(Share::new(&site.budget));
        let client = Client { site: Arc::clone(&site), page: Arc::clone(&page), is_loopback, share };
        let connection = serve_connection(stream, client, limits);
        open.push_back(tokio::spawn(connection).abort_handle());
    }
    drop(listener);
    let all_finished = async {
        while open.iter().any(|connection| !connection.is_finished()) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    // Dropping the runtime ends what is left.
    let _ = timeout(limits.stop, all_finished).await;
}

/// Serves one request.
async fn serve_connection(stream: Box<dyn Stream>, client: Client, limits: Limits) {
    let counts = Arc::clone(&client.site.counts);
    let service = service_fn(move |request| {
        let client = client.clone();
        async move { Ok::<_, Infallible>(routes::respond(&request, &client).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request)
        .max_buf_size(REQUEST_ROOM)
        .max_headers(MOST_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // There is nobody to report an error to: the client sent no valid request, went, or does not read.
    if !matches!(timeout(limits.connection, connection).await, Ok(Ok(()))) {
        Counts::add(&counts.failed);
    }
}
