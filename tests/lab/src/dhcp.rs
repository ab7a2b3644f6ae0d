//! DHCP messages (RFC 2131) and the frames that they travel in, as the clients and servers of tests send them.

use std::net::Ipv4Addr;

use crate::Mac;

/// Octets before the options.
const FIXED: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const PAD: u8 = 0;
const END: u8 = 255;
/// Octets of a message of BOOTP, which some receivers expect at least.
const SHORTEST: usize = 300;
/// Octets of the headers of Ethernet, IPv4 and UDP.
const HEADERS: usize = 14 + 20 + 8;

/// Codes of options, and values of option 53.
pub mod code {
    /// Address requested.
    pub const REQUESTED: u8 = 50;
    /// Lease time in seconds.
    pub const LEASE_TIME: u8 = 51;
    /// Kind of message.
    pub const KIND: u8 = 53;
    /// Server identifier.
    pub const SERVER: u8 = 54;
    /// Client identifier.
    pub const CLIENT: u8 = 61;
    /// Relay agent information.
    pub const RELAY: u8 = 82;
    /// A client looks for servers.
    pub const DISCOVER: u8 = 1;
    /// A server offers an address.
    pub const OFFER: u8 = 2;
    /// A client wants it, or goes on with it.
    pub const REQUEST: u8 = 3;
    /// The server grants it.
    pub const ACK: u8 = 5;
    /// The client gives it back.
    pub const RELEASE: u8 = 7;
}

/// A message. Its names are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpMessage {
    /// 1: a client's; 2: a server's.
    pub op: u8,
    /// Relays that it has passed.
    pub hops: u8,
    /// The client's number for the exchange.
    pub xid: u32,
    /// 0x8000: the client wants to be answered by broadcast.
    pub flags: u16,
    /// The client's own address.
    pub ciaddr: Ipv4Addr,
    /// The address that the client gets.
    pub yiaddr: Ipv4Addr,
    /// The relay's address.
    pub giaddr: Ipv4Addr,
    /// The client's Ethernet address.
    pub mac: Mac,
    /// Codes and values, in their order.
    pub options: Vec<(u8, Vec<u8>)>,
}

impl DhcpMessage {
    /// A client's message of that kind ([`code`]).
    pub fn of_client(kind: u8, xid: u32, mac: Mac) -> Self {
        let none = Ipv4Addr::UNSPECIFIED;
        Self {
            op: 1,
            hops: 0,
            xid,
            flags: 0,
            ciaddr: none,
            yiaddr: none,
            giaddr: none,
            mac,
            options: vec![(code::KIND, vec![kind])],
        }
    }

    /// Adds an option.
    #[must_use]
    pub fn with(mut self, code: u8, value: &[u8]) -> Self {
        self.options.push((code, value.to_vec()));
        self
    }

    /// The value of the first option of that code.
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.iter().find(|(it, _)| *it == code).map(|(_, value)| value.as_slice())
    }

    /// Its kind, option 53.
    pub fn kind(&self) -> Option<u8> {
        self.option(code::KIND).and_then(|value| value.first().copied())
    }

    /// The server's identifier, option 54.
    pub fn server(&self) -> Option<Ipv4Addr> {
        let octets: [u8; 4] = self.option(code::SERVER)?.try_into().ok()?;
        Some(octets.into())
    }

    /// As a UDP datagram carries it.
    pub fn encode(&self) -> Vec<u8> {
        let mut octets = vec![self.op, 1, 6, self.hops];
        octets.extend(self.xid.to_be_bytes());
        octets.extend([0, 0]);
        octets.extend(self.flags.to_be_bytes());
        for address in [self.ciaddr, self.yiaddr, Ipv4Addr::UNSPECIFIED, self.giaddr] {
            octets.extend(address.octets());
        }
        octets.extend(self.mac.0);
        octets.resize(FIXED, 0);
        octets.extend(COOKIE);
        for (code, value) in &self.options {
            octets.extend([*code, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
            octets.extend(value.iter().take(usize::from(u8::MAX)));
        }
        octets.push(END);
        octets.resize(octets.len().max(SHORTEST), PAD);
        octets
    }

    /// Reads a datagram; none if it is no message for Ethernet.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let address = |at: usize| -> Option<Ipv4Addr> {
            let octets: [u8; 4] = octets.get(at..at + 4)?.try_into().ok()?;
            Some(octets.into())
        };
        if octets.get(1..3)? != [1, 6] || octets.get(FIXED..FIXED + 4)? != COOKIE {
            return None;
        }
        Some(Self {
            op: octets[0],
            hops: octets[3],
            xid: address(4)?.into(),
            flags: u16::from_be_bytes([octets[10], octets[11]]),
            ciaddr: address(12)?,
            yiaddr: address(16)?,
            giaddr: address(24)?,
            mac: Mac(octets.get(28..34)?.try_into().ok()?),
            options: options(octets.get(FIXED + 4..)?)?,
        })
    }
}

