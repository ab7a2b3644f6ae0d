//! Filters that drop what servers send to this machine.

use arpherd_actors::io::packet_filter::ChainPolicy;

use crate::doctor::finding::{Finding, Severity};
use crate::doctor::machine::Machine;

/// `interfaces`: by which servers' messages come in.
pub(super) fn check(machine: &Machine, interfaces: &[&str]) -> Vec<Finding> {
    let Some(state) = &machine.dhcp else { return Vec::new() };
    let mut findings = Vec::new();
    match &state.input.chains {
        Err(reason) => findings.push(unreadable("nf_tables", reason, "nft list ruleset")),
        Ok(chains) => findings.extend(chains.iter().filter_map(|policy| {
            let fix = |name: &str| {
                if policy.chain == "ip filter INPUT" {
                    iptables(name)
                } else {
                    format!("nft 'insert rule {} iifname \"{name}\" udp dport 67 accept'", policy.chain)
                }
            };
            dropping(&policy.chain, policy, interfaces, fix)
        })),
    }
    match &state.input.iptables {
        Err(reason) => findings.push(unreadable("ip_tables", reason, "iptables-legacy -L INPUT -v")),
        Ok(Some(policy)) => {
            findings.extend(dropping(
                &format!("{} of ip_tables", policy.chain),
                policy,
                interfaces,
                iptables,
            ));
        }
        Ok(None) => {}
    }
    findings
}

fn iptables(name: &str) -> String {
    format!("iptables -I INPUT -i {name} -p udp --dport 67 -j ACCEPT")
}

fn dropping(
    chain: &str,
    policy: &ChainPolicy,
    interfaces: &[&str],
    fix: impl Fn(&str) -> String,
) -> Option<Finding> {
    let is_open = |name: &&&str| policy.accepts.iter().any(|rule| rule.accepts(name, ""));
    let closed: Vec<_> = interfaces.iter().filter(|name| !is_open(name)).copied().collect();
    if !policy.drops || closed.is_empty() {
        return None;
    }
    let found = format!("chain {chain}: policy drop, {} rules", policy.rules);
    let commands = closed.iter().map(|name| fix(name)).collect::<Vec<_>>().join(" && ");
    // A rule with conditions may accept them, and mostly does where somebody wrote a firewall.
    let (severity, why) = if policy.rules == 0 {
        (Severity::Error, "what DHCP servers send to UDP port 67 of this machine is dropped")
    } else {
        (Severity::Info, "unless one of its rules accepts UDP to port 67, servers' replies are dropped")
    };
    Some(Finding::info("DHCP", found).with_severity(severity).why(why).fix(commands))
}

fn unreadable(what: &str, reason: &str, command: &str) -> Finding {
    Finding::info("DHCP", format!("{what} cannot be read: {reason}"))
        .why("a filter that drops UDP to port 67 of this machine keeps servers' replies from the relay")
        .fix(format!("run arpherd doctor as root, or check with: {command}"))
}
