//! What the codec takes and refuses.

use arpherd_core::SegmentId;
use proptest::prelude::*;

use super::*;

const LINKS: [LinkKind; 3] = [LinkKind::Ethernet, LinkKind::Wifi, LinkKind::Ipoib];

fn station(link: LinkKind) -> impl Strategy<Value = LinkAddr> {
    prop::collection::vec(any::<u8>(), address_len(link))
        .prop_filter_map("no station", |octets| LinkAddr::try_new(&octets).filter(LinkAddr::is_station))
}

fn packet(link: LinkKind) -> impl Strategy<Value = Arp> {
    let operation = prop_oneof![Just(Operation::Request), Just(Operation::Reply)];
    let target = prop::collection::vec(any::<u8>(), address_len(link))
        .prop_filter_map("length", |octets| LinkAddr::try_new(&octets));
    (operation, station(link), any::<[u8; 4]>(), target, any::<[u8; 4]>()).prop_map(
        |(operation, sender_lladdr, sender, target_lladdr, target)| Arp {
            operation,
            sender_lladdr,
            sender: sender.into(),
            target_lladdr,
            target: target.into(),
        },
    )
}

fn linked_packet() -> impl Strategy<Value = (LinkKind, Arp)> {
    prop::sample::select(&LINKS[..]).prop_flat_map(|link| (Just(link), packet(link)))
}

fn marks() -> impl Strategy<Value = Option<WireMark>> {
    let mark = (any::<u64>(), any::<u16>());
    prop::option::of(mark.prop_map(|(secret, segment)| WireMark::new(secret, SegmentId(segment))))
}

/// A well-formed request with 6-octet addresses, as it lies in a frame.
fn request() -> [u8; ETHERNET_ARP] {
    let mut bytes = [0; ETHERNET_ARP];
    bytes[..HEADER].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    bytes[8] = 2;
    bytes[14..18].copy_from_slice(&[10, 0, 0, 1]);
    bytes[24..].copy_from_slice(&[10, 0, 0, 2]);
    bytes
}

proptest! {
    #[test]
    fn no_bytes_can_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..130)) {
        for link in LINKS {
            let _ = decode(link, &bytes);
            let _ = decode_reverse_request(link, &bytes);
        }
    }

    #[test]
    fn no_field_behind_a_good_header_can_make_it_panic(
        mut bytes in prop::collection::vec(any::<u8>(), HEADER..130),
    ) {
        for (link, header) in [
            (LinkKind::Ethernet, [0, 1, 8, 0, 6, 4, 0, 1]),
            (LinkKind::Ipoib, [0, 32, 8, 0, 20, 4, 0, 2]),
        ] {
            bytes[..HEADER].copy_from_slice(&header);
            let decoded = decode(link, &bytes);
            let enough = bytes.len() >= HEADER + 2 * (address_len(link) + IPV4);
            prop_assert_eq!(decoded == Err(Rejected::Short), !enough);
        }
    }

    #[test]
    fn what_is_written_is_read_back((link, arp) in linked_packet(), mark in marks()) {
        let mut room = [0xa5; LONGEST];
        let length = encode(link, &arp, mark, &mut room).expect("addresses of the link's length");
        let seen = mark.filter(|_| arp.operation == Operation::Request);
        prop_assert_eq!(decode(link, &room[..length]), Ok((arp, seen)));
        prop_assert!(room[length..].iter().all(|octet| *octet == 0));
    }

    #[test]
    fn pnet_reads_the_same_fields(arp in packet(LinkKind::Ethernet)) {
        let mut room = [0; LONGEST];
        let length = encode(LinkKind::Ethernet, &arp, None, &mut room).expect("addresses of the link's length");
        prop_assert_eq!(length, ETHERNET_LEAST);
        let oracle = ArpPacket::new(&room[..length]).expect("long enough");
        prop_assert_eq!(oracle.get_hardware_type().0, 1);
        prop_assert_eq!(oracle.get_protocol_type(), EtherTypes::Ipv4);
        prop_assert_eq!((oracle.get_hw_addr_len(), oracle.get_proto_addr_len()), (6, 4));
        prop_assert_eq!(oracle.get_operation().0, wire_operation(arp.operation));
        prop_assert_eq!(oracle.get_sender_hw_addr().octets(), arp.sender_lladdr.octets());
        prop_assert_eq!(oracle.get_sender_proto_addr().octets(), arp.sender.octets());
        prop_assert_eq!(oracle.get_target_hw_addr().octets(), arp.target_lladdr.octets());
        prop_assert_eq!(oracle.get_target_proto_addr().octets(), arp.target.octets());
    }
}

#[test]
fn each_wrong_field_is_named() {
    let cases: [(usize, u8, Rejected); 6] = [
        (1, 6, Rejected::HardwareType(6)),
        (1, 32, Rejected::HardwareType(32)),
        (2, 0x86, Rejected::ProtocolType(0x8600)),
        (4, 20, Rejected::Lengths(20, 4)),
        (5, 16, Rejected::Lengths(6, 16)),
        (7, 3, Rejected::Operation(3)),
    ];
    for (at, value, expected) in cases {
        let mut bytes = request();
        bytes[at] = value;
        assert_eq!(decode(LinkKind::Ethernet, &bytes), Err(expected));
    }
    let mut nobody = request();
    nobody[8] = 0;
    assert_eq!(decode(LinkKind::Ethernet, &nobody), Err(Rejected::SenderAddress));
    let mut everybody = request();
    everybody[8..14].fill(0xff);
    assert_eq!(decode(LinkKind::Ethernet, &everybody), Err(Rejected::SenderAddress));
    let mut cluster = request();
    cluster[8] = 3;
    assert!(decode(LinkKind::Ethernet, &cluster).is_ok(), "the core knows whether it is named");
    assert_eq!(decode(LinkKind::Ethernet, &request()[..27]), Err(Rejected::Short));
    assert!(decode(LinkKind::Wifi, &request()).is_ok());
}

