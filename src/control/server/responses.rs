//! Responses as they are written: in chunks, each within a time.

use std::time::Duration;

use arpherd_core::view::Response;
use async_std::io;
use async_std::io::prelude::*;
use async_std::os::unix::net::UnixStream;
use serde::Serialize;

use super::super::protocol::{ControlResponse, QueryError};
use super::ServerLimits;

/// Bytes of a response that are buffered before they are written.
const CHUNK: usize = 32 * 1024;

/// Sends an error.
pub(super) async fn send_error(
    stream: &UnixStream,
    error: QueryError,
    limits: &ServerLimits,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(&serde_json::json!({ "error": error }))?;
    line.push(b'\n');
    let mut stream = stream;
    io::timeout(limits.write, stream.write_all(&line)).await
}

/// Sends a response, in chunks.
pub(super) async fn send(
    stream: &UnixStream,
    response: ControlResponse,
    limits: &ServerLimits,
) -> io::Result<()> {
    let mut out = ResponseWriter { stream, limit: limits.write, buffer: Vec::with_capacity(CHUNK) };
    out.buffer.extend_from_slice(b"{\"ok\":");
    match response {
        ControlResponse::State(response) => send_state(&mut out, response).await?,
        ControlResponse::Events(events) => serde_json::to_writer(&mut out.buffer, &events)?,
        ControlResponse::Reload(reload) => serde_json::to_writer(&mut out.buffer, &reload)?,
        ControlResponse::Sweeps(rows) => out.list(rows).await?,
        ControlResponse::Log(log) => serde_json::to_writer(&mut out.buffer, &log)?,
    }
    out.buffer.extend_from_slice(b"}\n");
    out.flush().await
}

async fn send_state(out: &mut ResponseWriter<'_>, response: Response) -> io::Result<()> {
    match response {
        Response::Status(status) => serde_json::to_writer(&mut out.buffer, &status)?,
        Response::Segments(rows) => out.list(rows).await?,
        Response::Hosts(mut rows) => {
            rows.sort_unstable_by(|a, b| (&a.domain, a.address).cmp(&(&b.domain, b.address)));
            out.list(rows).await?;
        }
        Response::Routes(mut rows) => {
            // Namespaces may have routes to the same address.
            rows.sort_unstable_by(|a, b| (a.address, &a.netns).cmp(&(b.address, &b.netns)));
            out.list(rows).await?;
        }
        Response::Leases(mut rows) => {
            rows.sort_unstable_by(|a, b| (&a.domain, a.address).cmp(&(&b.domain, b.address)));
            out.list(rows).await?;
        }
        Response::Explain(rows) => out.list(rows).await?,
        Response::Probed(rows) => out.list(rows).await?,
        Response::Forgotten(rows) => out.list(rows).await?,
        Response::Woken(rows) => out.list(rows).await?,
        Response::Roles(rows) => out.list(rows).await?,
    }
    Ok(())
}

/// Writes a response in chunks, so that its text is never in memory as a whole, however many hosts there are.
struct ResponseWriter<'a> {
    stream: &'a UnixStream,
    limit: Duration,
    buffer: Vec<u8>,
}

impl ResponseWriter<'_> {
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
