//! Namespaces, links, routes and neighbours: what was made is what is read.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{Host, LabError, Mac, Netns, PortFlags, Result, RouteKind, RouteSpec, RouteWatch, Segment};
use arpherd_lab::{PingStats, monotonic_ns, wait_until};

const SECOND: Duration = Duration::from_secs(1);

/// Two hosts on one switch.
pub(crate) fn pair(net: u8) -> Result<(Segment, Host, Host)> {
    let segment = Segment::new("lan")?;
    let mut a = Host::new("a", &format!("10.{net}.0.1/24"))?;
    let mut b = Host::new("b", &format!("10.{net}.0.2/24"))?;
    a.attach_to(&segment)?;
    b.attach_to(&segment)?;
    Ok((segment, a, b))
}

#[harness::test]
fn entering_again_does_nothing() -> Result<()> {
    arpherd_lab::enter()
}

#[harness::test]
fn hosts_on_a_segment_ping_each_other() -> Result<()> {
    let (_segment, a, b) = pair(1)?;
    let stats = a.ns.ping(b.ip(), 5, Duration::from_millis(10), SECOND);
    assert_eq!((stats.sent, stats.received, stats.rtts.len()), (5, 5, 5), "{stats:?}");
    let neighbours = a.ns.neighbours();
    let known = neighbours.iter().find(|neighbour| neighbour.address == b.ip());
    assert_eq!(known.and_then(|neighbour| neighbour.mac()), Some(b.mac()), "{neighbours:?}");
    let enough = |stats: &PingStats| stats.received >= 3;
    let stats = a.ns.ping_until(b.ip(), Duration::from_millis(10), SECOND, enough);
    assert!(stats.received >= 3 && stats.sent < 100 && stats.lost.is_empty(), "{stats:?}");
    assert_eq!(a.ns.ping(b.ip(), 0, SECOND, SECOND), PingStats::default());
    let stats = a.ns.ping(Ipv4Addr::new(10, 1, 0, 9), 2, Duration::from_millis(10), SECOND / 10);
    assert_eq!((stats.sent, stats.received, stats.lost), (2, 0, vec![0, 1]));
    Ok(())
}

#[harness::test]
fn isolated_ports_do_not_meet() -> Result<()> {
    let (segment, a, b) = pair(2)?;
    for host in [&a, &b] {
        let (_, port) = host.place().expect("attached");
        segment.port_flags(port, PortFlags { isolated: true, ..PortFlags::default() })?;
    }
    assert_eq!(a.ns.ping(b.ip(), 1, SECOND, SECOND / 5).received, 0);
    Ok(())
}

#[harness::test]
fn locked_ports_pass_only_who_is_associated() -> Result<()> {
    let (segment, a, b) = pair(3)?;
    let (_, port) = a.place().expect("attached");
    segment.port_flags(port, PortFlags { locked: true, learning: false, ..PortFlags::default() })?;
    assert!(a.wire()?.ask(&a.request(b.ip()), SECOND / 10).is_empty());
    segment.ns.fdb(port, a.mac())?;
    assert_eq!(a.wire()?.ask(&a.request(b.ip()), SECOND / 10).len(), 1);
    Ok(())
}

#[harness::test]
fn links_are_made_changed_and_deleted() -> Result<()> {
    let (one, two) = (Netns::new("one")?, Netns::new("two")?);
    one.veth("left", &two, "right")?;
    let mac: Mac = "02:11:22:33:44:55".parse()?;
    one.set_mac("left", mac)?;
    one.set_mtu("left", 1400)?;
    one.up("left")?;
    assert!(!one.link_info("left")?.carrier);
    two.up("right")?;
    let info = one.link_info("left")?;
    assert_eq!((info.mac, info.mtu, info.up, info.promiscuity), (mac, 1400, true, 0));
    wait_until(SECOND, "the carrier", || one.link_info("left").is_ok_and(|info| info.carrier));
    one.rename("left", "port")?;
    one.bridge("br")?;
    one.enslave("port", "br")?;
    assert_eq!(one.link_info("port")?.controller, Some(one.index("br")?));
    one.release("port")?;
    assert_eq!(one.link_info("port")?.controller, None);
    one.down("port")?;
    assert!(!one.link_info("port")?.up);
    one.delete("port")?;
    assert!(matches!(two.link_info("right"), Err(LabError::NoLink { .. })), "both ends go");
    one.dummy("d0")?;
    assert_eq!(one.links().len(), 3, "lo, br, d0");
    Ok(())
}

fn dummy() -> Result<Netns> {
    let ns = Netns::new("router")?;
    ns.dummy("d0")?;
    ns.up("d0")?;
    ns.address("d0", "10.9.0.1/24")?;
    Ok(ns)
}

