//! The fabric: whether its routes are looked up where they should be, and whether a routing daemon of this machine
//! announces the hosts that live here, and nothing else of their subnet.

pub(super) mod announced;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use arpherd_actors::io::netlink::{AnyRoute, PolicyRule};
use ipnetwork::Ipv4Network;

use super::finding::{Finding, list_of};
use super::machine::Machine;
use super::scope::{DaemonState, RunningDaemon, Scope};
use announced::Announced;

/// `RTPROT_BGP`: FRR's.
const BGP: u8 = 186;
const PAGE: &str = "docs/fabric.md";

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let protocols = scope.fabric_protocols();
    let mut findings = Vec::new();
    if !protocols.is_empty() {
        findings.extend(metric(scope, machine, &protocols));
        findings.extend(one_table(scope, &protocols));
        findings.extend(leaks_of_others(scope, machine, &protocols));
    }
    if scope.routes.fabric_table.is_some() {
        findings.extend(rules(scope, machine));
    }
    if let DaemonState::Running(running) = &scope.daemon {
        for announced in &machine.announced {
            findings.extend(hosts(running, announced));
        }
    }
    for announced in &machine.announced {
        findings.extend(leak(scope, announced));
    }
    findings
}

/// Host routes of the fabric in our own table, which are preferred to ours.
fn metric(scope: &Scope, machine: &Machine, protocols: &BTreeSet<u8>) -> Option<Finding> {
    let is_preferred = |route: &&AnyRoute| {
        route.destination.prefix() == 32
            && route.table == scope.routes.table
            && protocols.contains(&route.protocol)
            && route.metric <= scope.routes.metric
            && scope.concerns(route.destination.ip())
    };
    let preferred: Vec<_> = machine.routes.iter().filter(is_preferred).collect();
    let theirs = preferred.iter().map(|route| route.metric).min()?;
    let addresses: Vec<Ipv4Addr> = preferred.iter().map(|route| route.destination.ip()).collect();
    let (count, ours) = (preferred.len(), scope.routes.metric);
    let found = format!(
        "{count} routes of the fabric have metric {theirs} and more, ours {ours}: {}",
        list_of(&addresses)
    );
    Some(
        Finding::warning("routes.metric", found)
            .why("a host that moves here gets no route of ours as long as the fabric's stands")
            .fix(format!("routes: {{ metric: {} }}", theirs.saturating_sub(1).min(10))),
    )
}

/// FRR keeps the fabric's route out of a table where ours stands.
fn one_table(scope: &Scope, protocols: &BTreeSet<u8>) -> Option<Finding> {
    let is_told = protocols.contains(&BGP) && scope.routes.fabric_table.is_none();
    is_told.then(|| {
        Finding::warning("routes.fabric_table", "FRR's routes are expected in the same table as ours")
            .why(
                "zebra installs no BGP route beside ours, so a host's old gateway notices a move only when the host was \
                 quiet for expiry.quiet",
            )
            .fix(format!("have bgpd write into a table of its own, and name it in routes.fabric_table ({PAGE})"))
    })
}

/// Rules that look up our hosts first, then those of the fabric.
fn rules(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let (Some(fabric), Ok(rules)) = (scope.routes.fabric_table, &machine.rules) else { return Vec::new() };
    let ours = scope.routes.table;
    let first = |table: u32, fits: fn(&PolicyRule) -> bool| {
        rules.iter().filter(|rule| rule.table == Some(table) && fits(rule)).map(|rule| rule.priority).min()
    };
    let (Some(theirs), before) = (first(fabric, |it| it.for_all), first(ours, |_| true)) else {
        return vec![
            Finding::error("routes.fabric_table", format!("no rule looks up table {fabric}"))
                .why("hosts behind other gateways are answered for, and packets for them are not forwarded")
                .fix(format!("ip rule add pref 91 lookup {fabric}")),
        ];
    };
    if before.is_some_and(|before| before < theirs) {
        return Vec::new();
    }
    let found = format!("table {fabric} is looked up before table {ours}");
    vec![
        Finding::warning("routes.fabric_table", found)
            .why("while two gateways have a host, each sends packets for it to the other")
            .fix(format!(
                "ip rule add pref {} lookup {ours} suppress_prefixlength 31",
                theirs.saturating_sub(1)
            )),
    ]
}

/// Routes of the fabric to more than a host: another gateway's covering route.
fn leaks_of_others(scope: &Scope, machine: &Machine, protocols: &BTreeSet<u8>) -> Vec<Finding> {
    let is_wide = |route: &&AnyRoute| {
        route.destination.prefix() < 32
            && protocols.contains(&route.protocol)
            && lies_in(scope, route.destination)
    };
    let finding = |route: &AnyRoute| {
        let by = route.gateway.map_or_else(String::new, |gateway| format!(" via {gateway}"));
        Finding::warning("routes", format!("the fabric has a route to all of {}{by}", route.destination))
            .why("a covering route of a gateway was announced: packets for unknown hosts go there, and are lost")
            .fix(format!("let that gateway's routing daemon announce /32 routes only ({PAGE})"))
    };
    machine.routes.iter().filter(is_wide).map(finding).collect()
}

/// Hosts that live here and are not announced.
fn hosts(running: &RunningDaemon, announced: &Announced) -> Option<Finding> {
    let Announced { daemon, hosts: known, .. } = announced;
    let ours: Vec<Ipv4Addr> = running.routes.iter().filter_map(announced::installed_host).collect();
    let missing: Vec<Ipv4Addr> = ours.iter().copied().filter(|address| !known.contains(address)).collect();
    if missing.is_empty() {
        return None;
    }
    let why = "other gateways do not know that they live here, and packets for them do not come";
    Some(if missing.len() == ours.len() {
        Finding::error(*daemon, format!("{daemon} has none of the {} host routes of arpherd", ours.len()))
            .why(why)
            .fix(format!("{} ({PAGE})", announced.import))
    } else {
        let found =
            format!("{daemon} lacks {} of {} host routes: {}", missing.len(), ours.len(), list_of(&missing));
        Finding::warning(*daemon, found)
            .why(why)
            .fix(format!("look at its filters: all /32 of the subnet are to pass ({PAGE})"))
    })
}

/// Our covering route in a routing daemon's table.
fn leak(scope: &Scope, announced: &Announced) -> Option<Finding> {
    let Announced { daemon, prefixes, .. } = announced;
    let prefix = prefixes.iter().find(|prefix| lies_in(scope, **prefix))?;
    Some(
        Finding::error(*daemon, format!("{daemon} has taken the covering route to {prefix}"))
            .why("it announces the whole subnet, whose traffic comes here and is refused")
            .fix(format!("let it take /32 routes only: ge 32 in FRR's prefix list, net.len = 32 in BIRD's filter ({PAGE})")),
    )
}

fn lies_in(scope: &Scope, network: Ipv4Network) -> bool {
    let is_within =
        |prefix: &Ipv4Network| prefix.contains(network.network()) && prefix.prefix() <= network.prefix();
    scope.prefixes().iter().any(is_within)
}

#[cfg(test)]
mod tests;
