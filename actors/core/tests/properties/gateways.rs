//! Three gateways that a model of BGP connects, with any delay between any two of them, and the hosts on their segments.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::fact::{KernelRoute, Link};
use arpherd_core::order::Purpose;
use arpherd_core::plan::{DomainPlan, FabricPlan, LinkKind, Plan, RoutePlan, SegmentPlan};
use arpherd_core::{
    Arp, DomainId, Event, Fact, Heard, Ledger, LinkAddr, Operation, Order, Prefix, SegmentId, Time, Write,
};

pub(crate) const GATEWAYS: usize = 3;
pub(crate) const SEGMENTS: u16 = 2;
/// Hosts 10, 11 and so on.
pub(crate) const HOSTS: u8 = 3;
const BGP: u8 = 186;
const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Who asks on the first segment; on each one it is somebody else.
const ASKER: u8 = 200;

/// A gateway and one of its segments.
pub(crate) type Place = (usize, u16);

#[derive(Debug, Clone)]
enum Happening {
    Heard { at: Place, arp: Arp },
    Update { to: usize, from: usize, address: Ipv4Addr, is_announced: bool },
}

pub(crate) fn ip(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, host)
}

fn mac(host: u8) -> LinkAddr {
    LinkAddr::ethernet([2, 0, 0, 0, 0, host])
}

fn plan() -> Plan {
    let prefix: Prefix = "10.0.0.0/24".parse().expect("a network");
    let segment = |name: &str| SegmentPlan { sweep: None, ..SegmentPlan::new(name, DomainId(0), &[prefix]) };
    Plan {
        domains: vec![DomainPlan {
            name: "lan".to_owned(),
            prefixes: vec![prefix],
            fabric: Some(FabricPlan { protocols: BTreeSet::from([BGP]) }),
            ..DomainPlan::default()
        }],
        segments: vec![segment("a"), segment("b")],
        routes: RoutePlan { metric: 10, ..RoutePlan::default() },
    }
}

pub(crate) fn says(host: u8, operation: Operation, target: Ipv4Addr) -> Arp {
    let (sender_lladdr, target_lladdr) = (mac(host), LinkAddr::UNKNOWN);
    Arp { operation, sender_lladdr, sender: ip(host), target_lladdr, target }
}

/// The asker of a place asks for an address.
pub(crate) fn asks((gateway, segment): Place, target: Ipv4Addr) -> Arp {
    let number = gateway * usize::from(SEGMENTS) + usize::from(segment);
    says(ASKER + u8::try_from(number).expect("few places"), Operation::Request, target)
}

/// A route that one gateway announced, as it is in the kernel of another.
fn fabric_route(address: Ipv4Addr, from: usize) -> KernelRoute {
    let number = u8::try_from(from).expect("few gateways");
    KernelRoute {
        address,
        protocol: BGP,
        metric: 20,
        interface: 99,
        segment: None,
        source: None,
        lladdr: LinkAddr::UNKNOWN,
        next_hop: Some(Ipv4Addr::new(10, 79, number, 1)),
        in_fabric_table: false,
    }
}

#[derive(Default)]
pub(crate) struct Gateway {
    /// None while it is dead.
    ledger: Option<Ledger>,
    /// Hosts that it has a route of its own for, and announces.
    pub(crate) own: BTreeSet<Ipv4Addr>,
    /// Who announces each address to it. The first is in its kernel.
    received: BTreeMap<Ipv4Addr, BTreeSet<usize>>,
}

pub(crate) struct Fabric {
    pub(crate) now: Time,
    pub(crate) gateways: Vec<Gateway>,
    /// Where each host lives.
    pub(crate) hosts: BTreeMap<u8, Place>,
    queue: BTreeMap<(Time, u64), Happening>,
    happened: u64,
    /// How long updates take, one after the other; and when the last one of each session arrives.
    delays: Vec<u16>,
    arrivals: BTreeMap<(usize, usize), Time>,
    pub(crate) frames: u64,
    pub(crate) moves: Vec<(Time, Ipv4Addr)>,
    pub(crate) answers: Vec<(Place, Ipv4Addr)>,
}

