//! When to give in to somebody else who wants a setting differently.

use std::collections::VecDeque;
use std::time::Duration;

use arpherd_core::Time;

/// What is counted together, and the pause after which a contested setting is put back again.
const MINUTE: Duration = Duration::from_secs(60);
/// Times a setting is put back within a minute as if nothing were.
const MOST: usize = 5;

/// The struggle for one setting.
#[derive(Debug, Default)]
pub(super) struct Contest {
    /// When it was put back within the last minute, in order.
    recent: VecDeque<Time>,
    contested: bool,
}

/// Whether a setting is to be put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Yes.
    Heal,
    /// Yes, and from now on more slowly. Said once a struggle.
    Contested,
    /// Not now.
    Wait,
}

impl Contest {
    /// Asked when the setting is found changed; if the verdict is not to wait, it is taken as put back.
    pub(super) fn ask(&mut self, now: Time) -> Verdict {
        while self.recent.front().is_some_and(|then| now.since(*then) >= MINUTE) {
            self.recent.pop_front();
        }
        if self.contested && !self.recent.is_empty() {
            return Verdict::Wait;
        }
        let begins = !self.contested && self.recent.len() >= MOST;
        if begins {
            self.recent.clear();
            self.contested = true;
        }
        self.recent.push_back(now);
        if begins { Verdict::Contested } else { Verdict::Heal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn who_changes_it_now_and_then_is_put_right_each_time() {
        let mut contest = Contest::default();
        for round in 0..100 {
            assert_eq!(contest.ask(at(13 * round)), Verdict::Heal, "round {round}");
        }
    }

    #[test]
    fn who_keeps_changing_it_is_reported_once_and_then_put_right_once_a_minute() {
        let mut contest = Contest::default();
        let verdicts: Vec<_> = (0..36).map(|round| contest.ask(at(5 * round))).collect();
        assert_eq!(verdicts[..6], [[Verdict::Heal; 5].as_slice(), &[Verdict::Contested]].concat());
        let later: Vec<_> = (6..36).filter(|round| verdicts[*round] != Verdict::Wait).collect();
        assert_eq!(later, [17, 29], "a minute after the last time");
        assert!(later.iter().all(|round| verdicts[*round] == Verdict::Heal), "it is said once");
    }
}
