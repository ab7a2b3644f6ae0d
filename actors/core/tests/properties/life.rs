//! Lives of the small network, each with a quiet end at which everything must be right.

use std::collections::BTreeSet;
use std::time::Duration;

use arpherd_core::SegmentId;
use arpherd_core::arp::{Arp, Operation};
use arpherd_core::fact::Link;
use proptest::prelude::*;

use crate::facts::{METRIC, PROTOCOL, own_lladdr};
use crate::stations::{Act, HOSTS, SEGMENTS, Station, any_act, ip, mac, request};
use crate::world::{World, fine, segments, swapped};

impl World {
    /// Everything is as it should be for two minutes and a half, and everybody speaks now and then.
    fn settle(&mut self) {
        self.kernel.failing = 0;
        for segment in segments() {
            // The interface that has the name now keeps it.
            let index = self.kernel.links[segment.index()].as_ref().map(|link| link.index);
            let is_swapped = |index: &u32| *index == swapped(segment).index;
            let index = index.filter(is_swapped).unwrap_or(fine(segment).index);
            self.set_link(segment, Some(Link { index, ..fine(segment) }));
        }
        for _ in 0..30 {
            self.pass(Duration::from_secs(5));
            for (address, station) in self.stations.clone() {
                self.says(station.segment, request(address, station.lladdr, ip(1)));
            }
        }
        self.pass(Duration::from_secs(3));
    }

    fn check_routes(&self) {
        for address in HOSTS.map(ip) {
            let ours: Vec<_> = self
                .kernel
                .ours_to(address)
                .iter()
                .map(|it| (self.kernel.segment_of(it), it.source, it.metric))
                .collect();
            let is_foreign =
                self.kernel.routes.iter().any(|it| it.address == address && it.protocol != PROTOCOL);
            let wanted = self.stations.get(&address).filter(|_| !is_foreign);
            let wanted: Vec<_> =
                wanted.map(|station| (Some(station.segment), Some(ip(1)), METRIC)).into_iter().collect();
            assert_eq!(ours, wanted, "routes to {address}, whose host is {:?}", self.stations.get(&address));
        }
    }

    /// A stranger on each segment asks for everybody.
    fn check_answers(&mut self) {
        for segment in segments() {
            for last in HOSTS {
                self.answers.clear();
                self.says(segment, request(ip(200), mac(200, segment.0.to_be_bytes()[1]), ip(last)));
                self.pass(Duration::ZERO);
                let is_elsewhere = self.stations.get(&ip(last)).is_some_and(|it| it.segment != segment);
                let is_routed = !self.kernel.ours_to(ip(last)).is_empty();
                let wanted = if is_elsewhere && is_routed { vec![(segment, ip(last))] } else { Vec::new() };
                assert_eq!(self.answers, wanted, "asked on {segment:?}");
            }
        }
    }
}

impl World {
    /// What hosts believe of one another gets their packets there: straight, or through the gateway, which passes
    /// them on even to the segment that they come from.
    fn check_caches(&self) {
        for (host, station) in &self.stations {
            let own = self.kernel.links[station.segment.index()].as_ref().map(|link| link.lladdr);
            for (neighbour, lladdr) in self.caches.of(*host) {
                let is_ours = Some(lladdr) == own;
                let is_straight = |it: &Station| (it.segment, it.lladdr) == (station.segment, lladdr);
                let is_right = match self.stations.get(&neighbour) {
                    Some(it) => is_ours || is_straight(it),
                    None => is_ours || neighbour != ip(1),
                };
                let place = self.stations.get(&neighbour);
                assert!(is_right, "{host} at {station:?} has {neighbour}, at {place:?}, at {lladdr}");
            }
        }
    }
}

fn live(lag: Duration, leftovers: &[(u8, SegmentId)], acts: &[Act], has_program: bool) -> World {
    let mut world = World::new(lag, leftovers).with_program(has_program);
    for act in acts {
        world.act(*act);
    }
    world.settle();
    world
}

/// Hosts that move with their caches, or to another machine, that ask, and that leave; nobody meddles. None is behind a
/// repeater: one that walks on within the second that its confirmation takes was never known there.
fn any_calm_act() -> impl Strategy<Value = Act> {
    any_act().prop_filter("an act of a host's", |act| {
        matches!(
            act,
            Act::Arrive { announces: true, which: 0 | 1, .. }
                | Act::Ask { .. }
                | Act::Leave(_)
                | Act::Show(_)
                | Act::Wait(_)
        )
    })
}

