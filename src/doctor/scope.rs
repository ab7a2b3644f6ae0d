//! What doctor checks the machine against: a configuration, a running daemon, or a list of interfaces.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use arpherd_actors::io::netlink::{AddressInfo, LinkInfo, find_link};
use arpherd_actors::io::process::Rights;
use arpherd_core::plan::{
    AnswerMode, DhcpPlan, DhcpRole, DomainId, FabricPlan, HaPlan, PrivateVlan, RoutePlan, SegmentPlan,
};
use arpherd_core::subnet::{given_by, intersection, widest};
use arpherd_core::view::{Destination, HostView, RoleView, RouteView, SegmentView};
use ipnetwork::Ipv4Network;

use crate::config::NetnsPlan;

/// The segments of one network namespace, with the daemon's state there.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// The name of the namespace; `None`: the one doctor was started in.
    pub(crate) netns: Option<String>,
    /// The segments.
    pub(crate) segments: Vec<CheckedSegment>,
    /// Protocol, table and metric of the daemon's routes.
    pub(crate) routes: RoutePlan,
    /// The daemon's state.
    pub(crate) daemon: DaemonState,
}

/// A segment to check.
#[derive(Debug, Clone)]
pub(crate) struct CheckedSegment {
    /// Its plan.
    pub(crate) plan: SegmentPlan,
    /// The name of its domain.
    pub(crate) domain: String,
    /// Who sets the sysctls of its interface.
    pub(crate) sysctl_owner: SysctlOwner,
    /// The domain's prefixes are those of its interfaces' addresses.
    pub(crate) follows_addresses: bool,
    /// What is done with the domain's DHCP messages; `None`: nothing, or that is not known.
    pub(crate) dhcp: Option<DhcpPlan>,
    /// Whose routes lead to hosts behind other gateways; `None`: nobody's, or that is not known.
    pub(crate) fabric: Option<FabricPlan>,
    /// This machine is one of two gateways of the domain; `None`: the only one, or that is not known.
    pub(crate) ha: Option<HaPlan>,
}

/// Who sets the sysctls of a segment's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SysctlOwner {
    /// The daemon, from its start (`sysctl: manage`).
    Daemon,
    /// The administrator (`sysctl: leave`).
    Administrator,
    /// Not known, without a configuration.
    Unknown,
}

/// The state of the daemon.
#[derive(Debug, Clone)]
pub(crate) enum DaemonState {
    /// No daemon listens on the socket, with the reason.
    Absent(String),
    /// A process listens on the socket but cannot be queried, with the reason.
    Unreachable(String),
    /// It runs and responded to all queries.
    Running(Box<RunningDaemon>),
}

/// The responses of a running daemon.
#[derive(Debug, Clone)]
pub(crate) struct RunningDaemon {
    /// Its process id and capabilities, if they can be read.
    pub(crate) process: Option<(u32, Rights)>,
    /// Whether its access to files is restricted, by its own word; none from a daemon of another version.
    pub(crate) files: Option<String>,
    /// Its segments.
    pub(crate) segments: Vec<SegmentView>,
    /// The hosts it knows on its segments.
    pub(crate) hosts: Vec<HostView>,
    /// Addresses of hosts behind other gateways.
    pub(crate) remote: BTreeSet<Ipv4Addr>,
    /// The routes that it wanted both before and after the kernel's were read.
    pub(crate) routes: Vec<RouteView>,
    /// What it is to domains that have two gateways.
    pub(crate) roles: Vec<RoleView>,
    /// How often each event happened, by its name; empty if it does not count them.
    pub(crate) events: BTreeMap<String, u64>,
    /// By the name of an event whose hint depends on what happened: segments and what was said to be done there.
    pub(crate) hints: BTreeMap<String, BTreeSet<(String, String)>>,
}

impl RunningDaemon {
    /// The part that concerns one network namespace.
    fn within(&self, netns: Option<&str>) -> Self {
        let mut part = self.clone();
        part.segments.retain(|segment| segment.netns.as_deref() == netns);
        part.hosts.retain(|host| host.netns.as_deref() == netns);
        part.routes.retain(|route| route.netns.as_deref() == netns);
        part.roles.retain(|role| role.netns.as_deref() == netns);
        part
    }
}

impl DaemonState {
    fn within(&self, netns: Option<&str>) -> Self {
        match self {
            Self::Running(running) => Self::Running(Box::new(running.within(netns))),
            other => other.clone(),
        }
    }
}

