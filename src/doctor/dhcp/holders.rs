//! Who holds port 67 beside the daemon.

use std::net::Ipv4Addr;

use arpherd_actors::io::port_holders::{PortHolder, Program};
use arpherd_core::plan::{DhcpPlan, DhcpServer};

use super::kea;
use crate::doctor::finding::{Finding, list_of};
use crate::doctor::machine::Machine;
use crate::doctor::scope::{DaemonState, Scope};

/// Our own name in /proc.
pub(super) const OURS: &str = "arpherd";
/// Programs that relay what they see.
const RELAYS: [&str; 3] = ["dhcrelay", "dhcp-helper", "relayd"];
/// Programs that serve.
const SERVERS: [&str; 6] = [kea::PROGRAM, "dhcpd", "dnsmasq", "systemd-network", "udhcpd", "coredhcp"];

/// What is known of those who hold the port. `plans`: those of the domains.
pub(super) fn check(scope: &Scope, machine: &Machine, plans: &[(&str, &DhcpPlan)]) -> Vec<Finding> {
    let Some(state) = &machine.dhcp else { return Vec::new() };
    let holders = match &state.holders {
        Ok(holders) => others(scope, holders),
        Err(reason) => {
            let finding = Finding::info("port 67", format!("who holds it cannot be read: {reason}"));
            return vec![finding.fix("check with: ss -lunp 'sport = :67'")];
        }
    };
    let is_relaying = plans.iter().any(|(_, plan)| plan.is_relaying);
    let relays = by_name(&holders, &RELAYS).into_iter().map(|program| relay(program, is_relaying));
    let mut findings: Vec<_> = relays.collect();
    let servers = by_name(&holders, &SERVERS);
    for (domain, plan) in plans.iter().filter(|(_, plan)| plan.is_relaying) {
        match (asks_this_machine(machine, plan), servers.first()) {
            (true, None) => findings.extend(nobody_serves(domain, &holders)),
            (false, Some(server)) => findings.push(not_named(domain, server, &holders)),
            _ => {}
        }
    }
    findings.extend(holders.iter().filter_map(|holder| stranger(holder, is_relaying)));
    findings
}

/// Whether a server of this machine is among those that are asked.
pub(super) fn asks_this_machine(machine: &Machine, plan: &DhcpPlan) -> bool {
    plan.servers.iter().any(|server| match server {
        DhcpServer::Local => true,
        DhcpServer::At(address) => machine.owns(*address),
    })
}

/// Those that are not the daemon.
fn others<'h>(scope: &Scope, holders: &'h [PortHolder]) -> Vec<&'h PortHolder> {
    let daemon = match &scope.daemon {
        DaemonState::Running(running) => running.process.map(|(pid, _)| pid),
        DaemonState::Absent(_) | DaemonState::Unreachable(_) => None,
    };
    let is_ours = |program: &Program| program.name == OURS || Some(program.pid) == daemon;
    holders.iter().filter(|holder| !holder.program.as_ref().is_some_and(is_ours)).collect()
}

/// The programs of these names, each once.
fn by_name<'h>(holders: &[&'h PortHolder], names: &[&str]) -> Vec<&'h Program> {
    let mut found: Vec<&Program> = Vec::new();
    for program in holders.iter().filter_map(|holder| holder.program.as_ref()) {
        if names.contains(&program.name.as_str()) && !found.iter().any(|it| it.pid == program.pid) {
            found.push(program);
        }
    }
    found
}

fn addresses(holders: &[&PortHolder], pid: u32) -> Vec<Ipv4Addr> {
    let of_it = |holder: &&&PortHolder| holder.program.as_ref().is_some_and(|program| program.pid == pid);
    holders.iter().filter(of_it).map(|holder| holder.address).collect()
}

fn relay(program: &Program, is_relaying: bool) -> Finding {
    let found = format!("{} relays DHCP on this machine, too (process {})", program.name, program.pid);
    let finding = Finding::warning("port 67", found);
    if !is_relaying {
        return finding
            .why("arpherd only watches here, so that is no conflict; arpherd can take its place")
            .fix("set dhcp: { servers: [ADDRESS] } in the domain and stop it, or leave it as it is")
            .with_severity(crate::doctor::finding::Severity::Info);
    }
    let unit = if program.name == "dhcrelay" { "isc-dhcp-relay" } else { program.name.as_str() };
    finding
        .why(
            "servers get every request twice and clients every reply, and dhcrelay sends on even the renewals that \
             pass through this machine by themselves",
        )
        .fix(format!("systemctl disable --now {unit}"))
}

fn nobody_serves(domain: &str, holders: &[&PortHolder]) -> Option<Finding> {
    // Somebody whose name cannot be seen may be the server.
    let is_unknown = holders
        .iter()
        .any(|holder| holder.program.as_ref().is_none_or(|program| !RELAYS.contains(&program.name.as_str())));
    (!is_unknown).then(|| {
        Finding::error(domain, "no DHCP server of this machine listens on port 67, though one is to be asked")
            .why("clients of the domain get no lease from it")
            .fix(
                "start it, and see that it listens for UDP on an address of the domain; or name the right server: \
                 dhcp: { servers: [ADDRESS] }",
            )
    })
}

fn not_named(domain: &str, program: &Program, holders: &[&PortHolder]) -> Finding {
    let at = list_of(&addresses(holders, program.pid));
    let found = format!(
        "{} (process {}) serves DHCP at {at}, and is not among dhcp.servers",
        program.name, program.pid
    );
    Finding::warning(domain, found)
        .why("it is not asked for the clients of other segments, and its own answers are not believed")
        .fix("dhcp: { servers: [local] }; or stop it, if it is not meant to serve this domain")
}

/// Somebody else with the port.
fn stranger(holder: &PortHolder, is_relaying: bool) -> Option<Finding> {
    let program = holder.program.as_ref()?;
    let is_known = RELAYS.iter().chain(&SERVERS).any(|name| *name == program.name);
    (is_relaying && !is_known).then(|| {
        let found = format!("{} (process {}) holds it at {}", program.name, program.pid, holder.address);
        Finding::info("port 67", found)
            .why("arpherd reads servers' replies from the links where it cannot have the port itself")
            .fix("stop it, if it is no DHCP server of this domain")
    })
}
