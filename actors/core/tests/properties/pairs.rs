//! Two gateways on the same segments, whose roles change in any order, with a cable between them that breaks and heals: a
//! standby says nothing of where hosts are, and of two that hear each other one answers at the most.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::arp::{Heard, Mark};
use arpherd_core::fact::Link;
use arpherd_core::order::Purpose;
use arpherd_core::plan::{
    DomainId, DomainPlan, HaPlan, LinkKind, Plan, RoleRule, RoutePlan, SegmentPlan, StandbyRoutes,
};
use arpherd_core::{Arp, Fact, Ledger, LinkAddr, Order, Role, SegmentId, Time};
use proptest::prelude::*;

use crate::stations::{HOSTS, ip, mac, request};

const SEGMENTS: u16 = 2;
/// The address that goes from one gateway to the other, where roles follow it.
const SHARED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 200);
/// What an active one may take to hear of another one after the cable is whole again: a presence comes every second.
const HEALING: Duration = Duration::from_millis(1_200);
/// What one may take after the other fell silent or a role changed.
const SETTLING: Duration = Duration::from_millis(100);

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// A gateway is told what it is.
    Order {
        gateway: usize,
        role: Role,
    },
    /// A host speaks, and asks for another.
    Ask {
        from: u8,
        target: u8,
    },
    /// A host announces itself on the other segment.
    Move(u8),
    /// The gateways hear each other no longer, or again.
    Cable {
        is_cut: bool,
    },
    /// A link of a gateway loses its carrier, or has it again.
    Carrier {
        gateway: usize,
        segment: u16,
        carrier: bool,
    },
    Pass(Duration),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let role = prop_oneof![Just(Role::Active), Just(Role::Standby)];
    let act = prop_oneof![
        4 => (0..2_usize, role).prop_map(|(gateway, role)| Act::Order { gateway, role }),
        6 => (HOSTS, HOSTS).prop_map(|(from, target)| Act::Ask { from, target }),
        1 => HOSTS.prop_map(Act::Move),
        1 => any::<bool>().prop_map(|is_cut| Act::Cable { is_cut }),
        1 => (0..2_usize, 0..SEGMENTS, any::<bool>())
            .prop_map(|(gateway, segment, carrier)| Act::Carrier { gateway, segment, carrier }),
        4 => (1..2_000_u64).prop_map(|ms| Act::Pass(Duration::from_millis(ms))),
        1 => (1..60_u64).prop_map(|s| Act::Pass(Duration::from_secs(s))),
    ];
    prop::collection::vec(act, 1..60)
}

fn routes() -> impl Strategy<Value = StandbyRoutes> {
    prop_oneof![Just(StandbyRoutes::Same), Just(StandbyRoutes::None), Just(StandbyRoutes::Metric(150))]
}

fn plan(follows: bool, standby_routes: StandbyRoutes) -> Plan {
    let prefixes = vec!["10.0.0.0/24".parse().expect("a prefix")];
    let rule = if follows { RoleRule::Follow(SHARED) } else { RoleRule::Command { ttl: None } };
    let domain = DomainPlan {
        name: "pair".to_owned(),
        prefixes: prefixes.clone(),
        ha: Some(HaPlan { rule, standby_routes }),
        ..DomainPlan::default()
    };
    let segment = |number: u16| SegmentPlan::new(&format!("s{number}"), DomainId(0), &prefixes);
    Plan {
        domains: vec![domain],
        segments: (0..SEGMENTS).map(segment).collect(),
        routes: RoutePlan::default(),
    }
}

/// Two ledgers, and what lies between them.
struct Pair {
    ledgers: [Ledger; 2],
    roles: [Role; 2],
    follows: bool,
    now: Time,
    is_cut: bool,
    /// By gateway and segment.
    carriers: [[bool; SEGMENTS as usize]; 2],
    /// Where each host is.
    places: Vec<(u8, SegmentId)>,
    /// Since when nothing changed that a gateway would have to hear of first.
    settled_at: Time,
    answers: Vec<(usize, Arp)>,
}

impl Pair {
    fn new(follows: bool, standby_routes: StandbyRoutes) -> Self {
        let plan = plan(follows, standby_routes);
        let mut pair = Self {
            ledgers: [Ledger::new(&plan), Ledger::new(&plan)],
            roles: [Role::Standby; 2],
            follows,
            now: Time::ZERO + Duration::from_secs(100),
            is_cut: false,
            carriers: [[true; SEGMENTS as usize]; 2],
            places: HOSTS.map(|last| (last, SegmentId(u16::from(last) % SEGMENTS))).collect(),
            settled_at: Time::ZERO,
            answers: Vec::new(),
        };
        for gateway in 0..2 {
            pair.has_addresses(gateway);
            for segment in 0..SEGMENTS {
                pair.link(gateway, segment);
            }
            pair.give(gateway, Fact::TableRead { routes: Vec::new() });
        }
        pair
    }

    fn own(gateway: usize) -> Ipv4Addr {
        ip(if gateway == 0 { 201 } else { 202 })
    }

    fn has_addresses(&mut self, gateway: usize) {
        let shared = (self.follows && self.roles[gateway] == Role::Active).then_some(SHARED);
        let addresses = std::iter::once(Self::own(gateway)).chain(shared).collect();
        self.give(gateway, Fact::AddressesChanged { addresses });
    }

    fn link(&mut self, gateway: usize, segment: u16) {
        let [_, low] = segment.to_be_bytes();
        let link = Link {
            index: 10 + u32::from(segment),
            name: String::new(),
            kind: LinkKind::Ethernet,
            lladdr: LinkAddr::ethernet([2, 0xff, u8::from(gateway == 1), 0, 0, low]),
            up: true,
            carrier: self.carriers[gateway][usize::from(segment)],
            addresses: if segment == 0 { vec![Self::own(gateway).into()] } else { Vec::new() },
            ineligible: None,
        };
        self.give(gateway, Fact::LinkChanged { segment: SegmentId(segment), link: Some(link) });
    }

