//! An IPv4 packet with a DHCP message in it. The fixed fields are pnet's; the options are passed on as they are.

use std::net::Ipv4Addr;

use arpherd_core::dhcp::{Message, Names};
use pnet::packet::Packet;
use pnet::packet::dhcp::{DhcpHardwareType, DhcpOperation, DhcpPacket, MutableDhcpPacket};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::{self, Ipv4Packet, MutableIpv4Packet};
use pnet::packet::udp::{self, MutableUdpPacket, UdpPacket};
use pnet::util::MacAddr;
use pnet::util::core_net::Ipv4Addr as PnetAddress;

const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
/// Octets of a message's fixed fields (RFC 2131, section 2).
const FIXED: usize = 236;
/// Octets of a client's hardware address that pnet has as such; the rest are its padding.
const HARDWARE: usize = 6;

/// A message with the addresses of its packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// IPv4 source.
    pub source: Ipv4Addr,
    /// IPv4 destination.
    pub destination: Ipv4Addr,
    /// UDP destination port.
    pub port: u16,
    /// The message.
    pub message: Message,
}

/// It is cut off, or its checksum is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no well-formed DHCP message")]
pub struct Unreadable;

/// Reads a packet. What follows its last octet, as it does in short Ethernet frames, is ignored.
///
/// # Errors
/// See [`Unreadable`].
pub fn parse(packet: &[u8]) -> Result<Datagram, Unreadable> {
    let header = Ipv4Packet::new(packet).ok_or(Unreadable)?;
    let (start, end) = (usize::from(header.get_header_length()) * 4, usize::from(header.get_total_length()));
    let udp = packet.get(start.max(IP_HEADER)..end).and_then(UdpPacket::new).ok_or(Unreadable)?;
    let udp_length = usize::from(udp.get_length());
    let udp = udp.packet().get(..udp_length).and_then(UdpPacket::new).ok_or(Unreadable)?;
    let ours = |address: PnetAddress| Ipv4Addr::from(address.octets());
    let (source, destination) = (ours(header.get_source()), ours(header.get_destination()));
    if !is_intact(&udp, source, destination) {
        return Err(Unreadable);
    }
    let message = parse_message(udp.payload())?;
    Ok(Datagram { source, destination, port: udp.get_destination(), message })
}

/// Reads what a UDP datagram carries.
///
/// # Errors
/// If it is shorter than the fixed fields.
pub fn parse_message(octets: &[u8]) -> Result<Message, Unreadable> {
    let fixed = DhcpPacket::new(octets).ok_or(Unreadable)?;
    let field = |at: usize, length: usize| octets.get(at..at + length).ok_or(Unreadable);
    Ok(Message {
        op: fixed.get_op().0,
        hardware_type: fixed.get_htype().0,
        hardware_length: fixed.get_hlen(),
        hops: fixed.get_hops(),
        xid: fixed.get_xid(),
        secs: fixed.get_secs(),
        flags: fixed.get_flags(),
        ciaddr: fixed.get_ciaddr().octets().into(),
        yiaddr: fixed.get_yiaddr().octets().into(),
        siaddr: fixed.get_siaddr().octets().into(),
        giaddr: fixed.get_giaddr().octets().into(),
        chaddr: field(28, 16)?.try_into().map_err(|_| Unreadable)?,
        names: Names {
            server: field(44, 64)?.try_into().map_err(|_| Unreadable)?,
            file: field(108, 128)?.try_into().map_err(|_| Unreadable)?,
        },
        vendor: octets.get(FIXED..).ok_or(Unreadable)?.to_vec(),
    })
}

/// A message as a UDP datagram carries it.
pub fn message_octets(message: &Message) -> Vec<u8> {
    let mut octets = vec![0; FIXED + message.vendor.len()];
    write_message(message, &mut octets);
    octets
}

fn write_message(message: &Message, octets: &mut [u8]) {
    let (hardware, padding) = message.chaddr.split_at(HARDWARE);
    let Some(mut fixed) = MutableDhcpPacket::new(octets) else { return };
    fixed.set_op(DhcpOperation::new(message.op));
    fixed.set_htype(DhcpHardwareType::new(message.hardware_type));
    fixed.set_hlen(message.hardware_length);
    fixed.set_hops(message.hops);
    fixed.set_xid(message.xid);
    fixed.set_secs(message.secs);
    fixed.set_flags(message.flags);
    fixed.set_ciaddr(message.ciaddr.octets().into());
    fixed.set_yiaddr(message.yiaddr.octets().into());
    fixed.set_siaddr(message.siaddr.octets().into());
    fixed.set_giaddr(message.giaddr.octets().into());
    if let [a, b, c, d, e, f] = *hardware {
        fixed.set_chaddr(MacAddr(a, b, c, d, e, f));
    }
    fixed.set_chaddr_pad(padding);
    fixed.set_sname(&message.names.server);
    fixed.set_file(&message.names.file);
    fixed.set_options(&message.vendor);
}

