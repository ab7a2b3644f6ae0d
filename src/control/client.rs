//! The operator's end of the control socket.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use arpherd_core::view::{Answer, Question};
use async_std::io::prelude::*;
use async_std::io::timeout;
use async_std::os::unix::net::UnixStream;
use async_std::task;
use serde::de::DeserializeOwned;

use super::protocol::{Fault, Reply, write_request};
use super::table;
use crate::exit::Exit;
use crate::log::Escaped;

/// For the daemon to accept, to take the request, and to send each piece of the reply. The daemon itself
/// gives up on its answer sooner, and says so.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets of a reply at the most: a hundred times what a full daemon has to say.
const REPLY_LIMIT: usize = 1 << 30;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// No daemon listens there.
    #[error("no arpherd answers on {}: {reason}; start it with `arpherd run`, or name its socket with --control", shown(.path))]
    NoDaemon {
        /// The socket.
        path: PathBuf,
        /// What is there instead.
        reason: &'static str,
    },
    /// We may not ask.
    #[error("not allowed to use {}: ask as root or as a member of the socket's group", shown(.0))]
    NotAllowed(PathBuf),
    /// A daemon listens but does not keep up.
    #[error("arpherd on {} does not answer within {} s", shown(.0), PATIENCE.as_secs())]
    Timeout(PathBuf),
    /// The daemon says why not.
    #[error("arpherd on {}: {}", shown(.path), Escaped(&.fault.message))]
    Refused {
        /// The socket.
        path: PathBuf,
        /// Its words.
        fault: Fault,
    },
    /// What came back is no answer.
    #[error("{} gave no answer that can be read: {detail}; is it an arpherd of this version?", shown(.path))]
    Garbled {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The operating system says no.
    #[error("cannot ask arpherd on {}: {source}", shown(.path))]
    Io {
        /// The socket.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

fn shown(path: &Path) -> String {
    Escaped(&path.to_string_lossy()).to_string()
}

impl ClientError {
    /// The exit code that fits.
    pub(crate) fn exit_code(&self) -> Exit {
        match self {
            Self::NotAllowed(_) => Exit::NoPerm,
            Self::Garbled { .. } => Exit::Protocol,
            Self::NoDaemon { .. } | Self::Timeout(_) | Self::Refused { .. } | Self::Io { .. } => {
                Exit::Unavailable
            }
        }
    }

    fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::NotFound => Self::NoDaemon { path, reason: "there is no such socket" },
            ErrorKind::ConnectionRefused => {
                Self::NoDaemon { path, reason: "nobody listens there any longer" }
            }
            ErrorKind::PermissionDenied => Self::NotAllowed(path),
            ErrorKind::TimedOut => Self::Timeout(path),
            _ => Self::Io { path, source },
        }
    }
}

/// Asks the daemon at `path` and waits for its answer, within limits.
///
/// # Errors
/// When there is no daemon, it may not be asked, or it does not or cannot answer.
pub(crate) fn fetch(path: &Path, question: Question) -> Result<Answer, ClientError> {
    match question {
        Question::Status => fetch_as(path, question).map(Answer::Status),
        Question::Segments => fetch_as(path, question).map(Answer::Segments),
        Question::Hosts => fetch_as(path, question).map(Answer::Hosts),
        Question::Routes => fetch_as(path, question).map(Answer::Routes),
    }
}

/// The same, read as what the caller knows the answer to be.
///
/// # Errors
/// As [`fetch`], and when the answer is something else.
pub(crate) fn fetch_as<T: DeserializeOwned>(path: &Path, question: Question) -> Result<T, ClientError> {
    let line = task::block_on(exchange(path, question)).map_err(|error| ClientError::from_io(path, error))?;
    read(path, &line)
}

