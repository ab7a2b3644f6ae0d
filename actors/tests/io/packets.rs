//! Frames come in and go out as they should, and only those that should.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_actors::io::mark::MarkKey;
use arpherd_actors::io::packet::reverse::ReversePort;
use arpherd_actors::io::packet::{BATCH, Medium, PacketPort};
use arpherd_actors::io::{FramePort, PortError, StationPort, Tally};
use arpherd_core::arp::Mark;
use arpherd_core::plan::LinkKind;
use arpherd_core::{Arp, Frame, Heard, LinkAddr, Operation, SegmentId};
use arpherd_lab::{ArpFrame, Mac, Wire, reverse_request, wait_until};

use crate::rig::{HOST, OWN, Rig};

const LIMIT: Duration = Duration::from_secs(5);
pub(crate) const FAR: Mac = Mac([2, 0, 0, 0, 0, 7]);
const FAR_LLADDR: LinkAddr = LinkAddr::ethernet(FAR.0);
const BROADCAST: LinkAddr = LinkAddr::ethernet([0xff; 6]);

fn open(rig: &Rig) -> PacketPort {
    let medium = Medium { interface: rig.lan, kind: LinkKind::Ethernet, broadcast: BROADCAST };
    rig.router.run(|| PacketPort::open(medium)).unwrap()
}

/// A rig, a port on its router and a wire at the far end.
pub(crate) fn port() -> (Rig, PacketPort, Wire) {
    let rig = Rig::new();
    let wire = Wire::open(&rig.far, "far0").unwrap();
    wait_until(LIMIT, "the link carries frames", || rig.router.link_info("lan0").unwrap().ready);
    let port = open(&rig);
    (rig, port, wire)
}

fn own_lladdr(rig: &Rig) -> LinkAddr {
    LinkAddr::ethernet(rig.router.mac("lan0").unwrap().0)
}

fn drain(port: &mut PacketPort, tally: &mut Tally) -> Vec<Heard> {
    let mut heard = Vec::new();
    while port.receive(&mut heard, tally).unwrap() {}
    heard
}

fn answer(rig: &Rig, to: Option<LinkAddr>, target: Ipv4Addr) -> Frame {
    let arp = Arp {
        operation: Operation::Reply,
        sender_lladdr: own_lladdr(rig),
        sender: HOST,
        target_lladdr: FAR_LLADDR,
        target,
    };
    Frame { to, from: None, arp }
}

#[harness::test]
fn a_request_is_heard_with_its_frames_source() {
    let (_rig, mut port, wire) = port();
    let mut tally = Tally::default();
    let mut question = ArpFrame::request(FAR, HOST, OWN);
    question.src = Mac([2, 0, 0, 0, 0, 9]);
    wire.send(&question).unwrap();
    let heard = drain(&mut port, &mut tally);
    let arp = Arp {
        operation: Operation::Request,
        sender_lladdr: FAR_LLADDR,
        sender: HOST,
        target_lladdr: LinkAddr::ethernet([0; 6]),
        target: OWN,
    };
    assert_eq!(heard, [Heard { arp, from: LinkAddr::ethernet([2, 0, 0, 0, 0, 9]), mark: None }]);
    assert_eq!(tally, Tally { read: 1, ..Tally::default() });
}

#[harness::test]
fn answers_go_where_they_are_sent_from_the_interfaces_address() {
    let (rig, mut port, wire) = port();
    let mut tally = Tally::default();
    port.send(&[answer(&rig, Some(FAR_LLADDR), OWN), answer(&rig, None, OWN)], &mut tally).unwrap();
    let own = rig.router.mac("lan0").unwrap();
    for to in [FAR, Mac::BROADCAST] {
        let (frame, _) = wire.recv(LIMIT).expect("a frame");
        assert_eq!((frame.src, frame.dst, frame.op, frame.sha), (own, to, 2, own));
        assert_eq!((frame.spa, frame.tha, frame.tpa), (HOST, FAR, OWN));
    }
    let new = Mac([2, 0, 0, 0, 0, 0x42]);
    rig.router.set_mac("lan0", new).unwrap();
    port.send(&[answer(&rig, Some(FAR_LLADDR), OWN)], &mut tally).unwrap();
    let (bytes, _) = wire.recv_raw(LIMIT).expect("a frame");
    assert_eq!(bytes[6..12], new.0);
    assert_eq!(bytes.len(), 60, "padded to the least length");
    assert!(bytes[42..].iter().all(|octet| *octet == 0), "padded with zeroes");
    assert_eq!(tally, Tally { sent: 3, ..Tally::default() });
}

