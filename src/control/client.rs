//! The client's end of the control socket.

use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use arpherd_core::view::{Query, Response, SegmentView};
use async_std::io::prelude::*;
use async_std::io::timeout;
use async_std::os::unix::net::UnixStream;
use async_std::task;
use serde::de::DeserializeOwned;

use super::access::group_name;
use super::filter::TableFilter;
use super::protocol::{ControlQuery, QueryError, ResponseLine, write_query};
use super::table::{self, StandardOutput};
use crate::events::{EventsQuery, EventsView};
use crate::exit::Exit;
use crate::log::Escaped;
use crate::reload::command::ReloadCommand;

/// Limit for each step: connecting, sending the query, and receiving each piece of the response. The daemon's
/// own limit is shorter and yields an error response.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of a response in bytes: a hundred times that of a daemon with all hosts it can have.
const RESPONSE_LIMIT: usize = 1 << 30;

/// Why a query got no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// No daemon listens on the socket.
    #[error("no daemon on {}: {reason}; start it with `arpherd run`, or set its socket with --control", escaped(.path))]
    NoDaemon {
        /// The socket.
        path: PathBuf,
        /// What was found instead.
        reason: &'static str,
    },
    /// The user lacks permission to connect.
    #[error("cannot connect to {}: permission denied; use sudo, or {}", escaped(.0), who_may_connect(.0))]
    NotAllowed(PathBuf),
    /// A daemon listens but does not respond in time.
    #[error("the daemon on {} did not respond within {} s; try again, and look at its log", escaped(.0), TIMEOUT.as_secs())]
    Timeout(PathBuf),
    /// The daemon does not know the query: it was started before this program was upgraded.
    #[error(
        "the daemon on {} is older than this arpherd ({}) and does not know `{query}` as it is asked; restart it, for instance by \
         `systemctl restart arpherd`", escaped(.path), env!("CARGO_PKG_VERSION")
    )]
    Outdated {
        /// The socket.
        path: PathBuf,
        /// The name of the query.
        query: &'static str,
    },
    /// There is nothing of this name or address, or the command is not carried out.
    #[error("{}", Escaped(&.0.message))]
    Declined(QueryError),
    /// The daemon responded with an error.
    #[error("the daemon on {} reports: {}", escaped(.path), Escaped(&.error.message))]
    Rejected {
        /// The socket.
        path: PathBuf,
        /// The error.
        error: QueryError,
    },
    /// The daemon closed the connection without a response: it has ended.
    #[error("the daemon on {} closed the connection; look at its log", escaped(.0))]
    Closed(PathBuf),
    /// The response cannot be parsed.
    #[error("malformed response from {}: {detail}; check that an arpherd of this version listens there", escaped(.path))]
    Malformed {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A system call failed.
    #[error("cannot query the daemon on {}: {source}; check the socket's path, and the daemon's log", escaped(.path))]
    Io {
        /// The socket.
        path: PathBuf,
        /// Its error.
        source: io::Error,
    },
}

fn escaped(path: &Path) -> String {
    Escaped(&path.to_string_lossy()).to_string()
}

/// What one does who may not connect.
fn who_may_connect(path: &Path) -> String {
    match std::fs::metadata(path).map(|socket| group_name(socket.gid())) {
        Ok(group) => format!("join the group {group} (`usermod -aG {group} USER`) and log in again"),
        // The folder is closed as well, and so is what it says of the socket.
        Err(_) => "join the group of the socket and of its folder, and log in again".to_owned(),
    }
}

impl ClientError {
    /// The exit code that fits.
    pub(crate) fn exit_code(&self) -> Exit {
        match self {
            Self::NotAllowed(_) => Exit::NoPerm,
            Self::Malformed { .. } => Exit::Protocol,
            Self::Rejected { error, .. } if error.code == "forbidden" => Exit::NoPerm,
            Self::Declined(error) if error.code == "not_found" => Exit::Usage,
            Self::NoDaemon { .. }
            | Self::Declined(_)
            | Self::Outdated { .. }
            | Self::Timeout(_)
            | Self::Closed(_)
            | Self::Rejected { .. }
            | Self::Io { .. } => Exit::Unavailable,
        }
    }