impl Fabric {
    pub(crate) fn new(delays: Vec<u16>) -> Self {
        let mut fabric = Self {
            now: Time::from_nanos(1_000_000_000_000),
            gateways: (0..GATEWAYS).map(|_| Gateway::default()).collect(),
            hosts: BTreeMap::new(),
            queue: BTreeMap::new(),
            happened: 0,
            delays,
            arrivals: BTreeMap::new(),
            frames: 0,
            moves: Vec::new(),
            answers: Vec::new(),
        };
        (0..GATEWAYS).for_each(|gateway| fabric.boot(gateway));
        fabric
    }

    pub(crate) fn boot(&mut self, gateway: usize) {
        if self.gateways[gateway].ledger.is_some() {
            return;
        }
        self.gateways[gateway].ledger = Some(Ledger::new(&plan()));
        self.give(gateway, Fact::AddressesChanged { addresses: vec![OWN] });
        for segment in 0..SEGMENTS {
            let low = u8::try_from(segment).expect("few segments");
            let link = Link {
                index: 10 + u32::from(segment),
                name: String::new(),
                kind: LinkKind::Ethernet,
                lladdr: LinkAddr::ethernet([2, 0xff, 0, 0, u8::try_from(gateway).expect("few"), low]),
                up: true,
                carrier: true,
                addresses: vec!["10.0.0.1/32".parse().expect("an address")],
                ineligible: None,
            };
            self.give(gateway, Fact::LinkChanged { segment: SegmentId(segment), link: Some(link) });
        }
        self.give(gateway, Fact::TableRead { routes: Vec::new() });
        self.connect(gateway);
    }

    pub(crate) fn crash(&mut self, gateway: usize) {
        if self.gateways[gateway].ledger.is_some() {
            self.disconnect(gateway);
            self.gateways[gateway] = Gateway::default();
        }
    }

    /// The sessions of a gateway begin: each side announces what it has.
    pub(crate) fn connect(&mut self, gateway: usize) {
        for other in self.peers(gateway) {
            for (from, to) in [(gateway, other), (other, gateway)] {
                for address in self.gateways[from].own.clone() {
                    self.update(to, from, address, true);
                }
            }
        }
    }

    /// The sessions of a gateway end: both sides forget what the other announced, each in its time.
    pub(crate) fn disconnect(&mut self, gateway: usize) {
        for other in self.peers(gateway) {
            for (from, to) in [(gateway, other), (other, gateway)] {
                for host in 0..HOSTS {
                    self.update(to, from, ip(10 + host), false);
                }
            }
        }
    }

    fn peers(&self, gateway: usize) -> Vec<usize> {
        (0..GATEWAYS).filter(|other| *other != gateway && self.gateways[*other].ledger.is_some()).collect()
    }

    fn update(&mut self, to: usize, from: usize, address: Ipv4Addr, is_announced: bool) {
        let delay = self.delays[usize::try_from(self.happened).expect("few") % self.delays.len()];
        let at = self.now + Duration::from_millis(delay.into());
        // A session keeps the order.
        let last = self.arrivals.entry((from, to)).or_insert(at);
        *last = at.max(*last);
        let at = *last;
        self.schedule(at, Happening::Update { to, from, address, is_announced });
    }

    fn schedule(&mut self, at: Time, happening: Happening) {
        self.happened += 1;
        self.queue.insert((at, self.happened), happening);
    }

    pub(crate) fn hears(&mut self, at: Place, arp: Arp) {
        self.schedule(self.now + Duration::from_millis(1), Happening::Heard { at, arp });
    }

    fn give(&mut self, gateway: usize, fact: Fact) {
        let mut orders = Vec::new();
        let Some(ledger) = &mut self.gateways[gateway].ledger else { return };
        ledger.step(self.now, fact, &mut orders);
        for order in orders {
            self.carry_out(gateway, &order);
        }
    }

