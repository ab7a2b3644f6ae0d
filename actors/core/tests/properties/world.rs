//! A small network with a kernel, hosts and other people's hands in it.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::arp::{Arp, Frame, Heard, Operation};
use arpherd_core::fact::Link;
use arpherd_core::order::Purpose;
use arpherd_core::plan::{DomainPlan, Plan, RoutePlan};
use arpherd_core::{Fact, Ledger, LinkAddr, Order, SegmentId, Time};

use crate::acts::impostor;
use crate::caches::Caches;
use crate::facts::{METRIC, PROTOCOL, good_link, segment};
use crate::kernel::Kernel;
use crate::places::Places;
use crate::program::{Answered, Program, answers};
use crate::stations::{SEGMENTS, Station, source_of};

fn plan() -> Plan {
    let prefix = "10.0.0.0/24";
    Plan {
        domains: vec![DomainPlan {
            name: "lan".to_owned(),
            prefixes: vec![prefix.parse().expect("a well-formed prefix")],
            ..DomainPlan::default()
        }],
        segments: ["a", "b", "c"]
            .map(|name| {
                let mut plan = segment(name, 0, prefix);
                plan.kernel.fast = true;
                plan
            })
            .to_vec(),
        routes: RoutePlan { protocol: PROTOCOL, table: 254, metric: METRIC, fabric_table: None },
    }
}

pub(crate) fn segments() -> impl Iterator<Item = SegmentId> {
    (0..SEGMENTS).map(SegmentId)
}

/// The interface as it should be. The gateway's address is on the first.
pub(crate) fn fine(segment: SegmentId) -> Link {
    let own = segment.0 == 0;
    let addresses = own.then(|| "10.0.0.1/24".parse().expect("a well-formed prefix"));
    Link { addresses: addresses.into_iter().collect(), ..good_link(segment) }
}

/// Another interface in its place.
pub(crate) fn swapped(segment: SegmentId) -> Link {
    Link { index: 80 + u32::from(segment.0), ..fine(segment) }
}

pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) kernel: Kernel,
    pub(crate) places: Places,
    pub(crate) program: Program,
    /// Whether the ledger is being asked what the program would answer.
    pub(crate) is_comparing: bool,
    pub(crate) stations: BTreeMap<Ipv4Addr, Station>,
    /// Second links of hosts, with the same address.
    pub(crate) spares: BTreeMap<Ipv4Addr, Station>,
    pub(crate) caches: Caches,
    pub(crate) now: Time,
    /// How long the kernel's news take.
    lag: Duration,
    pub(crate) news: VecDeque<(Time, Fact)>,
    pub(crate) answers: Vec<(SegmentId, Ipv4Addr)>,
    /// Requests of ours for known hosts.
    pub(crate) probes: u64,
}

impl World {
    /// A gateway that is just started; an earlier run left these routes.
    pub(crate) fn new(lag: Duration, leftovers: &[(u8, SegmentId)]) -> Self {
        Self::with(&plan(), lag, leftovers)
    }

    /// The same where one station may have so many addresses.
    pub(crate) fn with_limit(hosts_per_lladdr: u32) -> Self {
        let mut plan = plan();
        for segment in &mut plan.segments {
            segment.limits.hosts_per_lladdr = hosts_per_lladdr;
        }
        Self::with(&plan, Duration::ZERO, &[])
    }

    fn with(plan: &Plan, lag: Duration, leftovers: &[(u8, SegmentId)]) -> Self {
        let mut world = Self {
            ledger: Ledger::new(plan),
            kernel: Kernel::new(segments().map(|segment| Some(fine(segment))).collect()),
            places: Places::new(plan),
            program: Program::default(),
            is_comparing: false,
            stations: BTreeMap::new(),
            spares: BTreeMap::new(),
            caches: Caches::default(),
            now: Time::ZERO + Duration::from_secs(1),
            lag,
            news: VecDeque::new(),
            answers: Vec::new(),
            probes: 0,
        };
        for (last, segment) in leftovers {
            world.kernel.add(impostor(*last, &fine(*segment)));
        }
        world.tell(Fact::AddressesChanged { addresses: world.kernel.own() });
        world.tell(Fact::TableRead { routes: world.kernel.table() });
        for segment in segments() {
            world.tell(Fact::LinkChanged { segment, link: Some(fine(segment)) });
        }
        world
    }

    /// A fact, and all that follows from it at once.
    pub(crate) fn tell(&mut self, fact: Fact) {
        self.tell_for_answers(fact);
        if !std::mem::replace(&mut self.is_comparing, true) {
            self.compare();
            self.is_comparing = false;
        }
    }

    /// The same. Returns the answers to the fact itself.
    pub(crate) fn tell_for_answers(&mut self, fact: Fact) -> Vec<(SegmentId, Frame)> {
        let mut first = None;
        let mut facts = VecDeque::from([fact]);
        while let Some(fact) = facts.pop_front() {
            match &fact {
                Fact::Heard { segment, heard } => {
                    self.places.note_sender(self.now, *segment, heard.arp.sender);
                }
                Fact::LinkChanged { segment, link } => self.places.note_link(*segment, link.as_ref()),
                Fact::AddressesChanged { addresses } => self.places.note_own(addresses),
                _ => {}
            }
            let mut orders = Vec::new();
            self.ledger.step(self.now, fact, &mut orders);
            first.get_or_insert_with(|| answers(&orders));
            let refused = facts.len();
            facts.extend(self.write_all(&orders));
            let is_refused = facts.len() > refused;
            self.places.follow(self.now, &orders);
            for order in &orders {
                if let Order::Transmit { segment, frame, purpose } = order {
                    if *purpose == Purpose::Answer && !is_refused {
                        self.check_answer(*segment, frame);
                    }
                    facts.extend(self.carry(*segment, frame, *purpose));
                }
            }
        }
        first.unwrap_or_default()
    }