    pub(super) fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::NotFound => Self::NoDaemon { path, reason: "no such socket" },
            ErrorKind::ConnectionRefused => Self::NoDaemon { path, reason: "nothing listens there" },
            ErrorKind::PermissionDenied => Self::NotAllowed(path),
            ErrorKind::TimedOut => Self::Timeout(path),
            _ => Self::Io { path, source },
        }
    }
}

/// Sends a query to the daemon at `path` and waits for the response, within time limits.
///
/// # Errors
/// If there is no daemon, it cannot be connected to, or it sends no valid response. See [`ClientError`].
pub(crate) fn fetch(path: &Path, query: Query) -> Result<Response, ClientError> {
    match query {
        Query::Status => fetch_as(path, query).map(Response::Status),
        Query::Segments => fetch_as(path, query).map(Response::Segments),
        Query::Hosts => fetch_as(path, query).map(Response::Hosts),
        Query::Routes => fetch_as(path, query).map(Response::Routes),
        Query::Leases => fetch_as(path, query).map(Response::Leases),
        Query::Explain(_) => fetch_as(path, query).map(Response::Explain),
        Query::Probed(_) => fetch_as(path, query).map(Response::Probed),
    }
}

/// Like [`fetch`] for any query, deserialized into the type that the caller expects.
///
/// # Errors
/// As [`fetch`], and if the response is of another type.
pub(crate) fn fetch_as<T: DeserializeOwned>(
    path: &Path,
    query: impl Into<ControlQuery>,
) -> Result<T, ClientError> {
    let query = query.into();
    let line = task::block_on(exchange(path, &query)).map_err(|error| ClientError::from_io(path, error))?;
    read(path, &line).map_err(|error| match error {
        // What this program asks is valid: a daemon that does not understand it is another version's.
        ClientError::Rejected { path, error }
            if matches!(&*error.code, "unknown_request" | "bad_request") =>
        {
            ClientError::Outdated { path, query: query.name() }
        }
        ClientError::Rejected { error, .. } if matches!(&*error.code, "not_found" | "refused") => {
            ClientError::Declined(error)
        }
        error => error,
    })
}

/// Runs a query and prints the response on standard output, as a table or with `json` as one JSON document; or
/// the error in one line on standard error.
pub(crate) fn run_client(query: Query, filter: &TableFilter, path: &Path, json: bool) -> ExitCode {
    let from = match &query {
        Query::Explain(query) => query.from.clone(),
        _ => None,
    };
    let filtered = fetch(path, query).and_then(|response| {
        let segments = segments_for(filter, path)?;
        Ok(match response {
            Response::Segments(rows) => filter.apply(rows, &segments).map(Response::Segments),
            Response::Hosts(rows) => filter.apply(rows, &segments).map(Response::Hosts),
            Response::Routes(rows) => filter.apply(rows, &segments).map(Response::Routes),
            Response::Leases(rows) => filter.apply(rows, &segments).map(Response::Leases),
            other => Ok(other),
        })
    });
    let response = match filtered {
        Ok(Ok(response)) => response,
        Ok(Err(refusal)) => return refuse(&refusal),
        Err(error) => return report(&error),
    };
    if let (Response::Explain(rows), Some(from)) = (&response, from)
        && rows.iter().all(|row| row.segments.is_empty())
    {
        let from = Escaped(&from);
        let _ =
            writeln!(io::stderr(), "arpherd: no segment or interface {from}; `arpherd segments` lists them");
        return Exit::Usage.into();
    }
    print(|out| if json { table::write_json(out, &response) } else { table::write_text(out, &response) })
}

/// The daemon's segments, if the filter names any or their domains.
fn segments_for(filter: &TableFilter, path: &Path) -> Result<Vec<SegmentView>, ClientError> {
    if filter.needs_segments() { fetch_as(path, Query::Segments) } else { Ok(Vec::new()) }
}