impl CheckedSegment {
    /// What is done with DHCP messages here, if anything.
    pub(crate) fn dhcp(&self) -> Option<&DhcpPlan> {
        self.dhcp.as_ref().filter(|_| self.plan.dhcp.role != DhcpRole::Off)
    }

    /// The interface it is reached through.
    pub(crate) fn interface(&self) -> &str {
        &self.plan.interface
    }

    /// Whether arpherd, or the kernel on its behalf, answers for other hosts here.
    pub(crate) fn is_answered(&self) -> bool {
        self.plan.answer != AnswerMode::Off
            || self.plan.private_vlan.is_on()
            || !self.plan.addresses.publish.is_empty()
    }
}

impl Scope {
    /// One network namespace of a configuration.
    pub(crate) fn of_part(part: &NetnsPlan, daemon: &DaemonState) -> Self {
        let domain = |id: DomainId| part.plan.domains.get(usize::from(id.0));
        let segment = |(plan, manage): (&SegmentPlan, &bool)| CheckedSegment {
            domain: domain(plan.domain).map(|domain| domain.name.clone()).unwrap_or_default(),
            plan: plan.clone(),
            sysctl_owner: if *manage { SysctlOwner::Daemon } else { SysctlOwner::Administrator },
            follows_addresses: domain(plan.domain).is_some_and(|it| it.auto),
            dhcp: domain(plan.domain).and_then(|it| it.dhcp.clone()),
            fabric: domain(plan.domain).and_then(|it| it.fabric.clone()),
            ha: domain(plan.domain).and_then(|it| it.ha),
        };
        let segments = part.plan.segments.iter().zip(&part.manage).map(segment).collect();
        let daemon = daemon.within(part.netns.as_deref());
        Self { netns: part.netns.clone(), segments, routes: part.plan.routes, daemon }
    }

    /// One domain over these interfaces, as `arpherd join` makes it: without prefixes they are those of the addresses.
    pub(crate) fn of_interfaces(names: &[String], prefixes: &[Ipv4Network], daemon: &DaemonState) -> Self {
        let segment = |name: &String| CheckedSegment {
            plan: default_plan(name, name, prefixes),
            domain: "join".to_owned(),
            sysctl_owner: SysctlOwner::Unknown,
            follows_addresses: prefixes.is_empty(),
            dhcp: None,
            fabric: None,
            ha: None,
        };
        let daemon = daemon.within(None);
        Self {
            netns: None,
            segments: names.iter().map(segment).collect(),
            routes: RoutePlan::default(),
            daemon,
        }
    }

    /// What a running daemon serves: one scope for each network namespace.
    pub(crate) fn all_of_running(running: &RunningDaemon) -> Vec<Self> {
        let names: BTreeSet<_> = running.segments.iter().map(|segment| segment.netns.as_deref()).collect();
        names.into_iter().map(|netns| Self::of_running(running.within(netns), netns)).collect()
    }

    /// The prefixes are those that the daemon shows, or of one that shows none those of the covering routes.
    fn of_running(running: RunningDaemon, netns: Option<&str>) -> Self {
        let covers: Vec<Ipv4Network> = running.routes.iter().filter_map(prefix_of).collect();
        let host = running.routes.iter().find(|route| prefix_of(route).is_none());
        let routes = running.routes.first().map_or_else(RoutePlan::default, |any| RoutePlan {
            protocol: any.protocol,
            table: host.unwrap_or(any).table,
            metric: host.map_or(RoutePlan::default().metric, |route| route.metric),
            // Covering routes stand in it.
            fabric_table: host.is_some_and(|route| route.table != any.table).then_some(any.table),
        });
        let segment = |view: &SegmentView| {
            let prefixes = if view.subnet.prefixes.is_empty() { &covers } else { &view.subnet.prefixes };
            let mut plan = default_plan(&view.segment, &view.interface, prefixes);
            plan.answer = answer_of(&view.answering.answer);
            plan.kernel.fast = view.measured.fast_answers.is_some();
            plan.addresses.publish.clone_from(&view.subnet.publish);
            plan.private_vlan =
                if view.answering.private_vlan == "off" { PrivateVlan::Off } else { PrivateVlan::Open };
            CheckedSegment {
                plan,
                domain: view.domain.to_string(),
                sysctl_owner: SysctlOwner::Unknown,
                follows_addresses: false,
                dhcp: None,
                fabric: None,
                ha: None,
            }
        };
        let segments = running.segments.iter().map(segment).collect();
        Self {
            netns: netns.map(str::to_owned),
            segments,
            routes,
            daemon: DaemonState::Running(Box::new(running)),
        }
    }

