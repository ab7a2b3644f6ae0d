//! Looking up by which interface the kernel would forward a packet.

use std::io;
use std::net::Ipv4Addr;

use super::socket::Channel;
use super::wire::Messages;
use super::{NetlinkError, compose, decode};

/// Bytes that may wait unread; an answer is one route.
const RECEIVE_BUFFER: usize = 64 << 10;

/// Looks up one packet at a time. The kernel answers inside the call that sends the request (`inet_rtm_getroute`),
/// which takes some 10 µs in all.
pub(super) struct RouteLookup {
    channel: Channel,
    sequence: u32,
    request: Vec<u8>,
    room: Box<[u8; 4096]>,
}

impl RouteLookup {
    pub(super) fn open() -> Result<Self, NetlinkError> {
        let open = || {
            let channel = Channel::open(RECEIVE_BUFFER)?;
            channel.nonblock()?;
            Ok(channel)
        };
        let channel = open().map_err(NetlinkError::socket("open a netlink socket to look up routes"))?;
        Ok(Self { channel, sequence: 0, request: Vec::new(), room: Box::new([0; 4096]) })
    }

    /// See [`crate::io::RouteTable::lookup_route`]. `None` on any failure too: then nobody is answered.
    pub(super) fn lookup_route(&mut self, interface: u32, source: Ipv4Addr, target: Ipv4Addr) -> Option<u32> {
        self.sequence = self.sequence.wrapping_add(1);
        self.request.clear();
        compose::route_lookup(&mut self.request, self.sequence, interface, source, target).ok()?;
        self.channel.send(&self.request).ok()?;
        loop {
            let length = match self.channel.receive(&mut self.room[..]) {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                other => other.ok()?,
            };
            let answer = Messages::of(&self.room[..length]).find(|message| message.sequence == self.sequence);
            // An error (RTN_UNREACHABLE and the like, a filtered source, no forwarding) is no RTM_NEWROUTE.
            if let Some(message) = answer {
                return if message.kind == libc::RTM_NEWROUTE {
                    decode::output_interface(message.body).ok()?
                } else {
                    None
                };
            }
        }
    }
}
