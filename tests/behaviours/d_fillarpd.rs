//! In place of fillarpd: one address shared by several links, its routes, its flags and variables.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{
    ArpFrame, Capture, Daemon, Launch, Mac, NeighbourTimers, Netns, Result, RouteWatch, wait_until,
};

use crate::d_discovery::crowd_on;
use crate::rig::{
    Config, PROTOCOL, ROUTER, Rig, SOON, binary, host_routes, introduce, ip, routed_by, wait_route,
};

const SECOND: Duration = Duration::from_secs(1);
const LINK_SCOPE: u8 = 253;
const MAIN: u32 = 254;

/// Two hosts a side, known; every ordered pair and the router reach each other.
fn all_pairs(rig: &Rig) -> Result<()> {
    let hosts = [rig.left(10)?, rig.left(11)?, rig.right(20)?, rig.right(21)?];
    rig.use_kernel_timers(&hosts.each_ref())?;
    for (host, link) in hosts.iter().zip(["eth0", "eth0", "eth1", "eth1"]) {
        introduce(host, &rig.r, link)?;
    }
    for from in &hosts {
        for to in hosts.iter().map(arpherd_lab::Host::ip).chain([ROUTER]).filter(|to| *to != from.ip()) {
            assert_eq!(from.ns.ping(to, 3, SECOND / 50, SECOND).received, 3, "{} to {to}", from.ip());
        }
        assert_eq!(rig.r.ping(from.ip(), 3, SECOND / 50, SECOND).received, 3, "the router to {}", from.ip());
    }
    Ok(())
}

#[harness::test]
fn d4_one_address_shared_by_two_links_serves_all_pairs() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    all_pairs(&rig)
}

#[harness::test]
fn d5_routes_bear_link_scope_and_source() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let _daemon = Config::common().start(&rig.r)?;
    for (host, link) in [(&a, "eth0"), (&b, "eth1")] {
        introduce(host, &rig.r, link)?;
        is_ours(&rig.r, host.ip(), link);
    }
    Ok(())
}

/// The kernel has exactly one route to the host, with every field as it is to be.
fn is_ours(ns: &Netns, ip: Ipv4Addr, link: &str) {
    let routes = ns.routes_to(ip);
    let fields = |route: &arpherd_lab::Route| {
        (
            route.dev.clone(),
            route.scope,
            route.source,
            route.protocol,
            route.table,
            route.metric,
            route.gateway,
        )
    };
    let expected = (Some(link.to_owned()), LINK_SCOPE, Some(ROUTER), PROTOCOL, MAIN, 50, None);
    assert_eq!(routes.iter().map(fields).collect::<Vec<_>>(), [expected]);
}

#[harness::test]
fn d5_protocol_table_and_metric_are_the_operators_choice() -> Result<()> {
    let rig = Rig::new()?;
    let a = rig.left(10)?;
    let mut daemon =
        Config::common().top("routes: { protocol: 200, table: 300, metric: 7 }").start(&rig.r)?;
    a.announce()?;
    wait_until(SOON, "a route", || !rig.r.routes_to(a.ip()).is_empty());
    let routes = rig.r.routes_to(a.ip());
    let fields = |route: &arpherd_lab::Route| (route.protocol, route.table, route.metric);
    assert_eq!(routes.iter().map(fields).collect::<Vec<_>>(), [(200, 300, 7)]);
    daemon.terminate();
    assert_eq!(rig.r.routes().iter().filter(|route| route.protocol == 200).count(), 0);
    Ok(())
}

/// Senders of whom nothing may be learned in 10.9.0.0/24.
fn outsiders() -> [Ipv4Addr; 11] {
    let at = Ipv4Addr::new;
    [
        at(172, 16, 9, 9),
        at(10, 9, 1, 7),
        at(0, 0, 0, 0),
        at(0, 9, 0, 7),
        at(169, 254, 1, 1),
        at(127, 0, 0, 9),
        at(224, 0, 0, 5),
        at(255, 255, 255, 255),
        ROUTER,
        ip(0),
        ip(255),
    ]
}

