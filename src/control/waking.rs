//! `arpherd wake`: has a magic packet sent, and waits for the machine to answer.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use arpherd_core::view::{Command, ProbeView, Query, WokenView};
use arpherd_core::wake::Sleeper;
use arpherd_core::{Address, LinkAddr};
use async_std::task;

use super::client::{ClientError, fetch_as, print, report};
use super::protocol::ControlQuery;
use super::table;
use crate::exit::Exit;

/// Between two requests for the address.
const ASK: Duration = Duration::from_secs(1);
/// Between two looks for an answer.
const LOOK: Duration = Duration::from_millis(50);

/// Has a machine woken. With `wait`, exit code 1: it did not answer.
pub(crate) fn run_wake(sleeper: Sleeper, wait: Option<Duration>, path: &Path, json: bool) -> ExitCode {
    let awaited = match (sleeper, wait) {
        (_, None) => None,
        (Sleeper::Host(address), Some(wait)) => Some((address, wait)),
        (Sleeper::Station(station), Some(_)) => {
            eprintln!("arpherd: --wait asks for an IPv4 address, and {station} is none");
            return Exit::Usage.into();
        }
    };
    let rows: Vec<WokenView> = match fetch_as(path, ControlQuery::Operate(Command::Wake(sleeper))) {
        Ok(rows) => rows,
        Err(error) => return report(&error),
    };
    let printed = print(|out| table::write_woken(out, &rows, json));
    let Some((address, wait)) = awaited.filter(|_| printed == ExitCode::SUCCESS) else { return printed };
    let start = Instant::now();
    match answer(address, wait, path) {
        Ok(Some(station)) => {
            eprintln!(
                "arpherd: {address} answered after {:.1} s, at {station}",
                start.elapsed().as_secs_f32()
            );
            printed
        }
        Ok(None) => {
            eprintln!("arpherd: {address} did not answer within {} s", wait.as_secs_f32());
            ExitCode::from(1)
        }
        Err(error) => report(&error),
    }
}

/// Asks for the address until it answers.
fn answer(address: Address, wait: Duration, path: &Path) -> Result<Option<LinkAddr>, ClientError> {
    let start = Instant::now();
    loop {
        let asked = Instant::now();
        let mut rows: Vec<ProbeView> = fetch_as(path, ControlQuery::Operate(Command::Probe(address)))?;
        loop {
            let answers = rows.iter().flat_map(|row| &row.segments).flat_map(|segment| &segment.answers);
            if let Some(answer) = answers.into_iter().next() {
                return Ok(Some(answer.lladdr));
            }
            if start.elapsed() >= wait {
                return Ok(None);
            }
            if asked.elapsed() >= ASK {
                break;
            }
            task::block_on(task::sleep(LOOK.min(wait.saturating_sub(start.elapsed()))));
            rows = fetch_as(path, Query::Probed(address))?;
        }
    }
}
