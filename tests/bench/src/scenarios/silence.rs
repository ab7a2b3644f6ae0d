//! Hosts that die silently, among others that live on.

use std::collections::HashSet;
use std::time::Duration;

use arpherd_lab::{Crowd, monotonic_ns};

use crate::contender::Settings;
use crate::error::Result;
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, LIMIT, Setup};
use crate::stats::{Samples, Spread};
use crate::testbed::{PORT, host};

const HOSTS: u32 = 250;
/// 0.5 s of silence and five requests 0.2 s apart.
const SETTINGS: Settings = Settings {
    prefix: "10.64.0.0/15",
    sweep: "{ interval: 1h, rate: 1000000, in_flight: 65536 }",
    expiry: "{ quiet: 500ms, interval: 200ms, unicast: 3, broadcast: 2 }",
    ..Settings::QUIET
};

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut setup = Setup::arpherd(bench, &SETTINGS)?;
    let hosts: Vec<_> = (0..HOSTS).map(host).collect();
    let crowd = Crowd::start(&setup.testbed.vms, PORT, hosts.clone())?;
    let (mut times, mut wronged) = (Samples::default(), 0);
    for round in 0..bench.scale(4, 1) {
        for ip in &hosts {
            crowd.wake(*ip);
            crowd.speak(*ip)?;
        }
        // Long enough for each to be asked at least twice.
        let none = setup.listener.wait(Duration::from_millis(1_500), |change| !change.is_new)?;
        wronged += u64::from(none.is_some());
        let mut dying: HashSet<_> = hosts.iter().skip(round % 2).step_by(2).copied().collect();
        dying.iter().for_each(|ip| crowd.silence(*ip));
        let begun = monotonic_ns();
        let all = setup.listener.wait(LIMIT, |change| {
            if !change.is_new && dying.remove(&change.address) {
                times.push(change.at.saturating_sub(begun));
            } else if !change.is_new {
                wronged += 1;
            }
            dying.is_empty()
        })?;
        if all.is_none() {
            return Err(setup.absent(format!("the end of {} silent hosts' routes", dying.len())));
        }
    }
    let row = |what: &str, unit, arpherd, goal| Row {
        scenario: "silence",
        what: what.to_owned(),
        unit,
        base: None,
        arpherd,
        goal,
    };
    Ok(vec![
        row("silent host withdrawn", Unit::Time, times.spread(), Goal::AtMost(2e9)),
        row("living ones withdrawn", Unit::Count, Spread::once(wronged), Goal::AtMost(0.0)),
    ])
}
