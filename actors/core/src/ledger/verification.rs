//! Whom a segment asks next whether it still lives.
//!
//! As long as the pace allows, a host is asked when its time has come. Where more are due than the pace allows they wait in
//! four lines, in the order of what their death would cost:
//!
//! ```text
//! 0  somebody wants it, and it did not answer, or there is another reason to doubt it     packets are being lost, perhaps
//! 1  somebody wants it, and it is quiet
//! 2  nobody wants it, and it did not answer, or there is another reason to doubt it       dead, perhaps: its route goes
//! 3  nobody wants it, and it is quiet
//! ```
//! Of eight turns each line has one for itself, which is how the last one moves on; the others are the first one's that
//! anybody waits in. So of eight that are asked while a wanted host waits, two at the most are not wanted.
//!
//! A host that is heard, moves or goes waits no longer. What it leaves in a line is passed over when its turn comes, or is
//! its place there if it waits again: no line holds a host twice that stays on its segment.

use std::collections::VecDeque;
use std::time::Duration;

use super::key::Key;
use super::timers::Token;
use crate::pace::Pace;
use crate::time::Time;

const LINES: usize = 4;
/// After so many turns it begins anew.
const ROUND: u8 = 8;
/// An empty line keeps memory for so many.
const KEPT: usize = 1024;

/// How a host waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    WantedDoubted,
    Wanted,
    Doubted,
    Quiet,
}

impl Line {
    const ALL: [Self; LINES] = [Self::WantedDoubted, Self::Wanted, Self::Doubted, Self::Quiet];

    /// `is_doubted`: there is more against it than that it was quiet. `is_wanted`: somebody asked for it lately.
    pub(super) fn of(is_doubted: bool, is_wanted: bool) -> Self {
        match (is_wanted, is_doubted) {
            (true, true) => Self::WantedDoubted,
            (true, false) => Self::Wanted,
            (false, true) => Self::Doubted,
            (false, false) => Self::Quiet,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::WantedDoubted => 0,
            Self::Wanted => 1,
            Self::Doubted => 2,
            Self::Quiet => 3,
        }
    }

    fn bit(self) -> u8 {
        1 << self.index()
    }
}

/// What a host knows of its waiting: whether it does, and the lines that it has a place in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Waiting(u8);

impl Waiting {
    const WAITS: u8 = 1 << 7;

    pub(super) fn is_on(self) -> bool {
        self.0 & Self::WAITS != 0
    }

    /// It waits in that line, if not in a better one. True if it is to be put there: it has no place there yet.
    pub(super) fn enter(&mut self, line: Line) -> bool {
        let as_good = (line.bit() << 1) - 1;
        if self.is_on() && self.0 & as_good != 0 {
            return false;
        }
        let is_new = self.0 & line.bit() == 0;
        self.0 |= Self::WAITS | line.bit();
        is_new
    }

    /// The line in which it waits from now on because somebody wants it; `None` if it does not wait, or does so already.
    pub(super) fn better(self, is_doubted: bool) -> Option<Line> {
        let wanted = Line::WantedDoubted.bit() | Line::Wanted.bit();
        let is_behind = self.is_on() && self.0 & wanted == 0;
        let is_doubted = is_doubted || self.0 & Line::Doubted.bit() != 0;
        is_behind.then(|| Line::of(is_doubted, true))
    }

    /// It waits no longer. True if it did. Its places stay.
    pub(super) fn leave(&mut self) -> bool {
        let was_on = self.is_on();
        self.0 &= !Self::WAITS;
        was_on
    }

    /// Its place in the line has come up, and is gone.
    pub(super) fn called(&mut self, line: Line) {
        self.0 &= !line.bit();
    }
}

/// A place in a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) key: Key,
    pub(super) line: Line,
    /// Since when somebody has it.
    pub(super) since: Time,
}

/// The pace in which a segment's hosts are asked, and those who wait for it.
#[derive(Debug)]
pub(super) struct Verification {
    pace: Pace,
    /// None until anybody has waited: on most segments nobody ever does.
    lines: Option<Box<[Waiters; LINES]>>,
    turn: u8,
    /// When the next one is to be asked.
    timer: Option<Token>,
    /// Whether it was told that they are late.
    is_told: bool,
}

/// Those who wait in one line.
#[derive(Debug, Default)]
struct Waiters {
    places: VecDeque<(Key, Time)>,
    /// By how much the one that was asked last was late; nothing where nobody waits.
    lateness: Duration,
}

