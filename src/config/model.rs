//! The configuration as the rest of the program uses it: typed, complete, checked.
//!
//! Only [`super::load`] makes one, so whoever holds a [`Config`] need not check it again.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use arpherd_core::LinkAddr;
use arpherd_core::plan::{
    AnswerMode, COVER_METRIC, DomainId, DomainPlan, ExpiryPlan, KernelProxy, Limits, LinkKind, Plan,
    PrivateVlan, RoutePlan, SegmentPlan, SweepPlan,
};
use ipnetwork::Ipv4Network;

/// Where the control socket is when nobody says otherwise.
pub(crate) const CONTROL: &str = "/run/arpherd/control.sock";
/// The environment variable of `daemon.control`; client commands read it too.
pub(crate) const CONTROL_VARIABLE: &str = "ARPHERD_DAEMON__CONTROL";
/// Routing table `main`.
pub(crate) const MAIN_TABLE: u32 = 254;
/// The highest metric a host route may have; the covering route's lies above.
pub(crate) const HIGHEST_METRIC: u32 = COVER_METRIC - 1;

/// How routes are marked unless the operator says otherwise.
pub(crate) const ROUTES: RoutePlan = RoutePlan { protocol: 169, table: MAIN_TABLE, metric: 50 };
/// The pace of sweeps unless the operator says otherwise.
pub(crate) const SWEEP: SweepPlan =
    SweepPlan { interval: Duration::from_secs(60), rate: 500, in_flight: 256 };
/// When quiet hosts are asked unless the operator says otherwise.
pub(crate) const EXPIRY: ExpiryPlan = ExpiryPlan {
    quiet: Duration::from_secs(30),
    interval: Duration::from_secs(1),
    unicast: None,
    broadcast: 2,
};
/// How much may be learned on a segment unless the operator says otherwise.
pub(crate) const LIMITS: Limits = Limits { hosts: 65_536, hosts_per_lladdr: 64, new_per_second: 2_000 };

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// The process itself.
    pub(crate) daemon: Daemon,
    /// How routes are marked.
    pub(crate) routes: RoutePlan,
    /// The domains, sorted by name.
    pub(crate) domains: Vec<Domain>,
}

/// The process itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Daemon {
    /// The control socket's path.
    pub(crate) control: PathBuf,
    /// What a clean exit does with our routes.
    pub(crate) on_exit: OnExit,
}

/// What a clean exit does with our routes and neighbour entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnExit {
    /// They are removed.
    Purge,
    /// They stay for the next start.
    Keep,
}

/// Who looks after the kernel settings that a segment's interface needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sysctl {
    /// We set and restore them.
    Manage,
    /// The administrator does.
    Leave,
}

/// One IP subnet spread over segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Domain {
    /// The operator's name for it.
    pub(crate) name: String,
    /// The prefixes that make it up, in the operator's order, none inside another.
    pub(crate) prefixes: Vec<Ipv4Network>,
    /// Its links, sorted by name.
    pub(crate) segments: Vec<Segment>,
}

/// One link of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The operator's name for it.
    pub(crate) name: String,
    /// The interface it is reached through.
    pub(crate) interface: String,
    /// What the link is; `None`: what the interface is.
    pub(crate) kind: Option<LinkKind>,
    /// Preferred source of routes and sender of probes; `None`: the interface's first address in the domain.
    pub(crate) source: Option<Ipv4Addr>,
    /// What may be learned and routed here; `None`: the domain's prefixes.
    pub(crate) prefixes: Option<Vec<Ipv4Network>>,
    /// Who answers for whom here.
    pub(crate) answer: Answer,
    /// What makes the kernel answer, if it does.
    pub(crate) kernel: KernelProxy,
    /// Whether hosts of this very segment are answered for, too.
    pub(crate) private_vlan: PrivateVlan,
    /// Prefixes answered for whether or not a host is known.
    pub(crate) publish: Vec<Ipv4Network>,
    /// Prefixes never learned, routed or answered.
    pub(crate) never: Vec<Ipv4Network>,
    /// Hosts that live here whether or not they are heard.
    pub(crate) hosts: BTreeMap<Ipv4Addr, LinkAddr>,
    /// Addresses that only this link-layer address may hold, and only here.
    pub(crate) pins: BTreeMap<Ipv4Addr, LinkAddr>,
    /// The pace of sweeps; `None`: no sweeps.
    pub(crate) sweep: Option<SweepPlan>,
    /// When a quiet host is asked and given up.
    pub(crate) expiry: ExpiryPlan,
    /// How much may be learned here.
    pub(crate) limits: Limits,
    /// Who looks after the kernel settings.
    pub(crate) sysctl: Sysctl,
    /// The name of the network namespace it lies in; `None`: the daemon's own.
    pub(crate) netns: Option<String>,
}

