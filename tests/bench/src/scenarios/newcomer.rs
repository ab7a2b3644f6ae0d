//! A frame of a new host, and its route.

use crate::error::Result;
use crate::floor::Job;
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, Contenders};
use crate::timing::Timing;

/// Samples in a turn: long enough that both are warm, short enough that both see the same machine.
const TURN: u32 = 25;
/// Samples of each turn that do not count, for the other has just had the caches.
const WARM: u32 = 3;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut contenders = Contenders::new(bench, &Job::Routes)?;
    let mut rows = Vec::new();
    for (mut timing, turns) in
        [(Timing::BackToBack, bench.scale(80, 6)), (Timing::random(), bench.scale(40, 4))]
    {
        let measured = contenders.alternate(turns, |setup, samples| {
            setup.listener.drain()?;
            for sample in 0..WARM + TURN {
                timing.pause();
                let time = setup.newcomer()?;
                if sample >= WARM {
                    samples.push(time);
                }
            }
            Ok(())
        })?;
        rows.push(Row {
            scenario: "newcomer",
            what: format!("new host to its route, {}", timing.name()),
            unit: Unit::Time,
            base: Some(measured.floor.spread()),
            arpherd: measured.arpherd.spread(),
            goal: Goal::Ratio(1.3, Some(2.5)),
        });
    }
    Ok(rows)
}
