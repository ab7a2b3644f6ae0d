//! A /16 swept as fast as it goes, with 5,000 hosts in it that send only when asked.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::thread;

use arpherd_lab::Wire;

use crate::contender::{Contender, Settings, Who};
use crate::error::{BenchError, Result};
use crate::floor::Job;
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, LIMIT, Measured};
use crate::sys::RouteListener;
use crate::testbed::{PORT, Testbed};

const NETWORK: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 0);
/// Groups of hosts, spread over the /16, and the hosts of each.
const GROUPS: u8 = 250;
const HOSTS: u8 = 20;
const SETTINGS: Settings = Settings {
    prefix: "10.64.0.0/16",
    sweep: "{ interval: 1h, rate: 1000000, in_flight: 65536 }",
    ..Settings::QUIET
};

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut measured = Measured::default();
    for round in 0..bench.scale(9, 2) {
        let mut order = [Who::Floor, Who::Arpherd];
        if round % 2 == 1 {
            order.reverse();
        }
        for who in order {
            measured.of(who).push(sweep(bench, who)?);
        }
    }
    Ok(vec![Row {
        scenario: "sweep",
        what: "/16 swept: first probe to last route".to_owned(),
        unit: Unit::Time,
        base: Some(measured.floor.spread()),
        arpherd: measured.arpherd.spread(),
        goal: Goal::Ratio(1.5, None),
    }])
}

/// The time from the first request on the link to the last route, in nanoseconds.
fn sweep(bench: &Bench, who: Who) -> Result<u64> {
    let testbed = Testbed::new()?;
    let mut listener = RouteListener::open(&testbed.gateway)?;
    let mut missing = hosts(&testbed)?;
    let wire = Wire::open(&testbed.vms, PORT)?;
    let (first, last) = thread::scope(|scope| {
        // Closed after the first request, so that the other 65,533 cost nothing here.
        let first = scope.spawn(move || wire.recv(LIMIT).map(|(_, at)| at));
        let last = scope.spawn(|| listener.wait_for_routes(LIMIT, &mut missing));
        let contender = begin(bench, who, &testbed);
        let first = first.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let last = last.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        contender?.still_there()?;
        Ok::<_, BenchError>((first, last?))
    })?;
    let absent = |what| BenchError::Absent { who: who.as_str(), what, limit_ms: LIMIT.as_millis() };
    let first = first.ok_or_else(|| absent("the first request".to_owned()))?;
    if !missing.is_empty() {
        return Err(absent(format!("the last {} routes", missing.len())));
    }
    Ok(last.unwrap_or(0).saturating_sub(first))
}

fn begin(bench: &Bench, who: Who, testbed: &Testbed) -> Result<Contender> {
    let mut contender = match who {
        Who::Floor => Contender::floor(testbed, &Job::Sweep { network: NETWORK, length: 16 })?,
        Who::Arpherd => Contender::arpherd(testbed, &bench.binary, &SETTINGS.yaml())?,
    };
    contender.go()?;
    Ok(contender)
}

/// 5,000 addresses all over the /16, for which the kernel behind `vms` answers.
fn hosts(testbed: &Testbed) -> Result<HashSet<Ipv4Addr>> {
    let [a, b, ..] = NETWORK.octets();
    let mut hosts = HashSet::new();
    for group in 0..GROUPS {
        // 16 and 4 addresses; the group's place in its /24 differs from one to the next.
        let place = 32 + (group % 5) * 32;
        for (prefix, from, count) in [(28, place, 16), (30, place + 16, HOSTS - 16)] {
            testbed.answers_for(&format!("{a}.{b}.{group}.{from}/{prefix}"))?;
            hosts.extend((from..from + count).map(|last| Ipv4Addr::new(a, b, group, last)));
        }
    }
    Ok(hosts)
}
