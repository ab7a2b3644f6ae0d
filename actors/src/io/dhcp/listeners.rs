//! Who listens on port 67 of this machine, by sock_diag(7): /proc shows it as well, but is closed to the daemon.

use std::io;
use std::net::Ipv4Addr;

use neli::consts::socket::NlFamily;

use super::SERVER_PORT;
use crate::io::netlink::socket::Channel;
use crate::io::netlink::wire::Messages;

/// `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
/// Octets of `struct inet_diag_req_v2`.
const REQUEST: usize = 56;
/// Where `idiag_sport` and `idiag_src` stand in `struct inet_diag_msg`.
const PORT: usize = 4;
const SOURCE: usize = 8;
const RECEIVE_BUFFER: usize = 256 << 10;
/// Datagrams of one answer at the most.
const MOST: usize = 10_000;

/// The IPv4 addresses at which UDP sockets of the calling thread's network namespace are bound to port 67; 0.0.0.0 stands
/// for all.
///
/// # Errors
/// If the kernel cannot be asked.
pub fn listening_at() -> io::Result<Vec<Ipv4Addr>> {
    let channel = Channel::open_to(NlFamily::from(libc::NETLINK_SOCK_DIAG), RECEIVE_BUFFER)?;
    channel.send(&request())?;
    let mut addresses = Vec::new();
    let mut room = vec![0; 32 << 10];
    for _ in 0..MOST {
        let length = channel.receive(&mut room)?;
        for message in Messages::of(&room[..length]) {
            match i32::from(message.kind) {
                libc::NLMSG_DONE => return Ok(addresses),
                libc::NLMSG_ERROR => return Err(io::ErrorKind::Unsupported.into()),
                _ => addresses.extend(bound_address(message.body)),
            }
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn request() -> Vec<u8> {
    let length = u32::try_from(16 + REQUEST).unwrap_or_default();
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_DUMP).unwrap_or_default();
    let mut octets = Vec::with_capacity(16 + REQUEST);
    octets.extend(length.to_ne_bytes());
    octets.extend(BY_FAMILY.to_ne_bytes());
    octets.extend(flags.to_ne_bytes());
    octets.extend([0; 8]);
    // Family, protocol, no extensions, and sockets of every state.
    octets.extend([2, 17, 0, 0]);
    octets.extend(u32::MAX.to_ne_bytes());
    octets.resize(16 + REQUEST, 0);
    octets
}

fn bound_address(body: &[u8]) -> Option<Ipv4Addr> {
    let port = u16::from_be_bytes(*body.get(PORT..)?.first_chunk()?);
    let address: [u8; 4] = *body.get(SOURCE..)?.first_chunk()?;
    (port == SERVER_PORT).then(|| address.into())
}
