//! The core alone, without sockets and kernel, at a million hosts: what a frame costs it, what a host takes, what a lost
//! link costs at once. The reference is the same core with a thousand hosts.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::fact::Link;
use arpherd_core::order::Purpose;
use arpherd_core::plan::{DomainPlan, FabricPlan, LinkKind, RoutePlan, SegmentPlan};
use arpherd_core::{
    Arp, DomainId, Fact, Heard, Ledger, LinkAddr, Operation, Order, Plan, Prefix, SegmentId, Time, Write,
};
use arpherd_lab::monotonic_ns;

use crate::error::{Result, Tried};
use crate::report::{Goal, Row, Unit};
use crate::setup::Bench;
use crate::stats::{Samples, Spread};
use crate::sys::{Memory, give_back_memory};

pub(super) const SEGMENTS: u16 = 4;
/// The gateway's own address.
pub(super) const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Whose routes stand for hosts behind other gateways: `RTPROT_BIRD` of linux/rtnetlink.h.
pub(super) const PROTOCOL: u8 = 12;
/// Of our routes: they are preferred to those.
pub(super) const METRIC: u32 = 10;
/// Hosts of the reference.
const FEW: u32 = 1_000;
/// Frames that are timed together.
const CHUNK: u32 = 100;
/// Nanoseconds a frame: half a million frames a second. The table does not fit the processor's cache, so the ratio to few
/// hosts says more of the machine than of the core.
pub(super) const FRAME: f64 = 2_000.0;
/// Nanoseconds of a question to a quiet host, which is asked so rarely that nothing of it is cached.
const QUESTION: f64 = 10_000.0;
/// Bytes of a host in the core.
pub(super) const ROOM: f64 = 256.0;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let many = bench.scale(1_000_000, 50_000);
    let few = Costs::of(FEW)?;
    let costs = Costs::of(many)?;
    let row = |what: &str, base: Option<&Samples>, arpherd: Spread, unit, goal| Row {
        scenario: "ledger",
        what: what.to_owned(),
        unit,
        base: base.map(Samples::spread),
        arpherd,
        goal,
    };
    let timed = |what: &str, few: &Samples, many: &Samples, goal| {
        row(what, Some(few), many.spread(), Unit::Time, Goal::Median(goal))
    };
    let once = |what: &str, value, unit, goal| row(what, None, Spread::once(value), unit, goal);
    Ok(vec![
        timed(&format!("new host, {FEW} / {many} known"), &few.learned, &costs.learned, FRAME),
        timed("  known host asks, is answered", &few.answered, &costs.answered, FRAME),
        timed("  quiet host is probed", &few.probed, &costs.probed, QUESTION),
        once("  a link is lost, a quarter of them on", costs.lost, Unit::Time, Goal::Told),
        once("  bytes a host", costs.bytes, Unit::Count, Goal::Below(ROOM)),
    ])
}

/// Nanoseconds for one of each, and bytes.
#[derive(Default)]
struct Costs {
    learned: Samples,
    answered: Samples,
    probed: Samples,
    lost: u64,
    bytes: u64,
}

impl Costs {
    fn of(hosts: u32) -> Result<Self> {
        let own = || Memory::of(std::process::id()).map(|memory| memory.own);
        let mut costs = Self::default();
        give_back_memory();
        let before = own()?;
        let mut core = Core::new();
        for first in (0..hosts).step_by(CHUNK as usize) {
            let frames = first..(first + CHUNK).min(hosts);
            let time = core.timed(frames, Core::speaks, is_new_route)?;
            costs.learned.push_share(time, CHUNK.into());
        }
        costs.bytes = own()?.saturating_sub(before) / u64::from(hosts);
        // All over the table, so that no cache helps.
        for round in 0..100 {
            let first = hosts / 100 * round;
            let time = core.timed(first..first + CHUNK.min(hosts / 100), Core::asks, is_answer)?;
            costs.answered.push_share(time, CHUNK.min(hosts / 100).into());
        }
        for _ in 0..100 {
            costs.probed.push(core.probes()?);
        }
        let begun = monotonic_ns();
        core.give(Fact::LinkChanged { segment: SegmentId(0), link: None });
        costs.lost = monotonic_ns().saturating_sub(begun);
        let withdrawn = core.orders.iter().filter(|order| is_route_withdrawn(order)).count();
        expect(withdrawn == (hosts / u32::from(SEGMENTS)) as usize, "routes of a lost link withdrawn")?;
        Ok(costs)
    }
}

/// A ledger that hears frames.
pub(super) struct Core {
    ledger: Ledger,
    now: Time,
    pub(super) orders: Vec<Order>,
}

impl Core {
    /// Four links in good order.
    pub(super) fn new() -> Self {
        let plan = plan();
        let mut core =
            Self { ledger: Ledger::new(&plan), now: Time::ZERO + Duration::from_secs(1), orders: Vec::new() };
        core.give(Fact::AddressesChanged { addresses: vec![OWN] });
        for segment in 0..SEGMENTS {
            core.give(Fact::LinkChanged { segment: SegmentId(segment), link: Some(link(segment)) });
        }
        core.give(Fact::TableRead { routes: Vec::new() });
        core
    }

