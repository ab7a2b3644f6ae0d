//! A DHCP server that grants what a test says and remembers what it was sent, and a client that speaks in raw frames.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::dhcp::{DhcpFrame, DhcpMessage, code};
use crate::error::Tried;
use crate::wait::{Stop, Woken, left};
use crate::{Mac, Netns, Result, Wire};

/// A message that a server got, and who sent it.
pub type Asked = (SocketAddrV4, DhcpMessage);

/// Which address a client is granted; none: it is not answered.
type Grants = Box<dyn Fn(&DhcpMessage) -> Option<Ipv4Addr> + Send>;

/// Answers DISCOVER and REQUEST until it is dropped.
pub struct DhcpServer {
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl DhcpServer {
    /// A server at port 67 of an address of the namespace, which it has for itself as Kea has. `seconds`: how long its
    /// leases are.
    ///
    /// # Errors
    /// When the address is not there or the port is taken.
    pub fn start(
        ns: &Netns,
        at: Ipv4Addr,
        seconds: u32,
        grants: impl Fn(&DhcpMessage) -> Option<Ipv4Addr> + Send + 'static,
    ) -> Result<Self> {
        let bind = || {
            let socket = UdpSocket::bind((at, 67))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let socket = ns.run(bind).tried(|| format!("serve DHCP at {at} in {}", ns.name()))?;
        let stop = Stop::new().tried(|| "make an eventfd".to_owned())?;
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let server = Serving { socket, at, seconds, grants: Box::new(grants), asked: Arc::clone(&asked) };
        let thread = {
            let stop = stop.clone();
            thread::spawn(move || server.run(&stop))
        };
        Ok(Self { asked, stop, thread: Some(thread) })
    }

    /// What it was sent up to now, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for DhcpServer {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Serving {
    socket: UdpSocket,
    at: Ipv4Addr,
    seconds: u32,
    grants: Grants,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Serving {
    fn run(&self, stop: &Stop) {
        let mut buffer = [0; 4096];
        while stop.wait(self.socket.as_raw_fd(), None).is_ok_and(|woken| woken != Woken::Stopped) {
            // An error reports an earlier answer that nobody took.
            let Ok((length, SocketAddr::V4(from))) = self.socket.recv_from(&mut buffer) else { continue };
            let Some(message) = DhcpMessage::decode(&buffer[..length]) else { continue };
            let answer = self.answer(&message);
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).push((from, message));
            if let Some((to, answer)) = answer {
                let _ = self.socket.send_to(&answer.encode(), to);
            }
        }
    }

    fn answer(&self, message: &DhcpMessage) -> Option<((Ipv4Addr, u16), DhcpMessage)> {
        let kind = match message.kind()? {
            code::DISCOVER => code::OFFER,
            code::REQUEST if message.server().is_none_or(|server| server == self.at) => code::ACK,
            _ => return None,
        };
        let yiaddr = (self.grants)(message)?;
        let mut options = vec![
            (code::KIND, vec![kind]),
            (code::SERVER, self.at.octets().to_vec()),
            (code::LEASE_TIME, self.seconds.to_be_bytes().to_vec()),
        ];
        // Kea gives it back as the last one.
        options.extend(message.option(code::RELAY).map(|value| (code::RELAY, value.to_vec())));
        let to = if message.giaddr.is_unspecified() { (message.ciaddr, 68) } else { (message.giaddr, 67) };
        Some((to, DhcpMessage { op: 2, hops: 0, yiaddr, options, ..message.clone() }))
    }
}

/// A client on a link. It has no address by itself and sends nothing but what it is made to.
pub struct DhcpClient {
    wire: Wire,
    /// Its Ethernet address.
    pub mac: Mac,
}

impl DhcpClient {
    /// A client that speaks by this link of the namespace.
    ///
    /// # Errors
    /// When the link is missing or the kernel gives no packet socket.
    pub fn on(ns: &Netns, link: &str) -> Result<Self> {
        Ok(Self { wire: Wire::open_all(ns, link)?, mac: ns.mac(link)? })
    }

    /// Sends a message to everybody and returns when.
    ///
    /// # Errors
    /// When the link is down or gone.
    pub fn broadcast(&self, message: &DhcpMessage) -> Result<u64> {
        self.wire.send_raw(&DhcpFrame::broadcast(message.clone()).encode())
    }

    /// The wire that it speaks by.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// The next server's message of this exchange, and when the kernel had it; none when `limit` passed first.
    pub fn next(&self, xid: u32, limit: Duration) -> Option<(DhcpFrame, u64)> {
        let start = Instant::now();
        loop {
            let (frame, at) = self.wire.recv_raw(left(start, limit))?;
            let found = DhcpFrame::decode(&frame);
            if let Some(found) = found.filter(|it| it.message.op == 2 && it.message.xid == xid) {
                return Some((found, at));
            }
        }
    }

    /// Goes from DISCOVER to ACK and gives that; none when a reply did not come within `limit`.
    ///
    /// # Errors
    /// When the link is down or gone.
    pub fn lease(&self, xid: u32, limit: Duration) -> Result<Option<DhcpFrame>> {
        self.broadcast(&DhcpMessage::of_client(code::DISCOVER, xid, self.mac))?;
        let Some((offer, _)) = self.next(xid, limit) else { return Ok(None) };
        let offer = offer.message;
        let server = offer.server().unwrap_or(Ipv4Addr::UNSPECIFIED);
        let request = DhcpMessage::of_client(code::REQUEST, xid, self.mac)
            .with(code::REQUESTED, &offer.yiaddr.octets())
            .with(code::SERVER, &server.octets());
        self.broadcast(&request)?;
        let ack = self.next(xid, limit).map(|(frame, _)| frame);
        Ok(ack.filter(|frame| frame.message.kind() == Some(code::ACK)))
    }
}