    /// Fills in the prefixes of domains that follow their interfaces' addresses.
    pub(crate) fn follow_addresses(&mut self, links: &[LinkInfo], addresses: &[AddressInfo]) {
        let given = |segment: &CheckedSegment| {
            let link = find_link(links.iter(), segment.interface());
            let on_link = addresses.iter().filter(|it| link.is_some_and(|link| it.interface == link.index));
            let networks: Vec<_> = on_link.map(|it| it.network).collect();
            given_by(&networks, &segment.plan.addresses.never)
        };
        let mut by_domain: BTreeMap<String, Vec<Ipv4Network>> = BTreeMap::new();
        for segment in self.segments.iter().filter(|segment| segment.follows_addresses) {
            by_domain.entry(segment.domain.clone()).or_default().extend(given(segment));
        }
        for segment in self.segments.iter_mut().filter(|segment| segment.follows_addresses) {
            let all = widest(by_domain.get(&segment.domain).into_iter().flatten().copied());
            let own = &mut segment.plan.addresses.prefixes;
            *own = if own.is_empty() { all } else { intersection(own, &all) };
        }
    }

    /// Calls each interface by its own name where it was configured by an alternative one.
    pub(crate) fn use_kernel_names(&mut self, links: &[LinkInfo]) {
        for segment in &mut self.segments {
            if let Some(link) = find_link(links.iter(), &segment.plan.interface) {
                segment.plan.interface.clone_from(&link.name);
            }
        }
    }

    /// Whether some domain has DHCP, as far as is known.
    pub(crate) fn has_dhcp(&self) -> bool {
        self.segments.iter().any(|segment| segment.dhcp.is_some())
    }

    /// Whose routes lead to hosts behind other gateways, as far as is known.
    pub(crate) fn fabric_protocols(&self) -> BTreeSet<u8> {
        let plans = self.segments.iter().filter_map(|segment| segment.fabric.as_ref());
        plans.flat_map(|plan| plan.protocols.iter().copied()).collect()
    }

    /// Whether some domain has other gateways, as far as is known.
    pub(crate) fn has_fabric(&self) -> bool {
        let is_known = |running: &RunningDaemon| !running.remote.is_empty();
        !self.fabric_protocols().is_empty()
            || matches!(&self.daemon, DaemonState::Running(running) if is_known(running))
    }

    /// Whether a route of somebody else stands for a host behind another gateway.
    pub(crate) fn is_remote(&self, protocol: u8, address: Ipv4Addr) -> bool {
        let is_known = |running: &RunningDaemon| running.remote.contains(&address);
        self.fabric_protocols().contains(&protocol)
            || matches!(&self.daemon, DaemonState::Running(running) if is_known(running))
    }

    /// The segments of each domain.
    pub(crate) fn domains(&self) -> BTreeMap<&str, Vec<&CheckedSegment>> {
        let mut domains: BTreeMap<&str, Vec<&CheckedSegment>> = BTreeMap::new();
        for segment in &self.segments {
            domains.entry(&segment.domain).or_default().push(segment);
        }
        domains
    }

    /// All prefixes of the segments, each once.
    pub(crate) fn prefixes(&self) -> Vec<Ipv4Network> {
        let mut all: Vec<_> =
            self.segments.iter().flat_map(|segment| &segment.plan.addresses.prefixes).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether the address is in a prefix of a segment.
    pub(crate) fn concerns(&self, address: Ipv4Addr) -> bool {
        self.segments
            .iter()
            .any(|segment| segment.plan.addresses.prefixes.iter().any(|prefix| prefix.contains(address)))
    }
}

fn prefix_of(route: &RouteView) -> Option<Ipv4Network> {
    match route.address {
        Destination::Prefix(prefix) => Some(prefix),
        Destination::Host(_) => None,
    }
}

fn answer_of(keyword: &str) -> AnswerMode {
    let all = [AnswerMode::Routed, AnswerMode::Kernel, AnswerMode::Off];
    all.into_iter().find(|answer| answer.as_str() == keyword).unwrap_or(AnswerMode::Live)
}

/// A segment with default values, of which only name, interface and prefixes are known.
fn default_plan(name: &str, interface: &str, prefixes: &[Ipv4Network]) -> SegmentPlan {
    let plan = SegmentPlan::new(name, DomainId(0), prefixes);
    SegmentPlan { interface: interface.to_owned(), sweep: None, ..plan }
}
