//! The messages that are sent, built with neli.

use std::io::Cursor;
use std::net::Ipv4Addr;

use arpherd_core::LinkAddr;
use ipnetwork::Ipv4Network;
use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Nda, Ntf, Nud, RtAddrFamily, RtScope, RtTable, Rta, Rtm, RtmF, Rtn, Rtprot};
use neli::nl::{NlPayload, NlmsghdrBuilder};
use neli::rtnl::{NdmsgBuilder, Rtattr, RtattrBuilder, RtmsgBuilder};
use neli::types::{Buffer, RtBuffer};
use neli::{Size, ToBytes};

/// A message that neli did not build or write, which needs a missing field: the code below fills them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io) struct Unwritable;

/// A message's type and flags.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verb {
    pub(super) kind: Rtm,
    pub(super) flags: NlmF,
}

impl Verb {
    /// Adds or replaces.
    pub(super) fn put(kind: Rtm) -> Self {
        Self { kind, flags: NlmF::REQUEST | NlmF::CREATE | NlmF::REPLACE }
    }

    /// Adds, and fails with `EEXIST` if the entry exists.
    pub(super) fn add(kind: Rtm) -> Self {
        Self { kind, flags: NlmF::REQUEST | NlmF::CREATE | NlmF::EXCL }
    }

    /// Deletes.
    pub(super) fn delete(kind: Rtm) -> Self {
        Self { kind, flags: NlmF::REQUEST }
    }
}

/// One IPv4 route, with what is ever set of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) destination: Ipv4Network,
    /// 0: none.
    pub(super) interface: u32,
    pub(super) source: Option<Ipv4Addr>,
    pub(super) kind: Rtn,
    pub(super) scope: RtScope,
    pub(super) protocol: u8,
    pub(super) table: u32,
    pub(super) metric: u32,
}

pub(super) fn attribute<T: Size, P: Size + ToBytes>(
    kind: T,
    payload: P,
) -> Result<Rtattr<T, Buffer>, Unwritable> {
    RtattrBuilder::default().rta_type(kind).rta_payload(payload).build().map_err(|_| Unwritable)
}

/// Appends a message about a route. The order of the attributes is fixed: destination, metric, table,
/// interface, source.
pub(super) fn route(batch: &mut Vec<u8>, sequence: u32, verb: Verb, route: &Route) -> Result<(), Unwritable> {
    let mut attributes = RtBuffer::new();
    attributes.push(attribute(Rta::Dst, route.destination.network().octets())?);
    attributes.push(attribute(Rta::Priority, route.metric)?);
    attributes.push(attribute(Rta::Table, route.table)?);
    if route.interface != 0 {
        attributes.push(attribute(Rta::Oif, route.interface)?);
    }
    if let Some(source) = route.source {
        attributes.push(attribute(Rta::Prefsrc, source.octets())?);
    }
    let body = RtmsgBuilder::default()
        .rtm_family(RtAddrFamily::Inet)
        .rtm_dst_len(route.destination.prefix())
        .rtm_src_len(0)
        .rtm_tos(0)
        .rtm_table(u8::try_from(route.table).map_or(RtTable::Unspec, RtTable::from))
        .rtm_protocol(Rtprot::from(route.protocol))
        .rtm_scope(route.scope)
        .rtm_type(route.kind)
        .rtm_flags(RtmF::empty())
        .rtattrs(attributes)
        .build()
        .map_err(|_| Unwritable)?;
    append(batch, sequence, verb, body)
}

/// Appends a message about a neighbour entry; its link-layer address may be left unknown to delete it.
///
/// `NTF_EXT_LEARNED` keeps the entry out of the kernel's garbage collection and its `gc_thresh` limits
/// (`neigh_update_gc_list`); who wrote it deletes it.
pub(super) fn neighbour(
    batch: &mut Vec<u8>,
    sequence: u32,
    verb: Verb,
    interface: i32,
    address: Ipv4Addr,
    lladdr: &LinkAddr,
) -> Result<(), Unwritable> {
    let mut attributes = RtBuffer::new();
    attributes.push(attribute(Nda::Dst, address.octets())?);
    let (state, flags) = if lladdr.is_empty() {
        (Nud::NONE, Ntf::empty())
    } else {
        attributes.push(attribute(Nda::Lladdr, lladdr.octets())?);
        (Nud::REACHABLE, Ntf::from_bits_retain(libc::NTF_EXT_LEARNED))
    };
    let body = NdmsgBuilder::default()
        .ndm_family(RtAddrFamily::Inet)
        .ndm_index(interface)
        .ndm_state(state)
        .ndm_flags(flags)
        .ndm_type(Rtn::Unspec)
        .rtattrs(attributes)
        .build()
        .map_err(|_| Unwritable)?;
    append(batch, sequence, verb, body)
}

