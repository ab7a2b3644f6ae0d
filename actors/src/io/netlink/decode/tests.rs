//! What the decoders make of messages that a kernel sent, and of what is left of them.
//!
//! The fixtures are whole messages, headers included, as hexadecimal digits below a line that says what they are.
//! They were recorded in the tests' VM (`just test-vm`) from a raw netlink socket, on a little-endian machine.

use arpherd_core::LinkAddr;
use arpherd_core::plan::LinkKind;
use neli::consts::rtnl::Rtm;
use proptest::prelude::*;

use super::super::compose::{self, Verb};
use super::super::wire::{Message, Messages};
use super::*;

/// An IPoIB link, as listed.
const LINK: &str = include_str!("fixtures/ipoib_link.hex");
/// The same, from the notification of a change.
const LINK_CHANGED: &str = include_str!("fixtures/ipoib_link_changed.hex");
/// The same, from the notification of its deletion.
const LINK_GONE: &str = include_str!("fixtures/ipoib_link_gone.hex");
/// A link that has no address at all, as listed.
const UNADDRESSED: &str = include_str!("fixtures/unaddressed_link.hex");
/// What the daemon writes to have a neighbour of a fabric.
const WRITTEN: &str = include_str!("fixtures/ipoib_neighbour_written.hex");
/// What the kernel then lists.
const NEIGHBOUR: &str = include_str!("fixtures/ipoib_neighbour.hex");
/// A neighbour of a fabric that the kernel found itself, as listed.
const LEARNED: &str = include_str!("fixtures/ipoib_neighbour_learned.hex");
const ALL: [&str; 7] = [LINK, LINK_CHANGED, LINK_GONE, UNADDRESSED, WRITTEN, NEIGHBOUR, LEARNED];

/// The octets of a fixture.
fn octets(fixture: &str) -> Vec<u8> {
    let digits: Vec<u8> = fixture
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::bytes)
        .map(|digit| u8::try_from(char::from(digit).to_digit(16).expect("hexadecimal")).expect("a digit"))
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The one message of a fixture.
fn message(datagram: &[u8]) -> Message<'_> {
    let messages: Vec<_> = Messages::of(datagram).collect();
    assert_eq!(messages.len(), 1, "a fixture is one message");
    messages[0]
}

fn link_of(fixture: &str) -> LinkInfo {
    link(message(&octets(fixture)).body).expect("well-formed").expect("a link")
}

fn lladdr_of(text: &str) -> LinkAddr {
    let octets: Vec<_> =
        text.split(':').map(|octet| u8::from_str_radix(octet, 16).expect("hexadecimal")).collect();
    LinkAddr::try_new(&octets).expect("of 6 or 20 octets")
}

