//! Where a contender works: a gateway with two links, and whoever is behind them.

use std::net::Ipv4Addr;

use arpherd_lab::{ArpFrame, Mac, Netns, RouteKind, RouteSpec, Wire};

use crate::error::{Result, Tried};
use crate::floor::Link;
use crate::sys::{ArpSocket, Frame};

/// The gateway's links, which are the names of its segments.
pub(crate) const LINKS: [&str; 2] = ["lan", "vms"];
/// The name of the other end of each.
pub(crate) const PORT: &str = "eth0";
/// The one subnet of all, written as a prefix.
pub(crate) const SUBNET: &str = "10.64.0.0/10";
/// The gateway's addresses, one a link.
pub(crate) const SOURCES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 64, 0, 1), Ipv4Addr::new(10, 64, 0, 2)];
/// Who asks on `lan`.
pub(crate) const REQUESTER: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 10);

/// A gateway namespace with links `lan` and `vms`, and the namespaces behind them: plain cables, so that
/// nothing but the contender takes time. The other ends have no address; their kernels send nothing.
pub(crate) struct Testbed {
    pub(crate) gateway: Netns,
    pub(crate) lan: Netns,
    pub(crate) vms: Netns,
}

impl Testbed {
    pub(crate) fn new() -> Result<Self> {
        let testbed =
            Self { gateway: Netns::new("gateway")?, lan: Netns::new("lan")?, vms: Netns::new("vms")? };
        for ((link, source), peer) in LINKS.iter().zip(SOURCES).zip([&testbed.lan, &testbed.vms]) {
            testbed.gateway.veth(link, peer, PORT)?;
            peer.up(PORT)?;
            testbed.gateway.up(link)?;
            testbed.gateway.address_noprefix(link, &format!("{source}/10"))?;
            testbed.gateway.wait_ready(link)?;
            peer.wait_ready(PORT)?;
        }
        Ok(testbed)
    }

    /// The gateway's links as a floor is given them.
    pub(crate) fn links(&self) -> Result<Vec<Link>> {
        let link = |(name, source)| {
            let info = self.gateway.link_info(name)?;
            Ok(Link { index: info.index, mac: info.mac, source })
        };
        LINKS.into_iter().zip(SOURCES).map(link).collect()
    }

    /// A socket that sends only, on the far end of `vms`.
    pub(crate) fn speaker(&self) -> Result<ArpSocket> {
        let index = self.vms.index(PORT)?;
        self.vms.run(|| ArpSocket::open_deaf(index)).tried(|| "open a packet socket on vms".to_owned())
    }

    /// Puts hosts behind `vms` that send only when asked: the kernel there answers for all of the prefix as
    /// it does for an address of its own, inside the requester's own system call. So no thread that plays
    /// thousands of hosts takes part in what is measured. All have one link-layer address.
    pub(crate) fn answers_for(&self, prefix: &str) -> Result<()> {
        // The lookup that decides about an answer needs a route back to the requester.
        if self.vms.routes().is_empty() {
            self.vms.address_noprefix(PORT, "10.64.0.20/10")?;
            self.vms.route("10.64.0.0/24", None, Some(PORT))?;
        }
        self.vms.add_route(&RouteSpec::to(prefix)?.kind(RouteKind::Local).dev("lo").table(255).scope(254))?;
        Ok(())
    }

    /// A socket that sends and receives on the far end of `lan`.
    pub(crate) fn requester(&self) -> Result<Wire> {
        Ok(Wire::open(&self.lan, PORT)?)
    }
}

/// The address of host number `n`, counted from 0 over all hosts of a testbed.
pub(crate) fn host(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 65, 0, 1)) + n)
}

/// What a host sends when its link comes up.
pub(crate) fn announcement(ip: Ipv4Addr) -> Frame {
    ArpFrame::gratuitous(Mac::of_crowd(ip), ip).encode()
}

/// What a host sends most of the time: a request for a neighbour on its own link.
pub(crate) fn chatter(ip: Ipv4Addr, neighbour: Ipv4Addr) -> Frame {
    ArpFrame::request(Mac::of_crowd(ip), ip, neighbour).encode()
}
