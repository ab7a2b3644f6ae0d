//! DHCP's sockets against the real kernel.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_actors::io::dhcp::{
    CLIENT_PORT, Direction, LinkPort, LoopbackPort, ReplySocket, SERVER_PORT, Seen, Sender, build,
    listening_at, own_address_towards, parse_message,
};
use arpherd_actors::io::packet::Medium;
use arpherd_core::LinkAddr;
use arpherd_core::dhcp::Message;
use arpherd_core::plan::LinkKind;
use arpherd_lab::{Netns, wait_until};

use crate::rig::{HOST, OWN, Rig};

const LIMIT: Duration = Duration::from_secs(5);
const CLIENT: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const ALL: Ipv4Addr = Ipv4Addr::BROADCAST;

fn message(length: usize) -> Message {
    let octets: Vec<u8> = (0..length).map(|at| (at * 7 % 251).to_le_bytes()[0]).collect();
    parse_message(&octets).unwrap()
}

/// Ports on both ends of the link.
fn ports() -> (Rig, LinkPort, LinkPort) {
    let rig = Rig::new();
    wait_until(LIMIT, "the link carries frames", || rig.router.link_info("lan0").unwrap().ready);
    let open = |netns: &Netns, interface| {
        let broadcast = LinkAddr::ethernet([0xff; 6]);
        let medium = Medium { interface, kind: LinkKind::Ethernet, broadcast };
        netns.run(|| LinkPort::open(medium)).unwrap()
    };
    let (near, far) = (open(&rig.router, rig.lan), open(&rig.far, rig.far.index("far0").unwrap()));
    (rig, near, far)
}

fn read(port: &mut LinkPort, direction: Direction) -> Vec<Seen> {
    let mut seen = Vec::new();
    while port.receive(direction, &mut seen).unwrap() {}
    seen
}

#[harness::test]
fn what_one_end_sends_the_other_sees_coming_in_and_the_first_going_out() {
    let (rig, mut near, mut far) = ports();
    for length in [236, 300, 1400] {
        let packet = build((CLIENT, CLIENT_PORT), (ALL, SERVER_PORT), &message(length)).unwrap();
        far.send(None, &packet).unwrap();
        let [Seen { from, datagram: Ok(seen) }] = &read(&mut near, Direction::Incoming)[..] else {
            panic!("one message of {length} octets");
        };
        assert_eq!(*from, LinkAddr::ethernet(rig.far.mac("far0").unwrap().0));
        assert_eq!((seen.source, seen.destination, seen.port), (CLIENT, ALL, SERVER_PORT));
        assert_eq!(seen.message, message(length));
        assert_eq!(read(&mut near, Direction::Outgoing), []);
        let gone = read(&mut far, Direction::Outgoing);
        assert!(matches!(&gone[..], [Seen { datagram: Ok(gone), .. }] if gone == seen), "{gone:?}");
        assert_eq!(read(&mut far, Direction::Incoming), []);
    }
}

#[harness::test]
fn only_messages_for_the_two_ports_are_seen() {
    let (_rig, mut near, far) = ports();
    let packet = |port| build((HOST, 4000), (OWN, port), &message(300)).unwrap();
    for port in [66, 69, 53, 6767] {
        far.send(None, &packet(port)).unwrap();
    }
    let fragment = |flags: u8, offset: u8| {
        let mut fragment = packet(SERVER_PORT);
        (fragment[6], fragment[7]) = (flags, offset);
        fragment
    };
    far.send(None, &fragment(0x20, 0)).unwrap();
    far.send(None, &fragment(0, 9)).unwrap();
    let mut tcp = packet(SERVER_PORT);
    tcp[9] = 6;
    far.send(None, &tcp).unwrap();
    // To another station, as a switch that does not know it yet floods it.
    far.send(Some(&LinkAddr::ethernet([2, 0, 0, 0, 0, 0x99])), &packet(SERVER_PORT)).unwrap();
    // With four octets of IP options, behind which the ports stand.
    let mut with_options = packet(CLIENT_PORT);
    with_options.splice(20..20, [1, 1, 1, 0]);
    with_options[0] = 0x46;
    let length = u16::try_from(with_options.len()).unwrap().to_be_bytes();
    with_options[2..4].copy_from_slice(&length);
    far.send(None, &with_options).unwrap();
    far.send(None, &packet(SERVER_PORT)).unwrap();
    let seen = read(&mut near, Direction::Incoming);
    let seen: Vec<u16> = seen.into_iter().filter_map(|it| it.datagram.ok()).map(|it| it.port).collect();
    assert_eq!(seen, [CLIENT_PORT, SERVER_PORT]);
}