/// `struct ifinfomsg` of an interface that is up, and one attribute.
fn with_attribute(attribute: u16, payload: &[u8]) -> Vec<u8> {
    let (interface, up, length) = (7_u32, 1_u32, u16::try_from(payload.len() + 4).expect("a short one"));
    let mut bytes = [&[0, 0], &libc::ARPHRD_ETHER.to_ne_bytes()[..]].concat();
    bytes.extend([interface, up, u32::MAX].into_iter().flat_map(u32::to_ne_bytes));
    bytes.extend([length, attribute].into_iter().flat_map(u16::to_ne_bytes));
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[test]
fn news_of_an_association_is_no_news_of_the_link() {
    let named = link(&with_attribute(libc::IFLA_IFNAME, b"wlan0\0")).expect("well-formed").expect("a link");
    assert_eq!((named.index, named.name.as_str(), named.up), (7, "wlan0", true));
    assert_eq!(link(&with_attribute(libc::IFLA_WIRELESS, &[0; 8])), Ok(None));
}

/// Longer ones than names may be, too (`ALTIFNAMSIZ`).
#[test]
fn alternative_names_are_read() {
    let long = "n".repeat(127);
    let mut list = Vec::new();
    for name in ["uplink", &long] {
        list.extend(u16::try_from(name.len() + 5).expect("short").to_ne_bytes());
        list.extend(libc::IFLA_ALT_IFNAME.to_ne_bytes());
        list.extend(name.bytes());
        list.push(0);
        list.resize(list.len().next_multiple_of(4), 0);
    }
    const NESTED: u16 = 0x8000;
    for flag in [0, NESTED] {
        let read =
            link(&with_attribute(libc::IFLA_PROP_LIST | flag, &list)).expect("well-formed").expect("a link");
        assert_eq!(read.alternative_names, ["uplink", &long]);
        assert!(read.is_called("uplink") && read.is_called(&long) && !read.is_called("n"));
    }
}

/// Of the kernel's address, its broadcast and its kind nothing is cut off; the P_Key is in the broadcast address.
#[test]
fn a_link_of_twenty_octets_is_read_whole() {
    let datagram = octets(LINK);
    assert_eq!(message(&datagram).kind, libc::RTM_NEWLINK);
    let expected = LinkInfo {
        index: 3,
        name: "ib0".into(),
        alternative_names: Vec::new(),
        hardware: libc::ARPHRD_INFINIBAND,
        up: true,
        carrier: true,
        arp: true,
        operational: 6,
        lladdr: lladdr_of("80:00:01:01:fe:80:00:00:00:00:00:00:02:68:9f:47:47:ed:28:ab"),
        broadcast: lladdr_of("00:ff:ff:ff:ff:12:40:1b:80:01:00:00:00:00:00:00:ff:ff:ff:ff"),
        mtu: 2000,
        master: None,
        created_as: Some("ipoib".into()),
        port_of: None,
        vrf_table: None,
    };
    assert_eq!(link_of(LINK), expected);
    assert_eq!(expected.kind(), Some(LinkKind::Ipoib));
}

/// Unlike a list, a notification has the counters too, and more that requests for lists leave out.
#[test]
fn news_of_a_link_of_twenty_octets_says_the_same_as_the_list() {
    assert!(octets(LINK_CHANGED).len() > octets(LINK).len());
    assert_eq!(link_of(LINK_CHANGED), link_of(LINK));
}

/// Its addresses are still in it; it is set down before it is deleted.
#[test]
fn a_link_of_twenty_octets_that_is_gone_is_told_with_its_addresses() {
    assert_eq!(message(&octets(LINK_GONE)).kind, libc::RTM_DELLINK);
    let expected = LinkInfo { up: false, carrier: false, operational: 2, ..link_of(LINK) };
    assert_eq!(link_of(LINK_GONE), expected);
}

#[test]
fn a_link_without_an_address_has_an_unknown_one() {
    let seen = link_of(UNADDRESSED);
    assert_eq!((seen.name.as_str(), seen.created_as.as_deref()), ("tun0", Some("tun")));
    assert_eq!((seen.lladdr, seen.broadcast), (LinkAddr::UNKNOWN, LinkAddr::UNKNOWN));
    assert_eq!((seen.mtu, seen.arp, seen.kind()), (1500, false, None));
}

/// What is written is what a kernel took, octet by octet, and what it then said is what was meant.
#[test]
fn a_neighbour_of_twenty_octets_comes_back_as_it_was_written() {
    let address = Ipv4Addr::new(10, 9, 0, 20);
    let lladdr = lladdr_of("80:00:01:48:fe:80:00:00:00:00:00:00:00:02:c9:03:00:12:34:57");
    let mut batch = Vec::new();
    compose::neighbour(&mut batch, 7, Verb::put(Rtm::Newneigh), 3, address, &lladdr).expect("writable");
    assert_eq!(batch, octets(WRITTEN));
    let datagram = octets(NEIGHBOUR);
    assert_eq!(message(&datagram).kind, libc::RTM_NEWNEIGH);
    let expected = NeighbourInfo {
        interface: 3,
        address,
        lladdr,
        // Reachable when it was written; the lab lets neighbours age at once.
        state: libc::NUD_STALE,
        learned_elsewhere: true,
    };
    assert_eq!(neighbour(message(&datagram).body), Ok(Some(expected)));
    assert_eq!(proxy(message(&datagram).body), Ok(None));
}

#[test]
fn a_neighbour_that_the_kernel_found_itself_is_told_apart() {
    let expected = NeighbourInfo {
        interface: 3,
        address: Ipv4Addr::new(10, 9, 0, 21),
        lladdr: lladdr_of("80:00:01:02:fe:80:00:00:00:00:00:00:02:af:2a:3f:bb:d3:16:ac"),
        state: libc::NUD_STALE,
        learned_elsewhere: false,
    };
    assert_eq!(neighbour(message(&octets(LEARNED)).body), Ok(Some(expected)));
}

/// Runs every decoder over every message of the datagram; none may panic.
fn decode_all(datagram: &[u8]) {
    for message in Messages::of(datagram) {
        decode_body(message.body);
    }
}

fn decode_body(body: &[u8]) {
    let (_, _, _, _) = (link(body), address(body), neighbour(body), proxy(body));
    let (_, _, _) = (host_route(body, 254), cover(body, 254), output_interface(body));
}

/// The kernel's headers count the whole; a body may still end anywhere.
#[test]
fn a_message_that_ends_early_is_refused_or_says_less_and_never_panics() {
    for fixture in ALL {
        let datagram = octets(fixture);
        decode_all(&datagram);
        let body = message(&datagram).body;
        for end in 0..body.len() {
            decode_body(&body[..end]);
            assert_eq!(Messages::of(&datagram[..end]).count(), 0, "the header says it is longer");
        }
    }
}

/// The body with the link-layer address it holds given as many octets as that, as a kernel would write it.
fn with_address_of(body: &[u8], lladdr: &LinkAddr, length: usize) -> Vec<u8> {
    let known = lladdr.octets();
    let at = body.windows(known.len()).position(|window| window == known).expect("it is there");
    let (header, rest) = (at - 4, at + known.len());
    let mut octets: Vec<_> = known.iter().copied().cycle().take(length).collect();
    octets.resize(length.next_multiple_of(4), 0);
    let counted = u16::try_from(length + 4).expect("a short one").to_ne_bytes();
    [&body[..header], &counted, &body[header + 2..at], &octets, &body[rest..]].concat()
}

/// An address is known with all of its octets or not at all: a part of one would be another station's.
#[test]
fn an_address_of_another_length_is_never_taken_for_an_address() {
    let (link_octets, neighbour_octets) = (octets(LINK), octets(NEIGHBOUR));
    let (link_body, neighbour_body) = (message(&link_octets).body, message(&neighbour_octets).body);
    let whole = link_of(LINK);
    let known = neighbour(neighbour_body).expect("well-formed").expect("a neighbour");
    for length in (0..48).filter(|length| *length != 6) {
        let full = length == 20;
        let own = link(&with_address_of(link_body, &whole.lladdr, length));
        let lladdr = if full { whole.lladdr } else { LinkAddr::UNKNOWN };
        assert_eq!(own, Ok(Some(LinkInfo { lladdr, ..whole.clone() })), "{length}");
        let all = link(&with_address_of(link_body, &whole.broadcast, length));
        let broadcast = if full { whole.broadcast } else { LinkAddr::UNKNOWN };
        assert_eq!(all, Ok(Some(LinkInfo { broadcast, ..whole.clone() })), "{length}");
        let seen = neighbour(&with_address_of(neighbour_body, &known.lladdr, length));
        let lladdr = if full { known.lladdr } else { LinkAddr::UNKNOWN };
        assert_eq!(seen, Ok(Some(NeighbourInfo { lladdr, ..known })), "{length}");
    }
}

proptest! {
    /// A kernel of another version, or one that lies: any octets in place of some.
    #[test]
    fn no_octets_in_a_real_message_can_make_it_panic(
        which in 0..ALL.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        end in any::<prop::sample::Index>(),
    ) {
        let mut datagram = octets(ALL[which]);
        for (at, octet) in changes {
            let at = at.index(datagram.len());
            datagram[at] = octet;
        }
        decode_all(&datagram);
        decode_body(&datagram[16..]);
        let end = 16 + end.index(datagram.len() - 16);
        decode_body(&datagram[16..end]);
    }

    #[test]
    fn no_octets_can_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_body(&body);
    }
}
