//! A changed configuration is taken up while the daemon runs (SIGHUP): what each change does. That what did not change
//! is not touched is proven in `reload_in_place.rs`.

use std::fs;
use std::time::{Duration, Instant};

use arpherd_lab::{Daemon, Host, Netns, Result, RouteKind, RouteWatch, wait_until};
use serde_json::Value;

use crate::rig::{
    Config, PROTOCOL, Rig, SOON, SUBNET, events, host_routes, introduce, ip, routed_by, segment_row,
    wait_event,
};
use crate::trio::{Stream, Trio};

/// signal(7)
const SIGHUP: i32 = 1;

/// Writes the configuration and has the daemon read it; waits for what it says then.
pub(crate) fn reload(daemon: &mut Daemon, text: &str, outcome: &str) -> Result<Value> {
    let before = events(daemon, outcome).len();
    fs::write(daemon.config_path().expect("it has a file"), text).expect("the file can be written");
    daemon.signal(SIGHUP)?;
    wait_until(SOON, outcome, || events(daemon, outcome).len() > before);
    Ok(events(daemon, outcome).pop().expect("it was there"))
}

/// Packets both ways all the time, and every route that goes meanwhile.
pub(crate) struct Vigil {
    streams: [Stream; 2],
    routes: RouteWatch,
}

impl Vigil {
    pub(crate) fn start(router: &Netns, one: &Host, other: &Host) -> Result<Self> {
        let streams = [Stream::start(&one.ns, other.ip()), Stream::start(&other.ns, one.ip())];
        Ok(Self { streams, routes: RouteWatch::start(router)? })
    }

    /// No packet was lost, and no route to one of the addresses was away or written anew.
    pub(crate) fn held(self, addresses: &[std::net::Ipv4Addr]) {
        for stream in self.streams {
            let (sent, received) = stream.stop();
            assert!(sent > 0 && sent == received, "{received} of {sent}");
        }
        let changed =
            self.routes.events().into_iter().filter(|event| addresses.contains(&event.route.dst.ip()));
        assert_eq!(changed.collect::<Vec<_>>(), []);
    }
}

fn forwarding(ns: &Netns, link: &str) -> String {
    ns.sysctl(&format!("ipv4/conf/{link}/forwarding")).expect("there is such a setting")
}

#[harness::test]
fn a_reload_adds_a_segment_and_loses_no_packet_of_the_others() -> Result<()> {
    let trio = Trio::new()?;
    let (router, a, b, c) = (&trio.rig.r, &trio.a, &trio.b, &trio.c);
    let two = Config::common();
    let mut daemon = two.start(router)?;
    introduce(a, router, "eth0")?;
    introduce(b, router, "eth1")?;
    let vigil = Vigil::start(router, a, b)?;
    let pid = daemon.pid();
    reload(&mut daemon, Config::common().segment("eth2", &[]).text(), "reloaded")?;
    introduce(c, router, "eth2")?;
    for host in [a, b] {
        assert_eq!(c.ns.ping(host.ip(), 3, Duration::from_millis(20), Duration::from_secs(1)).received, 3);
    }
    assert_eq!((daemon.pid(), daemon.is_running()), (pid, true));
    assert_eq!(segment_row(&daemon, "eth2")["hosts"], 1);
    vigil.held(&[a.ip(), b.ip()]);
    Ok(())
}

#[harness::test]
fn a_reload_removes_a_segment_with_all_that_was_there_for_it() -> Result<()> {
    let trio = Trio::new()?;
    let (router, a, b, c) = (&trio.rig.r, &trio.a, &trio.b, &trio.c);
    let before = forwarding(router, "eth2");
    let three = Config::common().segment("eth2", &[]);
    let mut daemon = three.start(router)?;
    for (host, link) in [(a, "eth0"), (b, "eth1"), (c, "eth2")] {
        introduce(host, router, link)?;
    }
    let vigil = Vigil::start(router, a, b)?;
    reload(&mut daemon, Config::common().text(), "reloaded")?;
    assert_eq!(routed_by(router, c.ip()), None);
    assert_eq!(forwarding(router, "eth2"), before, "what it set there is as it was");
    let neighbours = router.neighbours();
    assert!(
        !neighbours.iter().any(|entry| entry.address == c.ip() && entry.flags & crate::rig::EXT_LEARNED != 0)
    );
    assert_eq!(daemon.cli(&["segments"]).as_array().map(Vec::len), Some(2));
    vigil.held(&[a.ip(), b.ip()]);
    Ok(())
}