    /// A fact for one gateway. What it says is heard by the other one.
    fn give(&mut self, gateway: usize, fact: Fact) {
        let mut facts = vec![(gateway, fact)];
        while let Some((at, fact)) = facts.pop() {
            let mut orders = Vec::new();
            self.ledgers[at].step(self.now, fact, &mut orders);
            for order in orders {
                let Order::Transmit { segment, frame, purpose } = order else { continue };
                if matches!(purpose, Purpose::Answer | Purpose::Announce | Purpose::Correct) {
                    assert_eq!(self.roles[at], Role::Active, "a standby says where {} is", frame.arp.sender);
                }
                if purpose == Purpose::Answer {
                    self.answers.push((at, frame.arp));
                }
                let carried = [at, 1 - at].iter().all(|it| self.carriers[*it][segment.index()]);
                if frame.to.is_none() && !self.is_cut && carried {
                    let heard =
                        Heard { arp: frame.arp, from: frame.arp.sender_lladdr, mark: Some(Mark::Peer) };
                    facts.insert(0, (1 - at, Fact::Heard { segment, heard }));
                }
            }
        }
    }

    /// Both hear a host's broadcast, where they have a carrier.
    fn broadcast(&mut self, segment: SegmentId, arp: Arp) {
        for gateway in 0..2 {
            if self.carriers[gateway][segment.index()] {
                let heard = Heard { arp, from: arp.sender_lladdr, mark: None };
                self.give(gateway, Fact::Heard { segment, heard });
            }
        }
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let due = |gateway: &usize| self.ledgers[*gateway].deadline().unwrap_or(end);
            let Some(first) = (0..2).min_by_key(due) else { return };
            if due(&first) >= end {
                break;
            }
            self.now = self.now.max(due(&first));
            self.give(first, Fact::TimePassed);
        }
        self.now = end;
    }

    fn unsettle(&mut self, span: Duration) {
        self.settled_at = self.settled_at.max(self.now + span);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Order { gateway, role } => {
                if self.roles[gateway] != role {
                    self.unsettle(SETTLING);
                }
                // What was due before is done before.
                self.give(gateway, Fact::TimePassed);
                self.roles[gateway] = role;
                if self.follows {
                    self.has_addresses(gateway);
                } else {
                    self.give(gateway, Fact::RoleOrdered { domain: DomainId(0), role });
                }
            }
            Act::Ask { from, target } => self.ask(from, target),
            Act::Move(last) => {
                if let Some(place) = self.places.iter_mut().find(|(it, _)| *it == last) {
                    place.1 = SegmentId((place.1.0 + 1) % SEGMENTS);
                    let segment = place.1;
                    self.broadcast(segment, request(ip(last), mac(last, 0), ip(last)));
                }
            }
            Act::Cable { is_cut } => {
                self.is_cut = is_cut;
                self.unsettle(HEALING);
            }
            Act::Carrier { gateway, segment, carrier } => {
                self.carriers[gateway][usize::from(segment)] = carrier;
                self.link(gateway, segment);
                self.unsettle(HEALING);
            }
            Act::Pass(span) => self.pass(span),
        }
    }

    fn ask(&mut self, from: u8, target: u8) {
        let place = |last: u8| self.places.iter().find(|(it, _)| *it == last).map(|(_, segment)| *segment);
        let (Some(segment), true) = (place(from), from != target) else { return };
        self.answers.clear();
        self.broadcast(segment, request(ip(from), mac(from, 0), ip(target)));
        let hear_each_other =
            !self.is_cut && (0..usize::from(SEGMENTS)).any(|at| self.carriers.iter().all(|it| it[at]));
        if hear_each_other && self.now >= self.settled_at {
            let of_target: Vec<_> = self.answers.iter().filter(|(_, arp)| arp.sender == ip(target)).collect();
            assert!(of_target.len() <= 1, "two answers: {of_target:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_standby_is_silent_and_of_two_active_ones_one_answers(
        follows in any::<bool>(),
        routes in routes(),
        acts in acts(),
    ) {
        let mut pair = Pair::new(follows, routes);
        for act in acts {
            pair.act(act);
        }
    }

    #[test]
    fn who_is_active_alone_answers(follows in any::<bool>(), routes in routes(), acts in acts()) {
        let mut pair = Pair::new(follows, routes);
        for act in acts {
            pair.act(act);
        }
        for gateway in 0..2 {
            for segment in 0..SEGMENTS {
                pair.act(Act::Carrier { gateway, segment, carrier: true });
            }
        }
        pair.act(Act::Cable { is_cut: false });
        pair.act(Act::Order { gateway: 0, role: Role::Standby });
        pair.act(Act::Order { gateway: 1, role: Role::Active });
        pair.act(Act::Pass(Duration::from_secs(5)));
        // Both speak, and are known.
        let apart = pair.places.iter().find(|(_, segment)| *segment != pair.places[0].1).copied();
        let Some((other, _)) = apart else { return Ok(()) };
        let first = pair.places[0].0;
        pair.act(Act::Ask { from: other, target: first });
        pair.act(Act::Ask { from: first, target: other });
        pair.act(Act::Pass(Duration::from_millis(1)));
        pair.act(Act::Ask { from: other, target: first });
        let by: Vec<usize> = pair.answers.iter().filter(|(_, arp)| arp.sender == ip(first)).map(|(by, _)| *by).collect();
        prop_assert_eq!(by, vec![1]);
    }
}
