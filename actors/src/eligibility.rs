//! Whether an interface can serve a segment, and what the segment's actors need to know of it.

use arpherd_core::fact::{Ineligible, Link};
use arpherd_core::plan::LinkKind;
use ipnetwork::Ipv4Network;

use crate::io::netlink::LinkInfo;
use crate::io::netns::Netns;
use crate::io::packet::Medium;
use crate::messages::LinkUpdate;

/// The `IFLA_INFO_SLAVE_KIND` of a VRF's members.
const VRF: &str = "vrf";

/// The update for a segment's actors. `addresses`: the interface's, in the kernel's order.
pub(crate) fn link_update(info: &LinkInfo, netns: &Netns, addresses: &[Ipv4Network]) -> LinkUpdate {
    let known_kind = info.kind_in(netns);
    let kind = known_kind.unwrap_or(LinkKind::Ethernet);
    let medium = Medium { interface: info.index, kind, broadcast: info.broadcast };
    let link = Link {
        index: info.index,
        name: info.name.clone(),
        kind,
        lladdr: info.lladdr,
        up: info.up,
        carrier: info.carrier,
        addresses: addresses.to_vec(),
        ineligible: ineligible(info, known_kind),
    };
    LinkUpdate::present(medium, link)
}

/// Whether the interface can serve a segment.
pub(crate) fn is_eligible(info: &LinkInfo, netns: &Netns) -> bool {
    ineligible(info, info.kind_in(netns)).is_none()
}

/// Why the interface cannot serve a segment; `None` if it can.
///
/// Frames received by a port go to its bridge, bond or team before IP sees them, and replies to the port's own
/// address may not come back by it. Members of a VRF are no such ports: they receive their own packets.
fn ineligible(info: &LinkInfo, kind: Option<LinkKind>) -> Option<Ineligible> {
    if info.master.is_some() && info.port_of.as_deref() != Some(VRF) {
        return Some(Ineligible::Port);
    }
    let octets = match kind {
        Some(LinkKind::Ipoib) => 20,
        Some(LinkKind::Ethernet | LinkKind::Wifi) => 6,
        None => return Some(Ineligible::NoArp),
    };
    // An IPoIB interface has no GID before the subnet manager has run, a bond no address before it has a port.
    let has_address = info.lladdr.len() == octets && info.lladdr.is_station();
    (!info.arp || !has_address).then_some(Ineligible::NoArp)
}
