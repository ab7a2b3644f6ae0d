//! Thousands of hosts on one link, without a namespace or a kernel stack each: they only speak ARP.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::Tried;
use crate::packet::{Batch, PacketSocket, Receives};
use crate::wait::{Stop, Woken};
use crate::{ArpFrame, Mac, Netns, Result, monotonic_ns};

/// A request that a crowd received, whether or not it was for one of its hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrowdRequest {
    /// When the kernel had it, see [`monotonic_ns`].
    pub ts_ns: u64,
    /// Who asked.
    pub requester: Ipv4Addr,
    /// The requester's Ethernet address.
    pub requester_mac: Mac,
    /// Who was asked for.
    pub target: Ipv4Addr,
    /// Sent to one address only.
    pub unicast: bool,
}

/// Simulated hosts behind one link, each with an Ethernet address of its own ([`Mac::of_crowd`]). One
/// thread answers for all of them. The link needs no address; it must be up.
pub struct Crowd {
    shared: Arc<Shared>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    socket: PacketSocket,
    state: Mutex<State>,
}

struct State {
    /// Who answers (true) and who is silent.
    hosts: HashMap<Ipv4Addr, bool>,
    delay: Duration,
    /// Answers that wait for their time, in order of it as long as the delay stays the same.
    waiting: VecDeque<(u64, ArpFrame)>,
    max_outstanding: usize,
    seen: Vec<CrowdRequest>,
}

impl Crowd {
    /// Starts a crowd that answers at once for all of `addresses`.
    ///
    /// # Errors
    /// When the link is missing or the kernel gives no packet socket.
    pub fn start(ns: &Netns, link: &str, addresses: Vec<Ipv4Addr>) -> Result<Self> {
        let state = State {
            hosts: addresses.into_iter().map(|ip| (ip, true)).collect(),
            delay: Duration::ZERO,
            waiting: VecDeque::new(),
            max_outstanding: 0,
            seen: Vec::new(),
        };
        let socket = PacketSocket::open(ns, link, Receives::Requests)?;
        let shared = Arc::new(Shared { socket, state: Mutex::new(state) });
        let stop = Stop::new().tried(|| "make an eventfd".to_owned())?;
        let thread = {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            thread::spawn(move || shared.serve(&stop))
        };
        Ok(Self { shared, stop, thread: Some(thread) })
    }

    /// This host answers no more.
    pub fn silence(&self, ip: Ipv4Addr) {
        self.shared.lock().hosts.insert(ip, false);
    }

    /// No host answers any more.
    pub fn silence_all(&self) {
        self.shared.lock().hosts.values_mut().for_each(|answers| *answers = false);
    }

    /// This host answers (again); it need not have been in the crowd before.
    pub fn wake(&self, ip: Ipv4Addr) {
        self.shared.lock().hosts.insert(ip, true);
    }

    /// From now on answers come this long after the request.
    pub fn delay(&self, delay: Duration) {
        self.shared.lock().delay = delay;
    }

    /// Sends a gratuitous ARP from this address and returns when. Others receive it; a silent host may send.
    ///
    /// # Errors
    /// When the link is down or gone.
    pub fn speak(&self, ip: Ipv4Addr) -> Result<u64> {
        self.send(&ArpFrame::gratuitous(Mac::of_crowd(ip), ip))
    }

    /// Sends an ordinary request from this address for `target` and returns when.
    ///
    /// # Errors
    /// When the link is down or gone.
    pub fn ask(&self, ip: Ipv4Addr, target: Ipv4Addr) -> Result<u64> {
        self.send(&ArpFrame::request(Mac::of_crowd(ip), ip, target))
    }

    fn send(&self, frame: &ArpFrame) -> Result<u64> {
        let begun = monotonic_ns();
        self.shared.socket.send(&frame.encode()).tried(|| format!("let a crowd's host say {frame}"))?;
        Ok(begun)
    }

    /// All requests so far, oldest first, those for addresses outside the crowd included.
    pub fn requests_seen(&self) -> Vec<CrowdRequest> {
        self.shared.lock().seen.clone()
    }

    /// How many requests so far.
    pub fn requests_count(&self) -> usize {
        self.shared.lock().seen.len()
    }

    /// Forgets the requests so far, and [`max_outstanding`](Self::max_outstanding).
    pub fn clear_requests(&self) {
        let mut state = self.shared.lock();
        state.seen.clear();
        state.max_outstanding = state.waiting.len();
    }

    /// The most answers that ever waited for their time at once: with a [`delay`](Self::delay), how
    /// many requests the requester had in flight. Requests nobody will answer do not count.
    pub fn max_outstanding(&self) -> usize {
        self.shared.lock().max_outstanding
    }

    /// Requests lost because they came faster than they were read, since the last call.
    pub fn dropped(&self) -> u32 {
        self.shared.socket.dropped()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stop: &Stop) {
        let mut batch = Batch::new(64);
        let mut pause = None;
        // Ends with the crowd, or when its link is deleted under it.
        while stop.wait(self.socket.as_raw_fd(), pause).is_ok_and(|woken| woken != Woken::Stopped) {
            let Ok(next) = self.turn(&mut batch) else { return };
            pause = next;
        }
    }

    /// Reads a batch, sends the answers whose time has come, and returns how long the next has to wait.
    fn turn(&self, batch: &mut Batch) -> io::Result<Option<Duration>> {
        let mut state = self.lock();
        self.socket.receive(batch, |received| {
            if let Some(request) = ArpFrame::decode(received.bytes) {
                state.receive(&request, received.ts_ns);
            }
        })?;
        let now = monotonic_ns();
        let due = state.waiting.partition_point(|(due, _)| *due <= now);
        let answers: Vec<_> = state.waiting.drain(..due).collect();
        let alive = |frame: &ArpFrame| state.hosts.get(&frame.spa) == Some(&true);
        let frames: Vec<_> =
            answers.iter().filter(|(_, frame)| alive(frame)).map(|(_, frame)| frame.encode()).collect();
        let next = state.waiting.front().map(|(due, _)| Duration::from_nanos(due.saturating_sub(now)));
        drop(state);
        // A link that is down loses frames, as on any wire.
        let _ = self.socket.send_many(&frames);
        Ok(next)
    }
}

impl State {
    fn receive(&mut self, request: &ArpFrame, ts_ns: u64) {
        let target = request.tpa;
        self.seen.push(CrowdRequest {
            ts_ns,
            requester: request.spa,
            requester_mac: request.sha,
            target,
            unicast: !request.dst.is_multicast(),
        });
        let mac = Mac::of_crowd(target);
        // The link delivers frames for any address; a host takes its own and broadcasts.
        let mine = request.dst == mac || request.dst.is_multicast();
        // A host does not answer its own announcement, which loops back from a second crowd or a hub.
        if mine && request.spa != target && self.hosts.get(&target) == Some(&true) {
            let due = ts_ns + u64::try_from(self.delay.as_nanos()).unwrap_or(u64::MAX / 2);
            let answer = ArpFrame::reply(mac, target, request.sha, request.spa);
            self.waiting.push_back((due, answer));
            self.max_outstanding = self.max_outstanding.max(self.waiting.len());
        }
    }
}
