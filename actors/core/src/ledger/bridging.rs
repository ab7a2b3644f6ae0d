//! Segments that turn out to be one link, and later two again: see `bridges.rs`.

use super::bridges::TEST_INTERVAL;
use super::effects::Effects;
use super::key::Pair;
use super::timers::{Timer, Token};
use super::world::World;
use crate::event::Event;
use crate::order::Purpose;
use crate::plan::SegmentId;

impl World {
    /// A frame of ours came back. Only a marked one says anything of segments: the mark is a secret of the
    /// segment it was sent on, while anybody can write our link-layer address.
    pub(super) fn own_frame_returned(&mut self, from: SegmentId, on: SegmentId, effects: &mut Effects) {
        let topology = &mut self.topology;
        let domain = topology.segment(on).plan.domain;
        let is_bridge = from != on && topology.planned(from).is_some_and(|it| it.plan.domain == domain);
        let (pair, now) = (Pair::of(from, on), effects.now());
        if is_bridge && !topology.bridges.heard_again(pair, now) {
            topology.bridges.found(pair, now, effects.after(TEST_INTERVAL, Timer::Bridge(pair)));
            effects.emit(Event::SegmentsBridged { segment: from, other: on });
            self.look_again(from.max(on), effects);
            self.fast.doubt_segment(from.min(on));
        }
    }

    /// It is time to test whether two bridged segments still are one link.
    pub(super) fn bridge_due(&mut self, pair: Pair, token: Token, effects: &mut Effects) {
        let topology = &mut self.topology;
        if !topology.bridges.is_due(&pair, token) {
            return;
        }
        let Pair(segment, other) = pair;
        if topology.bridges.separate(&pair, effects.now()) {
            effects.emit(Event::SegmentsSeparated { segment, other });
            self.look_again(segment.max(other), effects);
            self.fast.doubt_segment(segment.min(other));
            return;
        }
        topology.bridges.test_again(&pair, effects.after(TEST_INTERVAL, Timer::Bridge(pair)));
        // Nobody holds a network address, so nobody answers; that it comes back is all there is to know.
        let domain = topology.domain(topology.segment(segment).plan.domain);
        let Some(network) = domain.prefixes.first().map(|prefix| prefix.network()) else { return };
        for id in [segment, other] {
            effects.request_once(topology.segment(id), network, None, Purpose::Verify);
        }
    }
}
