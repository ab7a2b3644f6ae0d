//! Pacing: so many a second, with a small burst (the generic cell rate algorithm).

use std::time::Duration;

use crate::time::Time;

/// A pace of events. Time is an argument; nothing here looks at a clock.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Nanoseconds from one event to the next, a second at the most.
    gap: u32,
    /// So many events may come before their time: the burst but for its last.
    ahead: u32,
    /// When the next event would come if all came evenly.
    next: u64,
}

impl Pace {
    /// `rate` events a second (at least 1), of which `burst` may come at once (at least 1).
    pub fn new(rate: u32, burst: u32) -> Self {
        Self { gap: 1_000_000_000 / rate.max(1), ahead: burst.max(1) - 1, next: 0 }
    }

    /// The pace for work that is spread out: a burst of a hundredth of a second's worth.
    pub fn smooth(rate: u32) -> Self {
        Self::new(rate, rate / 100)
    }

    /// When the next event may come: now or later. Takes no place.
    pub fn earliest(&self, now: Time) -> Time {
        Time::from_nanos(self.next.saturating_sub(self.slack()).max(now.as_nanos()))
    }

    /// Takes a place and says when it is: now, or later.
    pub fn reserve(&mut self, now: Time) -> Time {
        let at = self.earliest(now);
        self.next = self.next.max(now.as_nanos()).saturating_add(self.gap.into());
        at
    }

    /// Takes a place if there is one now.
    pub fn take(&mut self, now: Time) -> bool {
        let free = self.earliest(now) <= now;
        if free {
            self.reserve(now);
        }
        free
    }

    /// Takes so many places at once, if there is one now; later ones wait until the pace has caught up. With `reserve` it
    /// leaves half of the burst to others.
    pub fn take_many(&mut self, now: Time, count: u32, reserve: bool) -> bool {
        let slack = if reserve { self.slack() / 2 } else { self.slack() };
        let free = self.next.saturating_sub(slack) <= now.as_nanos();
        if free {
            self.next = self.next.max(now.as_nanos()).saturating_add(u64::from(self.gap) * u64::from(count));
        }
        free
    }

    /// How far ahead of its time an event may come, in nanoseconds.
    fn slack(&self) -> u64 {
        u64::from(self.gap) * u64::from(self.ahead)
    }

    /// Gives back every place that was taken.
    pub fn clear(&mut self) {
        self.next = 0;
    }

    /// How far the pace is ahead of its time; zero when nothing waits.
    pub fn backlog(&self, now: Time) -> Duration {
        self.earliest(now).since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut pace = Pace::new(10, 3);
        let now = Time::from_nanos(5_000_000_000);
        assert_eq!((0..10).filter(|_| pace.take(now)).count(), 3);
        assert_eq!((0..10).filter(|_| pace.take(now + Duration::from_millis(100))).count(), 1);
        assert_eq!((0..10).filter(|_| pace.take(now + Duration::from_secs(60))).count(), 3);
    }

    #[test]
    fn many_places_are_taken_together_and_paid_for_later() {
        let mut pace = Pace::new(1_000, 1_000);
        let now = Time::from_nanos(5_000_000_000);
        assert!(pace.take_many(now, 300, true) && pace.take_many(now, 300, true));
        assert!(!pace.take_many(now, 1, true), "the other half is others'");
        assert!(pace.take_many(now, 300, false) && pace.take_many(now, 300, false));
        assert!(!pace.take_many(now, 1, false), "1,200 in place of 1,000");
        assert!(!pace.take_many(now + Duration::from_millis(150), 1, false));
        assert!(pace.take_many(now + Duration::from_millis(250), 1, false));
    }

    #[test]
    fn reserved_places_are_a_gap_apart() {
        let mut pace = Pace::new(1000, 1);
        let places: Vec<u64> = (0..4).map(|_| pace.reserve(Time::ZERO).as_nanos()).collect();
        assert_eq!(places, [0, 1_000_000, 2_000_000, 3_000_000]);
        assert_eq!(pace.backlog(Time::ZERO), Duration::from_millis(4));
        pace.clear();
        assert_eq!(pace.backlog(Time::ZERO), Duration::ZERO);
    }
}
