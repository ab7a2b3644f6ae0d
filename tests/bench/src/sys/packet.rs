//! A blocking packet socket for ARP frames.
#![expect(unsafe_code, reason = "packet sockets are system calls")]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

/// An ARP packet for IPv4 in an Ethernet frame.
pub(crate) type Frame = [u8; 42];

/// Frames handed to the kernel in one call.
const BATCH: usize = 64;
/// Bytes of frames that may wait.
const RECEIVE_BUFFER: libc::c_int = 8 << 20;
/// `ETH_P_ARP` in network order.
const ARP: u16 = 0x0806_u16.to_be();

/// Ethernet, IPv4, lengths 6 and 4, operation 1 or 2.
const ARP_FOR_IPV4: [libc::sock_filter; 10] = [
    instruction(0x28, 0, 0, 14), // ldh [14]
    instruction(0x15, 0, 7, 1),  // jeq else drop
    instruction(0x28, 0, 0, 16),
    instruction(0x15, 0, 5, 0x0800),
    instruction(0x28, 0, 0, 18),
    instruction(0x15, 0, 3, 0x0604),
    instruction(0x28, 0, 0, 20),
    instruction(0x25, 1, 0, 2), // jgt: drop
    instruction(0x06, 0, 0, 0xffff),
    instruction(0x06, 0, 0, 0),
];

const fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

/// Reads and writes whole frames, one at a time or many.
pub(crate) struct ArpSocket(OwnedFd);

impl ArpSocket {
    /// A socket in the calling thread's namespace that receives ARP, on one link or, with 0, on all.
    pub(crate) fn open(link: u32) -> io::Result<Self> {
        // Protocol 0 receives nothing until the filter is there and the socket bound.
        let fd = super::socket(libc::AF_PACKET, libc::SOCK_RAW, 0, RECEIVE_BUFFER)?;
        let mut code = ARP_FOR_IPV4;
        let length = u16::try_from(code.len()).unwrap_or(0);
        let program = libc::sock_fprog { len: length, filter: code.as_mut_ptr() };
        super::set_option(&fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)?;
        super::bind(&fd, &on(link))?;
        Ok(Self(fd))
    }

    /// A descriptor of the same socket, to be watched.
    pub(crate) fn share(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }

    /// A socket in the calling thread's namespace that only sends.
    pub(crate) fn open_deaf(link: u32) -> io::Result<Self> {
        let fd = super::socket(libc::AF_PACKET, libc::SOCK_RAW, 0, 1 << 16)?;
        super::bind(&fd, &libc::sockaddr_ll { sll_protocol: 0, ..on(link) })?;
        Ok(Self(fd))
    }

    /// Waits for a frame; gives its length and the link it came in on.
    pub(crate) fn receive(&self, frame: &mut [u8]) -> io::Result<(usize, u32)> {
        self.receive_with(frame, 0)
    }

    /// The same for one that is there already; an error of kind `WouldBlock` if there is none.
    pub(crate) fn try_receive(&self, frame: &mut [u8]) -> io::Result<(usize, u32)> {
        self.receive_with(frame, libc::MSG_DONTWAIT)
    }

    fn receive_with(&self, frame: &mut [u8], flags: libc::c_int) -> io::Result<(usize, u32)> {
        let mut from = on(0);
        let mut size = super::socklen::<libc::sockaddr_ll>();
        // SAFETY: the kernel writes at most the given lengths into `frame` and `from`.
        let received = super::length(unsafe {
            libc::recvfrom(
                self.0.as_raw_fd(),
                frame.as_mut_ptr().cast(),
                frame.len(),
                flags,
                (&raw mut from).cast(),
                &raw mut size,
            )
        })?;
        Ok((received, u32::try_from(from.sll_ifindex).unwrap_or(0)))
    }

    /// Sends a frame on the link the socket is bound to.
    pub(crate) fn send(&self, frame: &Frame) -> io::Result<()> {
        // SAFETY: the frame is readable for its length.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        super::length(sent).map(drop)
    }

    /// Sends a frame on this link.
    pub(crate) fn send_on(&self, link: u32, frame: &Frame) -> io::Result<()> {
        let to = on(link);
        // SAFETY: frame and address are readable for their lengths.
        let sent = unsafe {
            libc::sendto(
                self.0.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const to).cast(),
                super::socklen::<libc::sockaddr_ll>(),
            )
        };
        super::length(sent).map(drop)
    }

    /// Sends frames on the link the socket is bound to, in as few calls as may be.
    pub(crate) fn send_many(&self, frames: &[Frame]) -> io::Result<()> {
        let mut rest = frames;
        while !rest.is_empty() {
            let sent = self.send_batch(&rest[..rest.len().min(BATCH)])?;
            rest = &rest[sent.max(1)..];
        }
        Ok(())
    }

    fn send_batch(&self, frames: &[Frame]) -> io::Result<usize> {
        let mut parts = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH];
        // SAFETY: all zeros is a valid mmsghdr.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for ((frame, part), header) in frames.iter().zip(&mut parts).zip(&mut headers) {
            *part = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
        }
        let count = libc::c_uint::try_from(frames.len().min(BATCH)).unwrap_or(0);
        // SAFETY: `count` headers point to parts, those to frames; all outlive the call, which reads only.
        let sent = unsafe { libc::sendmmsg(self.0.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
        Ok(usize::try_from(super::check(sent)?).unwrap_or(0))
    }
}

fn on(link: u32) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).unwrap_or_default(),
        sll_protocol: ARP,
        sll_ifindex: libc::c_int::try_from(link).unwrap_or_default(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}
