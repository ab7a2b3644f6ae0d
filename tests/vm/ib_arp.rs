//! ARP over IPoIB, written and read without the daemon's help (RFC 4391, section 6 and 9.1).

use std::fmt;
use std::net::Ipv4Addr;

use arpherd_lab::{Capture, Captured};

/// An IPoIB link-layer address: flags, queue pair number (3 octets), GID (16).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct IbAddr(pub(crate) [u8; 20]);

impl IbAddr {
    /// The unknown target of a request.
    pub(crate) const ZERO: Self = Self([0; 20]);

    /// From what the kernel or a frame says.
    ///
    /// # Panics
    /// When these are not 20 octets.
    pub(crate) fn of(octets: &[u8]) -> Self {
        Self(octets.try_into().unwrap_or_else(|_| panic!("20 octets, not {octets:02x?}")))
    }

    /// The same station with another flags octet.
    pub(crate) fn with_flags(mut self, flags: u8) -> Self {
        self.0[0] = flags;
        self
    }

    /// The same port with another queue pair.
    pub(crate) fn with_queue_pair(mut self, number: u8) -> Self {
        self.0[1..4].copy_from_slice(&[0x70, 0, number]);
        self
    }
}

impl fmt::Display for IbAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.map(|octet| format!("{octet:02x}")).join(":"))
    }
}

impl fmt::Debug for IbAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An ARP packet with its frame's destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IbArp {
    /// Whom the frame is for; zero in frames that were received, where the link does not show it.
    pub(crate) to: IbAddr,
    /// 1 asks, 2 answers.
    pub(crate) op: u16,
    /// Sender's link-layer address.
    pub(crate) sha: IbAddr,
    /// Sender's IP address.
    pub(crate) spa: Ipv4Addr,
    /// Target's link-layer address.
    pub(crate) tha: IbAddr,
    /// Target's IP address.
    pub(crate) tpa: Ipv4Addr,
}

impl IbArp {
    /// The pseudo header, the protocol and two unused octets.
    const HEADER: usize = 24;
    /// The header and a packet of eight octets and two pairs of addresses.
    pub(crate) const LEN: usize = Self::HEADER + 56;
    /// InfiniBand hardware, IPv4, address lengths 20 and 4.
    const FIXED: [u8; 6] = [0, 32, 8, 0, 20, 4];

    /// A request: who has `tpa`?
    pub(crate) fn request(to: IbAddr, sha: IbAddr, spa: Ipv4Addr, tpa: Ipv4Addr) -> Self {
        Self { to, op: 1, sha, spa, tha: IbAddr::ZERO, tpa }
    }

    pub(crate) fn is_reply(&self) -> bool {
        self.op == 2
    }

    /// Of a sender for itself.
    pub(crate) fn is_gratuitous(&self) -> bool {
        self.spa == self.tpa
    }

    /// The octets a raw packet socket takes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (spa, tpa) = (self.spa.octets(), self.tpa.octets());
        let parts: [&[u8]; 8] = [
            &self.to.0,
            &[8, 6, 0, 0],
            &Self::FIXED,
            &self.op.to_be_bytes(),
            &self.sha.0,
            &spa,
            &self.tha.0,
            &tpa,
        ];
        parts.concat()
    }

    /// Reads a captured frame; none for anything but ARP for IPv4 over InfiniBand.
    pub(crate) fn decode(frame: &[u8]) -> Option<Self> {
        let frame = frame.get(..Self::LEN)?;
        if frame[20..24] != [8, 6, 0, 0] || frame[24..30] != Self::FIXED {
            return None;
        }
        let lladdr = |at: usize| IbAddr::of(&frame[at..at + 20]);
        let ip = |at: usize| Ipv4Addr::new(frame[at], frame[at + 1], frame[at + 2], frame[at + 3]);
        let op = u16::from_be_bytes([frame[30], frame[31]]);
        Some(Self { to: lladdr(0), op, sha: lladdr(32), spa: ip(52), tha: lladdr(56), tpa: ip(76) })
    }

    /// The ARP packets of a recording, sent ones or received ones.
    pub(crate) fn all_of(capture: &Capture, sent: bool) -> Vec<Self> {
        let frames: Vec<Captured> = capture.frames();
        frames.iter().filter(|it| it.outgoing() == sent).filter_map(|it| Self::decode(&it.bytes)).collect()
    }
}
