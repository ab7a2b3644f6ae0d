//! Whether the kernel uses the daemon's routes: rules, tables, and connected networks that conflict with the plan.

use std::collections::{BTreeMap, BTreeSet};

use arpherd_actors::io::netlink::{AnyRoute, PolicyRule};
use ipnetwork::Ipv4Network;

use super::finding::{Finding, Severity};
use super::machine::Machine;
use super::scope::{CheckedSegment, Scope};

/// `RTPROT_KERNEL`: added by the kernel for an address.
const KERNEL: u8 = 2;
/// `RT_TABLE_MAIN`
const MAIN: u32 = 254;

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let vrfs = vrfs(scope, machine);
    let mut findings = match &machine.rules {
        // A VRF's table is looked up by the one rule for all VRFs.
        Ok(rules) if !vrfs.is_empty() && rules.iter().any(|rule| rule.of_vrf) => Vec::new(),
        Ok(rules) => rules_of(scope, machine, rules),
        Err(reason) => without_rules(scope, reason),
    };
    findings.extend(vrfs.iter().filter_map(|vrf| vrf_of(scope, vrf)));
    findings.extend(connected(scope, machine));
    findings
}

/// An interface of a segment in a VRF, and the VRF's table.
struct Vrf<'a> {
    interface: &'a str,
    name: &'a str,
    table: u32,
}

fn vrfs<'a>(scope: &'a Scope, machine: &'a Machine) -> Vec<Vrf<'a>> {
    let vrf = |segment: &'a CheckedSegment| {
        let master = machine.link(segment.interface())?.info.master?;
        let master = &machine.links.iter().find(|link| link.info.index == master)?.info;
        Some(Vrf { interface: segment.interface(), name: &master.name, table: master.vrf_table? })
    };
    scope.segments.iter().filter_map(vrf).collect()
}

/// A VRF that does not use the daemon's table.
fn vrf_of(scope: &Scope, vrf: &Vrf<'_>) -> Option<Finding> {
    let (ours, table) = (scope.routes.table, vrf.table);
    if ours == table {
        return None;
    }
    let found = format!("it is in the VRF {}, which uses table {table}; routes.table is {ours}", vrf.name);
    let why = "packets from this interface never use the daemon's routes";
    Some(Finding::error(vrf.interface, found).why(why).fix(format!("routes.table: {table}")))
}

fn without_rules(scope: &Scope, reason: &str) -> Vec<Finding> {
    let finding = Finding::info("rules", format!("the routing rules cannot be read: {reason}"));
    if scope.routes.table == MAIN {
        return vec![
            finding.why("without rules the kernel uses table main alone, which is the configured one"),
        ];
    }
    let why = "a kernel without rules (CONFIG_IP_MULTIPLE_TABLES) uses table main alone";
    vec![finding.with_severity(Severity::Error).why(why).fix("routes.table: main")]
}

fn rules_of(scope: &Scope, machine: &Machine, rules: &[PolicyRule]) -> Vec<Finding> {
    let table = scope.routes.table;
    let uses_table = |rule: &&PolicyRule| rule.table == Some(table);
    let Some(first) = rules.iter().find(uses_table) else {
        let finding = Finding::error(
            format!("table {table}"),
            format!("no rule looks up table {table} (routes.table)"),
        )
        .why("the daemon writes its routes there, and they are never used")
        .fix(format!("ip rule add lookup {table} priority 32000, or routes.table: main"));
        return vec![finding];
    };
    let mut findings = Vec::new();
    if !rules.iter().filter(uses_table).any(|rule| rule.for_all) {
        findings.push(
            Finding::warning(
                format!("table {table}"),
                format!("only rules with conditions look up table {table}"),
            )
            .why("packets that do not match the conditions do not use the daemon's routes")
            .fix(format!("ip rule show; to include all packets: ip rule add lookup {table} priority 32000")),
        );
    }
    let earlier = rules.iter().filter(|rule| rule.priority < first.priority);
    findings.extend(earlier.filter_map(|rule| preceding(scope, machine, rule)));
    findings
}

/// A rule with precedence over the daemon's table whose own table has a route to the prefixes.
fn preceding(scope: &Scope, machine: &Machine, rule: &PolicyRule) -> Option<Finding> {
    let other = rule.table?;
    let prefixes = scope.prefixes();
    let overlaps = |route: &&AnyRoute| {
        route.table == other
            && prefixes.iter().any(|prefix| route.destination.overlaps(*prefix))
            // Routes of own addresses and broadcasts do not forward packets.
            && (route.is_unicast() || route.is_refusal())
    };
    let route = machine.routes.iter().find(overlaps)?;
    let (priority, destination) = (rule.priority, route.destination);
    let which = if rule.for_all { "all packets" } else { "some packets" };
    let severity = if rule.for_all { Severity::Error } else { Severity::Warning };
    let found =
        format!("rule {priority} sends {which} to table {other} first, which has a route to {destination}");
    let finding = Finding::info(format!("table {other}"), found)
        .with_severity(severity)
        .why("packets that match a route there do not use the daemon's routes")
        .fix(format!(
            "give the daemon's table precedence: ip rule add lookup {} priority {}; or set routes.table: \
                {other}",
            scope.routes.table,
            priority.saturating_sub(1)
        ));
    Some(finding)
}

