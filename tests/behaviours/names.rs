//! Interfaces by their alternative names (`ip link property add … altname …`, udev's), wherever one is named.

use std::time::Duration;

use arpherd_lab::{Launch, Netns, Result, wait_until};
use serde_json::Value;

use crate::doctor::output::DoctorOutput;
use crate::rig::{
    Config, ROUTER, Rig, SOON, SUBNET, binary, echoes, introduce, ip, routed_by, segment_row, wait_event,
    wait_route,
};
use crate::trio::Trio;

/// As udev gives it to a port behind many bridges.
const ALTNAME: &str = "enp0s31f6-of-the-rack-in-the-cellar";
const SECOND: Duration = Duration::from_secs(1);

fn has(row: &Value, interface: &str, configured: &str) -> bool {
    row["interface"] == interface && row["configured_interface"] == configured
}

/// It is as long as the kernel allows, comes after the start, goes, and comes back.
#[harness::test]
fn an_alternative_name_that_comes_and_goes_is_followed() -> Result<()> {
    let trio = Trio::new()?;
    let long = "n".repeat(127);
    let daemon = Config::of(SUBNET)
        .segment("eth0", &[])
        .segment("eth1", &[])
        .segment("third", &[("interface", &long), ("expiry", "{ quiet: 30s }")])
        .start(&trio.rig.r)?;
    let row = || segment_row(&daemon, "third");
    assert!(row()["state"] == "absent" && has(&row(), &long, &long), "{}", row());
    trio.introduce_all_but_c()?;
    trio.rig.r.add_altname("eth2", &long)?;
    wait_until(SOON, "it is found by the new name", || row()["state"] == "up");
    assert!(has(&row(), "eth2", &long), "{}", row());
    introduce(&trio.c, &trio.rig.r, "eth2")?;
    trio.all_pairs();
    let text = daemon.run_cli(&["segments"])?.stdout;
    assert!(text.contains(&format!("eth2={long}")), "{text}");
    assert_eq!(trio.rig.r.sysctl("ipv4/conf/eth2/forwarding")?, "1", "its sysctls are those of its own name");

    trio.rig.r.remove_altname("eth2", &long)?;
    wait_event(&daemon, "segment_down", |event| event["segment"] == "third" && event["reason"] == "absent");
    assert_eq!(routed_by(&trio.rig.r, trio.c.ip()), None, "no route is left on an interface of no such name");
    trio.rig.r.add_altname("eth2", &long)?;
    trio.recovers();
    Ok(())
}

/// Its own name may change meanwhile, which is why such names exist.
#[harness::test]
fn an_interface_configured_by_an_alternative_name_may_be_renamed() -> Result<()> {
    let trio = Trio::new()?;
    trio.rig.r.add_altname("eth2", ALTNAME)?;
    let daemon = Config::of(SUBNET)
        .segment("eth0", &[])
        .segment("eth1", &[])
        .segment(ALTNAME, &[])
        .start(&trio.rig.r)?;
    trio.introduce_all_but_c()?;
    introduce(&trio.c, &trio.rig.r, "eth2")?;
    trio.all_pairs();
    trio.rig.r.rename("eth2", "lan7")?;
    wait_until(SOON, "the name is followed", || has(&segment_row(&daemon, ALTNAME), "lan7", ALTNAME));
    trio.all_pairs();
    assert_eq!(routed_by(&trio.rig.r, trio.c.ip()).as_deref(), Some("lan7"));
    trio.rig.r.set_sysctl("ipv4/conf/lan7/forwarding", "0")?;
    let is_set_again = || trio.rig.r.sysctl("ipv4/conf/lan7/forwarding").is_ok_and(|value| value == "1");
    wait_until(SOON, "the sysctls of the new name are kept", is_set_again);
    let hosts = daemon.cli(&["hosts"]);
    let c =
        hosts.as_array().and_then(|rows| rows.iter().find(|row| row["address"] == trio.c.ip().to_string()));
    assert_eq!(c.map(|row| &row["interface"]), Some(&Value::from("lan7")));
    Ok(())
}

#[harness::test]
fn an_interface_named_twice_serves_one_segment_and_says_so() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().segment("uplink", &[]).start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    rig.r.add_altname("eth1", "uplink")?;
    let event = wait_event(&daemon, "segment_down", |event| event["reason"] == "interface_taken");
    assert_eq!((&event["segment"], &event["interface"]), (&"uplink".into(), &"uplink".into()));
    assert!(has(&segment_row(&daemon, "uplink"), "eth1", "uplink"));
    echoes(&a.ns, b.ip());
    let report = DoctorOutput::of(&daemon.run_cli(&["doctor", "--json"])?);
    report.one("error", "links", "eth1", "two segments, eth1 and uplink");
    // Which of the two is an alternative name does not matter, but that they are different interfaces again.
    rig.r.remove_altname("eth1", "uplink")?;
    wait_until(SOON, "it is absent", || segment_row(&daemon, "uplink")["state"] == "absent");
    echoes(&a.ns, b.ip());
    Ok(())
}

#[harness::test]
fn the_command_line_takes_alternative_names() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    rig.r.add_altname("eth0", ALTNAME)?;
    let json = ["--log-format", "json"];
    let mut daemon = {
        let join = ["join", ALTNAME, "eth1", "--prefix", SUBNET];
        let daemon = Launch::new(&rig.r, binary()).args(&join).args(&json).start()?;
        wait_route(&rig.r, a.ip(), "eth0");
        wait_route(&rig.r, b.ip(), "eth1");
        echoes(&a.ns, b.ip());
        let by_name = ["run", "-i", "eth0", "-s", "10.9.0.1", "-n", SUBNET];
        let refused = Launch::new(&rig.r, binary()).args(&by_name).args(&json).run()?;
        assert!(
            refused.stdout.contains("eth0 is already served")
                || refused.stderr.contains("eth0 is already served"),
            "{refused:?}"
        );
        let doctor = DoctorOutput::of(
            &Launch::new(&rig.r, binary())
                .args(&["doctor", ALTNAME, "eth1", "--prefix", SUBNET, "--json"])
                .run()?,
        );
        assert_eq!(doctor.said("error", "links", ALTNAME), Vec::<&Value>::new());
        daemon
    };
    daemon.terminate();
    wait_until(SOON, "the routes are gone", || routed_by(&rig.r, a.ip()).is_none());
    let fillarpd = ["run", "-i", ALTNAME, "-s", &ROUTER.to_string(), "-n", SUBNET, "-t", "1"];
    let _daemon = Launch::new(&rig.r, binary()).args(&fillarpd).args(&json).start()?;
    wait_route(&rig.r, a.ip(), "eth0");
    Ok(())
}

/// Names are the namespace's own: the same one may stand for an interface elsewhere.
#[harness::test]
fn an_alternative_name_of_another_namespace_is_no_concern() -> Result<()> {
    let (rig, other) = (Rig::new()?, Netns::new("other")?);
    other.dummy("far0")?;
    other.add_altname("far0", "uplink")?;
    let daemon = Config::of(SUBNET).segment("eth0", &[]).segment("uplink", &[]).start(&rig.r)?;
    assert_eq!(segment_row(&daemon, "uplink")["state"], "absent");
    rig.r.add_altname("eth1", "uplink")?;
    wait_until(SOON, "this one's is", || segment_row(&daemon, "uplink")["state"] == "up");
    assert!(daemon.log().contains("capture_open"));
    let b = rig.right(20)?;
    introduce(&b, &rig.r, "eth1")?;
    assert_eq!(b.ns.ping(ip(1), 1, SECOND, SECOND).received, 1);
    Ok(())
}
