//! How long the daemon takes, from the kernel's receipt of a frame to what it caused. Only where that is asked for.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::fact::PendingRequest;
use arpherd_core::order::Purpose;
use arpherd_core::view::{BucketView, HistogramView, LatencyView};
use arpherd_core::{Frame, Order, SegmentId, Write};

use crate::io::{Refusal, Stamp};
use crate::table_writer::{Pending, is_for_refused, is_refused};

/// Upper bounds of the buckets in microseconds: 10 µs to 1 s.
const BOUNDS: [u32; 16] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000,
];

/// The frame that caused orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Where it was received.
    pub(crate) segment: SegmentId,
    /// When.
    pub(crate) received: Stamp,
}

/// Times by segment, and what is under way.
pub(crate) struct Latency {
    segments: Vec<[Histogram; 2]>,
    /// Replies that are not sent yet.
    replies: Vec<(Cause, Frame)>,
    /// Routes that are not written yet.
    routes: Vec<(Cause, Ipv4Addr)>,
    /// Requests whose replies wait for a route to be looked up.
    lookups: Vec<(Cause, PendingRequest)>,
}

impl Latency {
    /// Nothing measured yet on so many segments.
    pub(crate) fn new(segments: usize) -> Self {
        let segments = (0..segments).map(|_| Default::default()).collect();
        Self { segments, replies: Vec::new(), routes: Vec::new(), lookups: Vec::new() }
    }

    /// A frame caused these orders.
    pub(crate) fn ordered(&mut self, cause: Cause, orders: &[Order]) {
        for order in orders {
            match order {
                Order::Transmit { frame, purpose: Purpose::Answer, .. } => {
                    self.replies.push((cause, *frame));
                }
                Order::Write(Write::PutRoute { address, .. } | Write::PutStandbyRoute { address, .. }) => {
                    self.routes.push((cause, *address));
                }
                Order::LookUpRoute { request, .. } => self.lookups.push((cause, *request)),
                _ => {}
            }
        }
    }

    /// The frame that a route was looked up for.
    pub(crate) fn cause_of(&mut self, request: &PendingRequest) -> Option<Cause> {
        let at = self.lookups.iter().position(|(_, pending)| pending == request)?;
        Some(self.lookups.swap_remove(at).0)
    }

    /// The routes that were ordered are in the kernel, but for those it refused, for which no reply is sent, and those
    /// that are still being written.
    pub(crate) fn written(&mut self, refusals: &[Refusal], pending: &Pending) {
        if self.routes.is_empty() {
            return;
        }
        if !refusals.is_empty() {
            self.routes.retain(|(_, address)| !is_refused(*address, refusals));
            self.replies.retain(|(_, reply)| !is_for_refused(reply, refusals));
        }
        let now = Stamp::now();
        for (cause, _) in self.routes.extract_if(.., |(_, address)| !pending.contains(*address)) {
            if let Some([_, route]) = self.segments.get_mut(cause.segment.index()) {
                route.add(cause.received.until(now));
            }
        }
    }

    /// The replies that were ordered were handed to the kernel, but for those that wait for a route.
    pub(crate) fn sent(&mut self, pending: &Pending) {
        if self.replies.is_empty() {
            return;
        }
        let now = Stamp::now();
        for (cause, _) in self.replies.extract_if(.., |(_, reply)| pending.awaited_by(reply).is_none()) {
            if let Some([answer, _]) = self.segments.get_mut(cause.segment.index()) {
                answer.add(cause.received.until(now));
            }
        }
    }

    /// There are so many segments from now on.
    pub(crate) fn resize(&mut self, segments: usize) {
        self.segments.resize_with(segments, Default::default);
    }

    /// The times of a segment.
    pub(crate) fn view(&self, segment: SegmentId) -> Option<LatencyView> {
        let [answer, route] = self.segments.get(segment.index())?;
        Some(LatencyView { answer: answer.view(), route: route.view() })
    }
}

/// Times, counted by length.
#[derive(Debug, Clone, Copy, Default)]
struct Histogram {
    counts: [u64; BOUNDS.len()],
    count: u64,
    sum_ns: u64,
}

impl Histogram {
    fn add(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(nanoseconds);
        let bucket = BOUNDS.partition_point(|bound| u64::from(*bound) * 1_000 < nanoseconds);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
    }

    fn view(&self) -> HistogramView {
        let bucket = |(bound, count): (&u32, &u64)| BucketView {
            at_most_ns: u64::from(*bound) * 1_000,
            count: *count,
        };
        let buckets = BOUNDS.iter().zip(&self.counts).map(bucket).collect();
        HistogramView { count: self.count, sum_ns: self.sum_ns, buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let mut histogram = Histogram::default();
        for microseconds in [0, 10, 11, 1_000_000, 1_000_001] {
            histogram.add(Duration::from_micros(microseconds));
        }
        let view = histogram.view();
        let filled: Vec<_> =
            view.buckets.iter().filter(|it| it.count > 0).map(|it| (it.at_most_ns, it.count)).collect();
        assert_eq!(filled, [(10_000, 2), (20_000, 1), (1_000_000_000, 1)]);
        assert_eq!((view.count, view.sum_ns), (5, 2_000_022_000));
        histogram.add(Duration::MAX);
        assert_eq!(histogram.view().sum_ns, u64::MAX, "a clock that jumps does no harm");
    }
}
