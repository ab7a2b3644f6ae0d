//! Sending and receiving on one link, frame by frame.

use std::os::fd::AsRawFd;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Tried;
use crate::packet::{Batch, PacketSocket, PacketType, Receives};
use crate::wait::{left, readable};
use crate::{ArpFrame, Mac, Netns, Result, monotonic_ns};

/// A packet socket on one link of a namespace. It receives incoming frames, those for other addresses
/// too if the link delivers them (a veth does), and is never promiscuous.
pub struct Wire {
    socket: PacketSocket,
    batch: Mutex<Batch>,
    name: String,
}

impl Wire {
    /// Opens a wire that receives ARP; it receives from the return on.
    ///
    /// # Errors
    /// When the link is missing or the kernel gives no packet socket.
    pub fn open(ns: &Netns, link: &str) -> Result<Self> {
        Self::receiving(ns, link, Receives::Arp)
    }

    /// Opens a wire that receives everything.
    ///
    /// # Errors
    /// When the link is missing or the kernel gives no packet socket.
    pub fn open_all(ns: &Netns, link: &str) -> Result<Self> {
        Self::receiving(ns, link, Receives::All)
    }

    fn receiving(ns: &Netns, link: &str, receives: Receives) -> Result<Self> {
        let socket = PacketSocket::open(ns, link, receives)?;
        Ok(Self { socket, batch: Mutex::new(Batch::new(1)), name: format!("{}:{link}", ns.name()) })
    }

    /// Sends a frame and returns when it began to.
    ///
    /// # Errors
    /// When the link is down or gone.
    pub fn send(&self, frame: &ArpFrame) -> Result<u64> {
        self.send_raw(&frame.encode())
    }

    /// Sends octets as they are and returns when it began to.
    ///
    /// # Errors
    /// When the link is down or gone.
    pub fn send_raw(&self, frame: &[u8]) -> Result<u64> {
        let begun = monotonic_ns();
        self.socket.send(frame).tried(|| format!("send a frame on {}", self.name))?;
        Ok(begun)
    }

    /// The next ARP frame and when the kernel had it; none when `limit` passed first. Other frames on
    /// the way to it are lost.
    pub fn recv(&self, limit: Duration) -> Option<(ArpFrame, u64)> {
        let start = Instant::now();
        loop {
            let (bytes, ts_ns) = self.recv_raw(left(start, limit))?;
            if let Some(frame) = ArpFrame::decode(&bytes) {
                return Some((frame, ts_ns));
            }
        }
    }

    /// The next frame of any kind and when the kernel had it; none when `limit` passed first.
    pub fn recv_raw(&self, limit: Duration) -> Option<(Vec<u8>, u64)> {
        let start = Instant::now();
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut frame = None;
            let taken = self.socket.receive(&mut batch, |received| {
                if received.kind != PacketType::Outgoing {
                    frame = Some((received.bytes.to_vec(), received.ts_ns));
                }
            });
            if frame.is_some() {
                return frame;
            }
            let left = left(start, limit);
            if taken.is_err() || (matches!(taken, Ok(0)) && left.is_zero()) {
                return None;
            }
            if matches!(taken, Ok(0)) && !readable(self.socket.as_raw_fd(), left).unwrap_or(false) {
                return None;
            }
        }
    }

    /// Throws away the frames that wait.
    pub fn drain(&self) {
        self.socket.drain(&mut self.batch.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Sends a request and gives every answer to it within `limit`, however odd its other fields:
    /// answers for the request's target that are for the requester by frame or by packet. Frames that
    /// waited before are lost.
    ///
    /// # Panics
    /// When the link is down or gone.
    pub fn ask(&self, request: &ArpFrame, limit: Duration) -> Vec<ArpFrame> {
        self.begin(request);
        let start = Instant::now();
        let mut answers = Vec::new();
        while let Some((frame, _)) = self.recv(left(start, limit)) {
            if answers_to(&frame, request) {
                answers.push(frame);
            }
        }
        answers
    }

    /// Sends a request and gives the first answer and how long it took, see [`ask`](Self::ask).
    ///
    /// # Panics
    /// When the link is down or gone.
    pub fn ask_one(&self, request: &ArpFrame, limit: Duration) -> Option<(ArpFrame, Duration)> {
        let sent = self.begin(request);
        let start = Instant::now();
        loop {
            let (frame, ts_ns) = self.recv(left(start, limit))?;
            if answers_to(&frame, request) {
                return Some((frame, Duration::from_nanos(ts_ns.saturating_sub(sent))));
            }
        }
    }

    fn begin(&self, request: &ArpFrame) -> u64 {
        self.drain();
        self.send(request).expect("a request needs a link that is up")
    }
}

fn answers_to(frame: &ArpFrame, request: &ArpFrame) -> bool {
    let for_requester = [request.src, request.sha, Mac::BROADCAST];
    frame.is_reply()
        && frame.spa == request.tpa
        && (for_requester.contains(&frame.dst) || frame.tha == request.sha)
}
