//! The plan and pace of sweeps: which address is probed when.

mod in_flight;

use std::collections::HashSet;
use std::time::Duration;

use crate::address::{Address, Prefix};
use crate::lladdr::LinkAddr;
use crate::pace::Pace;
use crate::plan::SweepPlan;
use crate::time::Time;
use in_flight::InFlight;

/// How far probes of known hosts may put the next probe off.
const LATEST: Duration = Duration::from_secs(1);

/// A segment that is not swept by itself can be swept on demand if it has at most so many addresses.
pub const ON_DEMAND: u64 = 1 << 16;

/// What a round needs to know of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepContext {
    /// Senders of the probes, one at least: each address is asked in the name of each. 0.0.0.0 is nobody's (RFC 5227,
    /// 1.1).
    pub senders: Vec<Address>,
    /// Sender link-layer address of the probes.
    pub lladdr: LinkAddr,
    /// The frames' source, as [`crate::Frame::from`].
    pub from: Option<LinkAddr>,
    /// The present prefixes of the segment.
    pub prefixes: Vec<Prefix>,
    /// Addresses that need no probe, because their hosts are known, they are our own, or no host of the domain can
    /// have them.
    pub skip: Vec<Address>,
    /// The next round comes after so many intervals: more than 1 where another gateway sweeps as well.
    pub patience: u32,
}

/// How far sweeps are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SweepProgress {
    /// What goes on now.
    pub state: SweepState,
    /// How many rounds were begun; the rest is about the last of them.
    pub rounds: u64,
    /// Addresses that were passed over, probed or not.
    pub done: u64,
    /// All addresses of the prefixes.
    pub total: u64,
    /// Probes that were sent.
    pub probed: u64,
    /// Hosts that were heard during the round and were not known before it.
    pub found: u64,
    /// How long it has gone on, or took until the last probe.
    pub elapsed: Duration,
    /// Time from the start of one round to the start of the next; `None`: they come on demand only.
    pub interval: Option<Duration>,
}

/// What a sweep does at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SweepState {
    /// The segment cannot be swept.
    #[default]
    Inactive,
    /// Nothing, until the next round is due or demanded.
    Idle,
    /// A round is about to begin.
    Due,
    /// Addresses are probed, or the last answers waited for.
    Sweeping,
}

impl SweepState {
    /// The word used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Idle => "idle",
            Self::Due => "due",
            Self::Sweeping => "sweeping",
        }
    }
}

/// The sweeps of one segment.
///
/// A round goes over every address of the prefixes once, leaving out those to be skipped and those
/// that no host can have. It never stores the addresses, so a prefix of any size costs the same.
#[derive(Debug)]
pub struct Sweep {
    plan: SweepPlan,
    /// Whether rounds come by themselves, or on demand only.
    is_periodic: bool,
    /// The segment can be swept.
    is_active: bool,
    never: Box<[Prefix]>,
    pace: Pace,
    /// Frames to each address.
    frames: u32,
    patience: u32,
    round: Option<Box<Round>>,
    /// Of the last round, as far as it is not to be worked out.
    tally: Tally,
    /// When the next round starts.
    next_round: Option<Time>,
    in_flight: InFlight,
}

/// What is counted of a round.
#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    done: u64,
    total: u64,
    probed: u64,
    found: u64,
    begun: Time,
    /// When its last probe was sent.
    last: Time,
}

#[derive(Debug)]
struct Round {
    prefixes: Vec<Prefix>,
    skip: HashSet<Address>,
    prefix: usize,
    offset: u64,
}

impl Sweep {
    /// No round until [`Sweep::start`]. `never`: what is never asked for, as in the segment's plan.
    pub fn new(plan: SweepPlan, never: Vec<Prefix>) -> Self {
        Self {
            pace: Pace::smooth(plan.rate),
            frames: 1,
            patience: 1,
            plan,
            is_periodic: true,
            is_active: false,
            never: never.into(),
            round: None,
            tally: Tally::default(),
            next_round: None,
            in_flight: InFlight::default(),
        }
    }

    /// Rounds only on demand, at the default pace.
    pub fn on_demand(never: Vec<Prefix>) -> Self {
        Self { is_periodic: false, ..Self::new(SweepPlan::default(), never) }
    }

    /// The segment can be swept: the first round is due at once, if they come by themselves.
    pub fn start(&mut self, now: Time) {
        self.stop();
        self.is_active = true;
        self.next_round = self.is_periodic.then_some(now);
    }

    /// An operator wants a round: one that is under way will do, otherwise one is due now. False if the segment cannot
    /// be swept.
    pub fn demand(&mut self, now: Time) -> bool {
        if self.is_active && !self.is_under_way(now) {
            self.next_round = Some(now);
        }
        self.is_active
    }

    /// The segment cannot be swept any longer.
    pub fn stop(&mut self) {
        self.is_active = false;
        self.end_round();
        self.next_round = None;
        self.in_flight.clear();
    }

    /// Whether a round is to be begun, with [`Sweep::begin`].
    pub fn is_due(&self, now: Time) -> bool {
        self.round.is_none() && self.next_round.is_some_and(|at| at <= now)
    }

