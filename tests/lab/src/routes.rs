//! Adding and deleting IPv4 routes.

use std::net::Ipv4Addr;

use ipnetwork::Ipv4Network;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::address::parse_network;
use crate::{Netns, Result, Route, RouteKind};

/// A route to add or delete. In a deletion what is not given matches any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    /// Where it leads.
    pub dst: Ipv4Network,
    /// The next router.
    pub via: Option<Ipv4Addr>,
    /// The link it leaves by.
    pub dev: Option<String>,
    /// Who makes it; 3 (boot) in an addition when not given.
    pub protocol: Option<u8>,
    /// Among equal routes the lowest wins.
    pub metric: u32,
    /// The preferred source address.
    pub source: Option<Ipv4Addr>,
    /// The routing table; main (254) when not given.
    pub table: u32,
    /// What becomes of the packet.
    pub kind: RouteKind,
    /// How far away it is; when not given, on the link without a router and anywhere with one.
    pub scope: Option<u8>,
}

impl RouteSpec {
    /// A unicast route in the main table to `default`, an address or a prefix.
    ///
    /// # Errors
    /// When the text is none of these.
    pub fn to(dst: &str) -> Result<Self> {
        let dst = if dst == "default" { "0.0.0.0/0" } else { dst };
        Ok(Self {
            dst: parse_network(dst)?,
            via: None,
            dev: None,
            protocol: None,
            metric: 0,
            source: None,
            table: u32::from(RouteHeader::RT_TABLE_MAIN),
            kind: RouteKind::Unicast,
            scope: None,
        })
    }

    /// Through this router.
    #[must_use]
    pub fn via(mut self, router: Ipv4Addr) -> Self {
        self.via = Some(router);
        self
    }

    /// By this link.
    #[must_use]
    pub fn dev(mut self, link: &str) -> Self {
        self.dev = Some(link.to_owned());
        self
    }

    /// With this protocol number.
    #[must_use]
    pub fn protocol(mut self, protocol: u8) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// With this metric.
    #[must_use]
    pub fn metric(mut self, metric: u32) -> Self {
        self.metric = metric;
        self
    }

    /// With this preferred source address.
    #[must_use]
    pub fn source(mut self, source: Ipv4Addr) -> Self {
        self.source = Some(source);
        self
    }

    /// In this table.
    #[must_use]
    pub fn table(mut self, table: u32) -> Self {
        self.table = table;
        self
    }

    /// Of this kind.
    #[must_use]
    pub fn kind(mut self, kind: RouteKind) -> Self {
        self.kind = kind;
        self
    }

    /// With this scope.
    #[must_use]
    pub fn scope(mut self, scope: u8) -> Self {
        self.scope = Some(scope);
        self
    }
}

impl From<&Route> for RouteSpec {
    /// Exactly this route: to delete what was read, or to put it back.
    fn from(route: &Route) -> Self {
        Self {
            dst: route.dst,
            via: route.gateway,
            dev: route.dev.clone(),
            protocol: Some(route.protocol),
            metric: route.metric,
            source: route.source,
            table: route.table,
            kind: route.kind,
            scope: Some(route.scope),
        }
    }
}

impl Netns {
    /// Adds a route to `default`, an address or a prefix, in the main table.
    ///
    /// # Errors
    /// When it exists, the link is missing or the kernel refuses.
    pub fn route(&self, dst: &str, via: Option<Ipv4Addr>, dev: Option<&str>) -> Result<()> {
        self.add_route(&RouteSpec { via, dev: dev.map(str::to_owned), ..RouteSpec::to(dst)? })
    }

    /// Adds a route.
    ///
    /// # Errors
    /// When it exists, the link is missing or the kernel refuses.
    pub fn add_route(&self, spec: &RouteSpec) -> Result<()> {
        self.new_route(spec, "add", NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Adds a route in place of one with the same destination, table and metric, if there is one.
    ///
    /// # Errors
    /// When the link is missing or the kernel refuses.
    pub fn replace_route(&self, spec: &RouteSpec) -> Result<()> {
        self.new_route(spec, "replace", NLM_F_CREATE | NLM_F_REPLACE)
    }

    fn new_route(&self, spec: &RouteSpec, verb: &str, flags: u16) -> Result<()> {
        let near = spec.kind == RouteKind::Unicast && spec.via.is_none();
        let scope =
            spec.scope.map_or(if near { RouteScope::Link } else { RouteScope::Universe }, RouteScope::from);
        let message = self.route_message(spec, spec.protocol.unwrap_or(libc::RTPROT_BOOT), scope)?;
        let what = format!("{verb} route to {} in {}", spec.dst, self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::NewRoute(message), flags)
    }

    /// Deletes the first route that fits.
    ///
    /// # Errors
    /// When none fits (`ESRCH`), the link is missing or the kernel refuses.
    pub fn delete_route(&self, spec: &RouteSpec) -> Result<()> {
        let scope = spec.scope.map_or(RouteScope::NoWhere, RouteScope::from); // nowhere matches any
        let message = self.route_message(spec, spec.protocol.unwrap_or(libc::RTPROT_UNSPEC), scope)?;
        let what = format!("delete route to {} in {}", spec.dst, self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::DelRoute(message), 0)
    }

    /// Packets that come in by the link are led by this table before all others, as by
    /// `ip rule add iif LINK lookup TABLE`.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn rule(&self, link: &str, table: u32) -> Result<()> {
        let mut message = RuleMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.action = RuleAction::ToTable;
        message.attributes = vec![RuleAttribute::Iifname(link.to_owned()), RuleAttribute::Table(table)];
        let what = format!("lead what comes in by {link} by table {table} in {}", self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::NewRule(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    fn route_message(&self, spec: &RouteSpec, protocol: u8, scope: RouteScope) -> Result<RouteMessage> {
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: AddressFamily::Inet,
            destination_prefix_length: spec.dst.prefix(),
            // Tables above 255 do not fit here; the attribute below counts.
            table: u8::try_from(spec.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
            protocol: RouteProtocol::from(protocol),
            scope,
            kind: RouteType::from(spec.kind),
            ..RouteHeader::default()
        };
        let attributes = &mut message.attributes;
        attributes.push(RouteAttribute::Destination(RouteAddress::Inet(spec.dst.network())));
        attributes.push(RouteAttribute::Table(spec.table));
        if spec.metric != 0 {
            attributes.push(RouteAttribute::Priority(spec.metric));
        }
        attributes.extend(spec.via.map(|ip| RouteAttribute::Gateway(RouteAddress::Inet(ip))));
        attributes.extend(spec.source.map(|ip| RouteAttribute::PrefSource(RouteAddress::Inet(ip))));
        if let Some(dev) = &spec.dev {
            attributes.push(RouteAttribute::Oif(self.index(dev)?));
        }
        Ok(message)
    }
}
