//! A gateway whose `source` lies outside of the domain's prefixes, as on the edges of providers and on /31 links. Some
//! hosts answer only who asks in its name, some only who asks in nobody's.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use arpherd_lab::{ArpFrame, Daemon, Host, Mac, Netns, Result, Segment, Wire};

use crate::rig::{
    Config, QUICK_EXPIRY, Rig, SOON, SUBNET, echoes, events, host_routes, ip, pass, routed_by, wait_route,
};

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// The common rig, where the router has no address of the subnet.
fn rig() -> Result<Rig> {
    let rig = Rig::new()?;
    for link in ["eth0", "eth1"] {
        rig.r.remove_address(link, &format!("{}/32", crate::rig::ROUTER))?;
        rig.r.address_noprefix(link, &format!("{SOURCE}/32"))?;
    }
    Ok(rig)
}

fn start(rig: &Rig, sweep: &str) -> Result<Daemon> {
    let source = SOURCE.to_string();
    let keys = [("source", source.as_str()), ("sweep", sweep), ("expiry", QUICK_EXPIRY)];
    let config = Config::of(SUBNET).segment("eth0", &keys).segment("eth1", &keys);
    config.start(&rig.r)
}

/// A host of the kernel that answers nobody to whom it has no route: requests in nobody's name alone.
fn strict(rig: &Rig, last: u8) -> Result<Host> {
    let host = rig.right(last)?;
    host.ns.set_sysctl("ipv4/conf/eth0/rp_filter", "1")?;
    let (_station, wire, mac) = station_on(&rig.right)?;
    let in_name = ArpFrame::request(mac, SOURCE, host.ip());
    assert!(wire.ask(&in_name, Duration::from_millis(300)).is_empty(), "it answers a sender without a route");
    let in_nobodys = ArpFrame::probe(mac, host.ip());
    assert!(wire.ask_one(&in_nobodys, SOON).is_some(), "it answers nobody");
    Ok(host)
}

/// A station without an address of its own.
fn station_on(segment: &Segment) -> Result<(Netns, Wire, Mac)> {
    let station = Netns::new("station")?;
    segment.plug(&station, "eth0")?;
    let (wire, mac) = (Wire::open(&station, "eth0")?, station.mac("eth0")?);
    Ok((station, wire, mac))
}

/// A device that answers requests in the source's name, and no address probes.
fn device(segment: &Segment, address: Ipv4Addr, asked_in_name: &AtomicBool, stop: &AtomicBool) -> Result<()> {
    let (_station, wire, mac) = station_on(segment)?;
    while !stop.load(Ordering::Relaxed) {
        let Some((frame, _)) = wire.recv(Duration::from_millis(50)) else { continue };
        if frame.is_request() && frame.tpa == address && frame.spa == SOURCE {
            wire.send(&ArpFrame::reply(mac, address, frame.sha, SOURCE))?;
            asked_in_name.store(true, Ordering::Relaxed);
        }
    }
    Ok(())
}

#[harness::test]
fn outside_source_finds_hosts_that_answer_only_nobody() -> Result<()> {
    let rig = rig()?;
    let (a, b) = (rig.left(10)?, strict(&rig, 20)?);
    let daemon = start(&rig, "off")?;
    assert!(events(&daemon, "config_warning").iter().any(|it| it["detail"].to_string().contains("outside")));
    // Nobody has said anything yet: the one is searched for when the other asks.
    echoes(&a.ns, b.ip());
    echoes(&b.ns, a.ip());
    let routes = host_routes(&rig.r);
    assert!(routes.len() == 2 && routes.iter().all(|route| route.source == Some(SOURCE)), "{routes:?}");
    // They are silent for the time in which they would be given up five times.
    pass(Duration::from_secs(5));
    assert_eq!(routed_by(&rig.r, b.ip()).as_deref(), Some("eth1"));
    assert!(events(&daemon, "host_gone").is_empty(), "{}", daemon.log());
    Ok(())
}

#[harness::test]
fn outside_source_finds_hosts_that_answer_only_its_name() -> Result<()> {
    let rig = rig()?;
    let (asked, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let device = scope.spawn(|| device(&rig.right, ip(21), &asked, &stop));
        let served = (|| {
            let daemon = start(&rig, "{ interval: 1s, rate: 2000 }")?;
            wait_route(&rig.r, ip(21), "eth1");
            pass(Duration::from_secs(3));
            assert_eq!(routed_by(&rig.r, ip(21)).as_deref(), Some("eth1"));
            assert!(events(&daemon, "host_gone").is_empty(), "{}", daemon.log());
            Ok(())
        })();
        stop.store(true, Ordering::Relaxed);
        device.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(served)
    })?;
    assert!(asked.load(Ordering::Relaxed));
    Ok(())
}

#[harness::test]
fn outside_source_sweeps_in_nobodys_name_too() -> Result<()> {
    let rig = rig()?;
    let silent = strict(&rig, 22)?;
    let _daemon = start(&rig, "{ interval: 1s, rate: 2000 }")?;
    wait_route(&rig.r, silent.ip(), "eth1");
    Ok(())
}