#[harness::test]
fn routes_are_read_as_they_were_added() -> Result<()> {
    let ns = dummy()?;
    let source = Ipv4Addr::new(10, 9, 0, 1);
    let host = Ipv4Addr::new(10, 9, 0, 77);
    let spec = RouteSpec::to("10.9.0.77")?.dev("d0").source(source).protocol(169).metric(50);
    ns.add_route(&spec)?;
    ns.add_route(&RouteSpec::to("10.8.0.0/16")?.kind(RouteKind::Unreachable).metric(9000).table(1000))?;
    ns.route("default", Some(Ipv4Addr::new(10, 9, 0, 254)), None)?;

    let [route] = &ns.routes_to(host)[..] else { panic!("one route: {:?}", ns.routes()) };
    assert_eq!((route.kind, route.table, route.protocol, route.scope), (RouteKind::Unicast, 254, 169, 253));
    assert_eq!(
        (route.metric, route.dev.as_deref(), route.source, route.gateway),
        (50, Some("d0"), Some(source), None)
    );
    assert_eq!(ns.route_get(host).and_then(|route| route.dev).as_deref(), Some("d0"));

    let routes = ns.routes();
    let cover = routes.iter().find(|route| route.table == 1000).expect("the covering route");
    assert_eq!((cover.kind, cover.metric, cover.dst.prefix()), (RouteKind::Unreachable, 9000, 16));
    let default = routes.iter().find(|route| route.dst.prefix() == 0).expect("the default route");
    assert_eq!(default.gateway, Some(Ipv4Addr::new(10, 9, 0, 254)));
    assert!(routes.iter().all(|route| route.table != 255), "{routes:?}");
    assert!(ns.all_routes().iter().any(|route| route.table == 255));
    Ok(())
}

#[harness::test]
fn a_read_route_can_be_deleted_and_put_back() -> Result<()> {
    let ns = dummy()?;
    let spec = RouteSpec::to("10.9.0.5/32")?.dev("d0").protocol(169).metric(50);
    ns.add_route(&spec)?;
    assert_eq!(ns.add_route(&spec).expect_err("it exists").errno(), Some(libc::EEXIST));
    ns.replace_route(&spec)?;
    let read = ns.routes_to(Ipv4Addr::new(10, 9, 0, 5));
    ns.delete_route(&RouteSpec::from(&read[0]))?;
    assert!(ns.routes_to(Ipv4Addr::new(10, 9, 0, 5)).is_empty());
    let error = ns.delete_route(&spec).expect_err("it is gone");
    assert_eq!(error.errno(), Some(libc::ESRCH));
    ns.add_route(&RouteSpec::from(&read[0]))?;
    assert_eq!(ns.routes_to(Ipv4Addr::new(10, 9, 0, 5)), read);
    Ok(())
}

#[harness::test]
fn an_address_can_come_without_its_route() -> Result<()> {
    let ns = Netns::new("router")?;
    ns.dummy("d0")?;
    ns.up("d0")?;
    ns.address_noprefix("d0", "10.7.0.1/24")?;
    assert!(ns.routes().is_empty());
    ns.remove_address("d0", "10.7.0.1/24")?;
    ns.address("d0", "10.7.0.1/24")?;
    assert_eq!(ns.routes().len(), 1);
    Ok(())
}

#[harness::test]
fn a_refusal_has_the_kernels_words() -> Result<()> {
    let ns = dummy()?;
    let error = ns.route("10.1.0.0/16", Some(Ipv4Addr::new(192, 0, 2, 1)), None).expect_err("no such router");
    assert!(error.to_string().contains("invalid gateway"), "{error}");
    Ok(())
}

#[harness::test]
fn the_watch_stamps_every_change() -> Result<()> {
    let ns = dummy()?;
    let watch = RouteWatch::start(&ns)?;
    let before = monotonic_ns();
    let spec = RouteSpec::to("10.9.0.33")?.dev("d0").protocol(169);
    ns.add_route(&spec)?;
    let added =
        watch.wait_for(|event| event.is_new && event.route.dst.prefix() == 32, SECOND).expect("the addition");
    assert!(before <= added.ts_ns && added.ts_ns <= monotonic_ns());
    assert_eq!((added.route.protocol, added.route.dev.as_deref()), (169, Some("d0")));
    ns.delete_route(&spec)?;
    let gone = watch.wait_for(|event| !event.is_new, SECOND).expect("the deletion");
    assert!(gone.ts_ns >= added.ts_ns);
    assert!(watch.wait_for(|event| event.route.metric == 7, SECOND / 100).is_none());

    for host in 0..2000_u32 {
        let dst = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 64, 0, 0)) + host).to_string();
        ns.add_route(&RouteSpec::to(&dst)?.dev("d0").metric(9))?;
    }
    wait_until(SECOND, "all of a burst", || {
        watch.events().iter().filter(|event| event.route.metric == 9).count() == 2000
    });
    assert_eq!(watch.overruns(), 0);
    assert_eq!(ns.routes().len(), 2001);
    Ok(())
}