#[harness::test]
fn d7_only_what_lies_in_the_network_is_learned() -> Result<()> {
    let rig = Rig::new()?;
    let a = rig.left(10)?;
    let _daemon = Config::common().start(&rig.r)?;
    outsiders_are_not_learned(&rig, &a)
}

fn outsiders_are_not_learned(rig: &Rig, host: &arpherd_lab::Host) -> Result<()> {
    let watch = RouteWatch::start(&rig.r)?;
    let wire = host.wire()?;
    for (number, sender) in (1..).zip(outsiders()) {
        let mac = Mac([2, 0, 0, 0, 9, number]);
        wire.send(&ArpFrame::request(mac, sender, ROUTER))?;
        wire.send(&ArpFrame::reply(mac, sender, rig.mac("eth0"), ROUTER))?;
        wire.send(&ArpFrame::gratuitous(mac, sender))?;
        wire.send(&ArpFrame::gratuitous_reply(mac, sender))?;
    }
    // What is said after that is dealt with after that.
    wire.send(&ArpFrame::gratuitous(Mac([2, 0, 0, 0, 9, 60]), ip(60)))?;
    assert!(watch.wait_for(|event| event.route.dst.ip() == ip(60), SOON).is_some());
    let learned = watch.events().into_iter().filter(|event| event.route.protocol == PROTOCOL);
    // A sweep may have found the host itself.
    let others = learned.map(|event| event.route.dst.ip()).filter(|learned| *learned != host.ip());
    assert_eq!(others.collect::<Vec<_>>(), [ip(60)]);
    Ok(())
}

#[harness::test]
fn d8_what_the_daemon_says_itself_is_not_learned() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    rig.use_kernel_timers(&[&a, &b])?;
    let _daemon = Config::common().start(&rig.r)?;
    let watch = RouteWatch::start(&rig.r)?;
    let captures = [Capture::start(&rig.r, "eth0")?, Capture::start(&rig.r, "eth1")?];
    assert_eq!(a.ns.ping(b.ip(), 3, SECOND / 50, SECOND).received, 3);
    // A switch with a loop, or a hub, brings the daemon's own frames back: to where they were sent, and over
    // the other link.
    let own: Vec<ArpFrame> = captures
        .iter()
        .flat_map(Capture::arps)
        .filter(|arp| [rig.mac("eth0"), rig.mac("eth1")].contains(&arp.sha))
        .collect();
    assert!(own.iter().any(|arp| arp.is_reply() && arp.spa == b.ip()), "it answered for B: {own:?}");
    for wire in [a.wire()?, b.wire()?] {
        for arp in &own {
            wire.send(arp)?;
        }
    }
    let c = rig.left(11)?;
    c.announce()?;
    assert!(watch.wait_for(|event| event.route.dst.ip() == c.ip(), SOON).is_some());
    introduce(&b, &rig.r, "eth1")?;
    let home = |ip: Ipv4Addr| if ip == b.ip() { "eth1" } else { "eth0" };
    let events = watch.events().into_iter().filter(|event| event.route.protocol == PROTOCOL && event.is_new);
    let strange: Vec<_> =
        events.filter(|event| event.route.dev.as_deref() != Some(home(event.route.dst.ip()))).collect();
    assert_eq!(strange, []);
    Ok(())
}

/// arpherd on `eth0` without a file.
fn bare(rig: &Rig) -> Launch {
    Launch::new(&rig.r, binary()).args(&["run", "--log-format", "json", "--log-level", "debug"])
}

#[harness::test]
fn d9_flags_alone_make_a_fillarpd() -> Result<()> {
    is_a_fillarpd(|rig| {
        bare(rig).args(&["-i", "eth0", "-s", "10.9.0.1", "-n", "10.9.0.0/26", "-t", "1", "-j", "8"])
    })?;
    is_a_fillarpd(|rig| {
        let one = ["--interface", "eth0", "--sourceip", "10.9.0.1", "--network", "10.9.0.0/26"];
        bare(rig).args(&one).args(&["--sweepinterval", "1s", "--threads", "8"])
    })
}

