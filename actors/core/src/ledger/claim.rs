//! Contradictions: an address heard at another place than where it is known.
//!
//! The incumbent is asked by unicast. If it is silent the address moves in one step; if it answers, it keeps
//! the address and the operator is told of both.

use std::collections::VecDeque;
use std::time::Duration;

use super::Ledger;
use super::complaint::QUIET_BETWEEN_COMPLAINTS;
use super::host::{Host, Key, Life, Origin, RouteState};
use super::learn::Sighting;
use super::timer::Timer;
use crate::event::Event;
use crate::lladdr::LinkAddr;
use crate::order::{Order, Purpose};
use crate::plan::{LinkKind, SegmentId};
use crate::time::Time;

/// How long an incumbent may take to answer one question. Two of them keep a move well under a second.
pub(super) const WAIT: Duration = Duration::from_millis(125);
/// Questions to an incumbent.
const TRIES: u8 = 2;
/// The same for one that may be asleep.
pub(super) const TRIES_ON_WIFI: u8 = 4;
/// More moves than this within [`FLAP_WINDOW`] and the address is held for [`FLAP_HOLD`].
const FLAP_MOVES: usize = 5;
const FLAP_WINDOW: Duration = Duration::from_secs(60);
const FLAP_HOLD: Duration = Duration::from_secs(60);
/// Addresses whose moves are remembered.
const MOVES: usize = 4096;

/// What the claimant would get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stake {
    /// The address.
    Address,
    /// The address, but it did not say so: only its station is there (see `air.rs`).
    Joining,
    /// Nothing: it only probes (RFC 5227), and is told off if the incumbent lives.
    Defence,
    /// Nothing: a reply nobody asked for proves nothing, but whoever sends it for a living incumbent lies.
    Rumour,
}

/// An address being decided upon.
#[derive(Debug)]
pub(crate) struct Claim {
    claimant: Sighting,
    stake: Stake,
    asked: u8,
    due: Time,
}

/// What an address went through lately.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    times: VecDeque<Time>,
    held_until: Option<Time>,
    /// A claimant that was refused, and until when it is not listened to.
    refused: Option<(LinkAddr, SegmentId, Time)>,
}

impl Moves {
    fn is_stale(&self, now: Time) -> bool {
        self.times.back().is_none_or(|last| now.since(*last) > FLAP_WINDOW)
            && self.held_until.is_none_or(|until| until <= now)
            && self.refused.is_none_or(|(_, _, until)| until <= now)
    }
}

impl Ledger {
    /// A live host's address was heard elsewhere.
    pub(super) fn contradicted(&mut self, now: Time, sighting: &Sighting, orders: &mut Vec<Order>) {
        self.weigh(now, sighting, orders);
        self.correct_kernel(sighting.key, sighting.segment, &sighting.lladdr, orders);
    }

    fn weigh(&mut self, now: Time, sighting: &Sighting, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get(&sighting.key) else { return };
        let asked_here =
            host.segment == sighting.segment && matches!(host.life, Life::Suspect { asked: 1.. });
        // Who speaks says more than who only joined.
        let only_joined = |claim: &Claim| claim.stake == Stake::Joining && sighting.origin != Origin::Reply;
        if self.claims.get(&sighting.key).is_some_and(only_joined) {
            self.claims.remove(&sighting.key);
        }
        if let Some(claim) = self.claims.get_mut(&sighting.key) {
            if sighting.origin == Origin::Reply {
                return;
            }
            if claim.stake == Stake::Rumour {
                claim.claimant = *sighting;
            }
            if claim.claimant.lladdr.same_port(&sighting.lladdr) {
                claim.stake = Stake::Address;
            }
            return;
        }
        if self.is_damped(now, sighting) {
            return;
        }
        let same_host = host.lladdr.same_port(&sighting.lladdr)
            || host.segment == sighting.segment && host.lladdr.same_gid(&sighting.lladdr);
        let incumbent_deaf = !self.segment(host.segment).is_up();
        // Anybody can send a reply; only one that answers a question of ours may take an address.
        if sighting.origin == Origin::Reply && !asked_here {
            if !same_host && !incumbent_deaf {
                self.contest(now, *sighting, Stake::Rumour, orders);
            }
        } else if same_host || incumbent_deaf {
            self.move_host(now, sighting, orders);
        } else {
            self.contest(now, *sighting, Stake::Address, orders);
        }
    }

