//! Host routes: missing ones of the daemon, leftovers of a former run, and those of other programs.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_actors::io::netlink::AnyRoute;

use super::finding::{Finding, list_of};
use super::machine::Machine;
use super::scope::{DaemonState, Scope};
use super::{other_daemons, wanted};

/// `RTPROT_KERNEL`: added by the kernel for an address.
const KERNEL: u8 = 2;
/// `RTPROT_BOOT`: of a program that sets no protocol of its own.
const BOOT: u8 = 3;
/// `RT_TABLE_LOCAL`, with the machine's own addresses.
const LOCAL: u32 = 255;

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &scope.daemon {
        DaemonState::Running(running) => findings.extend(wanted::check(scope, machine, running)),
        DaemonState::Absent(_) => match other_daemons::on_another_socket(scope, machine) {
            Some(finding) => findings.push(finding),
            None => findings.extend(leftovers(scope, machine)),
        },
        // The check `daemon` reports that it cannot be queried.
        DaemonState::Unreachable(_) => {}
    }
    findings.extend(foreign(scope, machine));
    findings.extend(other_daemons::of_another_protocol(scope, machine));
    findings
}

/// The daemon's routes while it does not run.
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
    let found =
        format!("{} routes of protocol {protocol}, but no daemon runs: {}", left.len(), list_of(&addresses));
    let finding = Finding::warning("routes", found)
        .why(
            "they are left over from a crash or from on_exit: keep; they are not updated when hosts move or \
                disappear",
        )
        .fix(format!(
            "start arpherd, which adopts them; or remove them: ip route flush table {table} proto {protocol}"
        ));
    Some(finding)
}

/// Host routes of other programs to addresses of the prefixes, grouped by their likely origin.
fn foreign(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let mut groups: BTreeMap<(u8, u32, u32, String), Vec<Ipv4Addr>> = BTreeMap::new();
    let others = machine.routes.iter().filter(|route| {
        route.destination.prefix() == 32
            && ![scope.routes.protocol, KERNEL].contains(&route.protocol)
            && route.table != LOCAL
            && scope.concerns(route.destination.ip())
            && !scope.is_remote(route.protocol, route.destination.ip())
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
            "{} host routes of protocol {protocol}, metric {metric}, table {table}, dev {by}: {}",
            addresses.len(),
            list_of(&addresses)
        );
        let example = addresses.first().map(ToString::to_string).unwrap_or_default();
        Finding::warning(by, found)
            .why(format!(
                "two daemons that route the same hosts conflict when a host moves or disappears; {}",
                origin(protocol, metric)
            ))
            .fix(format!(
                "stop the program that adds them, then for each: ip route del {example} proto {protocol} metric \
                    {metric} table {table}"
            ))
    };
    groups.into_iter().map(finding).collect()
}

/// The programs that add such routes.
fn origin(protocol: u8, metric: u32) -> &'static str {
    match (protocol, metric) {
        (BOOT, 50) => "parprouted adds such routes",
        (BOOT, _) => "fillarpd, relayd and a manual ip-route(8) add such routes",
        (4, _) => "the protocol is static: an administrator added them",
        (16, _) => "the protocol is that of DHCP",
        (158, _) => "l3roamd adds such routes",
        _ => "/etc/iproute2/rt_protos may name the protocol",
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
    fn routes_without_a_daemon_are_leftovers() {
        let machine = machine().with_host_route("10.9.0.10", "eth0", 169, 50);
        assert_eq!(
            checked(&scope(SysctlOwner::Daemon), &machine),
            [(Severity::Warning, "routes".to_owned())]
        );
        let finding = check(&scope(SysctlOwner::Daemon), &machine).remove(0);
        assert!(finding.fix.ends_with("ip route flush table 254 proto 169"), "{}", finding.fix);
    }

    #[test]
    fn routes_of_other_daemons_are_reported_with_their_origin() {
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

    #[test]
    fn routes_of_a_daemon_on_another_socket_are_not_leftovers() {
        let mut machine = machine().with_host_route("10.9.0.10", "eth0", 169, 50);
        machine.served = Ok(vec![(169, "eth0".into()), (169, "eth7".into()), (170, "eth1".into())]);
        let findings = check(&scope(SysctlOwner::Daemon), &machine);
        let subjects: Vec<_> = findings.iter().map(|finding| finding.subject.as_str()).collect();
        assert_eq!(subjects, ["daemon", "eth1"]);
    }
}
