//! Notifications of what others change: links, addresses and host routes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use arpherd_core::fact::KernelRoute;
use ipnetwork::Ipv4Network;
use socket2::SockRef;

use super::NetlinkError;
use super::decode::{self, Decoded};
use super::info::{AddressInfo, LinkInfo};
use super::socket::{Channel, Room};
use super::wire::{Message, Messages};
use crate::io::filter;

/// Bytes of one datagram; a notification is one message, the longest about a link with all its attributes.
pub(super) const ROOM: usize = 64 << 10;
/// Bytes that may wait unread: some 10,000 notifications.
const RECEIVE_BUFFER: usize = 8 << 20;
/// More notifications than can wait at the same time.
const MOST_WAITING: u32 = 1 << 16;
/// Notifications read in one call.
pub(super) const BATCH: usize = 64;

/// Something another changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// An interface appeared or is now like this. Sent often, and mostly without a difference that matters.
    Link(LinkInfo),
    /// An interface was deleted; its number is not used again for a long time.
    LinkGone {
        /// Its number.
        index: u32,
        /// Its last name.
        name: String,
    },
    /// An IPv4 address was added to an interface.
    AddressAppeared(AddressInfo),
    /// An IPv4 address was removed from an interface.
    AddressVanished(AddressInfo),
    /// Somebody added a `/32` route to the table watched, or replaced one there: the route with the same
    /// destination and metric is then gone, and no other notification says so.
    RouteAppeared(KernelRoute),
    /// Somebody deleted a `/32` route. The kernel does so too, but says nothing when it flushes routes
    /// because a link went down or lost its last address: then look at the link and the addresses.
    RouteVanished(KernelRoute),
    /// Somebody deleted a covering route of ours.
    CoverVanished(Ipv4Network),
    /// Somebody, perhaps this process, set `forwarding`, `rp_filter` or `proxy_arp` of an interface, of `all`
    /// or of `default`, or an interface was created. Of other settings the kernel says nothing
    /// (`devinet_conf_proc`).
    Settings,
}

/// Why changes could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The kernel dropped notifications because we were too slow (`ENOBUFS`): what was known may be wrong,
    /// and everything must be read again. The monitor goes on.
    #[error("the kernel dropped notifications of changes")]
    Overrun,
    /// A system call failed.
    #[error("cannot read notifications of changes: {0}")]
    Failed(#[source] io::Error),
}

/// Receives notifications of what others change, from when it was opened on: so open it first and read the lists
/// then.
pub struct Monitor {
    channel: Channel,
    table: u32,
    /// The table of the fabric, if it is another one.
    fabric_table: Option<u32>,
    room: Room,
    malformed: u64,
}

impl Monitor {
    /// Opens a monitor in the calling thread's network namespace.
    ///
    /// `table` is the routing table watched. `own_port` is the netlink port whose changes are not reported,
    /// because they are ours ([`super::RouteWriter::port`]).
    ///
    /// # Errors
    /// If the socket cannot be opened. No rights are needed.
    pub fn open(table: u32, own_port: u32) -> Result<Self, NetlinkError> {
        let open = || {
            let channel = Channel::open(RECEIVE_BUFFER)?;
            channel.nonblock()?;
            // The filter before the groups, so that nothing else gets in.
            SockRef::from(&channel).attach_filter(&filter::foreign_changes(own_port))?;
            channel.join(&[
                libc::RTNLGRP_LINK,
                libc::RTNLGRP_IPV4_IFADDR,
                libc::RTNLGRP_IPV4_ROUTE,
                libc::RTNLGRP_IPV4_NETCONF,
            ])?;
            Ok(channel)
        };
        let channel = open().map_err(NetlinkError::socket("open a netlink socket to watch changes"))?;
        Ok(Self { channel, table, fabric_table: None, room: Room::for_bytes(ROOM), malformed: 0 })
    }

    /// Has host routes of a second table reported, too, and covering routes in that one only.
    pub fn follow_fabric_table(&mut self, table: Option<u32>) {
        self.fabric_table = table;
    }

