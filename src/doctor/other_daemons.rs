//! Other arpherd daemons on the segments, found by their locks.

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

/// A daemon with the same protocol number that listens on another socket than the one queried.
pub(super) fn on_another_socket(scope: &Scope, machine: &Machine) -> Option<Finding> {
    let ours = served(scope, machine).filter(|(protocol, _)| *protocol == scope.routes.protocol);
    let names: Vec<_> = ours.map(|(_, interface)| interface.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let names = names.join(", ");
    let finding =
        Finding::warning("daemon", format!("an arpherd serves {names}, but listens on another socket"))
            .why("its routes could not be queried, and its sysctls were checked as if it did not run")
            .fix("set its socket with --control PATH (its log has it as control=…)");
    Some(finding)
}

/// Daemons with another protocol number on the segments' interfaces.
pub(super) fn of_another_protocol(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let others = served(scope, machine).filter(|(protocol, _)| *protocol != scope.routes.protocol);
    let finding = |(protocol, interface): &(u8, String)| {
        Finding::warning(interface, format!("another arpherd serves it with routing protocol {protocol}"))
            .why("two daemons answer for the same hosts, and each treats the routes of the other as foreign")
            .fix("stop one of them, or configure different interfaces")
    };
    others.map(finding).collect()
}
