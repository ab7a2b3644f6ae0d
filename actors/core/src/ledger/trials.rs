//! Trials: whether a station that answers for more addresses than one may hold is a proxy, or a machine that has them.
//!
//! A proxy also answers for addresses that nobody has. So the station is asked, by unicast, for some: who answers for
//! one and does not have it is a proxy. Whether it has the address is asked as well, by an address probe (RFC 5227,
//! section 1.1): who has an address answers that, too, while the kernel's proxy does not (`arp_process` in
//! net/ipv4/arp.c answers a request of 0.0.0.0 for local addresses only). It is also asked for hosts of other
//! segments; who answers for two of those, which are at two other stations, is a proxy whatever it says to probes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::effects::Effects;
use super::host::{Host, Sighting};
use super::proxies::Party;
use super::segment::Segment;
use super::timers::{Timer, Token};
use super::world::World;
use crate::address::Address;
use crate::arp::{Arp, Operation};
use crate::lladdr::LinkAddr;
use crate::order::Purpose;
use crate::plan::SegmentId;
use crate::time::Time;

/// How long a station may take to answer.
pub(super) const WAIT: Duration = Duration::from_millis(250);
/// A station is not tried again within this time.
const REST: Duration = Duration::from_secs(60);
/// Stations on trial at the same time.
const OPEN: usize = 8;
/// Stations of which it is remembered when they were tried.
const STATIONS: usize = 256;
/// Addresses asked for, of either sort.
const PER_SORT: usize = 2;
/// How far a neighbour of a refused address may be.
const NEAR: u32 = 16;
/// Addresses looked at in search of such.
const LOOKED_AT: u32 = 1024;

/// One address that a station on trial is asked for.
#[derive(Debug)]
struct Question {
    address: Address,
    /// It is a host's of another segment; otherwise nobody is known to have it.
    is_elsewhere: bool,
    /// The station answered for it.
    is_answered: bool,
    /// It has the address: it answered an address probe, or spoke from it.
    is_held: bool,
}

impl Question {
    /// Answered for, but not said to be the station's own.
    fn is_suspicious(&self) -> bool {
        self.is_answered && !self.is_held
    }
}

/// A station that is tried, or was.
#[derive(Debug)]
struct Trial {
    /// None once it is over.
    questions: Vec<Question>,
    /// As it was heard, to send to.
    lladdr: LinkAddr,
    since: Time,
    /// It was given the last chance to say that it has what it answers for.
    is_last: bool,
    timer: Token,
}

impl Trial {
    fn is_open(&self) -> bool {
        !self.questions.is_empty()
    }
}

/// What came of a trial when its time was over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It answered for these, and is to be given another chance to say that it has them.
    Undecided(Vec<Address>),
    /// It is a proxy.
    Proxy,
    /// Nothing shows that it is one.
    Unproven,
}

/// Stations that are tried, and those that were lately.
#[derive(Debug, Default)]
pub(super) struct Trials(BTreeMap<Party, Trial>);

impl Trials {
    /// Whether the packet's sender is what its station is asked for.
    pub(super) fn concerns(&self, segment: SegmentId, arp: &Arp) -> bool {
        let is_asked_for = |trial: &Trial| trial.questions.iter().any(|it| it.address == arp.sender);
        !self.0.is_empty() && self.0.get(&Party::of(segment, &arp.sender_lladdr)).is_some_and(is_asked_for)
    }

    /// Asks the station of an address that it was refused for others that it cannot have, unless it was tried lately.
    pub(super) fn try_station(&mut self, refused: &Sighting, world: &World, effects: &mut Effects) {
        let now = effects.now();
        let station = Party { segment: refused.segment, lladdr: refused.lladdr };
        let segment = world.topology.segment(station.segment);
        // Without a source every request is an address probe, which tells nothing.
        if segment.source.address.is_none() || !self.may_open(now, &station) {
            return;
        }
        let questions = questions_for(world, segment, refused, now);
        for question in &questions {
            effects.request_once(segment, question.address, Some(station.lladdr), Purpose::Verify);
        }
        let (timer, lladdr) = (effects.after(WAIT, Timer::Trial), station.lladdr);
        let trial = Trial { questions, lladdr, since: now, is_last: false, timer };
        self.0.insert(Party::of(station.segment, &lladdr), trial);
    }

    /// A station that is tried said something about an address that it was asked for. Whether it has the address is
    /// asked next.
    pub(super) fn heard_on_trial(&mut self, segment: &Segment, arp: &Arp, effects: &mut Effects) {
        if self.note_answer(segment, arp) {
            effects.address_probe(segment, arp.sender, arp.sender_lladdr);
        }
    }

    /// Whether the station may be tried now.
    fn may_open(&mut self, now: Time, station: &Party) -> bool {
        let station = Party::of(station.segment, &station.lladdr);
        let is_rested = |trial: &Trial| now.since(trial.since) >= REST;
        if self.0.len() >= STATIONS {
            self.0.retain(|_, trial| !is_rested(trial));
        }
        let has_room = self.0.len() < STATIONS && self.0.values().filter(|it| it.is_open()).count() < OPEN;
        has_room && self.0.get(&station).is_none_or(is_rested)
    }

