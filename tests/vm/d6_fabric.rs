//! D6 as fabrics change: new queue pairs and prefixes, reloaded drivers, partitions, lost frames, sizes.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use arpherd_lab::{Capture, Netns, Result, RouteWatch, wait_until};

use crate::fabric::{
    EXPIRY, FabricHost, FabricRig, Partition, count, ib_addr, neighbour, turn, wait_neighbour,
};
use crate::ib_arp::{IbAddr, IbArp};
use crate::pair::wait_state;
use crate::rig::{
    Config, ROUTER, SLOW_EXPIRY, SOON, SUBNET, echoes, events, ip, routed_by, segment_row, wait_event,
};
use crate::tools::ip as ip_command;

/// Turns a knob of the router's link and sees that the new address reaches whom it must.
fn relabelled(knob: &str, value: u64) -> Result<()> {
    let rig = FabricRig::new()?;
    let _daemon = rig.start_with(&[("expiry", SLOW_EXPIRY)])?;
    let (host, station) = (rig.host(10)?, rig.station(20)?);
    echoes(&station.ns, host.ip());
    let (capture, old) = (Capture::start(&station.ns, "ib0")?, rig.own());
    turn(&rig.r, "ib0", knob, value);
    let new = rig.own();
    assert_ne!(old, new, "the knob changes the address");
    let announced = || {
        let heard = IbArp::all_of(&capture, false).into_iter();
        heard.filter(|it| it.is_gratuitous() && it.spa == host.ip()).collect::<Vec<_>>()
    };
    // The station's kernel believes an announcement; nothing of it was asked.
    wait_neighbour(&station.ns, host.ip(), &new.0);
    wait_until(SOON, "three announcements", || announced().len() >= 3);
    assert!(announced().iter().all(|it| it.sha == new), "{:?}", announced());
    station.say(IbArp::request(rig.partition.broadcast(), station.lladdr(), station.ip, host.ip()))?;
    let answer = |it: &IbArp| it.is_reply() && it.spa == host.ip();
    wait_until(SOON, "an answer", || IbArp::all_of(&capture, false).iter().any(answer));
    assert!(IbArp::all_of(&capture, false).iter().filter(|it| answer(it)).all(|it| it.sha == new));
    echoes(&station.ns, host.ip());
    echoes(&host.ns, station.ip);
    Ok(())
}

#[harness::test]
fn d6_a_new_queue_pair_of_the_router_is_announced_and_advertised() -> Result<()> {
    relabelled("qpn", 0x07_1234)
}

#[harness::test]
fn d6_a_new_subnet_prefix_of_the_router_is_announced_and_advertised() -> Result<()> {
    relabelled("prefix", 0xfe80_0000_0000_0abc)
}

/// As before a subnet manager has come by: the link is up, and has no address to speak with.
#[harness::test]
fn d6_a_port_without_a_gid_sends_nothing_until_it_has_one() -> Result<()> {
    let rig = FabricRig::new()?;
    rig.r.delete("ib0")?;
    rig.partition.link(&rig.r, "ib0", &format!("address {}", IbAddr::ZERO.with_flags(0x80)))?;
    rig.r.address_noprefix("ib0", &format!("{ROUTER}/32"))?;
    let capture = Capture::start(&rig.r, "ib0")?;
    let (host, station) = (rig.host(10)?, rig.station(20)?);
    let sweep = ("sweep", "{ interval: 200ms, rate: 500 }");
    let daemon = rig.start_with(&[sweep, ("expiry", SLOW_EXPIRY)])?;
    wait_state(&daemon, "ib0", "no_arp");
    assert_eq!(
        host.ns.ping(station.ip, 3, Duration::from_millis(200), Duration::from_millis(200)).received,
        0
    );
    let sent: Vec<_> = IbArp::all_of(&capture, true);
    assert!(sent.is_empty(), "{sent:?}");
    turn(&rig.r, "ib0", "prefix", 0xfe80_0000_0000_0000);
    wait_state(&daemon, "ib0", "up");
    echoes(&host.ns, station.ip);
    echoes(&station.ns, host.ip());
    Ok(())
}

