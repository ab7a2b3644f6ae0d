//! The recorder: every fact that went into the ledger, one JSON line each, for `arpherd replay`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use actix::{Actor, Context, Handler};
use arpherd_core::{Fact, Plan, Time};
use serde::Serialize;
use slog::{Logger, error};

use crate::messages::{Finish, Record};

/// First line of a recording: what the ledger was made from.
#[derive(Serialize)]
struct Head<'a> {
    plan: &'a Plan,
}

/// Every other line.
#[derive(Serialize)]
struct Line<'a> {
    /// Nanoseconds since the start.
    at: Time,
    fact: &'a Fact,
}

/// Writes facts to a file, on the thread where a slow disk hurts nobody.
pub struct Recorder {
    /// `None` after a failure: a recording with a hole would lie.
    file: Option<BufWriter<File>>,
    log: Logger,
}

impl Recorder {
    /// Creates the file and writes its head.
    ///
    /// # Errors
    /// If the file cannot be created or written.
    pub fn create(path: &Path, plan: &Plan, log: Logger) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        write_line(&mut file, &Head { plan })?;
        file.flush()?;
        Ok(Self { file: Some(file), log })
    }

    fn record(&mut self, facts: &[(Time, Fact)]) {
        let Some(file) = &mut self.file else { return };
        let written = facts
            .iter()
            .try_for_each(|(at, fact)| write_line(file, &Line { at: *at, fact }))
            .and_then(|()| file.flush());
        if let Err(cause) = written {
            error!(self.log, "recording_failed"; "error" => %cause, "hint" => "the recording ends here");
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

impl Handler<Record> for Recorder {
    type Result = ();

    fn handle(&mut self, Record(facts): Record, _: &mut Self::Context) {
        self.record(&facts);
    }
}

impl Handler<Finish> for Recorder {
    type Result = ();

    fn handle(&mut self, _: Finish, _: &mut Self::Context) {
        self.file = None;
    }
}
