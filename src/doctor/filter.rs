//! Packet filters that drop forwarded packets.

use arpherd_actors::io::packet_filter::ChainPolicy;

use super::finding::{Finding, Severity};
use super::machine::Machine;
use super::scope::Scope;

const WHY: &str = "ARP is answered, but packets between the segments are dropped here; Docker, ufw and firewalld \
    set such a policy";

/// Input and output interface of forwarded packets.
type ForwardPath<'a> = (&'a str, &'a str);
/// The commands that accept packets on these paths in a chain.
type FixCommands = fn(&str, &[ForwardPath<'_>]) -> String;

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let paths = paths(scope);
    let mut findings = Vec::new();
    match &machine.filters.chains {
        Err(reason) => findings.push(unreadable("nf_tables", reason, "nft list ruleset")),
        Ok(chains) => findings.extend(chains.iter().filter(|policy| policy.drops).map(|policy| {
            let fix: FixCommands = if policy.chain == "ip filter FORWARD" { iptables } else { nft };
            dropping(&policy.chain, policy, &paths, fix)
        })),
    }
    match &machine.filters.iptables {
        Err(reason) => findings.push(unreadable("ip_tables", reason, "iptables-legacy -L FORWARD -v")),
        Ok(Some(policy)) if policy.drops => {
            let name = format!("{} of ip_tables", policy.chain);
            findings.push(dropping(&name, policy, &paths, iptables));
        }
        Ok(_) => {}
    }
    findings
}

/// The paths between segments that must be open.
fn paths(scope: &Scope) -> Vec<ForwardPath<'_>> {
    let mut paths = Vec::new();
    for segments in scope.domains().values() {
        for from in segments {
            for to in segments {
                if from.interface() != to.interface() || from.plan.private_vlan.is_on() {
                    paths.push((from.interface(), to.interface()));
                }
            }
        }
    }
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// A chain whose policy is drop.
fn dropping(name: &str, policy: &ChainPolicy, paths: &[ForwardPath<'_>], fix: FixCommands) -> Finding {
    let is_open = |(from, to): &ForwardPath<'_>| policy.accepts.iter().any(|rule| rule.accepts(from, to));
    let closed: Vec<_> = paths.iter().copied().filter(|path| !is_open(path)).collect();
    let found = format!("chain {name}: policy drop, {} rules", policy.rules);
    if closed.is_empty() {
        let why = "no problem: rules accept all packets between the segments, unless earlier rules drop them";
        return Finding::info("forwarding", found).why(why);
    }
    // A rule with conditions may still accept the packets.
    let severity = if policy.rules == 0 { Severity::Error } else { Severity::Warning };
    Finding::info("forwarding", found).with_severity(severity).why(WHY).fix(fix(name, &closed))
}

fn unreadable(what: &str, reason: &str, command: &str) -> Finding {
    Finding::info("forwarding", format!("{what} cannot be read: {reason}"))
        .why("a filter whose policy for forwarded packets is drop separates the hosts of different segments")
        .fix(format!("run arpherd doctor as root, or check with: {command}"))
}

/// The rules in the syntax of iptables.
fn iptables(_chain: &str, paths: &[ForwardPath<'_>]) -> String {
    let command = |(from, to): &ForwardPath<'_>| format!("iptables -I FORWARD -i {from} -o {to} -j ACCEPT");
    let commands = paths.iter().map(command).collect::<Vec<_>>().join(" && ");
    format!("{commands} (with Docker: in the chain DOCKER-USER instead of FORWARD)")
}

/// The rules in the syntax of nft.
fn nft(chain: &str, paths: &[ForwardPath<'_>]) -> String {
    let command = |(from, to): &ForwardPath<'_>| {
        format!("nft 'insert rule {chain} iifname \"{from}\" oifname \"{to}\" accept'")
    };
    paths.iter().map(command).collect::<Vec<_>>().join(" && ")
}

#[cfg(test)]
mod tests {
    use arpherd_actors::io::packet_filter::{AcceptRule, NamePattern};

    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, scope};
    use super::*;

    fn policy(chain: &str, drops: bool, rules: u32) -> ChainPolicy {
        ChainPolicy { chain: chain.to_owned(), drops, rules, accepts: Vec::new() }
    }

    fn found(
        chains: Result<Vec<ChainPolicy>, String>,
        iptables: Result<Option<ChainPolicy>, String>,
    ) -> Vec<Finding> {
        let mut machine = machine();
        machine.filters.chains = chains;
        machine.filters.iptables = iptables;
        check(&scope(SysctlOwner::Daemon), &machine)
    }

    #[test]
    fn a_drop_policy_is_reported_and_an_accept_policy_is_not() {
        assert_eq!(found(Ok(vec![policy("ip filter FORWARD", false, 0)]), Ok(None)), []);
        let chains = vec![policy("ip filter FORWARD", true, 3), policy("ip fw fwd", true, 0)];
        let findings = found(Ok(chains), Ok(None));
        let severities: Vec<_> = findings.iter().map(|it| it.severity).collect();
        assert_eq!(severities, [Severity::Warning, Severity::Error]);
        let fix = &findings[0].fix;
        assert!(fix.starts_with("iptables -I FORWARD -i eth0 -o eth1 -j ACCEPT && "), "{fix}");
        let rule =
            |from, to| format!("nft 'insert rule ip fw fwd iifname \"{from}\" oifname \"{to}\" accept'");
        assert_eq!(findings[1].fix, [rule("eth0", "eth1"), rule("eth1", "eth0")].join(" && "));
    }

    #[test]
    fn paths_that_rules_accept_are_not_reported() {
        let name = |name: &str| Some(NamePattern::Exact(name.into()));
        let rule = |from, to| AcceptRule { input: name(from), output: name(to) };
        let finding = |accepts: &[AcceptRule]| {
            let mut policy = policy("ip filter FORWARD", true, 2);
            policy.accepts = accepts.to_vec();
            found(Ok(vec![policy]), Ok(None)).remove(0)
        };
        let (there, back) = (rule("eth0", "eth1"), rule("eth1", "eth0"));
        assert_eq!(finding(&[there.clone(), back]).severity, Severity::Info);
        let half = finding(&[there]);
        assert_eq!(half.severity, Severity::Warning);
        assert!(half.fix.starts_with("iptables -I FORWARD -i eth1 -o eth0 -j ACCEPT ("), "{}", half.fix);
    }

    #[test]
    fn ip_tables_is_checked_too() {
        let forward = |drops, rules| Ok(Some(policy("FORWARD", drops, rules)));
        assert_eq!(found(Ok(Vec::new()), forward(false, 0)), []);
        let empty = found(Ok(Vec::new()), forward(true, 0)).remove(0);
        assert_eq!(empty.severity, Severity::Error);
        assert_eq!(empty.found, "chain FORWARD of ip_tables: policy drop, 0 rules");
        assert_eq!(found(Ok(Vec::new()), forward(true, 5))[0].severity, Severity::Warning);
    }

    #[test]
    fn filters_that_cannot_be_read_are_reported() {
        let findings = found(Err("Operation not permitted".into()), Err("Permission denied".into()));
        assert_eq!(findings.iter().map(|it| it.severity).collect::<Vec<_>>(), [Severity::Info; 2]);
        assert!(findings[0].found.contains("Operation not permitted"));
    }
}
