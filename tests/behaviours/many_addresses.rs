//! One machine with many addresses (a load balancer, a container host, a nested router), and proxies that are mistaken
//! for one.
//!
//! ```text
//!   machine .100 to .199 ── eth0 [ R: arpherd ] eth1 ── B .20
//! ```

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{Daemon, Host, Result, wait_until};
use serde_json::Value;

use crate::rig::{
    Config, Rig, SLOW_EXPIRY, SOON, echoes, events, host_routes, introduce, ip, pass, wait_event,
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
