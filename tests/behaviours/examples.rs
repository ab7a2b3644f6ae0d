//! The configuration examples, each loaded as it is and driven: what its comments promise comes true.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arpherd_lab::{ArpFrame, Daemon, Host, Launch, Mac, Netns, PortFlags, Result, Segment};
use serde_json::Value;

use crate::a_wifi::Laptop;
use crate::c_subnet::talk;
use crate::rig::{
    A_WHILE, EXT_LEARNED, binary, echoes, host_routes, introduce, routed_by, wait_event, wait_route,
};

const SECOND: Duration = Duration::from_secs(1);

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/examples")
}

/// Each file has the test that bears its name; `namespaces.yaml` is driven among the tests of namespaces.
#[harness::test]
fn example_every_file_is_driven() -> Result<()> {
    let files = fs::read_dir(examples()).expect("the examples");
    let files = files.map(|file| file.expect("an entry").file_name().into_string().expect("a name in UTF-8"));
    let driven = |file: &str| {
        let name = file.strip_suffix(".yaml").map(|name| format!("example_{}", name.replace('-', "_")));
        harness::names().any(|test| Some(test) == name.as_deref()) || file == "namespaces.yaml"
    };
    let forgotten: Vec<_> = files.filter(|file| !driven(file)).collect();
    assert_eq!(forgotten, Vec::<String>::new());
    Ok(())
}

/// Starts arpherd with the file as it is.
fn start(name: &str, ns: &Netns) -> Result<Daemon> {
    let text = fs::read_to_string(examples().join(format!("{name}.yaml"))).expect("an example");
    Launch::new(ns, binary()).config("yaml", &text).args(&["--log-format", "json"]).start()
}

/// A router with two links, which have these addresses, and a switch at either.
fn router(links: [(&str, &str); 2]) -> Result<(Netns, [Segment; 2])> {
    let (r, switches) = (Netns::new("r")?, [Segment::new("left")?, Segment::new("right")?]);
    for ((link, address), switch) in links.into_iter().zip(&switches) {
        switch.plug(&r, link)?;
        if address.ends_with("/32") { r.address_noprefix(link, address)? } else { r.address(link, address)? }
    }
    Ok((r, switches))
}

fn host(name: &str, address: &str, switch: &Segment) -> Result<Host> {
    let mut host = Host::new(name, address)?;
    host.attach_to(switch)?;
    host.ns.neighbour_timers(&host.ifname, crate::rig::KERNEL_TIMERS)?;
    Ok(host)
}

/// A host behind a port that exchanges nothing with others of its sort.
fn behind_isolated_port(name: &str, address: &str, switch: &Segment) -> Result<Host> {
    let host = host(name, address, switch)?;
    let (_, port) = host.place().expect("it is attached");
    switch.port_flags(port, PortFlags { isolated: true, ..PortFlags::default() })?;
    Ok(host)
}

fn reaches(from: &Host, to: Ipv4Addr) -> bool {
    from.ns.ping(to, 3, SECOND / 50, SECOND).received == 3
}

/// The link is an Ethernet one here; that of the file differs in its addresses of 20 octets.
#[harness::test]
fn example_infiniband_bridge() -> Result<()> {
    let (r, [left, right]) = router([("eth0", "10.2.0.1/32"), ("ibs1", "10.2.0.1/32")])?;
    let ethernet = [host("e11", "10.2.0.11/24", &left)?, host("e12", "10.2.0.12/24", &left)?];
    let fabric = [host("i21", "10.2.0.21/24", &right)?, host("i22", "10.2.0.22/24", &right)?];
    let _daemon = start("infiniband-bridge", &r)?;
    for (one, other) in ethernet.iter().zip(&fabric) {
        talk(one, other)?;
    }
    let gateway = Ipv4Addr::new(10, 2, 0, 1);
    for host in ethernet.iter().chain(&fabric) {
        echoes(&host.ns, gateway);
    }
    for (hosts, link) in [(&ethernet, "eth0"), (&fabric, "ibs1")] {
        for host in hosts {
            wait_route(&r, host.ip(), link);
            let route = host_routes(&r).into_iter().find(|route| route.dst.ip() == host.ip());
            assert_eq!(route.and_then(|route| route.source), Some(gateway));
        }
    }
    Ok(())
}

