//! RARP requests of one link (RFC 903): they show where a station is, and none of its addresses.
//!
//! They have a socket of their own, because a packet socket is bound to one protocol or to all: with all, the kernel
//! would run a filter on every packet that is forwarded. The link's other socket is not read more often for it.

use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use arpherd_core::LinkAddr;
use socket2::Type;

use super::address::PacketAddress;
use super::closing::PacketSocket;
use super::{Medium, ROOM};
use crate::io::{PortError, StationPort, Tally, Wake, arp, filter, sockopt};

/// `ETH_P_RARP` of linux/if_ether.h.
pub(super) const RARP: u16 = 0x8035;
/// Packets read at once.
pub const BATCH: usize = 64;
/// Receive buffer asked for, in bytes: some 100 packets. What does not fit is dropped; hypervisors repeat theirs.
const RECEIVE_BUFFER: usize = 64 << 10;

/// A packet socket that receives RARP requests on one link.
#[derive(Debug)]
pub struct ReversePort {
    socket: Arc<PacketSocket>,
    medium: Medium,
}

impl ReversePort {
    /// Opens a socket on the link. It is bound only after its filter is set, so nothing else is ever received.
    ///
    /// # Errors
    /// As [`PacketPort::open`](super::PacketPort::open).
    pub fn open(medium: Medium) -> Result<Self, PortError> {
        let doing = |doing| move |cause| PortError::of(doing, cause);
        let interface = i32::try_from(medium.interface).map_err(|_| PortError::Down)?;
        let socket = PacketSocket::open(Type::DGRAM).map_err(doing("open a packet socket"))?;
        socket
            .attach_filter(&filter::reverse_requests_for_us(medium.interface))
            .map_err(doing("filter a packet socket"))?;
        sockopt::receive_buffer(&socket, RECEIVE_BUFFER).map_err(doing("size a packet socket's buffer"))?;
        PacketAddress::new(interface, RARP).bind(&socket).map_err(doing("bind a packet socket"))?;
        Ok(Self { socket: Arc::new(socket), medium })
    }

    /// Watches the socket without a descriptor of its own.
    ///
    /// # Errors
    /// As [`Wake::on`].
    pub fn wake(&self) -> io::Result<Wake> {
        Wake::sharing(&self.socket)
    }
}

impl StationPort for ReversePort {
    fn receive(&mut self, stations: &mut Vec<LinkAddr>, tally: &mut Tally) -> Result<bool, PortError> {
        for _ in 0..BATCH {
            let mut bytes = [0; ROOM];
            let length = match (&**self.socket).read(&mut bytes) {
                Ok(length) => length,
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => return Ok(true),
                Err(cause) => return Err(PortError::of("read from a packet socket", cause)),
            };
            tally.read += 1;
            match arp::decode_reverse_request(self.medium.kind, &bytes[..length.min(ROOM)]) {
                Ok(station) => stations.push(station),
                Err(rejected) => {
                    tally.malformed += 1;
                    tally.last_rejection = Some(rejected);
                }
            }
        }
        Ok(true)
    }
}

impl AsFd for ReversePort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
