//! The router as it may be: its addresses anywhere or nowhere, its filters strict, its interfaces late or
//! mixed up, its kernel too busy to say what happened.

use std::fs;
use std::time::Duration;

use arpherd_lab::{Host, Result, Route, RouteSpec, Segment, wait_until};

use crate::rig::{
    Config, PROTOCOL, QUICK_EXPIRY, ROUTER, Rig, SOON, events, host_routes, introduce, ip, routed_by,
    segment_row, wait_route,
};
use crate::trio::Trio;

const SECOND: Duration = Duration::from_secs(1);
const LINKS: [&str; 2] = ["eth0", "eth1"];
/// signal(7), on every architecture Linux is commonly met on.
const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;

/// The rig with a host a side and the router's addresses taken away.
fn bare_rig() -> Result<(Rig, [Host; 2])> {
    let rig = Rig::new()?;
    for link in LINKS {
        rig.r.remove_address(link, &format!("{ROUTER}/32"))?;
    }
    let hosts = [rig.left(10)?, rig.right(20)?];
    rig.use_kernel_timers(&hosts.each_ref())?;
    Ok((rig, hosts))
}

/// The hosts, whom nobody knows yet, talk.
fn talk(hosts: &[Host; 2]) {
    for (from, to) in [(0, 1), (1, 0)] {
        let pings = hosts[from].ns.ping(hosts[to].ip(), 5, SECOND / 50, 2 * SECOND);
        assert_eq!(pings.received, 5, "{} to {}", hosts[from].ip(), hosts[to].ip());
    }
}

#[harness::test]
fn the_shared_address_may_be_on_the_loopback_interface() -> Result<()> {
    let (rig, hosts) = bare_rig()?;
    rig.r.address("lo", &format!("{ROUTER}/32"))?;
    let _daemon = Config::common().start(&rig.r)?;
    talk(&hosts);
    assert_eq!(host_routes(&rig.r).iter().map(|route| route.source).collect::<Vec<_>>(), [Some(ROUTER); 2]);
    for host in &hosts {
        assert_eq!(host.ns.ping(ROUTER, 1, SECOND, SECOND).received, 1);
    }
    Ok(())
}

#[harness::test]
fn a_router_without_an_address_of_the_subnet_joins_it_all_the_same() -> Result<()> {
    let (rig, hosts) = bare_rig()?;
    let _daemon = Config::common().start(&rig.r)?;
    talk(&hosts);
    assert_eq!(host_routes(&rig.r).iter().map(|route| route.source).collect::<Vec<_>>(), [None; 2]);
    Ok(())
}

#[harness::test]
fn strict_reverse_path_filters_let_every_host_through() -> Result<()> {
    let rig = Rig::new()?;
    rig.r.set_sysctl("ipv4/conf/all/rp_filter", "1")?;
    let hosts = [rig.left(10)?, rig.right(20)?];
    rig.use_kernel_timers(&hosts.each_ref())?;
    let _daemon = Config::common().start(&rig.r)?;
    talk(&hosts);
    Ok(())
}

/// What is so at first keeps the segments from being used; once it is fixed, all is well.
fn comes_late(rig: &Rig, state: &str, fix: impl FnOnce() -> Result<()>) -> Result<()> {
    let hosts = [rig.left(10)?, rig.right(20)?];
    let daemon = Config::common_with(&[("expiry", QUICK_EXPIRY)]).start(&rig.r)?;
    for link in LINKS {
        assert_eq!(segment_row(&daemon, link)["state"], state, "{link}");
    }
    fix()?;
    rig.use_kernel_timers(&hosts.each_ref())?;
    for link in LINKS {
        wait_until(SOON, "the segment is up", || segment_row(&daemon, link)["state"] == "up");
    }
    talk(&hosts);
    Ok(())
}

#[harness::test]
fn interfaces_may_all_come_after_the_start() -> Result<()> {
    let rig = Rig::new()?;
    for link in LINKS {
        rig.r.delete(link)?;
    }
    comes_late(&rig, "absent", || {
        for (segment, link) in [(&rig.left, "eth0"), (&rig.right, "eth1")] {
            segment.plug(&rig.r, link)?;
            rig.r.address_noprefix(link, &format!("{ROUTER}/32"))?;
        }
        Ok(())
    })
}

#[harness::test]
fn interfaces_may_be_down_at_the_start() -> Result<()> {
    let rig = Rig::new()?;
    LINKS.iter().try_for_each(|link| rig.r.down(link))?;
    let ports = [(&rig.left, &rig.left_port), (&rig.right, &rig.right_port)];
    comes_late(&rig, "admin_down", || {
        LINKS.iter().try_for_each(|link| rig.r.up(link))?;
        LINKS.iter().try_for_each(|link| rig.r.wait_ready(link))?;
        // The switches notice by themselves, up to a second later.
        ports.iter().try_for_each(|(segment, port)| segment.ns.wait_ready(port))
    })
}

#[harness::test]
fn interfaces_may_lack_a_carrier_at_the_start() -> Result<()> {
    let rig = Rig::new()?;
    let ports = [(&rig.left, &rig.left_port), (&rig.right, &rig.right_port)];
    ports.iter().try_for_each(|(segment, port)| segment.ns.down(port))?;
    comes_late(&rig, "no_carrier", || {
        ports.iter().try_for_each(|(segment, port)| segment.ns.up(port))?;
        ports.iter().try_for_each(|(segment, port)| segment.ns.wait_ready(port))
    })
}

