//! Routes of a fabric: hosts that live behind another gateway, known by a route that a routing daemon wrote.

use std::time::Duration;

use arpherd_lab::{ArpFrame, Capture, Result, RouteSpec, wait_until};

use crate::rig::{A_WHILE, Config, Rig, SLOW_EXPIRY, SOON, host_row, introduce, ip, wait_event, wait_route};

/// `RTPROT_BGP`
const BGP: u8 = 186;
const SECOND: Duration = Duration::from_secs(1);

fn config() -> Config {
    Config::common_with(&[("expiry", SLOW_EXPIRY)])
        .domain_key("fabric: { protocols: [bgp] }")
        .top("routes: { metric: 10 }")
}

/// A route of FRR's to 10.9.0.77, by a router on the right.
fn theirs() -> Result<RouteSpec> {
    Ok(RouteSpec::to("10.9.0.77")?.via(ip(20)).dev("eth1").protocol(BGP).metric(20))
}

#[harness::test]
fn fabric_host_is_answered_for_while_its_route_stands() -> Result<()> {
    let rig = Rig::new()?;
    let (a, router) = (rig.left(10)?, rig.right(20)?);
    let daemon = config().start(&rig.r)?;
    introduce(&router, &rig.r, "eth1")?;
    introduce(&a, &rig.r, "eth0")?;
    let (wire, target) = (a.wire()?, ip(77));
    assert_eq!(wire.ask(&a.request(target), A_WHILE), [], "nobody has it yet");
    // Who waits is answered when the route appears.
    let capture = Capture::start(&a.ns, &a.ifname)?;
    a.ask(target)?;
    rig.r.add_route(&theirs()?)?;
    let answer = ArpFrame::reply(rig.mac("eth0"), target, a.mac(), a.ip());
    assert!(capture.wait_for(|frame| frame.arp() == Some(answer), SOON).is_some());
    assert_eq!(wire.ask(&a.request(target), A_WHILE), [answer]);
    assert_eq!(router.wire()?.ask(&router.request(target), A_WHILE), [], "its own link needs no answer");
    let row = host_row(&daemon, target).expect("a row");
    assert_eq!((&row["state"], &row["next_hop"]), (&"remote".into(), &ip(20).to_string().into()));
    assert_eq!(daemon.cli(&["status"])["remote_hosts"], 1);
    rig.r.delete_route(&theirs()?)?;
    wait_until(SOON, "the host is gone with its route", || host_row(&daemon, target).is_none());
    assert_eq!(wire.ask(&a.request(target), A_WHILE), []);
    Ok(())
}

#[harness::test]
fn fabric_host_that_comes_here_is_routed_here_beside_the_route_and_one_that_leaves_is_not() -> Result<()> {
    let rig = Rig::new()?;
    let router = rig.right(20)?;
    let daemon = config().start(&rig.r)?;
    introduce(&router, &rig.r, "eth1")?;
    rig.r.add_route(&theirs()?)?;
    wait_until(SOON, "a remote host", || host_row(&daemon, ip(77)).is_some());
    let mover = rig.left(77)?;
    mover.announce()?;
    wait_route(&rig.r, mover.ip(), "eth0");
    assert_eq!(rig.r.routes_to(mover.ip()).len(), 2, "theirs stands");
    let moved = wait_event(&daemon, "host_moved", |event| event["address"] == mover.ip().to_string());
    assert_eq!((&moved["segment"], &moved["next_hop"]), (&"eth0".into(), &ip(20).to_string().into()));
    // Its old gateway withdraws its route. Then the host goes back, and the route is there again.
    rig.r.delete_route(&theirs()?)?;
    mover.silence(true)?;
    rig.r.add_route(&theirs()?)?;
    wait_until(SECOND * 2, "ours is withdrawn", || rig.r.routes_to(mover.ip()).len() == 1);
    wait_event(&daemon, "host_moved", |event| event["old_segment"] == "eth0");
    assert_eq!(host_row(&daemon, mover.ip()).expect("a row")["state"], "remote");
    Ok(())
}

#[harness::test]
fn fabric_routes_in_a_table_of_their_own_are_followed_and_covering_routes_stand_there() -> Result<()> {
    let rig = Rig::new()?;
    let (a, router) = (rig.left(10)?, rig.right(20)?);
    let config = Config::common_with(&[("expiry", SLOW_EXPIRY)])
        .domain_key("fabric: { protocols: [bgp] }")
        .top("routes: { fabric_table: 200 }");
    let daemon = config.start(&rig.r)?;
    introduce(&router, &rig.r, "eth1")?;
    introduce(&a, &rig.r, "eth0")?;
    let cover = |table| {
        let covers = rig.r.routes().into_iter().filter(|it| it.table == table && it.dst.prefix() == 24);
        covers.count()
    };
    assert_eq!((cover(254), cover(200)), (0, 1));
    rig.r.add_route(&theirs()?.table(200))?;
    wait_until(SOON, "a remote host", || host_row(&daemon, ip(77)).is_some());
    let answer = ArpFrame::reply(rig.mac("eth0"), ip(77), a.mac(), a.ip());
    assert_eq!(a.wire()?.ask(&a.request(ip(77)), A_WHILE), [answer]);
    // The kernel says nothing of routes that go with their interface.
    rig.r.down("eth1")?;
    wait_until(SOON, "the host is gone", || host_row(&daemon, ip(77)).is_none());
    Ok(())
}