/// Interfaces that are directly connected to a network of the plan.
fn connected(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let members: BTreeSet<&str> = scope.segments.iter().map(CheckedSegment::interface).collect();
    let prefixes = scope.prefixes();
    let mut networks: BTreeMap<Ipv4Network, BTreeSet<&str>> = BTreeMap::new();
    for route in &machine.routes {
        let is_connected = route.protocol == KERNEL && route.is_unicast() && route.gateway.is_none();
        let concerns = prefixes.iter().any(|prefix| prefix.overlaps(route.destination));
        if is_connected && concerns && route.destination.prefix() < 32 {
            let names = route.interfaces.iter().map(|index| machine.name_of(*index));
            networks.entry(route.destination).or_default().extend(names);
        }
    }
    let mut findings = Vec::new();
    for (network, names) in &networks {
        let others: Vec<_> = names.difference(&members).copied().collect();
        if !others.is_empty() {
            findings.push(not_a_segment(*network, &others));
        } else if names.len() > 1 {
            findings.push(shared(*network, &names.iter().copied().collect::<Vec<_>>()));
        }
    }
    findings
}

fn not_a_segment(network: Ipv4Network, names: &[&str]) -> Finding {
    let by = names.join(", ");
    Finding::warning(by.clone(), format!("{network} is connected to {by}, which is no segment of the domain"))
        .why(
            "the kernel resolves unlearned addresses of the prefix there, and its hosts are not connected with \
                the others",
        )
        .fix(format!(
            "configure {by} as a segment, or remove its address of that network: ip addr show dev {}",
            names[0]
        ))
}

fn shared(network: Ipv4Network, names: &[&str]) -> Finding {
    let last = names.last().copied().unwrap_or_default();
    Finding::warning(
        names.join(", "),
        format!("{network} is connected to {} at the same time", names.join(" and ")),
    )
    .why(
        "the kernel resolves unlearned addresses on the first of them only; hosts with a /32 route are not \
            affected",
    )
    .fix(format!(
        "configure the address as a /32, or without a route to its network: ip addr change ADDRESS/{} dev {last} \
            noprefixroute",
        network.prefix()
    ))
}

#[cfg(test)]
mod tests {
    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, scope};
    use super::*;

    fn rule(priority: u32, table: u32, for_all: bool) -> PolicyRule {
        PolicyRule { priority, table: Some(table), of_vrf: false, for_all }
    }

    fn checked(scope: &Scope, machine: &Machine) -> Vec<Severity> {
        check(scope, machine).iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn a_table_without_a_rule_is_an_error() {
        let mut scope = scope(SysctlOwner::Daemon);
        assert_eq!(checked(&scope, &machine()), []);
        scope.routes.table = 300;
        assert_eq!(checked(&scope, &machine()), [Severity::Error]);
        let mut some = machine();
        some.rules = Ok(vec![rule(0, 255, true), rule(100, 300, false), rule(32766, 254, true)]);
        assert_eq!(checked(&scope, &some), [Severity::Warning]);
    }

    #[test]
    fn a_table_with_precedence_takes_the_packets() {
        let scope = scope(SysctlOwner::Daemon);
        let mut machine = machine().with_route_in(200, "0.0.0.0/0", "eth1");
        for (for_all, severity) in [(true, Severity::Error), (false, Severity::Warning)] {
            machine.rules = Ok(vec![rule(0, 255, true), rule(100, 200, for_all), rule(32766, 254, true)]);
            assert_eq!(checked(&scope, &machine), [severity]);
        }
        machine.rules = Ok(vec![rule(0, 255, true), rule(32766, 254, true), rule(40000, 200, true)]);
        assert_eq!(checked(&scope, &machine), []);
    }

    #[test]
    fn a_segment_in_a_vrf_needs_the_table_of_the_vrf() {
        let mut scope = scope(SysctlOwner::Daemon);
        let machine = machine().with_link("red").change("red", |link| link.info.vrf_table = Some(77));
        let vrf = machine.link("red").map(|link| link.info.index);
        let mut machine = machine.change("eth0", |link| link.info.master = vrf);
        assert_eq!(checked(&scope, &machine), [Severity::Error]);
        scope.routes.table = 77;
        assert_eq!(
            checked(&scope, &machine),
            [Severity::Error],
            "no rule for VRFs, so the table is not used"
        );
        let of_vrf = PolicyRule { priority: 1000, table: None, of_vrf: true, for_all: false };
        machine.rules = Ok(vec![rule(0, 255, true), of_vrf, rule(32766, 254, true)]);
        assert_eq!(checked(&scope, &machine), []);
    }

    #[test]
    fn a_kernel_without_rules_has_one_table() {
        let mut scope = scope(SysctlOwner::Daemon);
        let mut machine = machine();
        machine.rules = Err("not supported".into());
        assert_eq!(checked(&scope, &machine), [Severity::Info]);
        scope.routes.table = 300;
        assert_eq!(checked(&scope, &machine), [Severity::Error]);
    }

    #[test]
    fn a_network_connected_to_two_interfaces_or_to_another_one_is_a_warning() {
        let scope = scope(SysctlOwner::Daemon);
        let once = machine().with_connected("10.9.0.0/24", "eth0").with_connected("10.8.0.0/24", "docker0");
        assert_eq!(checked(&scope, &once), []);
        let twice = once.clone().with_connected("10.9.0.0/24", "eth1");
        assert_eq!(checked(&scope, &twice), [Severity::Warning]);
        let other = once.with_link("docker0").with_connected("10.9.0.128/25", "docker0");
        assert!(check(&scope, &other)[0].found.contains("no segment of the domain"));
    }
}
