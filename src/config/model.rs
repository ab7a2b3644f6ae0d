//! The configuration as the rest of the program uses it: typed, complete, checked.
//!
//! Only [`super::load`] makes one, so no user of a [`Config`] needs to check it again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arpherd_core::plan::{
    Cover, DhcpPlan, DomainId, DomainLimits, DomainPlan, HaPlan, KernelAnswers, Plan, RoutePlan, SegmentPlan,
};
use ipnetwork::Ipv4Network;

use super::fabric::FabricConfig;
use super::gateway_lladdr::GatewayLladdr;
use super::group::UserGroup;
use super::http::HttpListen;

/// Default path of the control socket.
pub(crate) const CONTROL: &str = "/run/arpherd/control.sock";
/// The environment variable of `daemon.control`; client commands read it too.
pub(crate) const CONTROL_VARIABLE: &str = "ARPHERD_DAEMON__CONTROL";

/// The whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// The daemon process.
    pub(crate) daemon: DaemonConfig,
    /// Protocol, table and metric of the routes.
    pub(crate) routes: RoutePlan,
    /// The domains, sorted by name.
    pub(crate) domains: Vec<DomainConfig>,
}

/// Settings of the daemon process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DaemonConfig {
    /// The control socket's path, 1 to 107 bytes.
    pub(crate) control: PathBuf,
    /// What a clean exit does with routes, entries and kernel settings.
    pub(crate) on_exit: OnExit,
    /// Whether it gives up what it does not need.
    pub(crate) confine: Confine,
    /// Whether requests are answered inside the kernel, on segments that do not say it themselves.
    pub(crate) fast_answers: FastMode,
    /// Where metrics are served over HTTP.
    pub(crate) http: HttpListen,
    /// Whose members may read on the control socket.
    pub(crate) read_group: UserGroup,
    /// Whose members may command on it.
    pub(crate) admin_group: UserGroup,
}

impl Default for DaemonConfig {
    fn default() -> Self {
        Self {
            control: PathBuf::from(CONTROL),
            on_exit: OnExit::default(),
            confine: Confine::default(),
            fast_answers: FastMode::default(),
            http: HttpListen::default(),
            read_group: UserGroup::default(),
            admin_group: UserGroup::default(),
        }
    }
}

/// What a clean exit does with the daemon's routes, neighbour entries and kernel settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnExit {
    /// They are removed and restored.
    #[default]
    Purge,
    /// They stay for the next start.
    Keep,
}

/// Whether the daemon gives up capabilities and access to files that it does not need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Confine {
    /// It does when it starts.
    #[default]
    On,
    /// It keeps what it was started with.
    Off,
}

/// Whether requests between known hosts are answered inside the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FastMode {
    /// Where the kernel and the daemon's rights allow it.
    #[default]
    Auto,
    /// The daemon does not start where they do not.
    On,
    /// They are not.
    Off,
}

/// Who sets the kernel settings that a segment's interface needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SysctlPolicy {
    /// The daemon sets and restores them.
    #[default]
    Manage,
    /// The administrator does.
    Leave,
}

/// One IP subnet whose hosts are spread over several segments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DomainConfig {
    /// Name given by the operator.
    pub(crate) name: String,
    /// The prefixes that make it up, in the operator's order, none inside another.
    pub(crate) prefixes: Vec<Ipv4Network>,
    /// The prefixes follow the addresses of the interfaces instead; then there are none here.
    pub(crate) auto: bool,
    /// What becomes of packets for unknown hosts.
    pub(crate) cover: Cover,
    /// At which link-layer address its hosts find us.
    pub(crate) gateway_lladdr: GatewayLladdr,
    /// How much may be sent on all its segments together.
    pub(crate) limits: DomainLimits,
    /// What is done with its DHCP messages; `None`: nothing.
    pub(crate) dhcp: Option<DhcpPlan>,
    /// It has two gateways, of which this is one; `None`: it has one.
    pub(crate) ha: Option<HaPlan>,
    /// Whose routes lead to hosts behind other gateways.
    pub(crate) fabric: FabricConfig,
    /// Its links, sorted by name.
    pub(crate) segments: Vec<SegmentConfig>,
}

/// One link of a domain: the core's plan for it, and what the core need not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentConfig {
    /// The core's plan. Its `domain` is set by [`Config::netns_plans`].
    pub(crate) plan: SegmentPlan,
    /// The operator gave the segment prefixes of its own; otherwise they are the domain's.
    pub(crate) has_own_prefixes: bool,
    /// Who sets the kernel settings.
    pub(crate) sysctl: SysctlPolicy,
    /// Whether requests are answered inside the kernel; `None`: as the daemon's.
    pub(crate) fast_answers: Option<FastMode>,
    /// Name of the network namespace it is in; `None`: the daemon's own.
    pub(crate) netns: Option<String>,
}

