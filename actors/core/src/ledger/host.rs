//! One host: what is known of it, and the states of its life.

use std::time::Duration;

use super::installed::Installed;
use super::key::Key;
use super::timers::Token;
use super::verification::Waiting;
use crate::lladdr::LinkAddr;
pub(super) use crate::memory::Origin;
use crate::plan::SegmentId;
use crate::time::Time;

/// Proof that a host spoke.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting {
    pub(super) key: Key,
    pub(super) segment: SegmentId,
    pub(super) lladdr: LinkAddr,
    pub(super) origin: Origin,
}

impl Sighting {
    /// Whether it is of the same station on the same segment.
    pub(super) fn is_from(&self, other: &Self) -> bool {
        self.segment == other.segment && self.lladdr.same_port(&other.lladdr)
    }
}

/// Where a host is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostState {
    /// Heard within the quiet time, or not yet due to be probed.
    Alive,
    /// Quiet, and probed so many times since it was last heard. It keeps its route and its answers.
    Suspect { probes: u8 },
    /// Gone, or its segment is down: no route, no answers. Only remembered, so that those who knew its old place
    /// are informed when it appears at another.
    Dormant,
    /// Dormant, and probed so many times because its segment or its station returned.
    Returning { probes: u8 },
}

/// What changes a host's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transition {
    /// It was heard at its place.
    Heard,
    /// There is a reason to probe it.
    Doubted,
    /// A probe for it was sent, or its answer was waited for once more.
    Probed,
    /// It was given up, or its segment went down.
    Lost,
    /// Its segment or its station returned.
    Woken,
    /// It was probed in vain.
    Unanswered,
}

impl HostState {
    /// The state after a change: all the transitions there are. Whatever is not listed changes nothing.
    pub(super) fn after(self, transition: Transition) -> Self {
        match (self, transition) {
            (Self::Alive | Self::Suspect { .. }, Transition::Heard) => Self::Alive,
            (Self::Alive | Self::Suspect { .. }, Transition::Doubted) => Self::Suspect { probes: 0 },
            (Self::Alive, Transition::Probed) => Self::Suspect { probes: 1 },
            (Self::Suspect { probes }, Transition::Probed) => {
                Self::Suspect { probes: probes.saturating_add(1) }
            }
            (Self::Alive | Self::Suspect { .. }, Transition::Lost) => Self::Dormant,
            (Self::Dormant | Self::Returning { .. }, Transition::Woken) => Self::Returning { probes: 0 },
            (Self::Returning { probes }, Transition::Probed) => {
                Self::Returning { probes: probes.saturating_add(1) }
            }
            (Self::Returning { .. }, Transition::Unanswered) => Self::Dormant,
            (unchanged, _) => unchanged,
        }
    }

    /// The name shown to operators.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect { .. } => "suspect",
            Self::Dormant | Self::Returning { .. } => "dormant",
        }
    }

    /// Whether the host is live, but being asked whether it still is.
    pub(super) fn is_suspect(self) -> bool {
        matches!(self, Self::Suspect { .. })
    }

    /// Whether the host has a route and is answered for.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect { .. })
    }
}

/// What is known of one address. Kept small: there may be 65,536 of them.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) lladdr: LinkAddr,
    pub(super) segment: SegmentId,
    pub(super) state: HostState,
    pub(super) origin: Origin,
    /// A slot in a pace is already taken: that of its segment, for a probe, or the one in which the program is read.
    pub(super) has_slot: bool,
    /// Whether it waits to be asked.
    pub(super) waiting: Waiting,
    /// The second in which somebody asked for it last, and one; 0: nobody did.
    pub(super) wanted: u32,
    pub(super) last_heard: Time,
    /// Where a dormant host lived, if its station has joined another segment since.
    pub(super) lived_on: Option<SegmentId>,
    /// Of the timer that looks after it.
    pub(super) timer: Token,
    /// What the kernel holds for the address.
    pub(super) installed: Installed,
}

impl Host {
    /// A host that was seen just now.
    pub(super) fn seen(sighting: &Sighting, now: Time) -> Self {
        Self {
            lladdr: sighting.lladdr,
            segment: sighting.segment,
            state: HostState::Alive,
            origin: sighting.origin,
            has_slot: false,
            waiting: Waiting::default(),
            wanted: 0,
            last_heard: now,
            lived_on: None,
            timer: Token::default(),
            installed: Installed::default(),
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.state.is_live()
    }

    /// It comes after another one that had its address: who asked for it sends to this one, and places in the lines of
    /// the segment are this one's.
    pub(super) fn follow(&mut self, old: &Self) {
        self.wanted = old.wanted;
        if old.segment == self.segment {
            self.waiting = old.waiting;
            self.waiting.leave();
        }
    }

    /// Somebody asked for it at that time.
    pub(super) fn want(&mut self, at: Time) {
        self.wanted = self.wanted.max(second(at).saturating_add(1));
    }

    /// Whether somebody asked for it within that time, to whole seconds: who did may send to it.
    pub(super) fn is_wanted(&self, within: Duration, now: Time) -> bool {
        let age = (u64::from(second(now)) + 1).saturating_sub(self.wanted.into());
        self.wanted > 0 && age <= within.as_secs()
    }

    /// Whether the host lives, and at a known link-layer address: an adopted route has none until its host is
    /// heard.
    pub(super) fn is_located(&self) -> bool {
        self.is_live() && !self.lladdr.is_empty()
    }

    /// Whether the host is known to be at this very place. An unknown link-layer address (a route adopted at the
    /// start) is at any.
    pub(super) fn is_at(&self, segment: SegmentId, lladdr: &LinkAddr) -> bool {
        self.segment == segment && (self.lladdr.is_empty() || self.lladdr.same_port(lladdr))
    }

    /// Whether the host lives on the segment by way of this station, and not because the operator says so.
    pub(super) fn is_carried_by(&self, segment: SegmentId, lladdr: &LinkAddr) -> bool {
        self.is_live()
            && self.segment == segment
            && self.lladdr.same_port(lladdr)
            && self.origin != Origin::Static
    }
}

fn second(at: Time) -> u32 {
    u32::try_from(at.as_nanos() / 1_000_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_live_host_is_kept_alive_by_being_heard() {
        for state in [HostState::Dormant, HostState::Returning { probes: 3 }] {
            assert_eq!(state.after(Transition::Heard), state, "a dormant host has to be learned anew");
        }
        assert_eq!(HostState::Suspect { probes: 3 }.after(Transition::Heard), HostState::Alive);
    }

    #[test]
    fn a_host_is_lost_once_and_roused_only_then() {
        assert_eq!(HostState::Alive.after(Transition::Woken), HostState::Alive);
        let lost = HostState::Alive.after(Transition::Lost);
        assert_eq!((lost, lost.after(Transition::Lost)), (HostState::Dormant, HostState::Dormant));
        assert_eq!(
            lost.after(Transition::Woken).after(Transition::Probed),
            HostState::Returning { probes: 1 }
        );
    }
}
