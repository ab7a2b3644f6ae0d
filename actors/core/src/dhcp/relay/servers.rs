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

/// Servers that were asked or heard.
#[derive(Debug, Default)]
pub(super) struct Servers {
    known: BTreeMap<Address, Server>,
}

#[derive(Debug)]
struct Server {
    /// On whose link its packets came in.
    segment: Option<SegmentId>,
    /// Messages since its last answer, and when the first of them was sent.
    unanswered: Option<(u32, Time)>,
    /// Whose client asked last.
    asked_on: SegmentId,
    /// Whether it is reported to answer; `None`: nothing is reported.
    is_answering: Option<bool>,
}

impl Server {
    /// For how long it has been asked in vain, once it is long enough.
    fn falls_silent(&mut self, now: Time) -> Option<Duration> {
        let (count, since) = self.unanswered?;
        let silence = now.since(since);
        let is_silent = count > UNANSWERED && silence >= SILENCE;
        (is_silent && self.is_answering.replace(false) != Some(false)).then_some(silence)
    }
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

    /// A message of a client of that segment is sent to it. For how long it has been silent, if it fell silent now.
    pub(super) fn asked(&mut self, now: Time, server: Address, segment: SegmentId) -> Option<Duration> {
        let fresh = || Server { segment: None, unanswered: None, asked_on: segment, is_answering: None };
        let known = self.known.entry(server).or_insert_with(fresh);
        known.asked_on = segment;
        known.unanswered.get_or_insert((0, now)).0 += 1;
        known.falls_silent(now)
    }

    /// Servers that have fallen silent since they were asked last, with the segment whose client asked, and for how long.
    pub(super) fn fallen_silent(&mut self, now: Time) -> Vec<(Address, SegmentId, Duration)> {
        let silent =
            |(at, known): (&Address, &mut Server)| Some((*at, known.asked_on, known.falls_silent(now)?));
        self.known.iter_mut().filter_map(silent).collect()
    }

    /// It answered. True if that is news. Only those are known here that were asked.
    pub(super) fn answered(&mut self, server: Address) -> bool {
        self.known.get_mut(&server).is_some_and(|known| {
            known.unanswered = None;
            known.is_answering.replace(true) != Some(true)
        })
    }

    /// Keeps only these.
    pub(super) fn retain(&mut self, is_asked: impl Fn(Address) -> bool) {
        self.known.retain(|server, _| is_asked(*server));
    }
}
