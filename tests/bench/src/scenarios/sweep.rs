//! A /16 swept as fast as it goes, with 5,000 hosts in it that send only when asked; and a /20 that is nearly full of them.

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
const SETTINGS: Settings =
    Settings { sweep: "{ interval: 1h, rate: 1000000, in_flight: 65536 }", ..Settings::QUIET };

/// What is swept.
struct Case {
    what: &'static str,
    prefix: &'static str,
    length: u8,
    /// Puts the hosts there.
    hosts: fn(&Testbed) -> Result<HashSet<Ipv4Addr>>,
    goal: Goal,
}

const SPARSE: Case = Case {
    what: "/16, 5,000 live, swept: first probe to last route",
    prefix: "10.64.0.0/16",
    length: 16,
    hosts: sparse_hosts,
    goal: Goal::Ratio(1.5, None),
};
const FULL: Case = Case {
    what: "/20, 3,839 live, swept: first probe to last route",
    prefix: "10.64.0.0/20",
    length: 20,
    hosts: full_hosts,
    goal: Goal::Ratio(1.3, None),
};

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (case, rounds) in [(&FULL, bench.scale(25, 2)), (&SPARSE, bench.scale(9, 2))] {
        let mut measured = Measured::default();
        for round in 0..rounds {
            let mut order = [Who::Floor, Who::Arpherd];
            if round % 2 == 1 {
                order.reverse();
            }
            for who in order {
                measured.of(who).push(sweep(bench, who, case)?);
            }
        }
        rows.push(Row {
            scenario: "sweep",
            what: case.what.to_owned(),
            unit: Unit::Time,
            base: Some(measured.floor.spread()),
            arpherd: measured.arpherd.spread(),
            goal: case.goal,
        });
    }
    Ok(rows)
}

/// The time from the first request on the link to the last route, in nanoseconds.
fn sweep(bench: &Bench, who: Who, case: &Case) -> Result<u64> {
    let testbed = Testbed::new()?;
    let mut listener = RouteListener::open(&testbed.gateway)?;
    let mut missing = (case.hosts)(&testbed)?;
    let wire = Wire::open(&testbed.vms, PORT)?;
    let (first, last) = thread::scope(|scope| {
        // Closed after the first request, so that the others cost nothing here.
        let first = scope.spawn(move || wire.recv(LIMIT).map(|(_, at)| at));
        let last = scope.spawn(|| listener.wait_for_routes(LIMIT, &mut missing));
        let contender = begin(bench, who, case, &testbed);
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

fn begin(bench: &Bench, who: Who, case: &Case, testbed: &Testbed) -> Result<Contender> {
    let mut contender = match who {
        Who::Floor => Contender::floor(testbed, &Job::Sweep { network: NETWORK, length: case.length })?,
        Who::Arpherd => {
            Contender::arpherd(testbed, &bench.binary, &Settings { prefix: case.prefix, ..SETTINGS }.yaml())?
        }
    };
    contender.go()?;
    Ok(contender)
}

/// 5,000 addresses all over the /16, for which the kernel behind `vms` answers.
fn sparse_hosts(testbed: &Testbed) -> Result<HashSet<Ipv4Addr>> {
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

/// All but the first /24 of the /20, where this machine's and the requester's addresses are, and the broadcast address.
fn full_hosts(testbed: &Testbed) -> Result<HashSet<Ipv4Addr>> {
    let first = u32::from(NETWORK);
    for group in 1..16 {
        testbed.answers_for(&format!("{}/24", Ipv4Addr::from(first + group * 256)))?;
    }
    Ok((first + 256..first + 4095).map(Ipv4Addr::from).collect())
}