#[harness::test]
fn d9_variables_alone_make_a_fillarpd() -> Result<()> {
    is_a_fillarpd(|rig| {
        bare(rig)
            .env("INTERFACE", "eth0")
            .env("SOURCE_IP", "10.9.0.1")
            .env("NETWORK", "10.9.0.0/26")
            .env("SWEEP_INTERVAL", "1")
            .env("THREADS", "8")
    })
}

#[harness::test]
fn d9_flags_win_over_variables() -> Result<()> {
    is_a_fillarpd(|rig| {
        bare(rig)
            .args(&["-i", "eth0", "--threads", "8", "-t", "1"])
            .env("INTERFACE", "eth1")
            .env("SOURCE_IP", "10.9.0.1")
            .env("NETWORK", "10.9.0.9/26")
            .env("SWEEP_INTERVAL", "3600")
            .env("THREADS", "4096")
    })
}

/// D1, D2, D5, D7 and D10 hold for what this starts.
fn is_a_fillarpd(launch: impl Fn(&Rig) -> Launch) -> Result<()> {
    let rig = Rig::new()?;
    let crowd = crowd_on(&rig.left, (11..=50).map(ip).collect())?;
    crowd.delay(SECOND / 20);
    let _daemon = launch(&rig).start()?;
    let routed = |last: u8| routed_by(&rig.r, ip(last)).is_some();
    wait_until(SOON, "the first sweep finds the mute", || (11..=50).all(routed));
    is_ours(&rig.r, ip(11), "eth0");
    assert!((2..=8).contains(&crowd.max_outstanding()), "{} in flight", crowd.max_outstanding());
    crowd.wake(ip(51));
    wait_until(SOON, "a later sweep finds the new one", || routed(51));
    outsiders_are_not_learned(&rig, &rig.left(10)?)?;
    assert!(host_routes(&rig.r).iter().all(|route| route.dev.as_deref() == Some("eth0")));
    Ok(())
}

/// fillarpd's own way: one process a link, and the kernel answers.
#[harness::test]
fn d9_two_of_them_share_one_address_beside_the_kernels_proxy() -> Result<()> {
    let rig = Rig::new()?;
    let start = |link: &str| -> Result<Daemon> {
        rig.r.set_sysctl(&format!("ipv4/conf/{link}/forwarding"), "1")?;
        rig.r.set_sysctl(&format!("ipv4/conf/{link}/proxy_arp"), "1")?;
        let at_once = NeighbourTimers { proxy_delay: Some(Duration::ZERO), ..NeighbourTimers::default() };
        rig.r.neighbour_timers(link, at_once)?;
        bare(&rig).args(&["-i", link, "-s", "10.9.0.1", "-n", "10.9.0.0/24"]).start()
    };
    let (mut left, _right) = (start("eth0")?, start("eth1")?);
    all_pairs(&rig)?;
    left.terminate();
    // What the other one has stays, its covering route too.
    wait_until(SOON, "only the left's routes are gone", || routed_by(&rig.r, ip(10)).is_none());
    wait_route(&rig.r, ip(20), "eth1");
    assert!(host_routes(&rig.r).iter().all(|route| route.dev.as_deref() == Some("eth1")));
    wait_until(SOON, "nobody else is reached by another way", || rig.r.route_get(ip(99)).is_none());
    Ok(())
}

#[harness::test]
fn d10_threads_bound_the_probes_in_flight() -> Result<()> {
    for (threads, bound, delay) in [("1", 1, 20), ("8", 8, 40), ("32", 32, 100)] {
        let rig = Rig::new()?;
        let crowd = crowd_on(&rig.left, (2..63).map(ip).collect())?;
        crowd.delay(Duration::from_millis(delay));
        let _daemon =
            bare(&rig).args(&["-i", "eth0", "-s", "10.9.0.1", "-n", "10.9.0.0/26", "-j", threads]).start()?;
        wait_until(SOON, "all of them routed", || host_routes(&rig.r).len() == 61);
        let most = crowd.max_outstanding();
        assert!(most <= bound && most > bound / 2, "{most} in flight with {threads} threads");
    }
    Ok(())
}
