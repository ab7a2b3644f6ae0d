//! Sub-subnets by proxy ARP: a /28 taken out of a /24, and machines that know of neither.
//!
//! ```text
//!   C 10.9.0.5/24 ── net 1 ── eth1 [ R ] eth0 ── net 0 ── B 10.9.0.67/28, D 10.9.0.68/28, gateway .65
//! ```

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::{ArpFrame, Capture, Daemon, Host, Mac, Netns, Result, Segment, Wire};
use serde_json::json;

use crate::rig::{
    A_WHILE, Config, KERNEL_TIMERS, Rig, SLOW_EXPIRY, SOON, SUBNET, host_routes, host_row, introduce, ip,
    routed_by, segment_row,
};

const SECOND: Duration = Duration::from_secs(1);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 65);

/// The picture above.
pub(crate) struct Nets {
    pub(crate) r: Netns,
    pub(crate) b: Host,
    pub(crate) c: Host,
    pub(crate) d: Host,
}

impl Nets {
    pub(crate) fn new() -> Result<Self> {
        let r = Netns::new("r")?;
        let (net0, net1) = (Segment::new("net0")?, Segment::new("net1")?);
        net0.plug(&r, "eth0")?;
        net1.plug(&r, "eth1")?;
        r.address("eth0", "10.9.0.65/28")?;
        r.address("eth1", "10.9.0.2/24")?;
        let host = |name: &str, address: &str, net: &Segment| {
            let mut host = Host::new(name, address)?;
            host.attach_to(net)?;
            host.ns.neighbour_timers(&host.ifname, KERNEL_TIMERS)?;
            Ok(host)
        };
        let (b, d) = (host("b", "10.9.0.67/28", &net0)?, host("d", "10.9.0.68/28", &net0)?);
        b.gateway(GATEWAY)?;
        d.gateway(GATEWAY)?;
        Ok(Self { c: host("c", "10.9.0.5/24", &net1)?, r, b, d })
    }

    fn config() -> Config {
        Config::of(SUBNET)
            .segment("eth0", &[("prefixes", "[10.9.0.64/28]"), ("expiry", SLOW_EXPIRY)])
            .segment("eth1", &[("expiry", SLOW_EXPIRY)])
    }

    fn start() -> Result<(Self, Daemon)> {
        let nets = Self::new()?;
        let daemon = Self::config().start(&nets.r)?;
        Ok((nets, daemon))
    }
}

/// Echoes both ways, all of them back.
pub(crate) fn talk(one: &Host, other: &Host) -> Result<()> {
    for (from, to) in [(one, other), (other, one)] {
        let _server = to.ns.udp_echo_server(to.ip(), 7)?;
        assert_eq!(from.ns.udp_echo(to.ip(), 7, 20), 20, "{} to {}", from.ip(), to.ip());
    }
    Ok(())
}

/// What the host's kernel takes for `ip`'s Ethernet address.
fn belief(host: &Host, ip: Ipv4Addr) -> Option<Mac> {
    host.ns.neighbours().iter().find(|neighbour| neighbour.address == ip)?.mac()
}

#[harness::test]
fn c1_hosts_of_the_sub_subnet_and_of_the_net_around_it_talk() -> Result<()> {
    let (nets, _daemon) = Nets::start()?;
    talk(&nets.c, &nets.b)?;
    assert_eq!(belief(&nets.c, nets.b.ip()), Some(nets.r.mac("eth1")?));
    assert_eq!(belief(&nets.b, GATEWAY), Some(nets.r.mac("eth0")?));
    Ok(())
}

#[harness::test]
fn c2_the_longest_prefix_wins() -> Result<()> {
    let (nets, _daemon) = Nets::start()?;
    let way = |host: &Host| nets.r.route_get(host.ip()).and_then(|route| route.dev);
    for known in [false, true] {
        assert_eq!(way(&nets.b).as_deref(), Some("eth0"), "known: {known}");
        assert_eq!(way(&nets.c).as_deref(), Some("eth1"), "known: {known}");
        introduce(&nets.b, &nets.r, "eth0")?;
        introduce(&nets.c, &nets.r, "eth1")?;
    }
    // Nobody has it; the sub-subnet leads there all the same.
    assert_eq!(nets.r.route_get(ip(78)).and_then(|route| route.dev).as_deref(), Some("eth0"));
    Ok(())
}

