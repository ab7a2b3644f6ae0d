//! Addresses that operators asked for, and who answered.

use std::collections::VecDeque;
use std::time::Duration;

use crate::address::Address;
use crate::arp::Arp;
use crate::ledger::segment::Segment;
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;
use crate::time::Time;

/// Probes that are remembered; the newest.
const PROBES: usize = 16;
/// Answers that are remembered of one segment.
const ANSWERS: usize = 8;
/// What comes later is no answer any more.
const WINDOW: Duration = Duration::from_secs(5);

/// An address that was asked for.
#[derive(Debug)]
pub(in crate::ledger) struct Probe {
    pub(in crate::ledger) address: Address,
    pub(in crate::ledger) at: Time,
    pub(in crate::ledger) asked: Vec<SegmentId>,
    /// Where there were too many searches already.
    pub(in crate::ledger) shed: Vec<SegmentId>,
    pub(in crate::ledger) answers: Vec<Answer>,
}

#[derive(Debug)]
pub(in crate::ledger) struct Answer {
    pub(in crate::ledger) segment: SegmentId,
    pub(in crate::ledger) lladdr: LinkAddr,
    pub(in crate::ledger) after: Duration,
}

/// Probes of operators.
#[derive(Debug, Default)]
pub(in crate::ledger) struct OperatorProbes(VecDeque<Probe>);

impl OperatorProbes {
    /// An ARP packet came in: it may be an answer to one of them.
    pub(in crate::ledger) fn note_answer(&mut self, now: Time, segment: &Segment, arp: &Arp) {
        let is_fresh = |probe: &&mut Probe| probe.address == arp.sender && now.since(probe.at) < WINDOW;
        let Some(probe) = self.0.iter_mut().rev().find(is_fresh) else { return };
        let mut of_segment = probe.answers.iter().filter(|it| it.segment == segment.id);
        let has_room = of_segment.clone().count() < ANSWERS;
        let is_new = of_segment.all(|it| !it.lladdr.same_port(&arp.sender_lladdr));
        if has_room && is_new && probe.asked.contains(&segment.id) && segment.is_answer(arp) {
            let after = now.since(probe.at);
            probe.answers.push(Answer { segment: segment.id, lladdr: arp.sender_lladdr, after });
        }
    }

    /// Remembers one, instead of an earlier one of its address.
    pub(in crate::ledger) fn remember(&mut self, probe: Probe) {
        self.0.retain(|old| old.address != probe.address);
        if self.0.len() >= PROBES {
            self.0.pop_front();
        }
        self.0.push_back(probe);
    }

    /// The newest of the address.
    pub(in crate::ledger) fn newest(&self, address: Address) -> Option<&Probe> {
        self.0.iter().find(|probe| probe.address == address)
    }
}
