//! Records for the systemd journal in its own protocol, so that each key is a field that can be searched.
//!
//! <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>: one datagram a record, a line `NAME=VALUE` for each field; a value of
//! several lines follows its name's line with its length before it, eight octets with the lowest first.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use slog::{Drain, KV, Key, Level, OwnedKVList, Record, Serializer};

use super::Escaped;

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// What is kept of a value: a datagram has to fit into the socket's buffer, 208 KiB unless somebody changed it.
const LONGEST: usize = 32 * 1024;
/// Likewise, when the datagram did not fit.
const SHORTEST: usize = 256;
/// What a shortened value ends in.
const SHORTENED: &str = " (shortened)";

/// Whether records have fields. journald looks up the unit of a datagram's sender when it reads the datagram, and finds none
/// if the process has ended by then; of a line on standard error it knows the unit. So what may be a process's last words
/// are lines.
static FIELDS: AtomicBool = AtomicBool::new(false);

/// Has records written with fields (true) or as lines from now on: lines while the process may end at any moment.
pub(crate) fn use_fields(fields: bool) {
    FIELDS.store(fields, Ordering::Relaxed);
}

/// Writes records to the journal, and to standard error if nobody listens at its socket.
#[derive(Debug)]
pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

/// Whether standard error is the journal: systemd says in `JOURNAL_STREAM` which file the journal is (systemd.exec(5)).
pub(super) fn is_stderr() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() else { return false };
    File::from(stderr).metadata().is_ok_and(|found| stream == format!("{}:{}", found.dev(), found.ino()))
}

impl Journal {
    /// The journal of this machine. The socket is named in each datagram, so a journald that is restarted is reached again.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { socket: UnixDatagram::unbound()?, path: SOCKET.into() })
    }

    fn send(&self, fields: &Fields, longest: usize) -> io::Result<()> {
        self.socket.send_to(&fields.datagram(longest), &self.path).map(|_| ())
    }
}

impl Drain for Journal {
    type Ok = ();
    type Err = io::Error;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> io::Result<()> {
        let fields = Fields::of(record, values);
        let has_fields = FIELDS.load(Ordering::Relaxed);
        let sent = || self.send(&fields, LONGEST).or_else(|_| self.send(&fields, SHORTEST));
        if has_fields && sent().is_ok() {
            return Ok(());
        }
        // The number is what systemd takes for the priority of a line (sd-daemon(3)).
        writeln!(io::stderr().lock(), "<{}>{}", fields.priority, fields.line())
    }
}

/// A record's parts.
struct Fields {
    priority: u8,
    event: String,
    /// Those of the logger first, each in the order in which they were given.
    pairs: Vec<(String, String)>,
}

impl Fields {
    fn of(record: &Record<'_>, values: &OwnedKVList) -> Self {
        let mut collected = Collected(Vec::new());
        // Both come from the last to the first. What cannot be formatted is left out.
        let _ = record.kv().serialize(record, &mut collected);
        let _ = values.serialize(record, &mut collected);
        collected.0.reverse();
        Self { priority: priority(record.level()), event: record.msg().to_string(), pairs: collected.0 }
    }

    /// As the text format has it, without time and level, which the journal has itself.
    fn line(&self) -> String {
        let mut line = Escaped(&self.event).to_string();
        for (key, value) in &self.pairs {
            // Writing to a string does not fail.
            let _ = write!(line, ", {}: {}", Escaped(key), Escaped(value));
        }
        line
    }

    /// `longest`: the octets that are kept of each value.
    fn datagram(&self, longest: usize) -> Vec<u8> {
        let mut datagram = Vec::new();
        put(&mut datagram, "MESSAGE", &self.line(), longest);
        put(&mut datagram, "PRIORITY", &self.priority.to_string(), longest);
        put(&mut datagram, "SYSLOG_IDENTIFIER", "arpherd", longest);
        put(&mut datagram, "ARPHERD_EVENT", &self.event, longest);
        for (key, value) in &self.pairs {
            put(&mut datagram, &name(key), value, longest);
        }
        datagram
    }
}

