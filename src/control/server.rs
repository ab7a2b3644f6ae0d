//! The daemon's end of the control socket.
//!
//! ```text
//! accept (1 task) ──► serve_client (a task for each of 64 at the most) ──► QueryHandler
//! ```
//!
//! Whoever may give commands has eight places more, and waits for nobody. All others share what they may use
//! (`share.rs`), so that they neither hold much memory nor occupy the packet path.

mod responses;
mod share;

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arpherd_actors::liveness::{ActorGroup, ActorName, Ping};
use arpherd_core::view::{ControlView, Response};
use async_std::channel::{Receiver, Sender, bounded, unbounded};
use async_std::future::timeout;
use async_std::io::prelude::*;
use async_std::io::{self, BufReader};
use async_std::os::unix::net::{UnixListener, UnixStream};
use async_std::task;

use super::access::Access;
use super::protocol::{ControlQuery, ControlResponse, QUERY_LIMIT, QueryError, read_query};
use super::socket_file::{ControlError, SocketFile};
use crate::events::EventsView;
use responses::{send, send_error};
use share::{Counts, Share};

/// A boxed future that may be sent to another thread.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Handles queries: the daemon's actors, behind a trait so that this module does not depend on them.
///
/// The future runs on async-std's executor, where tokio's timers panic. It needs no time limit of its own; it is
/// dropped after five seconds.
pub(crate) trait QueryHandler: Send + Sync + 'static {
    /// The response to the query, which must be the variant of the same name. Hosts and routes may be in any
    /// order; they are sorted before they are sent.
    ///
    /// # Errors
    /// If the daemon cannot respond.
    fn handle(self: Arc<Self>, query: ControlQuery) -> BoxFuture<'static, Result<ControlResponse, Failure>>;
}

/// Why a query has no result; the text is shown to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The daemon cannot respond now.
    Unavailable(Cow<'static, str>),
    /// It does not carry the command out.
    Refused(String),
    /// There is nothing of the name or address that the query has.
    NotFound(String),
}

/// The server's limits for clients.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerLimits {
    /// Concurrent connections.
    pub(super) connections: usize,
    /// So many more of users who may give commands.
    pub(super) reserved: usize,
    /// Time for a query to arrive completely.
    pub(super) idle: Duration,
    /// Time for the handler.
    pub(super) handle: Duration,
    /// Time for a client to receive one chunk of a response.
    pub(super) write: Duration,
    /// Time for a client to receive a whole response.
    pub(super) response: Duration,
    /// Time for responses in flight when the daemon stops.
    pub(super) stop: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 64,
            reserved: 8,
            idle: Duration::from_secs(60),
            handle: Duration::from_secs(5),
            write: Duration::from_secs(5),
            response: Duration::from_secs(30),
            stop: Duration::from_secs(3),
        }
    }
}

/// A control socket that listens but is not served yet.
#[derive(Debug)]
pub(crate) struct Server {
    listener: StdListener,
    file: SocketFile,
    limits: ServerLimits,
    access: Access,
}

impl Server {
    /// Creates the socket at `path`. Clients that connect before it is served wait.
    ///
    /// # Errors
    /// If another daemon has it, or it cannot be created.
    pub(crate) fn bind(path: &Path, access: Access) -> Result<Self, ControlError> {
        Self::bind_with(path, access, ServerLimits::default())
    }

    pub(super) fn bind_with(path: &Path, access: Access, limits: ServerLimits) -> Result<Self, ControlError> {
        let (file, listener) = SocketFile::create_for(path, access.file.as_ref())?;
        Ok(Self { listener, file, limits, access })
    }

