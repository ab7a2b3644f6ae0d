//! The daemon's end of the control socket.
//!
//! ```text
//! accept (1 task) ──► serve_client (a task for each of 64 at the most) ──► Oracle
//! ```

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arpherd_core::view::{Answer, Question};
use async_std::channel::{Receiver, Sender, bounded};
use async_std::future::timeout;
use async_std::io::prelude::*;
use async_std::io::{self, BufReader};
use async_std::os::unix::net::{UnixListener, UnixStream};
use async_std::task;
use serde::Serialize;

use super::place::{ControlError, Place};
use super::protocol::{Fault, REQUEST_LIMIT, read_request};

/// Octets of a reply that are gathered before they are written.
const CHUNK: usize = 32 * 1024;

/// A future that can be kept anywhere.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Whoever knows the answers: the daemon's actors, behind a trait so that this module knows none of them.
///
/// The future runs on async-std's executor, where tokio's timers panic. It need not limit its time; it is
/// dropped after five seconds.
pub(crate) trait Oracle: Send + Sync + 'static {
    /// The answer to the question; it must be the one of the same name. Hosts and routes may come in any
    /// order: they are sorted here, where nothing is urgent.
    fn ask(&self, question: Question) -> BoxFuture<'static, Result<Answer, Unavailable>>;
}

/// Why there is no answer, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unavailable(pub(crate) Cow<'static, str>);

/// How much a client may take of everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Connections at the same time.
    pub(super) connections: usize,
    /// For a request to come in whole.
    pub(super) idle: Duration,
    /// For the oracle.
    pub(super) ask: Duration,
    /// For a client to take a chunk of a reply.
    pub(super) write: Duration,
    /// For a client to take a reply.
    pub(super) reply: Duration,
    /// For replies in flight when the daemon stops.
    pub(super) stop: Duration,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            connections: 64,
            idle: Duration::from_secs(60),
            ask: Duration::from_secs(5),
            write: Duration::from_secs(5),
            reply: Duration::from_secs(30),
            stop: Duration::from_secs(3),
        }
    }
}

/// A control socket that listens already but is not served yet.
#[derive(Debug)]
pub(crate) struct Server {
    listener: StdListener,
    place: Place,
    allowance: Allowance,
}

impl Server {
    /// Takes the socket at `path`. Clients that connect now wait until it is served.
    ///
    /// # Errors
    /// When another daemon has it, or the operating system refuses.
    pub(crate) fn bind(path: &Path) -> Result<Self, ControlError> {
        Self::bind_with(path, Allowance::default())
    }

    pub(super) fn bind_with(path: &Path, allowance: Allowance) -> Result<Self, ControlError> {
        let (place, listener) = Place::take(path)?;
        Ok(Self { listener, place, allowance })
    }

    /// Where clients find it.
    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    /// Serves clients from now on, with what the oracle says.
    pub(crate) fn serve(self, oracle: Arc<dyn Oracle>) -> ServerHandle {
        let (stop, stopped) = bounded(1);
        let (alive, gone) = bounded(1);
        let allowance = self.allowance;
        task::spawn(accept(UnixListener::from(self.listener), Shared { oracle, allowance, stopped, alive }));
        ServerHandle { place: self.place, stop: Some(stop), gone, limit: allowance.stop }
    }
}

/// A control socket that is being served. Dropping it stops the service without waiting for replies.
#[derive(Debug)]
pub(crate) struct ServerHandle {
    place: Place,
    stop: Option<Sender<()>>,
    gone: Receiver<()>,
    limit: Duration,
}

impl ServerHandle {
    /// Takes no more requests, removes the socket and waits for the replies in flight, three seconds at
    /// the most. May be awaited on any executor.
    ///
    /// The place itself stays taken until the handle is dropped: as long as this daemon still tidies up,
    /// another one does not start.
    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        self.place.vacate();
        // Nothing is ever sent there; the wait ends when the last task has dropped its sender.
        let _ = timeout(self.limit, self.gone.recv()).await;
    }

    /// The same for a thread without an executor.
    #[cfg(test)]
    pub(crate) fn stop_blocking(&mut self) {
        task::block_on(self.stop());
    }
}

/// What every task of the server has.
#[derive(Clone)]
struct Shared {
    oracle: Arc<dyn Oracle>,
    allowance: Allowance,
    /// Closed when the server is to stop.
    stopped: Receiver<()>,
    /// Held by every task as long as it lives.
    alive: Sender<()>,
}

