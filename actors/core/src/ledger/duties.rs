//! What this machine is to each domain that has two gateways, and what it knows of the others: values only. What follows
//! from a change is done in `roles.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::presence::{Presence, Rank};
use super::timers::Token;
use crate::lladdr::LinkAddr;
use crate::plan::{DomainId, HaPlan, Plan, SegmentId};
use crate::role::Role;
use crate::time::Time;

/// A gateway that was not heard for so long is gone: three presences may be lost.
pub(super) const SILENCE: Duration = Duration::from_millis(3500);
/// Two that were both active for less are not told: VRRP routers overlap when they take over from each other.
const OVERLAP: Duration = Duration::from_secs(1);
/// Other gateways of a domain that are remembered.
const RIVALS: usize = 8;

/// What this machine is to a domain.
#[derive(Debug)]
pub(super) struct Duty {
    pub(super) plan: HaPlan,
    pub(super) role: Role,
    /// Whether it became active a moment ago, and waits for another one to say that it is.
    pub(super) is_waiting: bool,
    /// Whether it is active and gives way to another one that is.
    pub(super) is_yielding: bool,
    /// Of the next presence, while it is active.
    pub(super) beat: Token,
    /// Of the end of a role that was ordered for a while.
    pub(super) expiry: Token,
    rivals: BTreeMap<Rank, Rival>,
    /// That two are active was told.
    is_told: bool,
}

/// Another gateway that would answer, too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rival {
    pub(super) segment: SegmentId,
    pub(super) lladdr: LinkAddr,
    since: Time,
    last: Time,
    is_speaking: bool,
}

impl Duty {
    fn new(plan: HaPlan) -> Self {
        Self {
            plan,
            role: Role::Standby,
            is_waiting: false,
            is_yielding: false,
            beat: Token::default(),
            expiry: Token::default(),
            rivals: BTreeMap::new(),
            is_told: false,
        }
    }

    /// Its role is another one: whoever else is there is yet to be heard.
    pub(super) fn take_up(&mut self, role: Role) {
        *self = Self { role, is_waiting: role == Role::Active, ..Self::new(self.plan) };
    }

    /// Another gateway was heard. True if it was not known to be active before.
    pub(super) fn note_rival(&mut self, rank: Rank, presence: Presence, heard: Rival) -> bool {
        if presence == Presence::Leaving {
            self.rivals.remove(&rank);
            return false;
        }
        let is_speaking = presence == Presence::Speaking;
        if let Some(known) = self.rivals.get_mut(&rank) {
            let was_speaking = std::mem::replace(&mut known.is_speaking, is_speaking);
            known.last = heard.last;
            return is_speaking && !was_speaking;
        }
        if self.rivals.len() < RIVALS {
            self.rivals.insert(rank, Rival { is_speaking, ..heard });
        }
        is_speaking
    }

    /// Whether it is to give way: another one answers that goes before it.
    pub(super) fn is_outranked(&mut self, own: Rank, now: Time) -> bool {
        self.rivals.retain(|_, rival| now.since(rival.last) < SILENCE);
        self.is_told &= !self.rivals.is_empty();
        self.role == Role::Active && self.rivals.iter().any(|(rank, rival)| rival.is_speaking && *rank < own)
    }

    /// The other gateway, if both are active for so long that it is to be told, and was not.
    pub(super) fn take_untold(&mut self, now: Time) -> Option<Rival> {
        let longest = self.rivals.values().min_by_key(|rival| rival.since)?;
        if self.is_told || now.since(longest.since) < OVERLAP {
            return None;
        }
        self.is_told = true;
        Some(*longest)
    }

    /// What the others are told.
    pub(super) fn presence(&self) -> Presence {
        match self.role {
            Role::Standby => Presence::Leaving,
            Role::Active if self.is_yielding => Presence::Yielding,
            Role::Active => Presence::Speaking,
        }
    }
}

impl Rival {
    pub(super) fn heard(segment: SegmentId, lladdr: LinkAddr, now: Time) -> Self {
        Self { segment, lladdr, since: now, last: now, is_speaking: false }
    }
}

/// The duties of this machine; a domain that has one gateway has none.
#[derive(Debug)]
pub(super) struct Duties(BTreeMap<DomainId, Duty>);

impl Duties {
    pub(super) fn new(plan: &Plan) -> Self {
        let domains = (0..).map(DomainId).zip(&plan.domains);
        Self(domains.filter_map(|(id, domain)| Some((id, Duty::new(domain.ha?)))).collect())
    }

    /// The plan is this one from now on. Who decides as before has decided.
    pub(super) fn replan(&mut self, plan: &Plan) {
        let mut before = std::mem::replace(self, Self::new(plan));
        for (id, duty) in &mut self.0 {
            let Some(old) = before.0.remove(id) else { continue };
            if std::mem::discriminant(&old.plan.rule) == std::mem::discriminant(&duty.plan.rule) {
                *duty = Duty { plan: duty.plan, ..old };
            }
        }
    }

    pub(super) fn of(&self, domain: DomainId) -> Option<&Duty> {
        self.0.get(&domain)
    }

    pub(super) fn of_mut(&mut self, domain: DomainId) -> Option<&mut Duty> {
        self.0.get_mut(&domain)
    }

    /// All of them, by domain.
    pub(super) fn all(&self) -> impl Iterator<Item = (DomainId, &Duty)> {
        self.0.iter().map(|(id, duty)| (*id, duty))
    }
}
