//! From the start of the process to the first request of a sweep, and to the last of a /24.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::thread;

use arpherd_lab::{Wire, monotonic_ns};

use crate::contender::{Contender, Settings, Who};
use crate::error::{BenchError, Result};
use crate::floor::Job;
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, LIMIT, Measured};
use crate::stats::{Samples, Spread};
use crate::testbed::{PORT, Testbed};

const NETWORK: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 0);
/// Addresses of the /24 that nobody of the testbed has: the gateway's are two.
const TARGETS: usize = 252;
const SETTINGS: Settings = Settings {
    prefix: "10.64.0.0/24",
    sweep: "{ interval: 1h, rate: 1000000, in_flight: 65536 }",
    // As it is where nobody says otherwise: a program is loaded at the end of the start.
    fast_answers: "auto",
    ..Settings::QUIET
};
/// What it may take of its own until the first request, in nanoseconds.
const OWN: f64 = 5e6;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let (mut first, mut last, mut own) = (Measured::default(), Measured::default(), Samples::default());
    for round in 0..bench.scale(20, 3) {
        let mut order = [Who::Floor, Who::Arpherd];
        if round % 2 == 1 {
            order.reverse();
        }
        let mut times = [0, 0];
        for who in order {
            let (to_first, to_last) = start(bench, who)?;
            first.of(who).push(to_first);
            last.of(who).push(to_last);
            times[usize::from(who == Who::Arpherd)] = to_first;
        }
        own.push(times[1].saturating_sub(times[0]));
    }
    let row = |what: &str, base: Option<Spread>, arpherd, goal| Row {
        scenario: "start",
        what: what.to_owned(),
        unit: Unit::Time,
        base,
        arpherd,
        goal,
    };
    Ok(vec![
        row(
            "process → first request of a sweep",
            Some(first.floor.spread()),
            first.arpherd.spread(),
            Goal::Told,
        ),
        row("  beyond the floor's", None, own.spread(), Goal::Median(OWN)),
        row("process → all of a /24 asked for", Some(last.floor.spread()), last.arpherd.spread(), Goal::Told),
    ])
}

/// The times from the start of the process to its first request and to its last, in nanoseconds.
fn start(bench: &Bench, who: Who) -> Result<(u64, u64)> {
    let testbed = Testbed::new()?;
    let wire = Wire::open(&testbed.vms, PORT)?;
    thread::scope(|scope| {
        let heard = scope.spawn(move || requests(&wire));
        let begun = monotonic_ns();
        let mut contender = match who {
            Who::Floor => Contender::floor(&testbed, &Job::Sweep { network: NETWORK, length: 24 })?,
            Who::Arpherd => Contender::arpherd(&testbed, &bench.binary, &SETTINGS.yaml())?,
        };
        contender.go()?;
        let heard = heard.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        contender.still_there()?;
        let Some((first, last)) = heard else {
            let what = "the requests of a sweep".to_owned();
            return Err(BenchError::Absent { who: who.as_str(), what, limit_ms: LIMIT.as_millis() });
        };
        Ok((first.saturating_sub(begun), last.saturating_sub(begun)))
    })
}

/// When the first request came, and the one after which every address had been asked for.
fn requests(wire: &Wire) -> Option<(u64, u64)> {
    let (mut first, mut targets) = (None, HashSet::new());
    loop {
        let (frame, at) = wire.recv(LIMIT)?;
        if frame.is_reply() || frame.spa == frame.tpa {
            continue;
        }
        let first = *first.get_or_insert(at);
        targets.insert(frame.tpa);
        if targets.len() == TARGETS {
            return Some((first, at));
        }
    }
}
