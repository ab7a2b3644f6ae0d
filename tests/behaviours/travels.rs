//! A gateway that travels: its prefixes are those of its interfaces' addresses, which come by DHCP.
//!
//! ```text
//!   hosts of the network it is in ── eth0 [ R: address by DHCP, arpherd ] eth1 ── its virtual machines
//! ```

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use arpherd_lab::{Daemon, Host, Launch, Result, RouteWatch, Segment, wait_until};

use crate::doctor::output::DoctorOutput;
use crate::rig::{
    A_WHILE, Config, PROTOCOL, ROUTER, Rig, SOON, binary, echoes, events, host_routes, introduce, pass,
    routed_by, segment_row, wait_event, wait_route,
};
use crate::trio::Stream;

const SECOND: Duration = Duration::from_secs(1);
/// The lease at home, and the one elsewhere.
const HOME: &str = "10.9.0.1/24";
const AWAY: &str = "192.168.7.5/24";
/// How soon a new network is served.
const FOLLOWED: Duration = Duration::from_secs(3);

/// The rig without any address of the router.
fn bare() -> Result<Rig> {
    let rig = Rig::new()?;
    for link in ["eth0", "eth1"] {
        rig.r.remove_address(link, &format!("{ROUTER}/32"))?;
    }
    Ok(rig)
}

fn host(name: &str, address: &str, segment: &Segment) -> Result<Host> {
    let mut host = Host::new(name, address)?;
    host.attach_to(segment)?;
    Ok(host)
}

/// A configuration in which sweeps find who is silent.
fn config() -> Config {
    let sweep = ("sweep", "{ interval: 60s, rate: 2000 }");
    let patient = ("expiry", "{ quiet: 30s }");
    Config::of("auto").segment("eth0", &[sweep, patient]).segment("eth1", &[sweep, patient])
}

/// The states of both segments.
fn states(daemon: &Daemon) -> [String; 2] {
    ["eth0", "eth1"]
        .map(|segment| segment_row(daemon, segment)["state"].as_str().unwrap_or_default().to_owned())
}

fn prefixes(daemon: &Daemon, segment: &str) -> String {
    segment_row(daemon, segment)["prefixes"].to_string()
}

fn covered(rig: &Rig) -> Vec<String> {
    let covers =
        rig.r.routes().into_iter().filter(|route| route.protocol == PROTOCOL && route.dst.prefix() < 32);
    covers.map(|route| route.dst.to_string()).collect()
}