/// A packet with the message in it, from and to ports of that number. `None` if it would be longer than 65,535 octets.
pub fn build(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), message: &Message) -> Option<Vec<u8>> {
    let udp_length = UDP_HEADER + FIXED + message.vendor.len();
    let length = IP_HEADER + udp_length;
    let mut packet = vec![0; length];
    write_message(message, &mut packet[IP_HEADER + UDP_HEADER..]);
    let mut datagram = MutableUdpPacket::new(&mut packet[IP_HEADER..])?;
    datagram.set_source(from.1);
    datagram.set_destination(to.1);
    datagram.set_length(u16::try_from(udp_length).ok()?);
    let sum = match checksum(&datagram.to_immutable(), from.0, to.0) {
        // Zero would say that there is none (RFC 768).
        0 => u16::MAX,
        sum => sum,
    };
    datagram.set_checksum(sum);
    let mut header = MutableIpv4Packet::new(&mut packet)?;
    header.set_version(4);
    header.set_header_length(5);
    // Precedence as clients and servers of today set it: low delay.
    header.set_dscp(0b100);
    header.set_total_length(u16::try_from(length).ok()?);
    header.set_ttl(64);
    header.set_next_level_protocol(IpNextHeaderProtocols::Udp);
    header.set_source(from.0.octets().into());
    header.set_destination(to.0.octets().into());
    header.set_checksum(ipv4::checksum(&header.to_immutable()));
    Some(packet)
}

/// Whether the checksum is right, absent, or not finished yet: the kernel leaves that to a card, and to nobody between
/// the two ends of a veth pair or of a virtual machine's link. What stands there then is the sum over the
/// pseudo-header (`CHECKSUM_PARTIAL` of linux/skbuff.h).
fn is_intact(udp: &UdpPacket<'_>, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
    let given = udp.get_checksum();
    let right = checksum(udp, source, destination);
    let is_right = given == right || given == u16::MAX && right == 0;
    given == 0 || is_right || given == unfinished_sum(udp, source, destination)
}

fn checksum(udp: &UdpPacket<'_>, source: Ipv4Addr, destination: Ipv4Addr) -> u16 {
    udp::ipv4_checksum(udp, &source.octets().into(), &destination.octets().into())
}

fn unfinished_sum(udp: &UdpPacket<'_>, source: Ipv4Addr, destination: Ipv4Addr) -> u16 {
    let words = |address: Ipv4Addr| {
        let [a, b, c, d] = address.octets();
        u32::from(u16::from_be_bytes([a, b])) + u32::from(u16::from_be_bytes([c, d]))
    };
    let protocol = u32::from(IpNextHeaderProtocols::Udp.0);
    let mut sum = words(source) + words(destination) + protocol + u32::from(udp.get_length());
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const CLIENT: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
    const ALL: Ipv4Addr = Ipv4Addr::BROADCAST;

    /// A message in which every octet is another one.
    fn message() -> Message {
        let octets: Vec<u8> = (0..FIXED + 77).map(|at| (at * 7 % 251).to_le_bytes()[0]).collect();
        parse_message(&octets).expect("long enough")
    }

    #[test]
    fn every_octet_of_a_message_comes_back() {
        let octets: Vec<u8> = (0..FIXED + 77).map(|at| (at * 7 % 251).to_le_bytes()[0]).collect();
        let message = parse_message(&octets).expect("long enough");
        assert_eq!(message_octets(&message), octets);
        assert_eq!(parse_message(&octets[..FIXED - 1]), Err(Unreadable));
        assert!(parse_message(&octets[..FIXED]).expect("no options").vendor.is_empty());
    }

    #[test]
    fn a_packet_that_is_built_can_be_read() {
        let packet = build((CLIENT, 68), (ALL, 67), &message()).expect("short enough");
        let read = parse(&packet).expect("well-formed");
        assert_eq!(read, Datagram { source: CLIENT, destination: ALL, port: 67, message: message() });
        let padded = [&packet[..], &[0; 20]].concat();
        assert_eq!(parse(&padded), Ok(read), "Ethernet pads short frames");
        for length in 0..packet.len() {
            assert_eq!(parse(&packet[..length]), Err(Unreadable), "cut off at {length}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_refused_or_come_back(octets in vec(any::<u8>(), 0..700)) {
            match parse_message(&octets) {
                Ok(message) => prop_assert_eq!(message_octets(&message), octets),
                Err(Unreadable) => prop_assert!(octets.len() < FIXED),
            }
        }

        #[test]
        fn any_packet_is_read_without_a_panic(octets in vec(any::<u8>(), 0..700), header in any::<bool>()) {
            let mut octets = octets;
            if let (true, Some(first)) = (header, octets.first_mut()) {
                *first = 0x45;
            }
            if let Ok(read) = parse(&octets) {
                prop_assert!(octets.len() >= IP_HEADER + UDP_HEADER + FIXED + read.message.vendor.len());
            }
        }

        #[test]
        fn any_damaged_packet_is_the_same_message_or_none(at in 26..600_usize, damage in 1..=u8::MAX) {
            let packet = build((CLIENT, 68), (ALL, 67), &message()).expect("short enough");
            let mut damaged = packet.clone();
            let at = at % packet.len();
            damaged[at] ^= damage;
            // Of the IP header nothing but lengths is judged here; the checksum of UDP covers the rest.
            if at >= IP_HEADER + UDP_HEADER {
                prop_assert!(parse(&damaged).is_err());
            }
        }
    }

    #[test]
    fn a_wrong_sum_is_refused_and_an_absent_or_unfinished_one_is_not() {
        let packet = build((CLIENT, 68), (ALL, 67), &message()).expect("short enough");
        let with_sum = |sum: u16| {
            let mut packet = packet.clone();
            packet[26..28].copy_from_slice(&sum.to_be_bytes());
            parse(&packet).is_ok()
        };
        let right = u16::from_be_bytes([packet[26], packet[27]]);
        // 0.0.0.0, 255.255.255.255, protocol 17, and the length.
        let unfinished = 17 + u16::from_be_bytes([packet[24], packet[25]]);
        assert!(with_sum(right) && with_sum(0) && with_sum(unfinished));
        assert!(!with_sum(right ^ 1) && !with_sum(unfinished + 1));
    }
}