#[harness::test]
fn the_kernels_own_unfinished_checksums_are_taken_and_wrong_ones_are_not() {
    let (rig, mut near, far) = ports();
    rig.far.address("far0", "10.9.0.7/24").unwrap();
    // Between the ends of a veth pair the kernel leaves the sum to a card that never comes.
    let sender = rig.far.run(Sender::open).unwrap();
    sender.send(OWN, &message(300)).unwrap();
    wait_until(LIMIT, "the message arrives", || {
        let seen = read(&mut near, Direction::Incoming);
        seen.iter()
            .any(|it| it.datagram.as_ref().is_ok_and(|it| it.source == HOST && it.message == message(300)))
    });
    let mut packet = build((CLIENT, CLIENT_PORT), (ALL, SERVER_PORT), &message(300)).unwrap();
    packet[100] ^= 1;
    far.send(None, &packet).unwrap();
    assert!(matches!(read(&mut near, Direction::Incoming)[..], [Seen { datagram: Err(_), .. }]));
}

#[harness::test]
fn servers_answers_are_read_at_their_port_which_is_then_seen_to_be_bound() {
    let rig = Rig::new();
    rig.far.address("far0", "10.9.0.7/24").unwrap();
    assert_eq!(rig.router.run(listening_at).unwrap(), Vec::<Ipv4Addr>::new());
    let mut near = rig.router.run(|| ReplySocket::bind(OWN)).unwrap();
    let far = rig.far.run(|| ReplySocket::bind(HOST)).unwrap();
    assert_eq!(rig.router.run(listening_at).unwrap(), [OWN]);
    assert_eq!(rig.router.run(|| own_address_towards(HOST)), Some(OWN));
    assert_eq!(rig.router.run(|| own_address_towards(Ipv4Addr::new(192, 0, 2, 1))), None);
    far.send(OWN, &message(300)).unwrap();
    let mut received = Vec::new();
    wait_until(LIMIT, "the message arrives", || {
        while near.receive(&mut received).unwrap() {}
        !received.is_empty()
    });
    assert_eq!(received, [(HOST, Ok(message(300)))]);
}

#[harness::test]
fn a_server_of_this_machine_is_overheard_and_keeps_its_port() {
    let rig = Rig::new();
    rig.router.up("lo").unwrap();
    // As Kea does, it takes the port for itself.
    let server = rig.router.run(|| std::net::UdpSocket::bind((OWN, SERVER_PORT))).unwrap();
    assert_eq!(rig.router.run(|| ReplySocket::bind(OWN)).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    let mut port = rig.router.run(|| LoopbackPort::open(1)).unwrap();
    let octets = arpherd_actors::io::dhcp::message_octets(&message(300));
    server.send_to(&octets, (OWN, SERVER_PORT)).unwrap();
    let mut seen = Vec::new();
    wait_until(LIMIT, "the message passes", || {
        while port.receive(&mut seen).unwrap() {}
        !seen.is_empty()
    });
    let [Ok(datagram)] = &seen[..] else { panic!("one message: {seen:?}") };
    assert_eq!((datagram.source, datagram.destination, &datagram.message), (OWN, OWN, &message(300)));
}
