//! One machine with many addresses (a load balancer, a container host, a nested router), and proxies that are mistaken
//! for one.
//!
//! ```text
//!   machine .100 to .199 ── eth0 [ R: arpherd ] eth1 ── B .20
//! ```

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{Daemon, Host, Mac, NeighbourTimers, Netns, Result, Segment, wait_until};
use serde_json::Value;

use crate::rig::{
    Config, Rig, SLOW_EXPIRY, SOON, SUBNET, echoes, events, host_routes, introduce, ip, pass, routed_by,
    wait_event, wait_route,
};

const SECOND: Duration = Duration::from_secs(1);
const SWEEP: (&str, &str) = ("sweep", "{ interval: 1s, rate: 1000 }");

/// A machine on the left that has a hundred addresses, `.100` to `.199`, and says nothing unasked.
fn machine(rig: &Rig) -> Result<Host> {
    let machine = rig.left(100)?;
    for last in 101..200 {
        machine.ns.address(&machine.ifname, &format!("{}/32", ip(last)))?;
    }
    Ok(machine)
}

/// The machine's addresses that are routed.
fn routed(rig: &Rig) -> BTreeSet<Ipv4Addr> {
    let on_left = host_routes(&rig.r).into_iter().filter(|route| route.dev.as_deref() == Some("eth0"));
    on_left.map(|route| route.dst.ip()).filter(|address| address.octets()[3] >= 100).collect()
}

fn no_proxy_was_found(daemon: &Daemon) {
    assert_eq!(events(daemon, "proxy_found"), Vec::<Value>::new());
}

#[harness::test]
fn machine_with_a_hundred_addresses_is_reached_at_all_where_the_limit_allows() -> Result<()> {
    let rig = Rig::new()?;
    let (machine, b) = (machine(&rig)?, rig.right(20)?);
    machine.gateway(ip(1))?;
    let limits = ("limits", "{ hosts_per_lladdr: 200 }");
    let daemon = Config::common_with(&[SWEEP, limits]).start(&rig.r)?;
    introduce(&b, &rig.r, "eth1")?;
    wait_until(SOON, "all are routed", || routed(&rig).len() == 100);
    for last in [100, 150, 199] {
        echoes(&b.ns, ip(last));
    }
    pass(3 * SECOND); // they are probed several times
    assert_eq!(routed(&rig).len(), 100);
    no_proxy_was_found(&daemon);
    assert_eq!(events(&daemon, "limit_reached"), Vec::<Value>::new());
    Ok(())
}