#[harness::test]
fn join_waits_for_interfaces_and_for_a_lease() -> Result<()> {
    let rig = bare()?;
    let (a, b) = (host("a", "10.9.0.10/24", &rig.left)?, host("b", "10.9.0.20/24", &rig.right)?);
    rig.use_kernel_timers(&[&a, &b])?;
    let (eth1, daemon) = {
        rig.r.delete("eth1")?;
        let join = ["join", "eth0", "eth1", "--log-format", "json"];
        ("eth1", Launch::new(&rig.r, binary()).args(&join).start()?)
    };
    assert_eq!(states(&daemon), ["waiting_for_address", "absent"]);
    rig.right.plug(&rig.r, eth1)?;
    wait_until(SOON, "both wait", || states(&daemon) == ["waiting_for_address", "waiting_for_address"]);
    let event = wait_event(&daemon, "segment_down", |event| event["reason"] == "waiting_for_address");
    assert!(event["hint"].as_str().is_some_and(|hint| hint.contains("address")), "{event}");
    assert!(daemon.run_cli(&["segments"])?.stdout.contains("waiting_for_address"));
    // The lease comes on one interface; the other needs no address.
    let leased = Instant::now();
    rig.r.address("eth0", HOME)?;
    wait_route(&rig.r, a.ip(), "eth0");
    wait_route(&rig.r, b.ip(), eth1);
    echoes(&a.ns, b.ip());
    assert!(leased.elapsed() < FOLLOWED, "after {:?}", leased.elapsed());
    assert_eq!(
        (states(&daemon), prefixes(&daemon, eth1)),
        (["up", "up"].map(String::from), r#"["10.9.0.0/24"]"#.into())
    );
    Ok(())
}

#[harness::test]
fn another_network_is_served_within_three_seconds_and_the_old_one_forgotten() -> Result<()> {
    let rig = bare()?;
    let old = (host("a", "10.9.0.10/24", &rig.left)?, host("b", "10.9.0.20/24", &rig.right)?);
    let new = (host("c", "192.168.7.10/24", &rig.left)?, host("d", "192.168.7.20/24", &rig.right)?);
    rig.use_kernel_timers(&[&old.0, &old.1, &new.0, &new.1])?;
    rig.r.address("eth0", HOME)?;
    let daemon = config().start(&rig.r)?;
    introduce(&old.0, &rig.r, "eth0")?;
    introduce(&old.1, &rig.r, "eth1")?;
    echoes(&old.0.ns, old.1.ip());
    assert_eq!(covered(&rig), ["10.9.0.0/24"]);

    let changed = Instant::now();
    rig.r.remove_address("eth0", HOME)?;
    rig.r.address("eth0", AWAY)?;
    wait_until(FOLLOWED, "the old routes are gone", || {
        routed_by(&rig.r, old.0.ip()).is_none() && routed_by(&rig.r, old.1.ip()).is_none()
    });
    // Nobody of them has said a word.
    wait_route(&rig.r, new.0.ip(), "eth0");
    wait_route(&rig.r, new.1.ip(), "eth1");
    echoes(&new.0.ns, new.1.ip());
    let served = changed.elapsed();
    eprintln!("the new network was served after {served:?}");
    assert!(served < FOLLOWED, "after {served:?}");
    assert_eq!(covered(&rig), ["192.168.7.0/24"]);
    assert!(host_routes(&rig.r).iter().all(|route| route.source == Some(Ipv4Addr::new(192, 168, 7, 5))));
    let event = wait_event(&daemon, "prefix_changed", |_| true);
    assert_eq!(
        (&event["domain"], &event["old_prefixes"], &event["prefixes"]),
        (&"test".into(), &"10.9.0.0/24".into(), &"192.168.7.0/24".into())
    );
    old.0.announce()?;
    pass(2 * SECOND);
    assert_eq!(events(&daemon, "prefix_changed").len(), 1);
    assert_eq!(routed_by(&rig.r, old.0.ip()), None);
    // And home again.
    rig.r.remove_address("eth0", AWAY)?;
    rig.r.address("eth0", HOME)?;
    wait_route(&rig.r, old.1.ip(), "eth1");
    echoes(&old.0.ns, old.1.ip());
    wait_until(SOON, "nothing is left of the other network", || covered(&rig) == ["10.9.0.0/24"]);
    assert_eq!(routed_by(&rig.r, new.1.ip()), None);
    Ok(())
}

/// Some clients replace the address at every renewal.
#[harness::test]
fn a_renewed_lease_of_the_same_network_costs_no_packet() -> Result<()> {
    let rig = bare()?;
    let (a, b) = (host("a", "10.9.0.10/24", &rig.left)?, host("b", "10.9.0.20/24", &rig.right)?);
    rig.use_kernel_timers(&[&a, &b])?;
    rig.r.address("eth0", HOME)?;
    let daemon = config().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    echoes(&a.ns, b.ip());
    let routes = RouteWatch::start(&rig.r)?;
    let pings = std::thread::scope(|scope| {
        let pings = scope.spawn(|| a.ns.ping(b.ip(), 30, SECOND / 10, SECOND));
        for _ in 0..3 {
            // Between two pings: for about a millisecond no route stands, because the kernel deletes those whose
            // preferred source goes.
            pass(Duration::from_millis(640));
            rig.r.remove_address("eth0", HOME).expect("it is there");
            rig.r.address("eth0", HOME).expect("it is free");
        }
        pings.join().expect("a ping does not panic")
    });
    assert_eq!(pings.received, pings.sent, "{pings:?}");
    let news = routes.events().into_iter().filter(|event| event.route.dst.ip() == b.ip());
    let times: Vec<_> = news.map(|event| (event.is_new, Duration::from_nanos(event.ts_ns))).collect();
    let gaps = times.windows(2).filter(|pair| !pair[0].0 && pair[1].0).map(|pair| pair[1].1 - pair[0].1);
    let longest = gaps.max();
    eprintln!("a route was away for {longest:?} at the most");
    assert!(longest.is_none_or(|gap| gap < SECOND / 10), "{longest:?}");
    assert_eq!(
        (events(&daemon, "prefix_changed").len(), states(&daemon)),
        (0, ["up", "up"].map(String::from))
    );
    Ok(())
}

/// Hosts talk to one another, and to nobody else, while the address is away for seconds.
#[harness::test]
fn hosts_reach_each_other_while_the_address_is_away() -> Result<()> {
    let rig = bare()?;
    let (a, b) = (host("a", "10.9.0.10/24", &rig.left)?, host("b", "10.9.0.20/24", &rig.right)?);
    rig.use_kernel_timers(&[&a, &b])?;
    rig.r.address("eth0", HOME)?;
    let daemon = config().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    rig.r.remove_address("eth0", HOME)?;
    wait_until(SOON, "the source is gone", || segment_row(&daemon, "eth0")["source"].is_null());
    echoes(&a.ns, b.ip());
    let stream = Stream::start(&a.ns, b.ip());
    pass(A_WHILE);
    rig.r.address("eth0", "10.9.0.7/24")?;
    wait_until(SOON, "the new source", || segment_row(&daemon, "eth1")["source"] == "10.9.0.7");
    let (sent, received) = stream.stop();
    assert!(sent - received <= 1, "{received} of {sent}");
    Ok(())
}

/// The routes of the crashed run stand until their prefix is known again.
#[harness::test]
fn a_crash_costs_no_packet_where_prefixes_follow_addresses() -> Result<()> {
    let rig = bare()?;
    let (a, b) = (host("a", "10.9.0.10/24", &rig.left)?, host("b", "10.9.0.20/24", &rig.right)?);
    rig.use_kernel_timers(&[&a, &b])?;
    rig.r.address("eth0", HOME)?;
    let mut daemon = config().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    echoes(&a.ns, b.ip());
    let stream = Stream::start(&a.ns, b.ip());
    let routes = RouteWatch::start(&rig.r)?;
    daemon.kill();
    let next = config().start(&rig.r)?;
    wait_event(&next, "route_adopted", |event| event["address"] == b.ip().to_string());
    pass(2 * SECOND);
    let (sent, received) = stream.stop();
    assert!(sent > 0 && sent == received, "{received} of {sent}");
    let withdrawn =
        routes.events().into_iter().filter(|event| !event.is_new && event.route.dst.prefix() == 32);
    assert_eq!(withdrawn.count(), 0);
    Ok(())
}

/// An interface of the second domain gets an address in the network of the first.
#[harness::test]
fn of_two_domains_that_follow_addresses_the_second_waits_while_they_overlap() -> Result<()> {
    let rig = bare()?;
    let (third, fourth) = (Segment::new("third")?, Segment::new("fourth")?);
    third.plug(&rig.r, "eth2")?;
    fourth.plug(&rig.r, "eth3")?;
    let two = config().domain("lab", "auto").segment("eth2", &[]).segment("eth3", &[]);
    rig.r.address("eth0", HOME)?;
    let daemon = two.start(&rig.r)?;
    rig.r.address("eth2", "10.9.0.129/25")?;
    let event = wait_event(&daemon, "segment_down", |event| event["reason"] == "prefix_overlap");
    assert_eq!(event["domain"], "lab");
    assert_eq!(segment_row(&daemon, "eth3")["state"], "prefix_overlap");
    assert_eq!(states(&daemon), ["up", "up"]);
    rig.r.remove_address("eth0", HOME)?;
    rig.r.address("eth0", AWAY)?;
    wait_until(FOLLOWED, "the second is served", || segment_row(&daemon, "eth3")["state"] == "up");
    let mut covers = covered(&rig);
    covers.sort();
    assert_eq!(covers, ["10.9.0.128/25", "192.168.7.0/24"]);
    Ok(())
}

/// With prefixes written down there is nothing to follow, but it is said that they are of no use.
#[harness::test]
fn a_configured_prefix_without_an_address_any_more_is_warned_of() -> Result<()> {
    let rig = bare()?;
    rig.r.address("eth0", HOME)?;
    let daemon = Config::common().start(&rig.r)?;
    let segments = || daemon.run_cli(&["segments"]).map(|output| output.stdout).unwrap_or_default();
    let doctor = || DoctorOutput::of(&daemon.run_cli(&["doctor", "--json"]).expect("it runs"));
    // A renewal is no loss.
    rig.r.remove_address("eth0", HOME)?;
    rig.r.address("eth0", HOME)?;
    pass(4 * SECOND);
    assert_eq!(events(&daemon, "prefix_unaddressed").len(), 0);
    assert!(!segments().contains("no address"));

    rig.r.remove_address("eth0", HOME)?;
    rig.r.address("eth0", AWAY)?;
    let event = wait_event(&daemon, "prefix_unaddressed", |_| true);
    assert_eq!((&event["domain"], &event["prefix"]), (&"test".into(), &"10.9.0.0/24".into()));
    assert!(event["hint"].as_str().is_some_and(|hint| hint.contains("auto")), "{event}");
    assert_eq!(segment_row(&daemon, "eth1")["unaddressed"].to_string(), r#"["10.9.0.0/24"]"#);
    assert!(segments().contains("10.9.0.0/24 (no address)"), "{}", segments());
    doctor().one("warning", "daemon", "test", "no address of this machine belongs to 10.9.0.0/24 any more");
    doctor().one("warning", "links", "eth0", "this one has 192.168.7.5/24");

    rig.r.address("eth1", "10.9.0.7/32")?;
    wait_event(&daemon, "prefix_addressed", |_| true);
    wait_until(SOON, "nothing is missing", || !segments().contains("no address"));
    assert_eq!(doctor().said("warning", "daemon", "test"), Vec::<&serde_json::Value>::new());
    assert_eq!(events(&daemon, "prefix_unaddressed").len(), 1);
    Ok(())
}