#[harness::test]
fn what_is_not_for_us_is_not_heard() {
    let (rig, mut port, wire) = port();
    let mut tally = Tally::default();
    let request = ArpFrame::request(FAR, HOST, OWN);
    let own = rig.router.mac("lan0").unwrap();
    // To another station, as a switch that does not know it yet floods it.
    wire.send(&request.unicast_to(Mac([2, 0, 0, 0, 0, 0x99]))).unwrap();
    // Reverse ARP, a protocol that is not IPv4, an IPv4 packet.
    let mut wrong = request;
    wrong.op = 3;
    wire.send(&wrong).unwrap();
    let mut ipv6 = request.encode();
    ipv6[16..18].copy_from_slice(&[0x86, 0xdd]);
    wire.send_raw(&ipv6).unwrap();
    let mut ipv4 = request.encode();
    ipv4[12..14].copy_from_slice(&[8, 0]);
    wire.send_raw(&ipv4).unwrap();
    // Our own.
    port.send(&[answer(&rig, None, OWN)], &mut tally).unwrap();
    wire.send(&request.unicast_to(own)).unwrap();
    let heard = drain(&mut port, &mut tally);
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!((tally.read, tally.malformed), (1, 0));
}

#[harness::test]
fn lying_packets_are_counted_and_do_no_harm() {
    let (_rig, mut port, wire) = port();
    let mut tally = Tally::default();
    let honest = ArpFrame::request(FAR, HOST, OWN).encode();
    // ar$hln 20 and 255, ar$pln 16, ar$hrd 6, the broadcast address as sender, cut off in ar$tpa.
    for (at, value) in [(18, 20), (18, 255), (19, 16), (15, 6)] {
        let mut frame = honest;
        frame[at] = value;
        wire.send_raw(&frame).unwrap();
    }
    let mut everybody = honest;
    everybody[22..28].fill(0xff);
    wire.send_raw(&everybody).unwrap();
    wire.send_raw(&honest[..40]).unwrap();
    wire.send_raw(&honest).unwrap();
    assert_eq!(drain(&mut port, &mut tally).len(), 1);
    assert_eq!((tally.read, tally.malformed), (7, 6));
}

/// The bridge takes a frame from its port before sockets on the port see it; so a segment is the bridge.
#[harness::test]
fn a_bridge_is_heard_and_its_port_is_not() {
    let (rig, mut on_port, wire) = port();
    rig.router.bridge("br0").unwrap();
    rig.router.up("br0").unwrap();
    rig.router.enslave("lan0", "br0").unwrap();
    let interface = rig.router.index("br0").unwrap();
    let medium = Medium { interface, ..on_port.medium() };
    let mut on_bridge = rig.router.run(|| PacketPort::open(medium)).unwrap();
    let mut tally = Tally::default();
    let mut heard = Vec::new();
    // A port forwards only after a while.
    wait_until(LIMIT, "the bridge is heard", || {
        wire.send(&ArpFrame::request(FAR, HOST, OWN)).unwrap();
        heard.extend(drain(&mut on_bridge, &mut tally));
        !heard.is_empty()
    });
    drain(&mut on_port, &mut tally);
    wire.send(&ArpFrame::request(FAR, HOST, OWN)).unwrap();
    assert_eq!(drain(&mut on_bridge, &mut tally).len(), 1);
    assert_eq!(drain(&mut on_port, &mut tally), []);
}

#[harness::test]
fn a_send_only_port_sends_and_receives_nothing() {
    let (rig, port, wire) = port();
    let medium = port.medium();
    let mut sender = rig.router.run(|| PacketPort::open_send_only(medium, true)).unwrap();
    let mut tally = Tally::default();
    sender.send(&[answer(&rig, None, OWN)], &mut tally).unwrap();
    assert_eq!(wire.recv(LIMIT).expect("a frame").0.spa, HOST);
    wire.send(&ArpFrame::request(FAR, HOST, OWN)).unwrap();
    assert_eq!(drain(&mut sender, &mut tally), []);
}

