//! The plan and pace of sweeps: which address is probed when.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::address::{Address, Prefix};
use crate::lladdr::LinkAddr;
use crate::pace::Pace;
use crate::plan::SweepPlan;
use crate::time::Time;

/// How long a probe counts as in flight when nobody answers. Answers that come later are still heard; this
/// only frees the place.
const PATIENCE: Duration = Duration::from_millis(500);

/// How far probes of known hosts may put the next probe off.
const LATEST: Duration = Duration::from_secs(1);

/// What a round needs to know of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepContext {
    /// Sender of the probes; `None`: 0.0.0.0 (RFC 5227, 1.1).
    pub source: Option<Address>,
    /// Sender link-layer address of the probes.
    pub lladdr: LinkAddr,
    /// The frames' source, as [`crate::Frame::from`].
    pub from: Option<LinkAddr>,
    /// The present prefixes of the segment.
    pub prefixes: Vec<Prefix>,
    /// Addresses that need no probe, because their hosts are known, they are our own, or no host of the domain can
    /// have them.
    pub skip: Vec<Address>,
}

/// The sweeps of one segment.
///
/// A round goes over every address of the prefixes once, leaving out those to be skipped and those
/// that no host can have. It never stores the addresses, so a prefix of any size costs the same.
#[derive(Debug)]
pub struct Sweep {
    plan: SweepPlan,
    never: Vec<Prefix>,
    pace: Pace,
    round: Option<Round>,
    /// When the next round starts.
    next_round: Option<Time>,
    waiting: HashSet<Address>,
    /// Probes in flight in the order they were sent; answered ones are only taken out of `waiting`.
    sent: VecDeque<(Time, Address)>,
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
            plan,
            never,
            round: None,
            next_round: None,
            waiting: HashSet::new(),
            sent: VecDeque::new(),
        }
    }

    /// The segment can be swept: the first round is due at once.
    pub fn start(&mut self, now: Time) {
        self.stop();
        self.next_round = Some(now);
    }

    /// The segment cannot be swept any longer.
    pub fn stop(&mut self) {
        self.round = None;
        self.next_round = None;
        self.waiting.clear();
        self.sent.clear();
    }

    /// Whether a round is to be begun, with [`Sweep::begin`].
    pub fn is_due(&self, now: Time) -> bool {
        self.round.is_none() && self.next_round.is_some_and(|at| at <= now)
    }

    /// Begins a round over these prefixes. `skip`: addresses that need no probe, because their hosts are known or are
    /// ourselves.
    pub fn begin(&mut self, now: Time, prefixes: Vec<Prefix>, skip: impl IntoIterator<Item = Address>) {
        self.round = Some(Round { prefixes, skip: skip.into_iter().collect(), prefix: 0, offset: 0 });
        self.next_round = Some(now + self.plan.interval);
    }

    /// A round could not be begun; it is tried again after `pause`.
    pub fn postpone(&mut self, now: Time, pause: Duration) {
        self.next_round = Some(now + pause);
    }

    /// Whether a round is under way or probes are in flight.
    pub fn is_busy(&self) -> bool {
        self.round.is_some() || !self.waiting.is_empty()
    }

    /// The host answered, or was heard in another way.
    pub fn found(&mut self, address: Address) {
        if let Some(round) = &mut self.round {
            round.skip.insert(address);
        }
        self.waiting.remove(&address);
    }

    /// Appends the addresses to probe now, `most` at the most.
    pub fn next(&mut self, now: Time, most: usize, targets: &mut Vec<Address>) {
        self.give_up(now);
        for _ in 0..most {
            if self.waiting.len() >= self.plan.in_flight as usize || self.pace.earliest(now) > now {
                return;
            }
            let Some(address) = self.advance() else {
                self.round = None;
                return;
            };
            self.pace.reserve(now);
            self.waiting.insert(address);
            self.sent.push_back((now, address));
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
            return self.next_round;
        }
        let paced = self.pace.earliest(now);
        if self.waiting.len() < self.plan.in_flight as usize {
            return Some(paced);
        }
        self.sent.front().map(|(at, _)| paced.max(*at + PATIENCE))
    }

    /// Frees the places of probes nobody answered.
    fn give_up(&mut self, now: Time) {
        while let Some(&(at, address)) = self.sent.front() {
            if self.waiting.contains(&address) {
                if now.since(at) < PATIENCE {
                    return;
                }
                self.waiting.remove(&address);
            }
            self.sent.pop_front();
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn what_is_never_asked_for_is_passed_over() {
        let plan = SweepPlan { interval: Duration::from_secs(60), rate: 1_000_000, in_flight: 1000 };
        let net = |text: &str| text.parse().expect("a prefix");
        let never = vec![net("10.0.0.0/30"), net("10.0.0.6/31"), net("10.0.0.12/30")];
        let mut sweep = Sweep::new(plan, never);
        let now = Time::from_nanos(1_000_000_000);
        sweep.start(now);
        sweep.begin(now, vec![net("10.0.0.0/28")], []);
        let mut targets = Vec::new();
        sweep.next(now, 100, &mut targets);
        let lasts: Vec<u8> = targets.iter().map(|address| address.octets()[3]).collect();
        assert_eq!(lasts, [4, 5, 8, 9, 10, 11]);
    }

    fn sweep(rate: u32, in_flight: u32) -> Sweep {
        let plan = SweepPlan { interval: Duration::from_secs(60), rate, in_flight };
        Sweep::new(plan, Vec::new())
    }

    fn begin(sweep: &mut Sweep, prefix: &str) {
        sweep.begin(Time::ZERO, vec![prefix.parse().expect("a prefix")], []);
    }

    fn drain(sweep: &mut Sweep, now: Time) -> Vec<Address> {
        let mut targets = Vec::new();
        sweep.next(now, usize::MAX, &mut targets);
        targets
    }

    #[test]
    fn every_address_but_edges_and_skipped_ones_once() {
        let mut sweep = sweep(1_000_000, 100);
        sweep.start(Time::ZERO);
        assert!(sweep.is_due(Time::ZERO));
        sweep.begin(Time::ZERO, vec!["10.0.0.0/29".parse().expect("a prefix")], [Address::new(10, 0, 0, 3)]);
        let hosts: Vec<u8> = drain(&mut sweep, Time::ZERO).iter().map(|it| it.octets()[3]).collect();
        assert_eq!(hosts, [1, 2, 4, 5, 6]);
        assert!(drain(&mut sweep, Time::ZERO).is_empty());
        assert_eq!(sweep.deadline(Time::ZERO), Some(Time::ZERO + Duration::from_secs(60)));
    }

    #[test]
    fn who_is_found_before_its_turn_is_not_probed() {
        let mut sweep = sweep(1_000_000, 2);
        sweep.start(Time::ZERO);
        begin(&mut sweep, "10.0.0.0/29");
        let mut hosts = drain(&mut sweep, Time::ZERO);
        sweep.found(Address::new(10, 0, 0, 4));
        for at in hosts.clone() {
            sweep.found(at);
        }
        hosts.extend(drain(&mut sweep, Time::ZERO));
        let hosts: Vec<u8> = hosts.iter().map(|it| it.octets()[3]).collect();
        assert_eq!(hosts, [1, 2, 3, 5]);
    }

    #[test]
    fn both_addresses_of_a_31_are_probed() {
        let mut sweep = sweep(1_000_000, 100);
        sweep.start(Time::ZERO);
        begin(&mut sweep, "10.0.0.8/31");
        assert_eq!(drain(&mut sweep, Time::ZERO).len(), 2);
    }

    #[test]
    fn a_sweep_that_starts_again_has_nothing_in_flight() {
        let mut sweep = sweep(1_000_000, 4);
        for _ in 0..2 {
            sweep.start(Time::ZERO);
            begin(&mut sweep, "10.0.0.0/24");
            assert_eq!(drain(&mut sweep, Time::ZERO).len(), 4);
        }
    }

    #[test]
    fn a_slow_sweep_is_not_woken_before_its_next_probe() {
        let mut sweep = sweep(1, 1);
        sweep.start(Time::ZERO);
        begin(&mut sweep, "10.0.0.0/24");
        drain(&mut sweep, Time::ZERO);
        assert_eq!(sweep.deadline(Time::ZERO), Some(Time::ZERO + Duration::from_secs(1)));
    }

    #[test]
    fn no_more_in_flight_than_allowed() {
        let mut sweep = sweep(1_000_000, 4);
        sweep.start(Time::ZERO);
        begin(&mut sweep, "10.0.0.0/24");
        let first = drain(&mut sweep, Time::ZERO);
        assert_eq!(first.len(), 4);
        assert!(drain(&mut sweep, Time::ZERO).is_empty());
        sweep.found(first[1]);
        assert_eq!(drain(&mut sweep, Time::ZERO).len(), 1);
        let patient = sweep.deadline(Time::ZERO).expect("a round is under way");
        assert_eq!(patient, Time::ZERO + PATIENCE);
        assert_eq!(drain(&mut sweep, patient).len(), 4);
    }

    #[test]
    fn no_faster_than_the_rate() {
        let mut sweep = sweep(500, 100_000);
        sweep.start(Time::ZERO);
        begin(&mut sweep, "10.0.0.0/16");
        let mut now = Time::ZERO;
        let mut sent = 0;
        while now < Time::ZERO + Duration::from_secs(1) {
            sent += drain(&mut sweep, now).len();
            now = sweep.deadline(now).expect("a round is under way");
        }
        assert!((500..=505).contains(&sent), "{sent} probes in a second at a rate of 500");
    }

    #[test]
    fn questions_about_known_hosts_are_part_of_the_rate_and_never_stop_a_sweep() {
        let mut sweep = sweep(100, 100_000);
        sweep.start(Time::ZERO);
        begin(&mut sweep, "10.0.0.0/16");
        let mut sent = 0;
        for ms in 0..1000 {
            let now = Time::ZERO + Duration::from_millis(ms);
            sweep.give_way(now, if ms % 100 == 0 { 7 } else { 0 });
            sent += drain(&mut sweep, now).len();
        }
        assert!((25..=35).contains(&sent), "{sent} beside 70 others at a rate of 100");
        for _ in 0..100 {
            sweep.give_way(Time::ZERO + Duration::from_secs(1), 1_000);
        }
        let later = Time::ZERO + Duration::from_secs(3);
        assert!(!drain(&mut sweep, later).is_empty(), "put off by a second at the most");
    }

    #[test]
    fn the_largest_prefix_ends() {
        let mut sweep = sweep(1, 1);
        sweep.start(Time::ZERO);
        begin(&mut sweep, "0.0.0.0/0");
        if let Some(round) = &mut sweep.round {
            round.offset = u64::from(u32::MAX - 1);
        }
        assert_eq!(sweep.advance(), Some(Address::new(255, 255, 255, 254)));
        assert_eq!(sweep.advance(), None);
    }
}
