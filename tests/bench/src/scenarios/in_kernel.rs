//! Answers inside the kernel, beside those of the kernel's own proxy ARP, which are its base here instead of the floor.

use std::fs;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::{ArpFrame, Mac, NeighbourTimers, Wire, can_answer_in_kernel, monotonic_ns};

use crate::contender::{Contender, Settings};
use crate::error::{BenchError, Result, Tried};
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, LIMIT, Setup};
use crate::stats::{Samples, Spread};
use crate::sys::{ArpSocket, pause, sleep_until};
use crate::testbed::{LINKS, PORT, REQUESTER, Testbed, announcement, chatter, host};
use crate::timing::Timing;

const FAST: Settings = Settings { fast_answers: "on", ..Settings::QUIET };
/// Hosts that are known in most rows.
const HOSTS: u32 = 250;
const MANY: u32 = 65_536;
/// Samples in a turn, and of those the first that do not count.
const TURN: u32 = 250;
const WARM: u32 = 10;
/// Frames of the flood that come together, and nanoseconds from one such group to the next: 300,000 a second.
const GROUP: usize = 30;
const GAP: u64 = 100_000;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    if let Err(reason) = can_answer_in_kernel() {
        println!("in_kernel: not measured, for no program can be loaded here: {reason}");
        return Ok(Vec::new());
    }
    let kernel = Proxy::new()?;
    let mut few = Answerer::new(bench, HOSTS)?;
    let mut rows = latency(bench, &kernel, &mut few, HOSTS)?;
    rows.push(beside_a_flood(bench, &mut few)?);
    rows.extend(storm(bench, &mut few)?);
    drop(few);
    let mut many = Answerer::new(bench, MANY)?;
    rows.extend(latency(bench, &kernel, &mut many, MANY)?);
    rows.push(row("  map memory at 65536 hosts", Unit::Bytes, Spread::once(many.map_memory()?), Goal::Told));
    drop(many);
    rows.push(upkeep(bench)?);
    Ok(rows)
}

fn row(what: impl Into<String>, unit: Unit, arpherd: Spread, goal: Goal) -> Row {
    Row { scenario: "in_kernel", what: what.into(), unit, base: None, arpherd, goal }
}

/// Where the kernel itself answers, without its delay.
struct Proxy {
    wire: Wire,
    // After the wire.
    _testbed: Testbed,
}

impl Proxy {
    fn new() -> Result<Self> {
        let testbed = Testbed::new()?;
        let [lan, vms] = LINKS;
        for (path, value) in [("ipv4/ip_forward", "1"), ("ipv4/conf/lan/proxy_arp", "1")] {
            testbed.gateway.set_sysctl(path, value)?;
        }
        let timers = NeighbourTimers { proxy_delay: Some(Duration::ZERO), ..NeighbourTimers::default() };
        testbed.gateway.neighbour_timers(lan, timers)?;
        testbed.gateway.route("10.64.0.0/24", None, Some(lan))?;
        testbed.gateway.route("10.65.0.0/16", None, Some(vms))?;
        testbed.gateway.route("10.66.0.0/16", None, Some(vms))?;
        Ok(Self { wire: testbed.requester()?, _testbed: testbed })
    }
}

/// A daemon whose program answers, and the one that asks.
struct Answerer {
    setup: Setup,
    wire: Wire,
    hosts: u32,
}

impl Answerer {
    fn new(bench: &Bench, hosts: u32) -> Result<Self> {
        let mut setup = Setup::arpherd(bench, &FAST)?;
        let wire = setup.testbed.requester()?;
        wire.send(&ArpFrame::gratuitous(Mac::of_crowd(REQUESTER), REQUESTER))?;
        setup.populate(hosts)?;
        let answerer = Self { setup, wire, hosts };
        let begun = Instant::now();
        while answerer.answered()? == 0 {
            if begun.elapsed() > LIMIT {
                return Err(answerer.setup.absent("an answer from inside the kernel".to_owned()));
            }
            ask(&answerer.wire, host(0));
            pause(Duration::from_millis(20));
        }
        Ok(answerer)
    }

