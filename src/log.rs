//! The daemon's log: set-up, and how the core's events become records.
//!
//! ```text
//! Logger ──► Gate (level, changes while running) ──► slog-async (a thread) ──► text, JSON or journal ──► stderr
//! ```
//!
//! A record never blocks the actor that writes it: when the thread does not keep up, records are dropped
//! and their number is logged. A standard error that is closed or full is no reason to end.

mod escape;
mod event_record;
mod journal;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use slog::{Drain, Level, Logger, Never, OwnedKVList, Record, o};
use slog_async::{AsyncGuard, OverflowStrategy};
use slog_term::{Decorator, FullFormat, PlainDecorator, TermDecorator};

pub(crate) use escape::Escaped;
use journal::Journal;
pub(crate) use journal::use_fields;

pub(crate) use event_record::{SegmentNames, event_values, log_event};

/// Records that may wait for the log's thread.
const CHANNEL: usize = 1024;

/// Octets of a record that still goes out in one piece.
const LONG_RECORD: usize = 4096;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// To the journal with a field for each key if standard error is the journal, otherwise text.
    #[default]
    Auto,
    /// For people: a line each, time in UTC.
    Text,
    /// For programs: a JSON object a line, with `ts`, `level`, `msg` and the record's own keys.
    Json,
}

/// A running log. Keep it in `main` until the end: dropping it writes out what still waits.
#[must_use = "what still waits is lost if main does not keep it"]
pub(crate) struct Log {
    /// Where records go in.
    pub(crate) logger: Logger,
    /// What is let through.
    pub(crate) level: LevelSwitch,
    guard: Flush,
}

/// Writes out what still waits. Clones write the same log.
#[derive(Clone)]
pub(crate) struct Flush(Arc<Mutex<Option<AsyncGuard>>>);

impl Flush {
    /// Writes out what still waits, and ends the log. Returns after that, or after `limit`.
    pub(crate) fn flush(&self, limit: Duration) {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (done, is_done) = mpsc::channel();
        let written = thread::Builder::new().spawn(move || {
            // Waits for the log's thread.
            drop(guard);
            let _ = done.send(());
        });
        if written.is_ok() {
            let _ = is_done.recv_timeout(limit);
        }
    }
}

impl Log {
    /// To write out what still waits before the process ends otherwise than from `main`.
    pub(crate) fn flush(&self) -> Flush {
        self.guard.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        drop(self.guard.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Which records are let through; may be turned while the daemon runs.
#[derive(Debug, Clone)]
pub(crate) struct LevelSwitch(Arc<AtomicUsize>);

impl LevelSwitch {
    /// Lets this level and all that matter more through.
    pub(crate) fn new(level: Level) -> Self {
        Self(Arc::new(AtomicUsize::new(level.as_usize())))
    }

    /// What is let through now, with all that matter more.
    pub(crate) fn get(&self) -> Level {
        Level::from_usize(self.0.load(Ordering::Relaxed)).unwrap_or(Level::Info)
    }

    /// Lets this level and all that matter more through from now on.
    pub(crate) fn set(&self, level: Level) {
        self.0.store(level.as_usize(), Ordering::Relaxed);
    }

    /// From anything else to debug, and from debug to `usual`; says which it is now.
    pub(crate) fn toggle_debug(&self, usual: Level) -> Level {
        let next =
            if self.0.load(Ordering::Relaxed) == Level::Debug.as_usize() { usual } else { Level::Debug };
        self.set(next);
        next
    }

    fn lets_through(&self, level: Level) -> bool {
        level.as_usize() <= self.0.load(Ordering::Relaxed)
    }
}

/// Starts the log on standard error. The caller has put its process into the final state for new threads
/// (capabilities, sandbox) before.
pub(crate) fn start(format: Format, level: Level) -> Log {
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let journal = (format == Format::Auto && journal::is_stderr()).then(Journal::new);
    match format {
        Format::Auto if let Some(Ok(journal)) = journal => start_with(journal, level),
        Format::Text | Format::Auto if colours => {
            start_with(text(TermDecorator::new().stderr().build()), level)
        }
        Format::Text | Format::Auto => start_with(plain(io::stderr()), level),
        Format::Json => start_with(json(io::stderr()), level),
    }
}

fn start_with<D>(drain: D, level: Level) -> Log
where
    D: Drain<Ok = (), Err = io::Error> + Send + 'static,
{
    let (drain, guard) = slog_async::Async::new(drain.ignore_res())
        .chan_size(CHANNEL)
        .overflow_strategy(OverflowStrategy::DropAndReport)
        .build_with_guard();
    let level = LevelSwitch::new(level);
    let gate = Gate { level: level.clone(), drain: drain.ignore_res() };
    let guard = Flush(Arc::new(Mutex::new(Some(guard))));
    Log { logger: Logger::root(gate.fuse(), o!()), level, guard }
}

fn text<D: Decorator>(decorator: D) -> FullFormat<escape::Careful<D>> {
    FullFormat::new(escape::Careful(decorator))
        .use_original_order()
        .use_custom_timestamp(slog_term::timestamp_utc)
        .build()
}

fn plain<W: Write>(writer: W) -> FullFormat<escape::Careful<PlainDecorator<BufWriter<W>>>> {
    text(PlainDecorator::new(buffered(writer)))
}

fn json<W: Write + Send + 'static>(writer: W) -> impl Drain<Ok = (), Err = io::Error> + Send {
    slog_json::Json::new(buffered(writer)).add_default_keys().set_flush(true).build()
}

/// A record is written in dozens of pieces, and then flushed; this makes one call of it.
fn buffered<W: Write>(writer: W) -> BufWriter<W> {
    BufWriter::with_capacity(LONG_RECORD, writer)
}

/// Keeps records below the level from everything behind it.
struct Gate<D> {
    level: LevelSwitch,
    drain: D,
}

impl<D: Drain<Ok = (), Err = Never>> Drain for Gate<D> {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        if self.level.lets_through(record.level()) { self.drain.log(record, values) } else { Ok(()) }
    }

    fn is_enabled(&self, level: Level) -> bool {
        self.level.lets_through(level) && self.drain.is_enabled(level)
    }
}

#[cfg(test)]
mod tests {
    use slog::{debug, info};