/// `NDA_PROTOCOL`, which neli lacks: who wrote a proxy entry. Kernels before 5.0 ignore it.
pub(super) const PROTOCOL: u16 = 12;

/// Appends a message about an address the kernel is to answer for on the interface (`NTF_PROXY`). The entry is
/// permanent, because others are deleted when the carrier is lost (`pneigh_ifdown_and_unlock`).
pub(super) fn proxy(
    batch: &mut Vec<u8>,
    sequence: u32,
    verb: Verb,
    interface: i32,
    address: Ipv4Addr,
    protocol: u8,
) -> Result<(), Unwritable> {
    let mut attributes = RtBuffer::new();
    attributes.push(attribute(Nda::Dst, address.octets())?);
    attributes.push(attribute(Nda::from(PROTOCOL), protocol)?);
    let body = NdmsgBuilder::default()
        .ndm_family(RtAddrFamily::Inet)
        .ndm_index(interface)
        .ndm_state(Nud::PERMANENT)
        .ndm_flags(Ntf::PROXY)
        .ndm_type(Rtn::Unspec)
        .rtattrs(attributes)
        .build()
        .map_err(|_| Unwritable)?;
    append(batch, sequence, verb, body)
}

/// Appends the request for the route of a packet from `source` to `target` that comes in on the interface.
pub(super) fn route_lookup(
    batch: &mut Vec<u8>,
    sequence: u32,
    interface: u32,
    source: Ipv4Addr,
    target: Ipv4Addr,
) -> Result<(), Unwritable> {
    let mut attributes = RtBuffer::new();
    attributes.push(attribute(Rta::Dst, target.octets())?);
    attributes.push(attribute(Rta::Src, source.octets())?);
    attributes.push(attribute(Rta::Iif, interface)?);
    let body = RtmsgBuilder::default()
        .rtm_family(RtAddrFamily::Inet)
        .rtm_dst_len(32)
        .rtm_src_len(32)
        .rtm_tos(0)
        .rtm_table(RtTable::Unspec)
        .rtm_protocol(Rtprot::Unspec)
        .rtm_scope(RtScope::Universe)
        .rtm_type(Rtn::Unspec)
        .rtm_flags(RtmF::empty())
        .rtattrs(attributes)
        .build()
        .map_err(|_| Unwritable)?;
    append(batch, sequence, Verb { kind: Rtm::Getroute, flags: NlmF::REQUEST }, body)
}

