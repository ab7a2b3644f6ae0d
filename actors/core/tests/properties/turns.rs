//! More hosts than the pace of questions allows: those that somebody asks for do not wait behind the others, and nobody is
//! forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::arp::{Arp, Heard, Operation};
use arpherd_core::order::Purpose;
use arpherd_core::plan::{DomainPlan, Limits, Plan, RoutePlan, SweepPlan};
use arpherd_core::{Fact, Ledger, Order, SegmentId, Time};
use proptest::prelude::*;

use crate::facts::{METRIC, PROTOCOL, own_lladdr, segment};
use crate::stations::{ip, mac, request};
use crate::world::fine;

const HOSTS: std::ops::Range<u8> = 10..130;
const HERE: SegmentId = SegmentId(0);
const THERE: SegmentId = SegmentId(1);
const QUIET: Duration = Duration::from_secs(4);

/// What happens to a host.
#[derive(Debug, Clone, Copy)]
enum Act {
    Speak(u8),
    /// It speaks, and somebody asks for it, so that nothing but the time makes it suspect.
    Want(u8),
    /// Somebody asks for it, however long it has been quiet.
    Ask(u8),
    /// It speaks on the other segment.
    Leave(u8),
    /// The link goes, and comes back.
    Flap,
    Wait(u64),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => HOSTS.prop_map(Act::Speak),
        4 => HOSTS.prop_map(Act::Want),
        2 => HOSTS.prop_map(Act::Ask),
        1 => HOSTS.prop_map(Act::Leave),
        1 => Just(Act::Flap),
        6 => (1_u64..2_000).prop_map(Act::Wait),
    ]
}

/// A network whose questions come too slowly.
struct Crowd {
    ledger: Ledger,
    now: Time,
    /// Hosts that answer when they are asked.
    answering: BTreeSet<Ipv4Addr>,
    /// Whom questions were for that were sent here, in order.
    asked: Vec<Ipv4Addr>,
    gone: BTreeSet<Ipv4Addr>,
}

impl Crowd {
    fn new(rate: u32) -> Self {
        let prefix = "10.0.0.0/24";
        let mut segments = ["a", "b"].map(|name| segment(name, 0, prefix)).to_vec();
        for segment in &mut segments {
            segment.limits = Limits { hosts: 256, ..Limits::default() };
            segment.expiry.quiet = QUIET;
        }
        segments[0].sweep = Some(SweepPlan { rate, ..SweepPlan::default() });
        let prefixes = segments[0].addresses.prefixes.clone();
        let domains = vec![DomainPlan { name: "lan".to_owned(), prefixes, ..DomainPlan::default() }];
        let routes = RoutePlan { protocol: PROTOCOL, table: 254, metric: METRIC, fabric_table: None };
        let mut crowd = Self {
            ledger: Ledger::new(&Plan { domains, segments, routes }),
            now: Time::ZERO + Duration::from_secs(1),
            answering: BTreeSet::new(),
            asked: Vec::new(),
            gone: BTreeSet::new(),
        };
        crowd.tell(Fact::AddressesChanged { addresses: vec![ip(1)] });
        crowd.tell(Fact::TableRead { routes: Vec::new() });
        for segment in [HERE, THERE] {
            crowd.tell(Fact::LinkChanged { segment, link: Some(fine(segment)) });
        }
        crowd
    }

    fn tell(&mut self, fact: Fact) {
        let mut orders = Vec::new();
        self.ledger.step(self.now, fact, &mut orders);
        let mut answers = Vec::new();
        for order in orders {
            match order {
                Order::Transmit { segment: HERE, frame, purpose: Purpose::Verify } => {
                    let target = frame.arp.target;
                    self.asked.push(target);
                    if self.answering.contains(&target) {
                        answers.push(target);
                    }
                }
                Order::Emit(arpherd_core::Event::HostGone { address, .. }) if address != ip(200) => {
                    self.gone.insert(address);
                }
                _ => {}
            }
        }
        for address in answers {
            let lladdr = mac(address.octets()[3], 0);
            let target_lladdr = own_lladdr(0);
            let arp = Arp { operation: Operation::Reply, target_lladdr, ..request(address, lladdr, ip(1)) };
            self.hear(HERE, arp);
        }
    }

    fn hear(&mut self, segment: SegmentId, arp: Arp) {
        self.tell(Fact::Heard { segment, heard: Heard { arp, from: arp.sender_lladdr, mark: None } });
    }

