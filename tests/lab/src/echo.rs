//! UDP echo between namespaces.

use std::collections::HashSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::Tried;
use crate::wait::{Stop, Woken, left, readable};
use crate::{Netns, Result};

/// One datagram's answer may take this long: a first packet waits for ARP, and ARP repeats after 1 s.
const PATIENCE: Duration = Duration::from_millis(2500);
/// All datagrams of one run together; then the rest is given up.
const LIMIT: Duration = Duration::from_secs(15);

/// Sends back every datagram until it is dropped.
pub struct EchoServer {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Netns {
    /// Answers UDP on an address of this namespace; `0.0.0.0` for all of them.
    ///
    /// # Errors
    /// When the address is not here or the port is taken.
    pub fn udp_echo_server(&self, address: Ipv4Addr, port: u16) -> Result<EchoServer> {
        let bind = || {
            let socket = UdpSocket::bind((address, port))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let socket = self.run(bind).tried(|| format!("answer UDP on {address}:{port} in {}", self.name()))?;
        let stop = Stop::new().tried(|| "make an eventfd".to_owned())?;
        let thread = {
            let stop = stop.clone();
            thread::spawn(move || serve(&socket, &stop))
        };
        Ok(EchoServer { stop, thread: Some(thread) })
    }

    /// Sends `count` datagrams, each after the one before came back (or was given up), and returns how
    /// many came back. Takes at most 15 seconds.
    ///
    /// # Panics
    /// When the kernel gives no UDP socket.
    pub fn udp_echo(&self, target: Ipv4Addr, port: u16, count: u32) -> u32 {
        let bind = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
        let socket = self.run(bind).expect("a namespace has free ports");
        socket.set_nonblocking(true).expect("any socket can be made non-blocking");
        let mut back = HashSet::new();
        let start = Instant::now();
        for number in 0..count {
            if start.elapsed() >= LIMIT {
                break;
            }
            // Unreachable now may be reachable for the next.
            let _ = socket.send_to(&number.to_be_bytes(), (target, port));
            collect(&socket, target, number, &mut back);
        }
        u32::try_from(back.len()).unwrap_or(u32::MAX)
    }
}

/// Takes answers until that to `number` came, or patience ends.
fn collect(socket: &UdpSocket, target: Ipv4Addr, number: u32, back: &mut HashSet<u32>) {
    let start = Instant::now();
    while !back.contains(&number) {
        let left = left(start, PATIENCE);
        if left.is_zero() || !readable(socket.as_raw_fd(), left).unwrap_or(false) {
            return;
        }
        let mut buffer = [0; 4];
        if let Ok((4, from)) = socket.recv_from(&mut buffer)
            && from.ip() == target
        {
            back.insert(u32::from_be_bytes(buffer)); // a late answer counts for its own request
        }
    }
}

fn serve(socket: &UdpSocket, stop: &Stop) {
    let mut buffer = [0; 2048];
    while stop.wait(socket.as_raw_fd(), None).is_ok_and(|woken| woken != Woken::Stopped) {
        // An error reports an earlier answer that nobody took.
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..length], from);
        }
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
