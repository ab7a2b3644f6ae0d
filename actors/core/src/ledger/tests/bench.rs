//! A ledger on a bench: facts go in at virtual times, orders come out with theirs.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnetwork::Ipv4Network;

use super::log::Log;
use crate::arp::{Arp, Heard, Mark, Operation};
use crate::fact::{Fact, KernelRoute, Link};
use crate::plan::{DomainId, DomainPlan, LinkKind, Plan, RoutePlan, SegmentId, SegmentPlan};
use crate::{Ledger, LinkAddr, Time};

pub(super) const A: SegmentId = SegmentId(0);
pub(super) const B: SegmentId = SegmentId(1);
pub(super) const C: SegmentId = SegmentId(2);

pub(super) const PROTOCOL: u8 = 169;
pub(super) const METRIC: u32 = 50;
/// `RTPROT_STATIC`, standing for everybody else's routes.
pub(super) const FOREIGN: u8 = 4;

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An address of the bench's subnet; `.1` is the gateway's own.
pub(super) const fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

/// The link-layer address of a host.
pub(super) const fn mac(last: u8) -> LinkAddr {
    LinkAddr::ethernet([0x02, 0, 0, 0, 0, last])
}

/// The gateway's own link-layer address on a segment.
pub(super) fn own_mac(segment: SegmentId) -> LinkAddr {
    let [_, low] = segment.0.to_be_bytes();
    LinkAddr::ethernet([0x02, 0xff, 0, 0, 0, low])
}

pub(super) fn net(text: &str) -> Ipv4Network {
    text.parse().expect("the test's prefix is well-formed")
}

/// A host as it shows in ARP.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host {
    pub(super) address: Ipv4Addr,
    pub(super) lladdr: LinkAddr,
}

/// The host `10.0.0.last` with a link-layer address of the same number.
pub(super) fn host(last: u8) -> Host {
    Host { address: ip(last), lladdr: mac(last) }
}

impl Host {
    /// The same link-layer address with another address.
    pub(super) fn at(self, address: Ipv4Addr) -> Self {
        Self { address, ..self }
    }

    /// The same address at another link-layer address.
    pub(super) fn with_mac(self, last: u8) -> Self {
        Self { lladdr: mac(last), ..self }
    }

    fn says(self, operation: Operation, sender: Ipv4Addr, target: Ipv4Addr) -> Arp {
        let target_lladdr = LinkAddr::UNKNOWN;
        Arp { operation, sender_lladdr: self.lladdr, sender, target_lladdr, target }
    }

    pub(super) fn asks(self, target: Ipv4Addr) -> Arp {
        self.says(Operation::Request, self.address, target)
    }

    /// An ordinary word of life: it asks for the gateway, whom the kernel answers for.
    pub(super) fn speaks(self) -> Arp {
        self.asks(ip(1))
    }

    /// A reply to the gateway.
    pub(super) fn replies(self) -> Arp {
        self.says(Operation::Reply, self.address, ip(1))
    }

    pub(super) fn announces(self) -> Arp {
        self.says(Operation::Request, self.address, self.address)
    }

    pub(super) fn announces_in_a_reply(self) -> Arp {
        self.says(Operation::Reply, self.address, self.address)
    }

    /// Makes sure that nobody has the address, before it takes it.
    pub(super) fn probes(self) -> Arp {
        self.says(Operation::Request, Ipv4Addr::UNSPECIFIED, self.address)
    }
}

/// A domain `10.0.0.0/24` over so many Ethernet segments, with every key at its default.
pub(super) fn plan(segments: u8) -> Plan {
    let prefixes = vec![net("10.0.0.0/24")];
    Plan {
        domains: vec![DomainPlan {
            name: "lan".to_owned(),
            prefixes: prefixes.clone(),
            ..DomainPlan::default()
        }],
        segments: (b'a'..b'a' + segments).map(|name| segment(char::from(name), &prefixes)).collect(),
        routes: RoutePlan { protocol: PROTOCOL, table: 254, metric: METRIC, fabric_table: None },
    }
}

pub(super) fn segment(name: char, prefixes: &[Ipv4Network]) -> SegmentPlan {
    SegmentPlan::new(&name.to_string(), DomainId(0), prefixes)
}

/// A segment's interface in good order. Only the first one has an address: the gateway's, shared by all.
pub(super) fn link(segment: SegmentId) -> Link {
    Link {
        index: interface(segment),
        name: String::new(),
        kind: LinkKind::Ethernet,
        lladdr: own_mac(segment),
        up: true,
        carrier: true,
        addresses: if segment == A { vec![net("10.0.0.1/24")] } else { Vec::new() },
        ineligible: None,
    }
}

pub(super) fn interface(segment: SegmentId) -> u32 {
    10 + u32::from(segment.0)
}