    use super::*;

    /// What was written, call by call; readable after the log has ended.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Written {
        fn calls(&self) -> Vec<Vec<u8>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }

        fn text(&self) -> String {
            String::from_utf8_lossy(&self.calls().concat()).into_owned()
        }
    }

    impl Write for Written {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(octets.to_vec());
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn record_goes_out_in_one_call() {
        let (text, objects) = (Written::default(), Written::default());
        for log in
            [start_with(plain(text.clone()), Level::Info), start_with(json(objects.clone()), Level::Info)]
        {
            info!(log.logger, "segment_up"; "interface" => "eth0", "ssid" => "Caf\u{e9}\n\u{1f4f6}");
            info!(log.logger, "ready"; "segments" => 2);
            drop(log);
        }
        for written in [text, objects] {
            let calls = written.calls();
            let is_a_line = |call: &Vec<u8>| {
                call.ends_with(b"\n") && call.iter().filter(|octet| **octet == b'\n').count() == 1
            };
            assert!(calls.len() == 2 && calls.iter().all(is_a_line), "{:?}", written.text());
        }
    }

    #[test]
    fn text_records_are_one_harmless_line_each_with_keys_in_their_order() {
        let written = Written::default();
        let log = start_with(plain(written.clone()), Level::Info);
        let logger = log.logger.new(o!("interface" => "wlan0"));
        info!(logger, "heard {}", "of\nERRO"; "ssid" => "\x1b]0;owned\x07", "lladdr" => "02:00:00:00:00:09");
        drop((logger, log));
        let text = written.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        let (time, rest) = text.split_once(" INFO ").expect("a level");
        assert!(time.rsplit_once('.').is_some_and(|(_, millis)| millis.len() == 3), "{time}");
        assert_eq!(
            rest,
            "heard of\\nERRO, interface: wlan0, ssid: \\u{1b}]0;owned\\u{7}, lladdr: 02:00:00:00:00:09\n"
        );
    }

    #[test]
    fn json_records_are_an_object_a_line() {
        let written = Written::default();
        let log = start_with(json(written.clone()), Level::Info);
        info!(log.logger, "ready"; "segments" => 2, "reason" => "a\nb");
        info!(log.logger, "bye");
        drop(log);
        let text = written.text();
        let records: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect();
        assert_eq!(records.len(), 2);
        assert_eq!(records[0]["msg"], "ready");
        assert_eq!(records[0]["level"], "INFO");
        assert_eq!(records[0]["segments"], 2);
        assert_eq!(records[0]["reason"], "a\nb");
        assert!(records[0]["ts"].as_str().is_some_and(|time| time.ends_with('Z')), "{text}");
    }

    #[test]
    fn level_turns_while_running() {
        let written = Written::default();
        let log = start_with(plain(written.clone()), Level::Info);
        debug!(log.logger, "first");
        assert!(!log.logger.is_debug_enabled());
        log.level.set(Level::Debug);
        debug!(log.logger, "second");
        log.level.set(Level::Warning);
        info!(log.logger, "third");
        drop(log);
        let text = written.text();
        assert!(text.contains("second") && !text.contains("first") && !text.contains("third"), "{text}");
    }

    #[test]
    fn log_that_cannot_be_written_disturbs_nobody() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _octets: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::StorageFull.into())
            }
        }
        for log in [start_with(plain(Full), Level::Info), start_with(json(Full), Level::Info)] {
            info!(log.logger, "ready"; "a" => 1, "b" => 2);
            // A panic of the log's thread would come out here.
            drop(log);
        }
    }
}