    /// Reads what has arrived, up to a fixed number of notifications, and appends it to `changes`. Never
    /// blocks. Returns whether more may be waiting.
    ///
    /// # Errors
    /// [`MonitorError::Overrun`] when notifications were lost; those that wait are discarded too.
    pub fn read(&mut self, changes: &mut Vec<Changed>) -> Result<bool, MonitorError> {
        for _ in 0..BATCH {
            let Some(received) = receive(&self.channel, &mut self.room)? else { return Ok(false) };
            for message in Messages::of(received) {
                match decode(&message, self.table, self.fabric_table) {
                    Ok(Some(change)) => changes.push(change),
                    Ok(None) => {}
                    Err(decode::Malformed) => self.malformed += 1,
                }
            }
        }
        Ok(true)
    }

    /// Notifications so far that could not be understood.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }
}

/// Reads one datagram of notifications; `None` if none waits, and an empty one if a signal interrupted.
pub(super) fn receive<'r>(channel: &Channel, room: &'r mut Room) -> Result<Option<&'r [u8]>, MonitorError> {
    match channel.receive_in(room) {
        Ok(received) => Ok(Some(received)),
        Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(cause) if cause.kind() == io::ErrorKind::Interrupted => Ok(Some(&[])),
        Err(cause) if cause.raw_os_error() == Some(libc::ENOBUFS) => {
            discard(channel);
            Err(MonitorError::Overrun)
        }
        Err(cause) => Err(MonitorError::Failed(cause)),
    }
}

/// Discards what waits: it is older than the lists that will be read again, and would be taken for changes of them.
fn discard(channel: &Channel) {
    // One octet is room enough: what does not fit is cut off by the kernel.
    let mut waiting = (0..MOST_WAITING).map(|_| channel.receive(&mut [0]));
    waiting.find(|received| matches!(received, Err(cause) if cause.kind() == io::ErrorKind::WouldBlock));
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

fn decode(message: &Message<'_>, table: u32, fabric_table: Option<u32>) -> Decoded<Changed> {
    let body = message.body;
    let host_route = || match (decode::host_route(body, table)?, fabric_table) {
        (None, Some(fabric)) => {
            let route = decode::host_route(body, fabric)?;
            Ok(route.map(|route| KernelRoute { in_fabric_table: true, ..route }))
        }
        (route, _) => Ok(route),
    };
    Ok(match message.kind {
        libc::RTM_NEWLINK => decode::link(body)?.map(Changed::Link),
        libc::RTM_DELLINK => {
            decode::link(body)?.map(|link| Changed::LinkGone { index: link.index, name: link.name })
        }
        libc::RTM_NEWADDR => decode::address(body)?.map(Changed::AddressAppeared),
        libc::RTM_DELADDR => decode::address(body)?.map(Changed::AddressVanished),
        libc::RTM_NEWROUTE => host_route()?.map(Changed::RouteAppeared),
        libc::RTM_DELROUTE => match decode::cover(body, fabric_table.unwrap_or(table))? {
            Some(prefix) => Some(Changed::CoverVanished(prefix)),
            None => host_route()?.map(Changed::RouteVanished),
        },
        libc::RTM_NEWNETCONF => Some(Changed::Settings),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_can_make_it_panic(
            kind in prop_oneof![16_u16..30, Just(libc::RTM_NEWNETCONF)], body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = decode(&Message { kind, flags: 0, sequence: 0, body: &body }, 254, Some(200));
        }

        /// Attributes with likely types and lengths, so that the decoders get past the first.
        #[test]
        fn no_attribute_can_make_it_panic(
            kind in 16_u16..30,
            head in 0_usize..20,
            attributes in prop::collection::vec((0_u16..40, 0_u16..24, any::<u32>()), 0..8),
            cut in 0_usize..12,
        ) {
            let mut body = vec![0; head];
            if let Some(family) = body.first_mut() {
                *family = 2;
            }
            if let Some(length) = body.get_mut(1) {
                *length = 32;
            }
            for (kind, length, value) in attributes {
                body.extend(length.to_ne_bytes());
                body.extend(kind.to_ne_bytes());
                body.extend(value.to_ne_bytes());
            }
            body.truncate(body.len().saturating_sub(cut));
            let _ = decode(&Message { kind, flags: 0, sequence: 0, body: &body }, 254, Some(200));
        }
    }
}