    fn speaks(&mut self, segment: SegmentId, last: u8) {
        self.hear(segment, request(ip(last), mac(last, 0), ip(1)));
    }

    fn wants(&mut self, last: u8) {
        self.hear(THERE, request(ip(200), mac(200, 0), ip(last)));
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.ledger.deadline().filter(|at| *at <= end) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.tell(Fact::TimePassed);
        }
        self.now = end;
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Speak(last) => self.speaks(HERE, last),
            Act::Want(last) => {
                self.speaks(HERE, last);
                self.wants(last);
            }
            Act::Ask(last) => self.wants(last),
            Act::Leave(last) => self.speaks(THERE, last),
            Act::Flap => {
                self.tell(Fact::LinkChanged { segment: HERE, link: None });
                self.tell(Fact::LinkChanged { segment: HERE, link: Some(fine(HERE)) });
            }
            Act::Wait(millis) => self.pass(Duration::from_millis(millis)),
        }
    }

    /// Hosts that wait to be asked, as the segment says.
    fn waiting(&self) -> u64 {
        self.ledger.segment_views()[HERE.index()].measured.verify_waiting
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// All of them fall silent at once, and some are wanted: until each of those has been asked, three of four questions
    /// are for them.
    #[test]
    fn wanted_hosts_do_not_wait_behind_the_others(
        rate in 8_u32..80,
        wanted in proptest::collection::btree_set(HOSTS, 1..60),
    ) {
        let mut crowd = Crowd::new(rate);
        HOSTS.for_each(|last| crowd.speaks(HERE, last));
        wanted.iter().for_each(|last| crowd.wants(*last));
        crowd.pass(QUIET - Duration::from_millis(1));
        crowd.asked.clear();
        let wanted: BTreeSet<_> = wanted.into_iter().map(ip).collect();
        let mut missing = wanted.clone();
        let mut questions: BTreeMap<bool, usize> = BTreeMap::new();
        while !missing.is_empty() {
            crowd.pass(Duration::from_millis(200));
            for address in std::mem::take(&mut crowd.asked) {
                *questions.entry(wanted.contains(&address)).or_default() += usize::from(!missing.is_empty());
                missing.remove(&address);
            }
            prop_assert!(crowd.now < Time::ZERO + Duration::from_secs(300), "{missing:?} are never asked");
        }
        // Those at the beginning that found the pace free, and one for each three.
        let (for_them, for_others) = (questions[&true], questions.get(&false).copied().unwrap_or(0));
        let burst = (rate - rate / 4) as usize / 10 + 2;
        prop_assert!(for_others <= for_them / 3 + burst, "{for_others} beside {for_them}");
    }

    /// Whatever happens to those who wait, in the end each of them has been asked: who answers has stayed, who does not
    /// is gone.
    #[test]
    fn nobody_who_waits_is_forgotten(
        rate in 8_u32..80,
        answering in proptest::collection::btree_set(HOSTS, 0..120),
        acts in proptest::collection::vec(any_act(), 0..120),
    ) {
        let mut crowd = Crowd::new(rate);
        HOSTS.for_each(|last| crowd.speaks(HERE, last));
        for act in acts {
            crowd.act(act);
        }
        HOSTS.for_each(|last| crowd.speaks(HERE, last));
        // Whoever was on the other segment has come back by then.
        crowd.pass(Duration::from_secs(2));
        HOSTS.for_each(|last| crowd.speaks(HERE, last));
        crowd.answering = answering.iter().map(|last| ip(*last)).collect();
        crowd.gone.clear();
        // Those that are dead take five questions each, those that answer one each four seconds.
        let slowest = 120 * 5 * 8 / u64::from(rate - rate / 4) + 60;
        crowd.pass(Duration::from_secs(slowest));
        let dead: BTreeSet<_> = HOSTS.map(ip).filter(|it| !crowd.answering.contains(it)).collect();
        prop_assert_eq!(&crowd.gone, &dead);
        let live: BTreeSet<_> = crowd.ledger.host_views(crowd.now).into_iter().map(|it| it.address).collect();
        prop_assert!(crowd.answering.is_subset(&live), "{:?} answer, {:?} are known", crowd.answering, live);
        prop_assert!(crowd.waiting() <= crowd.answering.len() as u64, "{} wait", crowd.waiting());
        // The others are silent now as well.
        crowd.answering.clear();
        crowd.pass(Duration::from_secs(slowest));
        prop_assert_eq!(crowd.gone.len(), HOSTS.len());
        prop_assert_eq!(crowd.waiting(), 0);
    }
}
