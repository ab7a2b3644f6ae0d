//! What was written lately: the kernel's table is read in full by another thread, and takes a while to read.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Instant;

/// Addresses that are remembered. When so many are written while the table is read, it is read again.
const MOST: usize = 8192;

/// Addresses whose routes were written, in their order.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Each with a time after its write.
    writes: VecDeque<(Instant, Ipv4Addr)>,
    /// The time of the last that is no longer remembered.
    forgotten: Option<Instant>,
}

impl Recent {
    /// These have just been written.
    pub(super) fn note(&mut self, addresses: impl Iterator<Item = Ipv4Addr>) {
        let now = Instant::now();
        for address in addresses {
            if self.writes.len() == MOST {
                self.forgotten = self.writes.pop_front().map(|(at, _)| at);
            }
            self.writes.push_back((now, address));
        }
    }

    /// What was written after that, and perhaps some of what was written right before; `None` if that is not known any more.
    pub(super) fn since(&self, then: Instant) -> Option<Vec<Ipv4Addr>> {
        if self.forgotten.is_some_and(|last| last >= then) {
            return None;
        }
        let later = self.writes.iter().rev().take_while(|(at, _)| *at >= then);
        Some(later.map(|(_, address)| *address).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(numbers: std::ops::Range<usize>) -> impl Iterator<Item = Ipv4Addr> {
        numbers.map(|number| Ipv4Addr::from_bits(u32::try_from(number).expect("a small number")))
    }

    #[test]
    fn what_was_written_before_is_left_out_and_what_is_forgotten_is_not_passed_over() {
        let mut recent = Recent::default();
        assert_eq!(recent.since(Instant::now()), Some(Vec::new()));
        recent.note(addresses(0..3));
        let after_three = Instant::now();
        recent.note(addresses(3..MOST));
        let since = recent.since(after_three).expect("all are remembered");
        assert!(since.len() == MOST - 3 && since.contains(&Ipv4Addr::from_bits(3)), "{}", since.len());
        recent.note(addresses(0..3));
        assert_eq!(recent.since(after_three).map(|all| all.len()), Some(MOST));
        recent.note(addresses(3..4));
        assert_eq!(recent.since(after_three), None, "one that was written since is forgotten");
        assert_eq!(recent.since(Instant::now()), Some(Vec::new()));
    }
}
