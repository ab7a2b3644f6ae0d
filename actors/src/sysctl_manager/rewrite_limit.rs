//! Limits how often a sysctl is set again that somebody else keeps changing.

use std::collections::VecDeque;
use std::time::Duration;

use arpherd_core::Time;

/// The period in which rewrites are counted, and the shortest time between two of a contested sysctl.
const MINUTE: Duration = Duration::from_secs(60);
/// Rewrites within a minute after which a sysctl is contested.
const MAX_REWRITES: usize = 5;

/// The recent rewrites of one sysctl.
#[derive(Debug, Default)]
pub(super) struct RewriteLimit {
    /// Times of the rewrites within the last minute, in order.
    recent: VecDeque<Time>,
    is_contested: bool,
}

/// Whether a changed sysctl is to be set again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RewriteDecision {
    /// Yes.
    Rewrite,
    /// Yes, and from now on at most once a minute. Decided once for each sysctl.
    RewriteAndWarn,
    /// Not now.
    Wait,
}

impl RewriteLimit {
    /// Decides about a sysctl that was found changed. Unless the decision is to wait, the rewrite is counted.
    pub(super) fn decide(&mut self, now: Time) -> RewriteDecision {
        while self.recent.front().is_some_and(|then| now.since(*then) >= MINUTE) {
            self.recent.pop_front();
        }
        if self.is_contested && !self.recent.is_empty() {
            return RewriteDecision::Wait;
        }
        let becomes_contested = !self.is_contested && self.recent.len() >= MAX_REWRITES;
        if becomes_contested {
            self.recent.clear();
            self.is_contested = true;
        }
        self.recent.push_back(now);
        if becomes_contested { RewriteDecision::RewriteAndWarn } else { RewriteDecision::Rewrite }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_sysctl_that_is_changed_now_and_then_is_rewritten_each_time() {
        let mut limit = RewriteLimit::default();
        for round in 0..100 {
            assert_eq!(limit.decide(at(13 * round)), RewriteDecision::Rewrite, "round {round}");
        }
    }

    #[test]
    fn a_sysctl_that_is_changed_often_is_warned_of_once_and_then_rewritten_once_a_minute() {
        let mut limit = RewriteLimit::default();
        let decisions: Vec<_> = (0..36).map(|round| limit.decide(at(5 * round))).collect();
        assert_eq!(
            decisions[..6],
            [[RewriteDecision::Rewrite; 5].as_slice(), &[RewriteDecision::RewriteAndWarn]].concat()
        );
        let later: Vec<_> = (6..36).filter(|round| decisions[*round] != RewriteDecision::Wait).collect();
        assert_eq!(later, [17, 29], "a minute after the last time");
        assert!(
            later.iter().all(|round| decisions[*round] == RewriteDecision::Rewrite),
            "it is warned of once"
        );
    }
}
