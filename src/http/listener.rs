//! The socket on which HTTP is served: TCP, or a Unix socket.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::net::UnixListener as StdUnixListener;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use crate::config::HttpListen;
use crate::control::{ControlError, SocketFile};
use crate::exit::Exit;

/// Why HTTP cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The address cannot be listened on.
    #[error("daemon.http: cannot listen on {address}: {source}{}", hint(.source))]
    Address {
        /// The address.
        address: SocketAddr,
        /// The system call's error.
        source: io::Error,
    },
    /// Somebody has the Unix socket.
    #[error("daemon.http: somebody listens on {0} already; set another path")]
    InUse(String),
    /// The Unix socket cannot be created.
    #[error("daemon.http: {0}")]
    Socket(ControlError),
    /// There is no thread for it.
    #[error("daemon.http: cannot start its thread: {0}")]
    Thread(#[source] io::Error),
}

/// What to do about a failed `bind`.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => "; set another port, or stop the program that has it (ss -lntp)",
        ErrorKind::AddrNotAvailable => "; no interface has this address",
        ErrorKind::PermissionDenied => "; ports below 1024 need a right (CAP_NET_BIND_SERVICE)",
        // EAFNOSUPPORT has no kind of its own.
        _ if error.raw_os_error() == Some(97) => {
            "; a unit that is to listen on IPv6 needs AF_INET6 in RestrictAddressFamilies"
        }
        _ => "",
    }
}

impl HttpError {
    /// The exit code that fits, out of sysexits.
    pub(crate) fn exit_code(&self) -> Exit {
        match self {
            Self::Address { source, .. } if source.kind() == ErrorKind::PermissionDenied => Exit::NoPerm,
            Self::Address { .. } | Self::InUse(_) => Exit::Unavailable,
            Self::Socket(error) => error.exit_code(),
            Self::Thread(_) => Exit::OsErr,
        }
    }

    /// Whether the kernel refused a port, which a capability would have opened.
    pub(crate) fn is_refused_port(&self) -> bool {
        matches!(self, Self::Address { source, .. } if source.kind() == ErrorKind::PermissionDenied)
    }

    /// Whether another socket has the address, perhaps this daemon's own.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self, Self::Address { source, .. } if source.kind() == ErrorKind::AddrInUse)
    }
}

/// A socket that listens and is not served yet: clients that connect wait.
#[derive(Debug)]
pub(super) enum BoundSocket {
    Tcp(std::net::TcpListener),
    Unix(SocketFile, StdUnixListener),
}

impl BoundSocket {
    /// Listens; `None` where HTTP is off.
    pub(super) fn bind(listen: &HttpListen) -> Result<Option<Self>, HttpError> {
        match listen {
            HttpListen::Off => Ok(None),
            HttpListen::Tcp(address) => {
                let bound = std::net::TcpListener::bind(address)
                    .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
                let bound = bound.map_err(|source| HttpError::Address { address: *address, source })?;
                Ok(Some(Self::Tcp(bound)))
            }
            HttpListen::Unix(path) => match SocketFile::create(path) {
                Ok((file, listener)) => Ok(Some(Self::Unix(file, listener))),
                Err(ControlError::InUse(path) | ControlError::Locked(path)) => {
                    Err(HttpError::InUse(path.display().to_string()))
                }
                Err(error) => Err(HttpError::Socket(error)),
            },
        }
    }

    /// Makes it a listener of the tokio runtime that is entered.
    pub(super) fn into_listener(self) -> io::Result<Listener> {
        match self {
            Self::Tcp(listener) => TcpListener::from_std(listener).map(Listener::Tcp),
            Self::Unix(file, listener) => {
                UnixListener::from_std(listener).map(|listener| Listener::Unix { _file: file, listener })
            }
        }
    }
}

/// A connection's stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A socket that is served.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix {
        /// Removed with the listener.
        _file: SocketFile,
        listener: UnixListener,
    },
}

impl Listener {
    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => Ok(Box::new(listener.accept().await?.0)),
            Self::Unix { listener, .. } => Ok(Box::new(listener.accept().await?.0)),
        }
    }

    /// Whether only this machine can connect, over the loopback interface.
    pub(super) fn is_loopback(&self) -> bool {
        match self {
            Self::Tcp(listener) => listener.local_addr().is_ok_and(|address| address.ip().is_loopback()),
            Self::Unix { .. } => false,
        }
    }
}
