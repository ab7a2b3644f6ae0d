//! The demo: a small network in namespaces of its own, with the real daemon in it, shown step by step.
//!
//! ```text
//! run ── play ── 1 picture ─ 2 start ─── 3 find ──── 4 routes ─ 5 neighbours ─ 6 reach ─ 7 travel ─ 8 finish
//!                  lab         discovery   discovery   kernel     kernel         reach │   change     change
//!                                                                                      └─ 7 keep, with --keep
//! ```
//!
//! Every step is verified by the lab, which shares no code with the daemon. The first one that does not
//! show what it should ends the demo, with what was expected, what was seen and the daemon's log.

mod change;
mod discovery;
mod keep;
mod kernel;
mod lab;
mod reach;
mod show;
mod stop;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use arpherd_lab::LabError;

use discovery::Running;
use lab::{Lab, PICTURE};
use show::{Show, millis};
use stop::{Done, Interrupts, Stop, no_lab, wrong};

use crate::exit::Exit;

/// Ctrl-C reaches the daemon too, and a step may fail because of that before the signal is received here.
const SIGNAL_LAG: Duration = Duration::from_millis(100);

/// What every step works with.
struct Stage {
    show: Show,
    interrupts: Interrupts,
}

/// Plays the demo with the daemon in `binary`; with `keep` the network stays until the user ends it.
///
/// Must be called while the process has one thread. Exit codes: 0 when all was as it should be, 1 when a
/// step was not, 69 or 77 when the kernel does not permit network namespaces, 74 when nobody reads what
/// is printed, 128 and its number when a signal ended it.
pub(crate) fn run(keep: bool, binary: &Path) -> ExitCode {
    let entry = match keep::Entry::into_lab() {
        Ok(entry) => entry,
        Err(error) => {
            complain(&error.to_string());
            return no_lab(&error);
        }
    };
    let interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            complain(&format!("cannot listen for signals: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let mut stage = Stage { show: Show::new(if keep { 7 } else { 8 }), interrupts };
    let mut running = None;
    let played = play(&mut stage, &mut running, keep.then_some(&entry), binary);
    let played = played.map_err(|stop| match stop {
        Stop::Wrong { .. } | Stop::Lab(_) => stage.interrupts.pause(SIGNAL_LAG).err().unwrap_or(stop),
        Stop::Wanted(_) | Stop::Output(_) => stop,
    });
    let log = running.as_mut().map(Running::log);
    // Before the last line says that all is gone.
    drop(running);
    conclude(&mut stage.show, played, log.as_deref())
}

fn play(stage: &mut Stage, slot: &mut Option<Running>, keep: Option<&keep::Entry>, binary: &Path) -> Done {
    let mut lab = picture(stage)?;
    let running = slot.insert(discovery::start(stage, &lab, binary)?);
    discovery::find(stage, &lab, running)?;
    kernel::routes(stage, &lab)?;
    kernel::neighbours(stage, &lab)?;
    reach::pairs(stage, &lab)?;
    match keep {
        Some(entry) => keep::keep(stage, &lab, running, entry, binary),
        None => {
            change::travel(stage, &mut lab, running)?;
            change::finish(stage, &lab, running)
        }
    }
}

/// Step 1: builds the network, shows it, and shows that it is in two pieces.
fn picture(stage: &mut Stage) -> Done<Lab> {
    stage.show.step("The network")?;
    stage.show.say(PICTURE)?;
    let lab = Lab::build()?;
    stage.interrupts.pause(Duration::ZERO)?;
    let (from, to) = (lab.member("pc1")?, lab.member("vm1")?);
    let patience = Duration::from_millis(250);
    let stats = from.host.ns.ping(to.ip(), 1, patience, patience);
    if stats.received > 0 {
        return wrong("no answer to pc1's ping of vm1 while arpherd does not run", "an answer");
    }
    // Else it would go on asking, and so be found by what it says before it is meant to.
    from.forget(to)?;
    stage.show.ok("built; as yet pc1 and vm1 do not reach each other")?;
    Ok(lab)
}

/// Says how it ended, and gives the exit code.
fn conclude(show: &mut Show, played: Done, log: Option<&str>) -> ExitCode {
    let (printed, code) = match played {
        Ok(()) => (show.end("All is as it should be, and all is gone again."), ExitCode::SUCCESS),
        Err(Stop::Wanted(None)) => (show.end("Ended; all is gone again."), ExitCode::SUCCESS),
        Err(Stop::Wanted(Some(number))) => {
            (show.end("Interrupted; all is gone again."), ExitCode::from(128 + number))
        }
        Err(Stop::Output(error)) => (Err(error), Exit::IoErr.into()),
        Err(Stop::Wrong { expected, seen }) => (show.failed(&expected, &seen, log), ExitCode::FAILURE),
        Err(Stop::Lab(LabError::Daemon { what, log })) => {
            (show.failed("the daemon does its part", &what, Some(&log)), ExitCode::FAILURE)
        }
        Err(Stop::Lab(error)) => {
            (show.failed("the lab does its part", &error.to_string(), log), ExitCode::FAILURE)
        }
    };
    match printed {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::IoErr.into(),
        Err(error) => {
            complain(&format!("cannot print: {error}"));
            Exit::IoErr.into()
        }
        Ok(()) => code,
    }
}

/// One line on standard error; if even that is closed, the exit code still tells.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "arpherd demo: {text}");
}

/// The middle one of some times; none of none.
fn median(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// A time for a table, or a dash.
fn shown(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), millis)
}
