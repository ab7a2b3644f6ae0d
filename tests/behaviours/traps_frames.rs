//! Frames that must not be believed or answered.

use std::net::Ipv4Addr;

use arpherd_lab::{ArpFrame, Capture, Host, Mac, Result, wait_until};
use serde_json::Value;

use crate::rig::{
    A_WHILE, Config, ROUTER, Rig, SOON, counter, echoes, events, host_routes, host_row, introduce, ip,
    wait_event,
};

/// A station whose frames are forged.
const FORGER: Mac = Mac([2, 0, 0, 0, 0, 0xaa]);

/// Requests that left the router by this port since the capture began.
fn requests_on(capture: &Capture) -> Vec<ArpFrame> {
    let sent = capture.frames().into_iter().filter(|frame| !frame.outgoing());
    sent.filter_map(|frame| frame.arp()).filter(ArpFrame::is_request).collect()
}

#[harness::test]
fn trap_gratuitous_arp_is_never_answered() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    let wire = b.wire()?;
    for mac in [a.mac(), FORGER] {
        for target in [ip(99), a.ip()] {
            for frame in [ArpFrame::gratuitous(mac, target), ArpFrame::gratuitous_reply(mac, target)] {
                assert_eq!(wire.ask(&frame, A_WHILE / 2), [], "{frame}");
            }
        }
    }
    Ok(())
}

#[harness::test]
fn trap_own_addresses_are_left_to_the_kernel() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let a = rig.left(10)?;
    let wire = a.wire()?;
    let answers = wire.ask(&a.request(ROUTER), A_WHILE);
    assert_eq!(answers, [ArpFrame::reply(rig.mac("eth0"), ROUTER, a.mac(), a.ip())], "one, the kernel's");
    rig.r.set_sysctl("ipv4/conf/eth0/arp_ignore", "8")?;
    assert_eq!(wire.ask(&a.request(ROUTER), A_WHILE), [], "nobody speaks in the kernel's place");
    Ok(())
}

#[harness::test]
fn trap_own_addresses_are_never_learned() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    for (host, link) in [(&a, "eth0"), (&b, "eth1")] {
        let wire = host.wire()?;
        wire.send(&ArpFrame::gratuitous(FORGER, ROUTER))?;
        wire.send(&ArpFrame::request(FORGER, ROUTER, host.ip()))?;
        let event = wait_event(&daemon, "own_address_claimed", |event| event["segment"] == link);
        assert_eq!((&event["address"], &event["lladdr"]), (&text(&ROUTER), &text(&FORGER)));
    }
    assert_eq!(host_routes(&rig.r), []);
    assert_eq!(host_row(&daemon, ROUTER), None);
    Ok(())
}

fn text(value: &impl ToString) -> Value {
    value.to_string().into()
}

/// Has a host speak after all the others, and waits until it is known: what came before is dealt with too.
fn known_last(rig: &Rig) -> Result<Host> {
    let last = rig.left(200)?;
    introduce(&last, &rig.r, "eth0")?;
    Ok(last)
}

#[harness::test]
fn trap_network_and_broadcast_addresses_are_no_hosts() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (a, right) = (rig.left(10)?, Capture::start(&rig.right.ns, &rig.right_port)?);
    let wire = a.wire()?;
    for last in [0, 255] {
        wire.send(&ArpFrame::request(FORGER, ip(last), ROUTER))?;
        wire.send(&ArpFrame::gratuitous(FORGER, ip(last)))?;
        assert_eq!(wire.ask(&a.request(ip(last)), A_WHILE), []);
    }
    let last = known_last(&rig)?;
    let known: Vec<_> = host_routes(&rig.r).iter().map(|route| route.dst.ip()).collect();
    assert!(known.iter().all(|ip| [a.ip(), last.ip()].contains(ip)), "{known:?}");
    assert!(host_row(&daemon, ip(0)).is_none() && host_row(&daemon, ip(255)).is_none());
    assert_eq!(requests_on(&right), [], "nor are they searched for");
    Ok(())
}

#[harness::test]
fn trap_special_addresses_are_no_hosts() -> Result<()> {
    let rig = Rig::new()?;
    // Even where it would be one of the domain's, 169.254/16 is nobody's.
    let wide = "169.254.0.0/16, 10.9.0.0/24";
    let _daemon = Config::of(wide).segment("eth0", &[]).segment("eth1", &[]).start(&rig.r)?;
    let (a, right) = (rig.left(10)?, Capture::start(&rig.right.ns, &rig.right_port)?);
    let wire = a.wire()?;
    for special in ["0.0.0.0", "127.0.0.9", "169.254.1.1", "224.0.0.1", "255.255.255.255", "172.16.9.9"] {
        let special: Ipv4Addr = special.parse().expect("an address");
        wire.send(&ArpFrame::request(FORGER, special, ROUTER))?;
        wire.send(&ArpFrame::gratuitous(FORGER, special))?;
        wire.send(&a.request(special))?;
    }
    let last = known_last(&rig)?;
    let known: Vec<_> = host_routes(&rig.r).iter().map(|route| route.dst.ip()).collect();
    assert!(known.iter().all(|ip| [a.ip(), last.ip()].contains(ip)), "{known:?}");
    assert_eq!(requests_on(&right), []);
    Ok(())
}

