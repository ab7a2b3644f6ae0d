//! ARP over Ethernet, written and read without a library's help (RFC 826).

use std::fmt;
use std::net::Ipv4Addr;

use crate::Mac;

/// An Ethernet frame with an ARP packet for IPv4. All fields are free, so that tests can forge frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArpFrame {
    /// The frame's destination.
    pub dst: Mac,
    /// The frame's source.
    pub src: Mac,
    /// 1 asks, 2 answers.
    pub op: u16,
    /// Sender's Ethernet address.
    pub sha: Mac,
    /// Sender's IP address.
    pub spa: Ipv4Addr,
    /// Target's Ethernet address; zero in requests.
    pub tha: Mac,
    /// Target's IP address.
    pub tpa: Ipv4Addr,
}

impl ArpFrame {
    /// The operation of a request.
    pub const REQUEST: u16 = 1;
    /// The operation of an answer.
    pub const REPLY: u16 = 2;
    /// Octets of a frame without padding.
    pub const LEN: usize = 42;
    /// Ethernet hardware, IPv4, address lengths 6 and 4.
    const FIXED: [u8; 6] = [0, 1, 8, 0, 6, 4];

    /// A broadcast request from `mac`, `ip`: who has `target`?
    pub fn request(mac: Mac, ip: Ipv4Addr, target: Ipv4Addr) -> Self {
        Self {
            dst: Mac::BROADCAST,
            src: mac,
            op: Self::REQUEST,
            sha: mac,
            spa: ip,
            tha: Mac::ZERO,
            tpa: target,
        }
    }

    /// A unicast answer to `to_mac`, `to_ip`: `ip` is at `mac`.
    pub fn reply(mac: Mac, ip: Ipv4Addr, to_mac: Mac, to_ip: Ipv4Addr) -> Self {
        Self { dst: to_mac, src: mac, op: Self::REPLY, sha: mac, spa: ip, tha: to_mac, tpa: to_ip }
    }

    /// The announcement of RFC 5227: a broadcast request of `ip` for itself.
    pub fn gratuitous(mac: Mac, ip: Ipv4Addr) -> Self {
        Self::request(mac, ip, ip)
    }

    /// The older announcement: a broadcast answer of `ip` to itself.
    pub fn gratuitous_reply(mac: Mac, ip: Ipv4Addr) -> Self {
        Self { dst: Mac::BROADCAST, tha: Mac::BROADCAST, ..Self::reply(mac, ip, Mac::BROADCAST, ip) }
    }

    /// The duplicate-address probe of RFC 5227: nobody asks for `target`.
    pub fn probe(mac: Mac, target: Ipv4Addr) -> Self {
        Self::request(mac, Ipv4Addr::UNSPECIFIED, target)
    }

    /// The same packet in a frame to one address only, as hosts verify their caches.
    #[must_use]
    pub fn unicast_to(self, mac: Mac) -> Self {
        Self { dst: mac, ..self }
    }

    /// True for requests.
    pub fn is_request(&self) -> bool {
        self.op == Self::REQUEST
    }

    /// True for answers.
    pub fn is_reply(&self) -> bool {
        self.op == Self::REPLY
    }

    /// True when sender and target address are the same.
    pub fn is_gratuitous(&self) -> bool {
        self.spa == self.tpa
    }

    /// The octets on the wire, without padding.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut frame = [0; Self::LEN];
        let (spa, tpa) = (self.spa.octets(), self.tpa.octets());
        let parts: [&[u8]; 9] = [
            &self.dst.0,
            &self.src.0,
            &[8, 6],
            &Self::FIXED,
            &self.op.to_be_bytes(),
            &self.sha.0,
            &spa,
            &self.tha.0,
            &tpa,
        ];
        let mut at = 0;
        for part in parts {
            frame[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        frame
    }

    /// Reads a frame; octets behind the packet are padding. None for anything but ARP for IPv4 over
    /// Ethernet that asks or answers.
    pub fn decode(frame: &[u8]) -> Option<Self> {
        let frame: &[u8; Self::LEN] = frame.get(..Self::LEN)?.try_into().ok()?;
        let mac = |at: usize| {
            let mut octets = [0; 6];
            octets.copy_from_slice(&frame[at..at + 6]);
            Mac(octets)
        };
        let ip = |at: usize| Ipv4Addr::new(frame[at], frame[at + 1], frame[at + 2], frame[at + 3]);
        let op = u16::from_be_bytes([frame[20], frame[21]]);
        if frame[12..14] != [8, 6] || frame[14..20] != Self::FIXED || !(1..=2).contains(&op) {
            return None;
        }
        let (sha, spa, tha, tpa) = (mac(22), ip(28), mac(32), ip(38));
        Some(Self { dst: mac(0), src: mac(6), op, sha, spa, tha, tpa })
    }
}

/// The broadcast by which a hypervisor announces a virtual machine that it took over: a RARP request (RFC 903) that
/// bears its Ethernet address twice and no other, as QEMU's `announce_self_create` writes it.
pub fn reverse_request(mac: Mac) -> [u8; 60] {
    let mut packet = ArpFrame::request(mac, Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
    (packet.op, packet.tha) = (3, mac);
    let mut frame = [0; 60];
    frame[..ArpFrame::LEN].copy_from_slice(&packet.encode());
    frame[12..14].copy_from_slice(&[0x80, 0x35]);
    frame
}

impl fmt::Display for ArpFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dst, src, op, sha, spa, tha, tpa } = self;
        match *op {
            Self::REQUEST => write!(f, "{src} > {dst}: who-has {tpa} ({tha}) tell {spa} ({sha})"),
            Self::REPLY => write!(f, "{src} > {dst}: {spa} is-at {sha}, to {tpa} ({tha})"),
            op => write!(f, "{src} > {dst}: op {op} {spa} ({sha}) {tpa} ({tha})"),
        }
    }
}
