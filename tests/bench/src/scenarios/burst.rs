//! Thousands of new hosts at once: power comes back, a switch is plugged in.

use std::collections::HashSet;
use std::thread;

use arpherd_lab::monotonic_ns;

use crate::error::Result;
use crate::floor::Job;
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, Contenders, LIMIT, Setup};
use crate::stats::Spread;
use crate::testbed::{announcement, host};

const HOSTS: u32 = 4_000;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut contenders = Contenders::new(bench, &Job::Routes)?;
    contenders.alternate(1, |setup, _| burst(setup).map(drop))?;
    let (mut floor_lost, mut arpherd_lost) = (0, 0);
    let measured = contenders.alternate(bench.scale(15, 3), |setup, samples| {
        let (time, lost) = burst(setup)?;
        samples.push(time);
        match setup.who() {
            crate::contender::Who::Floor => floor_lost += lost,
            crate::contender::Who::Arpherd => arpherd_lost += lost,
        }
        Ok(())
    })?;
    let row = |what: &str, unit, base, arpherd, goal| Row {
        scenario: "burst",
        what: what.to_owned(),
        unit,
        base: Some(base),
        arpherd,
        goal,
    };
    let (floor, arpherd) = (measured.floor.spread(), measured.arpherd.spread());
    let (floor_lost, arpherd_lost) = (Spread::once(floor_lost), Spread::once(arpherd_lost));
    Ok(vec![
        row("4,000 new at once: last route", Unit::Time, floor, arpherd, Goal::Ratio(1.5, None)),
        row("4,000 new at once: lost", Unit::Count, floor_lost, arpherd_lost, Goal::AtMost(0.0)),
    ])
}

/// The time from the first frame to the last route, and how many routes never came.
fn burst(setup: &mut Setup) -> Result<(u64, u64)> {
    let first = setup.newcomers(HOSTS);
    let mut missing: HashSet<_> = (first..first + HOSTS).map(host).collect();
    let frames: Vec<_> = (first..first + HOSTS).map(|n| announcement(host(n))).collect();
    setup.listener.drain()?;
    let Setup { listener, speaker, .. } = setup;
    let begun = monotonic_ns();
    let last = thread::scope(|scope| {
        // Heard while it goes on, so that no queue between the kernel and us fills up.
        let heard = scope.spawn(|| listener.wait_for_routes(LIMIT, &mut missing));
        let sent = speaker.send_many(&frames);
        let heard = heard.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        crate::error::Tried::tried(sent, || "send a burst".to_owned()).and(heard)
    })?;
    let lost = u64::try_from(missing.len()).unwrap_or(u64::MAX);
    Ok((last.unwrap_or(begun).saturating_sub(begun), lost))
}
