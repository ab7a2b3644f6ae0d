//! Two segments that somebody bridged, and two proxies on the same segments: no storm, no loop, and every host
//! stays where it is.

use std::time::Duration;

use arpherd_lab::{ArpFrame, Capture, Captured, Daemon, Host, Netns, Result, wait_until};
use serde_json::Value;

use crate::rig::{
    A_WHILE, Config, Rig, SLOW_EXPIRY, SOON, echoes, events, host_row, introduce, ip, pass, wait_event,
};

const SECOND: Duration = Duration::from_secs(1);
/// What an operator was promised. Two lost tests, 1.5 s apart, are enough for the daemon.
const SEPARATED: Duration = Duration::from_secs(6);

/// Lays a cable between the two switches.
fn join(rig: &Rig) -> Result<()> {
    rig.left.ns.veth("between", &rig.right.ns, "between")?;
    for segment in [&rig.left, &rig.right] {
        segment.ns.enslave("between", &segment.bridge)?;
        segment.ns.up("between")?;
    }
    [&rig.left, &rig.right].iter().try_for_each(|segment| segment.ns.wait_ready("between"))
}

fn answers(requester: &Host, target: &Host) -> Result<Vec<ArpFrame>> {
    Ok(requester.wire()?.ask(&requester.request(target.ip()), A_WHILE))
}

fn by_itself(target: &Host, requester: &Host) -> ArpFrame {
    ArpFrame::reply(target.mac(), target.ip(), requester.mac(), requester.ip())
}

#[harness::test]
fn joined_segments_are_noticed_and_nothing_is_proxied_between_them() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    let proxied = ArpFrame::reply(rig.mac("eth0"), b.ip(), a.mac(), a.ip());
    assert_eq!(answers(&a, &b)?, [proxied]);
    join(&rig)?;
    let wires = [Capture::start(&rig.r, "eth0")?, Capture::start(&rig.r, "eth1")?];
    // A request for nobody makes us ask; what we ask comes back on the other link.
    wait_until(SOON, "the joint is noticed", || {
        a.ask(ip(99)).is_ok() && !events(&daemon, "segments_bridged").is_empty()
    });
    assert_eq!(answers(&a, &b)?, [by_itself(&b, &a)], "they reach each other without us");
    assert_eq!(answers(&b, &a)?, [by_itself(&a, &b)]);
    // Quiet: our own frames are not answered with frames. Ten a second would be a lot.
    wires.iter().for_each(Capture::clear);
    pass(3 * SECOND);
    for wire in &wires {
        assert!(wire.arps().len() < 30, "{:#?}", wire.arps());
    }
    for host in [&a, &b] {
        assert_eq!(host_row(&daemon, host.ip()).expect("known")["lladdr"], host.mac().to_string());
    }
    rig.left.ns.delete("between")?;
    wait_until(SEPARATED, "they are two again", || !events(&daemon, "segments_separated").is_empty());
    assert_eq!(events(&daemon, "segments_bridged").len(), 1);
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    assert_eq!(answers(&a, &b)?, [proxied]);
    a.ns.forget_neighbour("eth0", b.ip()).ok();
    echoes(&a.ns, b.ip());
    Ok(())
}

#[harness::test]
fn joined_at_the_start_segments_are_noticed_as_well() -> Result<()> {
    let rig = Rig::new()?;
    join(&rig)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    // A sweep is the first thing that happens.
    let daemon = Config::common_with(&[("sweep", "{ interval: 1h }")]).start(&rig.r)?;
    let event = wait_event(&daemon, "segments_bridged", |_| true);
    let (one, other) = (event["segment"].as_str(), event["other_segment"].as_str());
    assert!([(Some("eth0"), Some("eth1")), (Some("eth1"), Some("eth0"))].contains(&(one, other)), "{event}");
    assert_eq!(answers(&a, &b)?, [by_itself(&b, &a)]);
    assert_eq!(answers(&b, &a)?, [by_itself(&a, &b)]);
    assert_eq!(events(&daemon, "duplicate_address"), Vec::<Value>::new());
    assert_eq!(events(&daemon, "host_moved"), Vec::<Value>::new());
    Ok(())
}

/// A second router `10.9.0.2` between the rig's switches.
pub(crate) fn second_router(rig: &Rig) -> Result<Netns> {
    let r = Netns::new("r2")?;
    for (segment, link) in [(&rig.left, "eth0"), (&rig.right, "eth1")] {
        segment.plug(&r, link)?;
        r.address_noprefix(link, "10.9.0.2/32")?;
    }
    Ok(r)
}

