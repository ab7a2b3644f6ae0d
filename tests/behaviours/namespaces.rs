//! One daemon for several network namespaces: each has tables of its own, and nothing of one shows in another.

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{Daemon, Host, Launch, Result, wait_until};
use serde_json::Value;

use crate::rig::{
    A_WHILE, Config, PROTOCOL, ROUTER, Rig, SOON, SUBNET, binary, echoes, host_routes, introduce, ip,
    wait_event, wait_route,
};

const LINKS: [&str; 2] = ["eth0", "eth1"];
const SECOND: Duration = Duration::from_secs(1);
/// linux/capability.h
const CAP_SYS_ADMIN: u32 = 21;

/// A domain with both links of a common rig in the namespace of this name.
pub(crate) fn in_netns(config: Config, name: &str) -> Config {
    let keys = [("netns", name)];
    let config = config.domain(name, SUBNET);
    LINKS.iter().fold(config, |config, link| config.segment(link, &keys))
}

/// A rig whose router can be found under this name, with a host on either side.
fn published(name: &str) -> Result<(Rig, [Host; 2])> {
    let rig = Rig::named(name)?;
    rig.r.publish()?;
    let hosts = [rig.left(10)?, rig.right(20)?];
    Ok((rig, hosts))
}

/// Addresses with the links arpherd's routes to them leave by.
fn ways(rig: &Rig) -> Vec<(Ipv4Addr, String)> {
    let route = |route: arpherd_lab::Route| Some((route.dst.ip(), route.dev?));
    let mut ways: Vec<_> = host_routes(&rig.r).into_iter().filter_map(route).collect();
    ways.sort();
    ways
}

fn forwarding(rig: &Rig) -> [String; 2] {
    LINKS.map(|link| rig.r.sysctl(&format!("ipv4/conf/{link}/forwarding")).expect("a setting"))
}

/// Nothing in the kernel's tables and settings says that arpherd was here.
fn untouched(rig: &Rig) {
    let ours: Vec<_> = rig.r.routes().into_iter().filter(|route| route.protocol == PROTOCOL).collect();
    assert_eq!(ours, [], "{}", rig.r.name());
    assert_eq!(forwarding(rig), ["0", "0"], "{}", rig.r.name());
}

#[harness::test]
fn domains_with_the_same_prefix_in_three_namespaces_do_not_mix() -> Result<()> {
    let own = Rig::new()?;
    let own_hosts = [own.left(10)?, own.right(20)?];
    let (upper, upper_hosts) = published("upper")?;
    let (lower, lower_hosts) = published("lower")?;
    let only_upper = upper.left(30)?;
    let config = in_netns(in_netns(Config::common(), "lower"), "upper");
    let mut daemon = config.start(&own.r)?;
    introduce(&only_upper, &upper.r, "eth0")?;
    for hosts in [&own_hosts, &upper_hosts, &lower_hosts] {
        echoes(&hosts[0].ns, hosts[1].ip());
        echoes(&hosts[1].ns, hosts[0].ip());
    }
    let pair = [(ip(10), "eth0".to_owned()), (ip(20), "eth1".to_owned())];
    assert_eq!((ways(&own), ways(&lower)), (pair.to_vec(), pair.to_vec()));
    assert_eq!(ways(&upper), [&pair[..], &[(ip(30), "eth0".to_owned())]].concat());
    for rig in [&own, &upper, &lower] {
        assert_eq!(forwarding(rig), ["1", "1"], "{}", rig.r.name());
    }
    // Who lives in one is nobody in the others.
    echoes(&upper_hosts[1].ns, ip(30));
    for hosts in [&own_hosts, &lower_hosts] {
        assert_eq!(hosts[1].wire()?.ask(&hosts[1].request(ip(30)), A_WHILE), []);
    }
    assert_eq!(ways(&lower), pair);
    check_views(&daemon);
    assert!(daemon.terminate().success());
    [&own, &upper, &lower].into_iter().for_each(untouched);
    Ok(())
}