    fn carry_out(&mut self, gateway: usize, order: &Order) {
        match *order {
            Order::Write(Write::PutRoute { address, .. }) if self.gateways[gateway].own.insert(address) => {
                self.export(gateway, address, true);
            }
            Order::Write(Write::DeleteRoute { address, .. })
                if self.gateways[gateway].own.remove(&address) =>
            {
                self.export(gateway, address, false);
            }
            Order::ReadTable => self.give(gateway, Fact::TableRead { routes: self.table(gateway) }),
            Order::Emit(Event::HostMoved { address, .. }) => self.moves.push((self.now, address)),
            Order::Transmit { segment, frame, purpose } => {
                self.frames += 1;
                let at = (gateway, segment.0);
                if purpose == Purpose::Answer {
                    self.answers.push((at, frame.arp.sender));
                }
                let asked = self.hosts.iter().find(|(host, place)| {
                    ip(**host) == frame.arp.target
                        && **place == at
                        && frame.to.is_none_or(|to| to == mac(**host))
                });
                if frame.arp.operation == Operation::Request
                    && !frame.arp.is_gratuitous()
                    && let Some((host, _)) = asked
                {
                    self.hears(at, says(*host, Operation::Reply, frame.arp.sender));
                }
            }
            _ => {}
        }
    }

    fn export(&mut self, from: usize, address: Ipv4Addr, is_announced: bool) {
        for to in self.peers(from) {
            self.update(to, from, address, is_announced);
        }
    }

    fn table(&self, gateway: usize) -> Vec<KernelRoute> {
        let received = self.gateways[gateway].received.iter();
        received.filter_map(|(address, from)| Some(fabric_route(*address, *from.first()?))).collect()
    }

    fn updated(&mut self, to: usize, from: usize, address: Ipv4Addr, is_announced: bool) {
        if self.gateways[to].ledger.is_none() {
            return;
        }
        let received = self.gateways[to].received.entry(address).or_default();
        let before = received.first().copied();
        if is_announced {
            received.insert(from)
        } else {
            received.remove(&from)
        };
        let now = received.first().copied();
        match (before, now) {
            (before, Some(best)) if before != now => {
                self.give(to, Fact::RouteAppeared(fabric_route(address, best)));
            }
            (Some(gone), None) => self.give(to, Fact::RouteVanished(fabric_route(address, gone))),
            _ => {}
        }
    }

    /// Lets time pass, in which things happen and timers fire.
    pub(crate) fn passes(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let due = |gateway: &Gateway| gateway.ledger.as_ref().and_then(Ledger::deadline);
            let timer = (0..GATEWAYS).filter_map(|it| Some((due(&self.gateways[it])?, it))).min();
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            match (timer, next) {
                (Some((at, gateway)), next) if at <= end && next.is_none_or(|next| at < next) => {
                    self.now = at.max(self.now);
                    self.give(gateway, Fact::TimePassed);
                }
                (_, Some(at)) if at <= end => {
                    self.now = at.max(self.now);
                    match self.queue.pop_first().expect("there is one").1 {
                        Happening::Heard { at: (gateway, segment), arp } => {
                            let heard = Heard { arp, from: arp.sender_lladdr, mark: None };
                            self.give(gateway, Fact::Heard { segment: SegmentId(segment), heard });
                        }
                        Happening::Update { to, from, address, is_announced } => {
                            self.updated(to, from, address, is_announced);
                        }
                    }
                }
                _ => break,
            }
        }
        self.now = end;
    }

    pub(crate) fn speak(&mut self, host: u8) {
        if let Some(place) = self.hosts.get(&host) {
            self.hears(*place, says(host, Operation::Request, ip(host)));
        }
    }

    /// What a gateway shows of an address: its state and its segment's name.
    pub(crate) fn shown(&self, gateway: usize, address: Ipv4Addr) -> Option<(String, String)> {
        let ledger = self.gateways[gateway].ledger.as_ref()?;
        let row = ledger.host_views(self.now).into_iter().find(|row| row.address == address)?;
        Some((row.state.to_string(), row.segment.to_string()))
    }

    pub(crate) fn is_up(&self, gateway: usize) -> bool {
        self.gateways[gateway].ledger.is_some()
    }
}
