//! Routes: those the daemon wants, those of others, those of the dead, and whether they are looked up.

use arpherd_lab::{Result, RouteSpec};

use super::{beside, doctor, doctor_with, ready_rig};
use crate::rig::{Config, Rig, SUBNET, introduce, ip, wait_event};

#[harness::test]
fn doctor_misses_routes_that_the_daemon_wants() -> Result<()> {
    let rig = Rig::new()?;
    let a = rig.left(10)?;
    let daemon = Config::common().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    // In a machine with the same links and none of the daemon's routes.
    let other = Rig::new()?;
    let socket = daemon.control_path().display().to_string();
    let report = doctor(&other.r, &["--control", &socket])?;
    assert_eq!(report.code, Some(2));
    let missing = report.one("error", "routes", "10.9.0.10", "by eth0");
    let route = "ip route replace 10.9.0.10 dev eth0 scope link src 10.9.0.1 proto 169 metric 50 table 254";
    assert!(missing["fix"].as_str().is_some_and(|fix| fix.ends_with(route)), "{missing:#}");
    report.one("error", "routes", SUBNET, "the daemon's route is missing");
    Ok(())
}

#[harness::test]
fn doctor_finds_routes_that_stand_in_the_way() -> Result<()> {
    let rig = Rig::new()?;
    let a = rig.left(10)?;
    rig.r.add_route(&RouteSpec::to("10.9.0.10")?.dev("eth1").metric(50))?;
    let daemon = Config::common().start(&rig.r)?;
    a.announce()?;
    wait_event(&daemon, "route_conflict", |_| true);
    let report = beside(&daemon)?;
    assert_eq!(report.code, Some(1), "{:#?}", report.findings);
    report.one("warning", "routes", "10.9.0.10", "a foreign route");
    report.one("warning", "daemon", "daemon", "route_conflict");
    Ok(())
}

#[harness::test]
fn doctor_names_other_daemons_routes() -> Result<()> {
    let rig = ready_rig()?;
    rig.r.add_route(&RouteSpec::to("10.9.0.10")?.dev("eth0"))?;
    rig.r.add_route(&RouteSpec::to("10.9.0.20")?.dev("eth1").metric(50))?;
    rig.r.add_route(&RouteSpec::to("10.8.0.20")?.dev("eth1"))?;
    let report = doctor(&rig.r, &[])?;
    assert_eq!(report.code, Some(1), "{:#?}", report.findings);
    let maker =
        |link, address| report.one("warning", "routes", link, address)["why"].as_str().expect("a text");
    assert!(maker("eth0", "10.9.0.10").contains("fillarpd"));
    assert!(maker("eth1", "10.9.0.20").contains("parprouted"));
    assert_eq!(
        report.count("warning"),
        2,
        "routes outside the prefix are not reported: {:#?}",
        report.findings
    );
    Ok(())
}

#[harness::test]
fn doctor_finds_what_a_crash_left() -> Result<()> {
    let rig = ready_rig()?;
    let a = rig.left(10)?;
    let mut daemon = Config::common().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    // While it runs, a doctor that asks on another socket does not take its routes for leftovers.
    let report = doctor(&rig.r, &[])?;
    report.one("warning", "routes", "daemon", "an arpherd serves eth0, eth1, but listens on another socket");
    assert_eq!(report.said("warning", "routes", "routes"), [] as [&serde_json::Value; 0]);
    daemon.kill();
    let report = doctor(&rig.r, &[])?;
    let finding =
        report.one("warning", "routes", "routes", "1 routes of protocol 169, but no daemon runs: 10.9.0.10");
    assert!(finding["fix"].as_str().is_some_and(|fix| fix.contains("ip route flush table 254 proto 169")));
    assert_eq!(report.code, Some(1));
    Ok(())
}

#[harness::test]
fn doctor_finds_tables_that_nobody_looks_up() -> Result<()> {
    let rig = ready_rig()?;
    let config = Config::common().top("routes: { table: 300 }");
    let report = doctor_with(&rig.r, &config)?;
    assert_eq!(report.code, Some(2));
    let finding = report.one("error", "lookup", "table 300", "no rule looks up table 300");
    assert!(
        finding["fix"].as_str().is_some_and(|fix| fix.starts_with("ip rule add lookup 300 priority 32000"))
    );
    rig.r.rule_for_all(32000, 300)?;
    assert_eq!(doctor_with(&rig.r, &config)?.code, Some(0));
    rig.r.add_route(&RouteSpec::to("10.9.0.0/16")?.dev("eth1").table(200))?;
    rig.r.rule_for_all(100, 200)?;
    doctor_with(&rig.r, &config)?.one(
        "error",
        "lookup",
        "table 200",
        "rule 100 sends all packets to table 200",
    );
    Ok(())
}

#[harness::test]
fn doctor_finds_networks_connected_twice() -> Result<()> {
    let rig = ready_rig()?;
    rig.r.address("eth0", "10.9.0.2/24")?;
    assert!(doctor(&rig.r, &[])?.well("lookup"));
    rig.r.address("eth1", "10.9.0.3/24")?;
    let report = doctor(&rig.r, &[])?;
    report.one("warning", "lookup", "eth0, eth1", "10.9.0.0/24 is connected to eth0 and eth1");
    assert_eq!(report.code, Some(1));
    Ok(())
}

#[harness::test]
fn doctor_finds_single_entries_that_answer_beside_arpherd() -> Result<()> {
    let rig = ready_rig()?;
    assert!(doctor(&rig.r, &[])?.well("entries"));
    rig.r.add_proxy_neighbour("eth0", ip(20))?;
    let report = doctor(&rig.r, &[])?;
    let finding = report.one("warning", "entries", "eth0", "proxy entries for 10.9.0.20");
    let fix = finding["fix"].as_str().expect("a text");
    assert!(fix.contains("ip neigh del proxy 10.9.0.20 dev eth0"), "{fix}");
    assert_eq!(report.code, Some(1));
    Ok(())
}