/// The plan for one network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetnsPlan {
    /// The namespace's name; `None`: the daemon's own.
    pub(crate) netns: Option<String>,
    /// Its domains and segments.
    pub(crate) plan: Arc<Plan>,
    /// Whether the daemon manages the kernel settings of each segment; by segment.
    pub(crate) manage: Vec<bool>,
}

impl Config {
    /// A plan for each network namespace: the daemon's own first, then by name. Ids are indexes: domains in
    /// order, segments counted over all domains of the namespace.
    pub(crate) fn netns_plans(&self) -> Vec<NetnsPlan> {
        let plan = |(netns, domains): (Option<&str>, Vec<&DomainConfig>)| NetnsPlan {
            netns: netns.map(str::to_owned),
            plan: Arc::new(self.plan_of(&domains)),
            manage: segments_of(&domains).map(|segment| segment.sysctl == SysctlPolicy::Manage).collect(),
        };
        self.domains_by_netns().into_iter().map(plan).collect()
    }

    /// The domains of each network namespace; `None`: the daemon's own.
    pub(crate) fn domains_by_netns(&self) -> BTreeMap<Option<&str>, Vec<&DomainConfig>> {
        let mut by_netns: BTreeMap<Option<&str>, Vec<&DomainConfig>> = BTreeMap::new();
        for domain in &self.domains {
            by_netns.entry(domain.netns()).or_default().push(domain);
        }
        by_netns
    }

    fn plan_of(&self, domains: &[&DomainConfig]) -> Plan {
        let numbered = (0_u16..).map(DomainId).zip(domains);
        Plan {
            domains: domains.iter().map(|domain| domain.plan()).collect(),
            segments: numbered
                .flat_map(|(id, domain)| {
                    domain.segments.iter().map(move |segment| segment.plan_in(id, &self.daemon))
                })
                .collect(),
            routes: self.routes,
        }
    }

    /// All domains in one plan, for tests of a single namespace.
    #[cfg(test)]
    pub(crate) fn plan(&self) -> Plan {
        self.plan_of(&self.domains.iter().collect::<Vec<_>>())
    }

    /// Whether DHCP is relayed in a domain.
    pub(crate) fn relays_dhcp(&self) -> bool {
        self.domains.iter().filter_map(|domain| domain.dhcp.as_ref()).any(|dhcp| dhcp.is_relaying)
    }

    /// All segments, domain by domain.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &SegmentConfig> {
        self.domains.iter().flat_map(|domain| &domain.segments)
    }
}

fn segments_of<'d>(domains: &[&'d DomainConfig]) -> impl Iterator<Item = &'d SegmentConfig> {
    domains.iter().flat_map(|domain| &domain.segments)
}

impl DomainConfig {
    /// The network namespace that all its segments are in.
    pub(crate) fn netns(&self) -> Option<&str> {
        self.segments.first().and_then(|segment| segment.netns.as_deref())
    }

    fn plan(&self) -> DomainPlan {
        DomainPlan {
            name: self.name.clone(),
            prefixes: self.prefixes.clone(),
            auto: self.auto,
            cover: self.cover,
            gateway_lladdr: self.gateway_lladdr.of_domain(&self.name),
            limits: self.limits,
            dhcp: self.dhcp.clone(),
            ha: self.ha,
            fabric: self.fabric.plan(),
        }
    }
}

impl SegmentConfig {
    /// A segment with every key at its default, in a domain of these prefixes.
    pub(crate) fn new(name: &str, prefixes: &[Ipv4Network]) -> Self {
        Self {
            plan: SegmentPlan::new(name, DomainId(0), prefixes),
            has_own_prefixes: false,
            sysctl: SysctlPolicy::default(),
            fast_answers: None,
            netns: None,
        }
    }

    fn plan_in(&self, domain: DomainId, daemon: &DaemonConfig) -> SegmentPlan {
        let fast = self.fast_mode(daemon) != FastMode::Off;
        SegmentPlan { domain, kernel: KernelAnswers { fast, ..self.plan.kernel }, ..self.plan.clone() }
    }

    /// Whether requests are answered inside the kernel here.
    pub(crate) fn fast_mode(&self, daemon: &DaemonConfig) -> FastMode {
        self.fast_answers.unwrap_or(daemon.fast_answers)
    }
}