#[harness::test]
fn example_two_bridge_servers() -> Result<()> {
    let (r, [left, right]) = router([("eth0", "10.2.0.2/32"), ("ibs1", "10.2.0.2/32")])?;
    let (ethernet, fabric) = (host("e11", "10.2.0.11/24", &left)?, host("i21", "10.2.0.21/24", &right)?);
    let daemon = start("two-bridge-servers", &r)?;
    introduce(&ethernet, &r, "eth0")?;
    introduce(&fabric, &r, "ibs1")?;
    assert_eq!(daemon.cli(&["status"])["roles"][0]["role"], "standby");
    assert_eq!(ethernet.wire()?.ask(&ethernet.request(fabric.ip()), A_WHILE), []);
    // What keepalived does on the master.
    r.address_noprefix("eth0", "10.2.0.1/32")?;
    talk(&ethernet, &fabric)?;
    echoes(&fabric.ns, Ipv4Addr::new(10, 2, 0, 1));
    Ok(())
}

#[harness::test]
fn example_proxmox_wifi() -> Result<()> {
    let laptop = Laptop::new("192.168.1.50/24")?;
    let _daemon = start("proxmox-wifi", &laptop.ns)?;
    talk(&laptop.vm, &laptop.router)?;
    // Another lease: nothing in the file names the old one.
    laptop.ns.remove_address("wlan0", "192.168.1.10/24")?;
    laptop.ns.address("wlan0", "192.168.1.11/24")?;
    for host in [&laptop.vm, &laptop.router] {
        echoes(&host.ns, Ipv4Addr::new(192, 168, 1, 11));
    }
    talk(&laptop.vm, &laptop.router)
}

#[harness::test]
fn example_proxmox_wifi_subnet() -> Result<()> {
    let laptop = Laptop::new("10.10.10.5/24")?;
    laptop.ns.address("vmbr0", "10.10.10.1/24")?;
    laptop.vm.gateway(Ipv4Addr::new(10, 10, 10, 1))?;
    laptop.router.ns.address("eth0", "10.10.10.254/24")?;
    let daemon = start("proxmox-wifi-subnet", &laptop.ns)?;
    talk(&laptop.vm, &laptop.router)?;
    let stranger = ArpFrame::gratuitous(Mac([2, 0, 0, 0, 0, 0x99]), Ipv4Addr::new(192, 168, 1, 77));
    laptop.vm.wire()?.send(&stranger)?;
    introduce(&laptop.vm, &laptop.ns, "vmbr0")?; // dealt with after it
    assert!(!daemon.cli(&["hosts"]).to_string().contains("192.168.1.77"));
    Ok(())
}

#[harness::test]
fn example_sub_subnet() -> Result<()> {
    let (r, [net0, net1]) = router([("eth0", "192.168.5.65/28"), ("eth1", "192.168.5.1/24")])?;
    let (b, c) = (host("b", "192.168.5.67/28", &net0)?, host("c", "192.168.5.5/24", &net1)?);
    b.gateway(Ipv4Addr::new(192, 168, 5, 65))?;
    let daemon = start("sub-subnet", &r)?;
    talk(&b, &c)?;
    let address = |last| Ipv4Addr::new(192, 168, 5, last);
    let answers =
        |last| -> Result<Vec<ArpFrame>> { Ok(c.wire()?.ask(&c.request(address(last)), A_WHILE / 2)) };
    let proxied = ArpFrame::reply(r.mac("eth1")?, address(78), c.mac(), c.ip());
    assert_eq!(answers(78)?, [proxied], "nobody is there, and it is answered for");
    for edge in [64, 79] {
        assert_eq!(answers(edge)?, [], "{edge}");
    }
    c.wire()?.send(&ArpFrame::gratuitous(Mac([2, 0, 0, 0, 0, 0x99]), address(70)))?;
    wait_event(&daemon, "published_address_used", |event| event["address"] == address(70).to_string());
    assert_eq!(routed_by(&r, address(70)), None);
    Ok(())
}

