//! DHCP: what keeps clients from their leases, in domains that have it.
//!
//! ```text
//! holders   who has port 67 beside us         kea       how a Kea of this machine listens
//! firewall  filters for this machine          probe     asks the servers (--probe)
//! question  what they are asked                answers   what they answered
//! ```

mod answers;
mod firewall;
mod holders;
pub(super) mod kea;
pub(super) mod offers;
pub(super) mod probe;
mod question;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_core::plan::{DhcpPlan, LinkKind};

use super::finding::Finding;
use super::machine::Machine;
use super::scope::{CheckedSegment, DaemonState, Scope};
use kea::KeaConfig;

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let plans = plans(scope);
    if plans.is_empty() {
        return unknown(scope);
    }
    let listed: Vec<_> = plans.iter().map(|(domain, plan)| (*domain, *plan)).collect();
    let mut findings = holders::check(scope, machine, &listed);
    if plans.values().any(|plan| plan.is_relaying) {
        let links: Vec<_> = taking_part(scope).map(CheckedSegment::interface).collect();
        findings.extend(firewall::check(machine, &links));
    }
    findings.extend(kea_of(scope, machine, &plans));
    findings.extend(answers::check(scope, machine, &plans));
    findings
}

/// The domains with DHCP.
fn plans(scope: &Scope) -> BTreeMap<&str, &DhcpPlan> {
    let with_plan =
        scope.segments.iter().filter_map(|segment| Some((segment.domain.as_str(), segment.dhcp.as_ref()?)));
    with_plan.collect()
}

/// The segments where DHCP is relayed or read.
fn taking_part(scope: &Scope) -> impl Iterator<Item = &CheckedSegment> {
    scope.segments.iter().filter(|segment| segment.dhcp().is_some())
}

/// A running daemon does not say what its configuration has of DHCP.
fn unknown(scope: &Scope) -> Vec<Finding> {
    let is_asked = |segment: &CheckedSegment| segment.sysctl_owner == super::scope::SysctlOwner::Unknown;
    let is_only_running =
        matches!(scope.daemon, DaemonState::Running(_)) && scope.segments.iter().any(is_asked);
    let finding = || {
        Finding::info("DHCP", "whether some domain has dhcp is not known without the configuration")
            .fix("arpherd doctor --config FILE")
    };
    if is_only_running { vec![finding()] } else { Vec::new() }
}

/// A Kea of this machine that is to be asked has UDP sockets on an address of the domain.
fn kea_of(scope: &Scope, machine: &Machine, plans: &BTreeMap<&str, &DhcpPlan>) -> Vec<Finding> {
    let Some(state) = &machine.dhcp else { return Vec::new() };
    let asked: Vec<_> = plans
        .iter()
        .filter(|(_, plan)| plan.is_relaying && holders::asks_this_machine(machine, plan))
        .map(|(domain, _)| *domain)
        .collect();
    // The file of a Kea that does not run says nothing where another server does.
    let mut names = state.holders.iter().flatten().filter_map(|holder| holder.program.as_ref());
    let is_running = names.any(|program| program.name == kea::PROGRAM);
    match &state.kea {
        _ if asked.is_empty() || !is_running => Vec::new(),
        None => Vec::new(),
        Some(Err(reason)) => {
            let finding = Finding::info("Kea", format!("its configuration cannot be read: {reason}"));
            vec![finding.why("whether it listens where it is asked is not known")]
        }
        Some(Ok(config)) => {
            let mut findings: Vec<_> = raw_sockets(scope, config).into_iter().collect();
            findings.extend(asked.iter().filter_map(|domain| interfaces(scope, machine, config, domain)));
            findings
        }
    }
}

fn raw_sockets(scope: &Scope, config: &KeaConfig) -> Option<Finding> {
    let has_infiniband = taking_part(scope).any(|segment| segment.plan.kind == Some(LinkKind::Ipoib));
    let more = if has_infiniband { ", and do not know InfiniBand" } else { "" };
    (!config.has_udp_sockets).then(|| {
        Finding::error("Kea", format!("{} has it listen by raw sockets", config.file.display()))
            .why(format!(
                "they show what comes in on an interface's link, and not what the relay of the same machine sends{more}"
            ))
            .fix("\"interfaces-config\": { \"dhcp-socket-type\": \"udp\", … }, and restart Kea")
    })
}

/// Whether Kea listens at an address of the domain.
fn interfaces(scope: &Scope, machine: &Machine, config: &KeaConfig, domain: &str) -> Option<Finding> {
    let is_inside = |address: Ipv4Addr| {
        let of_domain = scope.segments.iter().filter(|segment| segment.domain == domain);
        of_domain.flat_map(|it| &it.plan.addresses.prefixes).any(|prefix| prefix.contains(address))
    };
    let candidates: Vec<(&str, Ipv4Addr)> = machine
        .addresses
        .iter()
        .map(|info| (machine.name_of(info.interface), info.network.ip()))
        .filter(|(_, address)| is_inside(*address))
        .collect();
    let listens = |(name, address): &(&str, Ipv4Addr)| {
        config.interfaces.iter().any(|listed| match listed.split_once('/') {
            Some((interface, at)) => interface == *name && at.parse() == Ok(*address),
            None => listed == "*" || listed == name,
        })
    };
    if candidates.iter().any(listens) {
        return None;
    }
    let listed = config.interfaces.join(", ");
    let found = format!(
        "{} has it listen on [{listed}], none of which has an address of {domain}",
        config.file.display()
    );
    let fix = candidates.first().map_or_else(
        || "give this machine an address of the domain, and name its interface in \"interfaces\"".to_owned(),
        |(name, address)| format!("\"interfaces\": [ \"{name}/{address}\" ], and restart Kea"),
    );
    let why = "what is relayed to it from this machine does not reach it";
    Some(Finding::error("Kea", found).why(why).fix(fix))
}

#[cfg(test)]
mod tests;
