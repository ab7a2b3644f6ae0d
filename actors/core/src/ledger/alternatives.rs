//! Other places where an address was claimed in vain: its host has two links for safety, or two hosts have one address.
//!
//! Such a place is remembered, and asked now and then whether it still answers. As long as it does, the host in use is
//! watched (`takeover.rs`). Whoever sends to it from another segment has our link-layer address in its cache and asks
//! nobody, so a death in silence would go unnoticed for as long as caches last.

use std::collections::BTreeMap;
use std::time::Duration;

use super::host::{Origin, Sighting};
use super::key::Key;
use super::timers::Token;
use crate::address::Address;
use crate::lladdr::LinkAddr;
use crate::plan::{LinkKind, SegmentId};
use crate::time::Time;

/// A host that has an answering alternative is probed when it was not heard for so long. With three probes, a packet's
/// way leads to the other link 800 ms after the host's last word.
const WATCH: Duration = Duration::from_millis(400);
/// The same on Wi-Fi, whose stations sleep.
const WATCH_ON_WIFI: Duration = Duration::from_secs(2);
/// With so many alternatives the pause is twice as long, with twice as many three times, and so on: all of them together
/// cost 160 probes a second at the most.
const WATCHED: u32 = 64;
/// A place that was not heard for so long is asked whether it still answers …
const CHECK: Duration = Duration::from_secs(30);
/// … and after this pause again, so many times in all, before it counts as not answering.
pub(super) const RETRY: Duration = Duration::from_secs(1);
const TRIES: u8 = 3;
/// A place is forgotten after so many questions without an answer: ten minutes, because a link may come back. One that
/// never answered is forgotten after [`TRIES`].
const LOST: u8 = 20;
/// What is heard from a place so long after a question of ours is its answer.
const ANSWER: Duration = Duration::from_secs(1);
/// Alternatives remembered.
const ALTERNATIVES: usize = 1024;

/// Another place of an address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alternative {
    pub(super) segment: SegmentId,
    pub(super) lladdr: LinkAddr,
    /// It once answered a question of ours; one that only speaks may be forged.
    is_proven: bool,
    /// When it was last heard, or became an alternative.
    heard: Time,
    asked: Option<Time>,
    /// Questions since it was heard.
    unanswered: u8,
    timer: Token,
}

impl Alternative {
    /// The sighting that its answer will be.
    pub(super) fn sighting(&self, key: &Key) -> Sighting {
        Sighting { key: *key, segment: self.segment, lladdr: self.lladdr, origin: Origin::Reply }
    }

    /// Whether it would take the address over, as far as is known.
    pub(super) fn is_answering(&self) -> bool {
        self.is_proven && self.unanswered < TRIES
    }

    /// When it is to be asked next whether it answers.
    pub(super) fn check_at(&self) -> Time {
        match self.asked {
            None => self.heard,
            Some(asked) if (1..TRIES).contains(&self.unanswered) || self.is_lost() => asked + RETRY,
            Some(asked) => asked.max(self.heard) + CHECK,
        }
    }

    pub(super) fn is_at(&self, sighting: &Sighting) -> bool {
        self.segment == sighting.segment && self.lladdr.same_port(&sighting.lladdr)
    }

    /// Whether it did not answer for so long that it is forgotten.
    pub(super) fn is_lost(&self) -> bool {
        self.unanswered >= if self.is_proven { LOST } else { TRIES }
    }
}

/// The alternatives of all addresses, one for each.
#[derive(Debug, Default)]
pub(super) struct Alternatives {
    known: BTreeMap<Key, Alternative>,
    /// Addresses that have one from now on, or have none any more.
    changed: Vec<Key>,
}

impl Alternatives {
    /// The alternative of an address.
    pub(super) fn of(&self, key: &Key) -> Option<&Alternative> {
        self.known.get(key)
    }

