//! The sockets that clients connect to, listening before there is a daemon behind them: so that a second daemon changes
//! nothing, and while capabilities for their groups and ports are there.

use std::path::Path;

use crate::config::DaemonConfig;
use crate::control::{Access, ControlError, Server};
use crate::exit::Exit;
use crate::http::{BoundHttp, HttpError};

/// Why there is no daemon on these sockets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketsError {
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// That for HTTP.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl SocketsError {
    /// The exit code that fits, out of sysexits.
    pub(crate) fn exit_code(&self) -> Exit {
        match self {
            Self::Control(error) => error.exit_code(),
            Self::Http(error) => error.exit_code(),
        }
    }
}

/// The sockets. Clients that connect wait.
pub(crate) struct Sockets {
    /// The control socket.
    pub(crate) server: Server,
    /// Whether it is at its spare path.
    pub(crate) is_spare: bool,
    /// What HTTP is served on.
    pub(crate) http: BoundHttp,
}

impl Sockets {
    /// Listens as configured. `spare`: the path of the control socket if another daemon has the configured one.
    ///
    /// # Errors
    /// If somebody has one of them, or it cannot be made.
    pub(crate) fn bind(daemon: &DaemonConfig, spare: Option<&Path>) -> Result<Self, SocketsError> {
        let access = Access::new(daemon).map_err(ControlError::from)?;
        let (server, is_spare) = match (Server::bind(&daemon.control, access.clone()), spare) {
            (Err(ControlError::InUse(_) | ControlError::Locked(_)), Some(spare)) => {
                (Server::bind(spare, access)?, true)
            }
            (server, _) => (server?, false),
        };
        Ok(Self { server, is_spare, http: BoundHttp::bind(&daemon.http)? })
    }
}
