//! DHCP messages on one link.
//!
//! Two packet sockets, because one that shows what goes out shows everything, and is woken for ARP as well: the first has
//! IPv4 packets that come in, the second those that leave.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use arpherd_core::LinkAddr;
use nix::errno::Errno;
use nix::sys::socket::{LinkAddr as PacketAddress, recvfrom};
use socket2::{Domain, SockFilter, Socket, Type};

use super::ROOM;
use super::datagram::{Datagram, Unreadable, parse};
use crate::io::packet::{Medium, address};
use crate::io::{PortError, filter, sockopt};

/// `ETH_P_IP` and `ETH_P_ALL` of linux/if_ether.h.
const IPV4: u16 = 0x0800;
const ALL: u16 = 0x0003;
/// Packets read at once.
const BATCH: usize = 32;
/// Receive buffer asked for, in bytes: a burst of some 2,000 messages.
pub(super) const RECEIVE_BUFFER: usize = 4 << 20;

/// Which way packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// They come in.
    Incoming,
    /// This machine sends them, or sends them on.
    Outgoing,
}

/// A packet that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The frame's source, of what comes in on links whose addresses have 6 octets; else unknown.
    pub from: LinkAddr,
    /// What it carries.
    pub datagram: Result<Datagram, Unreadable>,
}

/// The packet sockets of one link.
#[derive(Debug)]
pub struct LinkPort {
    incoming: Socket,
    outgoing: Socket,
    medium: Medium,
    room: Vec<u8>,
}

impl LinkPort {
    /// Opens the sockets. They are bound only after their filters are set, so nothing else is ever received.
    ///
    /// # Errors
    /// As [`PacketPort::open`](crate::io::packet::PacketPort::open).
    pub fn open(medium: Medium) -> Result<Self, PortError> {
        let interface = medium.interface;
        Ok(Self {
            incoming: open(interface, IPV4, &filter::dhcp_for_us(interface))?,
            outgoing: open(interface, ALL, &filter::dhcp_from_here(interface))?,
            medium,
            room: vec![0; ROOM],
        })
    }

    /// What it was opened on.
    pub fn medium(&self) -> Medium {
        self.medium
    }

    /// Reads what has arrived, up to a fixed number of packets, and appends it. Never blocks. Returns whether more may be
    /// waiting.
    ///
    /// # Errors
    /// As [`FramePort::receive`](crate::io::FramePort::receive).
    pub fn receive(&mut self, direction: Direction, seen: &mut Vec<Seen>) -> Result<bool, PortError> {
        for _ in 0..BATCH {
            let socket = match direction {
                Direction::Incoming => &self.incoming,
                Direction::Outgoing => &self.outgoing,
            };
            let (length, address) = match recvfrom::<PacketAddress>(socket.as_raw_fd(), &mut self.room) {
                Ok(received) => received,
                Err(Errno::EAGAIN) => return Ok(false),
                Err(Errno::EINTR) => return Ok(true),
                Err(cause) => return Err(PortError::of("read from a packet socket", cause.into())),
            };
            // Of the 20 octets of an InfiniBand address there is no room for all.
            let source = address.filter(|it| it.halen() == 6).and_then(|it| it.addr());
            let from = source.and_then(|octets| LinkAddr::try_new(&octets)).unwrap_or_default();
            seen.push(Seen { from, datagram: parse(&self.room[..length.min(ROOM)]) });
        }
        Ok(true)
    }

    /// Sends an IPv4 packet to a station of the link; `None`: to all of them.
    ///
    /// # Errors
    /// [`PortError::Down`] if the link is down or away; or the packet is longer than the link's frames.
    pub fn send(&self, to: Option<&LinkAddr>, packet: &[u8]) -> Result<(), PortError> {
        let interface = i32::try_from(self.medium.interface).map_err(|_| PortError::Down)?;
        let station = to.unwrap_or(&self.medium.broadcast);
        let address = address::PacketAddress::new(interface, IPV4).with_station(station);
        let sent = address.send(&self.incoming, packet);
        sent.map_err(|cause| PortError::of("send a DHCP message", cause))
    }

    /// The socket of what comes in, or of what goes out.
    pub fn socket(&self, direction: Direction) -> BorrowedFd<'_> {
        match direction {
            Direction::Incoming => self.incoming.as_fd(),
            Direction::Outgoing => self.outgoing.as_fd(),
        }
    }
}

/// Opens a packet socket for one protocol on an interface.
pub(super) fn open(interface: u32, protocol: u16, filter: &[SockFilter]) -> Result<Socket, PortError> {
    let doing = |doing| move |cause: io::Error| PortError::of(doing, cause);
    let index = i32::try_from(interface).map_err(|_| PortError::Down)?;
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, None).map_err(doing("open a packet socket"))?;
    socket.set_nonblocking(true).map_err(doing("make a packet socket non-blocking"))?;
    socket.attach_filter(filter).map_err(doing("filter a packet socket"))?;
    sockopt::receive_buffer(&socket, RECEIVE_BUFFER).map_err(doing("enlarge a packet socket's buffer"))?;
    address::PacketAddress::new(index, protocol).bind(&socket).map_err(doing("bind a packet socket"))?;
    Ok(socket)
}
