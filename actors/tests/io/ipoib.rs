//! Links with 20-octet addresses, on a tunnel that says it is InfiniBand.
#![expect(unsafe_code, reason = "tunnels are made by ioctl")]

use std::fs::File;
use std::io::{Read, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use arpherd_actors::io::netlink::Reader;
use arpherd_actors::io::packet::{Medium, PacketPort};
use arpherd_actors::io::{FramePort, Tally};
use arpherd_core::plan::LinkKind;
use arpherd_core::{Arp, Frame, LinkAddr, Operation};
use arpherd_lab::Netns;

/// What stands before each packet of a tunnel with packet information: flags, and ARP's EtherType.
const INFORMATION: [u8; 4] = [0, 0, 0x08, 0x06];

fn wide(first: u8) -> LinkAddr {
    let octets: Vec<u8> = (first..first + 20).collect();
    LinkAddr::try_new(&octets).unwrap()
}

/// A namespace with the link `ib0`, and what goes over its wire.
fn tunnel() -> (Netns, File) {
    let ns = Netns::new("fabric").unwrap();
    let file = ns.run(|| {
        let file = File::options().read(true).write(true).open("/dev/net/tun").unwrap();
        // SAFETY: all-zero bytes are a valid ifreq.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(b"ib0") {
            *to = libc::c_char::try_from(*from).unwrap();
        }
        request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_TUN).unwrap();
        // SAFETY: the request outlives the call.
        assert_eq!(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) }, 0);
        // SAFETY: TUNSETLINK takes a plain number, here ARPHRD_INFINIBAND.
        assert_eq!(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETLINK, 32) }, 0);
        file
    });
    ns.address("ib0", "10.9.0.1/24").unwrap();
    ns.up("ib0").unwrap();
    (ns, file)
}

#[harness::test]
fn a_tunnel_that_says_so_is_ipoib() {
    let (ns, _file) = tunnel();
    let link = ns.run(|| Reader::open()?.link("ib0")).unwrap().expect("the link");
    assert_eq!((link.kind(), link.hardware), (Some(LinkKind::Ipoib), 32));
}

#[harness::test]
fn twenty_octets_come_in_and_go_out() {
    let (ns, mut file) = tunnel();
    let medium = Medium { interface: ns.index("ib0").unwrap(), kind: LinkKind::Ipoib, broadcast: wide(0x20) };
    let mut port = ns.run(|| PacketPort::open(medium)).unwrap();
    let mut tally = Tally::default();

    let mut request = INFORMATION.to_vec();
    request.extend([0, 32, 8, 0, 20, 4, 0, 1]);
    request.extend(wide(0x40).octets());
    request.extend([10, 9, 0, 7]);
    request.extend([0; 20]);
    request.extend([10, 9, 0, 1]);
    file.write_all(&request).unwrap();
    let mut heard = Vec::new();
    assert!(!port.receive(&mut heard, &mut tally).unwrap());
    assert_eq!(heard.len(), 1, "{tally:?}");
    assert_eq!((heard[0].arp.sender_lladdr, heard[0].arp.sender), (wide(0x40), Ipv4Addr::new(10, 9, 0, 7)));
    assert!(heard[0].from.is_empty(), "these frames carry no source");

    let arp = Arp {
        operation: Operation::Reply,
        sender_lladdr: wide(0x60),
        sender: Ipv4Addr::new(10, 9, 0, 8),
        target_lladdr: wide(0x40),
        target: Ipv4Addr::new(10, 9, 0, 7),
    };
    port.send(
        &[Frame { to: Some(wide(0x40)), from: None, arp }, Frame { to: None, from: None, arp }],
        &mut tally,
    )
    .unwrap();
    assert_eq!((tally.sent, tally.unsent), (2, 0));
    for _ in 0..2 {
        let mut packet = [0; 128];
        let length = file.read(&mut packet).unwrap();
        assert_eq!(length, 4 + 56);
        assert_eq!(packet[4..12], [0, 32, 8, 0, 20, 4, 0, 2]);
        assert_eq!(&packet[12..32], wide(0x60).octets());
        assert_eq!(packet[32..36], [10, 9, 0, 8]);
        assert_eq!(&packet[36..56], wide(0x40).octets());
        assert_eq!(packet[56..60], [10, 9, 0, 7]);
    }
}