    /// How many requests were answered inside the kernel.
    fn answered(&self) -> Result<u64> {
        let Contender::Arpherd(daemon) = &self.setup.contender else { return Ok(0) };
        let rows = daemon.try_cli(&["segments"])?;
        let rows = rows.as_array().into_iter().flatten();
        Ok(rows.filter_map(|row| row["answered_in_kernel"].as_u64()).sum())
    }

    /// What the maps take of the kernel's memory, as it tells it.
    fn map_memory(&self) -> Result<u64> {
        let folder = format!("/proc/{}/fdinfo", self.setup.contender.pid());
        let mut sum = 0;
        for entry in fs::read_dir(&folder).tried(|| format!("list {folder}"))? {
            let entry = entry.tried(|| format!("list {folder}"))?;
            // One that was closed meanwhile is no map.
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            let value = |name: &str| {
                text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
            };
            if value("map_type:").is_some() {
                sum += value("memlock:").unwrap_or(0);
            }
        }
        Ok(sum)
    }
}

/// Asks once; gives the time until the kernel had the answer on the requester's link, in nanoseconds.
fn ask(wire: &Wire, target: Ipv4Addr) -> Option<u64> {
    let request = ArpFrame::request(Mac::of_crowd(REQUESTER), REQUESTER, target);
    wire.ask_one(&request, LIMIT).map(|(_, time)| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

/// Both in turn.
fn latency(bench: &Bench, kernel: &Proxy, daemon: &mut Answerer, hosts: u32) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let random = (Timing::random(), bench.scale(8, 1), Goal::Ratio(1.2, None));
    for (mut timing, turns, goal) in
        [(Timing::BackToBack, bench.scale(20, 2), Goal::Ratio(1.0, None)), random]
    {
        let (mut base, mut fast) = (Samples::default(), Samples::default());
        let target = |sample: u32| host(sample * 7_919 % hosts);
        for _ in 0..turns {
            // They answer nobody, and who is asked for after five silent seconds would be asked, too.
            daemon
                .setup
                .speak(&(0..WARM + TURN).map(|sample| announcement(target(sample))).collect::<Vec<_>>())?;
            let before = daemon.answered()?;
            for (wire, samples) in [(&kernel.wire, &mut base), (&daemon.wire, &mut fast)] {
                for sample in 0..WARM + TURN {
                    timing.pause();
                    let target = target(sample);
                    let time = ask(wire, target)
                        .ok_or_else(|| daemon.setup.absent(format!("the answer for {target}")))?;
                    if sample >= WARM {
                        samples.push(time);
                    }
                }
            }
            let missing = u64::from(WARM + TURN).saturating_sub(daemon.answered()? - before);
            if missing > 0 {
                return Err(daemon.setup.absent(format!("{missing} answers from inside the kernel")));
            }
        }
        rows.push(Row {
            scenario: "in_kernel",
            what: format!("to proxy_arp, {hosts}, {}", timing.name()),
            unit: Unit::Time,
            base: Some(base.spread()),
            arpherd: fast.spread(),
            goal,
        });
    }
    Ok(rows)
}

/// Requests that are not answered while known hosts of the other segment send 300,000 frames a second.
fn beside_a_flood(bench: &Bench, daemon: &mut Answerer) -> Result<Row> {
    let speaker = daemon.setup.testbed.speaker()?;
    let stop = AtomicBool::new(false);
    let hosts = daemon.hosts;
    let lost = thread::scope(|scope| {
        let flood = scope.spawn(|| flood(&speaker, hosts, &stop));
        let asked = 0..bench.scale(20_000, 2_000);
        let lost = asked.filter(|number| ask(&daemon.wire, host(number % hosts)).is_none()).count();
        stop.store(true, Ordering::Relaxed);
        flood.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map(|()| lost)
    })?;
    daemon.setup.contender.still_there()?;
    Ok(row("lost beside 300,000 frames/s", Unit::Count, Spread::once(lost as u64), Goal::AtMost(0.0)))
}

fn flood(speaker: &ArpSocket, hosts: u32, stop: &AtomicBool) -> Result<()> {
    let (mut next, mut at) = (0, monotonic_ns());
    let mut frames = vec![[0; 42]; GROUP];
    while !stop.load(Ordering::Relaxed) {
        for frame in &mut frames {
            *frame = chatter(host(next), host((next + 1) % hosts));
            next = (next + 1) % hosts;
        }
        speaker.send_many(&frames).tried(|| "send frames of known hosts".to_owned())?;
        at += GAP;
        sleep_until(at);
    }
    Ok(())
}

/// Requests as fast as they come: how many are not answered, and what the daemon has to do with it.
fn storm(bench: &Bench, daemon: &mut Answerer) -> Result<Vec<Row>> {
    let requests: u32 = bench.scale(100_000, 20_000);
    let index = daemon.setup.testbed.lan.index(PORT)?;
    let asker = daemon
        .setup
        .testbed
        .lan
        .run(|| ArpSocket::open_deaf(index))
        .tried(|| "open a socket on lan".to_owned())?;
    let (mut lost, mut busy) = (Samples::default(), Samples::default());
    for _ in 0..bench.scale(5, 1) {
        let before = daemon.answered()?;
        let cpu = daemon.setup.contender.cpu()?;
        let began = cpu.nanoseconds()?;
        let mut at = monotonic_ns();
        let targets: Vec<_> = (0..requests).map(|number| host(number % daemon.hosts)).collect();
        for group in targets.chunks(GROUP) {
            let request =
                |target: &Ipv4Addr| ArpFrame::request(Mac::of_crowd(REQUESTER), REQUESTER, *target).encode();
            let frames: Vec<_> = group.iter().map(request).collect();
            asker.send_many(&frames).tried(|| "send requests on lan".to_owned())?;
            at += GAP;
            sleep_until(at);
        }
        busy.push(cpu.nanoseconds()?.saturating_sub(began));
        let answered = daemon.answered()? - before;
        let requests = u64::from(requests);
        if answered > requests {
            let what = format!("{answered} answers to {requests} requests");
            return Err(BenchError::Ended { who: "arpherd", log: what });
        }
        lost.push(requests - answered);
    }
    // The daemon says each second that it lives, and its queries are none of this.
    Ok(vec![
        row(format!("lost of {requests} at 300,000/s"), Unit::Count, lost.spread(), Goal::AtMost(0.0)),
        row("  daemon's CPU for them", Unit::Time, busy.spread(), Goal::Median(1e6)),
    ])
}

/// What a new host costs more, in processor time of the daemon, than without the program.
fn upkeep(bench: &Bench) -> Result<Row> {
    let hosts = bench.scale(16_384, 2_048);
    let measure = |settings: &Settings| -> Result<u64> {
        let mut setup = Setup::arpherd(bench, settings)?;
        // Where the program is attached does not matter for this.
        setup.populate(256)?;
        let cpu = setup.contender.cpu()?;
        let before = cpu.nanoseconds()?;
        setup.populate(hosts)?;
        Ok(cpu.nanoseconds()?.saturating_sub(before) / u64::from(hosts))
    };
    let (mut off, mut on) = (Samples::default(), Samples::default());
    for _ in 0..bench.scale(5, 1) {
        off.push(measure(&Settings::QUIET)?);
        on.push(measure(&FAST)?);
    }
    let (off, on) = (off.spread(), on.spread());
    let more = (on.median - off.median).max(0.0);
    let what = format!("CPU a new host beyond {:.2} µs", off.median / 1e3);
    Ok(row(
        what,
        Unit::Time,
        Spread { count: 1, median: more, p99: more, largest: more },
        Goal::AtMost(2_000.0),
    ))
}
