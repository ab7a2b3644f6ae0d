//! Two gateways of one domain: whether somebody elects them, and gives the address that they share in such a way that hosts
//! are still reached.

pub(super) mod keepalived;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_core::plan::{HaPlan, RoleRule};

use super::finding::Finding;
use super::machine::Machine;
use super::scope::{DaemonState, Scope};
use keepalived::{KeepalivedConfig, VrrpInstance};

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let mut findings = yielding(scope);
    let plans: BTreeMap<&str, HaPlan> =
        scope.segments.iter().filter_map(|segment| Some((segment.domain.as_str(), segment.ha?))).collect();
    for (domain, plan) in plans {
        if let RoleRule::Follow(address) = plan.rule {
            findings.extend(followed(domain, address, machine));
        }
    }
    findings
}

/// Two are active now. That they were is said by the event.
fn yielding(scope: &Scope) -> Vec<Finding> {
    let DaemonState::Running(running) = &scope.daemon else { return Vec::new() };
    let rows = running.roles.iter().filter(|row| row.role == "yielding");
    let finding = |row: &arpherd_core::view::RoleView| {
        Finding::error(&*row.domain, "two gateways are active, and this one is silent for the other")
            .why("whoever elects them has failed; both have the shared address, and hosts use either for it")
            .fix(
                "journalctl -u keepalived on both; let protocol 112 to 224.0.0.18 pass between them, and take the address \
                 away where no keepalived runs",
            )
    };
    rows.map(finding).collect()
}

fn followed(domain: &str, address: Ipv4Addr, machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    let here = machine.addresses.iter().find(|it| it.network.ip() == address);
    let has_route = here.is_some_and(|it| {
        it.network.prefix() < 32
            && machine.routes.iter().any(|route| {
                route.destination == ipnetwork_of(it.network) && route.interfaces.contains(&it.interface)
            })
    });
    match &machine.keepalived {
        Some(Err(reason)) => findings.push(
            Finding::info("keepalived", format!("its configuration cannot be read: {reason}"))
                .why("whether it gives this machine the address that the role follows is not known"),
        ),
        Some(Ok(config)) => findings.extend(by_keepalived(domain, address, config)),
        None if here.is_none() => findings.push(
            Finding::info(domain, format!("this machine does not have {address}, so it is the standby"))
                .why("somebody has to give one of the two gateways the address; no keepalived was found here")
                .fix("docs/quickstart/two-bridge-servers.md; or `ha: { command: {} }`, if somebody else elects"),
        ),
        None => {}
    }
    if has_route && !findings.iter().any(|finding| finding.found.contains("noprefixroute")) {
        findings.push(connected(domain, address));
    }
    findings
}

fn ipnetwork_of(network: ipnetwork::Ipv4Network) -> ipnetwork::Ipv4Network {
    ipnetwork::Ipv4Network::new(network.network(), network.prefix()).unwrap_or(network)
}

const CONNECTED: &str = "while this machine has the address, the kernel has a route for the whole subnet by that interface: \
    packets for hosts that are not known go there, whatever segment they are on, and no search or `unreachable` follows";

/// The address brings a route for its prefix along.
fn connected(subject: &str, address: Ipv4Addr) -> Finding {
    Finding::error(subject, format!("{address} brings a route for its prefix along (no noprefixroute)"))
        .why(CONNECTED)
        .fix(format!("in virtual_ipaddress: {address}/32 dev … noprefixroute, and restart keepalived"))
}

fn by_keepalived(domain: &str, address: Ipv4Addr, config: &KeepalivedConfig) -> Vec<Finding> {
    let file = config.file.display();
    let mut instances = config.instances.iter().filter_map(|it| Some((it, it.entry(address)?)));
    let Some((VrrpInstance { name, accepts, has_vmac, .. }, (network, is_without_route))) = instances.next()
    else {
        let found = format!("no vrrp_instance of {file} has {address}, which the role follows");
        let finding = Finding::warning(domain, found)
            .why("keepalived never gives this machine the address, so it is the standby for ever")
            .fix(format!("virtual_ipaddress {{ {address}/32 dev … noprefixroute }}, or another `ha.follow`"));
        return vec![finding];
    };
    let mut findings = Vec::new();
    if network.prefix() < 32 && !is_without_route {
        findings.push(connected(name, address));
    }
    if config.is_strict && !accepts {
        let found = format!("{file} has vrrp_strict, and {name} no accept");
        let finding = Finding::error(name, found)
            .why(format!("keepalived drops what hosts send to {address} on the master"))
            .fix("accept in the vrrp_instance, or no vrrp_strict, and restart keepalived");
        findings.push(finding);
    }
    if *has_vmac {
        let finding = Finding::warning(name, format!("{file} has use_vmac"))
            .why(
                "the shared address has a link-layer address of its own, and arpherd answers for hosts with that of the \
                 interface; switches see frames of both",
            )
            .fix("no use_vmac: arpherd announces every address when it takes over");
        findings.push(finding);
    }
    findings
}

