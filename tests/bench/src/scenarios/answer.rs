//! A question, and its answer on the asker's wire.

use std::net::Ipv4Addr;

use arpherd_lab::{ArpFrame, Mac, Wire};

use crate::contender::{Settings, Who};
use crate::error::Result;
use crate::field::{ASKER, announcement, host};
use crate::floor::Job;
use crate::report::{Goal, Row, Unit};
use crate::stage::{Bench, Duel, LIMIT, Stage};
use crate::stats::Samples;
use crate::timing::Timing;

/// Hosts that are known.
const HOSTS: u32 = 250;
/// Samples in a turn.
const TURN: u32 = 25;
/// Samples of each turn that do not count.
const WARM: u32 = 3;
/// Hosts that speak only when asked, apart from those that speak by themselves.
const MUTE: &str = "10.100.0.0/16";
const FIRST_MUTE: Ipv4Addr = Ipv4Addr::new(10, 100, 0, 1);

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut duel =
        Duel { floor: Stage::floor(&Job::Answers)?, arpherd: Stage::arpherd(bench, &Settings::QUIET)? };
    let wires = (duel.floor.field.asker()?, duel.arpherd.field.asker()?);
    let wire = |who| if who == Who::Floor { &wires.0 } else { &wires.1 };
    duel.arpherd.populate(HOSTS)?;
    let first = duel.floor.newcomers(HOSTS);
    for n in first..first + HOSTS {
        duel.floor.speak(&[announcement(host(n))])?;
    }
    let mut rows = Vec::new();
    duel.arpherd.field.answers_for(MUTE)?;
    let mut asked = 0;
    for (timing, turns) in [(Timing::BackToBack, bench.scale(80, 6)), (Timing::random(), bench.scale(40, 4))]
    {
        let (mut known_pause, mut unknown_pause) = (timing.clone(), timing.clone());
        let mut unknown = Samples::default();
        let known = duel.alternate(turns, |stage, samples| {
            let wire = wire(stage.who());
            for sample in 0..WARM + TURN {
                known_pause.pause();
                let time = ask(stage, wire, host(sample * 7 % HOSTS))?;
                if sample >= WARM {
                    samples.push(time);
                }
            }
            if stage.who() == Who::Arpherd {
                for sample in 0..WARM + TURN {
                    unknown_pause.pause();
                    let time = ask(stage, wire, Ipv4Addr::from(u32::from(FIRST_MUTE) + asked))?;
                    asked += 1;
                    if sample >= WARM {
                        unknown.push(time);
                    }
                }
            }
            Ok(())
        })?;
        let floor = known.floor.spread();
        let row = |target: &str, samples: &Samples, goal| Row {
            scenario: "answer",
            what: format!("answer for {target}, {}", timing.name()),
            unit: Unit::Time,
            base: Some(floor),
            arpherd: samples.spread(),
            goal: Goal::Ratio(goal, None),
        };
        rows.push(row("a known host", &known.arpherd, 1.3));
        rows.push(row("an unknown", &unknown, 2.5));
    }
    Ok(rows)
}

/// Asks once; gives the time until the kernel had the answer on the asker's link, in nanoseconds.
fn ask(stage: &Stage, wire: &Wire, target: Ipv4Addr) -> Result<u64> {
    let question = ArpFrame::request(Mac::of_crowd(ASKER), ASKER, target);
    match wire.ask_one(&question, LIMIT) {
        Some((_, time)) => Ok(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
        None => Err(stage.absent(format!("the answer for {target}"))),
    }
}
