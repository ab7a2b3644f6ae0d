//! B6: what the kernel's proxy_arp answers because it has some route is not answered, unless `answer: routed`
//! says so; and then only what its route leads to another interface.
//!
//! ```text
//!   A .10 ── eth0 [ R ] eth1 ── B .20
//!                   │ wan, the default route: world 203.0.113.254, 1.1.1.1, 169.254.9.9
//! ```

use std::net::Ipv4Addr;

use arpherd_lab::{ArpFrame, Host, Result, RouteKind, RouteSpec, Segment, wait_until};

use crate::rig::{
    A_WHILE, Config, ROUTER, Rig, SLOW_EXPIRY, SOON, SUBNET, echoes, introduce, ip, routed_by, wait_event,
    wait_route,
};

/// The address of R on the third link, which is in no domain.
pub(crate) const WAN: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub(crate) const ONES: Ipv4Addr = Ipv4Addr::new(1, 1, 1, 1);
pub(crate) const LINK_LOCAL: Ipv4Addr = Ipv4Addr::new(169, 254, 9, 9);
/// Led back to where the request comes from.
pub(crate) const BACK: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// Led nowhere.
pub(crate) const NOWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
/// Led nowhere, without an ICMP error.
pub(crate) const HOLE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 7);

/// Gives the router of the rig a route to the world, and routes of every kind.
pub(crate) fn open_the_world(rig: &Rig) -> Result<Host> {
    let wan = Segment::new("wan")?;
    wan.plug(&rig.r, "wan")?;
    rig.r.address("wan", &format!("{WAN}/24"))?;
    rig.r.set_sysctl("ipv4/conf/wan/forwarding", "1")?;
    let mut world = Host::new("world", "203.0.113.254/24")?;
    world.attach_to(&wan)?;
    for address in [ONES, LINK_LOCAL] {
        world.ns.address("lo", &format!("{address}/32"))?;
    }
    world.gateway(WAN)?;
    rig.r.route("default", Some(world.ip()), None)?;
    lead_back(rig)?;
    rig.r.add_route(&RouteSpec::to("192.0.2.0/24")?.kind(RouteKind::Unreachable))?;
    rig.r.add_route(&RouteSpec::to("198.18.0.0/15")?.kind(RouteKind::Blackhole))?;
    Ok(world)
}

/// A route that leads back to where requests come from.
pub(crate) fn lead_back(rig: &Rig) -> Result<()> {
    rig.r.route("198.51.100.0/24", None, Some("eth0"))
}

/// How many answers the host's request for the address gets; every one must name the router's link.
fn answers(rig: &Rig, host: &Host, link: &str, target: Ipv4Addr) -> Result<usize> {
    let answers = host.wire()?.ask(&host.request(target), A_WHILE / 2);
    let expected = ArpFrame::reply(rig.mac(link), target, host.mac(), host.ip());
    assert!(answers.iter().all(|answer| *answer == expected), "{answers:?}");
    Ok(answers.len())
}

fn answered(rig: &Rig, host: &Host, link: &str, expected: &[(Ipv4Addr, usize)]) -> Result<()> {
    for (target, count) in expected {
        assert_eq!(answers(rig, host, link, *target)?, *count, "{} asks for {target}", host.ip());
    }
    Ok(())
}

/// Addresses that are nobody's, whatever routes say.
fn nobodys() -> Vec<(Ipv4Addr, usize)> {
    let special = [[0, 0, 0, 0], [0, 1, 2, 3], [127, 0, 0, 1], [224, 0, 0, 1], [240, 0, 0, 1], [255; 4]];
    let edges = [ip(0), ip(255)];
    special.into_iter().map(Ipv4Addr::from).chain(edges).map(|address| (address, 0)).collect()
}

fn mode(eth0: &str) -> Config {
    Config::of(SUBNET)
        .segment("eth0", &[("answer", eth0), ("expiry", SLOW_EXPIRY)])
        .segment("eth1", &[("expiry", SLOW_EXPIRY)])
}

