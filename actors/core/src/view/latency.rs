//! How long the daemon took, from the time at which the kernel received a frame.

use serde::{Deserialize, Serialize};

/// Times of a segment's frames since the start of the measurement.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LatencyView {
    /// Until the proxied reply that a frame caused was handed to the kernel.
    pub answer: HistogramView,
    /// Until the route that a frame caused was in the kernel.
    pub route: HistogramView,
}

/// Times, counted by length.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HistogramView {
    /// How many there were.
    pub count: u64,
    /// Their sum in nanoseconds.
    pub sum_ns: u64,
    /// How many there were of each length, by increasing length. Those longer than the last bound are in `count` alone.
    pub buckets: Vec<BucketView>,
}

/// Times of like length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketView {
    /// The longest that belong here, in nanoseconds; the shortest are longer than the bound before.
    pub at_most_ns: u64,
    /// How many there were.
    pub count: u64,
}
