//! D6 on IPoIB as the kernel has it: addresses of 20 octets from netlink to the wire and back.

use std::time::Duration;

use arpherd_lab::{Capture, Captured, Result, monotonic_ns, wait_until};

use crate::fabric::{FabricRig, count, ib_addr, neighbour, wait_neighbour};
use crate::ib_arp::{IbAddr, IbArp};
use crate::rig::{
    A_WHILE, ROUTER, SLOW_EXPIRY, SOON, echoes, events, host_routes, host_row, ip, pass, routed_by,
    segment_row, wait_route,
};
use crate::tools::ip_refuses;

/// The rig's module is as strange as the real driver; were it not, these tests would prove less.
#[harness::test]
fn d6_nothing_but_routing_joins_ipoib_with_ethernet() -> Result<()> {
    let rig = FabricRig::new()?;
    rig.r.bridge("br0")?;
    ip_refuses(&rig.r, "link set ib0 master br0");
    ip_refuses(&rig.r, "link add link ib0 name mv0 type macvlan");
    ip_refuses(&rig.r, "link add link ib0 name ib0.7 type vlan id 7");
    ip_refuses(&rig.r, "link set ib0 mtu 2045");
    let foreign = IbAddr::ZERO.with_flags(0x80).with_queue_pair(1);
    ip_refuses(&rig.r, &format!("link set ib0 address {foreign}"));
    Ok(())
}

#[harness::test]
fn d6_an_ipoib_link_is_shown_with_its_twenty_octets() -> Result<()> {
    let rig = FabricRig::new()?;
    let daemon = rig.start()?;
    let row = segment_row(&daemon, "ib0");
    assert_eq!((&row["kind"], &row["state"]), (&"ipoib".into(), &"up".into()), "{row}");
    assert_eq!(row["lladdr"], rig.own().to_string());
    let station = rig.station(20)?;
    station.announce(rig.partition)?;
    wait_route(&rig.r, station.ip, "ib0");
    let row = host_row(&daemon, station.ip).expect("it has a route");
    assert_eq!(row["lladdr"], station.lladdr().to_string());
    wait_neighbour(&rig.r, station.ip, &station.lladdr().0);
    Ok(())
}

#[harness::test]
fn d6_ethernet_and_ipoib_share_a_subnet_and_the_routers_address() -> Result<()> {
    let rig = FabricRig::new()?;
    let _daemon = rig.start()?;
    let (host, station) = (rig.host(10)?, rig.station(20)?);
    echoes(&host.ns, station.ip);
    echoes(&station.ns, host.ip());
    echoes(&host.ns, ROUTER);
    echoes(&station.ns, ROUTER);
    let mut routes: Vec<_> = host_routes(&rig.r);
    routes.sort_by_key(|route| route.dst);
    let seen: Vec<_> =
        routes.iter().map(|it| (it.dst.ip(), it.dev.as_deref(), it.source, it.scope)).collect();
    let link_scope = 253;
    assert_eq!(
        seen,
        [
            (host.ip(), Some("eth0"), Some(ROUTER), link_scope),
            (station.ip, Some("ib0"), Some(ROUTER), link_scope),
        ]
    );
    // Each side knows the other by the router's address on its own link, of its own length.
    assert_eq!(neighbour(&host.ns, station.ip), Some(rig.r.mac("eth0")?.0.to_vec()));
    assert_eq!(neighbour(&station.ns, host.ip()), Some(rig.own().0.to_vec()));
    let _echo = host.ns.udp_echo_server(host.ip(), 7007)?;
    assert_eq!(station.ns.udp_echo(host.ip(), 7007, 100), 100);
    Ok(())
}

/// RFC 4391 leaves open what stands for the target's address in a request: Linux writes zeroes, arping the
/// broadcast address. Both, and one to the router alone as caches are verified.
#[harness::test]
fn d6_answers_on_ipoib_go_to_all_of_the_askers_address() -> Result<()> {
    let rig = FabricRig::new()?;
    let _daemon = rig.start_with(&[("expiry", SLOW_EXPIRY)])?;
    let (host, station) = (rig.host(10)?, rig.station(20)?);
    host.announce()?;
    wait_route(&rig.r, host.ip(), "eth0");
    let capture = Capture::start(&rig.r, "ib0")?;
    let sent = || {
        let all = IbArp::all_of(&capture, true);
        all.into_iter().filter(IbArp::is_reply).collect::<Vec<_>>()
    };
    let (own, requester) = (rig.own(), station.lladdr());
    let request = IbArp::request(rig.partition.broadcast(), requester, station.ip, host.ip());
    let requests =
        [request, IbArp { tha: rig.partition.broadcast(), ..request }, IbArp { to: own, ..request }];
    for (asked, request) in requests.into_iter().enumerate() {
        station.say(request)?;
        wait_until(SOON, "an answer to the request", || sent().len() > asked);
    }
    pass(A_WHILE);
    let wanted = IbArp { to: requester, op: 2, sha: own, spa: host.ip(), tha: requester, tpa: station.ip };
    assert_eq!(sent(), [wanted; 3]);
    let is_answer = |it: &Captured| it.outgoing() && IbArp::decode(&it.bytes).is_some_and(|it| it.is_reply());
    let lengths: Vec<_> = capture.frames().into_iter().filter(is_answer).map(|it| it.bytes.len()).collect();
    assert_eq!(lengths, [IbArp::LEN; 3], "no padding, nothing cut off");
    assert_eq!(count(&rig.r, "ib0", "unreached"), 0, "every unicast found its station");
    Ok(())
}

