use super::*;

/// Octets of a number in the machine's order.
fn ne(number: u32) -> [u8; 4] {
    number.to_ne_bytes()
}

fn header(length: u32, kind: u16, flags: i32, sequence: u32) -> Vec<u8> {
    let flags = u16::try_from(flags).expect("16 bits");
    [&ne(length)[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &ne(sequence), &[0; 4]].concat()
}

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + payload.len()).expect("16 bits");
    [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), payload].concat()
}

#[test]
fn a_route_is_written_as_the_kernel_reads_it() {
    let route = Route {
        destination: "10.0.0.9/32".parse().expect("a prefix"),
        interface: 3,
        source: Some(Ipv4Addr::new(10, 0, 0, 1)),
        kind: Rtn::Unicast,
        scope: RtScope::Link,
        protocol: 169,
        table: 300,
        metric: 50,
    };
    let mut batch = vec![0xee; 4];
    super::route(&mut batch, 7, Verb::add(Rtm::Newroute), &route).expect("writable");
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
    let expected = [
        vec![0xee; 4],
        header(68, libc::RTM_NEWROUTE, flags, 7),
        // Family, lengths, TOS, table (too big for here), protocol, scope, type, flags.
        vec![2, 32, 0, 0, 0, 169, 253, 1, 0, 0, 0, 0],
        attribute(libc::RTA_DST, &[10, 0, 0, 9]),
        attribute(libc::RTA_PRIORITY, &ne(50)),
        attribute(libc::RTA_TABLE, &ne(300)),
        attribute(libc::RTA_OIF, &ne(3)),
        attribute(libc::RTA_PREFSRC, &[10, 0, 0, 1]),
    ];
    assert_eq!(batch, expected.concat());
}

#[test]
fn a_neighbours_twenty_octets_are_written_whole() {
    let octets: Vec<u8> = (0x80..0x94).collect();
    let lladdr = LinkAddr::try_new(&octets).expect("20 octets");
    let mut batch = Vec::new();
    neighbour(&mut batch, 7, Verb::put(Rtm::Newneigh), 3, Ipv4Addr::new(10, 0, 0, 9), &lladdr)
        .expect("writable");
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    let expected = [
        header(60, libc::RTM_NEWNEIGH, flags, 7),
        // Family, padding; index; state (reachable), flags, type.
        vec![2, 0, 0, 0],
        ne(3).to_vec(),
        [&libc::NUD_REACHABLE.to_ne_bytes()[..], &[libc::NTF_EXT_LEARNED, 0]].concat(),
        attribute(libc::NDA_DST, &[10, 0, 0, 9]),
        attribute(libc::NDA_LLADDR, &octets),
    ];
    assert_eq!(batch, expected.concat());
}

#[test]
fn a_proxy_entry_says_who_wrote_it() {
    let mut batch = Vec::new();
    proxy(&mut batch, 7, Verb::put(Rtm::Newneigh), 3, Ipv4Addr::new(10, 0, 0, 9), 169).expect("writable");
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    let expected = [
        header(44, libc::RTM_NEWNEIGH, flags, 7),
        vec![2, 0, 0, 0],
        ne(3).to_vec(),
        [&libc::NUD_PERMANENT.to_ne_bytes()[..], &[libc::NTF_PROXY, 0]].concat(),
        attribute(libc::NDA_DST, &[10, 0, 0, 9]),
        attribute(12, &[169]),
        vec![0; 3],
    ];
    assert_eq!(batch, expected.concat());
}

#[test]
fn the_route_of_a_packet_is_asked_for_with_the_interface_it_comes_in_by() {
    let mut batch = Vec::new();
    let (source, target) = (Ipv4Addr::new(10, 0, 0, 7), Ipv4Addr::new(192, 0, 2, 1));
    route_lookup(&mut batch, 7, 3, source, target).expect("writable");
    let expected = [
        header(52, libc::RTM_GETROUTE, libc::NLM_F_REQUEST, 7),
        vec![2, 32, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        attribute(libc::RTA_DST, &[192, 0, 2, 1]),
        attribute(libc::RTA_SRC, &[10, 0, 0, 7]),
        attribute(libc::RTA_IIF, &ne(3)),
    ];
    assert_eq!(batch, expected.concat());
}
