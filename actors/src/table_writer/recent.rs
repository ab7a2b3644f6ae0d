//! What was written lately: the kernel's table is read in full by another thread, and takes a while to read.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Instant;

/// Addresses that are remembered. When so many are written while the table is read, it is read again.
const MOST: usize = 8192;

/// Addresses whose routes were written, in their order.
#[derive(Debug)]
pub(super) struct Recent {
    /// Each with a time after its write.
    writes: VecDeque<(Microseconds, Ipv4Addr)>,
    /// From when the times count.
    origin: Instant,
    /// The time of the last that is no longer remembered.
    forgotten: Option<Microseconds>,
}

/// Microseconds after the origin, which moves before they overflow, after 71 minutes.
type Microseconds = u32;

impl Default for Recent {
    fn default() -> Self {
        Self { writes: VecDeque::new(), origin: Instant::now(), forgotten: None }
    }
}

impl Recent {
    /// These have just been written.
    pub(super) fn note(&mut self, now: Instant, addresses: impl Iterator<Item = Ipv4Addr>) {
        let Some(now) = self.microseconds(now) else {
            // All are forgotten, these as well.
            (self.origin, self.forgotten) = (now, Some(0));
            return self.writes.clear();
        };
        // Rounded up, for it is no earlier than the writes.
        let now = now.saturating_add(1);
        for address in addresses {
            if self.writes.len() == MOST {
                self.forgotten = self.writes.pop_front().map(|(at, _)| at);
            }
            self.writes.push_back((now, address));
        }
    }

    /// What was written after that, and perhaps some of what was written right before; `None` if that is not known any more.
    pub(super) fn since(&self, then: Instant) -> Option<Vec<Ipv4Addr>> {
        // All that is remembered is earlier than that.
        let Some(then) = self.microseconds(then) else { return Some(Vec::new()) };
        if self.forgotten.is_some_and(|last| last >= then) {
            return None;
        }
        let later = self.writes.iter().rev().take_while(|(at, _)| *at >= then);
        Some(later.map(|(_, address)| *address).collect())
    }

    /// `None`: too long after the origin.
    fn microseconds(&self, at: Instant) -> Option<Microseconds> {
        Microseconds::try_from(at.saturating_duration_since(self.origin).as_micros()).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn addresses(numbers: std::ops::Range<usize>) -> impl Iterator<Item = Ipv4Addr> {
        numbers.map(|number| Ipv4Addr::from_bits(u32::try_from(number).expect("a small number")))
    }

    const SHORT: Duration = Duration::from_micros(2);

    #[test]
    fn what_was_written_before_is_left_out_and_what_is_forgotten_is_not_passed_over() {
        let mut recent = Recent::default();
        let start = recent.origin;
        assert_eq!(recent.since(start), Some(Vec::new()));
        recent.note(start, addresses(0..3));
        let after_three = start + SHORT;
        recent.note(after_three, addresses(3..MOST));
        let since = recent.since(after_three).expect("all are remembered");
        assert!(since.len() == MOST - 3 && since.contains(&Ipv4Addr::from_bits(3)), "{}", since.len());
        recent.note(after_three + SHORT, addresses(0..3));
        assert_eq!(recent.since(after_three).map(|all| all.len()), Some(MOST));
        recent.note(after_three + SHORT, addresses(3..4));
        assert_eq!(recent.since(after_three), None, "one that was written since is forgotten");
        assert_eq!(recent.since(after_three + 2 * SHORT), Some(Vec::new()));
    }

    #[test]
    fn what_is_written_in_the_same_microsecond_is_not_left_out() {
        let mut recent = Recent::default();
        let then = recent.origin + Duration::from_nanos(5_999);
        recent.note(then, addresses(0..1));
        assert_eq!(recent.since(then), Some(vec![Ipv4Addr::from_bits(0)]));
    }

    #[test]
    fn after_71_minutes_the_table_is_read_again_and_nothing_is_passed_over() {
        let mut recent = Recent::default();
        recent.note(recent.origin, addresses(0..3));
        let late = recent.origin + Duration::from_micros(u64::from(Microseconds::MAX) + 1);
        assert_eq!(recent.since(late), Some(Vec::new()));
        recent.note(late, addresses(3..4));
        assert_eq!((recent.since(late - SHORT), recent.since(late)), (None, None));
        recent.note(late + SHORT, addresses(4..5));
        assert_eq!(recent.since(late + SHORT), Some(vec![Ipv4Addr::from_bits(4)]));
    }
}