#[harness::test]
fn c3_the_routers_own_question_is_answered_by_the_host_alone() -> Result<()> {
    let (nets, _daemon) = Nets::start()?;
    let capture = Capture::start(&nets.r, "eth0")?;
    assert_eq!(nets.r.ping(nets.b.ip(), 1, SECOND, SECOND).received, 1);
    assert!(capture.wait_for(|_| false, A_WHILE).is_none()); // a second answer would be late
    let arps = capture.arps();
    let asked = arps.iter().filter(|arp| arp.is_request() && arp.tpa == nets.b.ip());
    let answered = arps.iter().filter(|arp| arp.is_reply() && arp.spa == nets.b.ip());
    assert_eq!(asked.count(), 1, "{arps:#?}");
    assert_eq!(answered.map(|arp| arp.sha).collect::<Vec<_>>(), [nets.b.mac()], "{arps:#?}");
    Ok(())
}

#[harness::test]
fn c4_a_question_within_the_sub_subnet_is_left_to_its_target() -> Result<()> {
    let (nets, _daemon) = Nets::start()?;
    for known in [false, true] {
        let answers = nets.d.wire()?.ask(&nets.d.request(nets.b.ip()), A_WHILE);
        let expected = ArpFrame::reply(nets.b.mac(), nets.b.ip(), nets.d.mac(), nets.d.ip());
        assert_eq!(answers, [expected], "known: {known}");
        introduce(&nets.b, &nets.r, "eth0")?;
    }
    Ok(())
}

#[harness::test]
fn c5_the_way_back_needs_no_proxy() -> Result<()> {
    let (nets, _daemon) = Nets::start()?;
    let capture = Capture::start(&nets.r, "eth0")?;
    talk(&nets.c, &nets.b)?;
    let arps = capture.arps();
    let by_b = || arps.iter().filter(|arp| arp.is_request() && arp.sha == nets.b.mac());
    assert!(by_b().all(|arp| arp.tpa == GATEWAY), "{arps:#?}");
    assert!(arps.iter().all(|arp| arp.spa != nets.c.ip()), "nobody speaks for C on net 0: {arps:#?}");
    Ok(())
}

/// The hosts are as any host of such nets is, and stay so.
#[harness::test]
fn c6_only_the_router_is_configured() -> Result<()> {
    let nets = Nets::new()?;
    let hosts = [&nets.b, &nets.c, &nets.d];
    let before = hosts.map(|host| host.ns.routes());
    assert_eq!(before.each_ref().map(Vec::len), [2, 1, 2], "its net and, in the sub-subnet, its gateway");
    let _daemon = Nets::config().start(&nets.r)?;
    talk(&nets.c, &nets.b)?;
    talk(&nets.c, &nets.d)?;
    assert_eq!(hosts.map(|host| host.ns.routes()), before);
    assert!(hosts.iter().all(|host| host.ns.proxy_neighbours().is_empty()));
    Ok(())
}

#[harness::test]
fn c8_network_and_broadcast_address_are_never_answered_routed_or_swept() -> Result<()> {
    let nets = Nets::new()?;
    let wires = [nets.b.wire()?, nets.c.wire()?];
    let sweep = ("sweep", "{ rate: 2000 }");
    let config = Config::of(SUBNET)
        .segment("eth0", &[("prefixes", "[10.9.0.64/28]"), sweep])
        .segment("eth1", &[sweep]);
    let _daemon = config.start(&nets.r)?;
    let edges = [0, 64, 79, 255].map(ip);
    for (wire, last) in wires.iter().zip([ip(78), ip(254)]) {
        let swept = sweep_until(wire, last);
        assert!(swept.len() > 10 && edges.iter().all(|edge| !swept.contains(edge)), "{swept:?}");
    }
    for (host, wire) in [&nets.b, &nets.c].into_iter().zip(&wires) {
        for edge in edges {
            wire.send(&ArpFrame::gratuitous(Mac([2, 0, 0, 0, 0, edge.octets()[3]]), edge))?;
            assert_eq!(wire.ask(&host.request(edge), A_WHILE / 4), [], "{edge}");
        }
        // What is said after the above is dealt with after it.
        introduce(host, &nets.r, if host.ip() == nets.b.ip() { "eth0" } else { "eth1" })?;
    }
    let routes = host_routes(&nets.r);
    assert!(routes.iter().all(|route| !edges.contains(&route.dst.ip())), "{routes:?}");
    Ok(())
}

/// Everything that is asked for on the wire until `last` is.
fn sweep_until(wire: &Wire, last: Ipv4Addr) -> Vec<Ipv4Addr> {
    let mut swept = Vec::new();
    while swept.last() != Some(&last) {
        let (arp, _) = wire.recv(SOON).unwrap_or_else(|| panic!("no probe of {last} after {swept:?}"));
        swept.push(arp.tpa);
    }
    swept
}