/// The journal's name of a key: capitals, digits and underscores, 64 at the most.
fn name(key: &str) -> String {
    let capitals =
        key.chars().map(|it| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' });
    "ARPHERD_".chars().chain(capitals).take(64).collect()
}

fn put(datagram: &mut Vec<u8>, name: &str, value: &str, longest: usize) {
    let end = value.floor_char_boundary(longest);
    let shortened = if end < value.len() { SHORTENED } else { "" };
    let value = &value[..end];
    datagram.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        datagram.push(b'\n');
        datagram.extend_from_slice(&((value.len() + shortened.len()) as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend_from_slice(value.as_bytes());
    datagram.extend_from_slice(shortened.as_bytes());
    datagram.push(b'\n');
}

/// The level as syslog has it.
fn priority(level: Level) -> u8 {
    match level {
        Level::Critical => 2,
        Level::Error => 3,
        Level::Warning => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Collects keys and values as text.
struct Collected(Vec<(String, String)>);

impl Serializer for Collected {
    fn emit_arguments(&mut self, key: Key, value: &fmt::Arguments<'_>) -> slog::Result {
        self.0.push((key.to_string(), value.to_string()));
        Ok(())
    }

    /// A key without a value is no field.
    fn emit_none(&mut self, _: Key) -> slog::Result {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use slog::{Logger, error, info, o};

    use super::*;

    /// A logger to a journal in the folder, and the journal's end of the socket.
    fn journal(folder: &std::path::Path) -> (Logger, UnixDatagram) {
        let path = folder.join("socket");
        let received = UnixDatagram::bind(&path).expect("a socket");
        received.set_nonblocking(true).expect("a socket");
        use_fields(true);
        let journal = Journal { socket: UnixDatagram::unbound().expect("a socket"), path };
        (Logger::root(journal.ignore_res(), o!("actor" => "watch")), received)
    }

    fn next(received: &UnixDatagram) -> String {
        let mut datagram = vec![0; 1 << 20];
        let length = received.recv(&mut datagram).expect("a record");
        String::from_utf8(datagram[..length].to_vec()).expect("text")
    }

    #[test]
    fn each_key_is_a_field() {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, received) = journal(folder.path());
        error!(log, "host_moved"; "address" => "10.2.0.9", "none" => None::<u8>, "old-segment" => 7);
        assert_eq!(
            next(&received),
            "MESSAGE=host_moved, actor: watch, address: 10.2.0.9, old-segment: 7\nPRIORITY=3\n\
             SYSLOG_IDENTIFIER=arpherd\nARPHERD_EVENT=host_moved\nARPHERD_ACTOR=watch\n\
             ARPHERD_ADDRESS=10.2.0.9\nARPHERD_OLD_SEGMENT=7\n"
        );
    }

    #[test]
    fn a_value_cannot_add_a_field() {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, received) = journal(folder.path());
        info!(log, "wifi"; "ssid" => "a\nPRIORITY=0");
        let text = next(&received);
        assert!(text.contains("MESSAGE=wifi, actor: watch, ssid: a\\nPRIORITY=0\n"), "{text}");
        assert!(text.ends_with("ARPHERD_SSID\n\u{c}\0\0\0\0\0\0\0a\nPRIORITY=0\n"), "{text:?}");
    }

    #[test]
    fn what_is_too_long_for_a_datagram_is_shortened_and_not_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, received) = journal(folder.path());
        let keys: Vec<String> = (0..20).map(|number| format!("{number}{}", "é".repeat(100_000))).collect();
        info!(log, "one"; "a" => &keys[0]);
        let one = next(&received);
        assert!(one.len() < 100_000 && one.contains("é (shortened)\n"));
        // Together they are too many even so.
        let log = keys.iter().fold(log, |log, value| log.new(o!("key" => value.clone())));
        info!(log, "many");
        let many = next(&received);
        assert!(many.len() < 20_000 && many.matches(SHORTENED).count() == 21);
    }
}
