//! The monitor reports what others do, and only that.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_actors::io::netlink::{Changed, Monitor, MonitorError, Reader};
use arpherd_core::LinkAddr;
use arpherd_core::Write;
use arpherd_lab::{Mac, RouteKind, RouteSpec, wait_until};

use crate::rig::{HOST, MARK, Rig, host, write};

const LIMIT: Duration = Duration::from_secs(5);

fn open(rig: &Rig, own_port: u32) -> Monitor {
    rig.router.run(|| Monitor::open(MARK.table, own_port)).unwrap()
}

/// All that waits.
fn drain(monitor: &mut Monitor) -> Vec<Changed> {
    let mut changes = Vec::new();
    while monitor.read(&mut changes).unwrap() {}
    changes
}

/// Reads until a change fits, and gives all changes up to then.
fn wait_for(monitor: &mut Monitor, what: &str, fits: impl Fn(&Changed) -> bool) -> Vec<Changed> {
    let mut changes = Vec::new();
    wait_until(LIMIT, what, || {
        changes.extend(drain(monitor));
        changes.iter().any(&fits)
    });
    changes
}

fn foreign() -> RouteSpec {
    RouteSpec::to("10.9.0.7").unwrap().dev("lan0").protocol(4).metric(50)
}

#[harness::test]
fn foreign_host_routes_are_reported() {
    let rig = Rig::new();
    let mut monitor = open(&rig, rig.writer().port());
    rig.router.add_route(&foreign()).unwrap();
    rig.router.delete_route(&foreign()).unwrap();
    let changes = drain(&mut monitor);
    let [Changed::RouteAppeared(appeared), Changed::RouteVanished(vanished)] = changes[..] else {
        panic!("{changes:?}")
    };
    assert_eq!(appeared, vanished);
    assert_eq!((appeared.address, appeared.protocol, appeared.metric), (HOST, 4, 50));
    assert_eq!((appeared.interface, appeared.source), (rig.lan, None));
}

#[harness::test]
fn own_writes_are_not_reported() {
    let rig = Rig::new();
    let mut writer = rig.writer();
    let mut monitor = open(&rig, writer.port());
    let replace = Write::PutRoute { interface: rig.lan, address: HOST, source: None, replace: true };
    assert_eq!(write(&mut writer, &[rig.put(HOST), replace, rig.delete(HOST)]), []);
    assert_eq!(drain(&mut monitor), []);
    // A second daemon's writes bear the same marks, yet are another's.
    assert_eq!(write(&mut rig.writer(), &[rig.put(HOST)]), []);
    assert_eq!(drain(&mut monitor).len(), 1);
}

#[harness::test]
fn networks_and_other_tables_are_not_reported() {
    let rig = Rig::new();
    let mut monitor = open(&rig, 0x7fff_ffff);
    rig.router.add_route(&RouteSpec::to("10.20.0.0/16").unwrap().dev("lan0")).unwrap();
    rig.router.add_route(&foreign().table(100)).unwrap();
    assert_eq!(drain(&mut monitor), []);
}

#[harness::test]
fn a_deleted_cover_is_reported() {
    let rig = Rig::new();
    let mut writer = rig.writer();
    let prefix = "10.9.8.0/22".parse().unwrap();
    assert_eq!(write(&mut writer, &[Write::PutCover { prefix }]), []);
    let mut monitor = open(&rig, writer.port());
    // Another's, of another metric, is none of ours.
    let other = RouteSpec::to("10.9.8.0/22").unwrap().kind(RouteKind::Unreachable).metric(7);
    rig.router.add_route(&other).unwrap();
    rig.router.delete_route(&other).unwrap();
    let cover = rig.router.routes().into_iter().find(|route| route.kind == RouteKind::Unreachable).unwrap();
    rig.router.delete_route(&RouteSpec::from(&cover)).unwrap();
    assert_eq!(drain(&mut monitor), [Changed::CoverVanished(prefix)]);
}

#[harness::test]
fn links_are_reported_with_what_changed() {
    let rig = Rig::new();
    let mut monitor = open(&rig, 0x7fff_ffff);
    let link = |changed: &Changed| match changed {
        Changed::Link(link) if link.index == rig.lan => Some(link.clone()),
        _ => None,
    };
    rig.router.set_mac("lan0", Mac([2, 0, 0, 0, 0, 0x42])).unwrap();
    let address = LinkAddr::ethernet([2, 0, 0, 0, 0, 0x42]);
    wait_for(&mut monitor, "the new address", |changed| {
        link(changed).is_some_and(|link| link.lladdr == address && link.up && link.name == "lan0")
    });
    rig.far.down("far0").unwrap();
    wait_for(&mut monitor, "the lost carrier", |changed| {
        link(changed).is_some_and(|link| link.up && !link.carrier)
    });
    rig.router.down("lan0").unwrap();
    wait_for(&mut monitor, "down", |changed| link(changed).is_some_and(|link| !link.up));
    rig.router.rename("lan0", "lan9").unwrap();
    wait_for(&mut monitor, "the new name", |changed| link(changed).is_some_and(|link| link.name == "lan9"));
    rig.router.delete("lan9").unwrap();
    let gone = Changed::LinkGone { index: rig.lan, name: "lan9".to_owned() };
    wait_for(&mut monitor, "the end", |changed| *changed == gone);
    assert_eq!(monitor.malformed(), 0);
}

