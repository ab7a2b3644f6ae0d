//! What nl80211 reports to arpherd beyond ARP: clients that join, leave and sleep, and an access point that is
//! found again.
//!
//! ```text
//!   station ~~~ access point [ box: arpherd ] lan0 (bridge) ── wired host
//!   router = access point ~~~ station [ box: arpherd ] lan0 ── wired host
//! ```

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{ArpFrame, Capture, Daemon, Host, Mac, Netns, Result, RouteWatch, Segment, wait_until};

use crate::fabric::EXPIRY;
use crate::radios::{AccessPoint, Station, home, namespace, when_radios_came};
use crate::rig::{Config, SLOW_EXPIRY, SOON, echoes, routed_by, segment_row, wait_event, wait_route};

/// The wired side, and the address of the machine with arpherd.
fn wired(ns: &Netns) -> Result<Host> {
    ns.bridge("lan0")?;
    // As set by hand: else a bridge takes its ports' lowest.
    ns.set_mac("lan0", Mac([2, 0, 0, 0, 0, 0xbb]))?;
    ns.up("lan0")?;
    let mut host = Host::new("wired", &format!("{}/24", home(50)))?;
    host.attach_to(&Segment { ns: ns.clone(), bridge: "lan0".to_owned() })?;
    ns.quick_neighbours("lan0")?;
    Ok(host)
}

/// An access point with arpherd between it and a cable, and a client that is known.
struct Cafe {
    points: Vec<AccessPoint>,
    client: Station,
    wired: Host,
    daemon: Daemon,
}

const CLIENT: Ipv4Addr = home(11);

impl Cafe {
    fn new(points: usize, expiry: &str) -> Result<Self> {
        let ns = namespace("cafe")?;
        let wired = wired(&ns)?;
        let points: Vec<AccessPoint> =
            (0..points).map(|_| AccessPoint::new(&ns, "")).collect::<Result<_>>()?;
        let keys = [("expiry", expiry)];
        let mut config = Config::of("192.168.1.0/24").segment("lan0", &keys);
        for point in &points {
            ns.address_noprefix(&point.link, &format!("{}/32", home(1)))?;
            ns.quick_neighbours(&point.link)?;
            config = config.segment(&point.link, &keys);
        }
        ns.address_noprefix("lan0", &format!("{}/32", home(1)))?;
        let daemon = config.start(&ns)?;
        let client = Station::with_address("client", &points[0], &format!("{CLIENT}/24"))?;
        let cafe = Self { points, client, wired, daemon };
        echoes(&cafe.client.ns, home(1));
        wait_route(cafe.ns(), CLIENT, cafe.link());
        Ok(cafe)
    }

    fn ns(&self) -> &Netns {
        &self.points[0].ns
    }

    fn link(&self) -> &str {
        &self.points[0].link
    }

    fn leave(&self) {
        self.client.leave();
        wait_until(Duration::from_secs(1), "the client's route is gone", || {
            routed_by(self.ns(), CLIENT).is_none()
        });
    }
}

/// Requests of arpherd's for the address. They bear its mark behind the packet, which those of the kernel lack.
fn requests(capture: &Capture, target: Ipv4Addr) -> usize {
    const UNMARKED: usize = 14 + 28;
    let is_question = |it: &ArpFrame| it.is_request() && it.tpa == target && it.spa != target;
    let frames = capture.frames().into_iter().filter(|it| it.bytes.len() > UNMARKED);
    frames.filter_map(|it| it.arp()).filter(is_question).count()
}

#[harness::test]
fn wifi_radios_that_appear_later_are_picked_up() -> Result<()> {
    let (before, after) = when_radios_came();
    assert!(before, "it is said that there is no nl80211");
    assert!(after, "it is noticed that there is");
    Ok(())
}

/// Asked by ARP alone it would be missed after an hour.
#[harness::test]
fn wifi_a_client_that_leaves_is_withdrawn_within_a_second() -> Result<()> {
    let cafe = Cafe::new(1, SLOW_EXPIRY)?;
    assert_eq!(segment_row(&cafe.daemon, cafe.link())["wifi"], "ap");
    cafe.leave();
    wait_event(&cafe.daemon, "host_gone", |it| it["address"] == CLIENT.to_string());
    Ok(())
}

