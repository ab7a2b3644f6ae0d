//! The state of a machine as plain values, so that each check can be tested with any state.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_actors::io::netlink::{
    AddressInfo, AnyRoute, FilterInfo, LinkInfo, NeighbourInfo, PolicyRule, ProxyInfo,
};
use arpherd_actors::io::packet_filter::ChainPolicy;
use arpherd_actors::io::port_holders::PortHolder;
use arpherd_actors::io::process::Rights;
use arpherd_actors::io::sysctl::Setting;
use arpherd_core::LinkAddr;
use arpherd_core::plan::LinkKind;

use super::dhcp::kea::KeaConfig;
use super::dhcp::offers::DhcpAnswers;
use super::fabric::announced::Announced;
use super::standby::keepalived::KeepalivedConfig;

/// The state of one network namespace.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// Its interfaces.
    pub(crate) links: Vec<MachineLink>,
    /// Its IPv4 addresses.
    pub(crate) addresses: Vec<AddressInfo>,
    /// Its IPv4 routes, of all tables.
    pub(crate) routes: Vec<AnyRoute>,
    /// Its rules, in the order they are tried; or why they cannot be read.
    pub(crate) rules: Result<Vec<PolicyRule>, String>,
    /// Its neighbour table.
    pub(crate) neighbours: Vec<NeighbourInfo>,
    /// Its proxy neighbour entries (`ip neigh show proxy`).
    pub(crate) proxies: Vec<ProxyInfo>,
    /// The sysctls that the checks read, by their names for sysctl(8).
    pub(crate) settings: BTreeMap<String, i32>,
    /// Its packet filters.
    pub(crate) filters: Filters,
    /// Whether the kernel has cfg80211, and so nl80211.
    pub(crate) wireless: bool,
    /// Interfaces that an arpherd serves, whatever its control socket, with its protocol number; or why that is
    /// not known.
    pub(crate) served: Result<Vec<(u8, String)>, String>,
    /// The results of the probes; `None` without `--probe`.
    pub(crate) probed: Option<Vec<ProbeResult>>,
    /// How many programs run by tcx for packets that come in, by interface; none where the kernel has no tcx or does not
    /// say it.
    pub(crate) programs: BTreeMap<String, u32>,
    /// The filters of traffic control that see ARP that comes in, by interface of the scope.
    pub(crate) ingress: BTreeMap<String, Vec<FilterInfo>>,
    /// What DHCP meets here; `None` if no domain has it.
    pub(crate) dhcp: Option<DhcpState>,
    /// What routing daemons took of arpherd's routes; none of other namespaces, and without a fabric.
    pub(crate) announced: Vec<Announced>,
    /// What a keepalived here is to do, if there is one and a domain follows an address; or why it cannot be read.
    pub(crate) keepalived: Option<Result<KeepalivedConfig, String>>,
}

/// What DHCP meets in one network namespace.
#[derive(Debug, Clone)]
pub(crate) struct DhcpState {
    /// Who holds port 67; or why that is not known.
    pub(crate) holders: Result<Vec<PortHolder>, String>,
    /// The configuration of a Kea of this machine, if there is one; or why it cannot be read.
    pub(crate) kea: Option<Result<KeaConfig, String>>,
    /// The filters that packets for this machine pass.
    pub(crate) input: Filters,
    /// What servers answered; `None` without `--probe`.
    pub(crate) probed: Option<Vec<DhcpAnswers>>,
}

/// An interface.
#[derive(Debug, Clone)]
pub(crate) struct MachineLink {
    /// As the kernel lists it.
    pub(crate) info: LinkInfo,
    /// Its kind; `None` if arpherd does not support its ARP.
    pub(crate) kind: Option<LinkKind>,
}

/// The policies of the chains that packets pass; or why they cannot be read.
#[derive(Debug, Clone)]
pub(crate) struct Filters {
    /// The base chains of nf_tables.
    pub(crate) chains: Result<Vec<ChainPolicy>, String>,
    /// The chain of ip_tables, if that is in use.
    pub(crate) iptables: Result<Option<ChainPolicy>, String>,
}

/// The result of probing one segment.
#[derive(Debug, Clone)]
pub(crate) struct ProbeResult {
    /// The segment's interface.
    pub(crate) interface: String,
    /// The sender address of the requests; a kernel's proxy ignores those without one.
    pub(crate) sender: Ipv4Addr,
    /// Interfaces of this machine whose requests were received here: their links are bridged.
    pub(crate) bridged: Vec<String>,
    /// The stations that replied, and for which address; or why no request could be sent.
    pub(crate) replies: Result<Vec<(LinkAddr, Ipv4Addr)>, String>,
}

/// The kernel's release and features.
#[derive(Debug, Clone)]
pub(crate) struct KernelBuild {
    /// `uname -r`
    pub(crate) release: String,
    /// Whether it has packet sockets.
    pub(crate) packet_sockets: bool,
}

/// State that all network namespaces share.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// The capabilities of this process; or why they cannot be read.
    pub(crate) rights: Result<Rights, String>,
    /// Whether it is in a user namespace, in which no program can be loaded into the kernel.
    pub(crate) is_confined: bool,
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

    /// Whether a switch is on for the interface, for those sysctls that the kernel combines by *or* of `all` and
    /// the interface.
    pub(crate) fn either(&self, interface: &str, key: &'static str) -> bool {
        [interface, "all"]
            .iter()
            .any(|name| self.setting(&Setting::conf(*name, key)).is_some_and(|on| on != 0))
    }

    /// The other interfaces that default routes of table main use, sorted.
    pub(crate) fn default_routes_besides(&self, index: u32) -> Vec<&str> {
        /// Table `local` has no default route, and other tables apply to some packets only.
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