    /// True if it is an answer for the address, the first one.
    fn note_answer(&mut self, segment: &Segment, arp: &Arp) -> bool {
        let trial = self.0.get_mut(&Party::of(segment.id, &arp.sender_lladdr));
        let question = trial.and_then(|it| it.questions.iter_mut().find(|it| it.address == arp.sender));
        let Some(question) = question else { return false };
        // Only who has the address answers a probe, which nobody's name is in, or asks for others from it.
        let is_answer = arp.operation == Operation::Reply && Some(arp.target) == segment.source.address;
        question.is_held |= !is_answer;
        is_answer && !std::mem::replace(&mut question.is_answered, true)
    }

    /// The time of a trial is over: whose it was, and what came of it.
    pub(super) fn due(&mut self, timer: Token) -> Option<(Party, Outcome)> {
        let (station, trial) = self.0.iter_mut().find(|(_, trial)| trial.timer == timer)?;
        let outcome = judge(trial);
        if !matches!(outcome, Outcome::Undecided(_)) {
            trial.questions.clear();
        }
        trial.is_last = true;
        Some((Party { segment: station.segment, lladdr: trial.lladdr }, outcome))
    }

    /// An undecided trial goes on.
    pub(super) fn go_on(&mut self, station: &Party, timer: Token) {
        if let Some(trial) = self.0.get_mut(&Party::of(station.segment, &station.lladdr)) {
            trial.timer = timer;
        }
    }
}

fn judge(trial: &Trial) -> Outcome {
    let is_for_another = |it: &&Question| it.is_elsewhere && it.is_answered;
    let suspicious: Vec<Address> =
        trial.questions.iter().filter(|it| it.is_suspicious()).map(|it| it.address).collect();
    if trial.questions.iter().filter(is_for_another).count() >= PER_SORT {
        Outcome::Proxy
    } else if suspicious.is_empty() {
        Outcome::Unproven
    } else if trial.is_last {
        Outcome::Proxy
    } else {
        Outcome::Undecided(suspicious)
    }
}

/// What to ask a station on the segment for: addresses that nobody is known to have, and hosts of other segments at
/// different stations. The first address is a neighbour of the one that the station was refused, because a proxy may
/// answer for a part of the prefixes only. Where the others are taken from differs from trial to trial and is not to be
/// foreseen from outside, because it depends on the nanosecond.
fn questions_for(world: &World, segment: &Segment, refused: &Sighting, now: Time) -> Vec<Question> {
    let prefixes = &segment.prefixes;
    let question =
        |address, is_elsewhere| Question { address, is_elsewhere, is_answered: false, is_held: false };
    // What the operator says is behind it proves nothing.
    let is_fair = |address: Address| {
        is_askable(world, segment, address) && !segment.plan.addresses.is_behind(&refused.lladdr, address)
    };
    let host_of = |address| world.hosts.host(&world.topology.key(segment.id, address));
    let near = near(refused.key.address).find(|it| is_fair(*it) && host_of(*it).is_none());
    let mut free: Vec<Question> = near.into_iter().map(|address| question(address, false)).collect();
    let (mut elsewhere, mut stations) = (Vec::new(), Vec::<LinkAddr>::new());
    let (start, stride) = (now.scattered(), now.scattered().rotate_left(16) | 1);
    for (step, prefix) in (0..LOOKED_AT).zip(prefixes.iter().cycle()) {
        let within = start.wrapping_add(stride.wrapping_mul(step)) & !u32::from(prefix.mask());
        let address = Address::from(u32::from(prefix.network()) | within);
        if free.iter().chain(&elsewhere).any(|it| it.address == address) || !is_fair(address) {
            continue;
        }
        match host_of(address) {
            None if free.len() < PER_SORT => free.push(question(address, false)),
            Some(host) if is_elsewhere(world, host, segment) && !stations.contains(&host.lladdr.port()) => {
                stations.push(host.lladdr.port());
                elsewhere.push(question(address, true));
            }
            _ => {}
        }
        if free.len() == PER_SORT && elsewhere.len() >= PER_SORT {
            break;
        }
    }
    elsewhere.truncate(PER_SORT);
    free.into_iter().chain(elsewhere).collect()
}

/// The addresses around one, the nearest first.
fn near(address: Address) -> impl Iterator<Item = Address> {
    let centre = u32::from(address);
    (1..=NEAR).flat_map(move |far| [centre.wrapping_add(far), centre.wrapping_sub(far)]).map(Address::from)
}

/// Whether a host of this address could be on the segment, as far as the configuration says.
fn is_askable(world: &World, segment: &Segment, address: Address) -> bool {
    let topology = &world.topology;
    let key = topology.key(segment.id, address);
    segment.may_hold(address)
        && !topology.is_own(address)
        && !topology.is_pinned(&key)
        && topology.others(segment.id).all(|other| !other.publishes(address))
}

fn is_elsewhere(world: &World, host: &Host, segment: &Segment) -> bool {
    host.is_located()
        && host.segment != segment.id
        && !world.topology.is_one_link(host.segment, segment.id)
        && world.topology.segment(host.segment).is_up()
}