/// Says what is wrong with the command line.
fn refuse(refusal: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "arpherd: {refusal}");
    Exit::Usage.into()
}

/// Prints events on standard output, a line each; with `follow` until there is no daemon any more or the reader
/// has gone.
pub(crate) fn run_events(
    mut query: EventsQuery,
    filter: &TableFilter,
    path: &Path,
    json: bool,
    follow: bool,
) -> ExitCode {
    match segments_for(filter, path).map(|segments| filter.chosen(&segments).map(drop)) {
        Ok(Ok(())) => {}
        Ok(Err(refusal)) => return refuse(&refusal),
        Err(error) => return report(&error),
    }
    loop {
        let mut view: EventsView = match fetch_as(path, ControlQuery::Events(query.clone())) {
            Ok(view) => view,
            Err(error) => return report(&error),
        };
        if view.missed > 0 {
            let missed = view.missed;
            let _ = writeln!(
                io::stderr(),
                "arpherd: {missed} events are missing: they were forgotten before they were read"
            );
        }
        view.events.retain(|event| filter.wants_event(event));
        let written = print(|out| table::write_events(out, &view.events, json));
        if !follow || written != ExitCode::SUCCESS {
            return written;
        }
        query = EventsQuery { after: Some(view.last), since: None, wait: true, ..query };
    }
}

/// Has the daemon read its configuration again, and prints what changed.
pub(crate) fn run_reload(command: ReloadCommand, path: &Path, json: bool) -> ExitCode {
    match fetch_as(path, ControlQuery::Reload(command)) {
        Ok(view) => print(|out| table::write_reload(out, &view, json)),
        Err(ClientError::Declined(error)) => {
            for line in error.message.lines() {
                let _ = writeln!(io::stderr(), "arpherd: {}", Escaped(line));
            }
            let _ = writeln!(io::stderr(), "arpherd: nothing is changed; the daemon goes on as before");
            Exit::Config.into()
        }
        Err(error) => report(&error),
    }
}

/// Reports an error on standard error.
pub(super) fn report(error: &ClientError) -> ExitCode {
    // If that cannot be written either, the exit code still reports the failure.
    let _ = writeln!(io::stderr(), "arpherd: {error}");
    error.exit_code().into()
}

/// Writes to standard output.
pub(super) fn print(write: impl FnOnce(&mut StandardOutput) -> io::Result<()>) -> ExitCode {
    let mut out = StandardOutput::lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has closed its end, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "arpherd: cannot write the response: {error}");
            Exit::IoErr.into()
        }
    }
}

/// Sends the query and returns the line of the response.
async fn exchange(path: &Path, query: &ControlQuery) -> io::Result<Vec<u8>> {
    let mut stream = timeout(TIMEOUT, UnixStream::connect(path)).await?;
    let line = write_query(query);
    match timeout(TIMEOUT, stream.write_all(line.as_bytes())).await {
        // A daemon with too many clients sends an error and closes without reading.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        sent => sent?,
    }
    let mut line = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match timeout(TIMEOUT, stream.read(&mut piece)).await {
            Ok(0) => return Ok(line),
            Ok(read) => line.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(line),
            Err(error) => return Err(error),
        }
        if line.ends_with(b"\n") || line.len() > RESPONSE_LIMIT {
            return Ok(line);
        }
    }
}

fn read<T: DeserializeOwned>(path: &Path, line: &[u8]) -> Result<T, ClientError> {
    let path = path.to_owned();
    if line.is_empty() {
        return Err(ClientError::Closed(path));
    }
    if !line.ends_with(b"\n") {
        return Err(ClientError::Malformed { path, detail: "the response is incomplete".into() });
    }
    match serde_json::from_slice(line) {
        Ok(ResponseLine::Ok(response)) => Ok(response),
        Ok(ResponseLine::Error(error)) => Err(ClientError::Rejected { path, error }),
        Err(error) => Err(ClientError::Malformed { path, detail: Escaped(&error.to_string()).to_string() }),
    }
}

#[cfg(test)]
mod tests;