impl Verification {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, lines: None, turn: 0, timer: None, is_told: false }
    }

    /// Those who wait do so for this pace from now on.
    pub(super) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    pub(super) fn into_pace(self) -> Pace {
        self.pace
    }

    /// The pace has all its places again.
    pub(super) fn refill(&mut self) {
        self.pace.clear();
    }

    /// Whether nobody waits.
    pub(super) fn is_idle(&self) -> bool {
        self.lines.as_ref().is_none_or(|lines| lines.iter().all(|line| line.places.is_empty()))
    }

    /// When the pace has a place.
    pub(super) fn earliest(&self, now: Time) -> Time {
        self.pace.earliest(now)
    }

    /// Takes a place in the pace if there is one now and nobody waits for it.
    pub(super) fn take_spare(&mut self, now: Time) -> bool {
        self.is_idle() && self.pace.take(now)
    }

    /// Takes a place in the pace for a host whose time has not come, but that somebody asks for at this moment. Every
    /// other one is left to those who wait.
    pub(super) fn take_wanted(&mut self, now: Time) -> bool {
        if self.is_idle() {
            return self.pace.take(now);
        }
        let is_taken = self.turn.is_multiple_of(2) && self.pace.take(now);
        if is_taken {
            self.turn_over();
        }
        is_taken
    }

    /// Takes a place in the pace for the one whose turn it is. Nothing is to be taken where nothing is sent.
    pub(super) fn take_turn(&mut self, now: Time) -> bool {
        self.pace.take(now)
    }

    /// The last of a line.
    pub(super) fn join(&mut self, line: Line, key: Key, now: Time) {
        self.lines.get_or_insert_default()[line.index()].places.push_back((key, now));
    }

    /// Whose turn it is, or was when it still waited.
    pub(super) fn next_place(&mut self) -> Option<Place> {
        let own = match self.turn {
            1 => Line::WantedDoubted,
            3 => Line::Doubted,
            5 => Line::Wanted,
            7 => Line::Quiet,
            _ => Line::ALL[0],
        };
        let lines = self.lines.as_mut()?;
        let is_any_in = |line: &Line| !lines[line.index()].places.is_empty();
        let line = [own].into_iter().chain(Line::ALL).find(is_any_in)?;
        let Waiters { places, lateness } = &mut lines[line.index()];
        let (key, since) = places.pop_front()?;
        if places.is_empty() {
            *lateness = Duration::ZERO;
            if places.capacity() > KEPT {
                *places = VecDeque::new();
            }
        }
        Some(Place { key, line, since })
    }

    /// One of the line was asked, so much later than it should have been.
    pub(super) fn asked(&mut self, line: Line, lateness: Duration) {
        self.turn_over();
        let waiters = self.lines.as_mut().map(|lines| &mut lines[line.index()]);
        if let Some(waiters) = waiters.filter(|waiters| !waiters.places.is_empty()) {
            waiters.lateness = lateness;
        }
    }

    fn turn_over(&mut self) {
        self.turn = (self.turn + 1) % ROUND;
    }

    /// By how much hosts are asked too late.
    pub(super) fn lateness(&self) -> Duration {
        self.lines.iter().flat_map(|lines| lines.iter()).map(|line| line.lateness).max().unwrap_or_default()
    }

    /// Whether it is to be told that they are late by more than a span, or, once they are late by no more than a quarter of
    /// it, that they are in time again.
    pub(super) fn take_news(&mut self, most: Duration) -> Option<bool> {
        let lateness = self.lateness();
        let is_news = if self.is_told { lateness <= most / 4 } else { lateness > most };
        self.is_told ^= is_news;
        is_news.then_some(self.is_told)
    }

    /// Whether a timer is to be set: there is none.
    pub(super) fn needs_timer(&self) -> bool {
        self.timer.is_none()
    }

    pub(super) fn set_timer(&mut self, timer: Token) {
        self.timer = Some(timer);
    }

    /// Whether the timer is the one that was set, which it is no longer.
    pub(super) fn timer_fired(&mut self, token: Token) -> bool {
        let is_its = self.timer == Some(token);
        if is_its {
            self.timer = None;
        }
        is_its
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::plan::DomainId;

    fn key(number: u32) -> Key {
        Key { domain: DomainId(0), address: Address::from_bits(number) }
    }

    fn full() -> Verification {
        let mut verification = Verification::new(Pace::new(1_000, 1));
        for line in Line::ALL {
            (0..100).for_each(|number| verification.join(line, key(number), Time::ZERO));
        }
        verification
    }

    #[test]
    fn each_line_has_its_turn_and_the_first_one_those_that_are_left() {
        let mut verification = full();
        let mut turns = [0; LINES];
        for _ in 0..64 {
            let place = verification.next_place().expect("somebody waits");
            turns[place.line.index()] += 1;
            verification.asked(place.line, Duration::ZERO);
        }
        assert_eq!(turns, [40, 8, 8, 8]);
    }

    #[test]
    fn those_asked_for_at_this_moment_leave_every_other_turn_to_those_who_wait() {
        let mut verification = full();
        let mut waited = 0;
        for millis in 0..80 {
            let now = Time::ZERO + Duration::from_millis(millis);
            if !verification.take_wanted(now) {
                assert!(verification.take_turn(now), "nobody had it");
                let place = verification.next_place().expect("somebody waits");
                verification.asked(place.line, Duration::ZERO);
                waited += 1;
            }
        }
        assert_eq!(waited, 40);
        assert!(!verification.take_spare(Time::ZERO + Duration::from_secs(9)), "not before those who wait");
    }

    #[test]
    fn nobody_is_in_a_line_twice() {
        let mut waiting = Waiting::default();
        assert!(waiting.enter(Line::Quiet) && !waiting.enter(Line::Quiet));
        assert_eq!(waiting.better(false), Some(Line::Wanted));
        assert!(waiting.enter(Line::Wanted));
        assert!(!waiting.enter(Line::Quiet) && waiting.better(false).is_none());
        assert!(waiting.leave() && !waiting.leave());
        assert!(!waiting.enter(Line::Quiet), "its old place is there");
        waiting.called(Line::Quiet);
        waiting.leave();
        assert!(waiting.enter(Line::Quiet));
    }

    #[test]
    fn waiting_costs_a_host_no_room_and_a_place_sixteen_octets() {
        assert_eq!(size_of::<super::super::host::Host>(), 64);
        assert_eq!(size_of::<(Key, Time)>(), 16);
    }
}