/// What lies in one network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The namespace's name; `None`: the daemon's own.
    pub(crate) netns: Option<String>,
    /// Its domains and segments.
    pub(crate) plan: Plan,
    /// Whether each segment's kernel settings are ours to manage; by segment.
    pub(crate) manage: Vec<bool>,
}

impl Config {
    /// What the core is to look after, a plan for each network namespace: the daemon's own first, then by
    /// name. Ids are positions: domains in order, segments counted over all of them.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let mut spaces: BTreeMap<Option<&str>, Vec<&Domain>> = BTreeMap::new();
        for domain in &self.domains {
            spaces.entry(domain.netns()).or_default().push(domain);
        }
        let part = |(netns, domains): (Option<&str>, Vec<&Domain>)| Part {
            netns: netns.map(str::to_owned),
            plan: self.plan_of(&domains),
            manage: segments_of(&domains).map(|segment| segment.sysctl == Sysctl::Manage).collect(),
        };
        spaces.into_iter().map(part).collect()
    }

    fn plan_of(&self, domains: &[&Domain]) -> Plan {
        let numbered = (0_u16..).map(DomainId).zip(domains);
        Plan {
            domains: domains.iter().map(|domain| domain.plan()).collect(),
            segments: numbered
                .flat_map(|(id, domain)| domain.segments.iter().map(move |segment| segment.plan(id, domain)))
                .collect(),
            routes: self.routes,
        }
    }

    /// All domains in one plan, for tests of a single namespace.
    #[cfg(test)]
    pub(crate) fn plan(&self) -> Plan {
        self.plan_of(&self.domains.iter().collect::<Vec<_>>())
    }

    /// All segments, domain by domain.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.domains.iter().flat_map(|domain| &domain.segments)
    }
}

fn segments_of<'d>(domains: &[&'d Domain]) -> impl Iterator<Item = &'d Segment> {
    domains.iter().flat_map(|domain| &domain.segments)
}

impl Domain {
    /// The network namespace that all its segments lie in.
    pub(crate) fn netns(&self) -> Option<&str> {
        self.segments.first().and_then(|segment| segment.netns.as_deref())
    }

    fn plan(&self) -> DomainPlan {
        DomainPlan { name: self.name.clone(), prefixes: self.prefixes.clone() }
    }
}

impl Segment {
    /// What may be learned and routed here.
    pub(crate) fn prefixes_in<'d>(&'d self, domain: &'d Domain) -> &'d [Ipv4Network] {
        self.prefixes.as_deref().unwrap_or(&domain.prefixes)
    }

    fn plan(&self, id: DomainId, domain: &Domain) -> SegmentPlan {
        SegmentPlan {
            name: self.name.clone(),
            domain: id,
            interface: self.interface.clone(),
            kind: self.kind,
            source: self.source,
            prefixes: self.prefixes_in(domain).to_vec(),
            answer: self.answer,
            kernel: self.kernel,
            private_vlan: self.private_vlan.clone(),
            publish: self.publish.clone(),
            never: self.never.clone(),
            hosts: self.hosts.clone(),
            pins: self.pins.clone(),
            sweep: self.sweep,
            expiry: self.expiry,
            limits: self.limits,
        }
    }
}
