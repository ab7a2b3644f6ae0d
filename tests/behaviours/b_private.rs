//! B8, B9 and B10: private VLANs. A switch keeps the ports of a segment apart, and the router joins them, as
//! far as groups allow.
//!
//! ```text
//!   A .10 ═╗ isolated ports
//!   C .11 ═╬═ left ── eth0 [ R: arpherd, private_vlan on eth0 ] eth1 ── right ── B .20, D .21
//! ```

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{ArpFrame, Capture, Captured, Host, Mac, PortFlags, Result, wait_until};

use crate::rig::{
    A_WHILE, Config, QUICK_EXPIRY, ROUTER, Rig, SLOW_EXPIRY, SOON, SUBNET, echoes, introduce, ip, routed_by,
    segment_row,
};

/// The picture above.
pub(crate) struct Isolated {
    pub(crate) rig: Rig,
    pub(crate) a: Host,
    pub(crate) c: Host,
}

impl Isolated {
    pub(crate) fn new() -> Result<Self> {
        let rig = Rig::new()?;
        let (a, c) = (isolated(&rig, 10)?, isolated(&rig, 11)?);
        assert_eq!(a.ns.ping(c.ip(), 1, SECOND, SECOND / 5).received, 0, "the switch keeps them apart");
        Ok(Self { rig, a, c })
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// A host on the left behind an isolated port.
pub(crate) fn isolated(rig: &Rig, last: u8) -> Result<Host> {
    let host = rig.left(last)?;
    let (segment, port) = host.place().expect("it is attached");
    segment.port_flags(port, PortFlags { isolated: true, ..PortFlags::default() })?;
    rig.use_kernel_timers(&[&host])?;
    Ok(host)
}

/// One segment, and whatever is said about its private VLAN.
fn alone(private: &str, expiry: &str) -> Config {
    Config::of(SUBNET).segment("eth0", &[("private_vlan", private), ("expiry", expiry)])
}

/// The one answer that the router gives to the host's request on its left link.
fn proxied(rig: &Rig, host: &Host, target: Ipv4Addr) -> ArpFrame {
    ArpFrame::reply(rig.mac("eth0"), target, host.mac(), host.ip())
}

fn ask(host: &Host, target: Ipv4Addr) -> Result<Vec<ArpFrame>> {
    Ok(host.wire()?.ask(&host.request(target), A_WHILE))
}

#[harness::test]
fn b8_isolated_hosts_talk_through_the_router() -> Result<()> {
    let Isolated { rig, a, c } = Isolated::new()?;
    let daemon = alone("open", SLOW_EXPIRY).start(&rig.r)?;
    for (from, to) in [(&a, &c), (&c, &a)] {
        let _server = to.ns.udp_echo_server(to.ip(), 7)?;
        assert_eq!(from.ns.udp_echo(to.ip(), 7, 100), 100, "{} to {}", from.ip(), to.ip());
        let believed = from.ns.neighbours().into_iter().find(|entry| entry.address == to.ip());
        assert_eq!(believed.and_then(|entry| entry.mac()), Some(rig.mac("eth0")));
        assert_eq!(routed_by(&rig.r, to.ip()).as_deref(), Some("eth0"));
    }
    assert_eq!(segment_row(&daemon, "eth0")["private_vlan"], "open");
    Ok(())
}

#[harness::test]
fn b8_only_live_targets_are_answered_for() -> Result<()> {
    let Isolated { rig, a, c } = Isolated::new()?;
    rig.r.dummy("wan")?;
    rig.r.up("wan")?;
    rig.r.route("default", None, Some("wan"))?;
    let _daemon = alone("open", SLOW_EXPIRY).start(&rig.r)?;
    introduce(&c, &rig.r, "eth0")?;
    for nobody in [Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::new(169, 254, 9, 9), ip(99), ip(0), ip(255)] {
        assert_eq!(ask(&a, nobody)?, [], "{nobody}");
    }
    assert_eq!(ask(&a, c.ip())?, [proxied(&rig, &a, c.ip())]);
    let unicast = a.request(c.ip()).unicast_to(rig.mac("eth0"));
    assert_eq!(a.wire()?.ask(&unicast, A_WHILE), [proxied(&rig, &a, c.ip())]);
    Ok(())
}

#[harness::test]
fn b8_nobody_is_answered_about_its_own_address() -> Result<()> {
    let Isolated { rig, a, c } = Isolated::new()?;
    let _daemon = alone("open", SLOW_EXPIRY).start(&rig.r)?;
    for known in [false, true] {
        let wire = a.wire()?;
        let mine = [
            ArpFrame::gratuitous(a.mac(), a.ip()),
            ArpFrame::gratuitous_reply(a.mac(), a.ip()),
            ArpFrame::probe(a.mac(), a.ip()),
            // Under another of its addresses it asks for this one.
            ArpFrame::request(a.mac(), ip(12), a.ip()),
        ];
        for request in mine {
            let answers = wire.ask(&request, A_WHILE / 2);
            assert_eq!(answers, [], "{request}, known: {known}");
        }
        introduce(&a, &rig.r, "eth0")?;
        introduce(&c, &rig.r, "eth0")?;
    }
    Ok(())
}

#[harness::test]
fn b8_silent_host_is_found_by_a_search_and_given_up_when_it_dies() -> Result<()> {
    let Isolated { rig, a, c } = Isolated::new()?;
    let _daemon = alone("open", QUICK_EXPIRY).start(&rig.r)?;
    assert_eq!(routed_by(&rig.r, c.ip()), None);
    assert_eq!(ask(&a, c.ip())?, [proxied(&rig, &a, c.ip())]);
    c.silence(true)?;
    wait_until(SOON, "it is given up", || routed_by(&rig.r, c.ip()).is_none());
    assert_eq!(ask(&a, c.ip())?, []);
    c.silence(false)?;
    wait_until(SOON, "it is found again", || ask(&a, c.ip()).is_ok_and(|answers| answers.len() == 1));
    Ok(())
}

/// They do not receive each other's frames, so a prober cannot know that the address is taken.
#[harness::test]
fn b8_address_of_a_neighbour_that_is_not_heard_is_defended() -> Result<()> {
    let Isolated { rig, a, c } = Isolated::new()?;
    let groups = "{ isolated: [10.9.0.8/29] }";
    for private in ["open", groups] {
        let _daemon = alone(private, SLOW_EXPIRY).start(&rig.r)?;
        introduce(&c, &rig.r, "eth0")?;
        let prober = Mac([2, 0, 0, 0, 0, 0xdd]);
        let answers = a.wire()?.ask(&ArpFrame::probe(prober, c.ip()), A_WHILE);
        let defence = ArpFrame::reply(rig.mac("eth0"), c.ip(), prober, Ipv4Addr::UNSPECIFIED);
        assert_eq!(answers, [defence], "{private}");
        assert_eq!(a.wire()?.ask(&ArpFrame::probe(prober, ip(99)), A_WHILE), [], "{private}");
    }
    Ok(())
}

#[harness::test]
fn b8_communities_talk_among_themselves_and_isolated_hosts_with_nobody() -> Result<()> {
    let rig = Rig::new()?;
    let communities = "communities: { red: [10.9.0.8/29], blue: [10.9.0.32/28, 10.9.0.77] }";
    let private = format!("{{ {communities}, isolated: [10.9.0.16/28, 10.9.0.12] }}");
    let _daemon = alone(&private, SLOW_EXPIRY).segment("eth1", &[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    let far = rig.right(200)?;
    // Red: 9, 10. Blue: 33, 77. Isolated: 17, 18, and 12 though it is within red. The rest: 100, 101.
    let lasts = [9, 10, 33, 77, 17, 18, 12, 100, 101];
    let group = |last: u8| match last {
        9 | 10 => Some("red"),
        33 | 77 => Some("blue"),
        17 | 18 | 12 => None,
        _ => Some("rest"),
    };
    let hosts = lasts.map(|last| isolated(&rig, last)).into_iter().collect::<Result<Vec<_>>>()?;
    hosts.iter().try_for_each(|host| introduce(host, &rig.r, "eth0"))?;
    for (requester, from) in hosts.iter().zip(lasts) {
        let wire = requester.wire()?;
        // All at once: there are many.
        lasts
            .iter()
            .filter(|to| **to != from)
            .try_for_each(|to| wire.send(&requester.request(ip(*to))).map(drop))?;
        wire.send(&requester.request(far.ip()))?;
        let together = |to: &u8| *to != from && group(from).is_some() && group(*to) == group(from);
        let mut expected: Vec<_> = lasts.into_iter().filter(together).map(ip).collect();
        // Whoever is on another segment, and the router itself, is everybody's.
        expected.push(far.ip());
        let mut answered: Vec<_> = std::iter::from_fn(|| wire.recv(A_WHILE))
            .filter(|(arp, _)| arp.is_reply() && arp.sha == rig.mac("eth0"))
            .map(|(arp, _)| arp.spa)
            .collect();
        answered.sort_unstable();
        expected.sort_unstable();
        assert_eq!(answered, expected, "{from}");
    }
    let reach = |from: usize, to: usize| hosts[from].ns.ping(hosts[to].ip(), 3, SECOND / 50, SECOND).received;
    assert_eq!([reach(0, 1), reach(2, 3), reach(7, 8)], [3; 3], "red, blue, the rest");
    assert_eq!([reach(0, 2), reach(4, 5), reach(0, 6), reach(7, 0)], [0; 4], "from group to group");
    echoes(&hosts[4].ns, far.ip());
    echoes(&far.ns, hosts[4].ip());
    echoes(&hosts[4].ns, ROUTER);
    Ok(())
}

/// ICMP messages of type 5 among the frames.
pub(crate) fn redirects(capture: &Capture) -> usize {
    let is_redirect = |frame: &Captured| {
        let bytes = &frame.bytes;
        let header = bytes.get(14).map_or(0, |first| usize::from(first & 15) * 4);
        bytes.get(12..14) == Some(&[8, 0]) && bytes.get(23) == Some(&1) && bytes.get(14 + header) == Some(&5)
    };
    capture.frames().iter().filter(|frame| is_redirect(frame)).count()
}

#[harness::test]
fn b9_packets_between_isolated_hosts_bring_no_redirects() -> Result<()> {
    let Isolated { rig, a, c } = Isolated::new()?;
    let captures = [Capture::start(&a.ns, "eth0")?, Capture::start(&c.ns, "eth0")?];
    let packets = |count| {
        let pings = a.ns.ping(c.ip(), count, SECOND / 20, SECOND);
        assert_eq!(pings.received, count, "{pings:?}");
    };
    for settings in [["all", "eth0"], ["default", "eth0"]] {
        for scope in settings {
            rig.r.set_sysctl(&format!("ipv4/conf/{scope}/send_redirects"), "1")?;
        }
        let _daemon = alone("open", SLOW_EXPIRY).start(&rig.r)?;
        packets(20);
        assert_eq!(captures.each_ref().map(redirects), [0, 0]);
    }
    // For comparison: the same packets with the kernel's own setting, which arpherd is told to leave.
    for scope in ["all", "eth0"] {
        rig.r.set_sysctl(&format!("ipv4/conf/{scope}/send_redirects"), "1")?;
        rig.r.set_sysctl("ipv4/conf/eth0/forwarding", "1")?;
    }
    let leave = [("private_vlan", "open"), ("expiry", SLOW_EXPIRY), ("sysctl", "leave")];
    let _daemon = Config::of(SUBNET).segment("eth0", &leave).start(&rig.r)?;
    packets(20);
    assert!(redirects(&captures[0]) > 0, "this rig can tell");
    Ok(())
}

#[harness::test]
fn b10_both_modes_on_one_segment() -> Result<()> {
    let Isolated { rig, a, c } = Isolated::new()?;
    let (b, d) = (rig.right(20)?, rig.right(21)?);
    let config = alone("open", SLOW_EXPIRY).segment("eth1", &[("expiry", SLOW_EXPIRY)]);
    let _daemon = config.start(&rig.r)?;
    // First all are mute and unknown, then all are known.
    for known in [false, true] {
        for (requester, target) in [(&a, &c), (&c, &a), (&a, &b), (&c, &d)] {
            let expected = [proxied(&rig, requester, target.ip())];
            assert_eq!(ask(requester, target.ip())?, expected, "{} for {}", requester.ip(), target.ip());
        }
        let from_right = ArpFrame::reply(rig.mac("eth1"), a.ip(), b.mac(), b.ip());
        assert_eq!(ask(&b, a.ip())?, [from_right], "known: {known}");
        let by_itself = ArpFrame::reply(d.mac(), d.ip(), b.mac(), b.ip());
        assert_eq!(ask(&b, d.ip())?, [by_itself], "known: {known}");
        for nobody in [ip(99), Ipv4Addr::new(1, 1, 1, 1), a.ip()] {
            assert_eq!(ask(&a, nobody)?, [], "{nobody}");
        }
        for host in [&a, &c] {
            introduce(host, &rig.r, "eth0")?;
        }
        for host in [&b, &d] {
            introduce(host, &rig.r, "eth1")?;
        }
    }
    let capture = Capture::start(&a.ns, "eth0")?;
    for (from, to) in [(&a, &c), (&c, &a), (&a, &b), (&b, &c), (&d, &a), (&b, &d)] {
        let _server = to.ns.udp_echo_server(to.ip(), 7)?;
        assert_eq!(from.ns.udp_echo(to.ip(), 7, 20), 20, "{} to {}", from.ip(), to.ip());
    }
    assert_eq!(redirects(&capture), 0);
    Ok(())
}
