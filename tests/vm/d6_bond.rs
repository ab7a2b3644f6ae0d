//! D6 over bonds: two ports of one fabric, or two cables of one switch, of which one is in use.

use std::time::{Duration, Instant};

use arpherd_lab::{Capture, Host, Mac, Netns, Result, Segment, wait_until};

use crate::fabric::{EXPIRY, FabricHost, Partition, ib_addr, wait_neighbour};
use crate::ib_arp::IbArp;
use crate::rig::{Config, ROUTER, SOON, SUBNET, echoes, ip, segment_row};
use crate::tools::ip as ip_command;

/// Everything is back this soon after a port was lost: the bond looks every 50 ms.
const FAILOVER: Duration = Duration::from_secs(3);

fn bond(r: &Netns, ports: [&str; 2], fail_over_mac: &str) -> Result<()> {
    let options = format!("mode active-backup miimon 50 fail_over_mac {fail_over_mac}");
    ip_command(r, &format!("link add bond0 type bond {options}"));
    for port in ports {
        r.down(port)?;
        ip_command(r, &format!("link set {port} master bond0"));
    }
    ip_command(r, &format!("link set bond0 type bond active_slave {}", ports[0]));
    r.up("bond0")?;
    r.wait_ready("bond0")?;
    r.address_noprefix("bond0", &format!("{ROUTER}/32"))
}

fn config() -> Config {
    let keys = [("expiry", EXPIRY)];
    Config::of(SUBNET).segment("eth0", &keys).segment("bond0", &keys)
}

/// A host on a switch at the router's `eth0`.
fn with_lan(r: &Netns) -> Result<(Segment, Host)> {
    let lan = Segment::new("lan")?;
    lan.plug(r, "eth0")?;
    r.address_noprefix("eth0", &format!("{ROUTER}/32"))?;
    let mut host = Host::new("h10", &format!("{}/24", ip(10)))?;
    host.attach_to(&lan)?;
    Ok((lan, host))
}

/// Both reach each other again within [`FAILOVER`].
fn both_reach(a: &Netns, b: &Netns, a_ip: std::net::Ipv4Addr, b_ip: std::net::Ipv4Addr) {
    let (start, quick) = (Instant::now(), Duration::from_millis(20));
    let reaches = |from: &Netns, to| from.ping(to, 1, quick, quick * 5).received == 1;
    wait_until(FAILOVER, "both reach each other", || reaches(a, b_ip) && reaches(b, a_ip));
    echoes(a, b_ip);
    assert!(start.elapsed() < 2 * FAILOVER, "{:?}", start.elapsed());
}

#[harness::test]
fn d6_a_bond_of_ipoib_ports_fails_over() -> Result<()> {
    let r = Netns::new("r")?;
    let (_lan, host) = with_lan(&r)?;
    let partition = Partition::new();
    partition.link(&r, "ib0", "")?;
    partition.link(&r, "ib1", "")?;
    // What a bond of IPoIB is always given: the port's address is its own.
    bond(&r, ["ib0", "ib1"], "active")?;
    let daemon = config().start(&r)?;
    let station = FabricHost::new(partition, 20)?;
    echoes(&host.ns, station.ip);
    echoes(&station.ns, host.ip());
    let first = ib_addr(&r, "bond0");
    assert_eq!(first, ib_addr(&r, "ib0"));
    assert_eq!(segment_row(&daemon, "bond0")["kind"], "ipoib");
    let capture = Capture::start(&station.ns, "ib0")?;
    r.down("ib0")?;
    let second = ib_addr(&r, "ib1");
    wait_until(SOON, "the bond has the other port's address", || ib_addr(&r, "bond0") == second);
    wait_neighbour(&station.ns, host.ip(), &second.0);
    let announced = |it: &IbArp| it.is_gratuitous() && it.spa == host.ip() && it.sha == second;
    wait_until(SOON, "announcements", || {
        IbArp::all_of(&capture, false).iter().filter(|it| announced(it)).count() >= 3
    });
    both_reach(&host.ns, &station.ns, host.ip(), station.ip);
    assert_eq!(segment_row(&daemon, "bond0")["lladdr"], second.to_string());
    Ok(())
}

#[harness::test]
fn d6_a_bond_of_ethernet_cables_fails_over() -> Result<()> {
    cables("none", |before, after| assert_eq!(before, after))
}

#[harness::test]
fn d6_a_bond_of_ethernet_cables_with_their_own_addresses_fails_over() -> Result<()> {
    cables("active", |before, after| assert_ne!(before, after))
}

fn cables(fail_over_mac: &str, compare: fn(Mac, Mac)) -> Result<()> {
    let r = Netns::new("r")?;
    let (_lan, host) = with_lan(&r)?;
    let far = Segment::new("far")?;
    for port in ["p0", "p1"] {
        far.plug(&r, port)?;
    }
    bond(&r, ["p0", "p1"], fail_over_mac)?;
    let daemon = config().start(&r)?;
    let mut other = Host::new("h20", &format!("{}/24", ip(20)))?;
    other.attach_to(&far)?;
    echoes(&host.ns, other.ip());
    echoes(&other.ns, host.ip());
    let before = r.mac("bond0")?;
    r.down("p0")?;
    let active = || ip_command(&r, "-d link show bond0").contains("active_slave p1");
    wait_until(SOON, "the other cable is in use", active);
    both_reach(&host.ns, &other.ns, host.ip(), other.ip());
    compare(before, r.mac("bond0")?);
    wait_neighbour(&other.ns, host.ip(), &r.mac("bond0")?.0);
    assert_eq!(segment_row(&daemon, "bond0")["lladdr"], r.mac("bond0")?.to_string());
    Ok(())
}
