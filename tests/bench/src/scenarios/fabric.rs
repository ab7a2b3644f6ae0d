//! The core alone at one gateway of a large fabric: a thousand hosts of its own, and a million behind other gateways, known
//! by the routes of a routing daemon.

use std::net::Ipv4Addr;

use arpherd_core::fact::KernelRoute;
use arpherd_core::plan::RoutePlan;
use arpherd_core::{Fact, LinkAddr, Order, SegmentId};
use arpherd_lab::monotonic_ns;

use super::ledger::{
    Core, FRAME, METRIC, OWN, PROTOCOL, ROOM, SEGMENTS, address, expect, heard, is_answer, is_new_route, link,
};
use crate::error::Result;
use crate::report::{Goal, Row, Unit};
use crate::setup::Bench;
use crate::stats::{Samples, Spread};
use crate::sys::{Memory, give_back_memory};

/// Hosts of its own.
const OWN_HOSTS: u32 = 1_000;
/// Hosts of a rack, which fails at once.
const RACK: u32 = 1_000;
/// Routes that are timed together.
const CHUNK: u32 = 100;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let remote = OWN_HOSTS..OWN_HOSTS + bench.scale(1_000_000, 50_000);
    let own = || Memory::of(std::process::id()).map(|memory| memory.own);
    give_back_memory();
    let before = own()?;
    let mut core = Core::new();
    core.timed(0..OWN_HOSTS, Core::speaks, is_new_route)?;
    let mut appeared = Samples::default();
    for first in remote.clone().step_by(CHUNK as usize) {
        let time = core.timed_silent((first..first + CHUNK).map(|host| Fact::RouteAppeared(route(host))))?;
        appeared.push_share(time, CHUNK.into());
    }
    let bytes = own()?.saturating_sub(before) / u64::from(remote.end);
    let mut answered = Samples::default();
    for round in 0..100 {
        let first = OWN_HOSTS + (remote.end - OWN_HOSTS) / 100 * round;
        let ask = |asked: u32| heard(asked % OWN_HOSTS, address(asked));
        answered.push_share(core.timed(first..first + CHUNK, ask, is_answer)?, CHUNK.into());
    }
    let rack = remote.start..remote.start + RACK;
    let vanished = core.timed_silent(rack.map(|host| Fact::RouteVanished(route(host))))?;
    let routes: Vec<KernelRoute> = (0..OWN_HOSTS).map(own_route).chain(remote.clone().map(route)).collect();
    let begun = monotonic_ns();
    core.give(Fact::TableRead { routes });
    let read = monotonic_ns().saturating_sub(begun);
    // The covering routes, which it does not list, are written again.
    let is_of_host = |order: &Order| is_new_route(order) || matches!(order, Order::Transmit { .. });
    expect(!core.orders.iter().any(is_of_host), "nothing done for hosts that were known")?;
    let row =
        |what: String, arpherd, unit, goal| Row { scenario: "fabric", what, unit, base: None, arpherd, goal };
    let count = remote.end - remote.start;
    Ok(vec![
        row(format!("a route of {count} appears"), appeared.spread(), Unit::Time, Goal::Median(FRAME)),
        row("  request for one, answered".to_owned(), answered.spread(), Unit::Time, Goal::Median(FRAME)),
        row(format!("  a rack of {RACK} fails"), Spread::once(vanished), Unit::Time, Goal::Told),
        row("  all of them read anew".to_owned(), Spread::once(read), Unit::Time, Goal::Told),
        row("  bytes a route".to_owned(), Spread::once(bytes), Unit::Count, Goal::Below(ROOM)),
    ])
}

/// A route to a host behind another gateway, by an interface that is no segment's.
fn route(host: u32) -> KernelRoute {
    KernelRoute {
        address: address(host),
        protocol: PROTOCOL,
        metric: 32,
        interface: 99,
        segment: None::<SegmentId>,
        source: None,
        lladdr: LinkAddr::UNKNOWN,
        next_hop: Some(Ipv4Addr::new(192, 0, 2, 1)),
        in_fabric_table: false,
    }
}

/// The route to a host of its own, as it was written.
fn own_route(host: u32) -> KernelRoute {
    let [.., segment] = host.to_be_bytes();
    let segment = u16::from(segment) % SEGMENTS;
    KernelRoute {
        protocol: RoutePlan::default().protocol,
        metric: METRIC,
        interface: link(segment).index,
        segment: Some(SegmentId(segment)),
        source: Some(OWN),
        next_hop: None,
        ..route(host)
    }
}
