//! D14 where only a VM has the links: DHCP from a server on Ethernet to clients on IPoIB and Wi-Fi, by the
//! programs of isc-dhcp and systemd-networkd. `tests/dhcp` has the same between Ethernets, with more programs and in more places.
//!
//! ```text
//!   dhcpd ── lan (switch) ── eth0 [ R: arpherd, 10.9.0.1 on both ] ib0 ── partition ── ib0 systemd-networkd
//!   dhcpd ── lan0 (bridge) [ access point: arpherd ] ~~~ station: dhclient
//! ```
//!
//! Judged by the server's own log, which names the relay that a message came by (`via 10.9.0.1`) or the link that a
//! client's own came in on (`via eth0`), and by what kernels have.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use arpherd_lab::{Daemon, Host, Netns, Result, Segment, wait_until};
use tempfile::TempDir;

use crate::fabric::{EXPIRY, FabricRig, Partition, wait_neighbour};
use crate::radios::{AccessPoint, Station, home, namespace};
use crate::rig::{Config, SOON, echoes, ip, routed_by, wait_route};
use crate::tools::{self, Running};

/// To start, to be offered something, to probe for it: seconds, on an emulated machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// Half of it is when a client renews.
const LEASE: u32 = 20;
const SERVER: u8 = 2;

/// dhcpd, with one address to give away.
struct Server {
    program: Running,
    _room: TempDir,
}

impl Server {
    fn start(ns: &Netns, link: &str, network: &str, given: Ipv4Addr, router: Ipv4Addr) -> Self {
        let room = tempfile::tempdir().expect("a directory for files of a run");
        let text = format!(
            "authoritative; ping-check false; default-lease-time {LEASE}; max-lease-time {LEASE};\n\
             subnet {network} netmask 255.255.255.0 {{ range {given}; option routers {router}; }}\n"
        );
        write(&room.path().join("conf"), &text);
        write(&room.path().join("leases"), "");
        let at = room.path().display();
        let line = format!("exec dhcpd -4 -f -d -cf {at}/conf -lf {at}/leases -pf {at}/pid {link} 2>&1");
        let program = Running::start(ns, "busybox", &["sh", "-c", &line]);
        program.wait_line("Server starting service", 1, PATIENCE);
        Self { program, _room: room }
    }

    /// Waits until it acknowledged the address so often to clients that came by this.
    fn acknowledged(&self, address: Ipv4Addr, via: &str, count: usize) {
        let seen =
            || self.program.count(&[&format!("DHCPACK on {address} "), &format!("via {via}")]) >= count;
        let what = format!("acknowledgement {count} of {address} via {via}");
        let waited = std::panic::catch_unwind(|| wait_until(PATIENCE, &what, seen));
        assert!(waited.is_ok(), "waited for {what}:\n{}", self.program.said());
    }

    fn requests(&self, via: &str) -> usize {
        self.program.count(&["DHCPREQUEST for ", &format!("via {via}")])
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a directory of our own takes files");
}

/// A client that sets and removes the link's address.
struct Client {
    program: Running,
    _room: TempDir,
}

impl Client {
    fn dhclient(ns: &Netns, link: &str) -> Self {
        let room = tempfile::tempdir().expect("a directory for files of a run");
        let script = room.path().join("script");
        let text = "#!/bin/busybox sh\n\
             case $reason in\n\
             BOUND|RENEW|REBIND|REBOOT) ip addr replace $new_ip_address/24 dev $interface ;;\n\
             EXPIRE|FAIL|RELEASE|STOP) ip addr flush dev $interface ;;\n\
             esac\n";
        write(&script, text);
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let text = "timeout 60; retry 2; initial-interval 1; backoff-cutoff 2; select-timeout 0;\n";
        write(&room.path().join("conf"), text);
        let at = room.path().display();
        let line = format!(
            "exec dhclient -4 -d -v -cf {at}/conf -lf {at}/leases -pf {at}/pid -sf {at}/script {link} 2>&1"
        );
        Self { program: Running::start(ns, "busybox", &["sh", "-c", &line]), _room: room }
    }

    /// systemd-networkd, of which there may be one: its files are the machine's.
    fn networkd(ns: &Netns, link: &str) -> Self {
        let room = tempfile::tempdir().expect("a directory for files of a run");
        let text =
            format!("[Match]\nName={link}\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n");
        fs::create_dir_all("/run/systemd/network").expect("the VM's own folder");
        write(Path::new("/run/systemd/network/lab.network"), &text);
        write(Path::new("/etc/machine-id"), "0123456789abcdef0123456789abcdef\n");
        write(Path::new("/etc/passwd"), "root:x:0:0::/:/bin/sh\nsystemd-network:x:998:998::/:/bin/sh\n");
        write(Path::new("/etc/group"), "root:x:0:\nsystemd-network:x:998:\n");
        // Where /sys cannot be written it does not wait for udev, as in a container.
        let line = "busybox mount --bind /sys /sys && busybox mount -o remount,bind,ro /sys && \
                    SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console SYSTEMD_LOG_COLOR=0 \
                    exec /lib/systemd/systemd-networkd 2>&1";
        let program = Running::start(ns, "busybox", &["unshare", "-m", "busybox", "sh", "-c", line]);
        Self { program, _room: room }
    }