#[harness::test]
fn b6_what_only_some_route_leads_to_is_not_answered_by_default() -> Result<()> {
    let rig = Rig::new()?;
    let _world = open_the_world(&rig)?;
    // As fillarpd left it; with this the kernel would claim everything.
    for scope in ["all", "eth0", "eth1"] {
        rig.r.set_sysctl(&format!("ipv4/conf/{scope}/proxy_arp"), "1")?;
    }
    let _daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let expected: Vec<_> =
        [ONES, LINK_LOCAL, BACK, NOWHERE, HOLE, ip(77)].map(|address| (address, 0)).into_iter().collect();
    for (host, link) in [(&a, "eth0"), (&b, "eth1")] {
        answered(&rig, host, link, &expected)?;
        answered(&rig, host, link, &nobodys())?;
    }
    // The rig can answer at all.
    answered(&rig, &a, "eth0", &[(ROUTER, 1), (b.ip(), 1)])
}

#[harness::test]
fn b6_what_a_route_leads_elsewhere_is_answered_once_where_that_is_wanted() -> Result<()> {
    let rig = Rig::new()?;
    let world = open_the_world(&rig)?;
    let _daemon = mode("routed").start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    let elsewhere = [(ONES, 1), (LINK_LOCAL, 1), (world.ip(), 1), (Ipv4Addr::new(8, 8, 8, 8), 1)];
    answered(&rig, &a, "eth0", &elsewhere)?;
    answered(&rig, &a, "eth0", &[(BACK, 0), (NOWHERE, 0), (HOLE, 0), (ip(77), 0), (a.ip(), 0)])?;
    answered(&rig, &a, "eth0", &nobodys())?;
    // Its own addresses, on whatever link, are the kernel's to answer for: once, not twice.
    answered(&rig, &a, "eth0", &[(ROUTER, 1), (WAN, 1)])?;
    // The other segment has another mode.
    answered(&rig, &b, "eth1", &elsewhere.map(|(address, _)| (address, 0)))
}

#[harness::test]
fn b6_routed_answers_follow_the_routes_as_they_change() -> Result<()> {
    let rig = Rig::new()?;
    let world = open_the_world(&rig)?;
    let _daemon = mode("routed").start(&rig.r)?;
    let a = rig.left(10)?;
    answered(&rig, &a, "eth0", &[(ONES, 1)])?;
    let default = RouteSpec::to("default")?.via(world.ip());
    rig.r.delete_route(&default)?;
    answered(&rig, &a, "eth0", &[(ONES, 0)])?;
    rig.r.add_route(&RouteSpec::to("1.1.1.0/24")?.via(world.ip()))?;
    answered(&rig, &a, "eth0", &[(ONES, 1), (LINK_LOCAL, 0)])?;
    rig.r.add_route(&RouteSpec::to("1.1.1.1/32")?.dev("eth0"))?;
    answered(&rig, &a, "eth0", &[(ONES, 0)])?;
    // What comes in by eth0 is led by a table of its own.
    rig.r.add_route(&RouteSpec::to("1.1.1.1/32")?.dev("wan").table(100))?;
    rig.r.rule("eth0", 100)?;
    answered(&rig, &a, "eth0", &[(ONES, 1)])
}

/// "ip route add default dev eth0" is all that such hosts know.
#[harness::test]
fn b6_hosts_without_a_gateway_reach_the_world_by_routed_answers() -> Result<()> {
    let rig = Rig::new()?;
    let world = open_the_world(&rig)?;
    let _daemon = mode("routed").start(&rig.r)?;
    let a = rig.left(10)?;
    a.ns.route("default", None, Some("eth0"))?;
    echoes(&a.ns, ONES);
    echoes(&a.ns, LINK_LOCAL);
    echoes(&a.ns, world.ip());
    let believed = a.ns.neighbours().into_iter().find(|entry| entry.address == ONES);
    assert_eq!(believed.and_then(|entry| entry.mac()), Some(rig.mac("eth0")));
    Ok(())
}

