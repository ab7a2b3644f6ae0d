//! rtnetlink's messages, decoded to values.

use std::io::Cursor;
use std::net::Ipv4Addr;

use arpherd_core::LinkAddr;
use arpherd_core::fact::KernelRoute;
use arpherd_core::plan::COVER_METRIC;
use ipnetwork::Ipv4Network;
use neli::FromBytesWithInput;
use neli::consts::rtnl::{Ifa, Ifla, IflaInfo, Nda, Ntf, RtAddrFamily, Rta, Rtn};
use neli::rtnl::{Ifaddrmsg, Ifinfomsg, Ndmsg, Rtmsg};

use super::compose;
use super::info::{AddressInfo, LinkInfo, NeighbourInfo, ProxyInfo};
use super::wire::attributes;

/// `NLA_TYPE_MASK` of linux/netlink.h: the type of an attribute without its flags.
const TYPE_MASK: u16 = 0x3fff;

/// A message that cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a netlink message cannot be decoded")]
pub(in crate::io) struct Malformed;

/// What decoders return: `None` for a message that is well-formed and does not concern the caller.
pub(in crate::io) type Decoded<T> = Result<Option<T>, Malformed>;

pub(super) fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

pub(super) fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

pub(in crate::io) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|octet| *octet == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn lladdr(bytes: &[u8]) -> LinkAddr {
    LinkAddr::try_new(bytes).unwrap_or_default()
}

fn body<T: FromBytesWithInput<Input = usize>>(bytes: &[u8]) -> Result<T, Malformed> {
    T::from_bytes_with_input(&mut Cursor::new(bytes), bytes.len()).map_err(|_| Malformed)
}