#[harness::test]
fn leaving_a_bridge_is_not_the_end_of_a_link() {
    let rig = Rig::new();
    rig.router.bridge("br0").unwrap();
    rig.router.up("br0").unwrap();
    let mut monitor = open(&rig, 0x7fff_ffff);
    let port = |changed: &Changed, master: bool| matches!(changed, Changed::Link(link) if link.index == rig.lan && link.master.is_some() == master);
    rig.router.enslave("lan0", "br0").unwrap();
    let mut changes = wait_for(&mut monitor, "a port", |changed| port(changed, true));
    rig.router.release("lan0").unwrap();
    changes.extend(wait_for(&mut monitor, "no port", |changed| port(changed, false)));
    changes.extend(drain(&mut monitor));
    assert!(!changes.iter().any(|changed| matches!(changed, Changed::LinkGone { .. })), "{changes:?}");
}

#[harness::test]
fn addresses_are_reported() {
    let rig = Rig::new();
    let mut monitor = open(&rig, 0x7fff_ffff);
    rig.router.address("lan0", "10.9.1.1/30").unwrap();
    rig.router.remove_address("lan0", "10.9.1.1/30").unwrap();
    let changes = drain(&mut monitor);
    let [Changed::AddressAppeared(came), Changed::AddressVanished(went)] = changes[..] else {
        panic!("{changes:?}")
    };
    assert_eq!((came, came.interface), (went, rig.lan));
    assert_eq!(came.network.to_string(), "10.9.1.1/30");
}

#[harness::test]
fn routes_flushed_with_their_link_go_without_a_word() {
    let rig = Rig::new();
    let mut writer = rig.writer();
    assert_eq!(write(&mut writer, &[rig.put(HOST)]), []);
    let mut monitor = open(&rig, writer.port());
    rig.router.down("lan0").unwrap();
    let down = |changed: &Changed| matches!(changed, Changed::Link(link) if !link.up);
    let changes = wait_for(&mut monitor, "down", down);
    assert!(!changes.iter().any(|changed| matches!(changed, Changed::RouteVanished(_))), "{changes:?}");
    assert!(rig.router.routes().iter().all(|route| route.protocol != 169));
}

#[harness::test]
fn an_overrun_is_told_and_survived() {
    let rig = Rig::new();
    let mut monitor = open(&rig, 0x7fff_ffff);
    let mut writer = rig.writer();
    let puts: Vec<_> = (0..30_000).map(|number| rig.put(host(number))).collect();
    assert_eq!(write(&mut writer, &puts), []);
    let mut changes = Vec::new();
    let overrun = loop {
        match monitor.read(&mut changes) {
            Ok(true) => {}
            Ok(false) => break false,
            Err(MonitorError::Overrun) => break true,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(overrun, "{} changes and no overrun", changes.len());
    assert_eq!(drain(&mut monitor), [], "what is older than the overrun is no news");
    let last: Ipv4Addr = host(29_999);
    assert_eq!(write(&mut writer, &[rig.delete(last)]), []);
    let changes = drain(&mut monitor);
    assert!(matches!(changes[..], [Changed::RouteVanished(route)] if route.address == last), "{changes:?}");
}

#[harness::test]
fn some_settings_are_reported_when_somebody_sets_them() {
    let rig = Rig::new();
    let mut monitor = open(&rig, rig.writer().port());
    for (setting, value) in
        [("lan0/forwarding", "1"), ("lan0/rp_filter", "2"), ("lan0/proxy_arp", "1"), ("all/proxy_arp", "1")]
    {
        rig.router.set_sysctl(&format!("ipv4/conf/{setting}"), value).unwrap();
        assert_eq!(drain(&mut monitor), [Changed::Settings], "{setting}");
    }
    rig.router.set_sysctl("ipv4/conf/lan0/proxy_arp", "1").unwrap();
    assert_eq!(drain(&mut monitor), [], "it was that already");
}

/// The kernel says so of a link that is up (`netdev_state_change`); of another one when it is set up.
#[harness::test]
fn alternative_names_are_followed() {
    let rig = Rig::new();
    let mut monitor = open(&rig, rig.writer().port());
    let long = "n".repeat(127);
    for name in ["uplink", &long] {
        rig.router.add_altname("lan0", name).unwrap();
        let is_called = |change: &Changed| matches!(change, Changed::Link(link) if link.is_called(name));
        let changes = wait_for(&mut monitor, "the new name", is_called);
        assert!(changes.iter().all(|change| matches!(change, Changed::Link(link) if link.name == "lan0")));
        let mut reader = rig.router.run(Reader::open).unwrap();
        assert_eq!(reader.link(name).unwrap().map(|link| link.index), Some(rig.lan));
    }
    rig.router.remove_altname("lan0", "uplink").unwrap();
    let is_without = |change: &Changed| matches!(change, Changed::Link(link) if !link.is_called("uplink") && link.is_called(&long));
    wait_for(&mut monitor, "the name's end", is_without);
    rig.router.down("lan0").unwrap();
    drain(&mut monitor);
    rig.router.add_altname("lan0", "uplink").unwrap();
    assert_eq!(drain(&mut monitor), [], "nothing is said of a link that is down");
    rig.router.up("lan0").unwrap();
    wait_for(
        &mut monitor,
        "the name, with the link up",
        |change| matches!(change, Changed::Link(link) if link.up && link.is_called("uplink")),
    );
    assert!(rig.router.add_altname("lan0", "lo").is_err(), "the kernel gives no name twice");
}