/// A good request with one field spoiled each, as far as the field is looked at.
fn spoiled(good: &ArpFrame) -> Vec<Vec<u8>> {
    let frame = good.encode();
    let with = |at: usize, octets: &[u8]| {
        let mut bad = frame.to_vec();
        bad[at..at + octets.len()].copy_from_slice(octets);
        bad
    };
    vec![
        with(14, &[0, 6]),                // hardware type of IEEE 802
        with(14, &[0, 32]),               // of InfiniBand
        with(18, &[20]),                  // hardware addresses of 20 octets, which are not there
        with(18, &[0]),                   // none
        with(18, &[255]),                 // far beyond the frame's end
        with(19, &[16]),                  // addresses of IPv6's length
        with(19, &[0]),                   // none
        with(20, &[0, 0]),                // neither request nor answer
        with(22, &Mac::ZERO.0),           // from nobody
        with(22, &Mac::BROADCAST.0),      // from everybody
        with(22, &[1, 0, 0x5e, 0, 0, 1]), // from a group
        frame[..41].to_vec(),             // the last octet is missing
        frame[..30].to_vec(),             // half of it
        frame[..22].to_vec(),             // no addresses at all
    ]
}

/// What the kernel is asked not to show us: no ARP for IPv4.
fn foreign(good: &ArpFrame) -> Vec<Vec<u8>> {
    let frame = good.encode();
    let mut ipv6 = frame.to_vec();
    ipv6[16..18].copy_from_slice(&[0x86, 0xdd]);
    let mut inverse = frame.to_vec();
    inverse[20..22].copy_from_slice(&[0, 8]);
    vec![ipv6, inverse, frame[..17].to_vec(), frame[..14].to_vec()]
}

#[harness::test]
fn trap_malformed_frames_are_counted_and_change_nothing() -> Result<()> {
    let rig = Rig::new()?;
    let mut daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let wire = a.wire()?;
    let bad = spoiled(&ArpFrame::request(FORGER, ip(66), b.ip()));
    for frame in bad.iter().chain(&foreign(&ArpFrame::request(FORGER, ip(66), b.ip()))) {
        wire.send_raw(frame)?;
    }
    let expected = u64::try_from(bad.len()).expect("a few");
    wait_until(SOON, "all bad frames are counted", || counter(&daemon, "eth0", "malformed") >= expected);
    assert_eq!(counter(&daemon, "eth0", "malformed"), expected);
    assert_eq!(counter(&daemon, "eth1", "malformed"), 0);
    assert_eq!(host_row(&daemon, ip(66)), None);
    assert!(daemon.is_running());
    echoes(&a.ns, b.ip());
    Ok(())
}

#[harness::test]
fn trap_frames_from_another_mac_than_they_say_are_counted_not_learned() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&b, &rig.r, "eth1")?;
    let before = counter(&daemon, "eth0", "mismatched");
    let wire = a.wire()?;
    let forged = ArpFrame { src: FORGER, ..ArpFrame::gratuitous(Mac([2, 0, 0, 0, 0, 0xab]), ip(66)) };
    let theft = ArpFrame { src: FORGER, ..ArpFrame::gratuitous(Mac([2, 0, 0, 0, 0, 0xab]), b.ip()) };
    wire.send(&forged)?;
    wire.send(&theft)?;
    known_last(&rig)?;
    assert_eq!(host_row(&daemon, ip(66)), None);
    assert_eq!(host_row(&daemon, b.ip()).expect("a known host")["lladdr"], b.mac().to_string());
    assert_eq!(events(&daemon, "duplicate_address"), Vec::<Value>::new());
    assert_eq!(counter(&daemon, "eth0", "mismatched"), before + 2);
    assert_eq!(counter(&daemon, "eth0", "malformed"), 0);
    Ok(())
}

/// The kernel's own proxy answers it, and the host thinks that somebody took its address.
#[harness::test]
fn trap_asker_that_has_the_target_is_not_answered() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    // It was carried over, has another address there too, and looks for its old one.
    let request = ArpFrame::request(a.mac(), ip(11), a.ip());
    assert_eq!(b.wire()?.ask(&request, A_WHILE), []);
    Ok(())
}