#[harness::test]
fn machine_with_more_addresses_than_the_limit_loses_none_of_the_others() -> Result<()> {
    let rig = Rig::new()?;
    let (machine, b) = (machine(&rig)?, rig.right(20)?);
    let daemon = Config::common_with(&[SWEEP, ("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    introduce(&b, &rig.r, "eth1")?;
    let event = wait_event(&daemon, "limit_reached", |event| event["limit"] == "hosts_per_lladdr");
    assert_eq!((&event["segment"], &event["lladdr"]), (&"eth0".into(), &machine.mac().to_string().into()));
    assert!(event["hint"].as_str().expect("a hint").contains("limits.hosts_per_lladdr"), "{event}");
    let kept = routed(&rig);
    assert_eq!(kept.len(), 64, "{kept:?}");
    pass(3 * SECOND); // more sweeps, whose answers are refused again
    assert_eq!(routed(&rig), kept);
    no_proxy_was_found(&daemon);
    for address in [kept.first(), kept.last()].into_iter().flatten() {
        echoes(&b.ns, *address);
    }
    Ok(())
}

/// A kernel that proxies between the rig's left segment and a cell behind it, where the addresses of 10.9.0.32/27 are.
///
/// ```text
///   .33, .34 … ── cell ── proxy ── left ── eth0 [ R: arpherd ] eth1 ── B .20
/// ```
struct Proxy {
    ns: Netns,
    cell: Segment,
}

const CELL: &str = "10.9.0.32/27";

impl Proxy {
    /// Without the kernel's proxying.
    fn plain(rig: &Rig) -> Result<Self> {
        let (ns, cell) = (Netns::new("proxy")?, Segment::new("cell")?);
        rig.left.plug(&ns, "eth0")?;
        cell.plug(&ns, "eth1")?;
        for link in ["eth0", "eth1"] {
            ns.address_noprefix(link, "10.9.0.2/32")?;
            ns.quick_neighbours(link)?;
        }
        Ok(Self { ns, cell })
    }

    fn kernel(rig: &Rig) -> Result<Self> {
        let proxy = Self::plain(rig)?;
        proxy.ns.route("10.9.0.0/24", None, Some("eth0"))?;
        proxy.ns.route(CELL, None, Some("eth1"))?;
        for link in ["eth0", "eth1"] {
            proxy.ns.set_sysctl(&format!("ipv4/conf/{link}/forwarding"), "1")?;
            let now = NeighbourTimers { proxy_delay: Some(Duration::ZERO), ..NeighbourTimers::default() };
            proxy.ns.neighbour_timers(link, now)?;
            proxy.ns.set_sysctl(&format!("ipv4/conf/{link}/proxy_arp"), "1")?;
        }
        Ok(proxy)
    }

    fn host(&self, last: u8) -> Result<Host> {
        let mut host = Host::new(&format!("h{last}"), &format!("{}/24", ip(last)))?;
        host.attach_to(&self.cell)?;
        Ok(host)
    }

    fn mac(&self) -> Mac {
        self.ns.mac("eth0").expect("its links stay")
    }
}

/// Few addresses a station, so that a proxy with some hosts reaches the limit.
const FEW: (&str, &str) = ("limits", "{ hosts_per_lladdr: 4 }");

/// Both reach each other through the proxy.
fn talk(b: &Host, hosts: &[&Host]) {
    for host in hosts {
        echoes(&b.ns, host.ip());
        echoes(&host.ns, b.ip());
    }
}

#[harness::test]
fn behind_a_kernels_proxy_hosts_are_reached_when_the_configuration_says_so() -> Result<()> {
    let rig = Rig::new()?;
    let proxy = Proxy::kernel(&rig)?;
    let (c, d, b) = (proxy.host(33)?, proxy.host(60)?, rig.right(20)?);
    let behind = format!("{{ \"{}\": {CELL} }}", proxy.mac());
    let config =
        Config::of(SUBNET).segment("eth0", &[SWEEP, FEW, ("behind", &behind)]).segment("eth1", &[SWEEP]);
    let daemon = config.start(&rig.r)?;
    introduce(&b, &rig.r, "eth1")?;
    for host in [&c, &d] {
        wait_route(&rig.r, host.ip(), "eth0");
    }
    talk(&b, &[&c, &d]);
    pass(3 * SECOND); // they are probed several times
    talk(&b, &[&c, &d]);
    no_proxy_was_found(&daemon);
    assert_eq!(events(&daemon, "limit_reached"), Vec::<Value>::new());
    Ok(())
}

#[harness::test]
fn behind_a_kernels_proxy_nobody_is_learned_otherwise_and_the_event_says_what_to_configure() -> Result<()> {
    let rig = Rig::new()?;
    let proxy = Proxy::kernel(&rig)?;
    let (c, b) = (proxy.host(33)?, rig.right(20)?);
    let keys = [SWEEP, FEW];
    let config = Config::of(SUBNET).segment("eth0", &keys).segment("eth1", &[SWEEP]);
    let mut daemon = config.start(&rig.r)?;
    let event = wait_event(&daemon, "proxy_found", |event| event["lladdr"] == proxy.mac().to_string());
    assert_eq!(event["sign"], "false_answers");
    wait_until(SOON, "its answers are forgotten", || routed_by(&rig.r, c.ip()).is_none());
    // The line of the hint, as it is.
    let hint = event["hint"].as_str().expect("a hint");
    let line = &hint[hint.find("behind: ").expect("the key")..];
    let value = &line["behind: ".len()..=line.find('}').expect("a whole table")];
    assert_eq!(value, format!("{{ \"{}\": allow }}", proxy.mac()));
    daemon.terminate();
    let behind = [SWEEP, FEW, ("behind", value)];
    let daemon = Config::of(SUBNET).segment("eth0", &behind).segment("eth1", &[SWEEP]).start(&rig.r)?;
    introduce(&b, &rig.r, "eth1")?;
    wait_route(&rig.r, c.ip(), "eth0");
    talk(&b, &[&c]);
    no_proxy_was_found(&daemon);
    Ok(())
}

#[harness::test]
fn machine_that_the_configuration_names_may_have_any_number_of_addresses() -> Result<()> {
    let rig = Rig::new()?;
    let (machine, b) = (machine(&rig)?, rig.right(20)?);
    let behind = format!("{{ \"{}\": allow }}", machine.mac());
    let config = Config::of(SUBNET).segment("eth0", &[SWEEP, ("behind", &behind)]).segment("eth1", &[SWEEP]);
    let _daemon = config.start(&rig.r)?;
    introduce(&b, &rig.r, "eth1")?;
    wait_until(SOON, "all are routed", || routed(&rig).len() == 100);
    echoes(&b.ns, ip(199));
    Ok(())
}

/// Two arpherds in a row, each of which names the other.
#[harness::test]
fn behind_another_arpherd_hosts_are_reached_when_both_configurations_say_so() -> Result<()> {
    let rig = Rig::new()?;
    let second = Proxy::plain(&rig)?;
    let (a, b, c) = (rig.left(10)?, rig.right(20)?, second.host(33)?);
    let first = format!("{{ \"{}\": allow }}", rig.mac("eth0"));
    let behind = format!("{{ \"{}\": {CELL} }}", second.mac());
    let daemons = [
        Config::of(SUBNET)
            .segment("eth0", &[SWEEP, ("behind", &behind)])
            .segment("eth1", &[SWEEP])
            .start(&rig.r)?,
        Config::of(SUBNET)
            .segment("eth0", &[SWEEP, ("behind", &first)])
            .segment("eth1", &[SWEEP, ("prefixes", &format!("[{CELL}]"))])
            .start(&second.ns)?,
    ];
    wait_route(&rig.r, c.ip(), "eth0");
    wait_route(&second.ns, b.ip(), "eth0");
    talk(&b, &[&c]);
    talk(&a, &[&c, &b]);
    pass(3 * SECOND);
    talk(&b, &[&c]);
    for daemon in &daemons {
        assert_eq!(events(daemon, "host_moved"), Vec::<Value>::new());
    }
    Ok(())
}
