//! Compares the routes that a running daemon wants with those that the kernel has.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use arpherd_actors::io::netlink::AnyRoute;
use arpherd_core::view::{Destination, RouteView};
use ipnetwork::Ipv4Network;

use super::finding::{Finding, list_of};
use super::machine::Machine;
use super::scope::{RunningDaemon, Scope};

/// Findings of one kind that are reported one by one; there may be thousands.
const REPORTED: usize = 5;

/// The kernel's routes by destination.
type RoutesByDestination<'m> = BTreeMap<Ipv4Network, Vec<&'m AnyRoute>>;

pub(super) fn check(scope: &Scope, machine: &Machine, running: &RunningDaemon) -> Vec<Finding> {
    let mut by_destination = RoutesByDestination::new();
    for route in &machine.routes {
        by_destination.entry(route.destination).or_default().push(route);
    }
    let (mut missing, mut refused, mut conflicting) = (Vec::new(), Vec::new(), Vec::new());
    for route in &running.routes {
        match &*route.state {
            "installed" | "cover" if !is_installed(machine, &by_destination, route) => {
                missing.push(missing_route(route));
            }
            "refused" => refused.push(refused_route(route)),
            "conflict" => conflicting.push(conflicting_route(route)),
            _ => {}
        }
    }
    let mut findings: Vec<_> = [missing, refused, conflicting].into_iter().flat_map(first).collect();
    findings.extend(routeless(scope, running));
    findings
}

/// The first findings of one kind, and how many more there are.
fn first(mut findings: Vec<Finding>) -> Vec<Finding> {
    let more = findings.len().saturating_sub(REPORTED);
    if more > 0 {
        let last = findings.get(REPORTED).map(|finding| (finding.severity, finding.found.clone()));
        findings.truncate(REPORTED);
        let rest = last.map(|(severity, found)| {
            Finding::info("routes", format!("{more} more findings like: {found}")).with_severity(severity)
        });
        findings.extend(rest);
    }
    findings
}

/// Whether the kernel has the route.
fn is_installed(machine: &Machine, by_destination: &RoutesByDestination<'_>, wanted: &RouteView) -> bool {
    let destination = match wanted.address {
        Destination::Host(address) => address.into(),
        Destination::Prefix(prefix) => prefix,
    };
    let leaves_by =
        |route: &AnyRoute, name: &str| route.interfaces.iter().any(|index| machine.name_of(*index) == name);
    let is_it = |route: &&&AnyRoute| {
        (route.table, route.metric) == (wanted.table, wanted.metric)
            && wanted.interface.as_ref().map_or(route.is_refusal(), |name| leaves_by(route, name))
    };
    by_destination.get(&destination).is_some_and(|routes| routes.iter().any(|route| is_it(&route)))
}

fn missing_route(route: &RouteView) -> Finding {
    let by = route.interface.as_ref().map_or(String::new(), |name| format!(" by {name}"));
    let found = format!("the daemon's route{by} is missing in table {}", route.table);
    let why = "packets to the address take another route, or none; the daemon restores deleted routes, so it is \
        about to do so, or it missed the deletion";
    let fix = format!(
        "to find who deletes it: ip monitor route; to restore it: ip route replace {}",
        written(route)
    );
    Finding::error(route.address.to_string(), found).why(why).fix(fix)
}

fn refused_route(route: &RouteView) -> Finding {
    let why = "the host is known but cannot be reached from the other segments; the log has the kernel's error \
        (route_refused)";
    Finding::error(route.address.to_string(), "the kernel refuses the daemon's route")
        .why(why)
        .fix(format!("to see the reason: ip route add {}", written(route)))
}

fn conflicting_route(route: &RouteView) -> Finding {
    let (table, address) = (route.table, route.address);
    let fix = format!(
        "ip route show table {table} | grep {address}; delete that route, or set routes.metric below its metric"
    );
    Finding::warning(address.to_string(), "a foreign route prevents that of the daemon")
        .why("the daemon never replaces a foreign route; packets follow it")
        .fix(fix)
}

/// The route in the syntax of ip-route(8).
fn written(route: &RouteView) -> String {
    let by = route.interface.as_ref().map_or(String::new(), |name| format!(" dev {name} scope link"));
    let source = route.source.map_or(String::new(), |source| format!(" src {source}"));
    let kind = if route.interface.is_none() { "unreachable " } else { "" };
    format!(
        "{kind}{}{by}{source} proto {} metric {} table {}",
        route.address, route.protocol, route.metric, route.table
    )
}

