//! Packets for hosts that no ARP request announced (`cover: search`).
//!
//! ```text
//!   A .10 ── eth0 ┐
//!                 [ R: arpherd, 10.9.0.1 ] up0 ── U 192.0.2.2, a router's customer
//!   B .20 ── eth1 ┘
//! ```

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::{Capture, Captured, Daemon, Host, Netns, Result, RouteKind, Segment, wait_until};

use crate::rig::{Config, PROTOCOL, Rig, SOON, SUBNET, introduce, ip, pass, routed_by};
use crate::trio::Stream;

const SECOND: Duration = Duration::from_secs(1);
const UPLINK: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const PORT: u16 = 7;

struct Net {
    rig: Rig,
    a: Host,
    b: Host,
    u: Host,
    _uplink: Segment,
}

impl Net {
    fn new() -> Result<Self> {
        let rig = Rig::new()?;
        let uplink = Segment::new("uplink")?;
        uplink.plug(&rig.r, "up0")?;
        rig.r.address("up0", "192.0.2.1/24")?;
        rig.r.set_sysctl("ipv4/conf/up0/forwarding", "1")?;
        let mut u = Host::new("u", "192.0.2.2/24")?;
        u.attach_to(&uplink)?;
        u.gateway(UPLINK)?;
        let (a, b) = (rig.left(10)?, rig.right(20)?);
        for host in [&a, &b] {
            host.gateway(ip(1))?;
        }
        rig.use_kernel_timers(&[&a, &b, &u])?;
        Ok(Self { rig, a, b, u, _uplink: uplink })
    }

    fn config() -> Config {
        // The domain's keys come before its segments.
        let text = Config::of(SUBNET).text().replace("    segments:", "    cover: search\n    segments:");
        Config::from_text(text).segment("eth0", &[]).segment("eth1", &[])
    }

    fn start(&self) -> Result<Daemon> {
        Self::config().start(&self.rig.r)
    }
}

/// A socket of the namespace that talks to the address.
fn socket(ns: &Netns, target: Ipv4Addr) -> UdpSocket {
    let connect = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((target, PORT))?;
        socket.set_read_timeout(Some(2 * SECOND))?;
        Ok::<_, std::io::Error>(socket)
    };
    ns.run(connect).expect("a namespace has free ports")
}

/// Octets 20 and 21 of an IPv4 packet without options are the ICMP type and code.
fn is_host_unreachable(frame: &Captured) -> bool {
    let bytes = &frame.bytes;
    !frame.outgoing()
        && bytes.len() > 42
        && bytes[12..14] == [8, 0]
        && bytes[23] == 1
        && bytes[34..36] == [3, 1]
}

fn has_device(ns: &Netns) -> bool {
    ns.routes().iter().any(|route| route.dev.as_deref().is_some_and(|dev| dev.starts_with("arpherd")))
}

#[harness::test]
fn cover_the_first_packets_for_a_mute_host_arrive_in_order_with_one_hop_less() -> Result<()> {
    let net = Net::new()?;
    let daemon = net.start()?;
    let _echo = net.b.ns.udp_echo_server(Ipv4Addr::UNSPECIFIED, PORT)?;
    let capture = Capture::start(&net.b.ns, &net.b.ifname)?;
    let socket = socket(&net.u.ns, net.b.ip());
    let start = Instant::now();
    for number in 0..10_u8 {
        socket.send(&[number]).expect("sent");
    }
    let mut back = Vec::new();
    let mut room = [0; 16];
    for _ in 0..10 {
        let length = socket.recv(&mut room).expect("an answer to each");
        back.push(room[..length].to_vec());
    }
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    assert_eq!(
        back,
        (0..10).map(|number| vec![number]).collect::<Vec<_>>(),
        "none lost, doubled or overtaken"
    );
    assert_eq!(routed_by(&net.rig.r, net.b.ip()).as_deref(), Some("eth1"));
    // Ethernet 14 octets, then the IPv4 header: its ninth is the TTL, its tenth the protocol.
    let ttls: Vec<u8> = capture
        .frames()
        .iter()
        .filter(|frame| !frame.outgoing() && frame.bytes.len() > 34 && frame.bytes[23] == 17)
        .map(|frame| frame.bytes[22])
        .collect();
    assert_eq!(ttls, [63; 10], "one hop was taken");
    let packets = daemon.cli(&["status"])["packets"].clone();
    assert_eq!((&packets["held"], &packets["dropped"]), (&packets["forwarded"], &0.into()));
    Ok(())
}

#[harness::test]
fn cover_the_sender_to_an_address_nobody_has_is_told_so() -> Result<()> {
    let net = Net::new()?;
    let daemon = net.start()?;
    let capture = Capture::start(&net.u.ns, &net.u.ifname)?;
    for limit in [SECOND..SECOND * 3 / 2, Duration::ZERO..SECOND / 4] {
        capture.clear();
        let start = Instant::now();
        socket(&net.u.ns, ip(99)).send(b"who?").expect("sent");
        let refusal = capture.wait_for(is_host_unreachable, 3 * SECOND).expect("an ICMP message");
        assert!(limit.contains(&start.elapsed()), "{:?}", start.elapsed());
        assert_eq!(refusal.bytes[26..30], UPLINK.octets(), "from the router, on the sender's side");
        assert!(refusal.bytes.ends_with(b"who?"), "it quotes the packet");
    }
    assert_eq!(daemon.cli(&["status"])["packets"]["refused"], 2);
    Ok(())
}

