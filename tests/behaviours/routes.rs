//! The kernel's tables: what arpherd puts there and puts back, and what it leaves alone.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{
    ArpFrame, Capture, Crowd, Host, Mac, Netns, Result, Route, RouteKind, RouteSpec, wait_until,
};
use serde_json::Value;

use crate::rig::{
    A_WHILE, Config, PROTOCOL, ROUTER, Rig, SLOW_EXPIRY, SOON, SUBNET, events, host_routes, introduce, ip,
    wait_event, wait_route,
};

const SECOND: Duration = Duration::from_secs(1);
/// `RTPROT_STATIC`
const STATIC: u8 = 4;

#[harness::test]
fn routes_that_somebody_deletes_come_back() -> Result<()> {
    let rig = Rig::new()?;
    let crowd = crate::d_discovery::crowd_on(&rig.right, vec![])?;
    let daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    for last in 10..60 {
        crowd.speak(ip(last))?;
    }
    wait_until(SOON, "fifty routes", || host_routes(&rig.r).len() == 50);
    let before = host_routes(&rig.r);
    for route in &before {
        rig.r.delete_route(&RouteSpec::from(route))?;
    }
    wait_until(SOON, "the same fifty routes", || host_routes(&rig.r) == before);
    wait_event(&daemon, "route_healed", |event| event["address"] == ip(59).to_string());
    Ok(())
}

#[harness::test]
fn a_route_that_somebody_bends_in_our_name_is_put_right() -> Result<()> {
    let rig = Rig::new()?;
    let host = rig.right(20)?;
    let _daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    introduce(&host, &rig.r, "eth1")?;
    let before = rig.r.routes_to(host.ip());
    rig.r.replace_route(&RouteSpec { dev: Some("eth0".to_owned()), ..RouteSpec::from(&before[0]) })?;
    wait_until(SOON, "our route as it was", || rig.r.routes_to(host.ip()) == before);
    Ok(())
}

/// A foreign route to 10.9.0.20, by `link`.
fn foreign(link: &str, metric: u32) -> RouteSpec {
    RouteSpec::to("10.9.0.20").expect("an address").dev(link).protocol(STATIC).metric(metric)
}

/// While the foreign route stands, it alone stands, whatever its host says, and that is reported; once it
/// goes, ours is there.
fn gives_way(rig: &Rig, host: &Host, daemon: &arpherd_lab::Daemon, spec: &RouteSpec) -> Result<()> {
    let alone = || rig.r.routes_to(host.ip()).iter().all(|route| route.protocol == STATIC);
    wait_until(SOON, "only the foreign route", alone);
    let theirs = rig.r.routes_to(host.ip());
    assert_eq!(theirs.len(), 1, "{theirs:?}");
    let event = wait_event(daemon, "route_conflict", |event| event["address"] == host.ip().to_string());
    assert_eq!((&event["protocol"], &event["metric"]), (&Value::from(STATIC), &Value::from(spec.metric)));
    host.announce()?;
    // Long enough for the daemon to ask the host anew, and to get its answer.
    let capture = Capture::start(&host.ns, &host.ifname)?;
    assert!(capture.wait_for(|_| false, A_WHILE).is_none());
    assert_eq!(rig.r.routes_to(host.ip()), theirs);
    let rows = daemon.cli(&["routes"]);
    let row =
        rows.as_array().and_then(|rows| rows.iter().find(|row| row["address"] == host.ip().to_string()));
    assert_eq!(row.map(|row| &row["state"]), Some(&Value::from("conflict")), "{rows}");
    rig.r.delete_route(spec)?;
    wait_route(&rig.r, host.ip(), "eth1");
    assert_eq!(rig.r.routes_to(host.ip()).len(), 1);
    Ok(())
}

const METRICS: [u32; 3] = [10, 50, 100];

#[harness::test]
fn a_foreign_route_that_was_there_first_is_left_alone() -> Result<()> {
    for metric in METRICS {
        let rig = Rig::new()?;
        let host = rig.right(20)?;
        let spec = foreign("eth1", metric);
        rig.r.add_route(&spec)?;
        let daemon = Config::common().start(&rig.r)?;
        host.announce()?;
        gives_way(&rig, &host, &daemon, &spec)?;
    }
    Ok(())
}

#[harness::test]
fn a_foreign_route_beside_ours_makes_ours_go() -> Result<()> {
    for metric in [10, 100] {
        let rig = Rig::new()?;
        let host = rig.right(20)?;
        let daemon = Config::common().start(&rig.r)?;
        introduce(&host, &rig.r, "eth1")?;
        let spec = foreign("eth1", metric);
        rig.r.add_route(&spec)?;
        gives_way(&rig, &host, &daemon, &spec)?;
    }
    Ok(())
}

#[harness::test]
fn a_foreign_route_in_place_of_ours_is_left_alone() -> Result<()> {
    let rig = Rig::new()?;
    let host = rig.right(20)?;
    let daemon = Config::common().start(&rig.r)?;
    introduce(&host, &rig.r, "eth1")?;
    let spec = foreign("eth1", 50);
    rig.r.replace_route(&spec)?;
    gives_way(&rig, &host, &daemon, &spec)
}

