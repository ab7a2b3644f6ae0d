//! A provider's edge: many domains of two segments each. What each segment costs, and whether starting, stopping and
//! answering still take no time.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use arpherd_lab::{ArpFrame, Launch, Mac, Netns, Wire};

use crate::error::{BenchError, Result, Tried};
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, LIMIT};
use crate::stats::{Samples, Spread};
use crate::sys::{Memory, pause};

/// How long a start may take, and a link take to come up.
const PATIENCE: Duration = Duration::from_secs(120);
/// Requests for a known host.
const REQUESTS: u32 = 500;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for count in bench.scale(&[16, 256, 1_000, 4_000][..], &[16]) {
        rows.extend(measure(bench, *count)?);
    }
    Ok(rows)
}

/// The prefix of a domain, without its last number.
fn network(domain: u32) -> [u8; 3] {
    let [_, _, high, low] = domain.to_be_bytes();
    [10, high, low]
}

fn address(domain: u32, last: u8) -> Ipv4Addr {
    let [a, b, c] = network(domain);
    Ipv4Addr::new(a, b, c, last)
}

fn config(count: u32) -> String {
    let domain = |number: u32| {
        let (prefix, one, other) = (address(number, 0), number * 2, number * 2 + 1);
        format!(
            "  d{number}:\n    prefixes: [{prefix}/24]\n    segments:\n      s{one}: {{ sweep: off }}\n      \
             s{other}: {{ sweep: off }}\n"
        )
    };
    let domains: String = (0..count / 2).map(domain).collect();
    format!("domains:\n{domains}")
}

fn measure(bench: &Bench, count: u32) -> Result<Vec<Row>> {
    let (gateway, far) = (Netns::new("gateway")?, Netns::new("far")?);
    for segment in 0..count {
        let (own, other) = (format!("s{segment}"), format!("p{segment}"));
        gateway.veth(&own, &far, &other)?;
        far.up(&other)?;
        gateway.up(&own)?;
        let last = if segment % 2 == 0 { 1 } else { 2 };
        gateway.address_noprefix(&own, &format!("{}/24", address(segment / 2, last)))?;
    }
    gateway.wait_ready(&format!("s{}", count - 1))?;
    let launch = Launch::new(&gateway, &bench.binary).config("yaml", &config(count)).limit(PATIENCE);
    let begun = Instant::now();
    let mut daemon = launch.end_with_caller().start()?;
    let started = begun.elapsed();
    let answers = ask(&far)?;
    pause(Duration::from_millis(500)); // until what only the start needs is given back
    let memory = Memory::of(daemon.pid())?.own;
    let folder = format!("/proc/{}/fd", daemon.pid());
    let descriptors = fs::read_dir(&folder).tried(|| format!("read {folder}"))?.count() as u64;
    let begun = Instant::now();
    let status = daemon.terminate();
    let stopped = begun.elapsed();
    if !status.success() {
        return Err(BenchError::Ended { who: "arpherd", log: daemon.log() });
    }
    let row = |what: &str, unit, arpherd, goal| Row {
        scenario: "segments",
        what: format!("{count} segments: {what}"),
        unit,
        base: None,
        arpherd,
        goal,
    };
    let time = |time: Duration| Spread::once(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    Ok(vec![
        // 5 ms for each, however many there are.
        row("start", Unit::Time, time(started), Goal::AtMost(f64::from(count) * 5e6)),
        row("stop", Unit::Time, time(stopped), if count > 1_000 { Goal::Told } else { Goal::AtMost(1e9) }),
        row("private memory", Unit::Bytes, Spread::once(memory), Goal::Told),
        row("descriptors", Unit::Count, Spread::once(descriptors), Goal::Told),
        row("known host → reply", Unit::Time, answers.spread(), Goal::Told),
    ])
}

/// Lets a host of the first domain speak, and asks for it from its other segment.
fn ask(far: &Netns) -> Result<Samples> {
    let (asker, target) = (address(0, 10), address(0, 20));
    let (wire, other) = (Wire::open(far, "p0")?, Wire::open(far, "p1")?);
    other.send(&ArpFrame::gratuitous(Mac::of_crowd(target), target))?;
    let request = ArpFrame::request(Mac::of_crowd(asker), asker, target);
    let mut samples = Samples::default();
    for sample in 0..REQUESTS {
        let Some((_, time)) = wire.ask_one(&request, LIMIT) else {
            let what = format!("the answer for {target}");
            return Err(BenchError::Absent { who: "arpherd", what, limit_ms: LIMIT.as_millis() });
        };
        // The first may have waited for the search.
        if sample > 0 {
            samples.push(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        }
    }
    Ok(samples)
}