    /// Begins a round over these prefixes. `skip`: addresses that need no probe, because their hosts are known or are
    /// ourselves.
    pub fn begin(&mut self, now: Time, prefixes: Vec<Prefix>, skip: impl IntoIterator<Item = Address>) {
        let (skip, total) = (skip.into_iter().collect(), prefixes.iter().map(size).sum());
        self.tally =
            Tally { rounds: self.tally.rounds + 1, total, begun: now, last: now, ..Tally::default() };
        self.round = Some(Box::new(Round { prefixes, skip, prefix: 0, offset: 0 }));
        self.next_round = self.is_periodic.then(|| now + self.plan.interval * self.patience);
    }

    /// Each address costs so many frames of the pace, and the next round comes after so many intervals.
    pub fn set_manner(&mut self, frames: usize, patience: u32) {
        (self.frames, self.patience) = (u32::try_from(frames).unwrap_or(u32::MAX), patience);
    }

    /// How far it is.
    pub fn progress(&self, now: Time) -> SweepProgress {
        let Tally { rounds, total, probed, found, begun, last, .. } = self.tally;
        let state = match () {
            () if !self.is_active => SweepState::Inactive,
            () if self.is_under_way(now) => SweepState::Sweeping,
            () if self.is_due(now) => SweepState::Due,
            () => SweepState::Idle,
        };
        let done = self.round.as_ref().map_or(self.tally.done, |round| round.passed());
        let end = if self.has_round() { now } else { last };
        let elapsed = end.since(begun);
        let interval = self.is_periodic.then_some(self.plan.interval);
        SweepProgress { state, rounds, done, total, probed, found, elapsed, interval }
    }

    /// Whether addresses are still to be probed, or answers may still come.
    fn is_under_way(&self, now: Time) -> bool {
        self.round.is_some() || self.in_flight.are_awaited(now)
    }

    fn end_round(&mut self) {
        if let Some(round) = self.round.take() {
            self.tally.done = round.passed();
        }
    }

    /// A round could not be begun; it is tried again after `pause`.
    pub fn postpone(&mut self, now: Time, pause: Duration) {
        self.next_round = Some(now + pause);
    }

    /// Whether there are addresses of the round to be probed yet.
    pub fn has_round(&self) -> bool {
        self.round.is_some()
    }

    /// Whether a round is under way or probes are in flight.
    pub fn is_busy(&self) -> bool {
        self.round.is_some() || self.in_flight.len() > 0
    }

    /// The host answered, or was heard in another way.
    pub fn found(&mut self, address: Address) {
        let is_new = self.round.as_mut().is_some_and(|round| round.skip.insert(address));
        let is_answer = self.in_flight.remove(address);
        self.tally.found += u64::from(is_new || is_answer);
    }

    /// Appends the addresses to probe now, `most` at the most.
    pub fn next(&mut self, now: Time, most: usize, targets: &mut Vec<Address>) {
        self.in_flight.give_up(now);
        for _ in 0..most {
            if self.in_flight.len() >= self.plan.in_flight as usize || self.pace.earliest(now) > now {
                return;
            }
            let Some(address) = self.advance() else {
                self.end_round();
                return;
            };
            self.tally.probed += 1;
            self.tally.last = now;
            for _ in 0..self.frames {
                self.pace.reserve(now);
            }
            self.in_flight.add(now, address);
            targets.push(address);
        }
    }

    /// So many frames of the segment's pace went to hosts that are known: the sweep comes so much later, at the
    /// most by a second.
    pub fn give_way(&mut self, now: Time, frames: u64) {
        for _ in 0..frames.min(u64::from(self.plan.rate)) {
            if self.pace.backlog(now) >= LATEST {
                return;
            }
            self.pace.reserve(now);
        }
    }

    /// When to look again if nobody answers before: `None` while stopped.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        if self.round.is_none() {
            // What was in flight takes room until it is given up.
            return self.next_round.into_iter().chain(self.in_flight.last_end()).min();
        }
        let paced = self.pace.earliest(now);
        if self.in_flight.len() < self.plan.in_flight as usize {
            return Some(paced);
        }
        self.in_flight.first_end().map(|end| paced.max(end))
    }

    /// The next address of the round that wants a probe.
    fn advance(&mut self) -> Option<Address> {
        let round = self.round.as_mut()?;
        while let Some(prefix) = round.prefixes.get(round.prefix).copied() {
            let last = u64::from(u32::from(prefix.broadcast()) - u32::from(prefix.network()));
            while round.offset <= last {
                let offset = round.offset;
                round.offset += 1;
                let is_edge = prefix.prefix() < 31 && (offset == 0 || offset == last);
                let Ok(offset) = u32::try_from(offset) else { break };
                let address = Address::from(u32::from(prefix.network()) + offset);
                if let Some(never) = self.never.iter().find(|never| never.contains(address)) {
                    round.offset = u64::from(u32::from(never.broadcast()) - u32::from(prefix.network())) + 1;
                    continue;
                }
                if !is_edge && !round.skip.contains(&address) {
                    return Some(address);
                }
            }
            round.prefix += 1;
            round.offset = 0;
        }
        None
    }
}

impl Round {
    /// How many addresses it has passed.
    fn passed(&self) -> u64 {
        self.prefixes.iter().take(self.prefix).map(size).sum::<u64>() + self.offset
    }
}

/// The number of a prefix's addresses.
fn size(prefix: &Prefix) -> u64 {
    u64::from(u32::from(prefix.broadcast()) - u32::from(prefix.network())) + 1
}

#[cfg(test)]
mod tests;