    /// Remembers where the address was claimed, be it by a reply to a sweep's question: whether it is true its own answer
    /// will show. One that answers is not given up for one that only claims. True if it was not known before.
    pub(super) fn insert(&mut self, now: Time, claimant: &Sighting, is_proven: bool) -> bool {
        let known = self.known.get(&claimant.key);
        if known.is_some_and(|it| it.is_answering() || it.is_at(claimant)) {
            return false;
        }
        if known.is_none() && !self.has_room() {
            return false;
        }
        let (segment, lladdr) = (claimant.segment, claimant.lladdr);
        let (heard, asked, timer) = (now, None, Token::default());
        self.changed.push(claimant.key);
        self.known.insert(
            claimant.key,
            Alternative { segment, lladdr, is_proven, heard, asked, unanswered: 0, timer },
        );
        true
    }

    /// Whether there is room for one more; the first that never answered gives way.
    fn has_room(&mut self) -> bool {
        if self.known.len() < ALTERNATIVES {
            return true;
        }
        let forged = self.known.iter().find(|(_, alternative)| !alternative.is_proven).map(|(key, _)| *key);
        forged.inspect(|key| self.forget(key)).is_some()
    }

    /// Which timer looks after the alternative from now on.
    pub(super) fn set_timer(&mut self, key: &Key, timer: Token) {
        if let Some(alternative) = self.known.get_mut(key) {
            alternative.timer = timer;
        }
    }

    /// The alternative whose timer this is.
    pub(super) fn due(&self, key: &Key, timer: Token) -> Option<Alternative> {
        self.known.get(key).filter(|alternative| alternative.timer == timer).copied()
    }

    /// It was asked.
    pub(super) fn note_asked(&mut self, now: Time, key: &Key) {
        if let Some(alternative) = self.known.get_mut(key) {
            alternative.asked = Some(now);
            alternative.unanswered = alternative.unanswered.saturating_add(1);
        }
    }

    /// An address was heard elsewhere than its host is known to be, perhaps at its alternative. True if that answers
    /// from now on.
    pub(super) fn note_sighting(&mut self, now: Time, sighting: &Sighting) -> bool {
        let is_answer = self.is_answer(now, sighting);
        let alternative = self.known.get_mut(&sighting.key).filter(|it| it.is_at(sighting));
        alternative.is_some_and(|it| {
            let was_answering = it.is_answering();
            it.is_proven |= is_answer;
            (it.heard, it.unanswered) = (now, 0);
            it.is_answering() && !was_answering
        })
    }

    /// Whether the sighting is an alternative's answer to a question of ours.
    pub(super) fn is_answer(&self, now: Time, sighting: &Sighting) -> bool {
        let is_asked = |it: &Alternative| it.asked.is_some_and(|asked| now.since(asked) < ANSWER);
        sighting.origin == Origin::Reply
            && self.known.get(&sighting.key).is_some_and(|it| it.is_at(sighting) && is_asked(it))
    }

    /// Forgets the alternative of an address.
    pub(super) fn forget(&mut self, key: &Key) {
        if self.known.remove(key).is_some() {
            self.changed.push(*key);
        }
    }

    /// Moves the addresses that got an alternative since the last call, or lost it, to a list.
    pub(super) fn take_changed(&mut self, list: &mut Vec<Key>) {
        list.append(&mut self.changed);
    }

    /// Forgets all but those that may be where they are.
    pub(super) fn forget_but(&mut self, may_be_there: impl Fn(&Sighting) -> bool) {
        self.forget_unless(|key, alternative| may_be_there(&alternative.sighting(key)));
    }

    /// Forgets the alternatives of addresses that fit.
    pub(super) fn forget_of(&mut self, fits: impl Fn(Address) -> bool) {
        self.forget_unless(|key, _| !fits(key.address));
    }

    fn forget_unless(&mut self, stays: impl Fn(&Key, &Alternative) -> bool) {
        let changed = &mut self.changed;
        self.known.retain(|key, alternative| {
            let stays = stays(key, alternative);
            changed.extend((!stays).then_some(*key));
            stays
        });
    }

    /// How long a host may be unheard before it is probed for the sake of its alternative.
    pub(super) fn pause(&self, kind: LinkKind) -> Duration {
        let pause = if kind == LinkKind::Wifi { WATCH_ON_WIFI } else { WATCH };
        let watched = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        pause * (1 + watched / WATCHED)
    }
}
