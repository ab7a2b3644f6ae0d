//! What the tests stand on: a router with one link to a neighbour's namespace.

use std::net::Ipv4Addr;

use arpherd_actors::io::netlink::RouteWriter;
use arpherd_actors::io::{Refusal, RouteTable};
use arpherd_core::Write;
use arpherd_core::plan::RoutePlan;
use arpherd_lab::Netns;

/// How routes are marked here.
pub(crate) const MARK: RoutePlan = RoutePlan { protocol: 169, table: 254, metric: 50, fabric_table: None };
/// The router's address on its link.
pub(crate) const OWN: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
/// Some host that need not exist.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 7);

/// `router` has `lan0`, whose other end is `far0` in `far`; both are up.
pub(crate) struct Rig {
    pub(crate) router: Netns,
    pub(crate) far: Netns,
    /// The index of `lan0`.
    pub(crate) lan: u32,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let (router, far) = (Netns::new("router").unwrap(), Netns::new("far").unwrap());
        router.veth("lan0", &far, "far0").unwrap();
        router.address("lan0", "10.9.0.1/24").unwrap();
        router.up("lan0").unwrap();
        far.up("far0").unwrap();
        let lan = router.index("lan0").unwrap();
        Self { router, far, lan }
    }

    pub(crate) fn writer(&self) -> RouteWriter {
        self.router.run(|| RouteWriter::open(MARK)).unwrap()
    }

    /// A route to the host, with our source, that may not take another's place.
    pub(crate) fn put(&self, address: Ipv4Addr) -> Write {
        Write::PutRoute { interface: self.lan, address, source: Some(OWN), replace: false }
    }

    pub(crate) fn delete(&self, address: Ipv4Addr) -> Write {
        Write::DeleteRoute { interface: self.lan, address }
    }
}

/// Carries out the writes and gives what was refused.
pub(crate) fn write(writer: &mut RouteWriter, writes: &[Write]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    writer.write(writes, &mut refusals);
    refusals
}

/// The number-th host of a big network that is not the link's.
pub(crate) fn host(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 10, 0, 1)) + number)
}