    fn is_damped(&self, now: Time, sighting: &Sighting) -> bool {
        self.moves.get(&sighting.key).is_some_and(|moves| {
            moves.held_until.is_some_and(|until| until > now)
                || moves.refused.is_some_and(|(lladdr, segment, until)| {
                    until > now && segment == sighting.segment && lladdr.same_port(&sighting.lladdr)
                })
        })
    }

    fn contest(&mut self, now: Time, claimant: Sighting, stake: Stake, orders: &mut Vec<Order>) {
        let key = claimant.key;
        self.claims.insert(key, Claim { claimant, stake, asked: 1, due: now + WAIT });
        self.timers.set(now + WAIT, Timer::Claim(key));
        self.ask_incumbent(key, orders);
    }

    /// The station of a live host joined another segment: if the host is silent at the old place, it has moved.
    pub(super) fn claim_by_joining(&mut self, now: Time, claimant: Sighting, orders: &mut Vec<Order>) {
        if !self.claims.contains_key(&claimant.key) && !self.is_damped(now, &claimant) {
            self.contest(now, claimant, Stake::Joining, orders);
        }
    }

    fn ask_incumbent(&self, key: Key, orders: &mut Vec<Order>) {
        if let Some(host) = self.hosts.get(&key) {
            let to = Some(host.lladdr).filter(|lladdr| !lladdr.is_empty());
            self.ask(host.segment, key.address, to, Purpose::Verify, orders);
        }
    }

    /// Somebody probes for an address that is alive on another segment: it is defended once its holder has
    /// shown that it still lives.
    pub(super) fn verify_for_defence(&mut self, now: Time, prober: Sighting, orders: &mut Vec<Order>) {
        if !self.claims.contains_key(&prober.key) {
            self.contest(now, prober, Stake::Defence, orders);
        }
    }

    /// The host at the known place spoke; whoever else claims its address does so wrongly.
    pub(super) fn incumbent_spoke(&mut self, now: Time, key: Key, orders: &mut Vec<Order>) {
        let Some(claim) = self.claims.remove(&key) else { return };
        let Some(host) = self.hosts.get(&key) else { return };
        let Sighting { segment, lladdr, .. } = claim.claimant;
        if host.is_at(segment, &lladdr) {
            return;
        }
        match claim.stake {
            Stake::Defence => {
                if self.may_defend(host, key, segment, &lladdr) {
                    self.defend(now, key, segment, lladdr, orders);
                }
            }
            // It is reached where it was, so nobody is wronged.
            Stake::Joining => {}
            Stake::Address | Stake::Rumour => {
                self.moves_of(now, key).refused = Some((lladdr, segment, now + QUIET_BETWEEN_COMPLAINTS));
                if self.tell_duplicate(now, key, segment, lladdr, orders) {
                    self.reassert(key, segment, orders);
                }
                self.disputed(now, &claim.claimant, orders);
            }
        }
    }

    /// Names both stations that want one address. False if that was done a moment ago.
    pub(super) fn tell_duplicate(
        &mut self,
        now: Time,
        key: Key,
        claimant_segment: SegmentId,
        claimant_lladdr: LinkAddr,
        orders: &mut Vec<Order>,
    ) -> bool {
        let Some(host) = self.hosts.get(&key) else { return false };
        let (address, lladdr, segment) = (key.address, host.lladdr, host.segment);
        let is_told = self.may_complain(now, "duplicate_address", claimant_segment, address);
        if is_told {
            orders.push(Order::Tell(Event::DuplicateAddress {
                address,
                lladdr,
                segment,
                claimant_lladdr,
                claimant_segment,
            }));
        }
        is_told
    }

    pub(super) fn claim_due(&mut self, now: Time, at: Time, key: Key, orders: &mut Vec<Order>) {
        let kind = self.hosts.get(&key).map(|host| self.segment(host.segment).kind());
        let tries = if kind == Some(LinkKind::Wifi) { TRIES_ON_WIFI } else { TRIES };
        let Some(claim) = self.claims.get_mut(&key).filter(|claim| claim.due == at) else { return };
        if claim.asked < tries {
            claim.asked += 1;
            claim.due = now + WAIT;
            self.timers.set(now + WAIT, Timer::Claim(key));
            self.ask_incumbent(key, orders);
            return;
        }
        self.decide(now, key, orders);
    }

