//! A contender in its testbed, with everything a scenario uses; and two of them in turn.

use std::path::PathBuf;
use std::time::Duration;

use arpherd_lab::monotonic_ns;

use crate::contender::{Contender, Settings, Who};
use crate::error::{BenchError, Result, Tried};
use crate::floor::Job;
use crate::stats::Samples;
use crate::sys::{ArpSocket, Frame, RouteListener};
use crate::testbed::{Testbed, announcement, host};

/// How long anything may take that should take a moment.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// What all scenarios are given.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    /// The daemon's executable.
    pub(crate) binary: PathBuf,
    /// As few samples as show that it works.
    pub(crate) quick: bool,
}

impl Bench {
    /// So many in a full run, so many in a quick one.
    pub(crate) fn scale<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// A contender at work.
pub(crate) struct Setup {
    // Dropped first: the process goes before its namespaces.
    pub(crate) contender: Contender,
    pub(crate) listener: RouteListener,
    pub(crate) speaker: ArpSocket,
    pub(crate) testbed: Testbed,
    hosts: u32,
}

impl Setup {
    /// The reference at a job.
    pub(crate) fn floor(job: &Job) -> Result<Self> {
        Self::with(|testbed| Contender::floor(testbed, job))
    }

    /// The daemon with these settings.
    pub(crate) fn arpherd(bench: &Bench, settings: &Settings) -> Result<Self> {
        Self::with(|testbed| Contender::arpherd(testbed, &bench.binary, &settings.yaml()))
    }

    /// A testbed whose routes are watched before the contender is there.
    pub(crate) fn with(start: impl FnOnce(&Testbed) -> Result<Contender>) -> Result<Self> {
        let testbed = Testbed::new()?;
        let (listener, speaker) = (RouteListener::open(&testbed.gateway)?, testbed.speaker()?);
        Ok(Self { contender: start(&testbed)?, listener, speaker, testbed, hosts: 0 })
    }

    pub(crate) fn who(&self) -> Who {
        self.contender.who()
    }

    /// The number of a host that has not spoken here yet, the first of `count`.
    pub(crate) fn newcomers(&mut self, count: u32) -> u32 {
        let first = self.hosts;
        self.hosts += count;
        first
    }

    /// Lets a new host send a frame; gives the time until its route, in nanoseconds.
    pub(crate) fn newcomer(&mut self) -> Result<u64> {
        let ip = host(self.newcomers(1));
        let frame = announcement(ip);
        let begun = monotonic_ns();
        self.speaker.send(&frame).tried(|| "send a frame on vms".to_owned())?;
        let change = self.listener.wait(LIMIT, |change| change.is_new && change.address == ip)?;
        match change {
            Some(change) => Ok(change.at.saturating_sub(begun)),
            None => Err(self.absent(format!("the route to {ip}"))),
        }
    }

    /// Makes so many hosts known, in bursts that fit any queue; gives the number of the first.
    pub(crate) fn populate(&mut self, count: u32) -> Result<u32> {
        const BURST: u32 = 256;
        let first = self.newcomers(count);
        for from in (first..first + count).step_by(256) {
            let burst: Vec<_> = (from..(from + BURST).min(first + count)).map(host).collect();
            let frames: Vec<_> = burst.iter().map(|ip| announcement(*ip)).collect();
            self.speak(&frames)?;
            let last = burst.last().copied();
            // Frames are read in their order: with the last route all are there.
            if self.listener.wait(LIMIT, |change| change.is_new && Some(change.address) == last)?.is_none() {
                return Err(self.absent(format!("the routes to {BURST} hosts")));
            }
        }
        Ok(first)
    }

    /// Has the hosts speak again: one that was quiet for long is asked whether it still is there when somebody wants it, and
    /// these answer nobody.
    pub(crate) fn refresh(&self, first: u32, count: u32) -> Result<()> {
        let frames: Vec<_> = (first..first + count).map(|number| announcement(host(number))).collect();
        self.speak(&frames)
    }

    /// Sends frames from the far end of `vms`.
    pub(crate) fn speak(&self, frames: &[Frame]) -> Result<()> {
        self.speaker.send_many(frames).tried(|| "send frames on vms".to_owned())
    }

    pub(crate) fn absent(&self, what: String) -> BenchError {
        BenchError::Absent { who: self.who().as_str(), what, limit_ms: LIMIT.as_millis() }
    }
}

/// Both contenders at once, one at work while the other sleeps.
pub(crate) struct Contenders {
    pub(crate) floor: Setup,
    pub(crate) arpherd: Setup,
}

/// What was measured of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) floor: Samples,
    pub(crate) arpherd: Samples,
}

impl Measured {
    pub(crate) fn of(&mut self, who: Who) -> &mut Samples {
        match who {
            Who::Floor => &mut self.floor,
            Who::Arpherd => &mut self.arpherd,
        }
    }
}

impl Contenders {
    /// The reference at a job against a daemon that only does what frames cause.
    pub(crate) fn new(bench: &Bench, job: &Job) -> Result<Self> {
        Ok(Self { floor: Setup::floor(job)?, arpherd: Setup::arpherd(bench, &Settings::QUIET)? })
    }

    /// Lets both do the same in turn, so many times: A B B A A B…, whatever else the machine does
    /// meanwhile. What a turn measured goes to its contender's samples.
    pub(crate) fn alternate(
        &mut self,
        rounds: u32,
        turn: impl FnMut(&mut Setup, &mut Samples) -> Result<()>,
    ) -> Result<Measured> {
        let [floor, arpherd] = in_turn([&mut self.floor, &mut self.arpherd], rounds, turn)?;
        Ok(Measured { floor, arpherd })
    }
}

/// The same for any number of them. What each measured has its place.
pub(crate) fn in_turn<const N: usize>(
    mut setups: [&mut Setup; N],
    rounds: u32,
    mut turn: impl FnMut(&mut Setup, &mut Samples) -> Result<()>,
) -> Result<[Samples; N]> {
    let mut measured = [(); N].map(|()| Samples::default());
    for round in 0..rounds {
        let mut order: Vec<_> = setups.iter_mut().zip(&mut measured).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (setup, samples) in order {
            turn(setup, samples)?;
            setup.contender.still_there()?;
        }
    }
    Ok(measured)
}