    /// The socket's path.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Starts serving clients with the handler's responses.
    pub(crate) fn serve(self, handler: Arc<dyn QueryHandler>) -> ServerHandle {
        let (stop, stopped) = bounded(1);
        let (alive, gone) = bounded(1);
        let (pings, pinged) = unbounded();
        let limits = self.limits;
        task::spawn(accept(
            UnixListener::from(self.listener),
            pinged,
            ServerState {
                handler,
                limits,
                access: Arc::new(self.access),
                stopped,
                alive,
                share: Arc::default(),
                counts: Arc::default(),
            },
        ));
        ServerHandle { file: self.file, stop: Some(stop), gone, pings, limit: limits.stop }
    }
}

/// A control socket that is being served. Dropping it stops the service without waiting for responses.
#[derive(Debug)]
pub(crate) struct ServerHandle {
    file: SocketFile,
    stop: Option<Sender<()>>,
    gone: Receiver<()>,
    pings: Sender<Ping>,
    limit: Duration,
}

impl ServerHandle {
    /// Has the task that accepts clients answer pings.
    pub(crate) fn join(&self, group: &ActorGroup) {
        let pings = self.pings.clone();
        group.add(ActorName::of("control"), move |ping| pings.try_send(ping).is_ok());
    }

    /// Stops reading queries, removes the socket and waits for the responses in flight, three seconds at
    /// most. May be awaited on any executor.
    ///
    /// The lock is held until the handle is dropped, so that no other daemon starts while this one cleans up.
    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        self.file.remove();
        // Nothing is ever sent on the channel; the wait ends when the last task has dropped its sender.
        let _ = timeout(self.limit, self.gone.recv()).await;
    }

    /// [`Self::stop`] for a thread without an executor.
    #[cfg(test)]
    pub(crate) fn stop_blocking(&mut self) {
        task::block_on(self.stop());
    }
}

/// State that every task of the server shares.
#[derive(Clone)]
struct ServerState {
    handler: Arc<dyn QueryHandler>,
    limits: ServerLimits,
    access: Arc<Access>,
    /// Closed when the server shall stop.
    stopped: Receiver<()>,
    /// Locked by every task as long as it lives.
    alive: Sender<()>,
    share: Arc<Share>,
    counts: Arc<Counts>,
}

impl ServerState {
    /// The future's output, or `None` once the server shall stop.
    async fn unless_stopped<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let (mut stop, mut future) = (pin!(self.stopped.recv()), pin!(future));
        poll_fn(|context| {
            if stop.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            future.as_mut().poll(context).map(Some)
        })
        .await
    }
}

async fn accept(listener: UnixListener, pings: Receiver<Ping>, shared: ServerState) {
    while let Some(next) = shared.unless_stopped(accept_one(&listener, &pings)).await {
        let Some(accepted) = next else { continue };
        let Ok(stream) = accepted else {
            // Out of file descriptors, most likely: wait for some to come back instead of spinning.
            task::sleep(Duration::from_millis(100)).await;
            continue;
        };
        Counts::add(&shared.counts.connections);
        // This task holds one sender itself, each client's task another.
        let (open, limits) = (shared.alive.sender_count(), shared.limits);
        let has_place = open <= limits.connections
            || open <= limits.connections + limits.reserved && shared.access.may_command(&stream);
        if !has_place {
            Counts::add(&shared.counts.refused);
            // An empty socket buffer takes the line at once; there is no waiting for other clients.
            let error = QueryError::busy(limits.connections);
            let _ = timeout(Duration::from_millis(100), send_error(&stream, error, &limits)).await;
            continue;
        }
        let shared = shared.clone();
        task::spawn(async move {
            // An error means that the client disconnected or does not read; there is nobody to report it to.
            if serve_client(&stream, &shared).await.is_err() {
                Counts::add(&shared.counts.failed);
            }
        });
    }
}

/// The next client; none if it was a ping instead, which is answered.
async fn accept_one(listener: &UnixListener, pings: &Receiver<Ping>) -> Option<io::Result<UnixStream>> {
    let (mut client, mut ping) = (pin!(listener.accept()), pin!(pings.recv()));
    poll_fn(|context| {
        if let Poll::Ready(Ok(ping)) = ping.as_mut().poll(context) {
            ping.answer();
            return Poll::Ready(None);
        }
        client.as_mut().poll(context).map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    })
    .await
}

