//! A over real Wi-Fi frames: virtual machines behind a station, and stations an access point keeps apart.
//!
//! ```text
//!   router = access point ~~~ wlan [ laptop: arpherd ] vmbr0 (bridge) ── vm
//! ```

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use arpherd_lab::{
    Capture, Captured, Daemon, Host, Mac, Netns, PortFlags, Result, RouteWatch, Segment, wait_until,
};

use crate::fabric::{EXPIRY, wait_neighbour};
use crate::pair::wait_state;
use crate::radios::{AccessPoint, Station, home, namespace};
use crate::rig::{A_WHILE, Config, SOON, echoes, events, host_routes, routed_by, segment_row, wait_route};
use crate::tools::ip_refuses;

struct Laptop {
    point: AccessPoint,
    station: Station,
    vmbr: Segment,
    vm: Host,
}

impl Laptop {
    fn new() -> Result<Self> {
        let point = AccessPoint::new(&namespace("router")?, "")?;
        point.ns.address(&point.link, &format!("{}/24", home(1)))?;
        point.ns.quick_neighbours(&point.link)?;
        let ns = namespace("laptop")?;
        ns.bridge("vmbr0")?;
        // As set by hand: else a bridge takes its ports' lowest.
        ns.set_mac("vmbr0", Mac([2, 0, 0, 0, 0, 0xbb]))?;
        ns.up("vmbr0")?;
        let vmbr = Segment { ns: ns.clone(), bridge: "vmbr0".to_owned() };
        let mut vm = Host::new("vm", &format!("{}/24", home(50)))?;
        vm.attach_to(&vmbr)?;
        let station = Station::new(&ns, &point)?;
        ns.address(&station.link, &format!("{}/24", home(10)))?;
        for link in [station.link.as_str(), "vmbr0"] {
            ns.quick_neighbours(link)?;
        }
        Ok(Self { point, station, vmbr, vm })
    }

    fn start(&self) -> Result<Daemon> {
        let keys = [("expiry", EXPIRY)];
        let config = Config::of("192.168.1.0/24").segment("vmbr0", &keys).segment(&self.station.link, &keys);
        config.start(&self.vmbr.ns)
    }
}

#[harness::test]
fn a1_a_station_cannot_be_a_port_of_a_bridge() -> Result<()> {
    let laptop = Laptop::new()?;
    let said = ip_refuses(&laptop.station.ns, &format!("link set {} master vmbr0", laptop.station.link));
    assert!(said.contains("does not allow"), "{said}");
    Ok(())
}

/// What makes all this necessary: were it otherwise, nothing below would prove anything.
#[harness::test]
fn a1_foreign_macs_do_not_reach_the_access_point() -> Result<()> {
    let laptop = Laptop::new()?;
    let heard = Capture::start(&laptop.point.ns, &laptop.point.link)?;
    let wlan = arpherd_lab::Wire::open(&laptop.station.ns, &laptop.station.link)?;
    let from = |mac| arpherd_lab::ArpFrame::request(mac, home(66), home(1));
    wlan.send(&from(laptop.vm.mac()))?;
    wlan.send(&from(laptop.station.mac()?))?;
    let first = heard.wait_for(|it| it.arp().is_some_and(|arp| arp.spa == home(66)), SOON);
    assert_eq!(first.and_then(|it| it.arp()).map(|arp| arp.sha), Some(laptop.station.mac()?));
    Ok(())
}

#[harness::test]
fn a1_a_vm_behind_a_station_is_reached_by_one_mac_on_the_air() -> Result<()> {
    let laptop = Laptop::new()?;
    let daemon = laptop.start()?;
    let Laptop { point, station, vm, .. } = &laptop;
    assert_eq!(segment_row(&daemon, &station.link)["kind"], "wifi");
    let capture = Capture::start(&point.ns, &point.link)?;
    echoes(&vm.ns, home(1));
    echoes(&point.ns, vm.ip());
    let _echo = point.ns.udp_echo_server(home(1), 7007)?;
    assert_eq!(vm.ns.udp_echo(home(1), 7007, 100), 100);
    wait_neighbour(&point.ns, vm.ip(), &station.mac()?.0);
    wait_neighbour(&vm.ns, home(1), &station.ns.mac("vmbr0")?.0);
    let sources: BTreeSet<Vec<u8>> = capture
        .frames()
        .into_iter()
        .filter(|it| !it.outgoing() && it.bytes.len() >= 14)
        .map(|it| it.bytes[6..12].to_vec())
        .collect();
    assert_eq!(sources, BTreeSet::from([station.mac()?.0.to_vec()]));
    let sees_vm = |it: &Captured| it.bytes[12..14] == [8, 0] && it.bytes[26..30] == home(50).octets();
    assert!(capture.frames().iter().any(sees_vm), "the vm's own address is the packets' source");
    Ok(())
}

