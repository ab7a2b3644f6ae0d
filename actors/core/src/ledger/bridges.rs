//! Segments that are one link after all: somebody bridged them, or plugged both into one switch.
//!
//! A frame of ours that was sent on one and is heard on the other gives it away. While they are one, hosts reach
//! each other by themselves, so nothing is proxied between the two; a request now and then shows when they are
//! two again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::key::Pair;
use super::timers::Token;
use crate::plan::SegmentId;
use crate::time::Time;

/// Between two requests that show whether bridged segments still are. Each is sent on both.
pub(super) const TEST_INTERVAL: Duration = Duration::from_millis(1500);
/// They are two again if none of our frames came back for so long: those of two tests, at least. Hosts that can no
/// longer reach each other wait for it, so it is short; a lost frame is not a separation.
const SEPARATED: Duration = Duration::from_millis(4250);

/// Pairs of segments that are one link.
#[derive(Debug, Default)]
pub(super) struct Bridges(BTreeMap<Pair, Bridge>);

#[derive(Debug)]
struct Bridge {
    /// When a frame of ours last came back.
    heard: Time,
    timer: Token,
}

impl Bridges {
    /// Whether the two were found to be one link.
    pub(super) fn is_bridged(&self, one: SegmentId, other: SegmentId) -> bool {
        !self.0.is_empty() && self.0.contains_key(&Pair::of(one, other))
    }

    /// Whether the segment was found to be one link with another.
    pub(super) fn has_bridge(&self, segment: SegmentId) -> bool {
        self.0.keys().any(|Pair(one, other)| *one == segment || *other == segment)
    }

    /// A frame of ours came back. False if the pair was not known to be bridged.
    pub(super) fn heard_again(&mut self, pair: Pair, now: Time) -> bool {
        self.0.get_mut(&pair).map(|bridge| bridge.heard = now).is_some()
    }

    /// The pair is one link from now on, and tested when the timer fires.
    pub(super) fn found(&mut self, pair: Pair, now: Time, timer: Token) {
        self.0.insert(pair, Bridge { heard: now, timer });
    }

    /// Whether the timer is the pair's.
    pub(super) fn is_due(&self, pair: &Pair, timer: Token) -> bool {
        self.0.get(pair).is_some_and(|bridge| bridge.timer == timer)
    }

    /// Removes the pair if no frame of ours came back for long enough.
    pub(super) fn separate(&mut self, pair: &Pair, now: Time) -> bool {
        let is_apart = self.0.get(pair).is_some_and(|bridge| now.since(bridge.heard) >= SEPARATED);
        if is_apart {
            self.0.remove(pair);
        }
        is_apart
    }

    /// When the pair is tested next.
    pub(super) fn test_again(&mut self, pair: &Pair, timer: Token) {
        if let Some(bridge) = self.0.get_mut(pair) {
            bridge.timer = timer;
        }
    }
}