/// Appends a message with any body to a batch, whose length is a multiple of 4 before and after (neli pads
/// by the position in the whole).
pub(super) fn append<P: Size + ToBytes>(
    batch: &mut Vec<u8>,
    sequence: u32,
    verb: Verb,
    body: P,
) -> Result<(), Unwritable> {
    let message = NlmsghdrBuilder::default()
        .nl_type(verb.kind)
        .nl_flags(verb.flags)
        .nl_seq(sequence)
        .nl_payload(NlPayload::Payload(body))
        .build()
        .map_err(|_| Unwritable)?;
    let end = batch.len();
    let mut cursor = Cursor::new(std::mem::take(batch));
    cursor.set_position(end as u64);
    let outcome = message.to_bytes(&mut cursor);
    *batch = cursor.into_inner();
    outcome.map_err(|_| {
        batch.truncate(end);
        Unwritable
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets of a number in the machine's order.
    fn ne(number: u32) -> [u8; 4] {
        number.to_ne_bytes()
    }

    fn header(length: u32, kind: u16, flags: i32, sequence: u32) -> Vec<u8> {
        let flags = u16::try_from(flags).expect("16 bits");
        [&ne(length)[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &ne(sequence), &[0; 4]].concat()
    }

    fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + payload.len()).expect("16 bits");
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), payload].concat()
    }

    #[test]
    fn a_route_is_written_as_the_kernel_reads_it() {
        let route = Route {
            destination: "10.0.0.9/32".parse().expect("a prefix"),
            interface: 3,
            source: Some(Ipv4Addr::new(10, 0, 0, 1)),
            kind: Rtn::Unicast,
            scope: RtScope::Link,
            protocol: 169,
            table: 300,
            metric: 50,
        };
        let mut batch = vec![0xee; 4];
        super::route(&mut batch, 7, Verb::add(Rtm::Newroute), &route).expect("writable");
        let flags = libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        let expected = [
            vec![0xee; 4],
            header(68, libc::RTM_NEWROUTE, flags, 7),
            // Family, lengths, TOS, table (too big for here), protocol, scope, type, flags.
            vec![2, 32, 0, 0, 0, 169, 253, 1, 0, 0, 0, 0],
            attribute(libc::RTA_DST, &[10, 0, 0, 9]),
            attribute(libc::RTA_PRIORITY, &ne(50)),
            attribute(libc::RTA_TABLE, &ne(300)),
            attribute(libc::RTA_OIF, &ne(3)),
            attribute(libc::RTA_PREFSRC, &[10, 0, 0, 1]),
        ];
        assert_eq!(batch, expected.concat());
    }

    #[test]
    fn a_neighbours_twenty_octets_are_written_whole() {
        let octets: Vec<u8> = (0x80..0x94).collect();
        let lladdr = LinkAddr::try_new(&octets).expect("20 octets");
        let mut batch = Vec::new();
        neighbour(&mut batch, 7, Verb::put(Rtm::Newneigh), 3, Ipv4Addr::new(10, 0, 0, 9), &lladdr)
            .expect("writable");
        let flags = libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        let expected = [
            header(60, libc::RTM_NEWNEIGH, flags, 7),
            // Family, padding; index; state (reachable), flags, type.
            vec![2, 0, 0, 0],
            ne(3).to_vec(),
            [&libc::NUD_REACHABLE.to_ne_bytes()[..], &[libc::NTF_EXT_LEARNED, 0]].concat(),
            attribute(libc::NDA_DST, &[10, 0, 0, 9]),
            attribute(libc::NDA_LLADDR, &octets),
        ];
        assert_eq!(batch, expected.concat());
    }

    #[test]
    fn a_proxy_entry_says_who_wrote_it() {
        let mut batch = Vec::new();
        proxy(&mut batch, 7, Verb::put(Rtm::Newneigh), 3, Ipv4Addr::new(10, 0, 0, 9), 169).expect("writable");
        let flags = libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        let expected = [
            header(44, libc::RTM_NEWNEIGH, flags, 7),
            vec![2, 0, 0, 0],
            ne(3).to_vec(),
            [&libc::NUD_PERMANENT.to_ne_bytes()[..], &[libc::NTF_PROXY, 0]].concat(),
            attribute(libc::NDA_DST, &[10, 0, 0, 9]),
            attribute(12, &[169]),
            vec![0; 3],
        ];
        assert_eq!(batch, expected.concat());
    }

    #[test]
    fn the_route_of_a_packet_is_asked_for_with_the_interface_it_comes_in_by() {
        let mut batch = Vec::new();
        let (source, target) = (Ipv4Addr::new(10, 0, 0, 7), Ipv4Addr::new(192, 0, 2, 1));
        route_lookup(&mut batch, 7, 3, source, target).expect("writable");
        let expected = [
            header(52, libc::RTM_GETROUTE, libc::NLM_F_REQUEST, 7),
            vec![2, 32, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            attribute(libc::RTA_DST, &[192, 0, 2, 1]),
            attribute(libc::RTA_SRC, &[10, 0, 0, 7]),
            attribute(libc::RTA_IIF, &ne(3)),
        ];
        assert_eq!(batch, expected.concat());
    }
}
