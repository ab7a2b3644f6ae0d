//! Links stacked on others: each is a segment like any other, or refused with one sentence.

use arpherd_lab::{ArpFrame, Daemon, Mac, Netns, Result, Wire, wait_until};
use serde_json::Value;

use crate::pair::{Far, Pair, wait_state};
use crate::rig::{A_WHILE, PROTOCOL, SOON, counter, events, ip, pass, routed_by, wait_event, wait_route};
use crate::tools;

#[harness::test]
fn a_vlan_is_a_segment() -> Result<()> {
    let pair = Pair::new()?;
    let far = Far::cabled(&pair.r, "trunk")?;
    far.both(&pair.r, "trunk", "link add link CABLE name v7 type vlan id 7");
    let far = far.on("v7")?;
    pair.r.up("v7")?;
    pair.share("v7")?;
    let daemon = pair.start(&["v7"])?;
    pair.joins(&daemon, "v7", &far)
}

#[harness::test]
fn a_vlan_in_a_vlan_is_a_segment() -> Result<()> {
    let pair = Pair::new()?;
    let far = Far::cabled(&pair.r, "trunk")?;
    far.both(&pair.r, "trunk", "link add link CABLE name s9 type vlan proto 802.1ad id 9");
    far.both(&pair.r, "trunk", "link set s9 up");
    far.both(&pair.r, "trunk", "link add link s9 name c7 type vlan id 7");
    let far = far.on("c7")?;
    pair.r.up("c7")?;
    pair.share("c7")?;
    let daemon = pair.start(&["c7"])?;
    pair.joins(&daemon, "c7", &far)
}

/// The kernel hands the packet sockets of a parent what it found to be a VLAN's; and a frame of a VLAN that
/// nobody has here belongs to nobody.
#[harness::test]
fn what_belongs_to_a_vlan_is_not_heard_on_its_parent() -> Result<()> {
    let pair = Pair::new()?;
    let far = Far::cabled(&pair.r, "trunk")?;
    far.both(&pair.r, "trunk", "link add link CABLE name v7 type vlan id 7");
    far.both(&pair.r, "trunk", "link set v7 up");
    tools::ip(&far.ns, "link add link cable name v8 type vlan id 8");
    far.ns.up("v8")?;
    pair.share("v7")?;
    pair.share("trunk")?;
    let daemon = pair.start(&["trunk", "v7"])?;
    let say = |link: &str, last: u8| {
        let mac = Mac::of_host(ip(last));
        Wire::open(&far.ns, link)?.send(&ArpFrame::gratuitous(mac, ip(last)))
    };
    say("v8", 38)?;
    say("v7", 37)?;
    wait_route(&pair.r, ip(37), "v7");
    say("cable", 39)?;
    wait_route(&pair.r, ip(39), "trunk");
    assert_eq!(counter(&daemon, "trunk", "read"), 1, "its own frame and no other");
    assert_eq!(routed_by(&pair.r, ip(37)).as_deref(), Some("v7"));
    assert_eq!(routed_by(&pair.r, ip(38)), None);
    Ok(())
}

#[harness::test]
fn a_macvlan_is_a_segment() -> Result<()> {
    let pair = Pair::new()?;
    let far = Far::cabled(&pair.r, "trunk")?.on("cable")?;
    tools::ip(&pair.r, "link add link trunk name mv0 type macvlan mode bridge");
    pair.r.up("mv0")?;
    pair.share("mv0")?;
    let daemon = pair.start(&["mv0"])?;
    pair.joins(&daemon, "mv0", &far)
}

#[harness::test]
fn a_vxlan_is_a_segment() -> Result<()> {
    let pair = Pair::new()?;
    let far = Far::cabled(&pair.r, "trunk")?;
    pair.r.address("trunk", "192.0.2.1/24")?;
    far.ns.address("cable", "192.0.2.2/24")?;
    let words = "type vxlan id 42 dstport 4789";
    tools::ip(&pair.r, &format!("link add vx0 {words} local 192.0.2.1 remote 192.0.2.2"));
    tools::ip(&far.ns, &format!("link add vx0 {words} local 192.0.2.2 remote 192.0.2.1"));
    let far = far.on("vx0")?;
    pair.r.up("vx0")?;
    pair.share("vx0")?;
    let daemon = pair.start(&["vx0"])?;
    pair.joins(&daemon, "vx0", &far)
}

/// A team transmits nothing until its daemon has configured it.
#[harness::test]
fn a_team_is_a_segment() -> Result<()> {
    let pair = Pair::new()?;
    let far = Far::cabled(&pair.r, "trunk")?.on("cable")?;
    pair.r.down("trunk")?;
    let config = r#"{"device":"team0","runner":{"name":"activebackup"},"link_watch":{"name":"ethtool"},"ports":{"trunk":{}}}"#;
    let teamd = tools::Running::start(&pair.r, "teamd", &["-c", config]);
    wait_until(SOON, "a team", || pair.r.link_info("team0").is_ok());
    pair.r.up("team0")?;
    pair.r.wait_ready("team0")?;
    pair.share("team0")?;
    let daemon = pair.start(&["team0"])?;
    pair.joins(&daemon, "team0", &far)?;
    drop(teamd);
    Ok(())
}

/// Waits for the segment's state and gives the hint of the log's record.
fn refused(daemon: &Daemon, link: &str, state: &str) -> String {
    wait_state(daemon, link, state);
    let of = |it: &Value| it["interface"] == link && it["reason"] == state;
    let event = wait_event(daemon, "segment_down", of);
    assert_eq!(events(daemon, "segment_down").iter().filter(|it| of(it)).count(), 1, "told once");
    event["hint"].as_str().expect("a sentence").to_owned()
}