impl Shared {
    /// What the future gives, or `None` once the server is to stop.
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

async fn accept(listener: UnixListener, shared: Shared) {
    while let Some(accepted) = shared.unless_stopped(listener.accept()).await {
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: wait for some to come back instead of spinning.
            task::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // This task holds one sender itself, each client's task another.
        if shared.alive.sender_count() > shared.allowance.connections {
            // An empty socket takes a line at once; a client in the way of that is not waited for.
            let fault = Fault::busy(shared.allowance.connections);
            let _ = timeout(Duration::from_millis(100), send_fault(&stream, fault, &shared.allowance)).await;
            continue;
        }
        let shared = shared.clone();
        task::spawn(async move {
            // A client that breaks off or does not read has only itself to blame.
            let _ = serve_client(&stream, &shared).await;
        });
    }
}

/// Answers requests until the client has no more, is idle for too long, breaks the rules or does not read.
async fn serve_client(stream: &UnixStream, shared: &Shared) -> io::Result<()> {
    let allowance = &shared.allowance;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let next = timeout(allowance.idle, read_line(&mut reader, &mut line));
        match shared.unless_stopped(next).await {
            Some(Ok(read)) => read?,
            Some(Err(_)) | None => return Ok(()),
        }
        if line.is_empty() {
            return Ok(());
        }
        if line.len() > REQUEST_LIMIT {
            return send_fault(stream, Fault::too_long(), allowance).await;
        }
        // One thread serves all clients: one that floods lets the others have their turn.
        task::yield_now().await;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = match read_request(&line) {
            Ok(question) => ask(question, shared).await,
            Err(fault) => Err(fault),
        };
        match answer {
            Ok(answer) => io::timeout(allowance.reply, send(stream, answer, allowance)).await?,
            Err(fault) => send_fault(stream, fault, allowance).await?,
        }
    }
}

/// Reads up to a newline, the end of the stream, or one octet more than a request may have.
async fn read_line(reader: &mut BufReader<&UnixStream>, line: &mut Vec<u8>) -> io::Result<()> {
    let limit = u64::try_from(REQUEST_LIMIT).map_or(u64::MAX, |limit| limit + 1);
    reader.take(limit).read_until(b'\n', line).await.map(|_| ())
}

async fn ask(question: Question, shared: &Shared) -> Result<Answer, Fault> {
    match timeout(shared.allowance.ask, shared.oracle.ask(question)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(unavailable)) => Err(Fault::unavailable(&unavailable.0)),
        Err(_) => Err(Fault::timeout()),
    }
}

async fn send_fault(stream: &UnixStream, fault: Fault, allowance: &Allowance) -> io::Result<()> {
    let mut line = serde_json::to_vec(&serde_json::json!({ "error": fault }))?;
    line.push(b'\n');
    let mut stream = stream;
    io::timeout(allowance.write, stream.write_all(&line)).await
}

async fn send(stream: &UnixStream, answer: Answer, allowance: &Allowance) -> io::Result<()> {
    let mut out = Out { stream, limit: allowance.write, buffer: Vec::with_capacity(CHUNK) };
    out.buffer.extend_from_slice(b"{\"ok\":");
    match answer {
        Answer::Status(status) => serde_json::to_writer(&mut out.buffer, &status)?,
        Answer::Segments(rows) => out.list(rows).await?,
        Answer::Hosts(mut rows) => {
            rows.sort_unstable_by(|a, b| (&a.domain, a.address).cmp(&(&b.domain, b.address)));
            out.list(rows).await?;
        }
        Answer::Routes(mut rows) => {
            // Namespaces may have routes to the same address.
            rows.sort_unstable_by(|a, b| (a.address, &a.netns).cmp(&(b.address, &b.netns)));
            out.list(rows).await?;
        }
    }
    out.buffer.extend_from_slice(b"}\n");
    out.flush().await
}

/// A reply on its way: never more than a chunk of its text in memory, however many hosts there are.
struct Out<'a> {
    stream: &'a UnixStream,
    limit: Duration,
    buffer: Vec<u8>,
}

impl Out<'_> {
    async fn list<T: Serialize>(&mut self, rows: Vec<T>) -> io::Result<()> {
        self.buffer.push(b'[');
        for (index, row) in rows.into_iter().enumerate() {
            if index > 0 {
                self.buffer.push(b',');
            }
            serde_json::to_writer(&mut self.buffer, &row)?;
            if self.buffer.len() >= CHUNK {
                self.flush().await?;
            }
        }
        self.buffer.push(b']');
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        io::timeout(self.limit, self.stream.write_all(&self.buffer)).await?;
        self.buffer.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