/// The segment of one of the bench's interfaces.
pub(super) fn segment_at(interface: u32) -> SegmentId {
    SegmentId(u16::try_from(interface - 10).expect("an interface of the bench"))
}

/// A route of ours to `10.0.0.last` through the segment.
pub(super) fn our_route(segment: SegmentId, last: u8) -> KernelRoute {
    KernelRoute {
        address: ip(last),
        protocol: PROTOCOL,
        metric: METRIC,
        interface: interface(segment),
        segment: Some(segment),
        source: Some(ip(1)),
        lladdr: mac(last),
        next_hop: None,
        in_fabric_table: false,
    }
}

/// Somebody else's route to `10.0.0.last`, by an interface that is no segment's.
pub(super) fn foreign_route(last: u8) -> KernelRoute {
    KernelRoute {
        protocol: FOREIGN,
        metric: 0,
        interface: 99,
        segment: None,
        source: None,
        ..our_route(A, last)
    }
}

pub(super) struct Bench {
    pub(super) ledger: Ledger,
    pub(super) now: Time,
    /// How often the ledger was woken.
    pub(super) wakeups: u32,
}

impl Bench {
    /// Three segments in good order, nobody known.
    pub(super) fn new() -> Self {
        Self::with(plan(3))
    }

    /// The plan's segments in good order, nobody known.
    pub(super) fn with(plan: Plan) -> Self {
        let segments = 0..u16::try_from(plan.segments.len()).expect("few segments");
        let mut bench = Self::cold(plan);
        bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
        for segment in segments.map(SegmentId) {
            bench.up(segment);
        }
        bench.give(Fact::TableRead { routes: Vec::new() });
        bench
    }

    /// A ledger that was told nothing yet.
    #[expect(clippy::needless_pass_by_value, reason = "a test makes its plan for one bench")]
    pub(super) fn cold(plan: Plan) -> Self {
        Self { ledger: Ledger::new(&plan), now: Time::ZERO + 1000 * SECOND, wakeups: 0 }
    }

    /// A fact, and what comes of it before any time passes.
    pub(super) fn give(&mut self, fact: Fact) -> Log {
        let mut log = Log::default();
        log.extend(self.now, |orders| self.ledger.step(self.now, fact, orders));
        self.ring(self.now, &mut log);
        log
    }

    pub(super) fn hears(&mut self, segment: SegmentId, arp: Arp) -> Log {
        self.give(Fact::Heard { segment, heard: Heard { arp, from: arp.sender_lladdr, mark: None } })
    }

    /// A RARP packet of a host's: its link-layer address, and nothing else of it.
    pub(super) fn traces(&mut self, segment: SegmentId, host: Host) -> Log {
        self.give(Fact::StationHeard { segment, lladdr: host.lladdr })
    }

    /// A frame that bears an arpherd's mark.
    pub(super) fn hears_marked(&mut self, segment: SegmentId, arp: Arp, mark: Mark) -> Log {
        let heard = Heard { arp, from: arp.sender_lladdr, mark: Some(mark) };
        self.give(Fact::Heard { segment, heard })
    }

    /// A host speaks on the segment, and is known from then on.
    pub(super) fn knows(&mut self, segment: SegmentId, host: Host) {
        self.hears(segment, host.speaks());
    }

    pub(super) fn up(&mut self, segment: SegmentId) -> Log {
        self.links(segment, Some(link(segment)))
    }

    pub(super) fn links(&mut self, segment: SegmentId, link: Option<Link>) -> Log {
        self.give(Fact::LinkChanged { segment, link })
    }

    /// Time passes, and the ledger is woken exactly when it asked for it.
    pub(super) fn passes(&mut self, span: Duration) -> Log {
        let mut log = Log::default();
        let end = self.now + span;
        self.ring(end, &mut log);
        self.now = end;
        log
    }

    /// Wakes the ledger at each deadline up to and including `end`.
    fn ring(&mut self, end: Time, log: &mut Log) {
        while let Some(at) = self.ledger.deadline().filter(|at| *at <= end) {
            assert!(at >= self.now, "a deadline in the past: {at:?}, and it is {:?}", self.now);
            self.now = at;
            self.wakeups += 1;
            log.extend(at, |orders| self.ledger.step(at, Fact::TimePassed, orders));
        }
    }
}

/// A move within the bench, as it is reported.
pub(super) fn moved_event(
    last: u8,
    (old_segment, old_lladdr): (SegmentId, LinkAddr),
    (segment, lladdr): (SegmentId, LinkAddr),
) -> crate::Event {
    let (segment, old_segment) = (Some(segment), Some(old_segment));
    crate::Event::HostMoved { address: ip(last), old_lladdr, lladdr, old_segment, segment, next_hop: None }
}
