//! Clients that command: sweeps, probes, hosts to be forgotten, the level of the log.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use arpherd_core::Address;
use arpherd_core::view::{Command, ForgottenView, OrderedRoleView, ProbeView, Query, RoleCommand};
use async_std::task;
use indicatif::{ProgressBar, ProgressStyle};

use super::client::{ClientError, fetch_as, print, report};
use super::protocol::ControlQuery;
use super::table;
use crate::exit::Exit;
use crate::log::Escaped;
use crate::operate::{LogCommand, LogView, SweepQuery, SweepView};

/// Between two looks at what came of a probe.
const PROBE_LOOK: Duration = Duration::from_millis(20);
/// After the first answer others are waited for so long.
const MORE_ANSWERS: Duration = Duration::from_millis(300);
/// Between two looks at a sweep.
const SWEEP_LOOK: Duration = Duration::from_millis(100);
/// Between two lines about a sweep, where standard error is no terminal.
const SWEEP_LINE: Duration = Duration::from_secs(5);
/// A round begins within this time, or does not.
const BEGIN: Duration = Duration::from_secs(10);

/// Has an address asked for, waits for answers, and prints them. Exit code 1: nobody answered.
pub(crate) fn run_probe(address: Address, wait: Duration, path: &Path, json: bool) -> ExitCode {
    let start = Instant::now();
    let mut answered = None;
    let mut outcome: Result<Vec<ProbeView>, ClientError> =
        fetch_as(path, ControlQuery::Operate(Command::Probe(address)));
    while let Ok(rows) = &outcome {
        let mut asked = rows.iter().flat_map(|row| &row.segments).filter(|it| it.asked);
        if answered.is_none() && asked.clone().any(|it| !it.answers.is_empty()) {
            answered = Some(Instant::now());
        }
        let is_complete = asked.all(|it| !it.answers.is_empty());
        let is_over = answered.is_some_and(|first: Instant| first.elapsed() >= MORE_ANSWERS);
        if is_complete || is_over || start.elapsed() >= wait {
            break;
        }
        pause(PROBE_LOOK.min(wait.saturating_sub(start.elapsed())));
        outcome = fetch_as(path, Query::Probed(address));
    }
    let rows = match outcome {
        Ok(rows) => rows,
        Err(error) => return report(&error),
    };
    match print(|out| table::write_probe(out, &rows, json)) {
        ExitCode::SUCCESS if answered.is_none() => ExitCode::from(1),
        written => written,
    }
}

/// Has a host given up.
pub(crate) fn run_forget(address: Address, path: &Path, json: bool) -> ExitCode {
    let rows: Vec<ForgottenView> = match fetch_as(path, ControlQuery::Operate(Command::Forget(address))) {
        Ok(rows) => rows,
        Err(error) => return report(&error),
    };
    print(|out| table::write_forgotten(out, &rows, json))
}

/// Says what this machine is to be to its domains that have two gateways.
pub(crate) fn run_role(command: RoleCommand, path: &Path, json: bool) -> ExitCode {
    let rows: Vec<OrderedRoleView> = match fetch_as(path, ControlQuery::Operate(Command::Role(command))) {
        Ok(rows) => rows,
        Err(error) => return report(&error),
    };
    print(|out| table::write_roles(out, &rows, json))
}

/// Shows the level of the log, or changes it.
pub(crate) fn run_log(command: LogCommand, path: &Path, json: bool) -> ExitCode {
    let view: LogView = match fetch_as(path, ControlQuery::Log(command)) {
        Ok(view) => view,
        Err(error) => return report(&error),
    };
    print(|out| table::write_log(out, &view, json))
}

/// Has segments swept now, and with `wait` shows how far it is until the round has ended.
pub(crate) fn run_sweep(query: &SweepQuery, wait: bool, path: &Path, json: bool) -> ExitCode {
    let begun: Vec<SweepView> = match fetch_as(path, ControlQuery::Sweep(query.clone())) {
        Ok(rows) => rows,
        Err(error) => return report(&error),
    };
    if !wait {
        return print(|out| table::write_sweeps(out, &begun, json));
    }
    let (rows, is_whole) = match follow_sweep(begun, query, path) {
        Ok(outcome) => outcome,
        Err(error) => return report(&error),
    };
    match print(|out| table::write_sweeps(out, &rows, json)) {
        ExitCode::SUCCESS if !is_whole => Exit::Unavailable.into(),
        written => written,
    }
}

fn pause(span: Duration) {
    task::block_on(task::sleep(span));
}

/// A sweep that is waited for, by the number of its round.
struct Awaited {
    /// As it was seen last.
    view: SweepView,
    round: u64,
}

/// What a look at a sweep shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ended,
    GoesOn,
    Broken,
}

