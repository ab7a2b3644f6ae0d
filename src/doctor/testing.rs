//! A correct machine and a scope for it, which tests modify.

use std::collections::BTreeMap;

use arpherd_actors::io::netlink::{AddressInfo, AnyRoute, LinkInfo, NeighbourInfo, PolicyRule};
use arpherd_actors::io::process::Rights;
use arpherd_core::LinkAddr;
use arpherd_core::plan::LinkKind;
use arpherd_core::view::{
    AnsweringView, CountersView, HostView, MeasuredView, RouteView, SegmentView, SubnetView,
};
use ipnetwork::Ipv4Network;

use super::machine::{Filters, KernelBuild, Machine, MachineLink, Process};
use super::scope::{DaemonState, RunningDaemon, Scope, SysctlOwner};

fn network(text: &str) -> Ipv4Network {
    text.parse().expect("a network")
}

/// The domain `lan`, 10.9.0.0/24 over `eth0` and `eth1`; no daemon runs.
pub(super) fn scope(sysctl_owner: SysctlOwner) -> Scope {
    let names = ["eth0".to_owned(), "eth1".to_owned()];
    let mut scope = Scope::of_interfaces(
        &names,
        &[network("10.9.0.0/24")],
        &DaemonState::Absent("no arpherd answers".into()),
    );
    for segment in &mut scope.segments {
        segment.domain = "lan".into();
        segment.sysctl_owner = sysctl_owner;
    }
    scope
}

/// The same with a running daemon that knows no host.
pub(super) fn running_scope(sysctl_owner: SysctlOwner) -> Scope {
    let running = RunningDaemon {
        process: Some((4711, Rights::NEEDED)),
        files: Some("enforced".to_owned()),
        segments: vec![segment_view("eth0", "up"), segment_view("eth1", "up")],
        hosts: Vec::new(),
        remote: std::collections::BTreeSet::new(),
        routes: Vec::new(),
        roles: Vec::new(),
        events: BTreeMap::new(),
        hints: BTreeMap::new(),
    };
    Scope { daemon: DaemonState::Running(Box::new(running)), ..scope(sysctl_owner) }
}

/// A segment as a daemon shows it.
pub(super) fn segment_view(interface: &str, state: &'static str) -> SegmentView {
    SegmentView {
        domain: "lan".into(),
        segment: interface.into(),
        interface: interface.into(),
        configured_interface: interface.into(),
        kind: "ethernet".into(),
        wifi: None,
        state: state.into(),
        lladdr: LinkAddr::UNKNOWN,
        answering: AnsweringView { answer: "live".into(), private_vlan: "off".into() },
        subnet: SubnetView::default(),
        hosts: 0,
        counters: CountersView::default(),
        netns: None,
        measured: MeasuredView::default(),
    }
}

/// A host on `eth0` as a daemon shows it.
pub(super) fn host_view(address: &str, state: &'static str) -> HostView {
    HostView {
        address: address.parse().expect("an address"),
        lladdr: LinkAddr::UNKNOWN,
        domain: "lan".into(),
        segment: "eth0".into(),
        interface: "eth0".into(),
        state: state.into(),
        learned_from: "request".into(),
        age_seconds: 0,
        lease_server: None,
        lease_expires_seconds: None,
        in_kernel_seconds: None,
        next_hop: None,
        netns: None,
    }
}

/// A host route by `eth0` as a daemon shows it.
pub(super) fn route_view(address: &str, state: &'static str) -> RouteView {
    RouteView {
        address: arpherd_core::view::Destination::Host(address.parse().expect("an address")),
        interface: Some("eth0".into()),
        source: None,
        metric: 50,
        table: 254,
        protocol: 169,
        state: state.into(),
        netns: None,
    }
}

/// A process with all capabilities, on a kernel with all features.
pub(super) fn process() -> Process {
    let kernel = KernelBuild { release: "6.1.0-18-amd64".into(), packet_sockets: true };
    Process { rights: Ok(Rights::ALL), is_confined: false, kernel }
}

