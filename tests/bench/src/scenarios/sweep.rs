//! A /16 swept as fast as it goes, with 5,000 hosts in it that speak only when asked.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::thread;

use arpherd_lab::Crowd;

use crate::contender::{Contender, Settings, Who};
use crate::error::{BenchError, Result};
use crate::field::{Field, PORT, SOURCES};
use crate::floor::Job;
use crate::report::{Goal, Row, Unit};
use crate::stage::{Bench, LIMIT, Outcome};
use crate::sys::Ear;

const NETWORK: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 0);
const HOSTS: u32 = 5_000;
const SETTINGS: Settings = Settings {
    prefix: "10.64.0.0/16",
    sweep: "{ interval: 1h, rate: 1000000, in_flight: 65536 }",
    ..Settings::QUIET
};

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut outcome = Outcome::default();
    for round in 0..bench.scale(9, 2) {
        let mut order = [Who::Floor, Who::Arpherd];
        if round % 2 == 1 {
            order.reverse();
        }
        for who in order {
            outcome.of(who).push(sweep(bench, who)?);
        }
    }
    Ok(vec![Row {
        scenario: "sweep",
        what: "/16 swept: first probe to last route".to_owned(),
        unit: Unit::Time,
        base: Some(outcome.floor.spread()),
        arpherd: outcome.arpherd.spread(),
        goal: Goal::Ratio(1.5, None),
    }])
}

/// The time from the first question on the link to the last route, in nanoseconds.
fn sweep(bench: &Bench, who: Who) -> Result<u64> {
    let field = Field::new()?;
    let mut ear = Ear::open(&field.gateway)?;
    // Spread over all of the prefix.
    let hosts = (1..=HOSTS).map(|n| Ipv4Addr::from(u32::from(NETWORK) + 13 * n));
    let mut missing: HashSet<_> = hosts.clone().collect();
    let crowd = Crowd::start(&field.vms, PORT, hosts.collect())?;
    let last = thread::scope(|scope| {
        let heard = scope.spawn(|| {
            let mut last = 0;
            ear.wait(LIMIT, |change| {
                if change.is_new && missing.remove(&change.address) {
                    last = change.at;
                }
                missing.is_empty()
            })
            .map(|_| last)
        });
        let contender = begin(bench, who, &field);
        let heard = heard.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        contender?.still_there()?;
        heard
    })?;
    if !missing.is_empty() {
        let what =
            format!("{} of {HOSTS} routes; its link lost {} questions", missing.len(), crowd.dropped());
        return Err(BenchError::Absent { who: who.as_str(), what, limit_ms: LIMIT.as_millis() });
    }
    let first = crowd.requests_seen().first().map_or(last, |seen| seen.ts_ns);
    Ok(last.saturating_sub(first))
}

fn begin(bench: &Bench, who: Who, field: &Field) -> Result<Contender> {
    let mut contender = match who {
        Who::Floor => Contender::floor(field, &Job::Sweep { source: SOURCES[1], network: NETWORK })?,
        Who::Arpherd => Contender::arpherd(field, &bench.binary, &SETTINGS.yaml())?,
    };
    contender.go()?;
    Ok(contender)
}
