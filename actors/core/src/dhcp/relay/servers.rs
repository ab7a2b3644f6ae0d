//! The servers: where they were heard, and whether they answer.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::Address;
use crate::plan::SegmentId;
use crate::time::Time;

/// A server that answered none of so many messages …
const UNANSWERED: u32 = 3;
/// … in this time is silent.
const SILENCE: Duration = Duration::from_secs(5);

/// What became of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Answers,
    SilentFor(Duration),
}

/// Servers that were asked or heard.
#[derive(Debug, Default)]
pub(super) struct Servers {
    known: BTreeMap<Address, Server>,
}

#[derive(Debug, Default)]
struct Server {
    /// On whose link its packets came in.
    segment: Option<SegmentId>,
    /// Messages since its last answer, and when the first of them was sent.
    unanswered: Option<(u32, Time)>,
    /// Whether it is reported to answer; `None`: nothing is reported.
    is_answering: Option<bool>,
}

impl Servers {
    /// The segment on which the server is, as far as it was heard there.
    pub(super) fn segment_of(&self, server: Address) -> Option<SegmentId> {
        self.known.get(&server)?.segment
    }

    /// The server's packets come in on that segment.
    pub(super) fn heard_on(&mut self, server: Address, segment: SegmentId) {
        if let Some(known) = self.known.get_mut(&server) {
            known.segment = Some(segment);
        }
    }

    /// A message is sent to it.
    pub(super) fn asked(&mut self, now: Time, server: Address) -> Option<Change> {
        let known = self.known.entry(server).or_default();
        let (count, since) = known.unanswered.get_or_insert((0, now));
        *count += 1;
        let silence = now.since(*since);
        let is_silent = *count > UNANSWERED && silence >= SILENCE;
        let is_news = is_silent && known.is_answering != Some(false);
        is_news.then(|| {
            known.is_answering = Some(false);
            Change::SilentFor(silence)
        })
    }

    /// It answered. Only those are known here that were asked.
    pub(super) fn answered(&mut self, server: Address) -> Option<Change> {
        let known = self.known.get_mut(&server)?;
        known.unanswered = None;
        (known.is_answering.replace(true) != Some(true)).then_some(Change::Answers)
    }

    /// Keeps only these.
    pub(super) fn retain(&mut self, is_asked: impl Fn(Address) -> bool) {
        self.known.retain(|server, _| is_asked(*server));
    }
}