impl Awaited {
    /// The round that is under way, or the one that is about to begin.
    fn new(view: SweepView) -> Self {
        let round = view.rounds + u64::from(view.state == "due");
        Self { view, round }
    }

    fn is_same(&self, other: &SweepView) -> bool {
        let SweepView { domain, segment, netns, .. } = &self.view;
        (domain, segment, netns) == (&other.domain, &other.segment, &other.netns)
    }

    fn outcome(&self, since: Instant) -> Outcome {
        let SweepView { rounds, state, .. } = &self.view;
        if *rounds > self.round || *rounds == self.round && state == "idle" {
            Outcome::Ended
        } else if state == "inactive" || *rounds < self.round && since.elapsed() >= BEGIN {
            Outcome::Broken
        } else {
            Outcome::GoesOn
        }
    }
}

/// Waits until the rounds have ended. False if one of them did not come to its end.
fn follow_sweep(
    begun: Vec<SweepView>,
    query: &SweepQuery,
    path: &Path,
) -> Result<(Vec<SweepView>, bool), ClientError> {
    let start = Instant::now();
    let (mut awaited, left_out): (Vec<_>, Vec<_>) =
        begun.into_iter().map(Awaited::new).partition(|it| it.view.because.is_none());
    let mut shown = Shown::new();
    let mut is_whole = true;
    loop {
        let outcomes: Vec<Outcome> = awaited.iter().map(|it| it.outcome(start)).collect();
        shown.update(&awaited);
        if outcomes.iter().all(|outcome| *outcome != Outcome::GoesOn) {
            break;
        }
        pause(SWEEP_LOOK);
        let rows: Vec<SweepView> = fetch_as(path, ControlQuery::Sweeps(query.clone()))?;
        let waiting = awaited.iter_mut().zip(outcomes).filter(|(_, outcome)| *outcome == Outcome::GoesOn);
        for (it, _) in waiting {
            match rows.iter().find(|row| it.is_same(row)) {
                Some(row) => it.view = row.clone(),
                // The segment went with a reload.
                None => it.view.state = "inactive".into(),
            }
        }
    }
    shown.end();
    for it in awaited.iter().filter(|it| it.outcome(start) == Outcome::Broken) {
        is_whole = false;
        let segment = Escaped(&it.view.segment);
        let _ = writeln!(
            io::stderr(),
            "arpherd: the sweep of {segment} did not come to its end; `arpherd segments` says whether it is up"
        );
    }
    Ok((awaited.into_iter().chain(left_out).map(|it| it.view).collect(), is_whole))
}

/// The progress on standard error: a bar on a terminal, otherwise a line now and then.
struct Shown {
    bar: Option<ProgressBar>,
    said: Instant,
}

impl Shown {
    fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} addresses, {msg}, {elapsed}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, said: Instant::now() }
    }

    fn update(&mut self, awaited: &[Awaited]) {
        let sum = |of: fn(&SweepView) -> u64| awaited.iter().map(|it| of(&it.view)).sum::<u64>();
        let (done, total, found) = (sum(|it| it.done), sum(|it| it.total), sum(|it| it.found));
        match &self.bar {
            Some(bar) => {
                bar.set_length(total);
                bar.set_position(done);
                bar.set_message(format!("{found} found"));
            }
            None if self.said.elapsed() >= SWEEP_LINE => {
                self.said = Instant::now();
                let _ = writeln!(io::stderr(), "arpherd: {done} of {total} addresses, {found} found");
            }
            None => {}
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(state: &'static str, rounds: u64) -> SweepView {
        SweepView {
            domain: "lan".into(),
            segment: "eth0".into(),
            interface: "eth0".into(),
            state: state.into(),
            because: None,
            rounds,
            done: 0,
            total: 0,
            probed: 0,
            found: 0,
            elapsed_milliseconds: 0,
            interval_milliseconds: None,
            netns: None,
        }
    }

    #[test]
    fn a_round_has_ended_when_its_number_is_idle_or_past() {
        let now = Instant::now();
        let mut about_to_begin = Awaited::new(view("due", 3));
        for (state, rounds, outcome) in [
            ("due", 3, Outcome::GoesOn),
            ("idle", 3, Outcome::GoesOn),
            ("sweeping", 4, Outcome::GoesOn),
            ("idle", 4, Outcome::Ended),
            ("sweeping", 5, Outcome::Ended),
            ("inactive", 4, Outcome::Broken),
        ] {
            about_to_begin.view = view(state, rounds);
            assert_eq!(about_to_begin.outcome(now), outcome, "{state} {rounds}");
        }
        let mut joined = Awaited::new(view("sweeping", 3));
        joined.view = view("idle", 3);
        assert_eq!(joined.outcome(now), Outcome::Ended);
    }
}
