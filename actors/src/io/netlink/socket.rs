//! A netlink socket with the options that every one of ours has.
#![expect(unsafe_code, reason = "neli hands out its descriptor only as a number")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use neli::consts::socket::{Msg, NlFamily};
use neli::socket::NlSocket;
use neli::utils::Groups;
use rustix::buffer::spare_capacity;
use rustix::net::RecvFlags;

use super::wire::{Messages, NetlinkAck};
use crate::io::sockopt;

/// A netlink socket, mostly to rtnetlink. Errors come with a text and without the request, and requests for lists are
/// checked strictly, so that the kernel filters the lists.
pub(in crate::io) struct Channel {
    socket: NlSocket,
    port: u32,
}

/// Room for the longest datagram that may come. The process has no memory for it before one came, and then no more than
/// that one took.
pub(in crate::io) struct Room(Vec<u8>);

impl Room {
    /// Room for so many bytes.
    pub(in crate::io) fn for_bytes(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }
}

impl Channel {
    /// Opens a socket in the calling thread's network namespace, with a receive buffer of so many bytes.
    pub(in crate::io) fn open(receive_buffer: usize) -> io::Result<Self> {
        Self::open_to(NlFamily::Route, receive_buffer)
    }

    /// The same, to the netlink family given.
    pub(in crate::io) fn open_to(family: NlFamily, receive_buffer: usize) -> io::Result<Self> {
        let socket = NlSocket::connect(family, None, Groups::empty())?;
        socket.enable_ext_ack(true)?;
        socket.enable_strict_checking(true)?;
        let channel = Self { port: socket.pid()?, socket };
        sockopt::set(&channel, libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, 1)?;
        sockopt::receive_buffer(&channel, receive_buffer)?;
        Ok(channel)
    }

    /// From now on reading fails with `WouldBlock` instead of waiting.
    pub(in crate::io) fn nonblock(&self) -> io::Result<()> {
        self.socket.nonblock()
    }

    /// Joins multicast groups (`RTNLGRP_…`).
    pub(in crate::io) fn join(&self, groups: &[u32]) -> io::Result<()> {
        self.socket.add_mcast_membership(Groups::new_groups(groups))
    }

    /// The socket's netlink port id: `nlmsg_pid` of what it sends, and of the notifications that this causes.
    pub(in crate::io) fn port(&self) -> u32 {
        self.port
    }

    /// Sends one datagram of messages. rtnetlink has carried all of them out when this returns.
    pub(in crate::io) fn send(&self, messages: &[u8]) -> io::Result<()> {
        self.socket.send(messages, Msg::empty()).map(drop)
    }

    /// Receives one datagram of messages and returns how long it is.
    pub(in crate::io) fn receive(&self, room: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(room, Msg::empty()).map(|(length, _groups)| length)
    }

    /// Receives one datagram of messages.
    pub(in crate::io) fn receive_in<'r>(&self, room: &'r mut Room) -> io::Result<&'r [u8]> {
        room.0.clear();
        rustix::net::recv(self, spare_capacity(&mut room.0), RecvFlags::empty())?;
        Ok(&room.0)
    }

    /// Sends messages that ask for no lists, and reads the first error that they brought, of a socket that does not wait.
    /// rtnetlink and nfnetlink work inside `send`, so what is to be read is there when it returns.
    pub(in crate::io) fn exchange(&self, messages: &[u8], room: &mut [u8]) -> io::Result<()> {
        self.send(messages)?;
        let mut outcome = Ok(());
        loop {
            let length = match self.receive(room) {
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return outcome,
                other => other?,
            };
            for message in Messages::of(&room[..length]) {
                let errno = NetlinkAck::of(&message).map_or(0, |ack| ack.errno);
                if errno != 0 && outcome.is_ok() {
                    outcome = Err(io::Error::from_raw_os_error(errno));
                }
            }
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is the socket's, which stays open as long as `self` is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// nl80211's groups have whatever numbers are free, and a mask of 32 bits ends there.
    #[test]
    fn a_group_beyond_the_thirty_second_is_joined() {
        const LIST_MEMBERSHIPS: i32 = 9;
        const GROUP: usize = 33;
        let channel = Channel::open(1 << 16).expect("a netlink socket");
        channel.join(&[GROUP.try_into().expect("a small number")]).expect("joined");
        let mut joined = [0; 16];
        sockopt::get_bytes(&channel, libc::SOL_NETLINK, LIST_MEMBERSHIPS, &mut joined).expect("listed");
        let bit = GROUP - 1;
        assert_eq!(joined[bit / 8], 1 << (bit % 8), "{joined:?}");
    }
}
