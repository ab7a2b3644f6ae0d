//! Recording what passes a link.

use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::Tried;
use crate::packet::{Batch, PacketSocket, PacketType, Receives};
use crate::wait::{Stop, Woken, pause};
use crate::{ArpFrame, Netns, Result};

/// A recorded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// When the kernel had it, see [`monotonic_ns`](crate::monotonic_ns).
    pub ts_ns: u64,
    /// Whom it was for; distinguishes incoming from outgoing.
    pub kind: PacketType,
    /// The frame from its first octet on, at most 2,048 octets.
    pub bytes: Vec<u8>,
}

impl Captured {
    /// The frame's ARP packet, if it is one.
    pub fn arp(&self) -> Option<ArpFrame> {
        ArpFrame::decode(&self.bytes)
    }

    /// True for frames this machine sent through the link.
    pub fn outgoing(&self) -> bool {
        self.kind == PacketType::Outgoing
    }
}

/// Records all frames of a link, in both directions, until it is dropped. Never promiscuous.
pub struct Capture {
    tape: Arc<Tape>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

struct Tape {
    socket: PacketSocket,
    reel: Mutex<Reel>,
}

struct Reel {
    batch: Batch,
    frames: Vec<Captured>,
    dropped: u32,
}

impl Capture {
    /// Starts; every frame after the return is recorded.
    ///
    /// # Errors
    /// When the link is missing or the kernel gives no packet socket.
    pub fn start(ns: &Netns, link: &str) -> Result<Self> {
        let socket = PacketSocket::open(ns, link, Receives::All)?;
        let reel = Reel { batch: Batch::new(64), frames: Vec::new(), dropped: 0 };
        let tape = Arc::new(Tape { socket, reel: Mutex::new(reel) });
        let stop = Stop::new().tried(|| "make an eventfd".to_owned())?;
        let thread = {
            let (tape, stop) = (Arc::clone(&tape), stop.clone());
            thread::spawn(move || {
                while stop.wait(tape.socket.as_raw_fd(), None).is_ok_and(|woken| woken != Woken::Stopped) {
                    tape.wind(|_| ());
                }
            })
        };
        Ok(Self { tape, stop, thread: Some(thread) })
    }

    /// All frames up to this moment, oldest first.
    pub fn frames(&self) -> Vec<Captured> {
        self.tape.wind(|reel| reel.frames.clone())
    }

    /// All ARP packets up to this moment, oldest first, those we sent included.
    pub fn arps(&self) -> Vec<ArpFrame> {
        self.tape.wind(|reel| reel.frames.iter().filter_map(Captured::arp).collect())
    }

    /// The first frame, from the start on, that `fits`; waits for it up to `limit`.
    pub fn wait_for(&self, mut fits: impl FnMut(&Captured) -> bool, limit: Duration) -> Option<Captured> {
        let start = std::time::Instant::now();
        let mut asked = 0;
        loop {
            let found = self.tape.wind(|reel| {
                let found = reel.frames.iter().skip(asked).find(|frame| fits(frame)).cloned();
                asked = reel.frames.len();
                found
            });
            if found.is_some() || start.elapsed() >= limit {
                return found;
            }
            pause(Duration::from_millis(1));
        }
    }

    /// Forgets all frames up to this moment.
    pub fn clear(&self) {
        self.tape.wind(|reel| reel.frames.clear());
    }

    /// Frames lost because they came faster than they were recorded; a test that counts wants 0.
    pub fn dropped(&self) -> u32 {
        self.tape.wind(|reel| reel.dropped)
    }

    /// Ends the recording and gives all of it.
    pub fn stop(mut self) -> Vec<Captured> {
        let frames = self.tape.wind(|reel| std::mem::take(&mut reel.frames));
        self.end();
        frames
    }

    fn end(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.end();
    }
}

impl Tape {
    /// Reads what waits, then lets `look` see. Readers do this themselves, so that what they see does
    /// not depend on how soon the recording thread got its turn.
    fn wind<T>(&self, look: impl FnOnce(&mut Reel) -> T) -> T {
        let mut reel = self.reel.lock().unwrap_or_else(PoisonError::into_inner);
        let Reel { batch, frames, dropped } = &mut *reel;
        // Bounded, so that a flood cannot keep a reader here.
        for _ in 0..4096 {
            let keep = |received: crate::packet::Received<'_>| {
                frames.push(Captured {
                    ts_ns: received.ts_ns,
                    kind: received.kind,
                    bytes: received.bytes.to_vec(),
                });
            };
            if !matches!(self.socket.receive(batch, keep), Ok(1..)) {
                break;
            }
        }
        *dropped += self.socket.dropped();
        look(&mut reel)
    }
}
