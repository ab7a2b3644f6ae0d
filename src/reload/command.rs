//! The command to reload, on its way from a client to the daemon's main loop, and what came of it on the way back.

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::control::{ControlResponse, Failure};

/// What a client commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ReloadCommand {
    /// Only show the difference.
    pub(crate) dry_run: bool,
}

/// What a reload changed, or would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReloadView {
    /// Whether it is in effect.
    pub(crate) applied: bool,
    /// The keys whose values differ.
    pub(crate) changes: Vec<KeyChange>,
}

/// A command that waits for its outcome.
pub(crate) struct PendingReload {
    /// The command.
    pub(crate) command: ReloadCommand,
    /// Where the outcome goes, or why it was refused.
    pub(crate) outcome: oneshot::Sender<Result<ReloadView, String>>,
}

/// Passes commands on to the daemon's main loop, which carries out one after the other.
#[derive(Clone)]
pub(crate) struct ReloadSender(mpsc::Sender<PendingReload>);

impl ReloadSender {
    /// A sender and what it sends to.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<PendingReload>) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Sends a command and waits for its outcome.
    ///
    /// # Errors
    /// If it is refused, or the daemon is stopping.
    pub(crate) async fn send(&self, command: ReloadCommand) -> Result<ControlResponse, Failure> {
        let stopping = || Failure::Unavailable("the daemon is stopping".into());
        let (outcome, receiver) = oneshot::channel();
        self.0.send(PendingReload { command, outcome }).await.map_err(|_| stopping())?;
        let view = receiver.await.map_err(|_| stopping())?.map_err(Failure::Refused)?;
        Ok(ControlResponse::Reload(view))
    }
}

/// A key whose value differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyChange {
    /// The key's path.
    pub(crate) key: String,
    /// Its value in effect; none where the key is new, or its value is derived.
    pub(crate) before: serde_json::Value,
    /// Its value in the configuration that was read; none where the key is gone, or its value is derived.
    pub(crate) after: serde_json::Value,
}
