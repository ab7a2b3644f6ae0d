//! The covering device: a TUN interface into which the kernel routes packets for unknown hosts, and a raw socket by
//! which they go on.
//!
//! Packets are not written back into the device: the kernel would count them as received there, so that reverse-path
//! filters and firewalls judged them a second time, and their TTL fell twice. A raw socket sends them as they are
//! (`IP_HDRINCL`, raw(7)), along the host route that stands by then.
#![expect(unsafe_code, reason = "a TUN interface is made by an ioctl that no crate of ours wraps")]

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::net::netdevice::name_to_index;
use socket2::{Domain, Protocol, Socket, Type};

use super::netlink::link_setup::set_up;

/// `%d` is the first free number: each daemon has a device of its own.
const NAME: &[u8] = b"arpherd%d";
/// `struct ifreq` of linux/if.h: the name, then a union whose first member here is `ifr_flags`.
const REQUEST: usize = 40;
const NAME_LENGTH: usize = 16;
/// The longest IPv4 packet: whatever a link of the domain can carry fits, and is judged by the MTU of its own route when
/// it goes on.
const MTU: u16 = u16::MAX;

/// Reads packets for unknown hosts, and sends packets.
pub trait PacketDevice: Send {
    /// Reads one packet into the room, and says how long it is; `None` if there is none. Never blocks.
    ///
    /// # Errors
    /// If the device is gone.
    fn receive(&mut self, room: &mut [u8]) -> io::Result<Option<usize>>;

    /// Sends an IPv4 packet with its header along the kernel's routes.
    ///
    /// # Errors
    /// If there is no route, no room, or the packet is longer than the link's MTU.
    fn send(&mut self, packet: &[u8], destination: Ipv4Addr) -> io::Result<()>;
}

/// The device of one network namespace. It ends with this value, and so do the routes into it.
#[derive(Debug)]
pub struct CoverDevice {
    device: File,
    sender: Socket,
    index: u32,
}

impl CoverDevice {
    /// Makes the device and sets it up, in the calling thread's network namespace.
    ///
    /// # Errors
    /// If there is no `/dev/net/tun`, or a capability is missing.
    pub fn open() -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let device = options.read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
        let name = make_tun(&device)?;
        // IPPROTO_RAW implies IP_HDRINCL.
        let sender = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        sender.set_nonblocking(true)?;
        let index = name_to_index(&sender, &name)?;
        set_up(index, u32::from(MTU))?;
        Ok(Self { device, sender, index })
    }

    /// The number of its interface.
    pub fn index(&self) -> u32 {
        self.index
    }
}

/// Makes the interface, and returns its name.
fn make_tun(device: &File) -> io::Result<String> {
    let mut request = [0_u8; REQUEST];
    request[..NAME.len()].copy_from_slice(NAME);
    let flags = libc::IFF_TUN | libc::IFF_NO_PI;
    let flags = i16::try_from(flags).unwrap_or_default().to_ne_bytes();
    request[NAME_LENGTH..NAME_LENGTH + flags.len()].copy_from_slice(&flags);
    // SAFETY: the kernel reads and writes `struct ifreq`, whose 40 octets `request` has and of which any are valid.
    let outcome = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    let name: Vec<u8> = request[..NAME_LENGTH].iter().copied().take_while(|octet| *octet != 0).collect();
    String::from_utf8(name).map_err(io::Error::other)
}

impl PacketDevice for CoverDevice {
    fn receive(&mut self, room: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.device.read(room) {
                Ok(length) => return Ok(Some(length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn send(&mut self, packet: &[u8], destination: Ipv4Addr) -> io::Result<()> {
        self.sender.send_to(packet, &SocketAddrV4::new(destination, 0).into()).map(drop)
    }
}

impl AsFd for CoverDevice {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}