#[harness::test]
fn a_wrong_configuration_is_refused_with_its_errors_and_all_goes_on() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let mut daemon = Config::common().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    let vigil = Vigil::start(&rig.r, &a, &b)?;
    let wrong = Config::common().top("routes: { metric: lots }\nnonsense: 1");
    let refused = reload(&mut daemon, wrong.text(), "reload_refused")?;
    assert!(refused["error"].as_str().is_some_and(|text| text.contains(".yaml:")), "{refused}");
    let failure = daemon.run_cli(&["reload"])?;
    assert_eq!(failure.code, Some(78), "{failure:?}");
    assert!(failure.stderr.contains("nonsense") && failure.stderr.contains("lots"), "{failure:?}");
    let known = daemon.cli(&["hosts"]);
    assert_eq!(known.as_array().map(Vec::len), Some(2));
    vigil.held(&[a.ip(), b.ip()]);
    Ok(())
}

#[harness::test]
fn a_reload_applies_prefixes_modes_and_metrics() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let mut daemon = Config::common().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    let silent = Config::of(SUBNET).segment("eth0", &[("answer", "off")]).segment("eth1", &[]);
    reload(&mut daemon, silent.text(), "reloaded")?;
    assert_eq!(segment_row(&daemon, "eth0")["answer"], "off");
    assert!(a.wire()?.ask(&a.request(ip(20)), Duration::from_millis(300)).is_empty());
    let change =
        wait_event(&daemon, "config_changed", |row| row["key"] == "domains.test.segments.eth0.answer");
    assert!(change["after"].as_str().is_some_and(|after| after.contains("off")), "{change}");

    let metric = silent.top("routes: { metric: 77 }");
    reload(&mut daemon, metric.text(), "reloaded")?;
    introduce(&a, &rig.r, "eth0")?;
    wait_until(SOON, "a route with the new metric", || {
        let routes = host_routes(&rig.r);
        routes.len() == 2 && routes.iter().all(|route| route.metric == 77)
    });

    let other = Config::of("10.9.0.0/25").segment("eth0", &[]).segment("eth1", &[]);
    reload(&mut daemon, other.text(), "reloaded")?;
    let covers = || -> Vec<String> {
        let ours = rig.r.routes().into_iter();
        let ours = ours.filter(|it| it.protocol == PROTOCOL && it.kind == RouteKind::Unreachable);
        ours.map(|route| route.dst.to_string()).collect()
    };
    wait_until(SOON, "the covering route of the new prefix alone", || covers() == ["10.9.0.0/25"]);
    Ok(())
}

#[harness::test]
fn a_reload_without_a_change_touches_nothing() -> Result<()> {
    let rig = Rig::new()?;
    let a = rig.left(10)?;
    let config = Config::common();
    let mut daemon = config.start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    let routes = RouteWatch::start(&rig.r)?;
    let read = segment_row(&daemon, "eth0")["read"].clone();
    let start = Instant::now();
    reload(&mut daemon, config.text(), "reloaded")?;
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(
        segment_row(&daemon, "eth0")["read"].as_u64() >= read.as_u64(),
        "the same socket, the same counters"
    );
    assert_eq!(routes.events(), []);
    assert_eq!(events(&daemon, "sysctl_adopted"), Vec::<Value>::new(), "no instance was started anew");
    Ok(())
}

#[harness::test]
fn the_reload_command_shows_the_difference_and_applies_it() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let file = daemon.config_path().expect("it has a file");
    let off = Config::of(SUBNET).segment("eth0", &[("answer", "off")]).segment("eth1", &[]);
    fs::write(file, off.text()).expect("the file can be written");
    let shown = daemon.cli(&["reload", "--dry-run"]);
    assert_eq!((&shown["applied"], &shown["changes"][0]["after"]), (&false.into(), &"off".into()));
    assert_eq!(segment_row(&daemon, "eth0")["answer"], "live", "it was only shown");
    let done = daemon.cli(&["reload"]);
    assert_eq!((&done["applied"], &done["changes"]), (&true.into(), &shown["changes"]));
    assert_eq!(segment_row(&daemon, "eth0")["answer"], "off");
    let nothing = daemon.cli(&["reload"]);
    assert_eq!(nothing["changes"].as_array().map(Vec::len), Some(0));
    Ok(())
}
