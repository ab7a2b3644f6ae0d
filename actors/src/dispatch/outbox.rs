//! What is collected for one segment until it is sent.

use std::net::Ipv4Addr;
use std::sync::Weak;

use arpherd_core::Frame;
use arpherd_core::order::Purpose;

use crate::counters::Counters;
use crate::io::{FramePort, Tally};

/// Frames for which each segment keeps room from one batch to the next. Bursts are rare, and segments may be thousands.
const KEPT: usize = 16;

/// What is collected for one segment.
#[derive(Default)]
pub(super) struct Outbox {
    /// `None` while there is no link.
    pub(super) port: Option<Box<dyn FramePort>>,
    pub(super) frames: Vec<Frame>,
    /// Of each of `frames`.
    purposes: Vec<Purpose>,
    pub(super) hosts_seen: Vec<Ipv4Addr>,
    /// Gone between two sweeps: see [`super::Dispatcher::report_hosts`].
    pub(super) sweep_wants_hosts: Weak<()>,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.hosts_seen.is_empty()
    }

    /// Whether the segment is being swept.
    pub(super) fn wants_hosts(&self) -> bool {
        self.sweep_wants_hosts.strong_count() > 0
    }

    pub(super) fn push(&mut self, frame: Frame, purpose: Purpose) {
        self.frames.push(frame);
        self.purposes.push(purpose);
    }

    /// Takes the frames for which there is a reason to, each with it.
    pub(super) fn take_where<R>(&mut self, reason: impl Fn(&Frame) -> Option<R>) -> Vec<(R, Frame, Purpose)> {
        let mut taken = Vec::new();
        let reasons: Vec<_> = self.frames.iter().map(reason).collect();
        if reasons.iter().all(Option::is_none) {
            return taken;
        }
        let (frames, purposes) = (std::mem::take(&mut self.frames), std::mem::take(&mut self.purposes));
        for ((frame, purpose), reason) in frames.into_iter().zip(purposes).zip(reasons) {
            match reason {
                Some(reason) => taken.push((reason, frame, purpose)),
                None => self.push(frame, purpose),
            }
        }
        taken
    }

    /// How many of the frames are for one of these purposes.
    fn count(&self, purposes: &[Purpose]) -> u64 {
        self.purposes.iter().filter(|purpose| purposes.contains(purpose)).count() as u64
    }

    /// Sends the frames. Those that cannot be sent are dropped and counted: requesters repeat their requests.
    pub(super) fn transmit(&mut self, counters: &Counters) {
        let mut tally = Tally::default();
        // An error needs no report: the watch reports links that go down, and the tally counts the frames.
        if let Some(port) = &mut self.port
            && port.send(&self.frames, &mut tally).is_ok()
        {
            Counters::add(&counters.answered, self.count(&[Purpose::Answer]));
            Counters::add(&counters.probed, self.count(&[Purpose::Search, Purpose::Verify]));
            Counters::add(&counters.paced, self.count(&[Purpose::Verify, Purpose::Correct]));
        }
        let lost = if self.port.is_some() { tally.unsent } else { self.frames.len() as u64 };
        Counters::add(&counters.dropped, lost);
        self.frames.clear();
        self.frames.shrink_to(KEPT);
        self.purposes.clear();
        self.purposes.shrink_to(KEPT);
    }
}