    /// Waits until the link has the address, or has it no more.
    fn wait_address(&self, ns: &Netns, link: &str, address: Ipv4Addr, is_there: bool) {
        let has = || tools::ip(ns, &format!("-4 -o addr show dev {link}")).contains(&format!(" {address}/"));
        let waited =
            std::panic::catch_unwind(|| wait_until(PATIENCE, "the client's address", || has() == is_there));
        assert!(waited.is_ok(), "{address} on {link}, {is_there}:\n{}", self.program.said());
    }
}

/// A fabric beside an Ethernet, on which the server is.
struct Fabric {
    rig: FabricRig,
    host: Host,
    server: Server,
    daemon: Daemon,
}

impl Fabric {
    fn new(given: Ipv4Addr) -> Result<Self> {
        let rig = FabricRig::new()?;
        let host = rig.host(SERVER)?;
        let server = Server::start(&host.ns, "eth0", "10.9.0.0", given, ip(1));
        let config = Config::of("10.9.0.0/24").domain_key(&format!("dhcp: {{ servers: [{}] }}", host.ip()));
        let keys = [("expiry", EXPIRY)];
        let daemon = config.segment("eth0", &keys).segment("ib0", &keys).start(&rig.r)?;
        host.announce()?;
        wait_route(&rig.r, host.ip(), "eth0");
        Ok(Self { rig, host, server, daemon })
    }

    /// A machine on the fabric without an address.
    fn machine(&self, name: &str) -> Result<Netns> {
        let ns = Netns::new(name)?;
        let partition: Partition = self.rig.partition;
        partition.link(&ns, "ib0", "")?;
        Ok(ns)
    }
}

/// RFC 4390: hardware type 32, no hardware address, the client named by its identifier, replies by broadcast. Of Debian's
/// clients it is systemd-networkd that can do so: dhclient refuses the link's type, dhcpcd finds no filter for it.
#[harness::test]
fn d14_networkd_on_ipoib_gets_renews_and_loses_its_lease() -> Result<()> {
    let given = ip(100);
    let fabric = Fabric::new(given)?;
    let ns = fabric.machine("ibc0")?;
    let client = Client::networkd(&ns, "ib0");
    client.wait_address(&ns, "ib0", given, true);
    fabric.server.acknowledged(given, "10.9.0.1", 1);
    wait_route(&fabric.rig.r, given, "ib0");
    echoes(&fabric.host.ns, given);
    let lladdr = crate::fabric::ib_addr(&ns, "ib0");
    wait_neighbour(&fabric.rig.r, given, &lladdr.0);
    // It asks the server itself, by unicast, which passes without the relay's help.
    fabric.server.acknowledged(given, "eth0", 1);
    assert_eq!(fabric.server.requests("10.9.0.1"), 1, "{}", fabric.server.program.said());
    let Fabric { rig, host, mut server, daemon } = fabric;
    server.program.kill();
    host.unplug()?;
    client.wait_address(&ns, "ib0", given, false);
    wait_until(SOON, "the route is withdrawn", || routed_by(&rig.r, given).is_none());
    drop(daemon);
    Ok(())
}

#[harness::test]
fn d14_a_station_of_an_access_point_gets_and_renews_its_lease() -> Result<()> {
    let ns = namespace("hotspot")?;
    ns.bridge("lan0")?;
    ns.up("lan0")?;
    let mut host = Host::new("lease", &format!("{}/24", home(SERVER)))?;
    host.attach_to(&Segment { ns: ns.clone(), bridge: "lan0".to_owned() })?;
    let given = home(100);
    let server = Server::start(&host.ns, "eth0", "192.168.1.0", given, home(1));
    let point = AccessPoint::new(&ns, "")?;
    for link in [point.link.as_str(), "lan0"] {
        ns.address_noprefix(link, &format!("{}/32", home(1)))?;
        ns.quick_neighbours(link)?;
    }
    let keys = [("expiry", EXPIRY)];
    let config = Config::of("192.168.1.0/24").domain_key(&format!("dhcp: {{ servers: [{}] }}", host.ip()));
    let _daemon = config.segment("lan0", &keys).segment(&point.link, &keys).start(&ns)?;
    host.announce()?;
    wait_route(&ns, host.ip(), "lan0");
    let station = Station::new(&namespace("guest")?, &point)?;
    let client = Client::dhclient(&station.ns, &station.link);
    client.wait_address(&station.ns, &station.link, given, true);
    server.acknowledged(given, &home(1).to_string(), 1);
    wait_route(&ns, given, &point.link);
    echoes(&host.ns, given);
    server.acknowledged(given, "eth0", 1);
    assert_eq!(server.requests(&home(1).to_string()), 1, "{}", server.program.said());
    Ok(())
}