#[harness::test]
fn a_bridge_is_a_segment_and_its_ports_are_not() -> Result<()> {
    let pair = Pair::new()?;
    let far = Far::cabled(&pair.r, "trunk")?.on("cable")?;
    pair.r.bridge("br0")?;
    pair.r.enslave("trunk", "br0")?;
    pair.r.up("br0")?;
    pair.r.wait_ready("br0")?;
    pair.share("br0")?;
    let daemon = pair.start(&["br0", "trunk"])?;
    let hint = refused(&daemon, "trunk", "port");
    assert!(hint.contains("configure that interface instead"), "{hint}");
    pair.joins(&daemon, "br0", &far)?;
    // The kernel shows the port's packet sockets what it gives to the bridge; the settings are not its own.
    assert_eq!(routed_by(&pair.r, far.ip()).as_deref(), Some("br0"));
    assert_eq!(pair.r.sysctl("ipv4/conf/trunk/forwarding")?, pair.r.sysctl("ipv4/conf/default/forwarding")?);
    // Out of the bridge it is a segment like any other.
    pair.r.release("trunk")?;
    wait_state(&daemon, "trunk", "up");
    pair.r.enslave("trunk", "br0")?;
    wait_state(&daemon, "trunk", "port");
    Ok(())
}

#[harness::test]
fn a_bond_is_a_segment_and_its_cables_are_not() -> Result<()> {
    let pair = Pair::new()?;
    let far = Far::cabled(&pair.r, "trunk")?.on("cable")?;
    pair.r.down("trunk")?;
    tools::ip(&pair.r, "link add bond0 type bond mode active-backup miimon 50");
    pair.r.enslave("trunk", "bond0")?;
    pair.r.up("bond0")?;
    pair.r.wait_ready("bond0")?;
    pair.share("bond0")?;
    let daemon = pair.start(&["bond0", "trunk"])?;
    refused(&daemon, "trunk", "port");
    pair.joins(&daemon, "bond0", &far)
}

#[harness::test]
fn a_dummy_is_no_segment_until_it_speaks_arp() -> Result<()> {
    let pair = Pair::new()?;
    tools::ip(&pair.r, "link add d0 up type dummy");
    let daemon = pair.start(&["d0", "lo"])?;
    for link in ["d0", "lo"] {
        let hint = refused(&daemon, link, "no_arp");
        assert!(hint.contains("ARP is off"), "{hint}");
    }
    tools::ip(&pair.r, "link set d0 arp on");
    wait_state(&daemon, "d0", "up");
    tools::ip(&pair.r, "link set d0 arp off");
    wait_state(&daemon, "d0", "no_arp");
    Ok(())
}

/// A VRF of this table, with these members.
fn make_vrf(r: &Netns, table: u32, members: &[&str]) -> Result<()> {
    tools::ip(r, &format!("link add red type vrf table {table}"));
    r.up("red")?;
    for member in members {
        r.enslave(member, "red")?;
    }
    Ok(())
}

#[harness::test]
fn a_vrf_is_no_segment() -> Result<()> {
    let pair = Pair::new()?;
    make_vrf(&pair.r, 10, &[])?;
    let daemon = pair.start(&["red"])?;
    refused(&daemon, "red", "no_arp");
    Ok(())
}

#[harness::test]
fn segments_in_a_vrf_route_in_its_table() -> Result<()> {
    let pair = Pair::new()?;
    let far = Far::cabled(&pair.r, "trunk")?.on("cable")?;
    make_vrf(&pair.r, 10, &["eth0", "trunk"])?;
    // What people are told to do: nothing leaks from a VRF into the main table.
    tools::ip(&pair.r, "route add table 10 unreachable default metric 4278198272");
    pair.share("trunk")?;
    let daemon = pair.config(&["trunk"]).top("routes: { table: 10 }").start(&pair.r)?;
    pair.joins(&daemon, "trunk", &far)?;
    let ours = pair.r.routes().into_iter().filter(|it| it.protocol == PROTOCOL).collect::<Vec<_>>();
    assert!(!ours.is_empty() && ours.iter().all(|it| it.table == 10), "{ours:?}");
    assert!(warnings(&daemon).is_empty(), "{:?}", warnings(&daemon));
    Ok(())
}

fn warnings(daemon: &Daemon) -> Vec<Value> {
    events(daemon, "vrf_has_another_table")
}

#[harness::test]
fn a_vrf_of_another_table_is_warned_about() -> Result<()> {
    let pair = Pair::new()?;
    let _far = Far::cabled(&pair.r, "trunk")?.on("cable")?;
    make_vrf(&pair.r, 10, &["trunk"])?;
    pair.share("trunk")?;
    let daemon = pair.start(&["trunk"])?;
    let event = wait_event(&daemon, "vrf_has_another_table", |it| it["interface"] == "trunk");
    assert_eq!((&event["vrf_table"], &event["our_table"]), (&10.into(), &254.into()), "{event}");
    assert!(event["hint"].as_str().is_some_and(|it| it.contains("set routes.table to 10")), "{event}");
    // Said once, however often the link changes, and again when there is a new reason.
    pair.r.set_mtu("trunk", 1400)?;
    pair.r.set_mtu("trunk", 1500)?;
    pair.r.release("trunk")?;
    pair.r.enslave("trunk", "red")?;
    wait_until(SOON, "it is said again", || warnings(&daemon).len() == 2);
    pass(A_WHILE);
    assert_eq!(warnings(&daemon).len(), 2, "{:?}", warnings(&daemon));
    Ok(())
}
