//! A small network with a kernel, hosts and other people's hands in it.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::arp::{Arp, Frame, Heard, Operation};
use arpherd_core::fact::{Link, RouteSeen};
use arpherd_core::order::Purpose;
use arpherd_core::plan::{DomainPlan, Plan, RoutePlan};
use arpherd_core::{Fact, Ledger, LinkAddr, Order, SegmentId, Time};
use proptest::prelude::*;

use crate::facts::{METRIC, PROTOCOL, good_link, segment};
use crate::kernel::Kernel;
use crate::places::Places;
use crate::stations::{Act, HOSTS, SEGMENTS, Station, any_act, ip, mac, request};

fn plan() -> Plan {
    let prefix = "10.0.0.0/24";
    Plan {
        domains: vec![DomainPlan {
            name: "lan".to_owned(),
            prefixes: vec![prefix.parse().expect("a well-formed prefix")],
        }],
        segments: ["a", "b", "c"].map(|name| segment(name, 0, prefix)).to_vec(),
        routes: RoutePlan { protocol: PROTOCOL, table: 254, metric: METRIC },
    }
}

fn segments() -> impl Iterator<Item = SegmentId> {
    (0..SEGMENTS).map(SegmentId)
}

/// The interface as it should be. The gateway's address is on the first.
fn fine(segment: SegmentId) -> Link {
    let own = segment.0 == 0;
    let addresses = own.then(|| "10.0.0.1/24".parse().expect("a well-formed prefix"));
    Link { addresses: addresses.into_iter().collect(), ..good_link(segment) }
}

struct World {
    ledger: Ledger,
    kernel: Kernel,
    places: Places,
    stations: BTreeMap<Ipv4Addr, Station>,
    now: Time,
    /// How long the kernel's news take.
    lag: Duration,
    news: VecDeque<(Time, Fact)>,
    answers: Vec<(SegmentId, Ipv4Addr)>,
}

impl World {
    /// A gateway that is just started; an earlier run left these routes.
    fn new(lag: Duration, leftovers: &[(u8, SegmentId)]) -> Self {
        let mut world = Self {
            ledger: Ledger::new(plan()),
            kernel: Kernel::new(segments().map(|segment| Some(fine(segment))).collect()),
            places: Places::new(&plan()),
            stations: BTreeMap::new(),
            now: Time::ZERO + Duration::from_secs(1),
            lag,
            news: VecDeque::new(),
            answers: Vec::new(),
        };
        for (last, segment) in leftovers {
            world.kernel.add(impostor(*last, *segment, &fine(*segment)));
        }
        world.tell(Fact::AddressesChanged { addresses: world.kernel.own() });
        world.tell(Fact::TableRead { routes: world.kernel.table() });
        for segment in segments() {
            world.tell(Fact::LinkChanged { segment, link: Some(fine(segment)) });
        }
        world
    }

    /// A fact, and all that follows from it at once.
    fn tell(&mut self, fact: Fact) {
        let mut facts = VecDeque::from([fact]);
        while let Some(fact) = facts.pop_front() {
            let mut orders = Vec::new();
            self.ledger.step(self.now, fact, &mut orders);
            let refused = facts.len();
            for order in &orders {
                facts.extend(self.write(order));
            }
            let is_refused = facts.len() > refused;
            self.places.follow(&orders);
            for order in &orders {
                if let Order::Transmit { segment, frame, purpose } = order {
                    if *purpose == Purpose::Answer && !is_refused {
                        self.check_answer(*segment, frame);
                    }
                    facts.extend(self.carry(*segment, frame, *purpose));
                }
            }
        }
    }

    /// Carries an order out on the kernel's tables; its refusal comes back at once, as in the daemon.
    fn write(&mut self, order: &Order) -> Option<Fact> {
        match *order {
            Order::PutRoute { segment, address, source, replace } => {
                let refused = self.kernel.put(segment, address, source, replace).err()?;
                let reason = String::new();
                return Some(Fact::RouteRefused { segment, address, errno: refused, reason });
            }
            Order::DeleteRoute { segment, address } => self.kernel.delete(segment, address),
            Order::DeleteStray(seen) => self.kernel.delete_stray(&seen),
            Order::PutNeighbour { segment, address, lladdr } => {
                self.kernel.put_neighbour(segment, address, lladdr);
            }
            Order::DeleteNeighbour { segment, address } => self.kernel.delete_neighbour(segment, address),
            Order::ReadTable => self.hear_of(Fact::TableRead { routes: self.kernel.table() }),
            _ => {}
        }
        None
    }

