//! Daemons of ours that are found by their locks, whoever answers on the control socket.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::machine::Machine;
use super::scope::Scope;

/// The interfaces of the scope that an arpherd serves, with its protocol number.
fn served<'m>(scope: &Scope, machine: &'m Machine) -> impl Iterator<Item = &'m (u8, String)> {
    let names: BTreeSet<String> =
        scope.segments.iter().map(|segment| segment.interface().to_owned()).collect();
    machine.served.iter().flatten().filter(move |(_, interface)| names.contains(interface))
}

/// A daemon of ours that answers on another socket than the one that was asked.
pub(super) fn elsewhere(scope: &Scope, machine: &Machine) -> Option<Finding> {
    let ours = served(scope, machine).filter(|(protocol, _)| *protocol == scope.routes.protocol);
    let names: Vec<_> = ours.map(|(_, interface)| interface.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let names = names.join(", ");
    let finding = Finding::warning(
        "daemon",
        format!("an arpherd serves {names}, but answers on another socket"),
    )
    .why("it could not be asked which routes it wants, and its settings were told as if it did not run")
    .fix("name its socket: --control PATH (its log says it: control=…)");
    Some(finding)
}

/// Daemons of another protocol number on our interfaces.
pub(super) fn others(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let others = served(scope, machine).filter(|(protocol, _)| *protocol != scope.routes.protocol);
    let finding = |(protocol, interface): &(u8, String)| {
        Finding::warning(interface, format!("another arpherd serves it under routing protocol {protocol}"))
            .why(
                "two daemons answer for the same hosts, and each takes the other's routes for somebody \
                    else's",
            )
            .fix("stop one of them, or give them different interfaces")
    };
    others.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::routes::check;
    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, scope};

    #[test]
    fn a_daemon_on_another_socket_leaves_no_leftovers() {
        let mut machine = machine().with_host_route("10.9.0.10", "eth0", 169, 50);
        machine.served = Ok(vec![(169, "eth0".into()), (169, "eth7".into()), (170, "eth1".into())]);
        let findings = check(&scope(SysctlOwner::Daemon), &machine);
        let subjects: Vec<_> = findings.iter().map(|finding| finding.subject.as_str()).collect();
        assert_eq!(subjects, ["daemon", "eth1"]);
    }
}
