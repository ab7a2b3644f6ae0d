//! The ways to servers and back.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::socket::{LinkAddr, recvfrom};
use socket2::{Domain, Protocol, Socket, Type};

use super::datagram::{Datagram, Unreadable, message_octets, parse, parse_message};
use super::link::{self, RECEIVE_BUFFER};
use super::{ROOM, SERVER_PORT};
use crate::io::{PortError, filter, sockopt};
use arpherd_core::dhcp::Message;

/// Packets read at once.
const BATCH: usize = 32;
const IPV4: u16 = 0x0800;

/// Port 67 of an own address, at which servers answer. While it is there the kernel sends them no `port unreachable`.
#[derive(Debug)]
pub struct ReplySocket {
    socket: UdpSocket,
    at: Ipv4Addr,
    room: Vec<u8>,
}

impl ReplySocket {
    /// Binds the port. Others may bind it as well if they say so (`SO_REUSEADDR`), as dnsmasq and ISC's programs do.
    ///
    /// # Errors
    /// Without `CAP_NET_BIND_SERVICE`; `AddrInUse` if another program has the port for itself.
    pub fn bind(at: Ipv4Addr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        sockopt::receive_buffer(&socket, RECEIVE_BUFFER)?;
        socket.bind(&SocketAddrV4::new(at, SERVER_PORT).into())?;
        Ok(Self { socket: socket.into(), at, room: vec![0; ROOM] })
    }

    /// The address.
    pub fn address(&self) -> Ipv4Addr {
        self.at
    }

    /// Reads what has arrived, with the sender of each, up to a fixed number of messages. Never blocks. Returns whether more may
    /// be waiting.
    ///
    /// # Errors
    /// If the socket cannot be read. That a server could not be reached is none.
    pub fn receive(
        &mut self,
        received: &mut Vec<(Ipv4Addr, Result<Message, Unreadable>)>,
    ) -> io::Result<bool> {
        for _ in 0..BATCH {
            match self.socket.recv_from(&mut self.room) {
                Ok((length, std::net::SocketAddr::V4(from))) => {
                    received.push((*from.ip(), parse_message(&self.room[..length])));
                }
                Ok(_) => {}
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => return Ok(true),
                Err(cause) => return Err(cause),
            }
        }
        Ok(true)
    }

    /// Sends a message to a server, from this address and port.
    ///
    /// # Errors
    /// As UDP's.
    pub fn send(&self, server: Ipv4Addr, message: &Message) -> io::Result<()> {
        self.socket.send_to(&message_octets(message), (server, SERVER_PORT)).map(drop)
    }
}

impl AsFd for ReplySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Sends to a server of this machine, or where port 67 is another program's, from whatever port is free.
#[derive(Debug)]
pub struct Sender(UdpSocket);

impl Sender {
    /// Opens it.
    ///
    /// # Errors
    /// If there is no descriptor left.
    pub fn open() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Sends a message to port 67 of an address.
    ///
    /// # Errors
    /// As UDP's.
    pub fn send(&self, server: Ipv4Addr, message: &Message) -> io::Result<()> {
        self.0.send_to(&message_octets(message), (server, SERVER_PORT)).map(drop)
    }
}

/// From which own address the kernel would send to a server; `None`: it has no route to it.
pub fn own_address_towards(server: Ipv4Addr) -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // This looks up a route, and sends nothing.
    socket.connect((server, SERVER_PORT)).ok()?;
    match socket.local_addr().ok()? {
        std::net::SocketAddr::V4(own) => Some(*own.ip()).filter(|own| !own.is_unspecified()),
        std::net::SocketAddr::V6(_) => None,
    }
}

/// What servers of this machine send to port 67 of its own addresses, read on the loopback interface, where such packets
/// pass. It takes no port from them.
#[derive(Debug)]
pub struct LoopbackPort {
    socket: Socket,
    room: Vec<u8>,
}

impl LoopbackPort {
    /// Opens it on the interface of this number.
    ///
    /// # Errors
    /// As [`LinkPort::open`](super::LinkPort::open).
    pub fn open(interface: u32) -> Result<Self, PortError> {
        let socket = link::open(interface, IPV4, &filter::dhcp_for_us(interface))?;
        Ok(Self { socket, room: vec![0; ROOM] })
    }

    /// As [`LinkPort::receive`](super::LinkPort::receive).
    ///
    /// # Errors
    /// If the socket cannot be read.
    pub fn receive(&mut self, received: &mut Vec<Result<Datagram, Unreadable>>) -> Result<bool, PortError> {
        for _ in 0..BATCH {
            match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut self.room) {
                Ok((length, _)) => received.push(parse(&self.room[..length.min(ROOM)])),
                Err(Errno::EAGAIN) => return Ok(false),
                Err(Errno::EINTR) => return Ok(true),
                Err(cause) => return Err(PortError::of("read from a packet socket", cause.into())),
            }
        }
        Ok(true)
    }
}

impl AsFd for LoopbackPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