    /// Whoever is sent packets for a host must be able to pass them on.
    fn check_answer(&self, segment: SegmentId, frame: &Frame) {
        let is_defence = frame.arp.target.is_unspecified();
        if is_defence || self.lag > Duration::ZERO {
            return;
        }
        let route = self.kernel.lookup(frame.arp.sender);
        assert!(
            route.is_some_and(|route| route.segment != Some(segment)),
            "answered for {} on {segment:?} with the route {route:?}",
            frame.arp.sender
        );
    }

    /// Carries a frame to the stations of a segment.
    fn carry(&mut self, segment: SegmentId, frame: &Frame, purpose: Purpose) -> Option<Fact> {
        if purpose == Purpose::Answer {
            self.answers.push((segment, frame.arp.sender));
        }
        let is_question = matches!(purpose, Purpose::Verify | Purpose::Search);
        let station = *self.stations.get(&frame.arp.target)?;
        let is_reached = station.segment == segment && frame.to.is_none_or(|to| to == station.lladdr);
        (is_question && is_reached).then_some(())?;
        let arp = Arp {
            operation: Operation::Reply,
            sender_lladdr: station.lladdr,
            sender: frame.arp.target,
            target_lladdr: frame.arp.sender_lladdr,
            target: frame.arp.sender,
        };
        Some(heard(segment, arp))
    }

    /// A station's word, if there is a link to carry it.
    fn says(&mut self, segment: SegmentId, arp: Arp) {
        let link = self.kernel.links[segment.index()].as_ref();
        if link.is_some_and(|link| link.up && link.carrier) {
            self.tell(heard(segment, arp));
        }
    }

    fn hear_of(&mut self, fact: Fact) {
        self.news.push_back((self.now + self.lag, fact));
    }

    fn set_link(&mut self, segment: SegmentId, link: Option<Link>) {
        self.kernel.set_link(segment, link.clone());
        self.hear_of(Fact::LinkChanged { segment, link });
        self.hear_of(Fact::AddressesChanged { addresses: self.kernel.own() });
    }

    fn with_link(&mut self, segment: SegmentId, change: impl FnOnce(&mut Link)) {
        if let Some(mut link) = self.kernel.links[segment.index()].clone() {
            change(&mut link);
            self.set_link(segment, Some(link));
        }
    }