    /// Carries an order out on the kernel's tables; its refusal comes back at once, as in the daemon.
    pub(crate) fn write(&mut self, order: &Order) -> Option<Fact> {
        match *order {
            Order::Write(write) => {
                let errno = self.kernel.write(&write).err()?;
                return Some(Fact::WriteRefused { write, errno, reason: String::new() });
            }
            Order::ReadTable => self.hear_of(Fact::TableRead { routes: self.kernel.table() }),
            _ => {}
        }
        None
    }

    /// Whoever is sent packets for a host must be able to pass them on.
    pub(crate) fn check_answer(&self, segment: SegmentId, frame: &Frame) {
        let is_defence = frame.arp.target.is_unspecified();
        if is_defence || self.lag > Duration::ZERO {
            return;
        }
        let route = self.kernel.lookup(frame.arp.sender);
        assert!(
            route.is_some_and(|route| self.kernel.segment_of(route) != Some(segment)),
            "answered for {} on {segment:?} with the route {route:?}",
            frame.arp.sender
        );
    }

    /// Carries a frame to the stations of a segment.
    fn carry(&mut self, segment: SegmentId, frame: &Frame, purpose: Purpose) -> Option<Fact> {
        if purpose == Purpose::Answer {
            self.answers.push((segment, frame.arp.sender));
        }
        self.probes += u64::from(purpose == Purpose::Verify);
        self.caches.received(segment, frame, purpose, &self.stations);
        let is_request = matches!(purpose, Purpose::Verify | Purpose::Search);
        let target = &frame.arp.target;
        let is_reached = |it: &&Station| it.segment == segment && frame.to.is_none_or(|to| to == it.lladdr);
        let mut links = self.stations.get(target).into_iter().chain(self.spares.get(target));
        let station = links.find(is_reached).filter(|_| is_request)?;
        let arp = Arp {
            operation: Operation::Reply,
            sender_lladdr: station.lladdr,
            sender: frame.arp.target,
            target_lladdr: frame.arp.sender_lladdr,
            target: frame.arp.sender,
        };
        Some(heard(segment, arp))
    }

    /// A station's word, if there is a link to carry it. Of what the program answers the daemon hears some, and says no
    /// more to it.
    pub(crate) fn says(&mut self, segment: SegmentId, arp: Arp) {
        let link = self.kernel.links[segment.index()].as_ref();
        let Some(interface) = link.map(|link| link.index).filter(|_| self.carries(segment)) else { return };
        let heard = as_heard(arp);
        if let Some(Answered { frame, passed_on }) = self.program.hears(self.now, interface, &heard) {
            self.places.note_sender(self.now, segment, arp.sender);
            self.check_answer(segment, &frame);
            self.carry(segment, &frame, Purpose::Answer);
            if let Some(heard) = passed_on {
                let answers = self.tell_for_answers(Fact::Heard { segment, heard });
                assert_eq!(answers, [], "to {heard:?}, which is answered already");
            }
        } else {
            self.tell(Fact::Heard { segment, heard });
        }
    }

    /// A station's frame that names none of its addresses.
    pub(crate) fn shows(&mut self, segment: SegmentId, lladdr: LinkAddr) {
        if self.carries(segment) {
            self.tell(Fact::StationHeard { segment, lladdr });
        }
    }

    pub(crate) fn carries(&self, segment: SegmentId) -> bool {
        self.kernel.links[segment.index()].as_ref().is_some_and(|link| link.up && link.carrier)
    }

    pub(crate) fn hear_of(&mut self, fact: Fact) {
        self.news.push_back((self.now + self.lag, fact));
    }

    pub(crate) fn set_link(&mut self, segment: SegmentId, link: Option<Link>) {
        self.kernel.set_link(segment, link.as_ref());
        self.hear_of_link(segment, link);
    }

    /// Another interface has the name of the segment's from now on, and the news that the segment had none in
    /// between was lost. The old interface lives on under another name.
    pub(crate) fn swap_link(&mut self, segment: SegmentId, link: Link) {
        self.kernel.swap_link(segment, link.clone());
        self.hear_of_link(segment, Some(link));
    }

    fn hear_of_link(&mut self, segment: SegmentId, link: Option<Link>) {
        self.hear_of(Fact::LinkChanged { segment, link });
        self.hear_of(Fact::AddressesChanged { addresses: self.kernel.own() });
    }

    pub(crate) fn with_link(&mut self, segment: SegmentId, change: impl FnOnce(&mut Link)) {
        if let Some(mut link) = self.kernel.links[segment.index()].clone() {
            change(&mut link);
            self.set_link(segment, Some(link));
        }
    }

    /// Time passes; the ledger hears of news and is woken when they and it are due.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let news = self.news.front().map(|(at, _)| *at);
            let next = news.into_iter().chain(self.ledger.deadline()).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            // What is due at the same time is done before the news, by the state of things before it.
            let is_due = self.ledger.deadline().is_some_and(|due| due <= at);
            let fact = if is_due { None } else { self.news.pop_front().map(|(_, fact)| fact) };
            self.tell(fact.unwrap_or(Fact::TimePassed));
        }
        self.now = end;
    }
}

fn heard(segment: SegmentId, arp: Arp) -> Fact {
    Fact::Heard { segment, heard: as_heard(arp) }
}

fn as_heard(arp: Arp) -> Heard {
    Heard { arp, from: source_of(arp.sender_lladdr), mark: None }
}
