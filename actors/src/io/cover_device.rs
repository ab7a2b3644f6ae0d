//! The covering device: a TUN interface into which the kernel routes packets for unknown hosts, and a raw socket by
//! which they go on.
//!
//! Packets are not written back into the device: the kernel would count them as received there, so that reverse-path
//! filters and firewalls judged them a second time, and their TTL fell twice. A raw socket sends them as they are
//! (`IP_HDRINCL`, raw(7)), along the host route that stands by then.
#![expect(unsafe_code, reason = "a TUN interface is made by an ioctl that no crate of ours wraps")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::net::netdevice::name_to_index;
use socket2::{Domain, Protocol, Socket, Type};

use super::netlink::link_setup::set_up;
use super::sockopt;

/// `%d` is the first free number: each daemon has a device of its own.
const NAME: &[u8] = b"arpherd%d";
/// `struct ifreq` of linux/if.h: the name, then a union whose first member here is `ifr_flags`.
const REQUEST: usize = 40;
const NAME_LENGTH: usize = 16;
/// That of Ethernet, so that senders learn no more than what most links carry: what they send to an unknown host is
/// fragmented to it, or told to be shorter, before it is held. On a shorter link long packets are lost until the host is
/// known.
const MTU: u32 = 1500;

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

    /// Sends an IPv4 packet with its header to a host on the link of this interface, and nowhere else: a packet of this
    /// machine is routed by other rules than one that it forwards, so that the host's route may not be among those of
    /// the table, or VRF, in which it would be looked up; the default route may be.
    ///
    /// # Errors
    /// If the interface is gone, there is no room, or the packet is longer than the link's MTU.
    fn forward(&mut self, packet: &[u8], target: Ipv4Addr, interface: u32) -> io::Result<()>;
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
        silence_ipv6(&name);
        set_up(index, MTU)?;
        Ok(Self { device, sender, index })
    }

    /// The number of its interface.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Has what is sent leave by this interface; 0: by any (`IP_UNICAST_IF`, in network order; ip(7)).
    fn leave_by(&self, interface: u32) -> io::Result<()> {
        let index = i32::from_ne_bytes(interface.to_be_bytes());
        sockopt::set(&self.sender, libc::IPPROTO_IP, libc::IP_UNICAST_IF, index)
    }
}

/// Without IPv6 the kernel sends nothing of its own into the device. Called in its network namespace. A kernel without
/// IPv6 has no such setting; what is sent nevertheless is ignored.
fn silence_ipv6(name: &str) {
    let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
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
        self.leave_by(0)?;
        self.sender.send_to(packet, &SocketAddrV4::new(destination, 0).into()).map(drop)
    }

    fn forward(&mut self, packet: &[u8], target: Ipv4Addr, interface: u32) -> io::Result<()> {
        self.leave_by(interface)?;
        // Of routes by the interface only those without a gateway count (RT_SCOPE_LINK); without one the kernel takes
        // the target to be on the link (`ip_route_output_key_hash_rcu`).
        let target = SocketAddrV4::new(target, 0).into();
        self.sender.send_to_with_flags(packet, &target, libc::MSG_DONTROUTE).map(drop)
    }
}

impl AsFd for CoverDevice {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}
