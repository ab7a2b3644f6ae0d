//! IPv4 packets as the covering device sees them: where they go, and the ICMP message that refuses one.

use std::net::Ipv4Addr;

use pnet::packet::Packet;
use pnet::packet::icmp::{IcmpCode, IcmpPacket, IcmpTypes, MutableIcmpPacket, checksum};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::{Ipv4Packet, MutableIpv4Packet};

const HEADER: usize = 20;
const ICMP_HEADER: usize = 8;
/// Octets of the refused packet that an ICMP message has at the most, so that it has 576 in all (RFC 1812, 4.3.2.3).
const QUOTED: usize = 576 - HEADER - ICMP_HEADER;
/// `ICMP_HOST_UNREACH`: what the kernel of a router says when ARP has no answer (`arp_error_report`).
const HOST_UNREACHABLE: IcmpCode = IcmpCode(1);

/// The destination of a packet; `None` if it is no IPv4 packet.
pub fn destination_of(packet: &[u8]) -> Option<Ipv4Addr> {
    let header = Ipv4Packet::new(packet).filter(|header| header.get_version() == 4)?;
    Some(header.get_destination().octets().into())
}

/// The packet that tells the sender of one that its destination cannot be reached; `None` where RFC 1812, section
/// 4.3.2.7, forbids to say so: about an ICMP error, a fragment other than the first, or a source that is no host's.
/// Source address and checksum are left to the kernel (raw(7)).
pub fn host_unreachable(packet: &[u8]) -> Option<(Ipv4Addr, Vec<u8>)> {
    let refused = Ipv4Packet::new(packet).filter(|header| header.get_version() == 4)?;
    let source = refused.get_source();
    let is_host = !(source.is_unspecified()
        || source.is_multicast()
        || source.is_broadcast()
        || source.octets()[0] >= 240);
    if !is_host || refused.get_fragment_offset() != 0 || is_icmp_error(&refused) {
        return None;
    }
    let quoted = &packet[..packet.len().min(QUOTED)];
    let length = HEADER + ICMP_HEADER + quoted.len();
    let mut message = vec![0; length];
    let mut header = MutableIpv4Packet::new(&mut message)?;
    header.set_version(4);
    header.set_header_length(5);
    // Precedence 6, internetwork control (RFC 1812, 4.3.2.5).
    header.set_dscp(0b11_0000);
    header.set_total_length(u16::try_from(length).ok()?);
    header.set_ttl(64);
    header.set_next_level_protocol(IpNextHeaderProtocols::Icmp);
    header.set_destination(source);
    let mut icmp = MutableIcmpPacket::new(&mut message[HEADER..])?;
    icmp.set_icmp_type(IcmpTypes::DestinationUnreachable);
    icmp.set_icmp_code(HOST_UNREACHABLE);
    message[HEADER + ICMP_HEADER..].copy_from_slice(quoted);
    let sum = checksum(&IcmpPacket::new(&message[HEADER..])?);
    MutableIcmpPacket::new(&mut message[HEADER..])?.set_checksum(sum);
    Some((source.octets().into(), message))
}

fn is_icmp_error(packet: &Ipv4Packet<'_>) -> bool {
    packet.get_next_level_protocol() == IpNextHeaderProtocols::Icmp
        && IcmpPacket::new(packet.payload()).is_none_or(|icmp| {
            !matches!(
                icmp.get_icmp_type(),
                IcmpTypes::EchoReply
                    | IcmpTypes::EchoRequest
                    | IcmpTypes::Timestamp
                    | IcmpTypes::TimestampReply
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of 10.0.0.2 for 10.9.0.9 with this protocol, fragment offset and payload.
    fn packet(protocol: u8, fragment: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, fragment, 64, protocol, 0, 0, 10, 0, 0, 2, 10, 9, 0, 9];
        packet.extend_from_slice(payload);
        let length = u16::try_from(packet.len()).expect("a short packet").to_be_bytes();
        packet[2..4].copy_from_slice(&length);
        packet
    }

    #[test]
    fn the_message_goes_to_the_sender_and_quotes_the_packet() {
        let refused = packet(17, 0, &[7; 1000]);
        assert_eq!(destination_of(&refused), Some(Ipv4Addr::new(10, 9, 0, 9)));
        let (to, message) = host_unreachable(&refused).expect("it may be told");
        assert_eq!((to, message.len()), (Ipv4Addr::new(10, 0, 0, 2), 576));
        assert_eq!((message[20], message[21]), (3, 1), "host unreachable");
        assert_eq!(message[28..], refused[..548]);
        // RFC 1071: a sum over a message with a right checksum is zero.
        let words = message[20..].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
        let sum: u32 = words.sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    #[test]
    fn where_nothing_may_be_said_nothing_is() {
        assert!(host_unreachable(&packet(1, 0, &[8, 0, 0, 0, 0, 0, 0, 0])).is_some(), "an echo request");
        assert!(host_unreachable(&packet(1, 0, &[3, 0, 0, 0, 0, 0, 0, 0])).is_none(), "an ICMP error");
        assert!(host_unreachable(&packet(17, 9, &[0; 8])).is_none(), "a later fragment");
        let mut from_nobody = packet(17, 0, &[0; 8]);
        from_nobody[12..16].copy_from_slice(&[0, 0, 0, 0]);
        assert!(host_unreachable(&from_nobody).is_none());
        assert!(host_unreachable(&[0x60; 40]).is_none(), "IPv6");
        assert_eq!(destination_of(&[]), None);
    }
}