#[harness::test]
fn a_burst_is_read_in_batches() {
    let (_rig, mut port, wire) = port();
    let mut tally = Tally::default();
    for number in 0..200 {
        wire.send(&ArpFrame::request(FAR, Ipv4Addr::new(10, 9, 1, number), OWN)).unwrap();
    }
    let mut heard = Vec::new();
    let mut more = Vec::new();
    while more.last() != Some(&false) {
        more.push(port.receive(&mut heard, &mut tally).unwrap());
    }
    assert_eq!(more, [true, true, true, true, false], "a few at first, then {BATCH} at a time");
    let order: Vec<_> = heard.iter().map(|heard| heard.arp.sender.octets()[3]).collect();
    assert_eq!(order, (0..200).collect::<Vec<_>>());
}

#[harness::test]
fn a_burst_is_sent_in_order() {
    let (rig, mut port, wire) = port();
    let mut tally = Tally::default();
    let frames: Vec<_> =
        (0..200).map(|number| answer(&rig, Some(FAR_LLADDR), Ipv4Addr::new(10, 9, 1, number))).collect();
    port.send(&frames, &mut tally).unwrap();
    assert_eq!((tally.sent, tally.unsent), (200, 0));
    for number in 0..200 {
        assert_eq!(wire.recv(LIMIT).expect("a frame").0.tpa.octets()[3], number);
    }
}

#[harness::test]
fn a_link_that_was_down_is_heard_again() {
    let (rig, mut port, wire) = port();
    let mut tally = Tally::default();
    rig.router.down("lan0").unwrap();
    assert!(matches!(port.receive(&mut Vec::new(), &mut tally), Err(PortError::Down)));
    assert!(matches!(port.receive(&mut Vec::new(), &mut tally), Ok(false)), "it is said once");
    let sent = port.send(&[answer(&rig, None, OWN)], &mut tally);
    assert!(matches!(sent, Err(PortError::Down)));
    assert_eq!(tally.unsent, 1);
    rig.router.up("lan0").unwrap();
    wait_until(LIMIT, "the link carries frames", || rig.router.link_info("lan0").unwrap().ready);
    wire.send(&ArpFrame::request(FAR, HOST, OWN)).unwrap();
    assert_eq!(drain(&mut port, &mut tally).len(), 1);
}

/// The kernel says once that the link was down, to whichever of the two ports comes first; the frame goes out all the same.
#[harness::test]
fn what_is_sent_through_the_receiving_socket_goes_out_right_after_the_link_was_down() {
    let (rig, mut port, wire) = port();
    let mut sender = port.sender(false).unwrap();
    let mut tally = Tally::default();
    rig.router.down("lan0").unwrap();
    rig.router.up("lan0").unwrap();
    wait_until(LIMIT, "the link carries frames", || rig.router.link_info("lan0").unwrap().ready);
    sender.send(&[answer(&rig, Some(FAR_LLADDR), OWN)], &mut tally).unwrap();
    assert_eq!(wire.recv(LIMIT).map(|(frame, _)| frame.spa), Some(HOST));
    assert_eq!(tally, Tally { sent: 1, ..Tally::default() });
    wire.send(&ArpFrame::request(FAR, HOST, OWN)).unwrap();
    assert_eq!(drain(&mut port, &mut tally).len(), 1, "and the port receives");
}

#[harness::test]
fn a_deleted_link_says_so_once() {
    let (rig, mut port, _wire) = port();
    let mut tally = Tally::default();
    let frame = answer(&rig, None, OWN);
    rig.router.delete("lan0").unwrap();
    assert!(matches!(port.receive(&mut Vec::new(), &mut tally), Err(PortError::Down)));
    assert!(matches!(port.receive(&mut Vec::new(), &mut tally), Ok(false)));
    assert!(matches!(port.send(&[frame], &mut tally), Err(PortError::Down)));
    let medium = port.medium();
    assert!(matches!(rig.router.run(|| PacketPort::open(medium)), Err(PortError::Down)));
}

#[harness::test]
fn what_the_kernel_had_no_room_for_is_counted() {
    let (_rig, mut port, wire) = port();
    let mut tally = Tally::default();
    let sent = 60_000;
    let frame = ArpFrame::request(FAR, HOST, OWN).encode();
    for _ in 0..sent {
        wire.send_raw(&frame).unwrap();
    }
    drain(&mut port, &mut tally);
    port.count_overrun(&mut tally);
    port.count_overrun(&mut tally);
    println!("of {sent} unread frames {} were kept", tally.read);
    assert!(tally.overrun > 0, "{tally:?}");
    assert_eq!(tally.read + tally.overrun, sent);
}

