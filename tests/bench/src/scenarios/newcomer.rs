//! A frame of a new host, and its route.

use crate::contender::Settings;
use crate::error::Result;
use crate::floor::Job;
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, Setup, in_turn};
use crate::stats::Samples;
use crate::timing::Timing;

/// Samples in a turn: long enough that all are warm, short enough that all see the same machine.
const TURN: u32 = 25;
/// Samples of each turn that do not count, for the others have just had the caches.
const WARM: u32 = 3;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut setups = [
        Setup::floor(&Job::Routes)?,
        Setup::floor(&Job::RoutesByActors)?,
        Setup::arpherd(bench, &Settings::QUIET)?,
    ];
    let mut rows = Vec::new();
    for (mut timing, turns) in
        [(Timing::BackToBack, bench.scale(80, 6)), (Timing::random(), bench.scale(40, 4))]
    {
        let measured = in_turn(setups.each_mut(), turns, |setup, samples| {
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
        let [floor, actors, arpherd] = measured.each_ref().map(Samples::spread);
        let row = |what: String, base, arpherd, goal| Row {
            scenario: "newcomer",
            what,
            unit: Unit::Time,
            base: Some(base),
            arpherd,
            goal,
        };
        let name = timing.name();
        rows.push(row(format!("new host to its route, {name}"), floor, arpherd, Goal::Ratio(1.3, Some(2.5))));
        rows.push(row("  a floor of two actors".to_owned(), floor, actors, Goal::Told));
        rows.push(row("  arpherd beside that".to_owned(), actors, arpherd, Goal::Told));
    }
    Ok(rows)
}