/// What operators see of the three namespaces.
fn check_views(daemon: &Daemon) {
    let status = daemon.cli(&["status"]);
    let counts = ["domains", "hosts", "routes"].map(|name| status[name].as_u64());
    assert_eq!((counts, &status["ready"]), ([Some(3), Some(7), Some(7)], &Value::Bool(true)), "{status}");
    let column = |command: &str, names: &[&str]| -> Vec<String> {
        let rows = daemon.cli(&[command]);
        let cell = |row: &Value, name: &&str| row[*name].as_str().unwrap_or("-").to_owned();
        let row = |row: &Value| names.iter().map(|name| cell(row, name)).collect::<Vec<_>>().join(" ");
        rows.as_array().expect("a list").iter().map(row).collect()
    };
    let segments = column("segments", &["domain", "netns", "interface"]);
    let expected = [
        "lower lower eth0",
        "lower lower eth1",
        "test - eth0",
        "test - eth1",
        "upper upper eth0",
        "upper upper eth1",
    ];
    assert_eq!(segments, expected);
    let hosts = column("hosts", &["domain", "netns", "address"]);
    assert_eq!(
        hosts.iter().filter(|row| row.ends_with("10.9.0.30")).collect::<Vec<_>>(),
        ["upper upper 10.9.0.30"]
    );
    let routes = column("routes", &["address", "netns"]);
    let to_ten: Vec<_> = routes.iter().filter(|row| row.starts_with("10.9.0.10 ")).collect();
    assert_eq!(to_ten, ["10.9.0.10 -", "10.9.0.10 lower", "10.9.0.10 upper"]);
    let table = daemon.run_cli(&["routes"]).expect("a table").stdout;
    assert!(table.lines().next().is_some_and(|head| head.ends_with("netns")), "{table}");
    // Events say where, too.
    wait_event(daemon, "host_found", |event| event["address"] == "10.9.0.30" && event["netns"] == "upper");
    let found = |event: &Value| event["domain"] == "test" && event.get("netns").is_none();
    wait_event(daemon, "host_found", found);
}

#[harness::test]
fn links_of_another_namespace_come_and_go() -> Result<()> {
    let own = Rig::new()?;
    let (rig, hosts) = published("late")?;
    rig.r.delete("eth1")?;
    let daemon = in_netns(Config::empty(), "late").start(&own.r)?;
    introduce(&hosts[0], &rig.r, "eth0")?;
    for _ in 0..2 {
        rig.right.plug(&rig.r, "eth1")?;
        rig.r.address_noprefix("eth1", "10.9.0.1/32")?;
        rig.r.quick_neighbours("eth1")?;
        wait_event(&daemon, "segment_up", |event| event["interface"] == "eth1");
        echoes(&hosts[0].ns, hosts[1].ip());
        wait_route(&rig.r, hosts[1].ip(), "eth1");
        rig.r.delete("eth1")?;
        wait_until(SOON, "no route to who cannot be reached", || ways(&rig) == [(ip(10), "eth0".to_owned())]);
    }
    untouched(&own);
    Ok(())
}

#[harness::test]
fn sweeps_and_settings_of_another_namespace_are_looked_after_there() -> Result<()> {
    let (own, (rig, _hosts)) = (Rig::new()?, published("swept")?);
    let mute: Vec<_> = (101..=110).map(ip).collect();
    let _crowd = crate::d_discovery::crowd_on(&rig.right, mute.clone())?;
    let keys = [("netns", "swept"), ("sweep", "{ interval: 1h }")];
    let config = Config::of(SUBNET).segment("eth0", &keys).segment("eth1", &keys);
    let _daemon = config.start(&own.r)?;
    let routed = |address: &Ipv4Addr| ways(&rig).contains(&(*address, "eth1".to_owned()));
    wait_until(SOON, "routes to all who say nothing", || mute.iter().all(routed));
    // The same names at home are nobody's business.
    own.r.set_sysctl("ipv4/conf/eth0/forwarding", "1")?;
    own.r.set_sysctl("ipv4/conf/eth0/forwarding", "0")?;
    rig.r.set_sysctl("ipv4/conf/eth0/forwarding", "0")?;
    wait_until(2 * SOON, "forwarding again", || forwarding(&rig) == ["1", "1"]);
    untouched(&own);
    Ok(())
}

#[harness::test]
fn after_a_crash_each_namespace_gives_its_own_routes_to_the_next_start() -> Result<()> {
    let own = Rig::new()?;
    let own_hosts = [own.left(10)?, own.right(20)?];
    let (rig, hosts) = published("wrecked")?;
    let config = in_netns(Config::common(), "wrecked");
    // What settings were before is remembered beside the socket.
    let room = tempfile::tempdir().expect("a directory");
    let control = room.path().join("control.sock").display().to_string();
    let launch = config.launch(&own.r).env("ARPHERD_DAEMON__CONTROL", &control);
    let mut daemon = launch.start()?;
    for (hosts, rig) in [(&own_hosts, &own), (&hosts, &rig)] {
        introduce(&hosts[0], &rig.r, "eth0")?;
        introduce(&hosts[1], &rig.r, "eth1")?;
    }
    let before = [ways(&own), ways(&rig)];
    daemon.kill();
    // Who left meanwhile left one of them only.
    own_hosts[1].unplug()?;
    let mut daemon = launch.start()?;
    assert_eq!(ways(&rig), before[1]);
    wait_until(SOON, "no route to who is gone", || ways(&own) == before[0][..1]);
    assert_eq!(ways(&rig), before[1]);
    echoes(&hosts[0].ns, hosts[1].ip());
    assert!(daemon.terminate().success());
    [&own, &rig].into_iter().for_each(untouched);
    Ok(())
}