    /// Time passes; the ledger hears of news and is woken when they and it are due.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let news = self.news.front().map(|(at, _)| *at);
            let next = news.into_iter().chain(self.ledger.deadline()).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            let fact = if news == Some(at) { self.news.pop_front().map(|(_, fact)| fact) } else { None };
            self.tell(fact.unwrap_or(Fact::TimePassed));
        }
        self.now = end;
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Arrive { last, segment, which, announces } => {
                let lladdr = mac(last, which);
                self.stations.insert(ip(last), Station { segment, lladdr });
                if announces {
                    self.says(segment, request(ip(last), lladdr, ip(last)));
                }
            }
            Act::Leave(last) => {
                self.stations.remove(&ip(last));
            }
            Act::Ask { last, target } => {
                if let Some(station) = self.stations.get(&ip(last)).copied() {
                    self.says(station.segment, request(ip(last), station.lladdr, ip(target)));
                }
            }
            Act::Forge { last, segment } => self.says(segment, request(ip(last), mac(last, 9), ip(last))),
            Act::Probe { last, segment } => {
                self.says(segment, request(Ipv4Addr::UNSPECIFIED, mac(last, 8), ip(last)));
            }
            Act::Wait(span) => self.pass(span),
            _ => self.meddle(act),
        }
        self.pass(Duration::ZERO);
    }

    /// What others do to the gateway.
    fn meddle(&mut self, act: Act) {
        match act {
            Act::AdminDown(segment) => {
                self.with_link(segment, |link| (link.up, link.carrier) = (false, false))
            }
            Act::NoCarrier(segment) => self.with_link(segment, |link| link.carrier = false),
            Act::Absent(segment) => self.set_link(segment, None),
            Act::Recreated(segment) => {
                let lladdr = crate::facts::own_lladdr(7);
                self.set_link(
                    segment,
                    Some(Link { index: 90 + u32::from(segment.0), lladdr, ..fine(segment) }),
                );
            }
            Act::Up(segment) => self.set_link(segment, Some(fine(segment))),
            Act::AddressLost => self.with_link(SegmentId(0), |link| link.addresses.clear()),
            Act::AddressBack => self.with_link(SegmentId(0), |link| {
                link.addresses = fine(SegmentId(0)).addresses;
            }),
            Act::Foreign { last, our_metric } => {
                let route = foreign(last, our_metric);
                if self.kernel.add(route) {
                    self.hear_of(Fact::RouteAppeared(route));
                }
            }
            Act::ForeignGone(last) => {
                let is_theirs = |it: &RouteSeen| it.address == ip(last) && it.protocol != PROTOCOL;
                if let Some(route) = self.kernel.take(is_theirs) {
                    self.hear_of(Fact::RouteVanished(route));
                }
            }
            Act::Vandal(last) => {
                let is_ours = |it: &RouteSeen| it.address == ip(last) && it.protocol == PROTOCOL;
                if let Some(route) = self.kernel.take(is_ours) {
                    self.hear_of(Fact::RouteVanished(route));
                }
            }
            Act::Impostor { last, segment } => {
                let Some(link) = self.kernel.links[segment.index()].clone().filter(|link| link.up) else {
                    return;
                };
                let route = impostor(last, segment, &link);
                if self.kernel.add(route) {
                    self.hear_of(Fact::RouteAppeared(route));
                }
            }
            Act::Failing(writes) => self.kernel.failing = writes,
            Act::Overrun => self.hear_of(Fact::TableRead { routes: self.kernel.table() }),
            _ => {}
        }
    }

    /// Everything is as it should be for two minutes and a half, and everybody speaks now and then.
    fn settle(&mut self) {
        self.kernel.failing = 0;
        for segment in segments() {
            self.set_link(segment, Some(fine(segment)));
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
            let ours: Vec<_> =
                self.kernel.ours_to(address).iter().map(|it| (it.segment, it.source, it.metric)).collect();
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

fn heard(segment: SegmentId, arp: Arp) -> Fact {
    Fact::Heard { segment, heard: Heard { arp, from: arp.sender_lladdr } }
}

fn foreign(last: u8, our_metric: bool) -> RouteSeen {
    RouteSeen {
        address: ip(last),
        protocol: 4,
        metric: if our_metric { METRIC } else { 20 },
        interface: 99,
        segment: None,
        source: None,
        lladdr: LinkAddr::UNKNOWN,
    }
}

/// A route in our name that is none of this run's.
fn impostor(last: u8, segment: SegmentId, link: &Link) -> RouteSeen {
    let (interface, segment) = (link.index, Some(segment));
    RouteSeen { protocol: PROTOCOL, metric: METRIC, interface, segment, ..foreign(last, true) }
}

fn live(lag: Duration, leftovers: &[(u8, SegmentId)], acts: &[Act]) -> World {
    let mut world = World::new(lag, leftovers);
    for act in acts {
        world.act(*act);
    }
    world.settle();
    world
}

fn any_life() -> impl Strategy<Value = (Vec<(u8, SegmentId)>, Vec<Act>)> {
    let leftover = (2_u8..8, (0..SEGMENTS).prop_map(SegmentId));
    (proptest::collection::vec(leftover, 0..4), proptest::collection::vec(any_act(), 1..80))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_the_end_every_route_and_every_answer_is_right((leftovers, acts) in any_life()) {
        let mut world = live(Duration::ZERO, &leftovers, &acts);
        world.check_routes();
        world.check_answers();
        prop_assert_eq!(world.kernel.trampled, 0, "somebody else's route was replaced");
    }

    #[test]
    fn even_when_the_kernels_news_come_late((leftovers, acts) in any_life(), lag in 1_u64..300) {
        let mut world = live(Duration::from_millis(lag), &leftovers, &acts);
        world.check_routes();
        world.check_answers();
    }
}
