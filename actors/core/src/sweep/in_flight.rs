//! The probes of a sweep that may still be answered.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::address::Address;
use crate::time::Time;

/// How long a probe counts as in flight when nobody answers. Answers that come later are still heard; this
/// only frees the place.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// Probes in flight. Between two rounds there are none, and then they take no room: segments may be thousands.
#[derive(Debug, Default)]
pub(super) struct InFlight(Option<Box<Probes>>);

#[derive(Debug, Default)]
struct Probes {
    waiting: HashSet<Address>,
    /// In the order in which they were sent; answered ones are only taken out of `waiting`.
    sent: VecDeque<(Time, Address)>,
}

impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |probes| probes.waiting.len())
    }

    /// A probe was sent.
    pub(super) fn add(&mut self, now: Time, address: Address) {
        let probes = self.0.get_or_insert_default();
        probes.waiting.insert(address);
        probes.sent.push_back((now, address));
    }

    /// The host was heard. True if there was a probe for it.
    pub(super) fn remove(&mut self, address: Address) -> bool {
        self.0.as_mut().is_some_and(|probes| probes.waiting.remove(&address))
    }

    /// Whether an answer may still come.
    pub(super) fn are_awaited(&self, now: Time) -> bool {
        self.len() > 0 && self.last_end().is_some_and(|end| now < end)
    }

    /// When the first one is given up.
    pub(super) fn first_end(&self) -> Option<Time> {
        self.0.as_ref().and_then(|probes| probes.sent.front()).map(|(at, _)| *at + PATIENCE)
    }

    /// When the last one is.
    pub(super) fn last_end(&self) -> Option<Time> {
        self.0.as_ref().and_then(|probes| probes.sent.back()).map(|(at, _)| *at + PATIENCE)
    }

    /// Frees the places of probes nobody answered.
    pub(super) fn give_up(&mut self, now: Time) {
        let Some(probes) = &mut self.0 else { return };
        while let Some(&(at, address)) = probes.sent.front() {
            if probes.waiting.contains(&address) {
                if now.since(at) < PATIENCE {
                    return;
                }
                probes.waiting.remove(&address);
            }
            probes.sent.pop_front();
        }
        self.0 = None;
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}
