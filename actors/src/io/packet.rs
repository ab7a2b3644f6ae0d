//! ARP frames of one link, through a packet socket (packet(7)).
//!
//! The socket is of the kind `SOCK_DGRAM`: the kernel writes and strips the link's header. So the source of our
//! frames is the interface's current address, and IPoIB, whose header is not what is on the wire, needs no special case
//! here. Only frames that bear another source, one that several Ethernet interfaces share, leave with a header of ours,
//! through a second socket of the kind `SOCK_RAW`.
#![expect(unsafe_code, reason = "batches of messages have no safe wrapper")]

pub(super) mod address;
mod arena;
pub(super) mod closing;
mod header;
mod magic;
pub mod reverse;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::Arc;

use arpherd_core::plan::LinkKind;
use arpherd_core::{Frame, Heard, LinkAddr};
use socket2::Type;

use address::PacketAddress;
use arena::{ARENA, Arena};
use closing::PacketSocket;
pub use closing::wait_until_closed;

use super::mark::{self, MarkKey};
use super::stamp::{Stamp, StampRoom};
use super::{FramePort, PortError, Tally, Wake, arp, filter, sockopt};

/// `ETH_P_ARP` of linux/if_ether.h.
const ARP: u16 = 0x0806;
/// Frames moved in one system call.
pub const BATCH: usize = 64;
/// Frames asked for when the last call returned few: laying out a batch costs as much as reading a frame.
const FEW: usize = 4;
/// Octets read of a frame; the kernel cuts off padding beyond.
const ROOM: usize = 128;
/// Receive buffer asked for, in bytes: a burst of some 10,000 frames.
const RECEIVE_BUFFER: usize = 8 << 20;

/// What a port is opened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Medium {
    /// The interface's index.
    pub interface: u32,
    /// What it is.
    pub kind: LinkKind,
    /// Its broadcast address, `IFLA_BROADCAST`; on IPoIB it holds the partition key, so it is never assumed.
    pub broadcast: LinkAddr,
}

/// A packet socket that receives and sends ARP on one link.
pub struct PacketPort {
    socket: Arc<PacketSocket>,
    /// Sends frames whose source is not the interface's address. Only on Ethernet, and only where this port sends.
    framed: Option<PacketSocket>,
    medium: Medium,
    /// The link itself, as the others' addresses begin.
    address: PacketAddress,
    /// Frames asked for in the next call.
    room: usize,
    /// What goes behind every request.
    key: Option<MarkKey>,
    /// Where the kernel notes when it receives a frame; empty where it does not.
    stamp_rooms: Vec<StampRoom>,
    /// When the frames of the last batch were received.
    stamps: Vec<Stamp>,
}

impl PacketPort {
    /// Opens a socket on the link. It is bound only after its filter is set, so nothing else is ever received.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW`; [`PortError::Down`] if there is no such interface. A socket on an
    /// interface that is merely set down receives once it is up.
    pub fn open(medium: Medium) -> Result<Self, PortError> {
        let port = Self::open_unbound(medium, false)?;
        let doing = |doing| move |cause| PortError::of(doing, cause);
        port.socket
            .attach_filter(&filter::arp_for_us(medium.interface))
            .map_err(doing("filter a packet socket"))?;
        sockopt::receive_buffer(&*port.socket, RECEIVE_BUFFER)
            .map_err(doing("enlarge a packet socket's buffer"))?;
        port.address.bind(&port.socket).map_err(doing("bind a packet socket"))?;
        Ok(port)
    }

    /// Opens a socket that only sends: it is bound to nothing, so the kernel queues nothing for it. `is_shared`: frames are
    /// sent whose source is not the interface's address, which on Ethernet takes a second socket.
    ///
    /// # Errors
    /// As [`PacketPort::open`], but a missing interface shows only when sending.
    pub fn open_send_only(medium: Medium, is_shared: bool) -> Result<Self, PortError> {
        Self::open_unbound(medium, is_shared && medium.kind == LinkKind::Ethernet)
    }

    /// A port that sends through this one's socket, with its mark: one socket less for each segment, of which the kernel
    /// looks at all of the namespace when another is opened. `is_shared`: as for [`PacketPort::open_send_only`].
    ///
    /// # Errors
    /// As [`PacketPort::open`].
    pub fn sender(&self, is_shared: bool) -> Result<Self, PortError> {
        let is_framing = is_shared && self.medium.kind == LinkKind::Ethernet;
        let (socket, key) = (Arc::clone(&self.socket), self.key.clone());
        Self::over(socket, self.medium, is_framing).map(|port| Self { key, ..port })
    }

