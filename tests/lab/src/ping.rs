//! ICMP echo from a namespace, without the ping program.
#![expect(unsafe_code, reason = "std has no raw sockets")]

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use crate::Netns;
use crate::error::check;
use crate::wait::{left, readable};

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PingStats {
    /// Requests made, those the kernel could not send included.
    pub sent: u32,
    /// Requests answered in time.
    pub received: u32,
    /// How long each answer took, in order of arrival.
    pub rtts: Vec<Duration>,
    /// The numbers of the unanswered requests, from 0 on.
    pub lost: Vec<u32>,
}

impl PingStats {
    /// The longest run of unanswered requests.
    pub fn longest_gap(&self) -> u32 {
        let (mut longest, mut run, mut last) = (0, 0, None);
        for &number in &self.lost {
            run = if last.is_some_and(|last: u32| last + 1 == number) { run + 1 } else { 1 };
            longest = longest.max(run);
            last = Some(number);
        }
        longest
    }
}

/// Distinct for each run, so that runs in one namespace at one time do not count each other's answers.
static RUNS: AtomicU16 = AtomicU16::new(1);

impl Netns {
    /// Sends `count` (at most 65,536) echo requests to `target`, one every `interval`, and waits up to
    /// `timeout` after the last for what is missing.
    ///
    /// # Panics
    /// When the kernel gives no raw socket.
    pub fn ping(&self, target: Ipv4Addr, count: u32, interval: Duration, timeout: Duration) -> PingStats {
        if count == 0 {
            return PingStats::default();
        }
        self.ping_until(target, interval, timeout, |stats| stats.sent >= count)
    }

    /// Sends echo requests to `target` until, right after one of them, `done` says so of what came of
    /// all before (the numbers of the lost are known only at the end); at most 65,536, one every
    /// `interval`. Waits up to `timeout` after the last for what is missing.
    ///
    /// # Panics
    /// When the kernel gives no raw socket.
    pub fn ping_until(
        &self,
        target: Ipv4Addr,
        interval: Duration,
        timeout: Duration,
        mut done: impl FnMut(&PingStats) -> bool,
    ) -> PingStats {
        let socket = self.run(|| open(target)).expect("root of a namespace may open raw sockets in it");
        let id = RUNS.fetch_add(1, Ordering::Relaxed);
        let mut run = Run { socket, id, target, waiting: HashMap::new(), stats: PingStats::default() };
        let start = Instant::now();
        for number in 0..=u16::MAX {
            run.send(number);
            let due = start + interval * u32::from(number);
            if done(&run.stats) || number == u16::MAX {
                run.listen(due + timeout, true);
                break;
            }
            run.listen(due + interval, false);
        }
        run.stats.lost = run.waiting.keys().copied().map(u32::from).collect();
        run.stats.lost.sort_unstable();
        run.stats
    }
}

/// A raw socket that receives ICMP from `target` only. As a UDP socket of std's it sends and receives like
/// any other; only its making is special.
fn open(target: Ipv4Addr) -> io::Result<UdpSocket> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_INET, kind, libc::IPPROTO_ICMP) })?;
    // SAFETY: the kernel just gave us this descriptor, nobody else holds it.
    let socket = UdpSocket::from(unsafe { OwnedFd::from_raw_fd(fd) });
    match socket.connect((target, 0)) {
        // No route yet may still become a route: the requests show.
        Err(error) if error.raw_os_error() != Some(libc::ENETUNREACH) && !unreachable(&error) => Err(error),
        _ => Ok(socket),
    }
}

fn unreachable(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EHOSTUNREACH | libc::EACCES | libc::EINVAL))
}

struct Run {
    socket: UdpSocket,
    id: u16,
    target: Ipv4Addr,
    waiting: HashMap<u16, Instant>,
    stats: PingStats,
}

impl Run {
    fn send(&mut self, number: u16) {
        let mut packet = [0; 64];
        packet[0] = 8; // echo request
        packet[4..6].copy_from_slice(&self.id.to_be_bytes());
        packet[6..8].copy_from_slice(&number.to_be_bytes());
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
        self.stats.sent += 1;
        self.waiting.insert(number, Instant::now());
        // "Host unreachable" and its like are reported here, sometimes of an earlier packet, and clear with
        // the report; the second try is this packet's own.
        for _ in 0..2 {
            if self.socket.send_to(&packet, (self.target, 0)).is_ok() {
                return;
            }
        }
    }

    /// Takes answers until `end`, or until none is missing where `last` says that no more will be asked.
    fn listen(&mut self, end: Instant, last: bool) {
        let mut buffer = [0; 2048];
        let start = Instant::now();
        let limit = end.saturating_duration_since(start);
        while !(last && self.waiting.is_empty()) {
            let left = left(start, limit);
            if left.is_zero() || !readable(self.socket.as_raw_fd(), left).unwrap_or(false) {
                return;
            }
            if let Ok((length, from)) = self.socket.recv_from(&mut buffer)
                && from.ip() == self.target
            {
                self.take(&buffer[..length]);
            }
        }
    }

    /// A raw socket's packets begin with their IP header.
    fn take(&mut self, packet: &[u8]) {
        let header = usize::from(packet.first().map_or(0, |first| first & 15)) * 4;
        let Some(&[kind, _, _, _, id0, id1, number0, number1]) =
            packet.get(header..).and_then(|icmp| icmp.first_chunk())
        else {
            return;
        };
        if kind == 0 && u16::from_be_bytes([id0, id1]) == self.id {
            // A second answer to one request finds nothing.
            if let Some(sent) = self.waiting.remove(&u16::from_be_bytes([number0, number1])) {
                self.stats.received += 1;
                self.stats.rtts.push(sent.elapsed());
            }
        }
    }
}

fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum >> 16) + (sum & 0xffff);
    !u16::try_from((folded >> 16) + (folded & 0xffff)).unwrap_or(u16::MAX)
}
