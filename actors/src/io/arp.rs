//! ARP between bytes and values, for links with 6-octet and with 20-octet addresses.
//!
//! What [`decode`] returns is well-formed in every field that the core reads. RFC 826 defines the fields, and RFC 4391
//! section 9.1.1 what is different on IPoIB.

use std::net::Ipv4Addr;

use arpherd_core::plan::LinkKind;
use arpherd_core::{Arp, LinkAddr, Operation};
use pnet::packet::arp::{ArpHardwareType, ArpOperation, ArpPacket, MutableArpPacket};
use pnet::packet::ethernet::EtherTypes;
use pnet::util::MacAddr;

use super::mark::{self, WireMark};

/// Octets before the addresses: types, lengths and operation.
const HEADER: usize = 8;
/// `ar$hrd` of Ethernet and Wi-Fi.
const HARDWARE_ETHERNET: u16 = 1;
/// `ar$hrd` of IPoIB.
const HARDWARE_INFINIBAND: u16 = 32;
/// `ar$pro` of IPv4.
const PROTOCOL_IPV4: u16 = 0x0800;
/// `ar$op` of a RARP request.
const REVERSE_REQUEST: u16 = 3;
/// Octets of an IPv4 address.
const IPV4: usize = 4;
/// Octets of an ARP packet with 6-octet addresses.
const ETHERNET_ARP: usize = HEADER + 2 * (6 + IPV4);
/// Octets of an ARP packet with 20-octet addresses.
const IPOIB_ARP: usize = HEADER + 2 * (20 + IPV4);
/// Least payload of an Ethernet frame, IEEE 802.3 section 3.2.7; the rest of it is zeroes.
const ETHERNET_LEAST: usize = 46;

/// Room for any packet [`encode`] writes, in octets.
pub const LONGEST: usize = IPOIB_ARP + mark::LENGTH;

/// Why bytes are not an ARP packet that is processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The frame ends before the packet does.
    #[error("too short")]
    Short,
    /// `ar$hrd` is not the link's.
    #[error("hardware type {0} is not the link's")]
    HardwareType(u16),
    /// `ar$pro` is not IPv4.
    #[error("protocol type {0:#06x} is not IPv4")]
    ProtocolType(u16),
    /// `ar$hln` or `ar$pln` is not the link's or not IPv4's.
    #[error("address lengths {0} and {1} are not the link's and IPv4's")]
    Lengths(u8, u8),
    /// `ar$op` is none that the protocol has: neither request nor reply in ARP, no request in RARP.
    #[error("operation {0} is not expected")]
    Operation(u16),
    /// `ar$sha` cannot be anybody's address: the broadcast address or all zeroes.
    #[error("sender hardware address is not a station's")]
    SenderAddress,
}

/// Why a packet of ours cannot be sent on this link: one of its addresses has another link's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {length}-octet address does not belong on {link} links", link = link.as_str())]
pub struct Misfit {
    /// Octets of the address.
    pub length: usize,
    /// The link it was to go out on.
    pub link: LinkKind,
}

/// Octets of a link-layer address on such links.
pub fn address_len(link: LinkKind) -> usize {
    match link {
        LinkKind::Ethernet | LinkKind::Wifi => 6,
        LinkKind::Ipoib => 20,
    }
}

/// Octets of a packet on such links.
fn packet_len(link: LinkKind) -> usize {
    HEADER + 2 * (address_len(link) + IPV4)
}

fn hardware_type(link: LinkKind) -> u16 {
    match link {
        LinkKind::Ethernet | LinkKind::Wifi => HARDWARE_ETHERNET,
        LinkKind::Ipoib => HARDWARE_INFINIBAND,
    }
}

/// Reads an ARP packet that came in on such a link, from its `ar$hrd` on, and the mark behind it if it is a
/// request of an arpherd's. Padding is ignored.
///
/// # Errors
/// For anything that RFC 826 says to drop, and for a sender that cannot be anybody.
pub fn decode(link: LinkKind, bytes: &[u8]) -> Result<(Arp, Option<WireMark>), Rejected> {
    let operation = match check_header(link, bytes)? {
        1 => Operation::Request,
        2 => Operation::Reply,
        other => return Err(Rejected::Operation(other)),
    };
    let arp = match link {
        LinkKind::Ethernet | LinkKind::Wifi => decode_ethernet(operation, bytes)?,
        LinkKind::Ipoib => decode_ipoib(operation, bytes)?,
    };
    // Whether a multicast sender is one that the operator named is the core's to know.
    if !arp.sender_lladdr.is_station() && !arp.sender_lladdr.is_multicast() {
        return Err(Rejected::SenderAddress);
    }
    let behind = bytes.get(packet_len(link)..).filter(|_| operation == Operation::Request);
    Ok((arp, behind.and_then(WireMark::read)))
}

/// Reads who sent a RARP request (RFC 903) that came in on such a link: the packet has the form of ARP's.
///
/// # Errors
/// For a packet of another form, and for a sender that cannot be one station.
pub fn decode_reverse_request(link: LinkKind, bytes: &[u8]) -> Result<LinkAddr, Rejected> {
    match check_header(link, bytes)? {
        REVERSE_REQUEST => {}
        other => return Err(Rejected::Operation(other)),
    }
    let sender = bytes.get(HEADER..HEADER + address_len(link)).and_then(LinkAddr::try_new);
    sender.filter(LinkAddr::is_station).ok_or(Rejected::SenderAddress)
}

