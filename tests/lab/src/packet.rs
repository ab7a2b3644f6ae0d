//! Packet sockets: frames in and out of one link, in batches, with the kernel's time stamps.
#![expect(unsafe_code, reason = "packet sockets are system calls")]

use std::io;
use std::mem::{self, MaybeUninit, size_of};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use crate::error::{Tried, check};
use crate::wait::realtime_ns;
use crate::{Netns, Result, monotonic_ns};

/// Longer frames are cut; ARP and DHCP are far shorter.
const SNAP: usize = 2048;

/// Whom a captured frame was for (`sll_pkttype`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketType {
    /// This link's address.
    Host,
    /// Everybody.
    Broadcast,
    /// A group.
    Multicast,
    /// Another address.
    OtherHost,
    /// It was sent by this machine through this link.
    Outgoing,
    /// Something else, by its number.
    Other(u8),
}

impl From<u8> for PacketType {
    fn from(kind: u8) -> Self {
        match kind {
            libc::PACKET_HOST => Self::Host,
            libc::PACKET_BROADCAST => Self::Broadcast,
            libc::PACKET_MULTICAST => Self::Multicast,
            libc::PACKET_OTHERHOST => Self::OtherHost,
            libc::PACKET_OUTGOING => Self::Outgoing,
            other => Self::Other(other),
        }
    }
}

/// What a packet socket receives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receives {
    /// Every frame, in both directions.
    All,
    /// Incoming ARP.
    Arp,
    /// Incoming ARP requests.
    Requests,
}

pub(crate) struct Received<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) kind: PacketType,
    pub(crate) ts_ns: u64,
}

