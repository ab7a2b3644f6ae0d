//! Queries to one instance.

use std::sync::Arc;

use actix::Recipient;
use arpherd_actors::messages::{Barrier, DemandSweep, GetSweepProgress, RunCommand, RunQuery};
use arpherd_actors::peer::Peer;
use arpherd_core::view::Label;

use super::merging::{in_netns, merged};
use crate::control::{Failure, Query, Response};

/// The actors of one instance that a query needs.
#[derive(Clone)]
pub(super) struct InstanceQueries {
    pub(super) netns: Option<Label>,
    pub(super) owner: Recipient<RunQuery>,
    /// Captures read the kernel's drop counts only on request; without it the counters are incomplete.
    pub(super) captures: Arc<[Peer<Barrier>]>,
    /// Of operators, about addresses.
    pub(super) commands: Recipient<RunCommand>,
    /// By segment.
    pub(super) sweeps: Arc<[(Peer<DemandSweep>, Peer<GetSweepProgress>)]>,
}

impl InstanceQueries {
    pub(super) async fn run(self, query: Query) -> Result<Response, Failure> {
        if query == Query::Segments {
            for capture in &*self.captures {
                // A capture that has stopped counts nothing more.
                let _ = capture.send(Barrier).await;
            }
        }
        let mut whole: Option<Response> = None;
        let mut after = None;
        loop {
            let part = self.owner.send(RunQuery { query: query.clone(), after }).await;
            let part = part.map_err(|_| Failure::Unavailable("the daemon is stopping".into()))?;
            let response = match whole.take() {
                Some(before) => merged(before, part.response),
                None => part.response,
            };
            if part.last.is_none() {
                return Ok(in_netns(response, self.netns.as_ref()));
            }
            (whole, after) = (Some(response), part.last);
        }
    }
}