fn any_life() -> impl Strategy<Value = (Vec<(u8, SegmentId)>, Vec<Act>)> {
    let leftover = (2_u8..8, (0..SEGMENTS).prop_map(SegmentId));
    (proptest::collection::vec(leftover, 0..4), proptest::collection::vec(any_act(), 1..80))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_the_end_every_route_and_every_answer_is_right(
        (leftovers, acts) in any_life(),
        has_program in any::<bool>(),
    ) {
        let mut world = live(Duration::ZERO, &leftovers, &acts, has_program);
        world.check_routes();
        world.check_answers();
        prop_assert_eq!(world.kernel.trampled, 0, "somebody else's route was replaced");
    }

    #[test]
    fn even_when_the_kernels_news_come_late(
        (leftovers, acts) in any_life(),
        lag in 1_u64..300,
        has_program in any::<bool>(),
    ) {
        let mut world = live(Duration::from_millis(lag), &leftovers, &acts, has_program);
        world.check_routes();
        world.check_answers();
    }

    /// However often it walks, and wherever to: an address is held only against those who do not go away.
    #[test]
    fn a_host_that_roams_is_followed_within_a_second(
        walks in proptest::collection::vec(((0..SEGMENTS).prop_map(SegmentId), 0_u8..3, 1600_u64..9000), 1..30),
        has_program in any::<bool>(),
    ) {
        let mut world = World::new(Duration::ZERO, &[]).with_program(has_program);
        for (segment, which, stay) in walks {
            world.act(Act::Arrive { last: 2, segment, which, announces: true });
            world.pass(Duration::from_secs(1));
            world.check_routes();
            world.pass(Duration::from_millis(stay - 1000));
        }
    }

    #[test]
    fn in_the_end_every_host_finds_those_it_knew(
        acts in proptest::collection::vec(any_calm_act(), 1..60),
        has_program in any::<bool>(),
    ) {
        let world = live(Duration::ZERO, &[], &acts, has_program);
        world.check_caches();
    }

    /// Whoever moved and is shown there is followed within a second, though it says nothing; and forged traces move
    /// nobody in between.
    #[test]
    fn a_machine_that_is_shown_at_its_new_place_is_followed_within_a_second(
        moves in proptest::collection::vec(((0..SEGMENTS).prop_map(SegmentId), (0..SEGMENTS).prop_map(SegmentId), 1600_u64..9000), 1..20),
        has_program in any::<bool>(),
    ) {
        let mut world = World::new(Duration::ZERO, &[]).with_program(has_program);
        world.act(Act::Arrive { last: 2, segment: SegmentId(0), which: 0, announces: true });
        for (segment, forged, stay) in moves {
            world.act(Act::Arrive { last: 2, segment, which: 0, announces: false });
            world.act(Act::Show(2));
            world.pass(Duration::from_secs(1));
            world.check_routes();
            world.act(Act::ForgeTrace { last: 2, segment: forged, which: 0 });
            world.pass(Duration::from_millis(stay - 1000));
            world.check_routes();
        }
    }

    /// One machine with more addresses than it may have, as it answers and asks: it keeps the first ones, whatever comes.
    #[test]
    fn what_is_over_a_limit_takes_nothing_from_what_is_within(
        limit in 1_u32..5,
        words in proptest::collection::vec((2_u8..8, any::<bool>(), 0_u64..20_000), 1..60),
    ) {
        let mut world = World::with_limit(limit);
        let (segment, lladdr) = (SegmentId(0), mac(2, 0));
        for last in HOSTS {
            world.stations.insert(ip(last), Station { segment, lladdr });
        }
        let mut kept = BTreeSet::new();
        for (last, is_reply, pause) in words {
            let asks = request(ip(last), lladdr, ip(1));
            let replies = Arp { operation: Operation::Reply, target_lladdr: own_lladdr(0), ..asks };
            world.says(segment, if is_reply { replies } else { asks });
            world.pass(Duration::from_millis(pause));
            if kept.len() < limit as usize {
                kept.insert(ip(last));
            }
            let routed: BTreeSet<_> =
                HOSTS.map(ip).filter(|address| !world.kernel.ours_to(*address).is_empty()).collect();
            prop_assert_eq!(&routed, &kept);
        }
    }
}
