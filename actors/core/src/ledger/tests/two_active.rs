//! Two gateways that are active at the same time.

use std::time::Duration;

use super::bench::{A, B, Bench, C, SECOND, host, ip, link, ms};
use super::log::Log;
use super::pairs::{announced_hosts, commanded};
use crate::arp::{Heard, Mark};
use crate::fact::Link;
use crate::order::{Order, Purpose};
use crate::{Event, Fact, LinkAddr, Role, SegmentId};

/// Two gateways on the same segments, which hear each other's broadcasts.
struct Two {
    gateways: [Bench; 2],
    is_cut: bool,
}

/// The link-layer address that a gateway has on a segment. The first one's are the lower ones.
fn gateway_mac(gateway: usize, segment: SegmentId) -> LinkAddr {
    let gateway = u8::try_from(gateway).expect("one of two");
    LinkAddr::ethernet([0x02, 0xfe, gateway, 0, 0, u8::try_from(segment.index()).expect("few")])
}

impl Two {
    fn new() -> Self {
        let gateways = [0, 1].map(|gateway| {
            let mut bench = Bench::with(commanded());
            for id in [A, B, C] {
                bench.links(id, Some(Link { lladdr: gateway_mac(gateway, id), ..link(id) }));
            }
            for (id, last) in [(A, 9), (B, 20)] {
                bench.knows(id, host(last));
            }
            bench
        });
        Self { gateways, is_cut: false }
    }

    /// What one said goes to the other, and what that says to it back.
    fn carry(&mut self, from: usize, log: Log) -> Log {
        let mut all = Log::default();
        let mut said = vec![(from, log)];
        while let Some((from, log)) = said.pop() {
            for order in log.orders() {
                let Order::Transmit { segment, frame, .. } = order else { continue };
                if frame.to.is_none() && !self.is_cut {
                    let heard =
                        Heard { arp: frame.arp, from: frame.arp.sender_lladdr, mark: Some(Mark::Peer) };
                    said.push((1 - from, self.gateways[1 - from].give(Fact::Heard { segment, heard })));
                }
            }
            all.append(log);
        }
        all
    }

    fn tells(&mut self, gateway: usize, role: Role) -> Log {
        let log = self.gateways[gateway].is_ordered(role);
        let mut log = self.carry(gateway, log);
        log.append(self.passes(ms(50)));
        log
    }

    fn passes(&mut self, span: Duration) -> Log {
        let mut all = Log::default();
        for _ in 0..span.as_millis() / 10 {
            for gateway in [0, 1] {
                let log = self.gateways[gateway].passes(ms(10));
                all.append(self.carry(gateway, log));
            }
        }
        all
    }

    /// Which of them answer a request.
    fn answering(&mut self) -> Vec<usize> {
        let asks = |bench: &mut Bench| !bench.hears(B, host(20).asks(ip(9))).answers().is_empty();
        (0..2).filter(|gateway| asks(&mut self.gateways[*gateway])).collect()
    }
}

#[test]
fn of_two_active_ones_the_lower_answers_whoever_was_first() {
    for order in [[0, 1], [1, 0]] {
        let mut two = Two::new();
        two.tells(order[0], Role::Active);
        assert_eq!(two.answering(), [order[0]]);
        two.passes(2 * SECOND);
        two.tells(order[1], Role::Active);
        assert_eq!(two.answering(), [0], "at once");
        let told = |log: &Log| log.events().iter().filter(|it| matches!(it, Event::TwoActive { .. })).count();
        assert_eq!(told(&two.passes(ms(900))), 0, "routers that take over overlap for a moment");
        let log = two.passes(10 * SECOND);
        assert_eq!(told(&log), 2, "each tells it, once");
        assert_eq!(two.answering(), [0]);
    }
}

#[test]
fn the_one_that_goes_on_announces_everybody_anew_and_the_other_nobody() {
    let mut two = Two::new();
    two.tells(0, Role::Active);
    two.passes(10 * SECOND);
    let mut log = two.tells(1, Role::Active);
    log.append(two.passes(ms(100)));
    for segment in [B, C] {
        let mut of_host = log
            .frames(Purpose::Announce)
            .into_iter()
            .filter(|(id, it)| (*id, it.arp.sender) == (segment, ip(9)));
        let last = of_host.next_back().map(|(_, it)| it.arp.sender_lladdr);
        assert_eq!(last, Some(gateway_mac(0, segment)));
    }
}

#[test]
fn who_becomes_active_beside_one_that_goes_before_it_says_nothing_at_all() {
    let mut two = Two::new();
    two.tells(0, Role::Active);
    two.passes(10 * SECOND);
    let mut log = two.tells(1, Role::Active);
    log.append(two.passes(10 * SECOND));
    let from_it = |lladdr: LinkAddr| [A, B, C].iter().any(|id| gateway_mac(1, *id) == lladdr);
    let said =
        log.frames(Purpose::Announce).into_iter().filter(|(_, frame)| from_it(frame.arp.sender_lladdr));
    assert_eq!(said.count(), 0);
}

#[test]
fn the_silent_one_answers_as_soon_as_the_other_says_that_it_leaves() {
    let mut two = Two::new();
    two.tells(0, Role::Active);
    two.tells(1, Role::Active);
    assert_eq!(two.answering(), [0]);
    let log = two.tells(0, Role::Standby);
    assert_eq!(two.answering(), [1]);
    assert!(announced_hosts(&log).contains(&(B, ip(9))));
}

#[test]
fn the_silent_one_answers_a_few_seconds_after_the_other_fell_silent() {
    let mut two = Two::new();
    two.tells(0, Role::Active);
    two.tells(1, Role::Active);
    two.is_cut = true;
    two.passes(3 * SECOND);
    assert_eq!(two.answering(), [0], "three presences may be lost");
    two.passes(2 * SECOND);
    assert_eq!(two.answering(), [0, 1], "they do not hear each other any more");
    two.is_cut = false;
    two.passes(ms(1100));
    assert_eq!(two.answering(), [0]);
}