#[harness::test]
fn the_example_for_namespaces_does_what_it_says() -> Result<()> {
    let own = Rig::new()?;
    let (red, red_hosts) = published("red")?;
    let (blue, blue_hosts) = published("blue")?;
    let text = include_str!("../../configs/examples/namespaces.yaml");
    let mut daemon = Launch::new(&own.r, binary()).config("yaml", text).start()?;
    for (hosts, rig) in [(&red_hosts, &red), (&blue_hosts, &blue)] {
        echoes(&hosts[0].ns, hosts[1].ip());
        let sources: Vec<_> = host_routes(&rig.r).into_iter().map(|route| route.source).collect();
        assert_eq!(sources, [Some(ROUTER); 2]);
    }
    untouched(&own);
    assert!(daemon.terminate().success());
    [&red, &blue].into_iter().for_each(untouched);
    Ok(())
}

#[harness::test]
fn each_namespace_has_a_recording_of_its_own() -> Result<()> {
    let (own, room) = (Rig::new()?, tempfile::tempdir().expect("a directory"));
    let (rig, hosts) = published("taped")?;
    let file = room.path().join("facts.json").display().to_string();
    let config = in_netns(Config::common(), "taped");
    let mut daemon = config.launch(&own.r).args(&["--record", &file]).start()?;
    introduce(&hosts[1], &rig.r, "eth1")?;
    assert!(daemon.terminate().success());
    for (name, heard) in [(file.clone(), false), (format!("{file}.taped"), true)] {
        let facts = fs::read_to_string(&name).expect("a recording");
        assert_eq!(facts.contains(&hosts[1].mac().to_string()), heard, "{name}");
        let replayed = daemon.run_cli(&["replay", &name])?;
        assert_eq!(replayed.code, Some(0), "{name}: {replayed:?}");
    }
    Ok(())
}

/// Ends with the code and says all of this; the namespaces are left as they were.
fn refused(config: &Config, rigs: &[&Rig], code: i32, words: &[&str]) -> Result<()> {
    let failure = config.launch(&rigs[0].r).run()?;
    let said = format!("{}{}", failure.stdout, failure.stderr);
    assert_eq!(failure.code, Some(code), "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
    rigs.iter().for_each(|rig| untouched(rig));
    Ok(())
}

#[harness::test]
fn a_network_namespace_that_does_not_exist_stops_the_start() -> Result<()> {
    let own = Rig::new()?;
    let config = in_netns(Config::common(), "nowhere");
    refused(&config, &[&own], 69, &["there is no network namespace nowhere", "ip netns add nowhere"])
}

#[harness::test]
fn one_namespace_under_two_names_is_refused() -> Result<()> {
    let (own, _hosts) = published("myself")?;
    let config = Config::common().domain("other", "10.77.0.0/24").segment("eth7", &[("netns", "myself")]);
    refused(&config, &[&own], 78, &["the daemon's own and myself are the same network namespace"])?;
    // It is not the name that is wrong.
    in_netns(Config::empty(), "myself").start(&own.r).map(drop)
}

#[harness::test]
fn without_the_right_to_enter_a_namespace_it_does_not_start() -> Result<()> {
    let (own, (rig, _hosts)) = (Rig::new()?, published("locked")?);
    let launch = in_netns(Config::common(), "locked").launch(&own.r).without(CAP_SYS_ADMIN);
    let failure = launch.run()?;
    assert_eq!(failure.code, Some(77), "{failure:?}");
    assert!(failure.stderr.contains("CAP_SYS_ADMIN") && failure.stderr.contains("locked"), "{failure:?}");
    [&own, &rig].into_iter().for_each(untouched);
    // Whoever stays at home needs no such right.
    Config::common().launch(&own.r).without(CAP_SYS_ADMIN).start().map(drop)
}

#[harness::test]
fn when_one_namespace_cannot_be_served_the_others_are_left_as_they_were() -> Result<()> {
    let own = Rig::new()?;
    let own_hosts = [own.left(10)?, own.right(20)?];
    let (rig, hosts) = published("taken")?;
    let daemon = Config::common().start(&rig.r)?;
    introduce(&hosts[0], &rig.r, "eth0")?;
    let config = in_netns(Config::common(), "taken");
    let failure = config.launch(&own.r).run()?;
    assert_eq!(failure.code, Some(69), "{failure:?}");
    assert!(failure.stderr.contains("eth0 is already served"), "{failure:?}");
    untouched(&own);
    assert_eq!(ways(&rig), [(ip(10), "eth0".to_owned())]);
    assert_eq!(hosts[0].ns.ping(hosts[1].ip(), 1, SECOND, SECOND).received, 1);
    drop(daemon);
    let _daemon = config.start(&own.r)?;
    echoes(&own_hosts[0].ns, own_hosts[1].ip());
    echoes(&hosts[1].ns, hosts[0].ip());
    Ok(())
}