/// Reads `RTM_NEWLINK` and `RTM_DELLINK`. Those of the bridge family are about a port's bridging, and one
/// that says "deleted" only says that the port left its bridge. Those of the wireless extensions report an
/// association and have neither addresses nor sizes.
pub(super) fn link(bytes: &[u8]) -> Decoded<LinkInfo> {
    let message: Ifinfomsg = body(bytes)?;
    if *message.ifi_family() != RtAddrFamily::Unspecified {
        return Ok(None);
    }
    let flags = message.ifi_flags().bits();
    let mut link = LinkInfo {
        index: u32::try_from(*message.ifi_index()).map_err(|_| Malformed)?,
        name: String::new(),
        alternative_names: Vec::new(),
        hardware: u16::from(*message.ifi_type()),
        up: flags & libc::IFF_UP.cast_unsigned() != 0,
        carrier: flags & libc::IFF_LOWER_UP.cast_unsigned() != 0,
        arp: flags & libc::IFF_NOARP.cast_unsigned() == 0,
        operational: 0,
        lladdr: LinkAddr::UNKNOWN,
        broadcast: LinkAddr::UNKNOWN,
        mtu: 0,
        master: None,
        created_as: None,
        port_of: None,
        vrf_table: None,
    };
    for attribute in message.rtattrs().iter() {
        let payload = attribute.rta_payload().as_ref();
        match attribute.rta_type() {
            Ifla::Wireless => return Ok(None),
            Ifla::Ifname => link.name = text(payload),
            Ifla::Address => link.lladdr = lladdr(payload),
            Ifla::Broadcast => link.broadcast = lladdr(payload),
            Ifla::Mtu => link.mtu = number(payload).ok_or(Malformed)?,
            Ifla::Operstate => link.operational = payload.first().copied().unwrap_or_default(),
            Ifla::Master => link.master = number(payload),
            Ifla::Linkinfo => {
                for nested in attribute.get_attr_handle::<IflaInfo>().map_err(|_| Malformed)?.iter() {
                    let word = || Some(text(nested.rta_payload().as_ref()));
                    match nested.rta_type() {
                        IflaInfo::Kind => link.created_as = word(),
                        IflaInfo::SlaveKind => link.port_of = word(),
                        // Comes after the kind it belongs to, and holds one attribute: length, type, table.
                        IflaInfo::Data if link.created_as.as_deref() == Some("vrf") => {
                            link.vrf_table = nested.rta_payload().as_ref().get(4..8).and_then(number);
                        }
                        _ => {}
                    }
                }
            }
            // The kernel marks the list as nested, which makes it another type to the library.
            other if u16::from(*other) & TYPE_MASK == libc::IFLA_PROP_LIST => {
                for nested in attribute.get_attr_handle::<Ifla>().map_err(|_| Malformed)?.iter() {
                    if *nested.rta_type() == Ifla::AltIfname {
                        link.alternative_names.push(text(nested.rta_payload().as_ref()));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(Some(link))
}

/// Reads `RTM_NEWADDR` and `RTM_DELADDR`.
pub(super) fn address(bytes: &[u8]) -> Decoded<AddressInfo> {
    let message: Ifaddrmsg = body(bytes)?;
    if *message.ifa_family() != RtAddrFamily::Inet {
        return Ok(None);
    }
    // On a point-to-point link IFA_ADDRESS is the peer's; IFA_LOCAL is always our own.
    let (mut local, mut peer) = (None, None);
    for attribute in message.rtattrs().iter() {
        match attribute.rta_type() {
            Ifa::Local => local = ipv4(attribute.rta_payload().as_ref()),
            Ifa::Address => peer = ipv4(attribute.rta_payload().as_ref()),
            _ => {}
        }
    }
    let address = local.or(peer).ok_or(Malformed)?;
    // The prefix is that of the peer then, and our own address has none.
    let prefix = if peer.is_some_and(|peer| peer != address) { 32 } else { *message.ifa_prefixlen() };
    let network = Ipv4Network::new(address, prefix).map_err(|_| Malformed)?;
    Ok(Some(AddressInfo { interface: *message.ifa_index(), network }))
}

/// Reads `RTM_NEWROUTE` and `RTM_DELROUTE`; only `/32` routes without a TOS in the table concern us.
pub(super) fn host_route(bytes: &[u8], table: u32) -> Decoded<KernelRoute> {
    let message: Rtmsg = body(bytes)?;
    if *message.rtm_family() != RtAddrFamily::Inet || *message.rtm_dst_len() != 32 || *message.rtm_tos() != 0
    {
        return Ok(None);
    }
    let mut route = KernelRoute {
        address: Ipv4Addr::UNSPECIFIED,
        protocol: u8::from(*message.rtm_protocol()),
        metric: 0,
        interface: 0,
        segment: None,
        source: None,
        lladdr: LinkAddr::UNKNOWN,
        next_hop: None,
        in_fabric_table: false,
    };
    let mut its_table = u32::from(u8::from(*message.rtm_table()));
    let mut destination = None;
    for attribute in message.rtattrs().iter() {
        let payload = attribute.rta_payload().as_ref();
        match attribute.rta_type() {
            Rta::Dst => destination = ipv4(payload),
            Rta::Oif => route.interface = number(payload).ok_or(Malformed)?,
            Rta::Priority => route.metric = number(payload).ok_or(Malformed)?,
            Rta::Table => its_table = number(payload).ok_or(Malformed)?,
            Rta::Prefsrc => route.source = ipv4(payload),
            Rta::Gateway => route.next_hop = ipv4(payload),
            Rta::Multipath => {
                (route.interface, route.next_hop) = first_next_hop(payload).ok_or(Malformed)?;
            }
            _ => {}
        }
    }
    route.address = destination.ok_or(Malformed)?;
    Ok((its_table == table).then_some(route))
}

/// The interface and the next router of the first of a route's next hops (`struct rtnexthop`, with attributes after it).
fn first_next_hop(bytes: &[u8]) -> Option<(u32, Option<Ipv4Addr>)> {
    const HEADER: usize = 8;
    let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
    let interface = number(bytes.get(4..HEADER)?)?;
    let mut gateways = attributes(bytes.get(HEADER..length)?).filter(|(kind, _)| *kind == libc::RTA_GATEWAY);
    Some((interface, gateways.next().and_then(|(_, payload)| ipv4(payload))))
}

/// Reads `RTM_DELROUTE` of a covering route: `unreachable`, in the table, with [`COVER_METRIC`].
pub(super) fn cover(bytes: &[u8], table: u32) -> Decoded<Ipv4Network> {
    let message: Rtmsg = body(bytes)?;
    if *message.rtm_family() != RtAddrFamily::Inet || *message.rtm_type() != Rtn::Unreachable {
        return Ok(None);
    }
    let (mut its_table, mut metric) = (u32::from(u8::from(*message.rtm_table())), 0);
    let mut destination = Ipv4Addr::UNSPECIFIED;
    for attribute in message.rtattrs().iter() {
        let payload = attribute.rta_payload().as_ref();
        match attribute.rta_type() {
            Rta::Dst => destination = ipv4(payload).ok_or(Malformed)?,
            Rta::Priority => metric = number(payload).ok_or(Malformed)?,
            Rta::Table => its_table = number(payload).ok_or(Malformed)?,
            _ => {}
        }
    }
    let prefix = Ipv4Network::new(destination, *message.rtm_dst_len()).map_err(|_| Malformed)?;
    Ok((its_table == table && metric == COVER_METRIC).then_some(prefix))
}

/// Reads `RTM_NEWNEIGH`.
pub(super) fn neighbour(bytes: &[u8]) -> Decoded<NeighbourInfo> {
    let message: Ndmsg = body(bytes)?;
    if *message.ndm_family() != RtAddrFamily::Inet {
        return Ok(None);
    }
    let mut neighbour = NeighbourInfo {
        interface: u32::try_from(*message.ndm_index()).map_err(|_| Malformed)?,
        address: Ipv4Addr::UNSPECIFIED,
        lladdr: LinkAddr::UNKNOWN,
        state: message.ndm_state().bits(),
        learned_elsewhere: message.ndm_flags().bits() & libc::NTF_EXT_LEARNED != 0,
    };
    let mut destination = None;
    for attribute in message.rtattrs().iter() {
        match attribute.rta_type() {
            Nda::Dst => destination = ipv4(attribute.rta_payload().as_ref()),
            Nda::Lladdr => neighbour.lladdr = lladdr(attribute.rta_payload().as_ref()),
            _ => {}
        }
    }
    neighbour.address = destination.ok_or(Malformed)?;
    Ok(Some(neighbour))
}

/// Reads `RTM_NEWNEIGH` of a proxy entry.
pub(super) fn proxy(bytes: &[u8]) -> Decoded<ProxyInfo> {
    let message: Ndmsg = body(bytes)?;
    if *message.ndm_family() != RtAddrFamily::Inet || !message.ndm_flags().contains(Ntf::PROXY) {
        return Ok(None);
    }
    let interface = u32::try_from(*message.ndm_index()).map_err(|_| Malformed)?;
    let (mut destination, mut protocol) = (None, 0);
    for attribute in message.rtattrs().iter() {
        let payload = attribute.rta_payload().as_ref();
        match attribute.rta_type() {
            Nda::Dst => destination = ipv4(payload),
            other if u16::from(*other) == compose::PROTOCOL => {
                protocol = payload.first().copied().ok_or(Malformed)?;
            }
            _ => {}
        }
    }
    Ok(Some(ProxyInfo { interface, address: destination.ok_or(Malformed)?, protocol }))
}

/// Reads the `RTM_NEWROUTE` that answers a route lookup: the interface the packet leaves by, if its route is a
/// unicast one.
pub(super) fn output_interface(bytes: &[u8]) -> Decoded<u32> {
    let message: Rtmsg = body(bytes)?;
    if *message.rtm_family() != RtAddrFamily::Inet || *message.rtm_type() != Rtn::Unicast {
        return Ok(None);
    }
    let mut attributes = message.rtattrs().iter();
    let Some(out) = attributes.find(|attribute| *attribute.rta_type() == Rta::Oif) else { return Ok(None) };
    number(out.rta_payload().as_ref()).map(Some).ok_or(Malformed)
}

// The messages recorded for them have numbers in the order of the machine they come from.
#[cfg(all(test, target_endian = "little"))]
mod tests;
