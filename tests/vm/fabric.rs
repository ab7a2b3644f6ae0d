//! An InfiniBand fabric of the lab's module, and the rig that joins it with an Ethernet.
//!
//! ```text
//!   Host ── lan (switch) ── eth0 [ R: arpherd, 10.9.0.1 on both ] ib0 ── partition ── ib0 FabricHost
//! ```

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};

use arpherd_lab::{Daemon, Host, Netns, Result, Segment, Wire, wait_until};

use crate::ib_arp::{IbAddr, IbArp};
use crate::rig::{Config, ROUTER, SOON, SUBNET, ip};
use crate::tools::{self, shell};

/// Quick to miss a host, yet not too quick for an emulated machine.
pub(crate) const EXPIRY: &str = "{ quiet: 1s, interval: 300ms, unicast: 3, broadcast: 2 }";

/// Each test has partitions of its own on the one fabric.
static NEXT: AtomicU16 = AtomicU16::new(0x8001);

/// The links of one partition key reach each other.
#[derive(Clone, Copy)]
pub(crate) struct Partition(pub(crate) u16);

impl Partition {
    /// One that nobody else uses.
    pub(crate) fn new() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes an IPoIB link in `ns` and sets it up; `more` are arguments of `ip link add`.
    pub(crate) fn link(self, ns: &Netns, name: &str, more: &str) -> Result<()> {
        let Self(key) = self;
        tools::ip(ns, &format!("link add name {name} {more} type ipoib pkey {key:#06x}"));
        ns.up(name)?;
        ns.quick_neighbours(name)
    }

    /// The broadcast address of its links (RFC 4391, section 4).
    pub(crate) fn broadcast(self) -> IbAddr {
        let mut address = [0; 20];
        address[1..8].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x12, 0x40, 0x1b]);
        address[8..10].copy_from_slice(&self.0.to_be_bytes());
        address[16..].fill(0xff);
        IbAddr(address)
    }
}

/// A link's address as the kernel has it.
pub(crate) fn ib_addr(ns: &Netns, link: &str) -> IbAddr {
    IbAddr::of(&ns.link_info(link).expect("the link is there").lladdr)
}

/// Does to a link what fabrics do by themselves, see the module.
pub(crate) fn turn(ns: &Netns, link: &str, knob: &str, value: u64) {
    shell(ns, &format!("echo {value:#x} > /sys/class/net/{link}/fabric/{knob}"));
}

/// A count of the link's, see the module.
pub(crate) fn count(ns: &Netns, link: &str, knob: &str) -> u64 {
    let text = shell(ns, &format!("cat /sys/class/net/{link}/fabric/{knob}"));
    text.trim().parse().expect("a number")
}

/// A host on the fabric.
pub(crate) struct FabricHost {
    pub(crate) ns: Netns,
    pub(crate) ip: Ipv4Addr,
}

impl FabricHost {
    /// `10.9.0.LAST/24` on `ib0`. It is mute, as the lab's hosts are.
    pub(crate) fn new(partition: Partition, last: u8) -> Result<Self> {
        let station = Self { ns: Netns::new(&format!("ib{last}"))?, ip: ip(last) };
        partition.link(&station.ns, "ib0", "")?;
        station.ns.address("ib0", &format!("{}/24", station.ip))?;
        Ok(station)
    }

    pub(crate) fn lladdr(&self) -> IbAddr {
        ib_addr(&self.ns, "ib0")
    }

    /// To speak and listen beside its kernel.
    pub(crate) fn wire(&self) -> Result<Wire> {
        Wire::open(&self.ns, "ib0")
    }

    /// Announces its address with the link-layer address it has now.
    pub(crate) fn announce(&self, partition: Partition) -> Result<()> {
        self.say(IbArp::request(partition.broadcast(), self.lladdr(), self.ip, self.ip))
    }

    pub(crate) fn say(&self, arp: IbArp) -> Result<()> {
        self.wire()?.send_raw(&arp.encode()).map(drop)
    }
}

/// The router between an Ethernet and a partition, as fillarpd's authors recommend: one address as a /32 on
/// both links.
pub(crate) struct FabricRig {
    pub(crate) r: Netns,
    pub(crate) lan: Segment,
    pub(crate) partition: Partition,
}

impl FabricRig {
    pub(crate) fn new() -> Result<Self> {
        let (r, lan, partition) = (Netns::new("r")?, Segment::new("lan")?, Partition::new());
        lan.plug(&r, "eth0")?;
        partition.link(&r, "ib0", "")?;
        for link in ["eth0", "ib0"] {
            r.address_noprefix(link, &format!("{ROUTER}/32"))?;
            r.quick_neighbours(link)?;
        }
        Ok(Self { r, lan, partition })
    }

    /// Both segments, without sweeps.
    pub(crate) fn start(&self) -> Result<Daemon> {
        self.start_with(&[("expiry", EXPIRY)])
    }

    /// With these keys on both segments.
    pub(crate) fn start_with(&self, keys: &[(&str, &str)]) -> Result<Daemon> {
        Config::of(SUBNET).segment("eth0", keys).segment("ib0", keys).start(&self.r)
    }

    /// A host `10.9.0.LAST/24` on the Ethernet.
    pub(crate) fn host(&self, last: u8) -> Result<Host> {
        let mut host = Host::new(&format!("h{last}"), &format!("{}/24", ip(last)))?;
        host.attach_to(&self.lan)?;
        Ok(host)
    }

    /// A host `10.9.0.LAST/24` on the fabric.
    pub(crate) fn station(&self, last: u8) -> Result<FabricHost> {
        FabricHost::new(self.partition, last)
    }

    /// The router's address on the fabric.
    pub(crate) fn own(&self) -> IbAddr {
        ib_addr(&self.r, "ib0")
    }
}

/// What `ns` has in its ARP table for `ip`, whatever the length.
pub(crate) fn neighbour(ns: &Netns, ip: Ipv4Addr) -> Option<Vec<u8>> {
    ns.neighbours().into_iter().find(|entry| entry.address == ip).map(|entry| entry.lladdr)
}

/// Waits until the kernel of `ns` has this link-layer address for `ip`.
///
/// # Panics
/// When it does not come within [`SOON`].
pub(crate) fn wait_neighbour(ns: &Netns, ip: Ipv4Addr, lladdr: &[u8]) {
    let what = format!("{ip} at {lladdr:02x?} for {}", ns.name());
    wait_until(SOON, &what, || neighbour(ns, ip).as_deref() == Some(lladdr));
}