fn is_here(daemon: &Daemon, host: &Host, link: &str) -> bool {
    host_row(daemon, host.ip())
        .is_some_and(|row| row["segment"] == link && row["lladdr"] == host.mac().to_string())
}

/// ARP on both switches, as the routers sent it.
fn arps(captures: &[Capture]) -> Vec<ArpFrame> {
    let outgoing = |frame: Captured| frame.arp().filter(|_| frame.outgoing());
    captures.iter().flat_map(Capture::frames).filter_map(outgoing).collect()
}

#[harness::test]
fn peers_two_arpherds_on_the_same_segments_cause_no_storm() -> Result<()> {
    let rig = Rig::new()?;
    let second = second_router(&rig)?;
    let daemons = [Config::common().start(&rig.r)?, Config::common().start(&second)?];
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    for (host, link) in [(&a, "eth0"), (&b, "eth1")] {
        introduce(host, &rig.r, link)?;
        introduce(host, &second, link)?;
    }
    let captures: Vec<_> = [&rig.r, &second]
        .iter()
        .flat_map(|ns| ["eth0", "eth1"].map(|link| Capture::start(ns, link)))
        .collect::<Result<_>>()?;
    for (host, last) in [(&a, 98), (&b, 99), (&a, 20), (&b, 10)] {
        host.ask(ip(last))?;
    }
    for daemon in &daemons {
        wait_event(daemon, "proxy_found", |event| event["sign"] == "mark");
    }
    pass(2 * SECOND); // a storm would have begun; what one request takes is over
    captures.iter().for_each(Capture::clear);
    pass(3 * SECOND);
    // Two hosts that are quiet for 400 ms are asked on, by two routers: some 15 requests a second.
    let background = arps(&captures);
    assert!(background.len() < 120, "{} frames: {background:#?}", background.len());
    let about = |last| background.iter().filter(|arp| [arp.tpa, arp.spa].contains(&ip(last))).count();
    assert_eq!([about(98), about(99)], [0, 0], "nobody goes on asking for who is not there");
    for daemon in &daemons {
        assert!(is_here(daemon, &a, "eth0") && is_here(daemon, &b, "eth1"), "{}", daemon.cli(&["hosts"]));
        assert_eq!(events(daemon, "host_moved"), Vec::<Value>::new());
        assert_eq!(events(daemon, "duplicate_address"), Vec::<Value>::new());
    }
    echoes(&a.ns, b.ip());
    echoes(&b.ns, a.ip());
    Ok(())
}

/// The answers that a second arpherd gives for a host that moved are no reason to leave it at its old place.
#[harness::test]
fn peers_hosts_move_as_ever_between_two_arpherds() -> Result<()> {
    let rig = Rig::new()?;
    let second = second_router(&rig)?;
    let daemons = [Config::common().start(&rig.r)?, Config::common().start(&second)?];
    let (a, mut b) = (rig.left(10)?, rig.right(20)?);
    for (host, link) in [(&a, "eth0"), (&b, "eth1")] {
        introduce(host, &rig.r, link)?;
        introduce(host, &second, link)?;
    }
    echoes(&a.ns, b.ip());
    b.move_to(&rig.left)?;
    b.announce()?;
    for daemon in &daemons {
        wait_until(SOON, "it has moved for both", || is_here(daemon, &b, "eth0"));
    }
    assert_eq!(answers(&a, &b)?, [by_itself(&b, &a)]);
    pass(2 * SECOND); // announcements of both are over
    for daemon in &daemons {
        assert!(is_here(daemon, &b, "eth0") && is_here(daemon, &a, "eth0"), "{}", daemon.cli(&["hosts"]));
        assert_eq!(events(daemon, "host_moved").len(), 1);
    }
    Ok(())
}

/// A gateway whose kernel proxies, with a route to either host.
fn kernel_gateway(rig: &Rig, a: &Host, b: &Host) -> Result<Netns> {
    let second = second_router(rig)?;
    second.route(&a.ip().to_string(), None, Some("eth0"))?;
    second.route(&b.ip().to_string(), None, Some("eth1"))?;
    for link in ["eth0", "eth1"] {
        second.set_sysctl(&format!("ipv4/conf/{link}/forwarding"), "1")?;
        let now = arpherd_lab::NeighbourTimers { proxy_delay: Some(Duration::ZERO), ..Default::default() };
        second.neighbour_timers(link, now)?;
        second.set_sysctl(&format!("ipv4/conf/{link}/proxy_arp"), "1")?;
    }
    Ok(second)
}

