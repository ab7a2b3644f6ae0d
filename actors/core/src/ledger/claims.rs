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

/// Nobody walks back so soon: an address that moves again within this time is claimed by both places, or heard on both
/// by way of a loop. A host that roams, however often, stays longer where it is.
const UNREST: Duration = Duration::from_millis(1500);
/// After so many such moves within [`FLAP_WINDOW`] the address is held for [`FLAP_HOLD`].
const FLAP_MOVES: usize = 5;
const FLAP_WINDOW: Duration = Duration::from_secs(60);
const FLAP_HOLD: Duration = Duration::from_secs(60);
/// Probes of the holder of an address that is held. It has to be silent for 750 ms to lose it, so that two who both go on
/// claiming it are heard in time though they answer no probe.
const PROBES_OF_HOLDER: u8 = 6;
/// Each move within [`UNREST`] during the hold doubles them, so many times at the most.
const MOST_DOUBLINGS: usize = 3;
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
    /// The address, if it answers: it is the alternative of an incumbent that was not heard for a moment.
    Standby,
    /// The address, if it answers at the claimant's place: its station was heard there, or somebody who pretends to be
    /// it.
    Traced,
    /// Nothing: somebody asked for a host that was quiet for a while.
    Wanted,
    /// The address, if it answers: a route of the fabric leads to another gateway.
    Arrival,
    /// Nothing: it is the incumbent itself, and a route of the fabric leads to another gateway since a moment ago.
    Departure,
    /// Nothing yet: the host that was asked for was silent, and is asked for on other segments.
    Sought,
    /// Nothing: it only probes (RFC 5227), and is answered if the incumbent lives.
    Defence,
    /// Nothing: an unsolicited reply proves nothing, but whoever sends it for a living incumbent spoofs.
    Unproven,
}

/// What a claim rests on when the address moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// The old place was probed and silent, or has no link: nobody is there any more.
    Silence,
    /// The same host was heard elsewhere. The old place was not probed.
    SameHost,
}

/// What a move means for the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It moves.
    Granted,
    /// It moves, and is held from now on.
    GrantedAndHeld,
    /// It is held from now on: the holder is probed first.
    Held,
}

/// An address being decided upon.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) claimant: Sighting,
    pub(super) stake: Stake,
    /// Sent so far.
    pub(super) probes: u8,
    pub(super) timer: Token,
}

/// What an address went through lately.
#[derive(Debug, Default)]
struct History {
    /// When it moved last.
    last_move: Option<Time>,
    /// When it moved within [`UNREST`] of the move before: to be held, or since it is.
    unrest: VecDeque<Time>,
    held_until: Option<Time>,
    /// A claimant that was refused, and until when it is not listened to.
    refused: Option<(LinkAddr, SegmentId, Time)>,
}

impl History {
    fn is_stale(&self, now: Time) -> bool {
        self.last_move.is_none_or(|last| now.since(last) > FLAP_WINDOW)
            && !self.is_held(now)
            && self.refused.is_none_or(|(_, _, until)| until <= now)
    }

    fn is_held(&self, now: Time) -> bool {
        self.held_until.is_some_and(|until| until > now)
    }
}

/// Claims that are open, and the history of addresses.
#[derive(Debug, Default)]
pub(super) struct Claims {
    open: BTreeMap<Key, Claim>,
    /// Addresses on which a claim was opened or closed.
    changed: Vec<Key>,
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

    /// Whether the address is asked for on other segments than its host's: what answers there was asked.
    pub(super) fn is_sought(&self, key: &Key) -> bool {
        self.open.get(key).is_some_and(|claim| claim.stake == Stake::Sought)
    }

    /// Who is asked whether it came here from behind another gateway.
    pub(super) fn arrival(&self, key: &Key) -> Option<&Sighting> {
        self.open.get(key).filter(|claim| claim.stake == Stake::Arrival).map(|claim| &claim.claimant)
    }

    /// Opens a claim in place of the one that may be open.
    pub(super) fn open_claim(&mut self, claimant: Sighting, stake: Stake, timer: Token) {
        self.changed.push(claimant.key);
        self.open.insert(claimant.key, Claim { claimant, stake, probes: 1, timer });
    }

    /// The claim whose timer this is.
    pub(super) fn due_claim(&mut self, key: &Key, timer: Token) -> Option<&mut Claim> {
        self.open.get_mut(key).filter(|claim| claim.timer == timer)
    }

    /// Closes the claim on an address.
    pub(super) fn close_claim(&mut self, key: &Key) -> Option<Claim> {
        let claim = self.open.remove(key);
        self.changed.extend(claim.is_some().then_some(*key));
        claim
    }