/// `lo`, `eth0` and `eth1`, with forwarding, without filters.
pub(super) fn machine() -> Machine {
    let mut machine = Machine {
        links: Vec::new(),
        addresses: Vec::new(),
        routes: Vec::new(),
        rules: Ok([(0, 255), (32766, 254), (32767, 253)]
            .map(|(priority, table)| PolicyRule {
                priority,
                table: Some(table),
                of_vrf: false,
                for_all: true,
            })
            .into()),
        neighbours: Vec::new(),
        proxies: Vec::new(),
        settings: BTreeMap::new(),
        filters: Filters { chains: Ok(Vec::new()), iptables: Ok(None) },
        wireless: true,
        served: Ok(Vec::new()),
        probed: None,
        programs: BTreeMap::new(),
        ingress: BTreeMap::new(),
        dhcp: None,
        announced: Vec::new(),
        keepalived: None,
    };
    machine =
        machine.with_link("lo").with_link("eth0").with_link("eth1").change("lo", |link| link.kind = None);
    for name in ["all", "eth0", "eth1"] {
        let zeroes = ["proxy_arp", "proxy_arp_pvlan", "rp_filter", "send_redirects", "accept_redirects"];
        for key in zeroes.iter().chain(&["arp_ignore", "arp_announce", "arp_filter", "medium_id"]) {
            machine = machine.with(&format!("conf.{name}.{key}"), 0);
        }
        machine = machine.with(&format!("conf.{name}.forwarding"), 1);
        machine = machine
            .with(&format!("neigh.{name}.proxy_delay"), 80)
            .with(&format!("neigh.{name}.proxy_qlen"), 64);
    }
    machine.with_address("eth0", "10.9.0.1/24")
}

impl Machine {
    fn index(&self, name: &str) -> u32 {
        self.link(name).map_or(99, |link| link.info.index)
    }

    /// With a sysctl, named from below `net.ipv4`.
    pub(super) fn with(mut self, name: &str, value: i32) -> Self {
        self.settings.insert(format!("net.ipv4.{name}"), value);
        self
    }

    /// With one more interface: Ethernet, up.
    pub(super) fn with_link(mut self, name: &str) -> Self {
        let index = u32::try_from(self.links.len()).expect("few") + 1;
        let octet = u8::try_from(index).expect("few");
        let info = LinkInfo {
            index,
            name: name.into(),
            alternative_names: Vec::new(),
            hardware: 1,
            up: true,
            carrier: true,
            arp: true,
            operational: 6,
            lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, octet]),
            broadcast: LinkAddr::ethernet([0xff; 6]),
            mtu: 1500,
            master: None,
            created_as: None,
            port_of: None,
            vrf_table: None,
        };
        self.links.push(MachineLink { info, kind: Some(LinkKind::Ethernet) });
        self
    }

    /// With an interface changed.
    pub(super) fn change(mut self, name: &str, change: impl FnOnce(&mut MachineLink)) -> Self {
        change(self.links.iter_mut().find(|link| link.info.name == name).expect("it is there"));
        self
    }

    /// With an address instead of the interface's others.
    pub(super) fn with_address(mut self, name: &str, text: &str) -> Self {
        let interface = self.index(name);
        self.addresses.retain(|info| info.interface != interface);
        self.addresses.push(AddressInfo { interface, network: network(text) });
        self
    }

    fn push(mut self, text: &str, by: Option<&str>, change: impl FnOnce(&mut AnyRoute)) -> Self {
        let mut route = AnyRoute {
            destination: network(text),
            table: 254,
            protocol: 3,
            scope: 253,
            kind: 1,
            metric: 0,
            interfaces: by.map(|name| self.index(name)).into_iter().collect(),
            gateway: None,
            source: None,
        };
        change(&mut route);
        self.routes.push(route);
        self
    }

    /// With a route in table main.
    pub(super) fn with_route(self, text: &str, by: &str) -> Self {
        self.push(text, Some(by), |_| {})
    }

    /// With a route in another table.
    pub(super) fn with_route_in(self, table: u32, text: &str, by: &str) -> Self {
        self.push(text, Some(by), |route| route.table = table)
    }

    /// With an unreachable route.
    pub(super) fn with_refusal(self, text: &str) -> Self {
        self.push(text, None, |route| route.kind = 7)
    }

    /// With the route that the kernel adds for an address.
    pub(super) fn with_connected(self, text: &str, by: &str) -> Self {
        self.push(text, Some(by), |route| route.protocol = 2)
    }

    /// With a route to a single address.
    pub(super) fn with_host_route(self, address: &str, by: &str, protocol: u8, metric: u32) -> Self {
        self.push(&format!("{address}/32"), Some(by), |route| {
            route.protocol = protocol;
            route.metric = metric;
        })
    }

    /// With `count` neighbour entries.
    pub(super) fn with_neighbours(mut self, count: u32, learned_elsewhere: bool) -> Self {
        self.neighbours.extend((0..count).map(|number| NeighbourInfo {
            interface: 2,
            address: number.into(),
            lladdr: LinkAddr::UNKNOWN,
            state: 4,
            learned_elsewhere,
        }));
        self
    }
}
