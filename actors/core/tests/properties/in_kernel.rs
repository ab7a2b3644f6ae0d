//! The small network with a program that answers inside the kernel.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::{Fact, Order, SegmentId, Write};
use proptest::prelude::*;

use crate::program::TURN;
use crate::stations::{HOSTS, SEGMENTS, Station, ip, mac, request};
use crate::world::World;

impl World {
    /// The same with a program in the kernel, or without.
    pub(crate) fn with_program(mut self, has_program: bool) -> Self {
        if has_program {
            self.tell(Fact::FastAnswersReady(true));
        }
        self
    }

    /// Whoever is answered inside the kernel can be reached as the kernel's table is now; and the ledger would answer
    /// likewise: one host asks, whom the program lets pass.
    pub(crate) fn compare(&mut self) {
        if !self.news.is_empty() {
            return;
        }
        for (question, frame) in self.program.questions() {
            self.check_answer(question.segment, &frame);
        }
        let Some((question, frame)) = self.program.question(5) else { return };
        let (segment, arp) = (question.segment, question.heard.arp);
        let asker = self.stations.get(&arp.sender).copied();
        let is_there = asker == Some(Station { segment, lladdr: arp.sender_lladdr });
        // Who is on one segment hears the other answer, too.
        let is_elsewhere = self.stations.get(&arp.target).is_none_or(|it| it.segment != segment);
        if is_there && is_elsewhere && self.carries(segment) {
            let before = self.answers.len();
            let answers = self.tell_for_answers(Fact::Heard { segment, heard: question.heard });
            self.answers.truncate(before);
            assert_eq!(answers, [(segment, frame)], "to {question:?}");
        }
    }

    /// Carries the orders of a step out on the kernel's tables. Whoever the program knows is reached at any moment in
    /// between as before.
    pub(crate) fn write_all(&mut self, orders: &[Order]) -> Vec<Fact> {
        self.program.withdraw(orders);
        let reached = self.reached();
        let mut facts = Vec::new();
        for order in orders {
            facts.extend(self.write(order));
            let now = self.reached();
            assert!(reached.iter().all(|it| now.contains(it)), "{order:?} came too early for {reached:?}");
        }
        let is_refused = |address| {
            let is_its = |fact: &Fact| matches!(fact, Fact::WriteRefused { write: Write::PutRoute { address: it, .. }, .. } if *it == address);
            facts.iter().any(is_its)
        };
        self.program.put(orders, is_refused);
        facts.extend(self.program.read(self.now, orders));
        facts
    }

    /// Questions that the program answers, whose targets are reached.
    fn reached(&self) -> Vec<(SegmentId, Ipv4Addr)> {
        let targets = self.program.questions();
        let targets = targets.iter().map(|(question, frame)| (question.segment, frame.arp.sender));
        targets.filter(|(segment, target)| self.is_reached(*segment, *target)).collect()
    }

    fn is_reached(&self, segment: SegmentId, target: Ipv4Addr) -> bool {
        let route = self.kernel.lookup(target);
        route.is_some_and(|route| self.kernel.segment_of(route) != Some(segment))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Hosts that answer no probe, and speak to the program only: none of them is asked, and none goes. Each has asked
    /// once before the program knows it.
    #[test]
    fn who_is_answered_in_the_kernel_only_is_neither_probed_nor_given_up(
        places in proptest::collection::vec((0..SEGMENTS).prop_map(SegmentId), HOSTS.len()),
        words in proptest::collection::vec((HOSTS, 1_u64..700), 1..300),
    ) {
        let mut world = World::new(Duration::ZERO, &[]).with_program(true);
        let hosts: Vec<(u8, SegmentId)> = HOSTS.zip(places).collect();
        for (last, segment) in &hosts {
            world.says(*segment, request(ip(*last), mac(*last, 0), ip(1)));
        }
        for (turn, (target, pause)) in words.into_iter().enumerate() {
            // Whoever was silent for longest asks, so that nobody is silent for five seconds.
            let (last, segment) = hosts[turn % hosts.len()];
            world.says(segment, request(ip(last), mac(last, 0), ip(target)));
            world.pass(Duration::from_millis(pause));
            for (last, segment) in &hosts {
                let places: Vec<_> = world.kernel.ours_to(ip(*last)).iter().map(|it| world.kernel.segment_of(it)).collect();
                prop_assert_eq!(places, [Some(*segment)]);
            }
        }
        prop_assert_eq!(world.probes, 0);
    }

    /// One that dies in silence loses its route in time, whoever asks for it, and however often the program answers.
    #[test]
    fn who_died_is_given_up_in_time_though_the_program_answers_for_it(
        segment in 0..SEGMENTS,
        step in 1..SEGMENTS,
        lived in 0_u64..60_000,
        gap in 200_u64..20_000,
    ) {
        let mut world = World::new(Duration::ZERO, &[]).with_program(true);
        let (here, there) = (SegmentId(segment), SegmentId((segment + step) % SEGMENTS));
        let asks = |world: &mut World, last: u8, segment, target| {
            world.says(segment, request(ip(last), mac(last, 0), ip(target)));
        };
        world.stations.insert(ip(2), Station { segment: here, lladdr: mac(2, 0) });
        asks(&mut world, 2, here, 1);
        asks(&mut world, 3, there, 1);
        world.stations.insert(ip(3), Station { segment: there, lladdr: mac(3, 0) });
        world.pass(Duration::from_millis(lived));
        asks(&mut world, 2, here, 3);
        world.stations.remove(&ip(2));
        let died = world.now;
        // Five seconds of quiet, a question that is passed on, and the probes; or the usual time.
        let most = Duration::from_millis((5_000 + gap + TURN / 1_000_000 + 1 + 7_500).min(30_000 + 2_000 + 7_500));
        let mut next = died;
        while !world.kernel.ours_to(ip(2)).is_empty() {
            if world.now >= next {
                asks(&mut world, 3, there, 2);
                next = world.now + Duration::from_millis(gap);
            }
            world.pass(Duration::from_millis(100));
            prop_assert!(world.now.since(died) <= most, "{:?} after its death", world.now.since(died));
        }
        prop_assert!(world.program.answered > 0);
    }
}
