//! `arpherd doctor` on links that few machines have: what cannot work is an error with the way out, and who
//! takes it is shown that all is well.

use std::fs;

use arpherd_lab::{Daemon, Launch, Netns, Result};
use serde_json::Value;

use crate::fabric::FabricRig;
use crate::output::DoctorOutput;
use crate::pair::{Far, Pair};
use crate::radios::{AccessPoint, Station, namespace};
use crate::rig::{Config, SUBNET, binary};
use crate::tools::{self, ip_refuses};

/// A doctor without a daemon, on these links.
fn doctor(ns: &Netns, links: &[&str]) -> Result<DoctorOutput> {
    let launch = Launch::new(ns, binary()).args(&["doctor", "--prefix", SUBNET, "--json"]).args(links);
    Ok(DoctorOutput::of(&launch.run()?))
}

/// One with a configuration.
fn doctor_with(ns: &Netns, config: &Config) -> Result<DoctorOutput> {
    let room = tempfile::tempdir().expect("a directory for files of a run");
    let file = room.path().join("arpherd.yaml");
    fs::write(&file, config.text()).expect("a directory of our own takes files");
    let file = file.to_str().expect("a plain path");
    Ok(DoctorOutput::of(&Launch::new(ns, binary()).args(&["doctor", "--json", "--config", file]).run()?))
}

fn beside(daemon: &Daemon) -> Result<DoctorOutput> {
    Ok(DoctorOutput::of(&daemon.run_cli(&["doctor", "--json"])?))
}

/// Sets what no daemon has set yet, so that nothing but the links is left to complain of.
fn ready(ns: &Netns, links: &[&str]) -> Result<()> {
    for link in links {
        ns.set_sysctl(&format!("ipv4/conf/{link}/forwarding"), "1")?;
        ns.set_sysctl(&format!("ipv4/conf/{link}/accept_redirects"), "0")?;
    }
    Ok(())
}

fn text<'a>(finding: &'a Value, field: &str) -> &'a str {
    finding[field].as_str().expect("a text")
}

/// Does what the finding says, which begins with `ip`.
fn obey(ns: &Netns, finding: &Value, command: &str) {
    assert!(text(finding, "fix").contains(command), "{finding:#}");
    tools::ip(ns, command.strip_prefix("ip ").expect("a command of ip"));
}

/// With 4addr the kernel takes a station as a port of a bridge, whatever its access point makes of that.
#[harness::test]
fn doctor_names_a_station_in_a_bridge() -> Result<()> {
    let point = AccessPoint::new(&namespace("router")?, "")?;
    let ns = namespace("laptop")?;
    let station = Station::new(&ns, &point)?;
    let link = station.link.as_str();
    ns.bridge("vmbr0")?;
    ns.up("vmbr0")?;
    ready(&ns, &["vmbr0", link])?;
    let report = doctor(&ns, &["vmbr0", link])?;
    let kind = report.one("info", "links", link, "wifi, MTU 1500");
    assert!(text(kind, "why").contains("it cannot be bridged"), "{kind:#}");
    ip_refuses(&ns, &format!("link set {link} master vmbr0"));

    tools::run(&ns, "iw", &["dev", link, "set", "4addr", "on"]);
    ns.enslave(link, "vmbr0")?;
    let report = doctor(&ns, &["vmbr0", link])?;
    assert_eq!(report.code, Some(2), "{:#?}", report.findings);
    report.one("info", "links", "vmbr0", &format!("{link}, a port of this bridge, is Wi-Fi"));
    let port = report.one("error", "links", link, "it is a port of the bridge vmbr0");
    assert!(text(port, "why").contains("passes on frames of its own address only"), "{port:#}");
    obey(&ns, port, &format!("ip link set dev {link} nomaster"));
    let report = doctor(&ns, &["vmbr0", link])?;
    assert_eq!(report.count("error"), 0, "{:#?}", report.findings);
    assert!(report.said("info", "links", "vmbr0").iter().all(|it| !text(it, "found").contains("Wi-Fi")));
    Ok(())
}