#[harness::test]
fn a_frame_without_an_address_is_not_sent() {
    let (rig, mut port, wire) = port();
    let mut tally = Tally::default();
    let nowhere = answer(&rig, Some(LinkAddr::UNKNOWN), OWN);
    let elsewhere = answer(&rig, LinkAddr::try_new(&[7; 20]), OWN);
    let good = answer(&rig, Some(FAR_LLADDR), Ipv4Addr::new(10, 9, 1, 1));
    port.send(&[nowhere, good, elsewhere], &mut tally).unwrap();
    assert_eq!((tally.sent, tally.unsent), (1, 2));
    assert_eq!(wire.recv(LIMIT).expect("a frame").0.tpa, Ipv4Addr::new(10, 9, 1, 1));
}

#[harness::test]
fn own_requests_are_known_when_they_come_back_and_so_are_a_peers() {
    let (rig, port, wire) = port();
    let mut tally = Tally::default();
    let keys = MarkKey::draw(3).unwrap();
    let mut port = port.marked(keys[1].clone());
    let question = Frame {
        to: None,
        from: None,
        arp: Arp {
            operation: Operation::Request,
            target_lladdr: LinkAddr::UNKNOWN,
            ..answer(&rig, None, OWN).arp
        },
    };
    // The same run on another segment, another run, one without a mark, and an answer.
    let medium = port.medium();
    let sender = || rig.router.run(|| PacketPort::open_send_only(medium, true)).unwrap();
    sender().marked(keys[2].clone()).send(&[question], &mut tally).unwrap();
    sender().marked(MarkKey::draw(3).unwrap()[1].clone()).send(&[question], &mut tally).unwrap();
    sender().send(&[question], &mut tally).unwrap();
    port.send(&[question, answer(&rig, None, OWN)], &mut tally).unwrap();
    for _ in 0..5 {
        let (mut bytes, _) = wire.recv_raw(LIMIT).expect("a frame");
        assert_eq!(bytes.len(), 60);
        // As if a bridge led it back, from another station.
        bytes[6..12].copy_from_slice(&FAR.0);
        wire.send_raw(&bytes).unwrap();
    }
    let marks: Vec<_> = drain(&mut port, &mut tally).into_iter().map(|heard| heard.mark).collect();
    let ours = |segment| Some(Mark::Ours(SegmentId(segment)));
    assert_eq!(marks, [ours(2), Some(Mark::Peer), None, ours(1), None]);
}

fn stations(port: &mut ReversePort, tally: &mut Tally) -> Vec<LinkAddr> {
    let mut stations = Vec::new();
    while port.receive(&mut stations, tally).unwrap() {}
    stations
}

#[harness::test]
fn rarp_requests_for_us_show_their_stations_and_nothing_else_does() {
    let (rig, _, wire) = port();
    let medium = Medium { interface: rig.lan, kind: LinkKind::Ethernet, broadcast: BROADCAST };
    let mut port = rig.router.run(|| ReversePort::open(medium)).unwrap();
    let mut tally = Tally::default();
    let request = reverse_request(FAR);
    wire.send_raw(&request).unwrap();
    assert_eq!(stations(&mut port, &mut tally), [FAR_LLADDR]);
    // ARP, a RARP reply, a request to another station.
    wire.send(&ArpFrame::request(FAR, HOST, OWN)).unwrap();
    let mut reply = request;
    reply[21] = 4;
    wire.send_raw(&reply).unwrap();
    let mut elsewhere = request;
    elsewhere[..6].copy_from_slice(&[2, 0, 0, 0, 0, 0x99]);
    wire.send_raw(&elsewhere).unwrap();
    assert_eq!(stations(&mut port, &mut tally), []);
    assert_eq!(tally, Tally { read: 1, ..Tally::default() });
    // One that names a group.
    let mut group = request;
    group[22] = 3;
    wire.send_raw(&group).unwrap();
    assert_eq!(stations(&mut port, &mut tally), []);
    assert_eq!((tally.read, tally.malformed), (2, 1));
}