#[harness::test]
fn c10_no_interface_is_ever_promiscuous() -> Result<()> {
    let nets = Nets::new()?;
    let (highest, done) = (AtomicU32::new(0), AtomicBool::new(false));
    let watch = || {
        while !done.load(Ordering::Relaxed) {
            for link in ["eth0", "eth1"] {
                let promiscuity = nets.r.link_info(link).map_or(u32::MAX, |info| info.promiscuity);
                highest.fetch_max(promiscuity, Ordering::Relaxed);
            }
            thread::park_timeout(Duration::from_millis(1)); // between two looks
        }
    };
    thread::scope(|scope| {
        scope.spawn(watch);
        let run = || -> Result<()> {
            let mut daemon = Nets::config().start(&nets.r)?;
            talk(&nets.c, &nets.b)?;
            nets.r.down("eth0")?;
            nets.r.up("eth0")?;
            assert!(daemon.terminate().success());
            Ok(())
        };
        let outcome = run();
        done.store(true, Ordering::Relaxed);
        outcome
    })?;
    assert_eq!(highest.into_inner(), 0);
    Ok(())
}

#[harness::test]
fn c11_without_subnetting_each_machine_has_its_route() -> Result<()> {
    let rig = Rig::new()?;
    let (b, c) = (rig.left(67)?, rig.right(5)?);
    rig.use_kernel_timers(&[&b, &c])?;
    let _daemon = Config::common().start(&rig.r)?;
    talk(&c, &b)?;
    assert_eq!(belief(&c, b.ip()), Some(rig.mac("eth1")));
    assert_eq!(belief(&b, c.ip()), Some(rig.mac("eth0")));
    for (host, link) in [(&b, "eth0"), (&c, "eth1")] {
        assert_eq!(routed_by(&rig.r, host.ip()).as_deref(), Some(link));
    }
    Ok(())
}

#[harness::test]
fn c12_a_thousand_packets_after_the_first_need_no_arp() -> Result<()> {
    let (nets, _daemon) = Nets::start()?;
    let _server = nets.b.ns.udp_echo_server(nets.b.ip(), 7)?;
    assert_eq!(nets.c.ns.udp_echo(nets.b.ip(), 7, 1), 1);
    let captures = [Capture::start(&nets.r, "eth0")?, Capture::start(&nets.r, "eth1")?];
    let start = Instant::now();
    assert_eq!(nets.c.ns.udp_echo(nets.b.ip(), 7, 1000), 1000);
    // The hosts' own kernels begin to verify what they use after 5 s.
    assert!(start.elapsed() < 4 * SECOND, "too slow to judge: {:?}", start.elapsed());
    for capture in captures {
        assert_eq!((capture.arps(), capture.dropped()), (vec![], 0));
    }
    Ok(())
}

#[harness::test]
fn c12_a_host_that_is_gone_is_not_answered_for_longer_than_it_takes_to_ask() -> Result<()> {
    let rig = Rig::new()?;
    let (b, c) = (rig.left(67)?, rig.right(5)?);
    let _daemon = Config::common().start(&rig.r)?;
    introduce(&b, &rig.r, "eth0")?;
    let wire = c.wire()?;
    let request = c.request(b.ip());
    assert!(wire.ask_one(&request, SECOND).is_some());
    b.silence(true)?;
    let start = Instant::now();
    while wire.ask_one(&request, SECOND / 10).is_some() {
        // 400 ms of silence (a last frame may have come just before), five requests of 100 ms, and the
        // machine's own delays.
        assert!(start.elapsed() < 2 * SECOND, "still answered for");
    }
    assert_eq!(wire.ask(&request, A_WHILE), []);
    assert_eq!(rig.r.routes_to(b.ip()), []);
    Ok(())
}

#[harness::test]
fn c13_hosts_and_segments_list_what_was_learned() -> Result<()> {
    let (nets, daemon) = Nets::start()?;
    talk(&nets.c, &nets.b)?;
    for (host, link) in [(&nets.b, "eth0"), (&nets.c, "eth1")] {
        let row = host_row(&daemon, host.ip()).expect("a host that spoke");
        assert_eq!(row["lladdr"], host.mac().to_string());
        assert_eq!(
            (&row["segment"], &row["interface"], &row["state"]),
            (&json!(link), &json!(link), &json!("alive"))
        );
        let segment = segment_row(&daemon, link);
        assert_eq!((&segment["hosts"], &segment["state"]), (&json!(1), &json!("up")));
    }
    let table = daemon.run_cli(&["hosts"])?.stdout;
    let listed = |host: &Host| table.contains(&host.mac().to_string());
    assert!(listed(&nets.b) && listed(&nets.c) && !listed(&nets.d), "{table}");
    Ok(())
}
