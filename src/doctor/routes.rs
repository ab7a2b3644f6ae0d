//! Host routes: those the daemon wants, those that are there, and those of others.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_actors::io::netlink::AnyRoute;
use arpherd_core::view::{Destination, RouteView};

use super::case::{Case, Daemon, Running};
use super::finding::Finding;
use super::machine::Machine;
use super::rivals;

/// `RTPROT_KERNEL`: the kernel's own, for an address.
const KERNEL: u8 = 2;
/// `RTPROT_BOOT`: of a program that does not say who it is.
const BOOT: u8 = 3;
/// `RT_TABLE_LOCAL`, with the machine's own addresses.
const LOCAL: u32 = 255;
/// Addresses named in one finding at the most.
const NAMED: usize = 5;

pub(super) fn check(case: &Case, machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &case.daemon {
        Daemon::Running(running) => findings.extend(wanted(case, machine, running)),
        Daemon::Absent(_) => match rivals::elsewhere(case, machine) {
            Some(finding) => findings.push(finding),
            None => findings.extend(leftovers(case, machine)),
        },
        // That it could not be asked is another check's to say.
        Daemon::Silent(_) => {}
    }
    findings.extend(foreign(case, machine));
    findings.extend(rivals::others(case, machine));
    findings
}

/// Whether a route of the kernel is the one the daemon wants.
fn is_it(machine: &Machine, wanted: &RouteView, route: &AnyRoute) -> bool {
    let leads_there = match wanted.address {
        Destination::Host(address) => route.destination == address.into(),
        Destination::Prefix(prefix) => route.destination == prefix && route.is_refusal(),
    };
    let leaves_by = |name: &str| route.interfaces.iter().any(|index| machine.name_of(*index) == name);
    leads_there
        && (route.table, route.metric) == (wanted.table, wanted.metric)
        && wanted.interface.as_ref().is_none_or(|name| leaves_by(name))
}

/// What the daemon wants against what the kernel has.
fn wanted(case: &Case, machine: &Machine, running: &Running) -> Vec<Finding> {
    let mut findings = Vec::new();
    for route in &running.routes {
        let subject = route.address.to_string();
        match &*route.state {
            "installed" | "cover" if !machine.routes.iter().any(|there| is_it(machine, route, there)) => {
                let by = route.interface.as_ref().map_or(String::new(), |name| format!(" by {name}"));
                findings.push(
                    Finding::error(
                        subject,
                        format!(
                            "the route{by} that the daemon wants is not in table \
                        {}",
                            route.table
                        ),
                    )
                    .why(
                        "packets for the address take another way, or none; the daemon puts back what \
                            others delete, so either it is about to, or it did not notice",
                    )
                    .mend(format!(
                        "look who deletes it: ip monitor route; put it back: ip route \
                            replace {}",
                        written(route)
                    )),
                );
            }
            "refused" => findings.push(
                Finding::error(subject, "the kernel refuses the route that the daemon wants")
                    .why(
                        "the host is known and cannot be reached from the other segments; the log has the \
                        kernel's words (route_refused)",
                    )
                    .mend(format!("try by hand and see why: ip route add {}", written(route))),
            ),
            "conflict" => findings.push(
                Finding::warning(subject, "somebody else's route is in the place of the daemon's")
                    .why("a foreign route is never replaced; packets follow it, wherever it leads")
                    .mend(format!(
                        "ip route show table {} | grep {}; delete it, or set routes.metric to \
                        another number",
                        route.table, route.address
                    )),
            ),
            _ => {}
        }
    }
    findings.extend(routeless(case, running));
    findings
}

/// The route in the words of ip-route(8).
fn written(route: &RouteView) -> String {
    let by = route.interface.as_ref().map_or(String::new(), |name| format!(" dev {name} scope link"));
    let source = route.source.map_or(String::new(), |source| format!(" src {source}"));
    let kind = if route.interface.is_none() { "unreachable " } else { "" };
    format!(
        "{kind}{}{by}{source} proto {} metric {} table {}",
        route.address, route.protocol, route.metric, route.table
    )
}

/// Hosts that the daemon knows and wants no route for.
fn routeless(case: &Case, running: &Running) -> Option<Finding> {
    let routed =
        |address: Ipv4Addr| running.routes.iter().any(|route| route.address == Destination::Host(address));
    let hosts = running.hosts.iter().filter(|host| host.state == "alive" && case.concerns(host.address));
    let without: Vec<_> = hosts.map(|host| host.address).filter(|address| !routed(*address)).collect();
    if without.is_empty() {
        return None;
    }
    let finding = Finding::warning("hosts", format!("known, but without a route: {}", some(&without)))
        .why("a host without its /32 is not reached from the other segments, and nobody is answered for it")
        .mend("arpherd routes; the log says why (route_conflict, route_refused)");
    Some(finding)
}