#[harness::test]
fn nobody_is_answered_for_whom_a_foreign_route_sends_elsewhere() -> Result<()> {
    let rig = Rig::new()?;
    let (requester, host) = (rig.left(10)?, rig.right(20)?);
    let daemon = Config::common().start(&rig.r)?;
    introduce(&host, &rig.r, "eth1")?;
    let wire = requester.wire()?;
    let answered = || wire.ask_one(&requester.request(host.ip()), A_WHILE / 3).is_some();
    assert!(answered());
    // By the way the host is on, it is still reached.
    rig.r.add_route(&foreign("eth1", 10))?;
    wait_event(&daemon, "route_conflict", |_| true);
    assert!(answered());
    rig.r.delete_route(&foreign("eth1", 10))?;
    wait_route(&rig.r, host.ip(), "eth1");
    let blackhole = RouteSpec { dev: None, kind: RouteKind::Blackhole, ..foreign("", 10) };
    for (count, elsewhere) in (2..).zip([foreign("eth0", 10), blackhole]) {
        rig.r.add_route(&elsewhere)?;
        wait_until(SOON, "another conflict", || events(&daemon, "route_conflict").len() == count);
        assert!(!answered());
        rig.r.delete_route(&elsewhere)?;
        wait_route(&rig.r, host.ip(), "eth1");
        assert!(answered());
    }
    Ok(())
}

/// The routes to the whole subnet.
fn covers(ns: &Netns) -> Vec<Route> {
    ns.routes().into_iter().filter(|route| route.dst.to_string() == SUBNET).collect()
}

#[harness::test]
fn addresses_nobody_has_do_not_follow_the_default_route() -> Result<()> {
    let rig = Rig::new()?;
    let way = || rig.r.route_get(ip(99)).and_then(|route| route.dev);
    rig.r.dummy("wan")?;
    rig.r.up("wan")?;
    rig.r.address("wan", "192.0.2.1/24")?;
    rig.r.route("default", None, Some("wan"))?;
    assert_eq!(way().as_deref(), Some("wan"));
    let mut daemon = Config::common().start(&rig.r)?;
    assert_eq!(way(), None);
    let cover = covers(&rig.r);
    let fields = |route: &Route| (route.kind, route.protocol, route.dev.clone());
    assert_eq!(cover.iter().map(fields).collect::<Vec<_>>(), [(RouteKind::Unreachable, PROTOCOL, None)]);
    rig.r.delete_route(&RouteSpec::from(&cover[0]))?;
    wait_until(SOON, "the covering route again", || covers(&rig.r) == cover);
    // Its place is the last: a route of the operator's own, of any metric, goes before it.
    let own = RouteSpec::to(SUBNET)?.dev("wan").protocol(STATIC).metric(4_000_000_000);
    rig.r.add_route(&own)?;
    assert_eq!(way().as_deref(), Some("wan"));
    assert!(daemon.terminate().success());
    assert_eq!(covers(&rig.r).iter().map(|route| route.protocol).collect::<Vec<_>>(), [STATIC]);
    Ok(())
}

/// At the default of 1,024 entries the kernel would refuse most of these, and its own from then on.
#[harness::test]
fn four_thousand_hosts_do_not_overflow_the_neighbour_table() -> Result<()> {
    let rig = Rig::new()?;
    let (requester, bystander) = (wide_host("a", "10.9.0.10/16", &rig)?, Host::new("x", "192.0.2.2/24")?);
    let mgmt = arpherd_lab::Segment::new("mgmt")?;
    mgmt.plug(&rig.r, "eth2")?;
    rig.r.address("eth2", "192.0.2.1/24")?;
    let mut bystander = bystander;
    bystander.attach_to(&mgmt)?;
    let ns = Netns::new("crowd")?;
    rig.right.plug(&ns, "eth0")?;
    let number = |number: u32| Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 9, 16, 0)) + number);
    let crowd = Crowd::start(&ns, "eth0", vec![])?;
    // Else the router's kernel asks for itself, after a second or two, whether they are still there.
    rig.use_kernel_timers(&[])?;
    let keys = [("expiry", SLOW_EXPIRY)];
    let config = Config::of("10.9.0.0/16").segment("eth0", &keys).segment("eth1", &keys);
    let mut daemon = config.start(&rig.r)?;
    introduce(&requester, &rig.r, "eth0")?;
    for host in 0..4000 {
        crowd.speak(number(host))?;
    }
    wait_until(2 * SOON, "4,000 routes", || host_routes(&rig.r).len() == 4001);
    let known = || rig.r.neighbours().iter().filter(|it| it.mac() == Some(Mac::of_crowd(it.address))).count();
    wait_until(SOON, "4,000 neighbours", || known() == 4000);
    // The first packet to each goes straight to it: nobody of the crowd is asked, or could answer a ping.
    let capture = Capture::start(&ns, "eth0")?;
    for host in (0..4000).step_by(100).map(number) {
        requester.ns.ping(host, 1, SECOND, Duration::ZERO);
        let to_it = |frame: &arpherd_lab::Captured| frame.bytes.starts_with(&Mac::of_crowd(host).0);
        assert!(capture.wait_for(to_it, SOON).is_some(), "{host}");
    }
    let asked = capture.arps().into_iter().filter(ArpFrame::is_request).collect::<Vec<_>>();
    assert_eq!(asked, []);
    // The kernel has room for its own neighbours.
    assert_eq!(rig.r.ping(bystander.ip(), 1, SECOND, SECOND).received, 1);
    assert_eq!(requester.ns.ping(ROUTER, 1, SECOND, SECOND).received, 1);
    assert!(daemon.terminate().success());
    assert_eq!((host_routes(&rig.r).len(), known()), (0, 0));
    Ok(())
}

fn wide_host(name: &str, address: &str, rig: &Rig) -> Result<Host> {
    let mut host = Host::new(name, address)?;
    host.attach_to(&rig.left)?;
    Ok(host)
}