#[harness::test]
fn wifi_a_client_that_returns_is_asked_and_routed_before_it_speaks() -> Result<()> {
    let cafe = Cafe::new(1, EXPIRY)?;
    cafe.leave();
    let capture = Capture::start(cafe.ns(), cafe.link())?;
    cafe.client.come_back(2)?;
    wait_route(cafe.ns(), CLIENT, cafe.link());
    let is_from_client = |it: &ArpFrame| it.spa == CLIENT;
    let first = capture.arps().into_iter().find(is_from_client).expect("it was heard");
    assert!(!first.is_request() && first.tpa == home(1), "it only answered: {first:?}");
    echoes(&cafe.wired.ns, CLIENT);
    Ok(())
}

/// The wired host is as quiet as the client, and shows how often that would have been asked.
#[harness::test]
fn wifi_a_client_that_sleeps_is_not_asked_and_keeps_its_route() -> Result<()> {
    let cafe = Cafe::new(1, EXPIRY)?;
    echoes(&cafe.wired.ns, home(1));
    let (watch, capture) = (RouteWatch::start(cafe.ns())?, Capture::start(cafe.ns(), cafe.link())?);
    let cable = Capture::start(&cafe.wired.ns, "eth0")?;
    let before = requests(&capture, CLIENT);
    wait_until(2 * SOON, "the wired host was asked five times", || requests(&cable, cafe.wired.ip()) >= 5);
    assert_eq!(requests(&capture, CLIENT) - before, 0);
    let lost = watch.events().into_iter().find(|it| !it.is_new && it.route.dst.ip() == CLIENT);
    assert_eq!(lost, None);
    echoes(&cafe.wired.ns, CLIENT);
    Ok(())
}

#[harness::test]
fn wifi_a_client_that_went_to_another_access_point_of_ours_moves() -> Result<()> {
    let cafe = Cafe::new(2, EXPIRY)?;
    let cable = Capture::start(&cafe.wired.ns, "eth0")?;
    cafe.client.roam_to(&cafe.points[1])?;
    wait_route(cafe.ns(), CLIENT, &cafe.points[1].link);
    wait_event(&cafe.daemon, "host_moved", |it| it["address"] == CLIENT.to_string());
    let is_announced =
        |it: &arpherd_lab::Captured| it.arp().is_some_and(|it| it.spa == CLIENT && it.tpa == CLIENT);
    assert!(cable.wait_for(is_announced, SOON).is_some(), "the wired side is told");
    echoes(&cafe.wired.ns, CLIENT);
    Ok(())
}

#[harness::test]
fn wifi_a_station_that_comes_back_announces_what_it_answers_for() -> Result<()> {
    let point = AccessPoint::new(&namespace("router")?, "")?;
    point.ns.address(&point.link, &format!("{}/24", home(1)))?;
    let ns = namespace("laptop")?;
    let wired = wired(&ns)?;
    let station = Station::new(&ns, &point)?;
    ns.address(&station.link, &format!("{}/24", home(10)))?;
    let keys = [("expiry", EXPIRY)];
    let config = Config::of("192.168.1.0/24").segment("lan0", &keys).segment(&station.link, &keys);
    let daemon = config.start(&ns)?;
    assert_eq!(segment_row(&daemon, &station.link)["wifi"], "station");
    wired.announce()?;
    wait_route(&ns, wired.ip(), "lan0");
    let capture = Capture::start(&point.ns, &point.link)?;
    station.leave();
    station.come_back(2)?;
    let mac = station.mac()?;
    let is_announced = |it: &arpherd_lab::Captured| {
        it.arp().is_some_and(|it| it.spa == wired.ip() && it.tpa == wired.ip() && it.sha == mac)
    };
    assert!(
        capture.wait_for(is_announced, SOON).is_some(),
        "the access point is told where the wired host is"
    );
    Ok(())
}