#[harness::test]
fn b6_live_hosts_are_answered_for_in_routed_mode_as_in_any() -> Result<()> {
    let rig = Rig::new()?;
    let _world = open_the_world(&rig)?;
    let _daemon = mode("routed").start(&rig.r)?;
    let (a, c, b) = (rig.left(10)?, rig.left(11)?, rig.right(20)?);
    // Mute and unknown: found by a search, answered for once.
    answered(&rig, &a, "eth0", &[(b.ip(), 1)])?;
    introduce(&c, &rig.r, "eth0")?;
    let by_itself = ArpFrame::reply(c.mac(), c.ip(), a.mac(), a.ip());
    assert_eq!(a.wire()?.ask(&a.request(c.ip()), A_WHILE), [by_itself]);
    assert_eq!(a.wire()?.ask(&ArpFrame::gratuitous(b.mac(), b.ip()), A_WHILE), [], "it is carried over");
    Ok(())
}

#[harness::test]
fn b6_where_answering_is_off_nobody_is_answered_though_all_is_learned() -> Result<()> {
    let rig = Rig::new()?;
    let _world = open_the_world(&rig)?;
    let _daemon = mode("off").start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    answered(&rig, &a, "eth0", &[(b.ip(), 0), (ip(77), 0), (ONES, 0), (ROUTER, 1)])?;
    answered(&rig, &b, "eth1", &[(a.ip(), 1)])?;
    // The kernel was not left to do it.
    for link in ["eth0", "eth1", "all"] {
        assert_eq!(rig.r.sysctl(&format!("ipv4/conf/{link}/proxy_arp"))?, "0", "{link}");
    }
    // Who has the route of its own goes through all the same.
    a.ns.add_route(&RouteSpec::to(&b.ip().to_string())?.via(ROUTER))?;
    echoes(&a.ns, b.ip());
    Ok(())
}

#[harness::test]
fn b6_what_is_never_to_be_answered_is_not() -> Result<()> {
    let rig = Rig::new()?;
    let world = open_the_world(&rig)?;
    let keys =
        [("answer", "routed"), ("never", "[1.1.1.0/24, 10.9.0.20, 10.9.0.30]"), ("expiry", SLOW_EXPIRY)];
    let _daemon = Config::of(SUBNET)
        .segment("eth0", &keys)
        .segment("eth1", &[("expiry", SLOW_EXPIRY)])
        .start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&b, &rig.r, "eth1")?;
    answered(&rig, &a, "eth0", &[(ONES, 0), (b.ip(), 0), (world.ip(), 1)])?;
    // Nor is it learned there; elsewhere it is.
    let stray = rig.left(30)?;
    stray.announce()?;
    introduce(&a, &rig.r, "eth0")?; // dealt with after it
    assert_eq!(routed_by(&rig.r, stray.ip()), None);
    assert_eq!(answers(&rig, &b, "eth1", stray.ip())?, 0);
    answered(&rig, &b, "eth1", &[(a.ip(), 1)])
}

#[harness::test]
fn b6_static_host_is_answered_for_though_it_never_speaks() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b, thief) = (rig.left(10)?, rig.right(40)?, rig.left(66)?);
    b.silence(true)?;
    let hosts = format!("{{ {}: \"{}\" }}", b.ip(), b.mac());
    let daemon =
        Config::of(SUBNET).segment("eth0", &[]).segment("eth1", &[("hosts", &hosts)]).start(&rig.r)?;
    wait_route(&rig.r, b.ip(), "eth1");
    answered(&rig, &a, "eth0", &[(b.ip(), 1)])?;
    // It answers no ARP; the router need not ask.
    b.ns.add_neighbour(&b.ifname, a.ip(), rig.mac("eth1"))?;
    echoes(&a.ns, b.ip());
    thief.wire()?.send(&ArpFrame::gratuitous(thief.mac(), b.ip()))?;
    let event =
        wait_event(&daemon, "pin_violated", |event| event["claimant_lladdr"] == thief.mac().to_string());
    assert_eq!(event["address"], b.ip().to_string());
    // Twice the time in which any other silent host is given up.
    let known = || daemon.cli(&["status"])["uptime_seconds"].as_u64().is_some_and(|seconds| seconds >= 2);
    wait_until(SOON, "two seconds are over", known);
    assert_eq!(routed_by(&rig.r, b.ip()).as_deref(), Some("eth1"));
    answered(&rig, &a, "eth0", &[(b.ip(), 1)])
}