/// Asks, prints the answer on standard output (as a table, or with `json` as one JSON document) or what is
/// wrong in one line on standard error.
pub(crate) fn run_client(question: Question, path: &Path, json: bool) -> ExitCode {
    let answer = match fetch(path, question) {
        Ok(answer) => answer,
        Err(error) => {
            // If even that cannot be written, the exit code still tells.
            let _ = writeln!(io::stderr(), "arpherd: {error}");
            return error.exit_code().into();
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written =
        if json { table::write_json(&mut out, &answer) } else { table::write_text(&mut out, &answer) };
    match written.and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "arpherd: cannot write the answer: {error}");
            Exit::IoErr.into()
        }
    }
}

/// Sends the request and gives the reply's line.
async fn exchange(path: &Path, question: Question) -> io::Result<Vec<u8>> {
    let mut stream = timeout(PATIENCE, UnixStream::connect(path)).await?;
    let request = write_request(question);
    match timeout(PATIENCE, stream.write_all(request.as_bytes())).await {
        // A daemon with too many clients says so and closes without reading.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        sent => sent?,
    }
    let mut line = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match timeout(PATIENCE, stream.read(&mut piece)).await {
            Ok(0) => return Ok(line),
            Ok(read) => line.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(line),
            Err(error) => return Err(error),
        }
        if line.ends_with(b"\n") || line.len() > REPLY_LIMIT {
            return Ok(line);
        }
    }
}

fn read<T: DeserializeOwned>(path: &Path, line: &[u8]) -> Result<T, ClientError> {
    let path = path.to_owned();
    if !line.ends_with(b"\n") {
        let detail =
            if line.is_empty() { "the connection was closed" } else { "the reply ends in the middle" };
        return Err(ClientError::Garbled { path, detail: detail.into() });
    }
    match serde_json::from_slice(line) {
        Ok(Reply::Ok(answer)) => Ok(answer),
        Ok(Reply::Error(fault)) => Err(ClientError::Refused { path, fault }),
        Err(error) => Err(ClientError::Garbled { path, detail: Escaped(&error.to_string()).to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    #[test]
    fn no_daemon_is_told_with_its_path_and_what_to_do() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("control.sock");
        let absent = fetch(&path, Question::Status).expect_err("nobody is there");
        drop(UnixListener::bind(&path).expect("a socket that stays"));
        let dead = fetch(&path, Question::Status).expect_err("nobody is there any longer");
        for error in [absent, dead] {
            assert_eq!(error.exit_code(), Exit::Unavailable);
            let line = error.to_string();
            assert!(line.contains(&*path.to_string_lossy()) && line.contains("arpherd run"), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn missing_rights_have_an_exit_code_of_their_own() {
        let error = ClientError::from_io(Path::new("/run/c"), ErrorKind::PermissionDenied.into());
        assert_eq!((error.exit_code(), error.to_string().contains("/run/c")), (Exit::NoPerm, true));
    }

    #[test]
    fn reply_that_is_none_is_an_error_and_not_a_panic() {
        let replies: [&[u8]; 5] =
            [b"\n", b"{\"ok\":", b"{\"ok\":[1]}\n", b"\xff\xfe\x1b[2J\n", b"{\"error\":7}\n"];
        for reply in replies {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let path = directory.path().join("c");
            let listener = UnixListener::bind(&path).expect("a socket");
            let impostor = thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("a client");
                stream.write_all(reply)
            });
            let error = fetch(&path, Question::Hosts).expect_err("not an answer");
            assert!(matches!(error, ClientError::Garbled { .. }), "{error:?}");
            assert!(!error.to_string().chars().any(char::is_control), "{error}");
            assert!(impostor.join().is_ok());
        }
    }

    #[test]
    fn words_of_a_daemon_are_shown_without_power_over_the_terminal() {
        let fault = Fault { code: "busy".into(), message: "a\nb\x1b[2J".into() };
        let error = ClientError::Refused { path: "/run/c".into(), fault };
        assert_eq!(error.to_string(), "arpherd on /run/c: a\\nb\\u{1b}[2J");
    }
}
