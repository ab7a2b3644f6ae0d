//! Replay: what the core orders when it is told the facts of a recording.
//!
//! A recording is JSON lines: first the plan, `{"why": …, "plan": {…}}`, then facts in the order of their times,
//! `{"at": nanoseconds, "fact": {…}}`. Between them the ledger is woken exactly when it asked for it.

mod show;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead, Write};

use arpherd_core::{Fact, Ledger, Order, Plan, Time};
use serde::{Deserialize, Serialize};
use show::PlanNames;

/// Later times are refused: the ledger adds to them, and 146 years are long enough for a recording.
const LATEST: Time = Time::from_nanos(u64::MAX / 4);

/// What a replay went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    /// What the recording is there for, if it says so.
    pub(crate) why: Option<String>,
    /// Facts told.
    pub(crate) facts: u64,
    /// Orders printed.
    pub(crate) orders: u64,
    /// The time of the last fact.
    pub(crate) end: Time,
}

/// Why a recording cannot be replayed, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// There is nothing in it.
    #[error("line 1: found the end, expected the plan: {{\"plan\": {{…}}}}")]
    Empty,
    /// The line is not what it should be.
    #[error("line {line}, column {column}: {text}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// Counted from 1.
        column: usize,
        /// What is wrong.
        text: String,
    },
    /// The plan cannot be one.
    #[error("line 1: {0}")]
    Plan(String),
    /// The time is before that of the line before, or absurdly late.
    #[error("line {line}: found the time {found}, expected one from {least} to {most} ns")]
    Time {
        /// Counted from 1.
        line: u64,
        /// What stands there, in nanoseconds.
        found: u64,
        /// The time of the line before.
        least: u64,
        /// The latest there is.
        most: u64,
    },
    /// The recording cannot be read.
    #[error("line {line}: cannot be read: {cause}")]
    Read {
        /// Counted from 1.
        line: u64,
        /// The system's words.
        cause: io::Error,
    },
    /// What follows from it cannot be written.
    #[error("cannot write the orders: {0}")]
    Write(io::Error),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordingHeader {
    why: Option<String>,
    plan: Plan,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactLine {
    at: Time,
    fact: Fact,
}

#[derive(Serialize)]
struct OrderLine<'a> {
    at: Time,
    order: &'a Order,
}

/// Tells the core every fact of a recording and writes each order with its time, one a line: for people, or
/// with `json` for programs.
///
/// # Errors
/// At the first line that is not right. What follows from those before it is written by then.
pub(crate) fn replay(reader: impl BufRead, out: &mut impl Write, json: bool) -> Result<Summary, ReplayError> {
    let mut lines = RecordingLines { reader, number: 0, text: String::new() };
    let head: RecordingHeader = lines.next()?.ok_or(ReplayError::Empty)?;
    check(&head.plan)?;
    let names = PlanNames::of(&head.plan);
    let mut run = ReplayRun { ledger: Ledger::new(&head.plan), names, json, out, orders: Vec::new() };
    let mut summary = Summary { why: head.why, facts: 0, orders: 0, end: Time::ZERO };
    while let Some(FactLine { at, fact }) = lines.next()? {
        if at < summary.end || at > LATEST {
            return Err(ReplayError::Time {
                line: lines.number,
                found: at.as_nanos(),
                least: summary.end.as_nanos(),
                most: LATEST.as_nanos(),
            });
        }
        while let Some(due) = run.ledger.deadline().filter(|due| *due <= at) {
            summary.orders += run.step(due, Fact::TimePassed)?;
        }
        summary.orders += run.step(at, fact)?;
        summary.facts += 1;
        summary.end = at;
    }
    Ok(summary)
}

/// The core takes a plan as given, so what would be out of bounds is found here.
fn check(plan: &Plan) -> Result<(), ReplayError> {
    let domains = plan.domains.len();
    if plan.segments.len() >= usize::from(u16::MAX) || domains >= usize::from(u16::MAX) {
        return Err(ReplayError::Plan("expected fewer than 65,535 domains and segments".to_owned()));
    }
    for segment in &plan.segments {
        let domain = segment.domain.0;
        if usize::from(domain) >= domains {
            let text = format!("segment {:?} is of domain {domain}, and there are {domains}", segment.name);
            return Err(ReplayError::Plan(text));
        }
    }
    Ok(())
}

struct ReplayRun<'a, W> {
    ledger: Ledger,
    names: PlanNames,
    json: bool,
    out: &'a mut W,
    orders: Vec<Order>,
}

impl<W: Write> ReplayRun<'_, W> {
    /// One step of the ledger; the number of its orders.
    fn step(&mut self, at: Time, fact: Fact) -> Result<u64, ReplayError> {
        self.orders.clear();
        self.ledger.step(at, fact, &mut self.orders);
        for order in &self.orders {
            let written = if self.json {
                serde_json::to_writer(&mut *self.out, &OrderLine { at, order })
                    .map_err(io::Error::from)
                    .and_then(|()| writeln!(self.out))
            } else {
                writeln!(self.out, "{}  {}", show::Seconds(at), self.names.show(order))
            };
            written.map_err(ReplayError::Write)?;
        }
        Ok(self.orders.len() as u64)
    }
}

/// The lines of a recording, each one value.
struct RecordingLines<R> {
    reader: R,
    number: u64,
    text: String,
}

impl<R: BufRead> RecordingLines<R> {
    /// The next line that is not empty.
    fn next<T: for<'de> Deserialize<'de>>(&mut self) -> Result<Option<T>, ReplayError> {
        loop {
            self.number += 1;
            self.text.clear();
            let line = self.number;
            let read =
                self.reader.read_line(&mut self.text).map_err(|cause| ReplayError::Read { line, cause })?;
            if read == 0 {
                return Ok(None);
            }
            if !self.text.trim().is_empty() {
                break;
            }
        }
        serde_json::from_str(&self.text).map(Some).map_err(|error| {
            // Its own count of lines starts anew with each.
            let text = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            let text = text.strip_suffix(&place).unwrap_or(&text).to_owned();
            ReplayError::Line { line: self.number, column: error.column(), text }
        })
    }
}