#[harness::test]
fn a7_a_vm_that_hears_no_broadcast_keeps_its_route() -> Result<()> {
    let laptop = Laptop::new()?;
    let _daemon = laptop.start()?;
    let Laptop { point, vmbr, vm, .. } = &laptop;
    vm.announce()?;
    wait_route(&vmbr.ns, vm.ip(), "vmbr0");
    let (_, port) = vm.place().expect("it is attached");
    vmbr.ns.bridge_port(port, PortFlags { bcast_flood: false, ..PortFlags::default() })?;
    let (watch, capture) = (RouteWatch::start(&vmbr.ns)?, Capture::start(&vm.ns, "eth0")?);
    let requests = || capture.arps().into_iter().filter(|it| it.is_request() && it.tpa == vm.ip()).count();
    wait_until(2 * SOON, "five rounds of verification", || requests() >= 5);
    let lost = watch.events().into_iter().find(|it| !it.is_new && it.route.dst.ip() == vm.ip());
    assert_eq!(lost, None);
    echoes(&point.ns, vm.ip());
    Ok(())
}

/// Both ways, within three seconds from `start`.
fn back_at_once(laptop: &Laptop, start: Instant) {
    let quick = Duration::from_millis(20);
    let reaches = |from: &Netns, to| from.ping(to, 1, quick, quick * 5).received == 1;
    wait_until(Duration::from_secs(3), "both reach each other again", || {
        reaches(&laptop.vm.ns, home(1)) && reaches(&laptop.point.ns, laptop.vm.ip())
    });
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[harness::test]
fn a7_a_station_that_left_and_came_back_serves_again() -> Result<()> {
    let laptop = Laptop::new()?;
    let mut daemon = laptop.start()?;
    let Laptop { station, vm, .. } = &laptop;
    echoes(&vm.ns, home(1));
    station.leave();
    wait_state(&daemon, &station.link, "no_carrier");
    wait_until(2 * SOON, "nobody is routed there", || routed_by(&station.ns, home(1)).is_none());
    // The kernel also notifies of associations in messages that lack half of what they usually hold.
    assert_eq!(segment_row(&daemon, &station.link)["lladdr"], station.mac()?.to_string());
    station.come_back(2)?;
    back_at_once(&laptop, Instant::now());
    let reasons: Vec<_> =
        events(&daemon, "segment_down").into_iter().map(|it| it["reason"].clone()).collect();
    assert_eq!(reasons, ["no_carrier"]);
    assert!(daemon.is_running());
    Ok(())
}

/// A power cut, after which the station finds the access point again by itself.
#[harness::test]
fn a7_a_lost_access_point_is_survived() -> Result<()> {
    let mut laptop = Laptop::new()?;
    let daemon = laptop.start()?;
    echoes(&laptop.vm.ns, home(1));
    let link = laptop.station.link.clone();
    laptop.point.power_cycle()?;
    laptop.point.wait_stations(1);
    laptop.station.ns.wait_ready(&link)?;
    wait_state(&daemon, &link, "up");
    back_at_once(&laptop, Instant::now());
    Ok(())
}

fn two_stations(more: &str) -> Result<(AccessPoint, [Station; 2])> {
    let point = AccessPoint::new(&namespace("ap")?, more)?;
    point.ns.address(&point.link, &format!("{}/24", home(1)))?;
    let station = |last: u8| Station::with_address("sta", &point, &format!("{}/24", home(last)));
    let stations = [station(11)?, station(12)?];
    Ok((point, stations))
}

/// The access point's machine knows both of them.
fn guests(keys: &[(&str, &str)]) -> Result<(AccessPoint, [Station; 2], Daemon)> {
    let (point, stations) = two_stations("ap_isolate=1")?;
    let keys = [&[("expiry", EXPIRY)], keys].concat();
    let daemon = Config::of("192.168.1.0/24").segment(&point.link, &keys).start(&point.ns)?;
    for station in &stations {
        echoes(&station.ns, home(1));
    }
    wait_until(SOON, "both are known", || host_routes(&point.ns).len() == 2);
    Ok((point, stations, daemon))
}

/// As on many networks for guests: the access point hands nothing from one station to another, and arpherd
/// answers for nobody on its own link unless configured to.
#[harness::test]
fn b8_isolated_stations_do_not_reach_each_other_by_themselves() -> Result<()> {
    let (_point, [a, b], _daemon) = guests(&[])?;
    for (from, to) in [(&a, home(12)), (&b, home(11))] {
        assert_eq!(from.ns.ping(to, 5, Duration::from_millis(50), A_WHILE).received, 0);
    }
    Ok(())
}

#[harness::test]
fn b8_isolated_stations_reach_each_other_through_a_private_vlan() -> Result<()> {
    let (point, [a, b], _daemon) = guests(&[("private_vlan", "open")])?;
    let redirects = Capture::start(&a.ns, &a.link)?;
    echoes(&a.ns, home(12));
    echoes(&b.ns, home(11));
    let router = point.ns.mac(&point.link)?.0;
    wait_neighbour(&a.ns, home(12), &router);
    wait_neighbour(&b.ns, home(11), &router);
    let is_redirect = |it: &Captured| it.bytes.get(23) == Some(&1) && it.bytes.get(34) == Some(&5);
    assert!(!redirects.frames().iter().any(is_redirect), "nobody is told to go the way that is barred");
    Ok(())
}
