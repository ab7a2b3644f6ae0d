//! What the daemon holds, and whether it lets the machine sleep.

use std::time::{Duration, Instant};

use crate::contender::Settings;
use crate::error::Result;
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, LIMIT, Setup};
use crate::stats::Spread;
use crate::sys::{Memory, pause, wakeups};

const MIB: f64 = 1_048_576.0;

fn row(scenario: &'static str, what: String, unit: Unit, value: u64, goal: Goal) -> Row {
    Row { scenario, what, unit, base: None, arpherd: Spread::once(value), goal }
}

/// Memory as the hosts become more. Judged is what the daemon has for itself; what it shares with its program file
/// the kernel takes back when it needs it.
pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut setup = Setup::arpherd(bench, &Settings::QUIET)?;
    let (mut rows, mut known) = (Vec::new(), 0);
    for (hosts, limit) in [(250, 2.0), (5_000, 2.5), (65_536, 16.0)] {
        setup.populate(hosts - known)?;
        known = hosts;
        let Memory { resident, own } = Memory::of(setup.contender.pid())?;
        let what = format!("private memory at {hosts} hosts");
        rows.push(row("memory", what, Unit::Bytes, own, Goal::Below(limit * MIB)));
        let what = "  with what it shares with the file".to_owned();
        rows.push(row("memory", what, Unit::Bytes, resident, Goal::Told));
    }
    Ok(rows)
}

/// Wake-ups of all threads while nothing happens, at the default expiry. Sweeps are off.
pub(crate) fn idle(bench: &Bench) -> Result<Vec<Row>> {
    let settings = Settings { expiry: "{}", ..Settings::QUIET };
    let mut setup = Setup::arpherd(bench, &settings)?;
    let mut rows = Vec::new();
    for hosts in [0, 250] {
        setup.populate(hosts)?;
        let seconds = bench.scale(5, 2);
        settle(&setup)?;
        let before = wakeups(setup.contender.pid())?;
        pause(Duration::from_secs(seconds)); // this is what is measured
        let woken = wakeups(setup.contender.pid())?.saturating_sub(before);
        let what = format!("wake-ups in {seconds} s, {hosts} quiet hosts");
        rows.push(row("idle", what, Unit::Count, woken, Goal::AtMost(0.0)));
    }
    Ok(rows)
}

/// Waits until a tenth of a second went by without a wake-up, or for too long: then there is one more
/// often than that, which the measurement will show.
fn settle(setup: &Setup) -> Result<()> {
    let begun = Instant::now();
    let mut before = wakeups(setup.contender.pid())?;
    while begun.elapsed() < LIMIT {
        pause(Duration::from_millis(100));
        let now = wakeups(setup.contender.pid())?;
        if now == before {
            return Ok(());
        }
        before = now;
    }
    Ok(())
}