#[cfg(test)]
mod tests {
    use arpherd_actors::io::netlink::{AddressInfo, AnyRoute};
    use arpherd_core::plan::StandbyRoutes;

    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, running_scope, scope};
    use super::*;

    const SHARED: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 254);

    fn following() -> Scope {
        let mut scope = scope(SysctlOwner::Daemon);
        for segment in &mut scope.segments {
            segment.ha =
                Some(HaPlan { rule: RoleRule::Follow(SHARED), standby_routes: StandbyRoutes::default() });
        }
        scope
    }

    fn config(entry: &str, is_without_route: bool) -> KeepalivedConfig {
        let addresses = vec![(entry.parse().expect("a network"), is_without_route)];
        let instance = VrrpInstance { name: "lan".into(), addresses, accepts: true, has_vmac: false };
        KeepalivedConfig { file: "/k".into(), is_strict: false, instances: vec![instance] }
    }

    fn found(config: Option<KeepalivedConfig>) -> Vec<(String, String)> {
        let mut machine = machine();
        machine.keepalived = config.map(Ok);
        let findings = check(&following(), &machine);
        findings.into_iter().map(|it| (it.severity.as_str().to_owned(), it.found)).collect()
    }

    #[test]
    fn what_the_guide_has_is_well_and_a_domain_with_one_gateway_is_not_asked() {
        assert_eq!(found(Some(config("10.9.0.254/32", true))), []);
        assert_eq!(found(Some(config("10.9.0.254/32", false))), [], "a /32 brings no other route along");
        assert_eq!(check(&scope(SysctlOwner::Daemon), &machine()).len(), 0);
    }

    #[test]
    fn what_keeps_the_pair_from_working_is_said() {
        let strict = |accepts: bool| {
            let mut config = config("10.9.0.254/32", true);
            config.is_strict = true;
            config.instances[0].accepts = accepts;
            config
        };
        let mut vmac = config("10.9.0.254/32", true);
        vmac.instances[0].has_vmac = true;
        assert_eq!(found(Some(strict(true))), []);
        for (config, severity, text) in [
            (Some(config("10.9.0.254/24", false)), "error", "no noprefixroute"),
            (Some(strict(false)), "error", "vrrp_strict"),
            (Some(vmac), "warning", "use_vmac"),
            (Some(config("10.9.0.253/32", true)), "warning", "no vrrp_instance of /k has 10.9.0.254"),
            (None, "info", "does not have 10.9.0.254"),
        ] {
            let found = found(config);
            assert!(
                matches!(&found[..], [(how, what)] if how == severity && what.contains(text)),
                "{found:?}"
            );
        }
    }

    #[test]
    fn an_address_with_a_route_for_its_prefix_is_seen_on_the_machine_itself() {
        let mut machine = machine();
        let interface = machine.link("eth0").expect("it is there").info.index;
        machine
            .addresses
            .push(AddressInfo { interface, network: "10.9.0.254/24".parse().expect("a network") });
        let route = AnyRoute {
            destination: "10.9.0.0/24".parse().expect("a network"),
            table: 254,
            protocol: 2,
            scope: 253,
            kind: 1,
            metric: 0,
            interfaces: vec![interface],
            gateway: None,
            source: None,
        };
        machine.routes.push(route);
        let findings = check(&following(), &machine);
        assert!(findings.iter().any(|finding| finding.found.contains("noprefixroute")), "{findings:?}");
    }

    #[test]
    fn a_silent_active_one_is_an_error() {
        let mut scope = running_scope(SysctlOwner::Daemon);
        let DaemonState::Running(running) = &mut scope.daemon else { panic!("it runs") };
        running.roles = vec![arpherd_core::view::RoleView {
            domain: "lan".into(),
            role: "yielding".into(),
            decided_by: "follow".into(),
            netns: None,
        }];
        let findings = check(&scope, &machine());
        assert!(
            findings.iter().any(|finding| finding.found.contains("two gateways are active")),
            "{findings:?}"
        );
    }
}