/// Our routes while no daemon runs.
fn leftovers(case: &Case, machine: &Machine) -> Option<Finding> {
    let ours = |route: &&AnyRoute| route.protocol == case.routes.protocol && route.table == case.routes.table;
    let left: Vec<_> =
        machine.routes.iter().filter(ours).filter(|route| route.destination.prefix() == 32).collect();
    if left.is_empty() {
        return None;
    }
    let addresses: Vec<_> = left.iter().map(|route| route.destination.ip()).collect();
    let (protocol, table) = (case.routes.protocol, case.routes.table);
    let found = format!("{} routes of protocol {protocol} and no daemon: {}", left.len(), some(&addresses));
    let finding = Finding::warning("routes", found)
        .why(
            "they are left from a crash, or from an end with on_exit: keep; nobody withdraws them when \
            their hosts move or die",
        )
        .mend(format!(
            "start arpherd, which takes them over; or take them away: ip route flush table {table} proto \
                {protocol}"
        ));
    Some(finding)
}

/// Host routes of others to addresses of the prefixes, by who seems to have made them.
fn foreign(case: &Case, machine: &Machine) -> Vec<Finding> {
    let mut groups: BTreeMap<(u8, u32, u32, String), Vec<Ipv4Addr>> = BTreeMap::new();
    let others = machine.routes.iter().filter(|route| {
        route.destination.prefix() == 32
            && ![case.routes.protocol, KERNEL].contains(&route.protocol)
            && route.table != LOCAL
            && case.concerns(route.destination.ip())
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
            .mend(format!(
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
fn some(addresses: &[Ipv4Addr]) -> String {
    let named: Vec<_> = addresses.iter().take(NAMED).map(ToString::to_string).collect();
    match addresses.len().checked_sub(NAMED) {
        Some(more) if more > 0 => format!("{} and {more} more", named.join(", ")),
        _ => named.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::Care;
    use super::super::finding::Severity;
    use super::super::testing::{case, machine, route_view, running_case};
    use super::*;

    fn told(case: &Case, machine: &Machine) -> Vec<(Severity, String)> {
        check(case, machine).into_iter().map(|finding| (finding.severity, finding.subject)).collect()
    }

    /// A case with a daemon that wants a route to the address by `eth0`.
    fn wanting(address: &str, state: &'static str) -> Case {
        let mut case = running_case(Care::Daemon);
        let Daemon::Running(running) = &mut case.daemon else { panic!("it runs") };
        running.routes = vec![route_view(address, state)];
        case
    }

    #[test]
    fn a_route_the_daemon_wants_is_there_or_missed() {
        let case = wanting("10.9.0.10", "installed");
        let error = [(Severity::Error, "10.9.0.10".to_owned())];
        assert_eq!(told(&case, &machine()), error);
        assert_eq!(told(&case, &machine().with_host_route("10.9.0.10", "eth0", 169, 50)), []);
        assert_eq!(told(&case, &machine().with_host_route("10.9.0.10", "eth1", 169, 50)), error, "elsewhere");
        let finding = check(&case, &machine()).remove(0);
        let command = "ip route replace 10.9.0.10 dev eth0 scope link proto 169 metric 50 table 254";
        assert!(finding.mend.ends_with(command), "{}", finding.mend);
    }

    #[test]
    fn what_the_daemon_could_not_write_is_told() {
        assert_eq!(told(&wanting("10.9.0.10", "refused"), &machine())[0].0, Severity::Error);
        let conflict = wanting("10.9.0.10", "conflict");
        assert_eq!(told(&conflict, &machine())[0].0, Severity::Warning);
    }

    #[test]
    fn routes_of_a_daemon_that_is_gone_are_leftovers() {
        let machine = machine().with_host_route("10.9.0.10", "eth0", 169, 50);
        assert_eq!(told(&case(Care::Daemon), &machine), [(Severity::Warning, "routes".to_owned())]);
        let finding = check(&case(Care::Daemon), &machine).remove(0);
        assert!(finding.mend.ends_with("ip route flush table 254 proto 169"), "{}", finding.mend);
    }

    #[test]
    fn routes_of_other_daemons_are_named_after_their_makers() {
        let machine = machine()
            .with_host_route("10.9.0.10", "eth0", 3, 0)
            .with_host_route("10.9.0.11", "eth0", 3, 0)
            .with_host_route("10.9.0.20", "eth1", 3, 50)
            .with_host_route("10.9.0.1", "eth0", 2, 0)
            .with_host_route("192.0.2.7", "eth0", 3, 0);
        let findings = check(&case(Care::Daemon), &machine);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].found.contains("10.9.0.10, 10.9.0.11") && findings[0].why.contains("fillarpd"));
        assert!(findings[1].found.contains("10.9.0.20") && findings[1].why.contains("parprouted"));
    }
}
