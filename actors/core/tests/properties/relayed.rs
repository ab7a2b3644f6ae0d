//! The DHCP relay, given anything: what it passes on is what it was given, but for what a relay may change, as an
//! independent decoder reads it; and nothing that is sent to it makes it grow or fail.

use std::time::Duration;

use arpherd_core::dhcp::{
    BOOT_REPLY, BOOT_REQUEST, ClientPlace, Message, Names, Path, Received, Relay, RelayOrder,
};
use arpherd_core::fact::Link;
use arpherd_core::plan::{
    DhcpPlan, DhcpServer, DomainPlan, LinkKind, Plan, RoutePlan, SegmentId, SegmentPlan,
};
use arpherd_core::{Address, DomainId, LinkAddr, Prefix, Time};
use dhcproto::v4::{DhcpOption, OptionCode};
use dhcproto::{Decodable, Decoder};
use proptest::prelude::*;

const GATEWAY: Address = Address::new(10, 2, 0, 1);
const SERVER: Address = Address::new(10, 2, 0, 2);
const COOKIE: [u8; 4] = [99, 130, 83, 99];

fn plan() -> Plan {
    let prefix: Prefix = "10.2.0.0/24".parse().expect("a network");
    let servers = vec![DhcpServer::At(SERVER)];
    Plan {
        domains: vec![DomainPlan {
            name: "lan".to_owned(),
            prefixes: vec![prefix],
            dhcp: Some(DhcpPlan { servers, is_relaying: true, ..DhcpPlan::default() }),
            ..DomainPlan::default()
        }],
        segments: ["eth0", "eth1"].map(|name| SegmentPlan::new(name, DomainId(0), &[prefix])).to_vec(),
        routes: RoutePlan::default(),
    }
}

fn relay() -> Relay {
    let mut relay = Relay::new(&plan());
    relay.addresses_changed([GATEWAY]);
    for index in [1, 2] {
        let lladdr = LinkAddr::ethernet([2, 0xff, 0, 0, 0, index]);
        let link = Link {
            index: index.into(),
            name: String::new(),
            kind: LinkKind::Ethernet,
            lladdr,
            up: true,
            carrier: true,
            addresses: vec![Prefix::new(GATEWAY, 32).expect("a host")],
            ineligible: None,
        };
        relay.link_changed(SegmentId(u16::from(index) - 1), Some(link));
    }
    relay
}

fn broadcast(segment: u16) -> Path {
    Path::Link {
        segment: SegmentId(segment),
        is_outgoing: false,
        from: LinkAddr::ethernet([2, 0, 0, 0, 0, 9]),
        source: Address::UNSPECIFIED,
        destination: Address::BROADCAST,
        port: 67,
    }
}

/// A message as it is on the wire (RFC 2131, section 2), written without arpherd's encoder.
fn octets(message: &Message) -> Vec<u8> {
    let Message { op, hardware_type, hardware_length, hops, xid, secs, flags, .. } = message;
    let mut octets = vec![*op, *hardware_type, *hardware_length, *hops];
    octets.extend(xid.to_be_bytes());
    octets.extend(secs.to_be_bytes());
    octets.extend(flags.to_be_bytes());
    for address in [message.ciaddr, message.yiaddr, message.siaddr, message.giaddr] {
        octets.extend(address.octets());
    }
    octets.extend(message.chaddr);
    octets.extend(message.names.server);
    octets.extend(message.names.file);
    octets.extend(&message.vendor);
    octets
}

/// The options of the vendor's field, as the other decoder finds them.
fn options(message: &Message) -> Vec<(OptionCode, DhcpOption)> {
    let octets = octets(message);
    let decoded = dhcproto::v4::Message::decode(&mut Decoder::new(&octets)).expect("well-formed");
    let mut options: Vec<_> = decoded.opts().iter().map(|(code, option)| (*code, option.clone())).collect();
    options.sort_by_key(|(code, _)| u8::from(*code));
    options
}

