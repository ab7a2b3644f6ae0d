//! Contested addresses: what is being decided, and what each address went through lately.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::host::{Origin, Sighting};
use super::key::Key;
use super::timers::Token;
use crate::address::Address;
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;
use crate::time::Time;

/// More moves than this within [`FLAP_WINDOW`] and the address is held for [`FLAP_HOLD`].
const FLAP_MOVES: usize = 5;
const FLAP_WINDOW: Duration = Duration::from_secs(60);
const FLAP_HOLD: Duration = Duration::from_secs(60);
/// A claimant that was refused is not listened to for so long. Short: the incumbent, whose life was just proved, may
/// die in silence, and whoever else has the address is then to get it within a second. A probe or two of the incumbent
/// in each interval is all that a claimant costs that does not give in; reports are limited by themselves.
const REFUSAL: Duration = Duration::from_millis(400);
/// Addresses whose moves are remembered.
const HISTORIES: usize = 4096;

/// What the claimant would get if the incumbent is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stake {
    /// The address.
    Address,
    /// The address, but it did not say so: only its station has joined the claimant's segment.
    Joining,
    /// Nothing: it only probes (RFC 5227), and is answered if the incumbent lives.
    Defence,
    /// Nothing: an unsolicited reply proves nothing, but whoever sends it for a living incumbent spoofs.
    Unproven,
}

/// Why a claim is not even considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damped {
    /// The address moved too often, and is held where it is.
    Held,
    /// The claimant was refused a moment ago.
    Refused,
}

/// An address being decided upon.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) claimant: Sighting,
    pub(super) stake: Stake,
    pub(super) probes: u8,
    pub(super) timer: Token,
}

/// What an address went through lately.
#[derive(Debug, Default)]
struct History {
    moves: VecDeque<Time>,
    held_until: Option<Time>,
    /// A claimant that was refused, and until when it is not listened to.
    refused: Option<(LinkAddr, SegmentId, Time)>,
}

impl History {
    fn is_stale(&self, now: Time) -> bool {
        self.moves.back().is_none_or(|last| now.since(*last) > FLAP_WINDOW)
            && self.held_until.is_none_or(|until| until <= now)
            && self.refused.is_none_or(|(_, _, until)| until <= now)
    }
}

/// Claims that are open, and the history of addresses.
#[derive(Debug, Default)]
pub(super) struct Claims {
    open: BTreeMap<Key, Claim>,
    histories: BTreeMap<Key, History>,
}

impl Claims {
    /// Whether no claim is open.
    pub(super) fn is_quiet(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether a claim on the address is open.
    pub(super) fn is_contested(&self, key: &Key) -> bool {
        self.open.contains_key(key)
    }

    /// Whether an open claim decides what becomes of a sighting elsewhere. Who speaks says more than who only
    /// joined.
    pub(super) fn is_decided_by_claim(&self, sighting: &Sighting) -> bool {
        self.open.get(&sighting.key).is_some_and(|claim| !is_superseded(claim, sighting))
    }

    /// Opens a claim in place of the one that may be open.
    pub(super) fn open_claim(&mut self, claimant: Sighting, stake: Stake, timer: Token) {
        self.open.insert(claimant.key, Claim { claimant, stake, probes: 1, timer });
    }

    /// The claim whose timer this is.
    pub(super) fn due_claim(&mut self, key: &Key, timer: Token) -> Option<&mut Claim> {
        self.open.get_mut(key).filter(|claim| claim.timer == timer)
    }

    /// Closes the claim on an address.
    pub(super) fn close_claim(&mut self, key: &Key) -> Option<Claim> {
        self.open.remove(key)
    }

    /// Closes the claims on addresses that fit.
    pub(super) fn close_claims_on(&mut self, fits: impl Fn(Address) -> bool) {
        self.open.retain(|key, _| !fits(key.address));
    }

    /// The address was heard elsewhere than it is known. An open claim takes note; one that the sighting
    /// supersedes is closed.
    pub(super) fn note_sighting(&mut self, sighting: &Sighting) {
        let Some(claim) = self.open.get_mut(&sighting.key) else { return };
        if is_superseded(claim, sighting) {
            self.open.remove(&sighting.key);
        } else if sighting.origin != Origin::Reply {
            if claim.stake == Stake::Unproven {
                claim.claimant = *sighting;
            }
            if claim.claimant.lladdr.same_port(&sighting.lladdr) {
                claim.stake = Stake::Address;
            }
        }
    }

    /// Why the sighting is not to contest the address; `None` if it may.
    pub(super) fn damping(&self, now: Time, sighting: &Sighting) -> Option<Damped> {
        let history = self.histories.get(&sighting.key)?;
        if history.held_until.is_some_and(|until| until > now) {
            return Some(Damped::Held);
        }
        let is_refused = |(lladdr, segment, until): (LinkAddr, SegmentId, Time)| {
            until > now && segment == sighting.segment && lladdr.same_port(&sighting.lladdr)
        };
        history.refused.is_some_and(is_refused).then_some(Damped::Refused)
    }

    /// The claimant was refused, and is not listened to for a while.
    pub(super) fn note_refusal(&mut self, now: Time, claimant: &Sighting) {
        let refused = Some((claimant.lladdr, claimant.segment, now + REFUSAL));
        self.history(now, claimant.key).refused = refused;
    }

    /// Counts a move. False if there were too many lately: the address is held from now on.
    pub(super) fn admit_move(&mut self, now: Time, key: Key) -> bool {
        let history = self.history(now, key);
        history.moves.retain(|then| now.since(*then) <= FLAP_WINDOW);
        let is_flapping = history.moves.len() >= FLAP_MOVES;
        if is_flapping {
            history.held_until = Some(now + FLAP_HOLD);
            history.moves.clear();
        } else {
            history.moves.push_back(now);
        }
        !is_flapping
    }

    fn history(&mut self, now: Time, key: Key) -> &mut History {
        if self.histories.len() >= HISTORIES && !self.histories.contains_key(&key) {
            self.histories.retain(|_, history| !history.is_stale(now));
            if self.histories.len() >= HISTORIES {
                self.histories.pop_first();
            }
        }
        self.histories.entry(key).or_default()
    }
}

fn is_superseded(claim: &Claim, sighting: &Sighting) -> bool {
    claim.stake == Stake::Joining && sighting.origin != Origin::Reply
}
