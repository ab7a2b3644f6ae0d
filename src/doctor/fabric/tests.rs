use std::collections::BTreeSet;

use arpherd_core::plan::FabricPlan;

use super::super::finding::Severity;
use super::super::scope::SysctlOwner;
use super::super::testing::{machine, route_view, running_scope, scope};
use super::*;

fn fabric(mut scope: Scope, protocol: u8) -> Scope {
    for segment in &mut scope.segments {
        segment.fabric = Some(FabricPlan { protocols: BTreeSet::from([protocol]) });
    }
    scope
}

fn network(text: &str) -> Ipv4Network {
    text.parse().expect("a network")
}

fn found(scope: &Scope, machine: &Machine) -> Vec<(Severity, String)> {
    check(scope, machine).into_iter().map(|it| (it.severity, it.found)).collect()
}

fn announced(hosts: &[[u8; 4]], prefixes: &[&str]) -> Announced {
    Announced {
        daemon: "BIRD",
        hosts: hosts.iter().map(|it| Ipv4Addr::from(*it)).collect(),
        prefixes: prefixes.iter().map(|it| network(it)).collect(),
        import: "learn",
    }
}

/// A daemon that has routes to .10 and .11.
fn with_hosts() -> Scope {
    let mut scope = fabric(running_scope(SysctlOwner::Daemon), 12);
    if let DaemonState::Running(running) = &mut scope.daemon {
        running.routes = ["10.9.0.10", "10.9.0.11"].map(|it| route_view(it, "installed")).into();
    }
    scope
}

#[test]
fn without_a_fabric_nothing_is_checked() {
    assert!(check(&scope(SysctlOwner::Daemon), &machine()).is_empty());
}

#[test]
fn a_metric_that_is_not_below_the_fabrics_is_told() {
    let machine = machine().with_host_route("10.9.0.77", "eth0", 12, 32);
    let findings = check(&fabric(scope(SysctlOwner::Daemon), 12), &machine);
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].severity, findings[0].fix.as_str()),
        (Severity::Warning, "routes: { metric: 10 }")
    );
    let mut below = fabric(scope(SysctlOwner::Daemon), 12);
    below.routes.metric = 10;
    assert!(check(&below, &machine).is_empty());
}

#[test]
fn frr_in_one_table_with_us_is_told() {
    let found = found(&fabric(scope(SysctlOwner::Daemon), BGP), &machine());
    assert!(matches!(&found[..], [(Severity::Warning, text)] if text.contains("same table")), "{found:?}");
}

#[test]
fn a_table_that_no_rule_looks_up_or_looks_up_first_is_told() {
    let mut scope = fabric(scope(SysctlOwner::Daemon), BGP);
    scope.routes.fabric_table = Some(200);
    let mut machine = machine();
    assert!(matches!(&found(&scope, &machine)[..], [(Severity::Error, text)] if text.contains("no rule")));
    let rule = |priority, table, for_all| PolicyRule { priority, table: Some(table), of_vrf: false, for_all };
    let rules = machine.rules.as_mut().expect("rules");
    rules.push(rule(91, 200, true));
    assert!(
        matches!(&found(&scope, &machine)[..], [(Severity::Warning, text)] if text.contains("before table 254"))
    );
    machine.rules.as_mut().expect("rules").push(rule(90, 254, false));
    assert!(found(&scope, &machine).is_empty());
}

#[test]
fn hosts_that_the_routing_daemon_does_not_have_are_told() {
    let (scope, mut machine) = (with_hosts(), machine());
    machine.announced = vec![announced(&[[10, 9, 0, 10], [10, 9, 0, 11]], &[])];
    assert!(found(&scope, &machine).is_empty());
    machine.announced = vec![announced(&[[10, 9, 0, 10]], &[])];
    let some = found(&scope, &machine);
    assert!(
        matches!(&some[..], [(Severity::Warning, text)] if text.ends_with("lacks 1 of 2 host routes: 10.9.0.11"))
    );
    machine.announced = vec![announced(&[], &[])];
    assert!(
        matches!(&found(&scope, &machine)[..], [(Severity::Error, text)] if text.contains("none of the 2"))
    );
}

#[test]
fn a_covering_route_that_leaks_is_told_on_either_side() {
    let (scope, mut machine) = (with_hosts(), machine());
    machine.announced = vec![announced(&[[10, 9, 0, 10], [10, 9, 0, 11]], &["0.0.0.0/0", "10.9.0.0/24"])];
    assert!(
        matches!(&found(&scope, &machine)[..], [(Severity::Error, text)] if text.contains("10.9.0.0/24"))
    );
    machine.announced.clear();
    let mut route = machine.with_host_route("10.9.0.0", "eth0", 12, 32);
    route.routes.last_mut().expect("a route").destination = network("10.9.0.0/24");
    assert!(
        matches!(&found(&scope, &route)[..], [(Severity::Warning, text)] if text.contains("all of 10.9.0.0/24"))
    );
}
