//! In place of fillarpd where it was made for: beside an InfiniBand fabric.

use std::time::Duration;

use arpherd_lab::{Daemon, Launch, NeighbourTimers, Result, RouteWatch, wait_until};

use crate::fabric::{EXPIRY, FabricRig, neighbour, wait_neighbour};
use crate::rig::{PROTOCOL, SOON, binary, echoes, host_routes, host_row, routed_by, wait_route};

/// fillarpd's own way: one process a link and no file, and the kernel answers.
#[harness::test]
fn d9_fillarpds_flags_join_a_fabric_beside_the_kernels_proxy() -> Result<()> {
    let rig = FabricRig::new()?;
    let stations = [rig.station(20)?, rig.station(21)?];
    let host = rig.host(10)?;
    let start = |link: &str| -> Result<Daemon> {
        rig.r.set_sysctl(&format!("ipv4/conf/{link}/forwarding"), "1")?;
        rig.r.set_sysctl(&format!("ipv4/conf/{link}/proxy_arp"), "1")?;
        let at_once = NeighbourTimers { proxy_delay: Some(Duration::ZERO), ..NeighbourTimers::default() };
        rig.r.neighbour_timers(link, at_once)?;
        let flags = ["run", "-i", link, "-s", "10.9.0.1", "-n", "10.9.0.0/27", "-t", "1", "-j", "8"];
        Launch::new(&rig.r, binary()).args(&flags).start()
    };
    let _daemons = [start("eth0")?, start("ib0")?];
    for station in &stations {
        // Mute until now: only a sweep can have found them.
        wait_route(&rig.r, station.ip, "ib0");
        wait_neighbour(&rig.r, station.ip, &station.lladdr().0);
    }
    wait_route(&rig.r, host.ip(), "eth0");
    for station in &stations {
        echoes(&host.ns, station.ip);
        echoes(&station.ns, host.ip());
    }
    Ok(())
}

#[harness::test]
fn d11_a_clean_exit_leaves_nothing_on_a_fabric() -> Result<()> {
    let rig = FabricRig::new()?;
    let mut daemon = rig.start()?;
    let (host, station) = (rig.host(10)?, rig.station(20)?);
    echoes(&host.ns, station.ip);
    daemon.terminate();
    let left: Vec<_> = rig.r.routes().into_iter().filter(|route| route.protocol == PROTOCOL).collect();
    assert_eq!(left, []);
    let entry = rig.r.neighbours().into_iter().find(|it| it.address == station.ip);
    assert!(entry.is_none_or(|it| it.flags & crate::rig::EXT_LEARNED == 0), "no entry of ours is left");
    Ok(())
}

/// What a crashed daemon left is taken over with its addresses of 20 octets, and who died meanwhile is let go.
#[harness::test]
fn d12_a_crash_costs_a_fabric_no_route() -> Result<()> {
    let rig = FabricRig::new()?;
    let mut daemon = rig.start()?;
    let (host, alive, dead) = (rig.host(10)?, rig.station(20)?, rig.station(21)?);
    echoes(&host.ns, alive.ip);
    echoes(&host.ns, dead.ip);
    let watch = RouteWatch::start(&rig.r)?;
    daemon.kill();
    dead.ns.down("ib0")?;
    let daemon = rig.start_with(&[("expiry", EXPIRY)])?;
    wait_until(SOON, "who died is let go", || routed_by(&rig.r, dead.ip).is_none());
    wait_until(SOON, "who lives is known", || {
        host_row(&daemon, alive.ip).is_some_and(|row| row["lladdr"] == alive.lladdr().to_string())
    });
    let lost = watch.events().into_iter().filter(|it| !it.is_new && it.route.dst.prefix() == 32);
    let lost: Vec<_> = lost.map(|it| it.route.dst.ip()).collect();
    assert_eq!(lost, [dead.ip]);
    assert_eq!(neighbour(&rig.r, alive.ip), Some(alive.lladdr().0.to_vec()));
    echoes(&host.ns, alive.ip);
    assert_eq!(host_routes(&rig.r).len(), 2);
    Ok(())
}