#[harness::test]
fn neighbours_come_and_are_forgotten() -> Result<()> {
    let ns = dummy()?;
    let (ip, mac) = (Ipv4Addr::new(10, 9, 0, 3), Mac([2, 0, 0, 0, 0, 3]));
    ns.add_neighbour("d0", ip, mac)?;
    let [known] = &ns.neighbours()[..] else { panic!("one neighbour: {:?}", ns.neighbours()) };
    assert_eq!((known.address, known.mac(), known.dev.as_str(), known.state), (ip, Some(mac), "d0", 0x80));
    ns.forget_neighbour("d0", ip)?;
    assert!(ns.neighbours().is_empty());
    ns.add_proxy_neighbour("d0", ip)?;
    assert!(ns.neighbours().is_empty());
    assert_eq!(ns.proxy_neighbours().first().map(|proxy| proxy.address), Some(ip));
    Ok(())
}

#[harness::test]
fn timers_make_the_kernel_impatient() -> Result<()> {
    let (_segment, a, b) = pair(4)?;
    b.silence(true)?;
    let start = std::time::Instant::now();
    let _ = a.ns.ping(b.ip(), 1, SECOND, SECOND / 10);
    wait_until(SECOND, "the kernel to give up", || {
        a.ns.neighbours().iter().any(|neighbour| neighbour.state == 0x20)
    });
    assert!(start.elapsed() < SECOND, "three requests take the kernel 3 s by default");
    b.silence(false)?;
    assert_eq!(a.ns.ping(b.ip(), 1, SECOND, SECOND).received, 1);
    Ok(())
}

#[harness::test]
fn settings_do_not_depend_on_the_machine() -> Result<()> {
    let ns = dummy()?;
    for (path, value) in [
        ("ipv4/conf/d0/forwarding", "0"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/d0/rp_filter", "0"),
        ("ipv4/conf/d0/send_redirects", "1"),
        ("ipv4/conf/all/send_redirects", "1"),
        ("ipv4/conf/d0/accept_redirects", "1"),
        ("ipv4/conf/d0/proxy_arp", "0"),
    ] {
        assert_eq!(ns.sysctl(path)?, value, "{path}");
    }
    ns.set_sysctl("ipv4/conf/d0/forwarding", "1")?;
    assert_eq!(ns.sysctl("ipv4/conf/d0/forwarding")?, "1");
    assert_eq!(dummy()?.sysctl("ipv4/conf/d0/forwarding")?, "0", "another namespace is not touched");
    assert!(ns.sysctl("ipv4/conf/nothing/forwarding").is_err());
    Ok(())
}

#[harness::test]
fn a_published_namespace_has_a_name() -> Result<()> {
    let ns = dummy()?;
    ns.publish()?;
    let file = std::fs::File::open("/run/netns/router").expect("published");
    let inode = |fd: std::os::fd::BorrowedFd<'_>| {
        std::fs::metadata(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd)))
            .map(|meta| std::os::unix::fs::MetadataExt::ino(&meta))
            .expect("an open file")
    };
    assert_eq!(inode(std::os::fd::AsFd::as_fd(&file)), inode(ns.fd()));
    Ok(())
}

#[harness::test]
fn a_moved_host_is_found_again() -> Result<()> {
    let (_segment, mut a, b) = pair(5)?;
    assert_eq!(a.ns.ping(b.ip(), 1, SECOND, SECOND).received, 1);
    b.unplug()?;
    wait_until(SECOND, "the carrier to go", || b.ns.link_info(&b.ifname).is_ok_and(|info| !info.carrier));
    b.replug()?;
    assert_eq!(a.ns.ping(b.ip(), 3, SECOND / 5, SECOND).received, 3);
    let other = Segment::new("other")?;
    a.move_to(&other)?;
    assert_eq!(a.ns.mac(&a.ifname)?, a.mac());
    assert_eq!(a.ns.routes().len(), 1, "addresses and routes move along");
    assert_eq!(a.ns.ping(b.ip(), 1, SECOND, SECOND / 5).received, 0);
    let mut c = Host::new("c", "10.5.0.3/24")?;
    c.attach_to(&other)?;
    assert_eq!(c.ns.ping(a.ip(), 1, SECOND, SECOND).received, 1);
    Ok(())
}

#[harness::test]
fn echo_counts_what_came_back() -> Result<()> {
    let (_segment, a, b) = pair(6)?;
    let server = b.ns.udp_echo_server(b.ip(), 7)?;
    assert_eq!(a.ns.udp_echo(b.ip(), 7, 100), 100);
    drop(server);
    assert_eq!(a.ns.udp_echo(b.ip(), 7, 1), 0);
    Ok(())
}