    /// The incumbent was silent: the claimant gets what it is after.
    pub(super) fn decide(&mut self, now: Time, key: Key, orders: &mut Vec<Order>) {
        let Some(Claim { claimant, stake, .. }) = self.claims.remove(&key) else { return };
        if !self.segment(claimant.segment).is_up() {
            return;
        }
        let live = self.hosts.get(&key).is_some_and(Host::is_live);
        match (stake, live) {
            (Stake::Address, true) => self.move_host(now, &claimant, orders),
            (Stake::Address, false) => self.appeared(now, &claimant, orders),
            (Stake::Joining, true) => {
                self.move_host(now, &claimant, orders);
                if self.hosts.get(&key).is_some_and(|host| host.segment == claimant.segment) {
                    self.suspect(now, key);
                }
            }
            (Stake::Joining, false) => self.follow_home(now, key, claimant.segment),
            // The prober will announce itself if it takes the address; that is a claim of its own.
            // A host that is being asked already is not given another chance with every probe.
            (Stake::Defence, _) => {
                if self.hosts.get(&key).is_some_and(|host| host.life == Life::Alive) {
                    self.suspect(now, key);
                }
            }
            // Were the host suspected for it, the next such reply would seem to answer a question of ours.
            (Stake::Rumour, _) => {}
        }
    }

    /// The address is now where it was heard: one replaced route, never a gap.
    fn move_host(&mut self, now: Time, to: &Sighting, orders: &mut Vec<Order>) {
        let key = to.key;
        let Some(host) = self.hosts.get(&key) else { return };
        let (old_segment, old_lladdr, had_route) =
            (host.segment, host.lladdr, host.route == RouteState::Written);
        if self.is_refused_move(now, to, old_segment, old_lladdr, orders) {
            return;
        }
        let quiet = self.segment(to.segment).plan.expiry.quiet;
        let Some(host) = self.hosts.get_mut(&key) else { return };
        host.segment = to.segment;
        host.lladdr = to.lladdr;
        host.origin = to.origin;
        host.life = Life::Alive;
        host.last_heard = now;
        host.due = now + quiet;
        self.timers.set(now + quiet, Timer::Host(key));
        self.release_lladdr(old_segment, &old_lladdr);
        self.hold_lladdr(to.segment, to.lladdr);
        if old_segment != to.segment {
            self.segment_mut(old_segment).hosts -= 1;
            self.segment_mut(to.segment).hosts += 1;
            self.put_route(key, had_route, orders);
            orders.push(Order::DeleteNeighbour { segment: old_segment, address: key.address });
        }
        self.put_neighbour(key, orders);
        self.answer_held(now, key, orders);
        let Sighting { segment, lladdr, .. } = *to;
        let address = key.address;
        orders.push(Order::Found { segment, address });
        orders.push(Order::Tell(Event::HostMoved { address, old_lladdr, lladdr, old_segment, segment }));
        if old_segment != segment {
            self.announce(now, key, orders);
        }
    }

    /// Counts the move; refuses it if there were too many lately, or if the new holder holds too much.
    fn is_refused_move(
        &mut self,
        now: Time,
        to: &Sighting,
        segment: SegmentId,
        lladdr: LinkAddr,
        orders: &mut Vec<Order>,
    ) -> bool {
        let address = to.key.address;
        let (claimant_segment, claimant_lladdr) = (to.segment, to.lladdr);
        if let Some(limit) = self.segment(to.segment).limit_for(&to.lladdr, to.segment != segment) {
            self.tell_limit(now, limit, to, orders);
            return true;
        }
        let moves = self.moves_of(now, to.key);
        moves.times.retain(|then| now.since(*then) <= FLAP_WINDOW);
        if moves.times.len() >= FLAP_MOVES {
            moves.held_until = Some(now + FLAP_HOLD);
            moves.times.clear();
            orders.push(Order::Tell(Event::HostFlapping {
                address,
                lladdr,
                segment,
                claimant_lladdr,
                claimant_segment,
            }));
            return true;
        }
        moves.times.push_back(now);
        false
    }

    fn moves_of(&mut self, now: Time, key: Key) -> &mut Moves {
        if self.moves.len() >= MOVES && !self.moves.contains_key(&key) {
            self.moves.retain(|_, moves| !moves.is_stale(now));
            if self.moves.len() >= MOVES {
                self.moves.pop_first();
            }
        }
        self.moves.entry(key).or_default()
    }
}