pub(crate) struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// A socket bound to the link; it receives from the return on. Never promiscuous.
    pub(crate) fn open(ns: &Netns, link: &str, receives: Receives) -> Result<Self> {
        let index = libc::c_int::try_from(ns.index(link)?).unwrap_or_default();
        ns.run(|| open(index, receives)).tried(|| format!("open a packet socket on {link} in {}", ns.name()))
    }

    /// Sends one whole frame. The kernel copies it before the return.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: the frame is readable for its length.
        let sent = unsafe { libc::send(self.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Sends frames in as few calls as may be; returns at the first refusal.
    pub(crate) fn send_many<const N: usize>(&self, frames: &[[u8; N]]) -> io::Result<()> {
        let mut rest = frames;
        while !rest.is_empty() {
            let some = &rest[..rest.len().min(64)];
            let mut parts: Vec<libc::iovec> = some
                .iter()
                .map(|frame| libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: N })
                .collect();
            let headers = parts.iter_mut().map(|part| {
                // SAFETY: all zeros is a valid mmsghdr.
                let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
                header.msg_hdr.msg_iov = part;
                header.msg_hdr.msg_iovlen = 1;
                header
            });
            let mut headers: Vec<libc::mmsghdr> = headers.collect();
            let count = libc::c_uint::try_from(headers.len()).unwrap_or(0);
            // SAFETY: every header points to one of `parts`, those to the frames; all outlive the call,
            // and sending only reads.
            let code = unsafe { libc::sendmmsg(self.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
            rest = &rest[usize::try_from(check(code)?).unwrap_or(0).max(1)..];
        }
        Ok(())
    }

    /// Hands up to a batch of waiting frames to `each`; returns how many. Does not wait. A link that
    /// went down (`ENETDOWN`, reported once) or is gone looks like one without frames.
    pub(crate) fn receive(&self, batch: &mut Batch, mut each: impl FnMut(Received<'_>)) -> io::Result<usize> {
        let count = match batch.fill(self.as_raw_fd()) {
            Ok(count) => count,
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR | libc::ENETDOWN) => 0,
                _ => return Err(error),
            },
        };
        // The kernel stamps frames with the wall clock; at this moment the two clocks are so far apart.
        let (wall, monotonic) = (realtime_ns(), monotonic_ns());
        for (slot, &length) in batch.slots.iter().zip(&batch.lengths).take(count) {
            let age = slot.stamp().map_or(0, |stamp| wall.saturating_sub(stamp));
            let bytes = &slot.data[..length.min(SNAP)];
            let kind = PacketType::from(slot.address.sll_pkttype);
            each(Received { bytes, kind, ts_ns: monotonic.saturating_sub(age) });
        }
        Ok(count)
    }

    /// Throws away what waits, at most as much as a socket can hold.
    pub(crate) fn drain(&self, batch: &mut Batch) {
        for _ in 0..100_000 {
            if !matches!(self.receive(batch, |_| ()), Ok(1..)) {
                return;
            }
        }
    }

    /// Frames the socket had no room for since the last call.
    pub(crate) fn dropped(&self) -> u32 {
        let mut stats = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut length = socklen::<libc::tpacket_stats>();
        // SAFETY: the kernel writes at most `length` octets into `stats`.
        let code = unsafe {
            libc::getsockopt(
                self.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut length,
            )
        };
        if code == 0 { stats.tp_drops } else { 0 }
    }
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Room for frames, used again and again.
pub(crate) struct Batch {
    slots: Vec<Slot>,
    lengths: Vec<usize>,
}

struct Slot {
    data: [u8; SNAP],
    address: libc::sockaddr_ll,
    /// Octets of one time stamp message, aligned as the kernel requires.
    control: [u64; 8],
}

impl Batch {
    pub(crate) fn new(frames: usize) -> Self {
        // SAFETY: all zeros is a valid value of these plain integers.
        let slot = || unsafe { MaybeUninit::<Slot>::zeroed().assume_init() };
        Self { slots: (0..frames).map(|_| slot()).collect(), lengths: vec![0; frames] }
    }

    fn fill(&mut self, fd: RawFd) -> io::Result<usize> {
        let mut parts: Vec<libc::iovec> = self
            .slots
            .iter_mut()
            .map(|slot| libc::iovec { iov_base: slot.data.as_mut_ptr().cast(), iov_len: SNAP })
            .collect();
        let mut headers: Vec<libc::mmsghdr> = Vec::with_capacity(parts.len());
        for (slot, part) in self.slots.iter_mut().zip(&mut parts) {
            slot.control = [0; 8];
            // SAFETY: all zeros is a valid mmsghdr.
            let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
            header.msg_hdr.msg_name = (&raw mut slot.address).cast();
            header.msg_hdr.msg_namelen = socklen::<libc::sockaddr_ll>();
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = slot.control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = size_of::<[u64; 8]>() as _;
            headers.push(header);
        }
        let count = libc::c_uint::try_from(headers.len()).unwrap_or(0);
        // SAFETY: every header points to memory of `self.slots` and `parts`, which outlive the call.
        let code = unsafe {
            libc::recvmmsg(fd, headers.as_mut_ptr(), count, libc::MSG_DONTWAIT as _, ptr::null_mut())
        };
        let received = usize::try_from(check(code)?).unwrap_or(0);
        for (length, header) in self.lengths.iter_mut().zip(&headers).take(received) {
            *length = usize::try_from(header.msg_len).unwrap_or(0);
        }
        Ok(received)
    }
}

impl Slot {
    /// The wall-clock time of a control message `SCM_TIMESTAMPNS`: a header of a length, a level and
    /// a type, then seconds and nanoseconds.
    fn stamp(&self) -> Option<u64> {
        // SAFETY: 64 aligned octets hold a cmsghdr and a timespec; any bits are valid values of both.
        let (header, time) = unsafe {
            let start = self.control.as_ptr().cast::<u8>();
            let offset = usize::try_from(libc::CMSG_LEN(0)).unwrap_or(0);
            (
                start.cast::<libc::cmsghdr>().read(),
                start.add(offset).cast::<libc::timespec>().read_unaligned(),
            )
        };
        if header.cmsg_level != libc::SOL_SOCKET || header.cmsg_type != libc::SCM_TIMESTAMPNS {
            return None;
        }
        Some(u64::try_from(time.tv_sec).ok()? * 1_000_000_000 + u64::try_from(time.tv_nsec).ok()?)
    }
}

fn open(index: libc::c_int, receives: Receives) -> io::Result<PacketSocket> {
    let flags = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // Protocol 0 receives nothing until bound; else frames of other links would come first.
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_PACKET, flags, 0) })?;
    // SAFETY: the kernel just gave us this descriptor, nobody else holds it.
    let socket = PacketSocket(unsafe { OwnedFd::from_raw_fd(fd) });
    big_receive_buffer(fd);
    set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1)?;
    if receives == Receives::Requests {
        let mut code = REQUESTS_ONLY;
        let program = libc::sock_fprog {
            len: u16::try_from(code.len()).unwrap_or(0),
            filter: code.as_mut_ptr(), // the kernel copies it
        };
        set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)?;
    }
    let protocol = if receives == Receives::All { libc::ETH_P_ALL } else { libc::ETH_P_ARP };
    // SAFETY: all zeros is a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = u16::try_from(protocol).unwrap_or_default().to_be();
    address.sll_ifindex = index;
    // SAFETY: a whole sockaddr_ll of the given length.
    check(unsafe { libc::bind(fd, (&raw const address).cast(), socklen::<libc::sockaddr_ll>()) })?;
    Ok(socket)
}

/// Ethernet type ARP and operation 1.
const REQUESTS_ONLY: [libc::sock_filter; 6] = [
    libc::sock_filter { code: 0x28, jt: 0, jf: 0, k: 12 }, // ldh [12]
    libc::sock_filter { code: 0x15, jt: 0, jf: 3, k: 0x0806 }, // jeq else drop
    libc::sock_filter { code: 0x28, jt: 0, jf: 0, k: 20 }, // ldh [20]
    libc::sock_filter { code: 0x15, jt: 0, jf: 1, k: 1 },  // jeq else drop
    libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0xffff }, // take
    libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 },  // drop
];

/// 64 MB where the right to exceed `net.core.rmem_max` is ours, else as much as that allows.
pub(crate) fn big_receive_buffer(fd: RawFd) {
    let size: libc::c_int = 64 << 20;
    if set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &size).is_err() {
        let _ = set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, &size);
    }
}

pub(crate) fn set_option<T>(fd: RawFd, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: `value` is a whole T and outlives the call; the kernel checks its length.
    let code = unsafe { libc::setsockopt(fd, level, name, ptr::from_ref(value).cast(), socklen::<T>()) };
    check(code).map(drop)
}

fn socklen<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(libc::socklen_t::MAX)
}
