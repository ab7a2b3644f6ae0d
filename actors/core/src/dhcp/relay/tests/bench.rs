//! A relay with three segments, and the messages of its clients and servers.

use std::time::Duration;

use crate::address::{Address, Prefix};
use crate::dhcp::{
    BOOT_REPLY, BOOT_REQUEST, DhcpCount, DhcpNews, Message, Names, Path, Received, Relay, RelayOrder,
};
use crate::fact::Link;
use crate::lladdr::LinkAddr;
use crate::plan::{
    DhcpPlan, DhcpServer, DomainId, DomainPlan, LinkKind, Plan, RoutePlan, SegmentId, SegmentPlan,
};
use crate::time::Time;

pub(super) const ETH0: SegmentId = SegmentId(0);
pub(super) const ETH1: SegmentId = SegmentId(1);
pub(super) const IB0: SegmentId = SegmentId(2);
/// The gateway's one address, on all its links.
pub(super) const GATEWAY: Address = Address::new(10, 2, 0, 1);
/// A server on the first segment.
pub(super) const SERVER: Address = Address::new(10, 2, 0, 2);
pub(super) const CLIENT: Address = Address::new(10, 2, 0, 77);

pub(super) const DISCOVER: u8 = 1;
pub(super) const OFFER: u8 = 2;
pub(super) const REQUEST: u8 = 3;
pub(super) const DECLINE: u8 = 4;
pub(super) const ACK: u8 = 5;
pub(super) const NAK: u8 = 6;
pub(super) const RELEASE: u8 = 7;

pub(super) fn mac(last: u8) -> LinkAddr {
    LinkAddr::try_new(&[2, 0, 0, 0, 0, last]).expect("six octets")
}

pub(super) fn dhcp_plan() -> DhcpPlan {
    DhcpPlan { servers: vec![DhcpServer::At(SERVER)], is_relaying: true, ..DhcpPlan::default() }
}

pub(super) fn plan(dhcp: DhcpPlan) -> Plan {
    let prefix: Prefix = "10.2.0.0/24".parse().expect("a network");
    let segment = |name| SegmentPlan::new(name, DomainId(0), &[prefix]);
    Plan {
        domains: vec![DomainPlan {
            name: "lan".to_owned(),
            prefixes: vec![prefix],
            dhcp: Some(dhcp),
            ..DomainPlan::default()
        }],
        segments: vec![segment("eth0"), segment("eth1"), segment("ib0")],
        routes: RoutePlan::default(),
    }
}

/// A relay whose three links are up, and the time.
pub(super) struct Bench {
    pub(super) relay: Relay,
    pub(super) now: Time,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::of(dhcp_plan())
    }

    pub(super) fn of(dhcp: DhcpPlan) -> Self {
        Self::planned(&plan(dhcp))
    }

    pub(super) fn planned(plan: &Plan) -> Self {
        let mut relay = Relay::new(plan);
        relay.addresses_changed([GATEWAY]);
        for (index, segment) in (1..).zip([ETH0, ETH1, IB0]) {
            let kind = if segment == IB0 { LinkKind::Ipoib } else { LinkKind::Ethernet };
            relay.link_changed(segment, Some(link(index, kind)));
        }
        Self { relay, now: Time::ZERO + Duration::from_secs(100) }
    }

    pub(super) fn passes(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    pub(super) fn gives(&mut self, path: Path, message: &Message) -> Vec<RelayOrder> {
        let mut orders = Vec::new();
        self.relay.received(self.now, Received { path, message: message.clone() }, &mut orders);
        orders
    }

    /// A client's broadcast comes in.
    pub(super) fn asks(&mut self, segment: SegmentId, message: &Message) -> Vec<RelayOrder> {
        self.gives(broadcast_on(segment), message)
    }

    /// The one message that goes to the server because of a client's broadcast.
    pub(super) fn relays(&mut self, segment: SegmentId, message: &Message) -> Message {
        let orders = self.asks(segment, message);
        let [relayed] = &to_servers(&orders)[..] else { panic!("{orders:?}") };
        relayed.clone()
    }

    /// The server answers the relay.
    pub(super) fn answers(&mut self, message: &Message) -> Vec<RelayOrder> {
        self.gives(Path::Socket { source: SERVER, destination: GATEWAY }, message)
    }
}

