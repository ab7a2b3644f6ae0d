//! The recorder: writes every fact given to the ledger to a file, one JSON line each, for `arpherd replay`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use actix::{Actor, Context, Handler};
use arpherd_core::{Fact, Plan, Time};
use serde::Serialize;
use slog::{Logger, error};

use crate::messages::{Finish, RecordFacts};

/// First line of a recording: the plan from which the ledger was made.
#[derive(Serialize)]
struct RecordingHeader<'a> {
    plan: &'a Plan,
}

/// Every other line of a recording.
#[derive(Serialize)]
struct RecordedFact<'a> {
    /// In nanoseconds since the start.
    at: Time,
    fact: &'a Fact,
}

/// Writes facts to a file. Runs on the back thread, so a slow disk does not delay the packet path.
pub struct Recorder {
    /// `None` after a write failed: an incomplete recording must not look complete.
    file: Option<BufWriter<File>>,
    log: Logger,
}

impl Recorder {
    /// Creates the file and writes the plan to it.
    ///
    /// # Errors
    /// If the file cannot be created or written.
    pub fn create(path: &Path, plan: &Plan, log: Logger) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        write_line(&mut file, &RecordingHeader { plan })?;
        file.flush()?;
        Ok(Self { file: Some(file), log })
    }

    fn record(&mut self, facts: &[(Time, Fact)]) {
        let Some(file) = &mut self.file else { return };
        let written = facts
            .iter()
            .try_for_each(|(at, fact)| write_line(file, &RecordedFact { at: *at, fact }))
            .and_then(|()| file.flush());
        if let Err(cause) = written {
            error!(self.log, "recording_failed"; "error" => %cause, "detail" => "no later fact is recorded");
            self.file = None;
        }
    }
}

fn write_line(file: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, line)?;
    file.write_all(b"\n")
}

impl Actor for Recorder {
    type Context = Context<Self>;
}

impl Handler<RecordFacts> for Recorder {
    type Result = ();

    fn handle(&mut self, RecordFacts(facts): RecordFacts, _: &mut Self::Context) {
        self.record(&facts);
    }
}

impl Handler<Finish> for Recorder {
    type Result = ();

    fn handle(&mut self, _: Finish, _: &mut Self::Context) {
        self.file = None;
    }
}
