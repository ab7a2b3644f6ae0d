//! A machine as the checks see it: values only, so that each check can be tried on any machine.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_actors::io::netlink::{AddressInfo, AnyRoute, LinkInfo, NeighbourInfo, ProxyInfo, Rule};
use arpherd_actors::io::packet_filter::ForwardPolicy;
use arpherd_actors::io::process::Rights;
use arpherd_actors::io::sysctl::Setting;
use arpherd_core::plan::LinkKind;

use super::probe::ProbeResult;

/// What one network namespace of a machine has.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// Its interfaces.
    pub(crate) links: Vec<MachineLink>,
    /// Its IPv4 addresses.
    pub(crate) addresses: Vec<AddressInfo>,
    /// Its IPv4 routes, of all tables.
    pub(crate) routes: Vec<AnyRoute>,
    /// Its rules, in the order they are tried; or why it has none.
    pub(crate) rules: Result<Vec<Rule>, String>,
    /// Its neighbour table.
    pub(crate) neighbours: Vec<NeighbourInfo>,
    /// The addresses the kernel answers for one by one.
    pub(crate) proxies: Vec<ProxyInfo>,
    /// Its settings that are of interest, by their names for sysctl(8).
    pub(crate) settings: BTreeMap<String, i32>,
    /// What forwarded packets pass.
    pub(crate) filters: Filters,
    /// The kernel has cfg80211, and so nl80211.
    pub(crate) wireless: bool,
    /// Which interfaces an arpherd serves, whatever its control socket, and under which protocol number; or
    /// why that is not known.
    pub(crate) served: Result<Vec<(u8, String)>, String>,
    /// What came of the questions sent; `None` if nobody asked for that.
    pub(crate) probed: Option<Vec<ProbeResult>>,
}

/// An interface.
#[derive(Debug, Clone)]
pub(crate) struct MachineLink {
    /// As the kernel lists it.
    pub(crate) info: LinkInfo,
    /// What it is to arpherd; `None` if ARP on it is not understood.
    pub(crate) kind: Option<LinkKind>,
}

/// What forwarded packets pass; or why that could not be looked at.
#[derive(Debug, Clone)]
pub(crate) struct Filters {
    /// nf_tables' base chains.
    pub(crate) chains: Result<Vec<ForwardPolicy>, String>,
    /// The chain of the older ip_tables, if it is in use.
    pub(crate) iptables: Result<Option<ForwardPolicy>, String>,
}

/// The kernel and what it was built with.
#[derive(Debug, Clone)]
pub(crate) struct KernelBuild {
    /// `uname -r`
    pub(crate) release: String,
    /// It has packet sockets.
    pub(crate) packet_sockets: bool,
}

/// What is the same in all network namespaces.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// What this process may do; or why that is not known.
    pub(crate) rights: Result<Rights, String>,
    /// The kernel.
    pub(crate) kernel: KernelBuild,
}

impl Machine {
    /// The interface of that name.
    pub(crate) fn link(&self, name: &str) -> Option<&MachineLink> {
        self.links.iter().find(|link| link.info.name == name)
    }

    /// The name of the interface of that number.
    pub(crate) fn name_of(&self, index: u32) -> &str {
        let link = self.links.iter().find(|link| link.info.index == index);
        link.map_or("?", |link| link.info.name.as_str())
    }

    /// The addresses of the interface of that number.
    pub(crate) fn addresses_on(&self, index: u32) -> impl Iterator<Item = &AddressInfo> {
        self.addresses.iter().filter(move |info| info.interface == index)
    }

    /// Whether that is one of its addresses.
    pub(crate) fn owns(&self, address: Ipv4Addr) -> bool {
        self.addresses.iter().any(|info| info.network.ip() == address)
    }

    /// A setting's value, if there is such a setting.
    pub(crate) fn setting(&self, setting: &Setting) -> Option<i32> {
        self.settings.get(&setting.to_string()).copied()
    }

    /// Whether a switch is on for an interface that the kernel takes for on if either `all` or the interface
    /// says so.
    pub(crate) fn either(&self, interface: &str, key: &'static str) -> bool {
        [interface, "all"]
            .iter()
            .any(|name| self.setting(&Setting::conf(*name, key)).is_some_and(|on| on != 0))
    }

    /// The interfaces other than this one that a default route leaves by.
    pub(crate) fn default_routes_besides(&self, index: u32) -> Vec<&str> {
        /// Table `local` has no such route, and others count only as far as a rule says.
        const MAIN: u32 = 254;
        let defaults = self
            .routes
            .iter()
            .filter(|route| route.destination.prefix() == 0 && route.is_unicast() && route.table == MAIN);
        let others = defaults.flat_map(|route| &route.interfaces).filter(|leaves| **leaves != index);
        let mut names: Vec<_> = others.map(|leaves| self.name_of(*leaves)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