/// Its link-layer address ends in its number, from 200 on.
pub(super) fn link(index: u32, kind: LinkKind) -> Link {
    let lladdr = mac(200 + u8::try_from(index).expect("a small number"));
    let addresses = vec![Prefix::new(GATEWAY, 32).expect("a host")];
    let (up, carrier, ineligible, name) = (true, true, None, String::new());
    Link { index, name, kind, lladdr, up, carrier, addresses, ineligible }
}

pub(super) fn broadcast_on(segment: SegmentId) -> Path {
    Path::Link {
        segment,
        is_outgoing: false,
        from: if segment == IB0 { LinkAddr::UNKNOWN } else { mac(9) },
        source: Address::UNSPECIFIED,
        destination: Address::BROADCAST,
        port: 67,
    }
}

/// A unicast between two addresses, seen coming in.
pub(super) fn unicast_on(segment: SegmentId, source: Address, destination: Address, port: u16) -> Path {
    Path::Link { segment, is_outgoing: false, from: mac(9), source, destination, port }
}

/// The options of a kind of message, more of them, and the end.
fn vendor(kind: u8, more: &[u8]) -> Vec<u8> {
    let mut vendor = vec![99, 130, 83, 99, 53, 1, kind];
    vendor.extend_from_slice(more);
    vendor.push(255);
    vendor.resize(vendor.len().max(64), 0);
    vendor
}

/// A message of an Ethernet client.
pub(super) fn client_message(kind: u8, options: &[u8]) -> Message {
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(mac(9).octets());
    Message {
        op: BOOT_REQUEST,
        hardware_type: 1,
        hardware_length: 6,
        hops: 0,
        xid: 0x1234_5678,
        secs: 3,
        flags: 0,
        ciaddr: Address::UNSPECIFIED,
        yiaddr: Address::UNSPECIFIED,
        siaddr: Address::UNSPECIFIED,
        giaddr: Address::UNSPECIFIED,
        chaddr,
        names: Names { server: [0; 64], file: [0; 128] },
        vendor: vendor(kind, options),
    }
}

/// The same of one on InfiniBand, with a client identifier.
pub(super) fn infiniband_message(kind: u8, identifier: &[u8]) -> Message {
    let mut options = vec![61, u8::try_from(identifier.len()).expect("short")];
    options.extend_from_slice(identifier);
    Message { hardware_type: 32, hardware_length: 0, chaddr: [0; 16], ..client_message(kind, &options) }
}

/// What a server answers to what it received: its option 82 comes back as the last one.
pub(super) fn reply_to(received: &Message, kind: u8, yiaddr: Address) -> Message {
    let mut options = vec![54, 4];
    options.extend(SERVER.octets());
    options.extend([51, 4, 0, 0, 0x0e, 0x10]);
    if let Some(at) = position_of(received, 61) {
        let length = usize::from(received.vendor[at + 1]);
        options.extend_from_slice(&received.vendor[at..at + 2 + length]);
    }
    if let Some(at) = position_of(received, 82) {
        let length = usize::from(received.vendor[at + 1]);
        options.extend_from_slice(&received.vendor[at..at + 2 + length]);
    }
    Message { op: BOOT_REPLY, yiaddr, hops: 0, vendor: vendor(kind, &options), ..received.clone() }
}

/// Where an option stands among the vendor's octets, told without the walker that is tested.
pub(super) fn position_of(message: &Message, code: u8) -> Option<usize> {
    let mut at = 4;
    while let Some(found) = message.vendor.get(at).filter(|found| **found != 255) {
        if *found == code {
            return Some(at);
        }
        at += if *found == 0 { 1 } else { 2 + usize::from(message.vendor[at + 1]) };
    }
    None
}

pub(super) fn to_servers(orders: &[RelayOrder]) -> Vec<Message> {
    let sent = orders.iter().filter_map(|order| match order {
        RelayOrder::ToServer { message, .. } => Some(message.clone()),
        _ => None,
    });
    sent.collect()
}

pub(super) fn news(orders: &[RelayOrder]) -> Vec<(SegmentId, DhcpNews)> {
    let told = orders.iter().filter_map(|order| match order {
        RelayOrder::Report { segment, news } => Some((*segment, news.clone())),
        _ => None,
    });
    told.collect()
}

pub(super) fn counts(orders: &[RelayOrder], what: DhcpCount) -> usize {
    orders.iter().filter(|order| matches!(order, RelayOrder::Count(_, counted) if *counted == what)).count()
}
