//! A host with a link on each of two segments: whichever of them lives is used, and nothing changes without need.

use std::time::Duration;

use arpherd_core::SegmentId;
use proptest::prelude::*;

use crate::stations::{SEGMENTS, Station, ip, mac, request};
use crate::world::World;

const LAST: u8 = 2;

/// One link dies in silence and lives again.
#[derive(Debug, Clone, Copy)]
struct Death {
    /// That of the link in use, or of the other.
    is_of_used: bool,
    dead_for: Duration,
    /// Whether the link speaks when it lives again. If not, it is found out at the latest when it is asked again.
    speaks: bool,
    /// How long both live then.
    both_for: Duration,
}

fn any_death() -> impl Strategy<Value = Death> {
    let span = |millis: std::ops::Range<u64>| millis.prop_map(Duration::from_millis);
    (any::<bool>(), span(1000..90_000), any::<bool>(), span(200..30_000)).prop_map(
        |(is_of_used, dead_for, speaks, both_for)| {
            let unheard = if speaks { Duration::ZERO } else { Duration::from_secs(32) };
            Death { is_of_used, dead_for, speaks, both_for: unheard + both_for }
        },
    )
}

impl World {
    /// Where the routes to the host lead.
    fn used(&self) -> Vec<Option<SegmentId>> {
        self.kernel.ours_to(ip(LAST)).iter().map(|route| self.kernel.segment_of(route)).collect()
    }

    fn speaks(&mut self, link: Station) {
        self.says(link.segment, request(ip(LAST), link.lladdr, ip(LAST)));
    }

    /// Time passes, and the route leads there all along.
    fn stays(&mut self, span: Duration, link: Station) {
        for _ in 0..10 {
            self.pass(span / 10);
            assert_eq!(self.used(), [Some(link.segment)], "nothing has happened to it");
        }
    }

    fn live_through(&mut self, death: Death, used: &mut Station, other: &mut Station) {
        let (alive, dead) = if death.is_of_used { (*other, *used) } else { (*used, *other) };
        self.stations.insert(ip(LAST), alive);
        self.spares.remove(&ip(LAST));
        self.pass(Duration::from_secs(1));
        self.stays(death.dead_for, alive);
        (*used, *other) = (alive, dead);
        self.spares.insert(ip(LAST), dead);
        if death.speaks {
            self.speaks(dead);
        }
        self.stays(death.both_for, alive);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_two_links_the_one_that_lives_is_used_within_a_second(
        segment in 0..SEGMENTS,
        step in 1..SEGMENTS,
        deaths in proptest::collection::vec(any_death(), 1..8),
        has_program in any::<bool>(),
    ) {
        let mut world = World::new(Duration::ZERO, &[]).with_program(has_program);
        let at = |segment: u16, which| Station { segment: SegmentId(segment), lladdr: mac(LAST, which) };
        let (mut used, mut other) = (at(segment, 0), at((segment + step) % SEGMENTS, 1));
        world.stations.insert(ip(LAST), used);
        world.spares.insert(ip(LAST), other);
        world.speaks(used);
        world.speaks(other);
        world.stays(Duration::from_secs(2), used);
        for death in deaths {
            world.live_through(death, &mut used, &mut other);
        }
    }
}
