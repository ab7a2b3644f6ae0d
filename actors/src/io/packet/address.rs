//! Addresses of packet sockets, with room for IPoIB's 20 octets.
#![expect(unsafe_code, reason = "such addresses have no safe wrapper")]

use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::AsRawFd;
use std::ptr;

use arpherd_core::LinkAddr;
use libc::socklen_t;
use socket2::Socket;

/// `libc::AF_PACKET`, of the width it has in an address.
const AF_PACKET: u16 = 17;

/// `struct sockaddr_ll` with room for any link-layer address (`MAX_ADDR_LEN` in `linux/netdevice.h`); the
/// one in libc ends after 8 octets.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(in crate::io) struct PacketAddress {
    family: u16,
    protocol: u16,
    interface: i32,
    hardware_type: u16,
    packet_type: u8,
    length: u8,
    address: [u8; 32],
}

/// Octets of a [`PacketAddress`].
pub(super) const ADDRESS_LENGTH: socklen_t = 44;

impl PacketAddress {
    /// Of the interface, for the protocol of this number (`ETH_P_…` of linux/if_ether.h).
    pub(in crate::io) fn new(interface: i32, protocol: u16) -> Self {
        Self { family: AF_PACKET, protocol: protocol.to_be(), interface, ..Self::default() }
    }

    /// For another protocol on the same interface.
    pub(super) fn for_protocol(mut self, protocol: u16) -> Self {
        self.protocol = protocol.to_be();
        self
    }

    /// Of a station on that link.
    pub(in crate::io) fn with_station(mut self, address: &LinkAddr) -> Self {
        let octets = address.octets();
        self.address[..octets.len()].copy_from_slice(octets);
        self.length = u8::try_from(octets.len()).unwrap_or(0);
        self
    }

    /// Binds a packet socket to the interface and the protocol.
    pub(in crate::io) fn bind(&self, socket: &Socket) -> io::Result<()> {
        // SAFETY: the address has ADDRESS_LENGTH octets and outlives the call.
        let outcome = unsafe { libc::bind(socket.as_raw_fd(), ptr::from_ref(self).cast(), ADDRESS_LENGTH) };
        if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Sends one frame there through a packet socket. Never blocks.
    pub(in crate::io) fn send(&self, socket: &Socket, frame: &[u8]) -> io::Result<()> {
        // SAFETY: the pointers and lengths describe the frame and the address, which outlive the call.
        let sent = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                libc::MSG_DONTWAIT,
                ptr::from_ref(self).cast(),
                ADDRESS_LENGTH,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The station's address, where the kernel filled in a received frame's source and it has six octets; else unknown.
    pub(super) fn source(&self) -> LinkAddr {
        if self.length != 6 {
            return LinkAddr::UNKNOWN;
        }
        LinkAddr::try_new(&self.address[..6]).unwrap_or_default()
    }
}

// The kernel's layout, linux/if_packet.h.
const _: () = assert!(
    offset_of!(PacketAddress, address) == 12 && size_of::<PacketAddress>() == ADDRESS_LENGTH as usize
);
const _: () = assert!(AF_PACKET as i32 == libc::AF_PACKET);
