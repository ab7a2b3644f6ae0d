//! A request, and its answer on the requester's wire: when the kernel there had it, for nobody wakes up for
//! an answer but the kernel.
//!
//! The floor for an unknown target, the goal says, is the one for a known target. How much of the difference
//! is the way to the target and back, another floor shows: it probes too.

use std::net::Ipv4Addr;

use arpherd_lab::{ArpFrame, Mac, Wire};

use crate::contender::Who;
use crate::error::Result;
use crate::floor::Job;
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, Contenders, LIMIT, Measured, Setup};
use crate::stats::Samples;
use crate::testbed::{REQUESTER, host};
use crate::timing::Timing;

/// Hosts that are known.
const HOSTS: u32 = 250;
/// Samples in a turn.
const TURN: u32 = 25;
/// Samples of each turn that do not count.
const WARM: u32 = 3;
/// Hosts that send only when asked, apart from those that send by themselves.
const MUTE: &str = "10.100.0.0/16";
const FIRST_MUTE: Ipv4Addr = Ipv4Addr::new(10, 100, 0, 1);

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut contenders = Contenders::new(bench, &Job::Answers)?;
    let wires = (contenders.floor.testbed.requester()?, contenders.arpherd.testbed.requester()?);
    for setup in [&mut contenders.floor, &mut contenders.arpherd] {
        setup.populate(HOSTS)?;
        setup.testbed.answers_for(MUTE)?;
    }
    let (mut rows, mut asked) = (Vec::new(), 0);
    for (timing, turns) in [(Timing::BackToBack, bench.scale(80, 6)), (Timing::random(), bench.scale(40, 4))]
    {
        let (mut known, mut unknown) = (Measured::default(), Measured::default());
        let mut pauses = timing.clone();
        contenders.alternate(turns, |setup, _| {
            let wire = if setup.who() == Who::Floor { &wires.0 } else { &wires.1 };
            setup.refresh(0, HOSTS)?;
            for sample in 0..WARM + TURN {
                pauses.pause();
                let time = ask(setup, wire, host(sample * 7 % HOSTS))?;
                if sample >= WARM {
                    known.of(setup.who()).push(time);
                }
            }
            for sample in 0..WARM + TURN {
                pauses.pause();
                asked += 1;
                let time = ask(setup, wire, Ipv4Addr::from(u32::from(FIRST_MUTE) + asked))?;
                if sample >= WARM {
                    unknown.of(setup.who()).push(time);
                }
            }
            Ok(())
        })?;
        let row = |target: &str, base: &Samples, arpherd: &Samples, goal| Row {
            scenario: "answer",
            what: format!("{target}, {}", timing.name()),
            unit: Unit::Time,
            base: Some(base.spread()),
            arpherd: arpherd.spread(),
            goal,
        };
        let (one, two) = (Goal::Ratio(1.3, None), Goal::Ratio(2.5, None));
        rows.push(row("answer for a known", &known.floor, &known.arpherd, one));
        rows.push(row("for an unknown", &known.floor, &unknown.arpherd, two));
        rows.push(row("  probing floor", &unknown.floor, &unknown.arpherd, Goal::Told));
    }
    Ok(rows)
}

/// Asks once; gives the time until the kernel had the answer on the requester's link, in nanoseconds.
pub(super) fn ask(setup: &Setup, wire: &Wire, target: Ipv4Addr) -> Result<u64> {
    let request = ArpFrame::request(Mac::of_crowd(REQUESTER), REQUESTER, target);
    match wire.ask_one(&request, LIMIT) {
        Some((_, time)) => Ok(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
        None => Err(setup.absent(format!("the answer for {target}"))),
    }
}