/// Options that no relay looks at, each once, so that the other decoder has nothing to merge.
fn other_options() -> impl Strategy<Value = Vec<u8>> {
    let option = (224_u8..=240, prop::collection::vec(any::<u8>(), 1..20));
    prop::collection::btree_map(option.0, option.1, 0..6).prop_map(|options| {
        options
            .into_iter()
            .flat_map(|(code, octets)| [vec![code, u8::try_from(octets.len()).unwrap_or(0)], octets].concat())
            .collect()
    })
}

fn client_message(kind: u8, more: &[u8], padding: usize) -> Message {
    let mut vendor = [&COOKIE[..], &[53, 1, kind], more, &[255]].concat();
    vendor.resize(vendor.len() + padding, 0);
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    Message {
        op: BOOT_REQUEST,
        hardware_type: 1,
        hardware_length: 6,
        hops: 0,
        xid: 7,
        secs: 0,
        flags: 0,
        ciaddr: Address::UNSPECIFIED,
        yiaddr: Address::UNSPECIFIED,
        siaddr: Address::UNSPECIFIED,
        giaddr: Address::UNSPECIFIED,
        chaddr,
        names: Names { server: [0; 64], file: [0; 128] },
        vendor,
    }
}

fn any_message() -> impl Strategy<Value = Message> {
    let vendor =
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            // Behind a cookie, of small numbers, so that options, ends and overloads are met.
            prop::collection::vec(prop_oneof![0_u8..8, 50_u8..62, Just(82), Just(255)], 0..60)
                .prop_map(|tail| [&COOKIE[..], &tail].concat()),
            (0_u8..10, other_options()).prop_map(|(kind, more)| client_message(kind, &more, 3).vendor),
        ];
    let names = (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(one, other)| {
        let (mut server, mut file) = ([0; 64], [0; 128]);
        server[..32].copy_from_slice(&one);
        file[..32].copy_from_slice(&other);
        Names { server, file }
    });
    let small = (0_u8..4, prop_oneof![Just(1), Just(32), any::<u8>()], any::<u8>(), 0_u8..20);
    let address = || {
        prop_oneof![
            Just(Address::UNSPECIFIED),
            Just(GATEWAY),
            Just(SERVER),
            any::<u32>().prop_map(Address::from)
        ]
    };
    (small, 0_u32..4, any::<u16>(), [address(), address(), address()], 0_u8..20, names, vendor).prop_map(
        |((op, hardware_type, hardware_length, hops), xid, flags, addresses, last, names, vendor)| {
            let [ciaddr, yiaddr, giaddr] = addresses;
            let mut chaddr = [0; 16];
            chaddr[..6].copy_from_slice(&[2, 0, 0, 0, 0, last]);
            let (secs, siaddr) = (1, Address::UNSPECIFIED);
            Message {
                op,
                hardware_type,
                hardware_length,
                hops,
                xid,
                secs,
                flags,
                ciaddr,
                yiaddr,
                siaddr,
                giaddr,
                chaddr,
                names,
                vendor,
            }
        },
    )
}

fn any_path() -> impl Strategy<Value = Path> {
    let address = || {
        prop_oneof![
            Just(Address::UNSPECIFIED),
            Just(Address::BROADCAST),
            Just(GATEWAY),
            Just(SERVER),
            any::<u32>().prop_map(Address::from)
        ]
    };
    let on_link = (0_u16..4, any::<bool>(), 0_u8..4, address(), address(), prop_oneof![Just(67), Just(68)]);
    let on_link = on_link.prop_map(|(segment, is_outgoing, last, source, destination, port)| Path::Link {
        segment: SegmentId(segment),
        is_outgoing,
        from: LinkAddr::ethernet([2, 0xff, 0, 0, 0, last]),
        source,
        destination,
        port,
    });
    let at_socket =
        (address(), address()).prop_map(|(source, destination)| Path::Socket { source, destination });
    prop_oneof![4 => on_link, 1 => at_socket, 2 => (0_u16..2).prop_map(broadcast)]
}

