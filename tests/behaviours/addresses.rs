//! Addresses of the router that go and come back while the daemon runs, as DHCP clients and network
//! managers let them. With the last one of an interface the kernel drops all its routes, and says nothing.

use std::time::Duration;

use arpherd_lab::{Result, wait_until};

use crate::rig::{
    Config, ROUTER, Rig, SLOW_EXPIRY, SOON, introduce, ip, segment_row, wait_event, wait_route,
};
use crate::trio::Trio;

const SECOND: Duration = Duration::from_secs(1);
const OWN: &str = "10.9.0.3/32";

/// The source of the kernel's route to `C`.
fn source(trio: &Trio) -> Option<std::net::Ipv4Addr> {
    trio.rig.r.routes_to(trio.c.ip()).first().and_then(|route| route.source)
}

/// Takes `address` from `eth2`, keeps it away for a moment, and puts it back.
fn goes_and_returns(trio: &Trio, address: &str, away: impl Fn()) -> Result<()> {
    let calm = trio.calm()?;
    for _ in 0..2 {
        trio.rig.r.remove_address("eth2", address)?;
        away();
        calm.holds();
        trio.rig.r.address_noprefix("eth2", address)?;
        trio.recovers();
    }
    calm.held();
    Ok(())
}

#[harness::test]
fn a_shared_address_taken_from_one_link_and_put_back() -> Result<()> {
    let trio = Trio::new()?;
    let _daemon = trio.start(&Trio::config())?;
    let others_still_have_it = || {
        let written_again = || source(&trio) == Some(ROUTER);
        wait_until(3 * SECOND, "the route is back with the address of the other links", written_again);
    };
    goes_and_returns(&trio, &format!("{ROUTER}/32"), others_still_have_it)
}

#[harness::test]
fn a_links_own_address_taken_away_and_put_back() -> Result<()> {
    let trio = Trio::without_eth2()?;
    trio.plug(OWN)?;
    let _daemon = trio.start(&Trio::config())?;
    assert_eq!(source(&trio), Some(ip(3)));
    goes_and_returns(&trio, OWN, || {
        // Another address of the domain's serves meanwhile.
        wait_until(3 * SECOND, "another source", || source(&trio) == Some(ROUTER));
    })?;
    wait_until(SOON, "the own source again", || source(&trio) == Some(ip(3)));
    Ok(())
}

#[harness::test]
fn a_links_address_with_its_prefix_taken_away_and_put_back() -> Result<()> {
    let trio = Trio::without_eth2()?;
    trio.third.plug(&trio.rig.r, "eth2")?;
    trio.rig.r.address("eth2", "10.9.0.3/24")?;
    let _daemon = trio.start(&Trio::config())?;
    let calm = trio.calm()?;
    trio.rig.r.remove_address("eth2", "10.9.0.3/24")?;
    calm.holds();
    trio.rig.r.address("eth2", "10.9.0.3/24")?;
    trio.recovers();
    wait_until(SOON, "the own source again", || source(&trio) == Some(ip(3)));
    calm.held();
    Ok(())
}

#[harness::test]
fn a_configured_source_taken_away_and_put_back() -> Result<()> {
    let trio = Trio::without_eth2()?;
    trio.plug(OWN)?;
    let daemon = trio.start(&Trio::config_with(&[("source", "10.9.0.3")]))?;
    goes_and_returns(&trio, OWN, || {
        let missing = || segment_row(&daemon, "eth2")["state"] == "source_missing";
        wait_until(SOON, "the segment tells what it lacks", missing);
        assert_eq!(source(&trio), None, "no route bears a source that is not there");
    })?;
    wait_event(&daemon, "segment_down", |event| event["reason"] == "source_missing");
    assert_eq!(source(&trio), Some(ip(3)));
    Ok(())
}

/// The lease changes between two networks that the operator knows.
#[harness::test]
fn of_a_list_of_sources_the_first_that_is_there_is_followed() -> Result<()> {
    let trio = Trio::without_eth2()?;
    trio.plug("10.9.0.4/32")?;
    let daemon = trio.start(&Trio::config_with(&[("source", "[10.9.0.3, 10.9.0.4]")]))?;
    let calm = trio.calm()?;
    let is = |last| {
        source(&trio) == Some(ip(last)) && segment_row(&daemon, "eth2")["source"] == ip(last).to_string()
    };
    wait_until(SOON, "the second, where the first is missing", || is(4));
    trio.rig.r.address_noprefix("eth2", OWN)?;
    wait_until(SOON, "the first, once it is there", || is(3));
    trio.rig.r.remove_address("eth2", "10.9.0.4/32")?;
    trio.rig.r.remove_address("eth2", OWN)?;
    let missing = || segment_row(&daemon, "eth2")["state"] == "source_missing";
    wait_until(SOON, "none is there", missing);
    trio.rig.r.address_noprefix("eth2", "10.9.0.4/32")?;
    trio.recovers();
    wait_until(SOON, "the second again", || is(4));
    calm.held();
    Ok(())
}

