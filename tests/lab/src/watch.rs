//! Every IPv4 route change, with its time.
#![expect(unsafe_code, reason = "socket options and interface names are system calls")]

use std::collections::HashMap;
use std::ffi::CStr;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;

use crate::error::Tried;
use crate::packet::big_receive_buffer;
use crate::rtnl::messages;
use crate::wait::{Stop, Woken, left};
use crate::{Netns, Result, Route, monotonic_ns, route};

/// One route change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteEvent {
    /// When the lab's thread had it, see [`monotonic_ns`]. Netlink bears no kernel
    /// time stamp, so this is later than the change by one thread wake-up.
    pub ts_ns: u64,
    /// Added or replaced; else deleted.
    pub is_new: bool,
    /// The route.
    pub route: Route,
}

#[derive(Default)]
struct Recorded {
    events: Vec<RouteEvent>,
    overruns: usize,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Recorded>,
    changed: Condvar,
}

/// Records the IPv4 route changes of a namespace until it is dropped.
pub struct RouteWatch {
    shared: Arc<Shared>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl RouteWatch {
    /// Starts; every change after the return is recorded.
    ///
    /// # Errors
    /// When the namespace gives no netlink socket.
    pub fn start(ns: &Netns) -> Result<Self> {
        let socket = ns.run(open).tried(|| format!("watch routes of {}", ns.name()))?;
        let stop = Stop::new().tried(|| "make an eventfd".to_owned())?;
        let shared = Arc::new(Shared::default());
        let thread = {
            let (shared, stop, ns) = (Arc::clone(&shared), stop.clone(), ns.clone());
            thread::spawn(move || {
                ns.enter_thread().expect("whoever made a namespace may enter it");
                watch(&socket, &stop, &shared);
            })
        };
        Ok(Self { shared, stop, thread: Some(thread) })
    }

    /// All changes so far, oldest first.
    pub fn events(&self) -> Vec<RouteEvent> {
        self.shared.lock().events.clone()
    }

    /// How often changes were lost because they came too fast; a test that measures wants 0.
    pub fn overruns(&self) -> usize {
        self.shared.lock().overruns
    }

    /// The first change, from the start on, that `fits`; waits for it up to `limit`.
    pub fn wait_for(&self, mut fits: impl FnMut(&RouteEvent) -> bool, limit: Duration) -> Option<RouteEvent> {
        let start = Instant::now();
        let mut asked = 0;
        let mut seen = self.shared.lock();
        loop {
            if let Some(event) = seen.events[asked..].iter().find(|event| fits(event)) {
                return Some(event.clone());
            }
            asked = seen.events.len();
            let left = left(start, limit);
            if left.is_zero() {
                return None;
            }
            seen = self.shared.changed.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for RouteWatch {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    big_receive_buffer(socket.as_raw_fd());
    socket.set_non_blocking(true)?;
    socket.add_membership(libc::RTNLGRP_IPV4_ROUTE)?;
    Ok(socket)
}

fn watch(socket: &Socket, stop: &Stop, shared: &Shared) {
    let mut names = HashMap::new();
    let mut buffer = Vec::with_capacity(64 << 10);
    while let Ok(woken) = stop.wait(socket.as_raw_fd(), None) {
        if woken == Woken::Stopped {
            return;
        }
        let mut batch = Vec::new();
        let mut overruns = 0;
        // Bounded, so that waiting readers see a long burst in pieces.
        for _ in 0..256 {
            buffer.clear();
            match socket.recv(&mut buffer, 0) {
                Ok(_) => read(&buffer, &mut names, &mut batch),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => overruns += 1,
                Err(_) => break,
            }
        }
        let mut seen = shared.lock();
        seen.events.append(&mut batch);
        seen.overruns += overruns;
        drop(seen);
        shared.changed.notify_all();
    }
}

fn read(datagram: &[u8], names: &mut HashMap<u32, String>, events: &mut Vec<RouteEvent>) {
    let ts_ns = monotonic_ns();
    for message in messages(datagram).filter_map(Result::ok) {
        let (is_new, message) = match message.payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(message)) => (true, message),
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelRoute(message)) => (false, message),
            _ => continue,
        };
        if let Some(route) = route::read(&message, |index| name_of(index, names)) {
            events.push(RouteEvent { ts_ns, is_new, route });
        }
    }
}

/// Remembers names, because a deleted link's routes are reported after its name is gone.
fn name_of(index: u32, names: &mut HashMap<u32, String>) -> Option<String> {
    let mut name: [libc::c_char; libc::IF_NAMESIZE] = [0; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the IF_NAMESIZE octets the call may write.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr()) };
    if !found.is_null() {
        // SAFETY: on success the buffer holds a terminated string.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) };
        names.insert(index, name.to_string_lossy().into_owned());
    }
    names.get(&index).cloned()
}
