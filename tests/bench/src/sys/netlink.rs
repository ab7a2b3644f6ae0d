//! One netlink message, made once and sent again and again: the cheapest way to a route.
#![expect(unsafe_code, reason = "netlink sockets are system calls")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Routes of the reference bear this protocol number.
const PROTOCOL: u8 = 168;
/// `nlmsghdr`, `rtmsg`, two attributes of four octets.
const LENGTH: usize = 16 + 12 + 8 + 8;
const DST_AT: usize = 16 + 12 + 4;
const OIF_AT: usize = DST_AT + 8;

/// Adds `/32` routes of scope link to the main table.
pub(crate) struct RouteAdder {
    fd: OwnedFd,
    message: [u8; LENGTH],
}

impl RouteAdder {
    /// A socket in the calling thread's namespace.
    pub(crate) fn open() -> io::Result<Self> {
        let fd = super::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE, 1 << 16)?;
        Ok(Self { fd, message: template() })
    }

    /// Adds a route. rtnetlink works inside `send`: the route is there on return. It would answer only a
    /// refusal, which nobody reads here.
    pub(crate) fn add(&mut self, address: [u8; 4], link: u32) -> io::Result<()> {
        self.message[DST_AT..DST_AT + 4].copy_from_slice(&address);
        self.message[OIF_AT..].copy_from_slice(&link.to_ne_bytes());
        let (start, length) = (self.message.as_ptr().cast(), self.message.len());
        // SAFETY: the message is readable for its length.
        super::length(unsafe { libc::send(self.fd.as_raw_fd(), start, length, 0) }).map(drop)
    }
}

fn template() -> [u8; LENGTH] {
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    let mut message = [0; LENGTH];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        message[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(&u32::try_from(LENGTH).unwrap_or(0).to_ne_bytes());
    put(&libc::RTM_NEWROUTE.to_ne_bytes());
    put(&u16::try_from(flags).unwrap_or(0).to_ne_bytes());
    put(&[0; 8]); // sequence and port: nobody compares them
    let family = u8::try_from(libc::AF_INET).unwrap_or(0);
    put(&[family, 32, 0, 0, libc::RT_TABLE_MAIN, PROTOCOL, libc::RT_SCOPE_LINK, libc::RTN_UNICAST]);
    put(&[0; 4]);
    for kind in [libc::RTA_DST, libc::RTA_OIF] {
        put(&8_u16.to_ne_bytes());
        put(&kind.to_ne_bytes());
        put(&[0; 4]);
    }
    message
}
