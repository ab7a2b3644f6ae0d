//! Host routes: those the daemon wants, those that are there, and those of others.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_actors::io::netlink::AnyRoute;

use super::finding::Finding;
use super::machine::Machine;
use super::scope::{DaemonState, Scope};
use super::{other_daemons, wanted};

/// `RTPROT_KERNEL`: the kernel's own, for an address.
const KERNEL: u8 = 2;
/// `RTPROT_BOOT`: of a program that does not say who it is.
const BOOT: u8 = 3;
/// `RT_TABLE_LOCAL`, with the machine's own addresses.
const LOCAL: u32 = 255;
/// Addresses named in one finding at the most.
const NAMED: usize = 5;

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &scope.daemon {
        DaemonState::Running(running) => findings.extend(wanted::check(scope, machine, running)),
        DaemonState::Absent(_) => match other_daemons::elsewhere(scope, machine) {
            Some(finding) => findings.push(finding),
            None => findings.extend(leftovers(scope, machine)),
        },
        // That it could not be asked is another check's to say.
        DaemonState::Unreachable(_) => {}
    }
    findings.extend(foreign(scope, machine));
    findings.extend(other_daemons::others(scope, machine));
    findings
}

/// Our routes while no daemon runs.
fn leftovers(scope: &Scope, machine: &Machine) -> Option<Finding> {
    let ours =
        |route: &&AnyRoute| route.protocol == scope.routes.protocol && route.table == scope.routes.table;
    let left: Vec<_> =
        machine.routes.iter().filter(ours).filter(|route| route.destination.prefix() == 32).collect();
    if left.is_empty() {
        return None;
    }
    let addresses: Vec<_> = left.iter().map(|route| route.destination.ip()).collect();
    let (protocol, table) = (scope.routes.protocol, scope.routes.table);
    let found = format!("{} routes of protocol {protocol} and no daemon: {}", left.len(), some(&addresses));
    let finding = Finding::warning("routes", found)
        .why(
            "they are left from a crash, or from an end with on_exit: keep; nobody withdraws them when \
                their hosts move or die",
        )
        .fix(format!(
            "start arpherd, which takes them over; or take them away: ip route flush table {table} proto \
                {protocol}"
        ));
    Some(finding)
}

/// Host routes of others to addresses of the prefixes, by who seems to have made them.
fn foreign(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let mut groups: BTreeMap<(u8, u32, u32, String), Vec<Ipv4Addr>> = BTreeMap::new();
    let others = machine.routes.iter().filter(|route| {
        route.destination.prefix() == 32
            && ![scope.routes.protocol, KERNEL].contains(&route.protocol)
            && route.table != LOCAL
            && scope.concerns(route.destination.ip())
    });
    for route in others {
        let by = route.interfaces.iter().map(|index| machine.name_of(*index)).collect::<Vec<_>>().join(",");
        groups
            .entry((route.protocol, route.metric, route.table, by))
            .or_default()
            .push(route.destination.ip());
    }
    let finding = |((protocol, metric, table, by), addresses): (_, Vec<Ipv4Addr>)| {
        let found = format!(
            "{} host routes of protocol {protocol}, metric {metric}, table {table}, by {by}: {}",
            addresses.len(),
            some(&addresses)
        );
        let example = addresses.first().map(ToString::to_string).unwrap_or_default();
        Finding::warning(by, found)
            .why(format!(
                "two daemons that route the same hosts contradict each other when a host moves or dies; {}",
                maker(protocol, metric)
            ))
            .fix(format!(
                "stop whoever makes them, then: ip route del {example} proto {protocol} metric {metric} \
                    table {table} (each of them)"
            ))
    };
    groups.into_iter().map(finding).collect()
}

/// Who makes routes like these.
fn maker(protocol: u8, metric: u32) -> &'static str {
    match (protocol, metric) {
        (BOOT, 50) => "parprouted makes routes like these",
        (BOOT, _) => "fillarpd and relayd make routes like these, and so does ip-route(8) by hand",
        (4, _) => "they bear the mark of an administrator (static)",
        (16, _) => "they bear the mark of DHCP",
        (158, _) => "l3roamd makes routes like these",
        _ => "/etc/iproute2/rt_protos may have the name of their protocol",
    }
}

/// The first of them, and how many more there are.
pub(super) fn some(addresses: &[Ipv4Addr]) -> String {
    let named: Vec<_> = addresses.iter().take(NAMED).map(ToString::to_string).collect();
    match addresses.len().checked_sub(NAMED) {
        Some(more) if more > 0 => format!("{} and {more} more", named.join(", ")),
        _ => named.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, scope};
    use super::*;

    fn checked(scope: &Scope, machine: &Machine) -> Vec<(Severity, String)> {
        check(scope, machine).into_iter().map(|finding| (finding.severity, finding.subject)).collect()
    }

    #[test]
    fn routes_of_a_daemon_that_is_gone_are_leftovers() {
        let machine = machine().with_host_route("10.9.0.10", "eth0", 169, 50);
        assert_eq!(
            checked(&scope(SysctlOwner::Daemon), &machine),
            [(Severity::Warning, "routes".to_owned())]
        );
        let finding = check(&scope(SysctlOwner::Daemon), &machine).remove(0);
        assert!(finding.fix.ends_with("ip route flush table 254 proto 169"), "{}", finding.fix);
    }

    #[test]
    fn routes_of_other_daemons_are_named_after_their_makers() {
        let machine = machine()
            .with_host_route("10.9.0.10", "eth0", 3, 0)
            .with_host_route("10.9.0.11", "eth0", 3, 0)
            .with_host_route("10.9.0.20", "eth1", 3, 50)
            .with_host_route("10.9.0.1", "eth0", 2, 0)
            .with_host_route("192.0.2.7", "eth0", 3, 0);
        let findings = check(&scope(SysctlOwner::Daemon), &machine);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].found.contains("10.9.0.10, 10.9.0.11") && findings[0].why.contains("fillarpd"));
        assert!(findings[1].found.contains("10.9.0.20") && findings[1].why.contains("parprouted"));
    }
}