/// Checks the fields before the addresses, and that there is room for those: pnet's getters trust the lengths in the
/// packet. Returns the operation.
fn check_header(link: LinkKind, bytes: &[u8]) -> Result<u16, Rejected> {
    let header: &[u8; HEADER] = bytes.first_chunk().ok_or(Rejected::Short)?;
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    if word(0) != hardware_type(link) {
        return Err(Rejected::HardwareType(word(0)));
    }
    if word(2) != PROTOCOL_IPV4 {
        return Err(Rejected::ProtocolType(word(2)));
    }
    let (hardware, protocol) = (header[4], header[5]);
    if usize::from(hardware) != address_len(link) || usize::from(protocol) != IPV4 {
        return Err(Rejected::Lengths(hardware, protocol));
    }
    if bytes.len() < packet_len(link) {
        return Err(Rejected::Short);
    }
    Ok(word(6))
}

fn decode_ethernet(operation: Operation, bytes: &[u8]) -> Result<Arp, Rejected> {
    let packet = ArpPacket::new(bytes).ok_or(Rejected::Short)?;
    Ok(Arp {
        operation,
        sender_lladdr: LinkAddr::ethernet(packet.get_sender_hw_addr().octets()),
        sender: packet.get_sender_proto_addr().octets().into(),
        target_lladdr: LinkAddr::ethernet(packet.get_target_hw_addr().octets()),
        target: packet.get_target_proto_addr().octets().into(),
    })
}

fn decode_ipoib(operation: Operation, bytes: &[u8]) -> Result<Arp, Rejected> {
    let (sender_lladdr, rest) = split_ipoib(bytes.get(HEADER..).ok_or(Rejected::Short)?)?;
    let (sender, rest) = split_ipv4(rest)?;
    let (target_lladdr, rest) = split_ipoib(rest)?;
    let (target, _padding) = split_ipv4(rest)?;
    Ok(Arp { operation, sender_lladdr, sender, target_lladdr, target })
}

fn split_ipoib(bytes: &[u8]) -> Result<(LinkAddr, &[u8]), Rejected> {
    let (octets, rest) = bytes.split_first_chunk::<20>().ok_or(Rejected::Short)?;
    Ok((LinkAddr::try_new(octets).ok_or(Rejected::Short)?, rest))
}

fn split_ipv4(bytes: &[u8]) -> Result<(Ipv4Addr, &[u8]), Rejected> {
    let (octets, rest) = bytes.split_first_chunk::<IPV4>().ok_or(Rejected::Short)?;
    Ok((Ipv4Addr::from(*octets), rest))
}

/// Writes an ARP packet for such a link and returns how many octets of `room` it takes. An address that is
/// not known is written as zeroes, and Ethernet's padding is zeroes too. The mark goes behind a request.
///
/// # Errors
/// If an address has another link's length.
pub fn encode(
    link: LinkKind,
    arp: &Arp,
    mark: Option<WireMark>,
    room: &mut [u8; LONGEST],
) -> Result<usize, Misfit> {
    for address in [&arp.sender_lladdr, &arp.target_lladdr] {
        if !address.is_empty() && address.len() != address_len(link) {
            return Err(Misfit { length: address.len(), link });
        }
    }
    room.fill(0);
    match link {
        LinkKind::Ethernet | LinkKind::Wifi => encode_ethernet(arp, &mut room[..ETHERNET_ARP]),
        LinkKind::Ipoib => encode_ipoib(arp, room),
    }
    let mut length = packet_len(link);
    if let Some(mark) = mark.filter(|_| arp.operation == Operation::Request) {
        room[length..length + mark::LENGTH].copy_from_slice(&mark.octets());
        length += mark::LENGTH;
    }
    Ok(if link == LinkKind::Ipoib { length } else { length.max(ETHERNET_LEAST) })
}

fn wire_operation(operation: Operation) -> u16 {
    match operation {
        Operation::Request => 1,
        Operation::Reply => 2,
    }
}

fn mac(address: &LinkAddr) -> MacAddr {
    address.octets().first_chunk::<6>().map_or_else(MacAddr::zero, |octets| MacAddr::from(*octets))
}

fn encode_ethernet(arp: &Arp, room: &mut [u8]) {
    let Some(mut packet) = MutableArpPacket::new(room) else { return };
    packet.set_hardware_type(ArpHardwareType::new(HARDWARE_ETHERNET));
    packet.set_protocol_type(EtherTypes::Ipv4);
    packet.set_hw_addr_len(6);
    packet.set_proto_addr_len(4);
    packet.set_operation(ArpOperation::new(wire_operation(arp.operation)));
    packet.set_sender_hw_addr(mac(&arp.sender_lladdr));
    packet.set_sender_proto_addr(arp.sender.octets().into());
    packet.set_target_hw_addr(mac(&arp.target_lladdr));
    packet.set_target_proto_addr(arp.target.octets().into());
}

fn encode_ipoib(arp: &Arp, room: &mut [u8; LONGEST]) {
    let mut at = 0;
    let mut put = |octets: &[u8], width: usize| {
        room[at..at + octets.len()].copy_from_slice(octets);
        at += width;
    };
    put(&HARDWARE_INFINIBAND.to_be_bytes(), 2);
    put(&PROTOCOL_IPV4.to_be_bytes(), 2);
    put(&[20, 4], 2);
    put(&wire_operation(arp.operation).to_be_bytes(), 2);
    put(arp.sender_lladdr.octets(), 20);
    put(&arp.sender.octets(), IPV4);
    put(arp.target_lladdr.octets(), 20);
    put(&arp.target.octets(), IPV4);
}

#[cfg(test)]
mod tests;
