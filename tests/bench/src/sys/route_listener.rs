//! Host routes as they come and go, read by the thread that waits for them.
//!
//! The lab's watch has a thread of its own and parses every attribute; between a frame and its route that
//! would be a second wake-up and, in a burst, most of the time measured.
#![expect(unsafe_code, reason = "netlink sockets are system calls")]

use std::collections::HashSet;
use std::io;
use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use arpherd_lab::{Netns, monotonic_ns};

use crate::error::{Result, Tried};

/// Bytes of changes that may wait.
const RECEIVE_BUFFER: libc::c_int = 64 << 20;
/// How long one look lasts.
const LOOK: libc::timeval = libc::timeval { tv_sec: 0, tv_usec: 50_000 };

/// A `/32` route came or went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteChange {
    /// When it was read, `CLOCK_MONOTONIC` in nanoseconds.
    pub(crate) at: u64,
    /// Added or replaced; else deleted.
    pub(crate) is_new: bool,
    /// Its destination.
    pub(crate) address: Ipv4Addr,
}

/// Hears of route changes in a namespace.
pub(crate) struct RouteListener {
    fd: OwnedFd,
    buffer: [u8; 4096],
}

impl RouteListener {
    /// Hears every change from the return on.
    pub(crate) fn open(ns: &Netns) -> Result<Self> {
        let fd = ns.run(open).tried(|| format!("listen for routes in {}", ns.name()))?;
        Ok(Self { fd, buffer: [0; 4096] })
    }

    /// The first change that `fits`; none when `limit` passed first. Changes on the way to it are lost.
    pub(crate) fn wait(
        &mut self,
        limit: Duration,
        mut fits: impl FnMut(&RouteChange) -> bool,
    ) -> Result<Option<RouteChange>> {
        let limit = monotonic_ns().saturating_add(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        loop {
            match self.next(0)? {
                Some(change) if fits(&change) => return Ok(Some(change)),
                Some(_) => {}
                None if monotonic_ns() >= limit => return Ok(None),
                None => {}
            }
        }
    }

    /// Takes every address that gets a route off `missing`, until none is left or `limit` passed. Returns when the
    /// last came; none if none did.
    pub(crate) fn wait_for_routes(
        &mut self,
        limit: Duration,
        missing: &mut HashSet<Ipv4Addr>,
    ) -> Result<Option<u64>> {
        let mut last = None;
        self.wait(limit, |change| {
            if change.is_new && missing.remove(&change.address) {
                last = Some(change.at);
            }
            missing.is_empty()
        })?;
        Ok(last)
    }

    /// Forgets the changes that wait.
    pub(crate) fn drain(&mut self) -> Result<()> {
        while self.receive(libc::MSG_DONTWAIT)?.is_some() {}
        Ok(())
    }

    /// The next host route's change; none after a while without any.
    fn next(&mut self, flags: libc::c_int) -> Result<Option<RouteChange>> {
        while let Some(length) = self.receive(flags)? {
            let at = monotonic_ns();
            if let Some(change) = read(at, self.buffer.get(..length).unwrap_or_default()) {
                return Ok(Some(change));
            }
        }
        Ok(None)
    }

    fn receive(&mut self, flags: libc::c_int) -> Result<Option<usize>> {
        let (start, room) = (self.buffer.as_mut_ptr().cast(), self.buffer.len());
        // SAFETY: the kernel writes at most `room` octets into the buffer.
        match super::length(unsafe { libc::recv(self.fd.as_raw_fd(), start, room, flags) }) {
            Ok(length) => Ok(Some(length)),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => Ok(None),
            Err(error) => Err(error).tried(|| "hear of routes (ENOBUFS: faster than we read)".to_owned()),
        }
    }
}

fn open() -> io::Result<OwnedFd> {
    let fd = super::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE, RECEIVE_BUFFER)?;
    super::set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &LOOK)?;
    // SAFETY: all zeros is a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = u16::try_from(libc::AF_NETLINK).unwrap_or_default();
    address.nl_groups = u32::try_from(libc::RTMGRP_IPV4_ROUTE).unwrap_or_default();
    super::bind(&fd, &address)?;
    Ok(fd)
}

/// Reads a notification; the kernel sends one a datagram.
fn read(at: u64, message: &[u8]) -> Option<RouteChange> {
    let half = |at: usize| Some(u16::from_ne_bytes([*message.get(at)?, *message.get(at + 1)?]));
    let is_new = match half(4)? {
        libc::RTM_NEWROUTE => true,
        libc::RTM_DELROUTE => false,
        _ => return None,
    };
    // rtmsg: family, prefix length.
    if message.get(17) != Some(&32) {
        return None;
    }
    let mut attribute = 16 + 12;
    while let (Some(length), Some(kind)) = (half(attribute), half(attribute + 2)) {
        if kind == libc::RTA_DST {
            let octets: [u8; 4] = message.get(attribute + 4..attribute + 8)?.try_into().ok()?;
            return Some(RouteChange { at, is_new, address: octets.into() });
        }
        attribute += usize::from(length.max(4)).next_multiple_of(4);
    }
    None
}