fn options(mut rest: &[u8]) -> Option<Vec<(u8, Vec<u8>)>> {
    let mut options = Vec::new();
    loop {
        match *rest {
            [] | [END, ..] => return Some(options),
            [PAD, ref tail @ ..] => rest = tail,
            [code, length, ref tail @ ..] => {
                options.push((code, tail.get(..usize::from(length))?.to_vec()));
                rest = tail.get(usize::from(length)..)?;
            }
            [_] => return None,
        }
    }
}

/// A message in an Ethernet frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpFrame {
    /// The frame's destination and source.
    pub to: Mac,
    /// The frame's source.
    pub from: Mac,
    /// The IPv4 source and its port.
    pub source: (Ipv4Addr, u16),
    /// The IPv4 destination and its port.
    pub destination: (Ipv4Addr, u16),
    /// What it carries.
    pub message: DhcpMessage,
}

impl DhcpFrame {
    /// What a client without an address sends to everybody.
    pub fn broadcast(message: DhcpMessage) -> Self {
        Self {
            to: Mac::BROADCAST,
            from: message.mac,
            source: (Ipv4Addr::UNSPECIFIED, 68),
            destination: (Ipv4Addr::BROADCAST, 67),
            message,
        }
    }

    /// The frame, with all its checksums.
    pub fn encode(&self) -> Vec<u8> {
        udp_frame((self.to, self.from), self.source, self.destination, &self.message.encode())
    }

    /// Reads a frame; none if it carries no DHCP message. Checksums are not judged, for the kernel leaves those of UDP to
    /// cards that a test has not.
    pub fn decode(frame: &[u8]) -> Option<Self> {
        let mac = |at: usize| -> Option<Mac> { Some(Mac(frame.get(at..at + 6)?.try_into().ok()?)) };
        let address = |at: usize| -> Option<Ipv4Addr> {
            let octets: [u8; 4] = frame.get(at..at + 4)?.try_into().ok()?;
            Some(octets.into())
        };
        let number = |at: usize| Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?));
        // IPv4 without options, UDP, no fragment.
        let is_udp = number(12)? == 0x0800 && frame.get(14)? == &0x45 && frame.get(23)? == &17;
        if !is_udp || number(20)? & 0x3fff != 0 || ![67, 68].contains(&number(36)?) {
            return None;
        }
        let end = HEADERS + usize::from(number(38)?).checked_sub(8)?;
        Some(Self {
            to: mac(0)?,
            from: mac(6)?,
            source: (address(26)?, number(34)?),
            destination: (address(30)?, number(36)?),
            message: DhcpMessage::decode(frame.get(HEADERS..end)?)?,
        })
    }
}

/// An Ethernet frame with a UDP datagram in an IPv4 packet, with all its checksums. `macs`: destination and source.
pub fn udp_frame(
    macs: (Mac, Mac),
    source: (Ipv4Addr, u16),
    destination: (Ipv4Addr, u16),
    payload: &[u8],
) -> Vec<u8> {
    let length = |more: usize| u16::try_from(payload.len() + more).unwrap_or(u16::MAX).to_be_bytes();
    let addresses = [source.0.octets(), destination.0.octets()].concat();
    let mut udp = [source.1.to_be_bytes(), destination.1.to_be_bytes(), length(8), [0, 0]].concat();
    udp.extend(payload);
    let pseudo = [&addresses[..], &[0, 17], &length(8)].concat();
    let sum = match checksum(&[&pseudo[..], &udp].concat()) {
        0 => u16::MAX,
        sum => sum,
    };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    let mut ip = [&[0x45, 0][..], &length(28), &[0, 0, 0, 0, 64, 17, 0, 0], &addresses].concat();
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    [&macs.0.0[..], &macs.1.0, &[8, 0], &ip, &udp].concat()
}

/// RFC 1071.
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_what_it_was_made_of() {
        let message = DhcpMessage::of_client(code::DISCOVER, 0x0102_0304, Mac([2, 0, 0, 0, 0, 7]))
            .with(code::CLIENT, &[1, 2, 3])
            .with(55, &[1, 3, 6]);
        let frame = DhcpFrame::broadcast(message);
        assert_eq!(DhcpFrame::decode(&frame.encode()), Some(frame.clone()));
        let octets = frame.encode();
        assert_eq!(octets.len(), HEADERS + SHORTEST);
        // A receiver's sum over header, or pseudo-header and datagram, is zero.
        assert_eq!(checksum(&octets[14..34]), 0);
        let pseudo = [&octets[26..34], &[0, 17], &octets[38..40], &octets[34..]].concat();
        assert_eq!(checksum(&pseudo), 0);
        assert_eq!(DhcpFrame::decode(&octets[..octets.len() - 1]), None);
    }
}