#[harness::test]
fn another_address_in_place_of_the_last_is_the_new_source() -> Result<()> {
    let trio = Trio::without_eth2()?;
    trio.plug(OWN)?;
    let _daemon = trio.start(&Trio::config())?;
    let calm = trio.calm()?;
    trio.rig.r.remove_address("eth2", OWN)?;
    trio.rig.r.address_noprefix("eth2", "10.9.0.4/32")?;
    trio.recovers();
    wait_until(SOON, "the new source", || source(&trio) == Some(ip(4)));
    calm.held();
    Ok(())
}

#[harness::test]
fn all_addresses_replaced_in_one_go_cost_nothing_lasting() -> Result<()> {
    let trio = Trio::new()?;
    let _daemon = trio.start(&Trio::config())?;
    for link in ["eth0", "eth1", "eth2"] {
        trio.rig.r.remove_address(link, &format!("{ROUTER}/32"))?;
    }
    for link in ["eth0", "eth1", "eth2"] {
        trio.rig.r.address_noprefix(link, &format!("{ROUTER}/32"))?;
    }

    trio.recovers();
    let sources = || {
        [&trio.a, &trio.b, &trio.c]
            .map(|host| trio.rig.r.routes_to(host.ip()).first().and_then(|route| route.source))
    };
    wait_until(SOON, "every route with its source", || sources() == [Some(ROUTER); 3]);
    Ok(())
}

/// A virtual address goes back to its master, who announces it while this router still has it, and never again.
#[harness::test]
fn an_own_address_that_goes_to_another_machine_is_routed_at_once() -> Result<()> {
    let rig = Rig::new()?;
    let (client, master) = (rig.left(10)?, rig.right(50)?);
    rig.use_kernel_timers(&[&client, &master])?;
    rig.r.address_noprefix("eth0", "10.9.0.50/32")?;
    let daemon = Config::common_with(&[("expiry", SLOW_EXPIRY), ("sweep", "off")]).start(&rig.r)?;
    introduce(&client, &rig.r, "eth0")?;
    // The client's cache holds the router's own link-layer address for it, as that of the owner.
    assert_eq!(client.ns.ping(master.ip(), 1, SECOND, SECOND).received, 1);
    master.announce()?;
    wait_event(&daemon, "own_address_claimed", |_| true);
    let without = std::time::Instant::now();
    rig.r.remove_address("eth0", "10.9.0.50/32")?;
    wait_route(&rig.r, master.ip(), "eth1");
    assert!(without.elapsed() < SECOND, "routed after {:?}", without.elapsed());
    assert_eq!(client.ns.ping(master.ip(), 3, SECOND / 10, SECOND).received, 3);
    Ok(())
}

/// A virtual address of a machine on the left becomes this router's, which has it on its other interface: nobody
/// announces it on the left, where the cache of a neighbour holds the former owner's link-layer address.
#[harness::test]
fn another_machines_address_that_becomes_our_own_is_reached_at_once() -> Result<()> {
    let rig = Rig::new()?;
    let (near, far, master) = (rig.left(10)?, rig.right(20)?, rig.left(50)?);
    rig.use_kernel_timers(&[&near, &far, &master])?;
    let _daemon = Config::common_with(&[("expiry", SLOW_EXPIRY), ("sweep", "off")]).start(&rig.r)?;
    introduce(&near, &rig.r, "eth0")?;
    introduce(&far, &rig.r, "eth1")?;
    introduce(&master, &rig.r, "eth0")?;
    for client in [&near, &far] {
        assert_eq!(client.ns.ping(master.ip(), 1, SECOND, SECOND).received, 1);
    }
    master.ns.remove_address(&master.ifname, "10.9.0.50/24")?;
    rig.r.address_noprefix("eth1", "10.9.0.50/32")?;
    for client in [&near, &far] {
        let pings = client.ns.ping(master.ip(), 20, SECOND / 20, SECOND);
        eprintln!("{} lost {:?}", client.ip(), pings.lost);
        assert!(pings.longest_gap() <= 5, "{} lost {:?} of 20 in a second", client.ip(), pings.lost);
    }
    Ok(())
}
