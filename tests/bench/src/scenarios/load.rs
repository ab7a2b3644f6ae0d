//! The everyday noise of known hosts, and what a new one notices of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use arpherd_lab::monotonic_ns;

use crate::error::{Result, Tried};
use crate::floor::Job;
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, Contenders, Measured, Setup};
use crate::sys::{ArpSocket, Frame, sleep_until};
use crate::testbed::{chatter, host};
use crate::timing::Timing;

/// Nanoseconds from one frame to the next on average: 20,000 a second.
const GAP: u64 = 50_000;
/// No divisor of any number of hosts, so that all get their turn and neighbours in memory do not.
const STRIDE: u32 = 7_919;

/// How the frames lie in time.
#[derive(Clone, Copy)]
enum Spacing {
    /// Twenty every millisecond, as broadcasts reach a busy link in clusters. The sender sleeps between.
    Groups,
    /// One every 50 µs, to which the sender spins: the worst there is, a wake-up for each.
    Singles,
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for hosts in [250, 5_000, 65_536] {
        let mut contenders = Contenders::new(bench, &Job::Routes)?;
        contenders.floor.populate(hosts)?;
        contenders.arpherd.populate(hosts)?;
        for (spacing, name) in [(Spacing::Groups, "20 a ms"), (Spacing::Singles, "singly")] {
            let turns = bench.scale(5, 1);
            let measured = contenders.alternate(turns, |setup, samples| {
                let frames = bench.scale(20_000, 5_000);
                let cpu = setup.contender.cpu()?;
                let before = cpu.nanoseconds()?;
                flood(setup, hosts, frames, spacing)?;
                // Frames are read in their order: a route for this one says that all were.
                setup.newcomer()?;
                samples.push_share(cpu.nanoseconds()?.saturating_sub(before), frames);
                Ok(())
            })?;
            let what = format!("CPU a frame, {name}, {hosts} hosts");
            rows.push(row(what, measured.floor.spread(), measured.arpherd.spread(), Goal::Ratio(2.0, None)));
        }
        if hosts == 250 {
            rows.extend(newcomers(bench, &mut contenders, hosts)?);
        }
    }
    Ok(rows)
}

fn row(what: String, base: crate::stats::Spread, arpherd: crate::stats::Spread, goal: Goal) -> Row {
    Row { scenario: "load", what, unit: Unit::Time, base: Some(base), arpherd, goal }
}

/// Sends so many frames of known hosts, each asking for its neighbour.
fn flood(setup: &Setup, hosts: u32, frames: u64, spacing: Spacing) -> Result<()> {
    let group = match spacing {
        Spacing::Groups => 20,
        Spacing::Singles => 1,
    };
    let mut noise = Noise::new(hosts, group);
    let begun = monotonic_ns();
    for sent in (0..frames).step_by(group) {
        let at = begun + sent * GAP;
        match spacing {
            Spacing::Groups => sleep_until(at),
            Spacing::Singles => {
                while monotonic_ns() < at {
                    std::hint::spin_loop();
                }
            }
        }
        noise.send(&setup.speaker)?;
    }
    Ok(())
}

/// Frames of known hosts without end.
struct Noise {
    frames: Vec<Frame>,
    hosts: u32,
    next: u32,
}

impl Noise {
    fn new(hosts: u32, group: usize) -> Self {
        Self { frames: vec![[0; 42]; group], hosts, next: 0 }
    }

    fn send(&mut self, speaker: &ArpSocket) -> Result<()> {
        for frame in &mut self.frames {
            *frame = chatter(host(self.next), host((self.next + 1) % self.hosts));
            self.next = (self.next + STRIDE) % self.hosts;
        }
        speaker.send_many(&self.frames).tried(|| "send frames of known hosts".to_owned())
    }
}

/// New hosts while it is quiet and while known ones talk.
fn newcomers(bench: &Bench, contenders: &mut Contenders, hosts: u32) -> Result<Vec<Row>> {
    const TURN: u32 = 25;
    let (mut quiet, mut busy) = (Measured::default(), Measured::default());
    let mut timing = Timing::random();
    contenders.alternate(bench.scale(30, 3), |setup, _| {
        for noisy in [false, true] {
            let samples = if noisy { &mut busy } else { &mut quiet };
            let samples = samples.of(setup.who());
            let speaker = setup.testbed.speaker()?;
            let stop = AtomicBool::new(!noisy);
            thread::scope(|scope| {
                let noise = scope.spawn(|| talk(&speaker, hosts, &stop));
                let mut measure = || {
                    for _ in 0..TURN {
                        timing.pause();
                        samples.push(setup.newcomer()?);
                    }
                    Ok(())
                };
                let measured = measure();
                stop.store(true, Ordering::Relaxed);
                noise.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(measured)
            })?;
        }
        Ok(())
    })?;
    let goal = Goal::Ratio(1.3, Some(2.5));
    let (floor, itself, arpherd) = (busy.floor.spread(), quiet.arpherd.spread(), busy.arpherd.spread());
    Ok(vec![
        row("new host meanwhile, at random".to_owned(), floor, arpherd, goal),
        row("the same against itself when quiet".to_owned(), itself, arpherd, goal),
    ])
}

/// Twenty frames every millisecond until told to stop.
pub(super) fn talk(speaker: &ArpSocket, hosts: u32, stop: &AtomicBool) -> Result<()> {
    let mut noise = Noise::new(hosts, 20);
    let mut at = monotonic_ns();
    while !stop.load(Ordering::Relaxed) {
        noise.send(speaker)?;
        at += 20 * GAP;
        sleep_until(at);
    }
    Ok(())
}