/// The link goes and comes back with another number and another queue pair.
#[harness::test]
fn d6_a_reloaded_driver_of_the_router_costs_three_seconds_at_most() -> Result<()> {
    let rig = FabricRig::new()?;
    let mut daemon = rig.start()?;
    let (host, station) = (rig.host(10)?, rig.station(20)?);
    echoes(&station.ns, host.ip());
    let old = rig.own();
    rig.r.delete("ib0")?;
    wait_until(SOON, "the route is withdrawn", || routed_by(&rig.r, station.ip).is_none());
    let start = Instant::now();
    let new = old.with_queue_pair(9);
    rig.partition.link(&rig.r, "ib0", &format!("address {new}"))?;
    rig.r.address_noprefix("ib0", &format!("{ROUTER}/32"))?;
    let quick = Duration::from_millis(20);
    let reaches = |from: &Netns, to| from.ping(to, 1, quick, quick * 5).received == 1;
    wait_until(Duration::from_secs(3), "both reach each other", || {
        reaches(&host.ns, station.ip) && reaches(&station.ns, host.ip())
    });
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(neighbour(&station.ns, host.ip()), Some(new.0.to_vec()));
    assert!(daemon.is_running());
    Ok(())
}

#[harness::test]
fn d6_a_host_announcing_its_new_queue_pair_is_followed() -> Result<()> {
    let rig = FabricRig::new()?;
    let daemon = rig.start_with(&[("expiry", SLOW_EXPIRY)])?;
    let (host, station) = (rig.host(10)?, rig.station(20)?);
    echoes(&host.ns, station.ip);
    let old = station.lladdr();
    let before = count(&rig.r, "ib0", "unreached");
    turn(&station.ns, "ib0", "qpn", 0x08_0001);
    station.announce(rig.partition)?;
    let new = station.lladdr();
    let moved = wait_event(&daemon, "host_moved", |it| it["address"] == station.ip.to_string());
    assert_eq!((&moved["old_lladdr"], &moved["lladdr"]), (&old.to_string().into(), &new.to_string().into()));
    wait_neighbour(&rig.r, station.ip, &new.0);
    echoes(&host.ns, station.ip);
    assert!(events(&daemon, "duplicate_address").is_empty());
    let after = count(&rig.r, "ib0", "unreached");
    assert_eq!(after, before, "the GID is the same: nothing is sent to the old queue pair any more");
    Ok(())
}

/// Requests to the old queue pair get nowhere, and the broadcast that follows finds it.
#[harness::test]
fn d6_a_host_with_a_new_queue_pair_is_found_though_it_says_nothing() -> Result<()> {
    let rig = FabricRig::new()?;
    let daemon = rig.start()?;
    let (host, station) = (rig.host(10)?, rig.station(20)?);
    echoes(&host.ns, station.ip);
    let watch = RouteWatch::start(&rig.r)?;
    turn(&station.ns, "ib0", "qpn", 0x08_0002);
    wait_event(&daemon, "host_moved", |it| it["lladdr"] == station.lladdr().to_string());
    wait_neighbour(&rig.r, station.ip, &station.lladdr().0);
    echoes(&host.ns, station.ip);
    let lost = watch.events().into_iter().find(|it| !it.is_new && it.route.dst.ip() == station.ip);
    assert_eq!(lost, None, "the route was never without its host");
    Ok(())
}

/// Two child links of one port, in partitions that only the router is a member of both.
#[harness::test]
fn d6_partitions_of_one_port_are_segments_of_their_own() -> Result<()> {
    let r = Netns::new("r")?;
    let parts = [Partition::new(), Partition::new(), Partition::new()];
    parts[0].link(&r, "ib0", "")?;
    parts[1].link(&r, "ib0.1", "link ib0")?;
    parts[2].link(&r, "ib0.2", "link ib0")?;
    let mut config = Config::of(SUBNET);
    for link in ["ib0.1", "ib0.2"] {
        r.address_noprefix(link, &format!("{ROUTER}/32"))?;
        config = config.segment(link, &[("expiry", EXPIRY)]);
    }
    let own = [ib_addr(&r, "ib0.1"), ib_addr(&r, "ib0.2")];
    assert_eq!(own[0].0[4..], own[1].0[4..], "one port");
    assert_ne!(own[0], own[1], "two queue pairs");
    let capture = [Capture::start(&r, "ib0.1")?, Capture::start(&r, "ib0.2")?];
    let daemon = config.start(&r)?;
    let stations = [FabricHost::new(parts[1], 20)?, FabricHost::new(parts[2], 30)?];
    echoes(&stations[0].ns, stations[1].ip);
    echoes(&stations[1].ns, stations[0].ip);
    // Nobody answers, and nobody on the other link is left unasked.
    for station in &stations {
        assert_eq!(station.ns.ping(ip(99), 1, SOON, Duration::from_millis(50)).received, 0);
    }
    for (at, link) in ["ib0.1", "ib0.2"].into_iter().enumerate() {
        assert_eq!(segment_row(&daemon, link)["lladdr"], own[at].to_string());
        let asked = |it: &IbArp| it.tpa == ip(99) && it.sha == own[at];
        wait_until(SOON, "a search", || IbArp::all_of(&capture[at], true).iter().any(asked));
        let sent = IbArp::all_of(&capture[at], true);
        assert!(sent.iter().all(|it| it.sha == own[at]), "{sent:?}");
        let group = |it: &&IbArp| it.to.0[4] == 0xff;
        let mut groups: Vec<IbAddr> = sent.iter().filter(group).map(|it| it.to).collect();
        groups.dedup();
        assert_eq!(groups, [parts[at + 1].broadcast()], "the link's own broadcast address, key included");
    }
    Ok(())
}

