//! What happens per second, from the difference of two readings of the same counters.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use arpherd_core::view::{CountersView, Label, SegmentView};

/// Readings that are remembered for the graph of a segment.
pub(super) const HISTORY: usize = 60;

/// What names a segment: namespace, domain, segment.
type Key = (Option<Label>, Label, Label);

/// Frames per second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Rates {
    /// Read from the interface.
    pub(super) read: f64,
    /// Answered by proxied replies.
    pub(super) answered: f64,
    /// ARP requests sent.
    pub(super) probed: f64,
    /// Lost, or left undone.
    pub(super) dropped: f64,
}

impl std::ops::Add for Rates {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            answered: self.answered + other.answered,
            probed: self.probed + other.probed,
            dropped: self.dropped + other.dropped,
        }
    }
}

/// A segment with its rates.
#[derive(Debug, Clone)]
pub(super) struct SegmentRow {
    /// What the daemon says of it.
    pub(super) view: SegmentView,
    /// None before the second reading, and when the counters began anew.
    pub(super) rates: Option<Rates>,
    /// Frames read per second lately, the oldest first; at most [`HISTORY`].
    pub(super) history: VecDeque<f64>,
}

#[derive(Debug)]
struct Meter {
    counters: CountersView,
    at: Duration,
    history: VecDeque<f64>,
}

/// The last reading of every segment.
#[derive(Debug, Default)]
pub(super) struct Meters(HashMap<Key, Meter>);

impl Meters {
    /// The segments with their rates since the reading before; `at` is the time of this one, since any moment.
    /// Segments that are gone are forgotten.
    pub(super) fn read(&mut self, segments: Vec<SegmentView>, at: Duration) -> Vec<SegmentRow> {
        let mut next = HashMap::with_capacity(segments.len());
        let mut rows = Vec::with_capacity(segments.len());
        for view in segments {
            let key = (view.netns.clone(), view.domain.clone(), view.segment.clone());
            let before = self.0.remove(&key);
            let rates = before.as_ref().and_then(|before| difference(before, &view.counters, at));
            let mut history = before.map(|before| before.history).unwrap_or_default();
            if let Some(rates) = rates {
                history.push_back(rates.read);
                if history.len() > HISTORY {
                    history.pop_front();
                }
            }
            next.insert(key, Meter { counters: view.counters, at, history: history.clone() });
            rows.push(SegmentRow { view, rates, history });
        }
        self.0 = next;
        rows
    }
}

/// None if a counter is lower than before: the daemon, or its part for this segment, was started anew.
fn difference(before: &Meter, now: &CountersView, at: Duration) -> Option<Rates> {
    let seconds = at.checked_sub(before.at)?.as_secs_f64();
    if seconds <= 0.0 {
        return None;
    }
    let rate = |now: u64, before: u64| {
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
        now.checked_sub(before).map(|count| count as f64 / seconds)
    };
    let then = &before.counters;
    Some(Rates {
        read: rate(now.read, then.read)?,
        answered: rate(now.answered, then.answered)?,
        probed: rate(now.probed, then.probed)?,
        dropped: rate(now.dropped, then.dropped)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::segment;
    use super::*;

    fn read(meters: &mut Meters, read: u64, seconds: u64) -> SegmentRow {
        let mut view = segment("lan", "eth0");
        view.counters = CountersView { read, answered: read / 2, ..CountersView::default() };
        meters.read(vec![view], Duration::from_secs(seconds)).remove(0)
    }

    #[test]
    fn a_rate_is_the_difference_by_the_time_between() {
        let mut meters = Meters::default();
        assert_eq!(read(&mut meters, 1000, 10).rates, None);
        let row = read(&mut meters, 1400, 12);
        assert_eq!(row.rates, Some(Rates { read: 200.0, answered: 100.0, probed: 0.0, dropped: 0.0 }));
        assert_eq!(row.history, [200.0]);
    }

    #[test]
    fn counters_that_begin_anew_give_no_rate_and_then_the_right_one() {
        let mut meters = Meters::default();
        read(&mut meters, 1000, 1);
        assert_eq!(read(&mut meters, 4, 2).rates, None);
        assert_eq!(read(&mut meters, 10, 3).rates.map(|rates| rates.read), Some(6.0));
    }

    #[test]
    fn history_is_bounded_and_goes_with_its_segment() {
        let mut meters = Meters::default();
        for second in 0..200 {
            read(&mut meters, second * second, second);
        }
        assert_eq!(read(&mut meters, 200 * 200, 200).history.len(), HISTORY);
        meters.read(Vec::new(), Duration::from_secs(201));
        assert!(meters.0.is_empty());
    }
}