proptest! {
    #[test]
    fn what_goes_to_the_server_is_what_came_with_option_82_behind_it(
        more in other_options(),
        padding in 0_usize..80,
    ) {
        let asked = client_message(1, &more, padding);
        let mut orders = Vec::new();
        relay().received(Time::ZERO, Received { path: broadcast(1), message: asked.clone() }, &mut orders);
        let Some(RelayOrder::ToServer { message, .. }) = orders.first() else {
            return Err(TestCaseError::fail(format!("{orders:?}")));
        };
        let (before, mut after) = (options(&asked), options(message));
        after.retain(|(code, _)| *code != OptionCode::RelayAgentInformation);
        prop_assert_eq!(before, after);
        let end = asked.vendor.iter().rposition(|octet| *octet == 255).unwrap_or_default();
        prop_assert_eq!(&message.vendor[..end], &asked.vendor[..end], "every octet before it stands where it stood");
        let (hops, giaddr, vendor) = (asked.hops, asked.giaddr, asked.vendor.clone());
        prop_assert_eq!(Message { hops, giaddr, vendor, ..message.clone() }, asked);
    }

    #[test]
    fn what_goes_to_the_client_is_what_the_server_sent_without_option_82(
        before in other_options(),
        after in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut relay = relay();
        let mut orders = Vec::new();
        let asked = client_message(1, &[], 0);
        relay.received(Time::ZERO, Received { path: broadcast(1), message: asked.clone() }, &mut orders);
        let behind = [&[250, u8::try_from(after.len()).unwrap_or(0)][..], &after].concat();
        let with = |information: &[u8]| {
            let vendor = [&COOKIE[..], &[53, 1, 2, 54, 4, 10, 2, 0, 2], &before, information, &behind, &[255]].concat();
            Message { op: BOOT_REPLY, yiaddr: Address::new(10, 2, 0, 77), giaddr: GATEWAY, vendor, ..asked.clone() }
        };
        let (offered, bare) = (with(b"\x52\x0a\x01\x08lan/eth1"), with(b""));
        orders.clear();
        let path = Path::Socket { source: SERVER, destination: GATEWAY };
        relay.received(Time::ZERO, Received { path, message: offered }, &mut orders);
        let sent = orders.iter().find_map(|order| match order {
            RelayOrder::ToClient { segment, to, message, .. } => Some((*segment, *to, message)),
            _ => None,
        });
        let Some((SegmentId(1), ClientPlace::One { .. }, message)) = sent else {
            return Err(TestCaseError::fail(format!("{orders:?}")));
        };
        prop_assert_eq!(&message.vendor[..bare.vendor.len()], &bare.vendor[..]);
        prop_assert!(message.vendor[bare.vendor.len()..].iter().all(|octet| *octet == 0));
    }

    #[test]
    fn anything_may_be_sent_and_nothing_goes_round(
        messages in prop::collection::vec((any_path(), any_message(), 0_u64..2_000), 1..120),
    ) {
        let mut relay = relay();
        let mut now = Time::ZERO;
        for (path, message, pause) in messages {
            now = now + Duration::from_millis(pause);
            let mut orders = Vec::new();
            relay.received(now, Received { path, message: message.clone() }, &mut orders);
            let sent = |order: &RelayOrder| matches!(order, RelayOrder::ToServer { .. } | RelayOrder::ToClient { .. });
            prop_assert!(orders.iter().filter(|order| sent(order)).count() <= 1, "{:?}", orders);
            for order in &orders {
                match order {
                    RelayOrder::ToServer { message: relayed, from, .. } => {
                        prop_assert_eq!((message.op, relayed.hops), (BOOT_REQUEST, message.hops + 1));
                        prop_assert!(relayed.hops <= 17 && *from == GATEWAY && message.giaddr != GATEWAY);
                        // Sent back by whoever, it is not passed on a second time.
                        let mut again = Vec::new();
                        relay.received(now, Received { path: broadcast(0), message: relayed.clone() }, &mut again);
                        let is_ours = relayed.giaddr == GATEWAY;
                        prop_assert!(!is_ours || !again.iter().any(sent), "{:?}", again);
                    }
                    RelayOrder::ToClient { message: reply, .. } => {
                        prop_assert_eq!(reply.op, BOOT_REPLY);
                        let is_inside = reply.yiaddr.is_unspecified() || reply.yiaddr.octets()[..3] == [10, 2, 0];
                        prop_assert!(is_inside, "{}", reply.yiaddr);
                    }
                    RelayOrder::Report { .. } | RelayOrder::Count(..) => {}
                }
            }
        }
    }
}
