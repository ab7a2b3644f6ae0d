//! A limit on the memory of responses that clients have not received yet: slow readers of large ones hold no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Octets of responses in memory at the most, but for a single one that is larger.
const MOST: usize = 16 << 20;

/// What all connections hold together, in octets.
#[derive(Debug, Default)]
pub(super) struct Budget(AtomicUsize);

/// What one connection holds, until it ends.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    octets: AtomicUsize,
}

impl Share {
    /// Of a connection that holds nothing yet.
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), octets: AtomicUsize::new(0) }
    }

    /// Holds so many octets more; false, and it does not, if all connections together would hold too much.
    pub(super) fn hold(&self, octets: usize) -> bool {
        let held = &self.budget.0;
        let before = held.fetch_add(octets, Ordering::Relaxed);
        let fits = before == 0 || before + octets <= MOST;
        if fits {
            self.octets.fetch_add(octets, Ordering::Relaxed);
        } else {
            held.fetch_sub(octets, Ordering::Relaxed);
        }
        fits
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(*self.octets.get_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn together_they_hold_no_more_than_the_limit_and_one_may_hold_any() {
        let budget = Arc::default();
        let (one, other, third) = (Share::new(&budget), Share::new(&budget), Share::new(&budget));
        assert!(one.hold(3 * MOST), "nobody else holds anything");
        assert!(!other.hold(1));
        drop(one);
        assert!(other.hold(MOST - 1) && third.hold(1) && !third.hold(1));
        drop(other);
        assert!(third.hold(MOST - 1));
        drop(third);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }
}