#[harness::test]
fn doctor_sends_a_cable_of_a_bond_to_the_bond() -> Result<()> {
    let pair = Pair::new()?;
    let _far = Far::cabled(&pair.r, "trunk")?;
    pair.r.down("trunk")?;
    tools::ip(&pair.r, "link add bond0 type bond mode active-backup miimon 50");
    pair.r.enslave("trunk", "bond0")?;
    pair.r.up("bond0")?;
    pair.r.wait_ready("bond0")?;
    pair.share("bond0")?;
    ready(&pair.r, &["eth0", "trunk", "bond0"])?;
    let report = doctor(&pair.r, &["eth0", "trunk"])?;
    assert_eq!(report.code, Some(2), "{:#?}", report.findings);
    let port = report.one("error", "links", "trunk", "it is a port of the bond bond0");
    assert_eq!(text(port, "fix"), "interface: bond0");
    assert_eq!(report.count("error"), 1, "{:#?}", report.findings);
    let report = doctor(&pair.r, &["eth0", "bond0"])?;
    assert_eq!((report.code, report.count("warning")), (Some(0), 0), "{:#?}", report.findings);
    report.one("info", "links", "bond0", "ethernet (bond), MTU 1500");
    Ok(())
}

#[harness::test]
fn doctor_tells_a_fabric_beside_an_ethernet_apart() -> Result<()> {
    let rig = FabricRig::new()?;
    let daemon = rig.start()?;
    let report = beside(&daemon)?;
    assert_eq!((report.code, report.count("warning")), (Some(1), 1), "{:#?}", report.findings);
    let kind = report.one("info", "links", "ib0", "ipoib (ipoib), MTU 2044");
    assert!(text(kind, "why").contains("addresses of 20 octets and cannot be bridged"), "{kind:#}");
    report.one("info", "links", "eth0", "ethernet (veth), MTU 1500");
    let lengths = report.one("warning", "mtu", "test", "MTUs differ: eth0 1500, ib0 2044");
    obey(&rig.r, lengths, "ip link set dev ib0 mtu 1500");
    let report = beside(&daemon)?;
    assert_eq!((report.code, report.well("mtu")), (Some(0), true), "{:#?}", report.findings);
    report.one("info", "links", "ib0", "ipoib (ipoib), MTU 1500");
    // Whoever configures it as another link's is warned before a frame is written.
    let ethernet = Config::of(SUBNET).segment("eth0", &[]).segment("ib0", &[("kind", "ethernet")]);
    let report = doctor_with(&rig.r, &ethernet)?;
    assert_eq!(report.code, Some(2), "{:#?}", report.findings);
    let kind =
        report.one("error", "links", "ib0", "kind: ethernet, but its addresses are of another kind of link");
    assert_eq!(text(kind, "fix"), "kind: auto");
    Ok(())
}

#[harness::test]
fn doctor_finds_a_vrf_of_another_table() -> Result<()> {
    let pair = Pair::new()?;
    let _far = Far::cabled(&pair.r, "trunk")?;
    tools::ip(&pair.r, "link add red type vrf table 10");
    pair.r.up("red")?;
    for link in ["eth0", "trunk"] {
        pair.r.enslave(link, "red")?;
    }
    pair.share("trunk")?;
    // What people are told to do: nothing leaks from a VRF into the main table.
    tools::ip(&pair.r, "route add table 10 unreachable default metric 4278198272");
    let config = pair.config(&["trunk"]);
    let report = doctor_with(&pair.r, &config)?;
    assert_eq!(report.code, Some(2), "{:#?}", report.findings);
    let found = "it is in the VRF red, which uses table 10; routes.table is 254";
    for link in ["eth0", "trunk"] {
        assert_eq!(text(report.one("error", "lookup", link, found), "fix"), "routes.table: 10");
    }
    assert!(report.well("links"), "a member of a VRF is a segment: {:#?}", report.findings);
    let report = doctor_with(&pair.r, &config.top("routes: { table: 10 }"))?;
    assert_eq!((report.code, report.well("lookup")), (Some(0), true), "{:#?}", report.findings);
    Ok(())
}