/// As when cards were found in another order. Sweeps show who is where now.
#[harness::test]
fn interfaces_that_swap_their_names_swap_their_hosts() -> Result<()> {
    let rig = Rig::new()?;
    let hosts = [rig.left(10)?, rig.right(20)?];
    rig.use_kernel_timers(&hosts.each_ref())?;
    let _daemon = Config::common_with(&[("sweep", "{ interval: 1s, rate: 2000 }")]).start(&rig.r)?;
    talk(&hosts);
    LINKS.iter().try_for_each(|link| rig.r.down(link))?;
    for (from, to) in [("eth0", "between"), ("eth1", "eth0"), ("between", "eth1")] {
        rig.r.rename(from, to)?;
    }
    LINKS.iter().try_for_each(|link| rig.r.up(link))?;
    LINKS.iter().try_for_each(|link| rig.r.wait_ready(link))?;
    for (host, link) in hosts.iter().zip(["eth1", "eth0"]) {
        wait_route(&rig.r, host.ip(), link);
    }
    talk(&hosts);
    Ok(())
}

#[harness::test]
fn an_interface_lent_to_another_namespace_is_used_again() -> Result<()> {
    let trio = Trio::new()?;
    let daemon = trio.start(&Trio::config())?;
    let calm = trio.calm()?;
    let elsewhere = arpherd_lab::Netns::new("elsewhere")?;
    trio.rig.r.move_link("eth2", &elsewhere)?;
    wait_until(SOON, "it is missed", || segment_row(&daemon, "eth2")["state"] == "absent");
    calm.holds();
    elsewhere.move_link("eth2", &trio.rig.r)?;
    trio.rig.r.address_noprefix("eth2", &format!("{ROUTER}/32"))?;
    trio.rig.r.up("eth2")?;
    trio.rig.r.wait_ready("eth2")?;
    trio.recovers();
    calm.held();
    Ok(())
}

/// While the daemon is kept from reading, more happens than the kernel can keep for it, and the most important
/// comes last.
#[harness::test]
fn what_the_kernel_could_not_tell_is_read_from_its_tables() -> Result<()> {
    let rig = Rig::new()?;
    let hosts = [rig.left(10)?, rig.right(20)?];
    rig.r.dummy("wan")?;
    rig.r.up("wan")?;
    let mut daemon = Config::common_with(&[("expiry", "{ quiet: 1h }")]).start(&rig.r)?;
    introduce(&hosts[0], &rig.r, "eth0")?;
    introduce(&hosts[1], &rig.r, "eth1")?;
    let before: Vec<Route> = rig.r.routes().into_iter().filter(|route| route.protocol == PROTOCOL).collect();
    daemon.signal(SIGSTOP)?;
    overflow(&rig)?;
    for route in &before {
        rig.r.delete_route(&RouteSpec::from(route))?;
    }
    let foreign = RouteSpec::to("10.9.0.30")?.dev("eth0").protocol(4);
    rig.r.add_route(&foreign)?;
    daemon.signal(SIGCONT)?;
    let same = || before.iter().all(|route| rig.r.routes().contains(route));
    wait_until(2 * SOON, "all routes are back", same);
    assert!(!events(&daemon, "kernel_overrun").is_empty(), "{}", daemon.log());
    // What others did meanwhile is known, too.
    let late = rig.right(30)?;
    late.announce()?;
    wait_until(SOON, "the conflict is seen", || !events(&daemon, "route_conflict").is_empty());
    assert_eq!(rig.r.routes_to(ip(30)).len(), 1);
    Ok(())
}

/// The kernel cannot say that the segment's interface got another name and another interface took its own. What
/// stands on the old one is taken away there; left behind, it would have the host's new route refused for ever.
#[harness::test]
fn an_interface_that_lost_its_name_unseen_keeps_no_route() -> Result<()> {
    let rig = Rig::new()?;
    let mut host = rig.left(10)?;
    let spare = Segment::new("spare")?;
    spare.plug(&rig.r, "eth9")?;
    rig.r.dummy("wan")?;
    rig.r.up("wan")?;
    let mut daemon = Config::common_with(&[("expiry", "{ quiet: 1h }")]).start(&rig.r)?;
    introduce(&host, &rig.r, "eth0")?;
    daemon.signal(SIGSTOP)?;
    overflow(&rig)?;
    rig.r.rename("eth0", "old0")?;
    rig.r.rename("eth9", "eth0")?;
    assert_eq!(routed_by(&rig.r, ip(10)).as_deref(), Some("old0"), "the route stays with its interface");
    daemon.signal(SIGCONT)?;
    wait_until(2 * SOON, "the table is read again", || !events(&daemon, "kernel_overrun").is_empty());
    wait_until(SOON, "nothing is left on the old interface", || rig.r.routes_to(ip(10)).is_empty());
    host.move_to(&spare)?;
    host.announce()?;
    wait_route(&rig.r, ip(10), "eth0");
    assert_eq!(rig.r.routes_to(ip(10)).len(), 1);
    assert!(events(&daemon, "route_refused").is_empty(), "{}", daemon.log());
    Ok(())
}

/// Changes a route that is nobody's business until the kernel had to drop a notification of it.
fn overflow(rig: &Rig) -> Result<()> {
    let route = RouteSpec::to("203.0.113.7")?.dev("wan");
    for _ in 0..200 {
        for _ in 0..1000 {
            rig.r.add_route(&route)?;
            rig.r.delete_route(&route)?;
        }
        if drops(rig) > 0 {
            return Ok(());
        }
    }
    panic!("the kernel keeps more than 400,000 notifications");
}

/// Notifications the kernel dropped, of all netlink sockets in the router's namespace.
fn drops(rig: &Rig) -> u64 {
    let table =
        rig.r.run(|| fs::read_to_string("/proc/thread-self/net/netlink")).expect("a table of sockets");
    let drops = |line: &str| line.split_whitespace().nth(8).and_then(|field| field.parse::<u64>().ok());
    table.lines().skip(1).filter_map(drops).sum()
}