#[harness::test]
fn cover_the_gateways_own_packets_find_a_mute_host_too() -> Result<()> {
    let net = Net::new()?;
    let _daemon = net.start()?;
    let pings = net.rig.r.ping(net.a.ip(), 3, SECOND / 5, SECOND);
    assert_eq!(pings.received, 3, "the first of them waited");
    Ok(())
}

/// What this machine sends itself is routed by other rules than what it forwards.
#[harness::test]
fn cover_packets_reach_their_target_where_only_forwarded_ones_are_led_by_the_table() -> Result<()> {
    const TABLE: u32 = 100;
    let net = Net::new()?;
    let r = &net.rig.r;
    r.route("default", Some(net.u.ip()), None)?;
    r.rule("up0", TABLE)?;
    let text = format!("routes: {{ table: {TABLE} }}\n{}", Net::config().text());
    let _daemon = Config::from_text(text).start(r)?;
    let capture = Capture::start(&net.u.ns, &net.u.ifname)?;
    let arrived = Capture::start(&net.b.ns, &net.b.ifname)?;
    socket(&net.u.ns, net.b.ip()).send(b"first").expect("sent");
    let is_it = |frame: &Captured| !frame.outgoing() && frame.bytes.ends_with(b"first");
    // The answer of a closed port quotes it, from another source.
    let is_for_b = |frame: &Captured| is_it(frame) && frame.bytes[30..34] == net.b.ip().octets();
    assert!(arrived.wait_for(is_for_b, 2 * SECOND).is_some(), "it went on to its target");
    assert!(!capture.frames().iter().any(is_for_b), "and nowhere else");
    Ok(())
}

#[harness::test(alone)]
fn cover_a_scan_of_the_prefix_disturbs_nobody() -> Result<()> {
    let net = Net::new()?;
    let daemon = net.start()?;
    introduce(&net.a, &net.rig.r, "eth0")?;
    introduce(&net.b, &net.rig.r, "eth1")?;
    let done = Arc::new(AtomicBool::new(false));
    let scan = {
        let (ns, done) = (net.u.ns.clone(), Arc::clone(&done));
        let socket =
            ns.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))).expect("a namespace has free ports");
        thread::spawn(move || {
            let (start, mut sent) = (Instant::now(), 0_u32);
            while !done.load(Ordering::Relaxed) && sent < 100_000 {
                // 20,000 a second, in batches of 20.
                for _ in 0..20 {
                    let last = 30 + u8::try_from(sent % 220).expect("a small number");
                    // What is refused comes back as an error of the next call.
                    let _ = socket.send_to(b"scan", (ip(last), 9));
                    sent += 1;
                }
                let due = start + Duration::from_millis(u64::from(sent / 20));
                pass(due.saturating_duration_since(Instant::now()));
            }
            sent
        })
    };
    let stream = Stream::start(&net.a.ns, net.b.ip());
    let start = Instant::now();
    let answers = net.a.wire()?.ask(&net.a.request(net.b.ip()), SECOND / 4);
    assert!(!answers.is_empty(), "ARP is answered meanwhile");
    pass((start + 3 * SECOND).saturating_duration_since(Instant::now()));
    let (sent, received) = stream.stop();
    done.store(true, Ordering::Relaxed);
    let scanned = scan.join().expect("the scan ends");
    assert!(scanned > 20_000, "{scanned} packets were sent");
    assert!(sent > 100 && sent == received, "{received} of {sent}");
    let packets = daemon.cli(&["status"])["packets"].clone();
    let count = |name: &str| packets[name].as_u64().unwrap_or_default();
    assert!(count("refused") > 0 && count("forwarded") == 0, "{packets}");
    Ok(())
}

#[harness::test]
fn cover_after_a_crash_unknown_addresses_are_still_refused() -> Result<()> {
    let net = Net::new()?;
    let mut daemon = net.start()?;
    wait_until(SOON, "the route into the device", || has_device(&net.rig.r));
    daemon.kill();
    wait_until(SOON, "the end of the device", || !has_device(&net.rig.r));
    let is_cover = |kind: RouteKind| kind == RouteKind::Unreachable;
    let covers =
        || net.rig.r.routes().into_iter().filter(|it| it.protocol == PROTOCOL && is_cover(it.kind)).count();
    assert_eq!(covers(), 1, "nothing leaks to a default route");
    let mut daemon = net.start()?;
    wait_until(SOON, "the route into the device", || has_device(&net.rig.r));
    assert_eq!(daemon.terminate().code(), Some(0));
    assert!(!has_device(&net.rig.r) && covers() == 0, "a clean exit takes both along");
    Ok(())
}

#[harness::test]
fn cover_the_gateways_own_packets_bear_the_domains_source() -> Result<()> {
    let net = Net::new()?;
    let _daemon = net.start()?;
    let echo = net.b.ns.udp_echo_server(Ipv4Addr::UNSPECIFIED, PORT)?;
    let socket = socket(&net.rig.r, net.b.ip());
    let source = socket.local_addr().expect("it is connected").ip();
    assert_eq!(source, ip(1), "not the uplink's address, which the host may not know");
    // Longer than a link takes: it is fragmented before it is held.
    socket.send(&[7; 2000]).expect("sent");
    let mut room = [0; 4000];
    assert_eq!(socket.recv(&mut room).expect("an answer"), 2000);
    drop(echo);
    Ok(())
}