    fn open_unbound(medium: Medium, is_framing: bool) -> Result<Self, PortError> {
        Self::over(Arc::new(open_socket(Type::DGRAM)?), medium, is_framing)
    }

    fn over(socket: Arc<PacketSocket>, medium: Medium, is_framing: bool) -> Result<Self, PortError> {
        let interface = i32::try_from(medium.interface).map_err(|_| PortError::Down)?;
        let address = PacketAddress::new(interface, ARP);
        let framed = is_framing.then(|| open_socket(Type::RAW)).transpose()?;
        let (stamp_rooms, stamps) = (Vec::new(), Vec::new());
        Ok(Self { socket, framed, medium, address, room: FEW, key: None, stamp_rooms, stamps })
    }

    /// Watches the socket without a descriptor of its own.
    ///
    /// # Errors
    /// As [`Wake::on`].
    pub fn wake(&self) -> io::Result<Wake> {
        Wake::sharing(&self.socket)
    }

    /// Puts the key's mark behind every request from now on, and recognises those of the same run. Without a key
    /// the port's requests bear no mark, and every mark it receives is another's.
    #[must_use]
    pub fn marked(mut self, key: MarkKey) -> Self {
        self.key = Some(key);
        self
    }

    /// What the port was opened on.
    pub fn medium(&self) -> Medium {
        self.medium
    }

    /// Encodes the frames into the arena, leaving out and counting those that cannot go out on this link,
    /// and returns how many there are.
    fn fill(&self, arena: &mut Arena, frames: &[Frame], tally: &mut Tally) -> usize {
        let mut filled = 0;
        let width = arp::address_len(self.medium.kind);
        let mark = self.key.as_ref().map(MarkKey::mark);
        for frame in frames {
            let to = frame.to.unwrap_or(self.medium.broadcast);
            let is_sendable = to.len() == width
                && frame.from.is_none_or(|from| self.framed.is_some() && from.len() == width);
            let reserved = if frame.from.is_some() { header::LENGTH } else { 0 };
            let (head, rest) = arena.frames[filled].split_at_mut(reserved);
            let Some(room) = rest.first_chunk_mut() else { break };
            match arp::encode(self.medium.kind, &frame.arp, mark, room) {
                Ok(length) if is_sendable => {
                    if let Some(from) = frame.from {
                        header::write(head, &to, &from, ARP);
                    }
                    arena.lengths[filled] = reserved + length;
                    arena.addresses[filled] = self.address.with_station(&to);
                    filled += 1;
                }
                _ => tally.unsent += 1,
            }
        }
        filled
    }

    /// Sends what lies in the arena from `from` up to `to` and returns how many frames the kernel took.
    fn send_range(&self, arena: &mut Arena, from: usize, to: usize, is_framed: bool) -> io::Result<usize> {
        let socket = self.framed.as_ref().filter(|_| is_framed).unwrap_or(&self.socket);
        let descriptor = socket.as_raw_fd();
        if to - from == 1 {
            let frame = &arena.frames[from][..arena.lengths[from].min(ROOM)];
            return arena.addresses[from].send(socket, frame).map(|()| 1);
        }
        arena.with_headers(from, to, &mut [], |headers, count| {
            // SAFETY: `with_headers` hands out `count` headers whose pointers are good for the call.
            unsafe { libc::sendmmsg(descriptor, headers, count, libc::MSG_DONTWAIT) }
        })
    }
}

