//! Replay: prints the orders that the core gives for the facts of a recording.
//!
//! A recording is JSON lines: first the plan, `{"why": …, "plan": {…}}`, then facts in the order of their times,
//! `{"at": nanoseconds, "fact": {…}}`. Between them the ledger gets `time_passed` exactly at its deadlines.

mod show;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead, Write};

use arpherd_core::{Fact, Ledger, Order, Plan, Time};
use serde::{Deserialize, Serialize};
use show::PlanNames;

/// The latest time accepted, 146 years: the ledger adds durations to times, which must not overflow.
const LATEST: Time = Time::from_nanos(u64::MAX / 4);

/// Summary of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    /// The purpose of the recording, if its header has one.
    pub(crate) why: Option<String>,
    /// Number of facts.
    pub(crate) facts: u64,
    /// Number of orders.
    pub(crate) orders: u64,
    /// The time of the last fact.
    pub(crate) end: Time,
}

/// Why a recording cannot be replayed, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// It is empty.
    #[error("line 1: found the end of the file, expected the plan: {{\"plan\": {{…}}}}")]
    Empty,
    /// A line is malformed.
    #[error("line {line}, column {column}: {text}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// Counted from 1.
        column: usize,
        /// The error.
        text: String,
    },
    /// The plan is not valid.
    #[error("line 1: {0}")]
    Plan(String),
    /// A time is before that of the previous line, or out of range.
    #[error("line {line}: found the time {found}, expected one from {least} to {most} ns")]
    Time {
        /// Counted from 1.
        line: u64,
        /// The time found, in nanoseconds.
        found: u64,
        /// The time of the previous line.
        least: u64,
        /// The latest time accepted.
        most: u64,
    },
    /// The recording cannot be read.
    #[error("line {line}: cannot be read: {cause}")]
    Read {
        /// Counted from 1.
        line: u64,
        /// The system's error.
        cause: io::Error,
    },
    /// The output cannot be written.
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

/// Passes every fact of a recording to the core and writes each order with its time, one a line, as text or with
/// `json` as JSON.
///
/// # Errors
/// At the first line that is not valid. The orders for the lines before it have been written by then.
pub(crate) fn replay(reader: impl BufRead, out: &mut impl Write, json: bool) -> Result<Summary, ReplayError> {
    let mut lines = RecordingLines { reader, number: 0, text: String::new() };
    let head: RecordingHeader = lines.next()?.ok_or(ReplayError::Empty)?;
    check(&head.plan)?;
    let (ledger, names) = (Ledger::new(&head.plan), PlanNames::of(&head.plan));
    let mut run = ReplayRun { ledger, plan: head.plan, names, json, out, orders: Vec::new() };
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
        let next = run.next_plan(&fact);
        summary.orders += run.step(at, fact)?;
        if let Some(plan) = next {
            run.names = PlanNames::of(&plan);
            run.plan = plan;
        }
        summary.facts += 1;
        summary.end = at;
    }
    Ok(summary)
}

/// Checks the plan's indexes, which the core trusts.
fn check(plan: &Plan) -> Result<(), ReplayError> {
    let domains = plan.domains.len();
    if plan.segments.len() >= usize::from(u16::MAX) || domains >= usize::from(u16::MAX) {
        return Err(ReplayError::Plan("expected fewer than 65,535 domains and segments".to_owned()));
    }
    for segment in &plan.segments {
        let domain = segment.domain.0;
        if usize::from(domain) >= domains {
            let text =
                format!("segment {:?} has domain {domain}, expected a number below {domains}", segment.name);
            return Err(ReplayError::Plan(text));
        }
    }
    Ok(())
}

struct ReplayRun<'a, W> {
    ledger: Ledger,
    plan: Plan,
    names: PlanNames,
    json: bool,
    out: &'a mut W,
    orders: Vec<Order>,
}

impl<W: Write> ReplayRun<'_, W> {
    /// The plan that the ledger goes on with after the fact, if it does.
    fn next_plan(&self, fact: &Fact) -> Option<Plan> {
        let Fact::Replanned { plan } = fact else { return None };
        self.plan.may_become(plan).then(|| Plan::clone(plan))
    }

    /// One step of the ledger; returns the number of orders.
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

/// The lines of a recording, each one JSON value.
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
            // serde_json counts lines from the start of the text it got, so its line number is always 1.
            let text = error.to_string();
            let position = format!(" at line {} column {}", error.line(), error.column());
            let text = text.strip_suffix(&position).unwrap_or(&text).to_owned();
            ReplayError::Line { line: self.number, column: error.column(), text }
        })
    }
}
