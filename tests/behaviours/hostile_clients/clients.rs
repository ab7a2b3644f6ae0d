//! The clients: each kind is a thread.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arpherd_lab::become_user;

use crate::rig::pass;

/// Connections that a client has at a time.
const HELD: usize = 40;
const HOSTS: &[u8] = b"{\"get\":\"hosts\"}\n";
const EVENTS: &[u8] = b"{\"get\":\"events\"}\n";
const FOLLOW: &[u8] = b"{\"get\":\"events\",\"after\":0,\"wait\":true}\n";

/// The user, the group and the supplementary groups that clients have.
pub(super) type User = (u32, u32, Vec<u32>);

/// What a client does.
enum Kind {
    /// Many connections, opened again when they are closed; the oldest are given up for new ones. It sends this again and
    /// again, and reads so much at a time.
    Hold { octets: Vec<u8>, shut: bool, read: usize },
    /// Connections that are kept, and never read.
    Stay(Vec<u8>),
    /// Responses as fast as they come.
    Poll(&'static [u8]),
}

fn kinds() -> Vec<Kind> {
    let hold = |octets: &[u8], read| Kind::Hold { octets: octets.to_vec(), shut: false, read };
    vec![
        hold(b"", 0),
        hold(&[b'a'; 4096], 0),
        hold(b"{", 1),
        Kind::Hold { octets: Vec::new(), shut: true, read: 0 },
        hold(&HOSTS.repeat(100), 0),
        hold(HOSTS, 1),
        hold(&[b'\n'; 4096], 0),
        Kind::Stay(HOSTS.to_vec()),
        Kind::Stay(FOLLOW.repeat(100)),
        Kind::Stay(EVENTS.to_vec()),
        Kind::Poll(HOSTS),
        Kind::Poll(EVENTS),
    ]
}

/// Clients that are at work.
pub(super) struct Clients {
    threads: Vec<JoinHandle<()>>,
    opened: Arc<AtomicU64>,
}

impl Clients {
    /// Starts one of each kind, for so long.
    pub(super) fn start(path: &Path, span: Duration, user: Option<&User>) -> Self {
        let opened = Arc::<AtomicU64>::default();
        let client = |kind: Kind| {
            let target =
                Target { path: path.to_owned(), end: Instant::now() + span, opened: Arc::clone(&opened) };
            let user = user.cloned();
            thread::spawn(move || {
                if let Some((user, group, groups)) = user {
                    become_user(user, group, &groups).expect("this thread may be another user's");
                }
                target.attack(kind);
            })
        };
        Self { threads: kinds().into_iter().map(client).collect(), opened }
    }

    /// Waits for their end; how many connections they made.
    pub(super) fn end(self) -> u64 {
        self.threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
        self.opened.load(Ordering::Relaxed)
    }
}

struct Target {
    path: PathBuf,
    end: Instant,
    opened: Arc<AtomicU64>,
}

impl Target {
    fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    fn connect(&self) -> Option<UnixStream> {
        let client = UnixStream::connect(&self.path).ok()?;
        client.set_nonblocking(true).ok()?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        Some(client)
    }

    fn attack(&self, kind: Kind) {
        match kind {
            Kind::Hold { octets, shut, read } => self.hold(&octets, shut, read),
            Kind::Stay(octets) => self.stay(&octets),
            Kind::Poll(query) => self.poll(query),
        }
    }

    fn hold(&self, octets: &[u8], shut: bool, read: usize) {
        let mut held = VecDeque::new();
        while self.goes_on() {
            held.extend(self.connect());
            if held.len() > HELD {
                held.pop_front();
            }
            held.retain_mut(|client| drive(client, octets, shut, read));
            pass(Duration::from_millis(5));
        }
    }

    fn stay(&self, octets: &[u8]) {
        let mut held = Vec::new();
        while self.goes_on() {
            if held.len() < HELD
                && let Some(mut client) = self.connect()
            {
                drive(&mut client, octets, false, 0);
                held.push(client);
            }
            pass(Duration::from_millis(20));
        }
    }

    fn poll(&self, query: &[u8]) {
        while self.goes_on() {
            let Some(mut client) = self.connect() else {
                pass(Duration::from_millis(1));
                continue;
            };
            while self.goes_on() && drive(&mut client, query, false, 1 << 20) {
                pass(Duration::from_millis(1));
            }
        }
    }
}

/// Whether the connection goes on.
fn drive(client: &mut UnixStream, octets: &[u8], shut: bool, read: usize) -> bool {
    let mut work = || {
        if !octets.is_empty() {
            let _ = client.write(octets)?;
        }
        if shut {
            client.shutdown(Shutdown::Write)?;
        }
        if read > 0 { client.read(&mut vec![0; read]).map(|count| count > 0) } else { Ok(true) }
    };
    work().unwrap_or_else(|error: std::io::Error| error.kind() == ErrorKind::WouldBlock)
}
