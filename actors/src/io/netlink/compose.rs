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
mod tests;