/// Handles queries until the client disconnects, is idle for too long, exceeds a limit or does not read.
async fn serve_client(stream: &UnixStream, shared: &ServerState) -> io::Result<()> {
    let limits = &shared.limits;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let next = timeout(limits.idle, read_line(&mut reader, &mut line));
        match shared.unless_stopped(next).await {
            Some(Ok(read)) => read?,
            Some(Err(_)) | None => return Ok(()),
        }
        if line.is_empty() {
            return Ok(());
        }
        if line.len() > QUERY_LIMIT {
            Counts::add(&shared.counts.failed);
            return send_error(stream, QueryError::too_long(), limits).await;
        }
        // One thread serves all clients: let the others run if this one floods.
        task::yield_now().await;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match answer(&line, stream, shared).await {
            Ok((response, held)) => {
                io::timeout(limits.response, send(stream, response, limits)).await?;
                drop(held);
            }
            Err(error) => send_error(stream, error, limits).await?,
        }
    }
}

/// The response to a line, and what it occupies until it is sent.
async fn answer(
    line: &[u8],
    stream: &UnixStream,
    shared: &ServerState,
) -> Result<(ControlResponse, Option<share::Token>), QueryError> {
    let query = read_query(line)?;
    let may_command = shared.access.may_command(stream);
    if may_command {
        return handle(query, shared).await.map(|response| (response, None));
    }
    if query.is_command() {
        return Err(QueryError::forbidden(&shared.access.who_may_command()));
    }
    let occupied = timeout(shared.limits.handle, shared.share.occupy(&query)).await;
    let Ok(mut occupied) = occupied else {
        Counts::add(&shared.counts.refused);
        return Err(QueryError::crowded());
    };
    let response = handle(query, shared).await?;
    occupied.rest();
    let held = occupied.until_sent(&response);
    Ok((response, held))
}

/// Reads up to a newline, the end of the stream, or one byte more than a query may have.
async fn read_line(reader: &mut BufReader<&UnixStream>, line: &mut Vec<u8>) -> io::Result<()> {
    let limit = u64::try_from(QUERY_LIMIT).map_or(u64::MAX, |limit| limit + 1);
    reader.take(limit).read_until(b'\n', line).await.map(|_| ())
}

async fn handle(query: ControlQuery, shared: &ServerState) -> Result<ControlResponse, QueryError> {
    // Who waits for an event is told after a while that there was none, and at once if the daemon stops.
    let last = match &query {
        ControlQuery::Events(query) if query.wait => Some(query.after.unwrap_or_default()),
        _ => None,
    };
    let none = last.map(|last| ControlResponse::Events(EventsView { last, ..EventsView::default() }));
    let handled = timeout(shared.limits.handle, Arc::clone(&shared.handler).handle(query));
    let handled = if none.is_some() { shared.unless_stopped(handled).await } else { Some(handled.await) };
    match (handled, none) {
        (Some(Ok(Ok(mut response))), _) => {
            if let ControlResponse::State(Response::Status(status)) = &mut response {
                // This task of accepting clients has a sender, too.
                let clients = shared.alive.sender_count().saturating_sub(1) as u64;
                status.control = ControlView { clients, ..shared.counts.view() };
            }
            Ok(response)
        }
        (Some(Ok(Err(Failure::Unavailable(reason)))), _) => Err(QueryError::unavailable(&reason)),
        (Some(Ok(Err(Failure::Refused(reason)))), _) => Err(QueryError::refused(&reason)),
        (Some(Ok(Err(Failure::NotFound(reason)))), _) => Err(QueryError::not_found(&reason)),
        (Some(Err(_)), Some(none)) => Ok(none),
        (Some(Err(_)), None) => Err(QueryError::timeout()),
        (None, _) => Err(QueryError::unavailable("the daemon is stopping")),
    }
}

#[cfg(test)]
mod tests;