impl PacketPort {
    fn receive_by(
        &mut self,
        arena: &mut Arena,
        heard: &mut Vec<Heard>,
        tally: &mut Tally,
    ) -> Result<bool, PortError> {
        let descriptor = self.socket.as_raw_fd();
        let room = self.room;
        arena.lengths[..room].fill(ROOM);
        let outcome = arena.with_headers(0, room, &mut self.stamp_rooms, |headers, count| {
            // SAFETY: `with_headers` hands out `count` headers whose pointers are good for the call.
            unsafe { libc::recvmmsg(descriptor, headers, count, libc::MSG_DONTWAIT, ptr::null_mut()) }
        });
        let count = match outcome {
            Ok(count) => count,
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(cause) => return Err(PortError::of("read from a packet socket", cause)),
        };
        self.stamps.clear();
        for slot in 0..count {
            let length = arena.lengths[slot].min(ROOM);
            let stamp = self.stamp_rooms.get_mut(slot).and_then(StampRoom::take);
            tally.read += 1;
            match arp::decode(self.medium.kind, &arena.frames[slot][..length]) {
                Ok((arp, mark)) => {
                    let mark = mark::judge(self.key.as_ref(), &arp, mark);
                    heard.push(Heard { arp, from: arena.addresses[slot].source(), mark });
                    self.stamps.extend(stamp);
                }
                Err(rejected) => {
                    tally.malformed += 1;
                    tally.last_rejection = Some(rejected);
                }
            }
        }
        let more = count == room;
        self.room = if more { BATCH } else { FEW };
        Ok(more)
    }

    fn send_by(&self, arena: &mut Arena, frames: &[Frame], tally: &mut Tally) -> Result<(), PortError> {
        let mut outcome = Ok(());
        let alike = |one: &Frame, other: &Frame| one.from.is_some() == other.from.is_some();
        for chunk in frames.chunk_by(alike).flat_map(|run| run.chunks(BATCH)) {
            let is_framed = chunk.first().is_some_and(|frame| frame.from.is_some());
            let filled = self.fill(arena, chunk, tally);
            let (mut at, mut is_settled) = (0, false);
            while at < filled {
                let sent = match self.send_range(arena, at, filled, is_framed) {
                    Ok(sent) => sent,
                    Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                    // That the link was down meanwhile is returned once, before anything is sent (`sock_error` of
                    // net/sock.h), to whichever of the socket's two ports comes first.
                    Err(cause)
                        if cause.raw_os_error() == Some(libc::ENETDOWN)
                            && !std::mem::replace(&mut is_settled, true) =>
                    {
                        continue;
                    }
                    // This frame found no room or no link; the next may.
                    Err(cause) => {
                        if !is_congestion(&cause) {
                            outcome = Err(PortError::of("send a frame", cause));
                        }
                        0
                    }
                };
                tally.sent += sent as u64;
                tally.unsent += u64::from(sent == 0);
                at += sent.max(1);
            }
        }
        outcome
    }
}

impl FramePort for PacketPort {
    fn receive(&mut self, heard: &mut Vec<Heard>, tally: &mut Tally) -> Result<bool, PortError> {
        ARENA.with_borrow_mut(|arena| self.receive_by(arena, heard, tally))
    }

    fn send(&mut self, frames: &[Frame], tally: &mut Tally) -> Result<(), PortError> {
        ARENA.with_borrow_mut(|arena| self.send_by(arena, frames, tally))
    }

    fn send_magic_packet(&mut self, station: &LinkAddr) -> Result<(), PortError> {
        let to = self.address.for_protocol(magic::ETHERTYPE).with_station(&self.medium.broadcast);
        let sent = to.send(&self.socket, &magic::packet(station));
        sent.map_err(|cause| PortError::of("send a magic packet", cause))
    }

    fn count_overrun(&mut self, tally: &mut Tally) {
        // struct tpacket_stats: tp_packets, tp_drops; reading sets both to 0.
        let read = sockopt::get::<2>(&*self.socket, libc::SOL_PACKET, libc::PACKET_STATISTICS);
        if let Ok([_packets, drops]) = read {
            tally.overrun += u64::from(drops.cast_unsigned());
        }
    }

    fn set_stamping(&mut self, stamping: bool) -> Result<(), PortError> {
        sockopt::set(&*self.socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, stamping.into())
            .map_err(|cause| PortError::of("have received frames stamped", cause))?;
        self.stamp_rooms = if stamping { vec![StampRoom::EMPTY; BATCH] } else { Vec::new() };
        Ok(())
    }

    fn take_stamps(&mut self) -> Vec<Stamp> {
        std::mem::take(&mut self.stamps)
    }
}

fn open_socket(kind: Type) -> Result<PacketSocket, PortError> {
    PacketSocket::open(kind).map_err(|cause| PortError::of("open a packet socket", cause))
}

/// Whether the kernel merely had no room: `EAGAIN` (socket buffer full), `ENOBUFS` (the queue dropped it).
fn is_congestion(cause: &io::Error) -> bool {
    matches!(cause.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS))
}

impl AsRawFd for PacketPort {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl AsFd for PacketPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