#[harness::test]
fn d6_mute_hosts_of_a_fabric_are_found_by_sweeps() -> Result<()> {
    let rig = FabricRig::new()?;
    let stations = [rig.station(20)?, rig.station(21)?];
    let capture = Capture::start(&rig.r, "ib0")?;
    let sweep = ("sweep", "{ interval: 5s, rate: 500 }");
    let _daemon = rig.start_with(&[sweep, ("expiry", SLOW_EXPIRY)])?;
    for station in &stations {
        wait_route(&rig.r, station.ip, "ib0");
        wait_neighbour(&rig.r, station.ip, &station.lladdr().0);
    }
    let probes: Vec<_> = IbArp::all_of(&capture, true).into_iter().filter(|arp| arp.op == 1).collect();
    assert!(probes.len() >= 20, "{probes:?}");
    for probe in probes {
        assert_eq!((probe.to, probe.sha, probe.spa), (rig.partition.broadcast(), rig.own(), ROUTER));
    }
    Ok(())
}

#[harness::test]
fn d6_a_silent_death_on_a_fabric_is_noticed() -> Result<()> {
    let rig = FabricRig::new()?;
    let _daemon = rig.start()?;
    let station = rig.station(20)?;
    station.announce(rig.partition)?;
    wait_route(&rig.r, station.ip, "ib0");
    let capture = Capture::start(&rig.r, "ib0")?;
    let lladdr = station.lladdr();
    station.ns.down("ib0")?;
    wait_until(SOON, "the route is withdrawn", || routed_by(&rig.r, station.ip).is_none());
    let requests: Vec<_> =
        IbArp::all_of(&capture, true).into_iter().filter(|it| it.tpa == station.ip).collect();
    let to: Vec<_> = requests.iter().map(|it| it.to).collect();
    let broadcast = rig.partition.broadcast();
    assert_eq!(to, [lladdr, lladdr, lladdr, broadcast, broadcast]);
    Ok(())
}

/// Octet 0 tells what a peer can do (RFC 4755): a host in connected mode sets a bit there. Neither is it
/// another host then, nor is the router one.
#[harness::test]
fn d6_the_flags_octet_makes_nobody_another_host() -> Result<()> {
    let rig = FabricRig::new()?;
    let daemon = rig.start_with(&[("expiry", SLOW_EXPIRY)])?;
    let station = rig.station(20)?;
    station.announce(rig.partition)?;
    wait_route(&rig.r, station.ip, "ib0");
    let broadcast = rig.partition.broadcast();
    let read = || segment_row(&daemon, "ib0")["read"].as_u64().expect("a number");
    let before = read();
    for flags in [0x00, 0x40, 0xc0, 0x80] {
        let lladdr = station.lladdr().with_flags(flags);
        station.say(IbArp::request(broadcast, lladdr, station.ip, station.ip))?;
        // The router's own address, as a reflected frame would bring it.
        let own = rig.own().with_flags(flags);
        station.say(IbArp::request(broadcast, own, ip(66), ip(67)))?;
    }
    wait_until(SOON, "all of it was read", || read() >= before + 8);
    for name in ["host_moved", "duplicate_address", "host_flapping"] {
        assert!(events(&daemon, name).is_empty(), "{:?}", events(&daemon, name));
    }
    assert_eq!(routed_by(&rig.r, ip(66)), None, "nobody else may be where the router is");
    let known = IbAddr::of(&neighbour(&rig.r, station.ip).expect("an entry"));
    assert_eq!(known.with_flags(0), station.lladdr().with_flags(0));
    let host = rig.host(10)?;
    echoes(&host.ns, station.ip);
    Ok(())
}

/// Six octets, and the link type of Ethernet, on a fabric; and a packet that says twenty but ends before.
#[harness::test]
fn d6_frames_of_other_lengths_teach_nothing() -> Result<()> {
    let rig = FabricRig::new()?;
    let daemon = rig.start()?;
    let station = rig.station(20)?;
    let good = IbArp::request(rig.partition.broadcast(), station.lladdr(), station.ip, ip(99)).encode();
    let wire = station.wire()?;
    let malformed = || segment_row(&daemon, "ib0")["malformed"].as_u64().expect("a number");
    let wrong: [(usize, u8); 3] = [(25, 1), (28, 6), (29, 16)];
    for (at, octet) in wrong {
        let mut frame = good.clone();
        frame[at] = octet;
        wire.send_raw(&frame)?;
    }
    wire.send_raw(&good[..IbArp::LEN - 1])?;
    wait_until(SOON, "all four are counted", || malformed() == 4);
    assert_eq!(routed_by(&rig.r, station.ip), None);
    wire.send_raw(&good)?;
    wait_route(&rig.r, station.ip, "ib0");
    Ok(())
}

/// `ipoib_hard_header` of Linux copies from where the address should be, and would crash.
#[harness::test]
fn d6_no_frame_is_ever_sent_to_nobody() -> Result<()> {
    let rig = FabricRig::new()?;
    let (host, station) = (rig.host(10)?, rig.station(20)?);
    let begun = monotonic_ns();
    let sweep = ("sweep", "{ interval: 200ms, rate: 2000 }");
    let quick = ("expiry", "{ quiet: 200ms, interval: 100ms, unicast: 2, broadcast: 1 }");
    let _daemon = rig.start_with(&[sweep, quick])?;
    echoes(&host.ns, station.ip);
    rig.r.down("ib0")?;
    wait_until(SOON, "the route is withdrawn", || routed_by(&rig.r, station.ip).is_none());
    rig.r.up("ib0")?;
    echoes(&host.ns, station.ip);
    echoes(&station.ns, host.ip());
    assert!(monotonic_ns() > begun + u64::try_from(Duration::from_millis(200).as_nanos()).unwrap_or(0));
    assert_eq!(count(&rig.r, "ib0", "nowhere"), 0);
    assert_eq!(ib_addr(&rig.r, "ib0").0.len(), 20);
    Ok(())
}