    /// Moves the addresses on which a claim was opened or closed since the last call to a list.
    pub(super) fn take_changed(&mut self, list: &mut Vec<Key>) {
        list.append(&mut self.changed);
    }

    /// Closes the claims on addresses that fit.
    pub(super) fn close_claims_on(&mut self, fits: impl Fn(Address) -> bool) {
        self.close_unless(|key, _| !fits(key.address));
    }

    /// Closes the claims of others than those who may be where they are.
    pub(super) fn close_claims_but(&mut self, may_be_there: impl Fn(&Sighting) -> bool) {
        self.close_unless(|_, claim| may_be_there(&claim.claimant));
    }

    fn close_unless(&mut self, stays: impl Fn(&Key, &Claim) -> bool) {
        let changed = &mut self.changed;
        self.open.retain(|key, claim| {
            let stays = stays(key, claim);
            changed.extend((!stays).then_some(*key));
            stays
        });
    }

    /// The address was heard elsewhere than it is known. An open claim takes note; one that the sighting
    /// supersedes is closed.
    pub(super) fn note_sighting(&mut self, sighting: &Sighting) {
        let Some(claim) = self.open.get_mut(&sighting.key) else { return };
        if is_superseded(claim, sighting) {
            self.open.remove(&sighting.key);
            self.changed.push(sighting.key);
        } else if claim.stake == Stake::Arrival {
            // Only its answer counts.
        } else if matches!(claim.stake, Stake::Standby | Stake::Traced) {
            // A reply of the claimant's is not an unsolicited one: it was asked.
            if is_its(claim, sighting) {
                claim.stake = Stake::Address;
            }
        } else if sighting.origin != Origin::Reply {
            if claim.stake == Stake::Unproven {
                claim.claimant = *sighting;
            }
            if claim.claimant.lladdr.same_port(&sighting.lladdr) {
                claim.stake = Stake::Address;
            }
        }
    }

    /// Whether the claimant was refused a moment ago.
    pub(super) fn is_refused(&self, now: Time, sighting: &Sighting) -> bool {
        let refused = self.histories.get(&sighting.key).and_then(|history| history.refused);
        refused.is_some_and(|(lladdr, segment, until)| {
            until > now && segment == sighting.segment && lladdr.same_port(&sighting.lladdr)
        })
    }

    /// Whether the address moved too often: nothing moves it but the silence of its holder.
    pub(super) fn is_held(&self, now: Time, key: &Key) -> bool {
        self.histories.get(key).is_some_and(|history| history.is_held(now))
    }

    /// How often the incumbent of an address is probed that others are probed for so often.
    pub(super) fn probes_of(&self, now: Time, key: &Key, usual: u8) -> u8 {
        let Some(history) = self.histories.get(key).filter(|history| history.is_held(now)) else {
            return usual;
        };
        PROBES_OF_HOLDER << history.unrest.len().min(MOST_DOUBLINGS)
    }

    /// The claimant was refused, and is not listened to for a while.
    pub(super) fn note_refusal(&mut self, now: Time, claimant: &Sighting) {
        let refused = Some((claimant.lladdr, claimant.segment, now + REFUSAL));
        self.history(now, claimant.key).refused = refused;
    }

    /// Judges a move, and counts it. The silence of the old place is always enough; without it the address does not
    /// move any more once it moved too often too quickly. A refusal ends with the incumbent for whose sake it was.
    pub(super) fn admit_move(&mut self, now: Time, key: Key, proof: Proof) -> Admission {
        let history = self.history(now, key);
        let is_unrest = history.last_move.is_some_and(|then| now.since(then) < UNREST);
        history.unrest.retain(|then| now.since(*then) <= FLAP_WINDOW);
        let is_too_much = is_unrest && !history.is_held(now) && history.unrest.len() + 1 >= FLAP_MOVES;
        if is_too_much {
            history.held_until = Some(now + FLAP_HOLD);
            history.unrest.clear();
            if proof == Proof::SameHost {
                return Admission::Held;
            }
        } else if is_unrest {
            history.unrest.push_back(now);
        }
        history.last_move = Some(now);
        history.refused = None;
        if is_too_much { Admission::GrantedAndHeld } else { Admission::Granted }
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
    let is_silent_so_far = match claim.stake {
        Stake::Joining | Stake::Traced | Stake::Wanted | Stake::Departure => true,
        // Whoever answers elsewhere was asked.
        Stake::Sought => return true,
        Stake::Standby => !is_its(claim, sighting),
        Stake::Address | Stake::Defence | Stake::Unproven | Stake::Arrival => false,
    };
    is_silent_so_far && sighting.origin != Origin::Reply
}

fn is_its(claim: &Claim, sighting: &Sighting) -> bool {
    claim.claimant.is_from(sighting)
}
