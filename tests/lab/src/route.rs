//! IPv4 routes as the kernel holds them.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use ipnetwork::Ipv4Network;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::Netns;

/// What becomes of a packet that takes the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum RouteKind {
    /// It is sent on.
    #[default]
    Unicast,
    /// It is ours.
    Local,
    /// It is a broadcast, ours among others.
    Broadcast,
    /// It is a multicast.
    Multicast,
    /// Dropped silently.
    Blackhole,
    /// Dropped with "host unreachable".
    Unreachable,
    /// Dropped with "prohibited".
    Prohibit,
    /// The next table decides.
    Throw,
    /// Another kind, by its number.
    Other(u8),
}

impl From<RouteType> for RouteKind {
    fn from(kind: RouteType) -> Self {
        match kind {
            RouteType::Unicast => Self::Unicast,
            RouteType::Local => Self::Local,
            RouteType::Broadcast => Self::Broadcast,
            RouteType::Multicast => Self::Multicast,
            RouteType::BlackHole => Self::Blackhole,
            RouteType::Unreachable => Self::Unreachable,
            RouteType::Prohibit => Self::Prohibit,
            RouteType::Throw => Self::Throw,
            other => Self::Other(other.into()),
        }
    }
}

impl From<RouteKind> for RouteType {
    fn from(kind: RouteKind) -> Self {
        match kind {
            RouteKind::Unicast => Self::Unicast,
            RouteKind::Local => Self::Local,
            RouteKind::Broadcast => Self::Broadcast,
            RouteKind::Multicast => Self::Multicast,
            RouteKind::Blackhole => Self::BlackHole,
            RouteKind::Unreachable => Self::Unreachable,
            RouteKind::Prohibit => Self::Prohibit,
            RouteKind::Throw => Self::Throw,
            RouteKind::Other(number) => Self::from(number),
        }
    }
}

/// One IPv4 route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads; `0.0.0.0/0` is the default route.
    pub dst: Ipv4Network,
    /// What becomes of the packet.
    pub kind: RouteKind,
    /// The routing table; main is 254, local 255.
    pub table: u32,
    /// Who made it; the kernel is 2, boot scripts 3, an administrator 4.
    pub protocol: u8,
    /// How far away the destination is: 0 anywhere, 253 on the link, 254 here.
    pub scope: u8,
    /// Among equal routes the lowest wins.
    pub metric: u32,
    /// The link it leaves by; none for unreachable and multi-path routes.
    pub dev: Option<String>,
    /// The preferred source address.
    pub source: Option<Ipv4Addr>,
    /// The next router.
    pub gateway: Option<Ipv4Addr>,
}

impl Netns {
    /// All IPv4 routes but those of the local table.
    ///
    /// # Panics
    /// When the kernel does not answer.
    pub fn routes(&self) -> Vec<Route> {
        self.all_routes().into_iter().filter(|route| route.table != u32::from(libc::RT_TABLE_LOCAL)).collect()
    }

    /// All IPv4 routes, the local table's included.
    ///
    /// # Panics
    /// When the kernel does not answer.
    pub fn all_routes(&self) -> Vec<Route> {
        let mut request = RouteMessage::default();
        request.header.address_family = AddressFamily::Inet;
        let answers = self.rtnl().dump("read routes", &RouteNetlinkMessage::GetRoute(request));
        let names: HashMap<u32, String> =
            self.links().into_iter().map(|link| (link.index, link.name)).collect();
        let answers = answers.expect("the kernel lists its routes to anyone");
        let routes = answers.iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewRoute(message) => read(message, |index| names.get(&index).cloned()),
            _ => None,
        });
        routes.collect()
    }

    /// The routes to exactly this destination, in any table but local.
    ///
    /// # Panics
    /// When the kernel does not answer.
    pub fn routes_to(&self, dst: Ipv4Addr) -> Vec<Route> {
        let host = |route: &Route| route.dst.ip() == dst && route.dst.prefix() == 32;
        self.routes().into_iter().filter(host).collect()
    }

    /// The way a packet to `ip` takes; none when the kernel calls it unreachable.
    pub fn route_get(&self, ip: Ipv4Addr) -> Option<Route> {
        let mut request = RouteMessage::default();
        request.header.address_family = AddressFamily::Inet;
        request.header.destination_prefix_length = 32;
        request.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(ip)));
        let answer = self.rtnl().get(&format!("look up {ip}"), RouteNetlinkMessage::GetRoute(request));
        let Ok(Some(RouteNetlinkMessage::NewRoute(message))) = answer else { return None };
        let links = self.links();
        let name = |index| links.iter().find(|link| link.index == index).map(|link| link.name.clone());
        // The answer to a lookup bears the flag of a cached route.
        read_any(&message, name)
    }
}

/// None for routes of other families and for what is only cached.
pub(crate) fn read(message: &RouteMessage, name: impl FnMut(u32) -> Option<String>) -> Option<Route> {
    if message.header.flags.contains(RouteFlags::Cloned) { None } else { read_any(message, name) }
}

fn read_any(message: &RouteMessage, mut name: impl FnMut(u32) -> Option<String>) -> Option<Route> {
    let RouteHeader { address_family, destination_prefix_length, table, protocol, scope, kind, .. } =
        &message.header;
    if *address_family != AddressFamily::Inet {
        return None;
    }
    let mut dst = Ipv4Addr::UNSPECIFIED;
    let mut route = Route {
        dst: Ipv4Network::from(dst),
        kind: RouteKind::from(*kind),
        table: u32::from(*table),
        protocol: u8::from(*protocol),
        scope: u8::from(*scope),
        metric: 0,
        dev: None,
        source: None,
        gateway: None,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(ip)) => dst = *ip,
            RouteAttribute::Gateway(RouteAddress::Inet(ip)) => route.gateway = Some(*ip),
            RouteAttribute::PrefSource(RouteAddress::Inet(ip)) => route.source = Some(*ip),
            RouteAttribute::Priority(metric) => route.metric = *metric,
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::Oif(index) => route.dev = name(*index),
            _ => {}
        }
    }
    route.dst = Ipv4Network::new(dst, *destination_prefix_length).ok()?;
    Some(route)
}