    /// A fact a microsecond after the last one. Its orders replace those of the one before.
    pub(super) fn give(&mut self, fact: Fact) {
        self.now = self.now + Duration::from_micros(1);
        self.orders.clear();
        self.ledger.step(self.now, fact, &mut self.orders);
    }

    /// Nanoseconds for all of them, after each of which there is one such order.
    pub(super) fn timed(
        &mut self,
        hosts: std::ops::Range<u32>,
        frame: fn(u32) -> Fact,
        is_wanted: fn(&Order) -> bool,
    ) -> Result<u64> {
        let facts: Vec<Fact> = hosts.map(frame).collect();
        let (count, mut done) = (facts.len(), 0);
        let begun = monotonic_ns();
        for fact in facts {
            self.give(fact);
            done += self.orders.iter().filter(|order| is_wanted(order)).count();
        }
        let time = monotonic_ns().saturating_sub(begun);
        expect(done == count, "an order for each frame")?;
        Ok(time)
    }

    /// Nanoseconds for all of them, none of which is to have anything done.
    pub(super) fn timed_silent(&mut self, facts: impl Iterator<Item = Fact>) -> Result<u64> {
        let facts: Vec<Fact> = facts.collect();
        let mut ordered = 0;
        let begun = monotonic_ns();
        for fact in facts {
            self.give(fact);
            ordered += self.orders.len();
        }
        let time = monotonic_ns().saturating_sub(begun);
        expect(ordered == 0, "nothing done for hosts of others")?;
        Ok(time)
    }

    /// Lets time pass until a host is asked whether it still is there; nanoseconds of the step that asks.
    fn probes(&mut self) -> Result<u64> {
        for _ in 0..1_000_000 {
            let Some(deadline) = self.ledger.deadline() else { break };
            self.now = self.now.max(deadline);
            self.orders.clear();
            let begun = monotonic_ns();
            self.ledger.step(self.now, Fact::TimePassed, &mut self.orders);
            let time = monotonic_ns().saturating_sub(begun);
            let asked = self.orders.iter().filter(|order| is_probe(order)).count() as u64;
            if let Some(each) = time.checked_div(asked) {
                return Ok(each);
            }
        }
        expect(false, "a quiet host probed").map(|()| 0)
    }

    /// A host's first word: it asks for the gateway.
    pub(super) fn speaks(host: u32) -> Fact {
        heard(host, OWN)
    }

    /// It asks for one on the next segment.
    fn asks(host: u32) -> Fact {
        heard(host, address(host ^ 1))
    }
}

pub(super) fn expect(holds: bool, what: &str) -> Result<()> {
    let outcome = if holds { Ok(()) } else { Err(std::io::ErrorKind::NotFound.into()) };
    outcome.tried(|| format!("see {what}"))
}

pub(super) fn is_new_route(order: &Order) -> bool {
    matches!(order, Order::Write(Write::PutRoute { .. }))
}

fn is_route_withdrawn(order: &Order) -> bool {
    matches!(order, Order::Write(Write::DeleteRoute { .. }))
}

pub(super) fn is_answer(order: &Order) -> bool {
    matches!(order, Order::Transmit { purpose: Purpose::Answer, .. })
}

fn is_probe(order: &Order) -> bool {
    matches!(order, Order::Transmit { purpose: Purpose::Verify, .. })
}

/// The first is `10.0.1.0`, past the gateway's own.
pub(super) fn address(host: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 1, 0).to_bits() + host)
}

pub(super) fn heard(host: u32, target: Ipv4Addr) -> Fact {
    let [a, b, c, d] = host.to_be_bytes();
    let lladdr = LinkAddr::ethernet([0x02, 1, a, b, c, d]);
    let arp = Arp {
        operation: Operation::Request,
        sender_lladdr: lladdr,
        sender: address(host),
        target_lladdr: LinkAddr::UNKNOWN,
        target,
    };
    let segment = SegmentId(u16::from(d) % SEGMENTS);
    Fact::Heard { segment, heard: Heard { arp, from: lladdr, mark: None } }
}

fn plan() -> Plan {
    let prefixes: Vec<Prefix> = Prefix::new(Ipv4Addr::new(10, 0, 0, 0), 8).into_iter().collect();
    let domain = DomainPlan {
        name: "million".to_owned(),
        prefixes: prefixes.clone(),
        fabric: Some(FabricPlan { protocols: [PROTOCOL].into() }),
        ..DomainPlan::default()
    };
    let segment = |number: u16| {
        let mut plan = SegmentPlan::new(&format!("s{number}"), DomainId(0), &prefixes);
        plan.limits.hosts = 1 << 24;
        plan.limits.new_per_second = 10_000_000;
        plan
    };
    let segments = (0..SEGMENTS).map(segment).collect();
    Plan { domains: vec![domain], segments, routes: RoutePlan { metric: METRIC, ..RoutePlan::default() } }
}

pub(super) fn link(segment: u16) -> Link {
    let [high, low] = segment.to_be_bytes();
    Link {
        index: 10 + u32::from(segment),
        name: String::new(),
        kind: LinkKind::Ethernet,
        lladdr: LinkAddr::ethernet([0x02, 0xff, 0, 0, high, low]),
        up: true,
        carrier: true,
        addresses: Prefix::new(OWN, 8).into_iter().collect(),
        ineligible: None,
    }
}