/// Until the path to a station is known frames to it wait in a short queue, and some are lost: answers, which
/// are asked for again, and requests, which the daemon repeats.
#[harness::test]
fn d6_the_first_unicast_to_every_station_may_be_lost() -> Result<()> {
    let rig = FabricRig::new()?;
    let watch = RouteWatch::start(&rig.r)?;
    turn(&rig.r, "ib0", "lose", 1);
    let _daemon = rig.start()?;
    let (host, station) = (rig.host(10)?, rig.station(20)?);
    turn(&station.ns, "ib0", "lose", 1);
    echoes(&station.ns, host.ip());
    let requests = Capture::start(&rig.r, "ib0")?;
    // The path is forgotten while the host is known: the next request to it is lost.
    turn(&rig.r, "ib0", "lose", 1);
    let asked = |it: &IbArp| it.tpa == station.ip && it.to == station.lladdr();
    wait_until(SOON, "the host is asked again after a lost request", || {
        IbArp::all_of(&requests, true).iter().filter(|it| asked(it)).count() >= 2
    });
    echoes(&host.ns, station.ip);
    let lost = watch.events().into_iter().find(|it| !it.is_new && it.route.dst.ip() == station.ip);
    assert_eq!(lost, None, "a lost frame is no lost host");
    Ok(())
}

/// What the router's kernel says of a packet that does not fit: ICMP "fragmentation needed" and the size.
fn too_large(capture: &Capture) -> Option<u16> {
    let frames = capture.frames().into_iter().filter(|it| !it.outgoing() && it.bytes.len() > 32 + 20);
    let mut packets = frames.map(|it| it.bytes[24..].to_vec());
    let icmp = packets.find(|it| it[0] >> 4 == 4 && it[9] == 1 && it[20..22] == [3, 4])?;
    Some(u16::from_be_bytes([icmp[26], icmp[27]]))
}

fn sizes(mtu: u32, mode: &str, length: usize) -> Result<()> {
    let rig = FabricRig::new()?;
    let (host, station) = (rig.host(10)?, rig.station(20)?);
    for ns in [&rig.r, &station.ns] {
        ip_command(ns, &format!("link set ib0 type ipoib mode {mode}"));
        ns.set_mtu("ib0", mtu)?;
    }
    let _daemon = rig.start()?;
    echoes(&station.ns, host.ip());
    let capture = Capture::start(&station.ns, "ib0")?;
    let sink = host.ns.run(|| UdpSocket::bind((host.ip(), 7009))).expect("a free port");
    sink.set_read_timeout(Some(Duration::from_millis(50))).expect("a time above zero");
    // Linux asks that packets not be fragmented and learns from the ICMP error.
    let source = station.ns.run(|| UdpSocket::bind((station.ip, 0))).expect("a free port");
    let (datagram, mut room) = (vec![7; length], vec![0; 1 << 16]);
    wait_until(SOON, "a large datagram arrives whole, in fragments of its sender's", || {
        // Too large for what was just learned: the next is cut in time.
        let _ = source.send_to(&datagram, (host.ip(), 7009));
        sink.recv_from(&mut room).is_ok_and(|(received, _)| room[..received] == datagram)
    });
    assert_eq!(too_large(&capture), Some(1500));
    // Small ones fit at once the other way: Ethernet's are never too large for a fabric.
    assert_eq!(host.ns.ping(ip(20), 3, Duration::from_millis(20), SOON).received, 3);
    Ok(())
}

#[harness::test]
fn d6_large_packets_of_a_fabric_are_told_the_size_of_ethernet() -> Result<()> {
    sizes(2044, "datagram", 1900)
}

#[harness::test]
fn d6_the_largest_packets_of_connected_mode_are_told_the_size_of_ethernet() -> Result<()> {
    sizes(65520, "connected", 60000)
}