#[harness::test]
fn example_private_vlan() -> Result<()> {
    let (r, [left, right]) = router([("eth0", "10.20.0.1/32"), ("eth1", "10.20.0.1/32")])?;
    let room = |last: u8| behind_isolated_port(&format!("h{last}"), &format!("10.20.0.{last}/24"), &left);
    let (desks, guests, house) = ([room(17)?, room(18)?], [room(130)?, room(131)?], [room(40)?, room(41)?]);
    let server = host("server", "10.20.0.5/24", &right)?;
    let _daemon = start("private-vlan", &r)?;
    for (one, other) in [(&desks[0], &desks[1]), (&house[0], &house[1])] {
        talk(one, other)?;
    }
    for host in [&desks[0], &guests[0], &house[0]] {
        talk(host, &server)?;
        echoes(&host.ns, Ipv4Addr::new(10, 20, 0, 1));
    }
    let apart =
        [(&guests[0], &guests[1]), (&guests[0], &desks[0]), (&desks[0], &house[0]), (&house[0], &guests[0])];
    for (one, other) in apart {
        assert!(!reaches(one, other.ip()) && !reaches(other, one.ip()), "{} and {}", one.ip(), other.ip());
    }
    for link in ["eth0", "all"] {
        assert_eq!(r.sysctl(&format!("ipv4/conf/{link}/send_redirects"))?, "0", "{link}");
    }
    Ok(())
}

#[harness::test]
fn example_provider_edge() -> Result<()> {
    let (r, [left, right]) = router([("eth0", "198.51.100.1/32"), ("eth1", "198.51.100.1/32")])?;
    let customer =
        |last: u8| behind_isolated_port(&format!("h{last}"), &format!("198.51.100.{last}/24"), &left);
    let (first, second, third, stray) = (customer(10)?, customer(11)?, customer(12)?, customer(60)?);
    let gateway = host("gateway", "198.51.100.254/24", &right)?;
    gateway.silence(true)?;
    let daemon = start("provider-edge", &r)?;
    // Nobody has spoken yet.
    for host in [&first, &second] {
        wait_route(&r, host.ip(), "eth0");
        let entry = r.neighbours().into_iter().find(|entry| entry.address == host.ip()).expect("its entry");
        assert_eq!((entry.mac(), entry.flags & EXT_LEARNED), (Some(host.mac()), EXT_LEARNED));
    }
    talk(&first, &second)?;
    // A customer becomes neither another one, nor the silent gateway, nor one of the provider's machines.
    let wire = stray.wire()?;
    for claimed in [second.ip(), third.ip(), gateway.ip()] {
        wire.send(&ArpFrame::gratuitous(stray.mac(), claimed))?;
        let reported = |event: &Value| event["address"] == claimed.to_string();
        wait_event(&daemon, "pin_violated", |event| {
            reported(event) && event["claimant_segment"] == "customers"
        });
    }
    wire.send(&ArpFrame::gratuitous(stray.mac(), Ipv4Addr::new(198, 51, 100, 230)))?;
    introduce(&stray, &r, "eth0")?; // dealt with after all that
    let mut routed: Vec<_> = host_routes(&r).iter().map(|route| route.dst.ip().octets()[3]).collect();
    routed.sort_unstable();
    assert_eq!(routed, [10, 11, 60]);
    gateway.silence(false)?;
    introduce(&third, &r, "eth0")?;
    for host in [&first, &third, &stray] {
        talk(host, &gateway)?;
    }
    assert_eq!(routed_by(&r, gateway.ip()).as_deref(), Some("eth1"));
    Ok(())
}