/// Hosts that the daemon knows but has no route for.
fn routeless(scope: &Scope, running: &RunningDaemon) -> Option<Finding> {
    let routed: BTreeSet<_> = running.routes.iter().map(|route| route.address).collect();
    let hosts = running.hosts.iter().filter(|host| host.state == "alive" && scope.concerns(host.address));
    let without: Vec<Ipv4Addr> = hosts
        .map(|host| host.address)
        .filter(|address| !routed.contains(&Destination::Host(*address)))
        .collect();
    if without.is_empty() {
        return None;
    }
    let finding = Finding::warning("hosts", format!("known, but without a route: {}", list_of(&without)))
        .why("a host without its /32 route is not reached from the other segments, and is not answered for")
        .fix("arpherd routes; the log has the reason (route_conflict, route_refused)");
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::super::scope::{DaemonState, SysctlOwner};
    use super::super::testing::{host_view, machine, route_view, running_scope};
    use super::*;

    /// The findings beside a daemon that wants these routes.
    fn checked(routes: Vec<RouteView>, machine: &Machine) -> Vec<Finding> {
        let mut scope = running_scope(SysctlOwner::Daemon);
        let DaemonState::Running(running) = &mut scope.daemon else { panic!("it runs") };
        running.routes = routes;
        let running = running.clone();
        check(&scope, machine, &running)
    }

    #[test]
    fn a_route_that_the_kernel_lacks_is_reported() {
        let wanted = || vec![route_view("10.9.0.10", "installed")];
        assert_eq!(checked(wanted(), &machine().with_host_route("10.9.0.10", "eth0", 169, 50)), []);
        for (link, metric) in [("eth1", 50), ("eth0", 51)] {
            let machine = machine().with_host_route("10.9.0.10", link, 169, metric);
            assert_eq!(checked(wanted(), &machine).len(), 1, "{link} {metric}");
        }
        let finding = checked(wanted(), &machine()).remove(0);
        assert_eq!((finding.severity, finding.subject.as_str()), (Severity::Error, "10.9.0.10"));
        let command = "ip route replace 10.9.0.10 dev eth0 scope link proto 169 metric 50 table 254";
        assert!(finding.fix.ends_with(command), "{}", finding.fix);
    }

    #[test]
    fn a_missing_covering_route_is_reported() {
        let prefix = "10.9.0.0/24".parse().expect("a network");
        let cover = RouteView {
            address: Destination::Prefix(prefix),
            interface: None,
            ..route_view("10.9.0.0", "cover")
        };
        assert_eq!(checked(vec![cover.clone()], &machine().with_connected("10.9.0.0/24", "eth0")).len(), 1);
        let mut covered = machine().with_refusal("10.9.0.0/24");
        covered.routes[0].metric = 50;
        assert_eq!(checked(vec![cover], &covered), []);
    }

    #[test]
    fn routes_that_could_not_be_written_are_reported() {
        assert_eq!(
            checked(vec![route_view("10.9.0.10", "refused")], &machine())[0].severity,
            Severity::Error
        );
        assert_eq!(
            checked(vec![route_view("10.9.0.10", "conflict")], &machine())[0].severity,
            Severity::Warning
        );
    }

    #[test]
    fn of_many_findings_the_first_are_listed_and_the_others_counted() {
        let routes = (1..=200).map(|last| route_view(&format!("10.9.0.{last}"), "installed")).collect();
        let findings = checked(routes, &machine());
        assert_eq!(findings.len(), 6);
        assert!(findings[5].found.starts_with("195 more findings like"), "{:?}", findings[5]);
        assert_eq!(findings[5].severity, Severity::Error);
    }

    #[test]
    fn hosts_without_a_route_are_reported() {
        let mut scope = running_scope(SysctlOwner::Daemon);
        let DaemonState::Running(running) = &mut scope.daemon else { panic!("it runs") };
        running.hosts = vec![host_view("10.9.0.10", "alive"), host_view("10.9.0.11", "suspect")];
        let running = running.clone();
        let findings = check(&scope, &machine(), &running);
        assert_eq!(
            findings.iter().map(|it| it.found.as_str()).collect::<Vec<_>>(),
            ["known, but without a route: 10.9.0.10"]
        );
    }
}