#[test]
fn an_ethernet_packet_is_not_read_on_ipoib() {
    assert_eq!(decode(LinkKind::Ipoib, &request()), Err(Rejected::HardwareType(1)));
}

#[test]
fn an_address_of_another_link_is_not_written() {
    let (mut arp, _) = decode(LinkKind::Ethernet, &request()).expect("a request");
    let mut room = [0; LONGEST];
    let misfit = Misfit { length: 6, link: LinkKind::Ipoib };
    assert_eq!(encode(LinkKind::Ipoib, &arp, None, &mut room), Err(misfit));
    arp.target_lladdr = LinkAddr::UNKNOWN;
    assert_eq!(encode(LinkKind::Ethernet, &arp, None, &mut room), Ok(ETHERNET_LEAST));
    assert_eq!(room[18..24], [0; 6]);
}

/// The mark of the fixtures below, and its octets.
const MARK: WireMark = WireMark::new(0x1122_3344_5566_7788, SegmentId(0x0102));
const MARK_OCTETS: [u8; mark::LENGTH] = *b"ARPH\x11\x22\x33\x44\x55\x66\x77\x88\x01\x02";

#[test]
fn a_request_on_ethernet_bears_its_mark_within_the_padding() {
    let (arp, none) = decode(LinkKind::Ethernet, &request()).expect("a request");
    assert_eq!(none, None);
    let mut room = [0xa5; LONGEST];
    assert_eq!(encode(LinkKind::Ethernet, &arp, Some(MARK), &mut room), Ok(ETHERNET_LEAST));
    assert_eq!(room[..ETHERNET_LEAST], *[&request()[..], &MARK_OCTETS, &[0; 4]].concat());
    assert_eq!(decode(LinkKind::Ethernet, &room[..ETHERNET_LEAST]), Ok((arp, Some(MARK))));
    // Other padding, and a mark that was cut off, are none.
    for behind in [&[0; 18][..], &[0xff; 18], &MARK_OCTETS[..13], b"ARPH"] {
        let bytes = [&request()[..], behind].concat();
        assert_eq!(decode(LinkKind::Ethernet, &bytes), Ok((arp, None)));
    }
}

#[test]
fn a_request_on_ipoib_is_longer_by_its_mark() {
    let ends = LinkAddr::try_new(&[7; 20]).expect("20 octets");
    let (sender, target) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let operation = Operation::Request;
    let arp = Arp { operation, sender_lladdr: ends, sender, target_lladdr: LinkAddr::UNKNOWN, target };
    let mut room = [0xa5; LONGEST];
    assert_eq!(encode(LinkKind::Ipoib, &arp, None, &mut room), Ok(56));
    let plain = room[..56].to_vec();
    assert_eq!(encode(LinkKind::Ipoib, &arp, Some(MARK), &mut room), Ok(70));
    assert_eq!(room, *[&plain[..], &MARK_OCTETS].concat());
    assert_eq!(decode(LinkKind::Ipoib, &room).expect("a request").1, Some(MARK));
}

#[test]
fn a_reply_bears_no_mark_and_one_in_it_is_not_believed() {
    for (link, length) in [(LinkKind::Ethernet, ETHERNET_LEAST), (LinkKind::Ipoib, IPOIB_ARP)] {
        let ends = LinkAddr::try_new(&[2; 20][..address_len(link)]).expect("a link's address");
        let (sender, target) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let operation = Operation::Reply;
        let arp = Arp { operation, sender_lladdr: ends, sender, target_lladdr: ends, target };
        let mut room = [0xa5; LONGEST];
        assert_eq!(encode(link, &arp, Some(MARK), &mut room), Ok(length));
        assert!(room[packet_len(link)..].iter().all(|octet| *octet == 0));
        // A host that turned our request into its reply sends the mark back.
        let echoed = [&room[..packet_len(link)], &MARK_OCTETS].concat();
        assert_eq!(decode(link, &echoed), Ok((arp, None)));
    }
}

#[test]
fn a_reverse_request_names_its_sender_on_either_link() {
    let mut bytes = request();
    bytes[7] = 3;
    let sender = LinkAddr::ethernet([2, 0, 0, 0, 0, 0]);
    assert_eq!(decode_reverse_request(LinkKind::Ethernet, &bytes), Ok(sender));
    assert_eq!(decode_reverse_request(LinkKind::Ethernet, &bytes[..27]), Err(Rejected::Short));
    assert_eq!(decode_reverse_request(LinkKind::Ethernet, &request()), Err(Rejected::Operation(1)));
    assert_eq!(decode(LinkKind::Ethernet, &bytes), Err(Rejected::Operation(3)));
    let mut wide = [0; IPOIB_ARP];
    wide[..HEADER].copy_from_slice(&[0, 32, 8, 0, 20, 4, 0, 3]);
    wide[HEADER..HEADER + 20].fill(7);
    assert_eq!(
        decode_reverse_request(LinkKind::Ipoib, &wide),
        LinkAddr::try_new(&[7; 20]).ok_or(Rejected::Short)
    );
}