#[harness::test]
fn peers_a_kernel_that_proxies_beside_us_moves_nobody() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let second = kernel_gateway(&rig, &a, &b)?;
    let daemon = Config::common().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    assert_eq!(answers(&a, &b)?.len(), 2, "this kernel does answer beside us");
    // It answers our own requests, too, while both are asked again and again.
    for _ in 0..3 {
        for (host, other) in [(&a, &b), (&b, &a)] {
            host.announce()?;
            host.ask(other.ip())?;
            host.ask(ip(99))?;
        }
        pass(SECOND);
        assert!(is_here(&daemon, &a, "eth0") && is_here(&daemon, &b, "eth1"), "{}", daemon.cli(&["hosts"]));
    }
    assert_eq!(events(&daemon, "host_moved"), Vec::<Value>::new());
    let theirs = [second.mac("eth0")?.to_string(), second.mac("eth1")?.to_string()];
    let rows = daemon.cli(&["hosts"]);
    let of_theirs =
        |row: &&Value| theirs.iter().any(|mac| row["lladdr"] == *mac) && row["address"] != "10.9.0.2";
    assert_eq!(rows.as_array().expect("a list").iter().filter(of_theirs).count(), 0, "{rows}");
    echoes(&a.ns, b.ip());
    Ok(())
}

/// While the hosts sleep, a sweep gets the proxy's answers and no other. They are believed until the hosts send.
#[harness::test]
fn peers_a_kernel_that_proxies_at_the_start_is_seen_through() -> Result<()> {
    let rig = Rig::new()?;
    let left = [10, 11, 12, 13, 14].map(|last| rig.left(last)).into_iter().collect::<Result<Vec<_>>>()?;
    let right = [20, 21, 22, 23, 24].map(|last| rig.right(last)).into_iter().collect::<Result<Vec<_>>>()?;
    let second = kernel_gateway(&rig, &left[0], &right[0])?;
    for (hosts, link) in [(&left, "eth0"), (&right, "eth1")] {
        hosts[1..].iter().try_for_each(|host| second.route(&host.ip().to_string(), None, Some(link)))?;
    }
    let all = || left.iter().chain(&right);
    all().try_for_each(|host| host.silence(true))?;
    let daemon = Config::common_with(&[("sweep", "{ interval: 1s, rate: 1000 }")]).start(&rig.r)?;
    let believed = || all().filter(|host| host_row(&daemon, host.ip()).is_some()).count();
    wait_until(SOON, "the proxy is believed", || believed() == 10);
    all().try_for_each(|host| host.silence(false))?;
    let is_right = || {
        left.iter().all(|host| is_here(&daemon, host, "eth0"))
            && right.iter().all(|host| is_here(&daemon, host, "eth1"))
    };
    wait_until(6 * SOON, "every host is where it is", || {
        all().all(|host| host.announce().is_ok()) && {
            pass(A_WHILE); // a claim takes half as long
            is_right()
        }
    });
    pass(3 * SECOND); // more sweeps
    assert!(is_right(), "{}", daemon.cli(&["hosts"]));
    echoes(&left[4].ns, right[4].ip());
    Ok(())
}

/// It has a default route besides, and answers for every address of the subnet and beyond.
#[harness::test]
fn peers_a_kernel_that_proxies_everything_is_not_learned_from() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let second = kernel_gateway(&rig, &a, &b)?;
    second.dummy("wan")?;
    second.up("wan")?;
    second.route("default", None, Some("wan"))?;
    let sweep = ("sweep", "{ interval: 2s, rate: 500 }");
    let daemon = Config::common_with(&[sweep, ("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    for link in ["eth0", "eth1"] {
        let mac = second.mac(link)?.to_string();
        let event = wait_event(&daemon, "proxy_found", |event| event["lladdr"] == mac);
        assert_eq!(event["segment"], link);
    }
    let theirs = [second.mac("eth0")?.to_string(), second.mac("eth1")?.to_string()];
    let false_hosts = || {
        let rows = daemon.cli(&["hosts"]);
        let rows = rows.as_array().expect("a list").clone();
        rows.iter().filter(|row| theirs.iter().any(|mac| row["lladdr"] == *mac)).count()
    };
    // Its own address is its own; whatever else it was believed is taken back.
    wait_until(2 * SOON, "its answers are forgotten", || false_hosts() <= 1);
    wait_until(2 * SOON, "the hosts are where they are", || {
        is_here(&daemon, &a, "eth0") && is_here(&daemon, &b, "eth1")
    });
    pass(3 * SECOND); // another sweep
    assert!(false_hosts() <= 1, "{}", daemon.cli(&["hosts"]));
    assert!(is_here(&daemon, &a, "eth0") && is_here(&daemon, &b, "eth1"), "{}", daemon.cli(&["hosts"]));
    Ok(())
}
