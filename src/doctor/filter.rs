//! Packet filters that drop what is forwarded.

use super::case::Case;
use super::finding::{Finding, Severity};
use super::machine::Machine;

const WHY: &str = "hosts are answered, and then their packets between the segments are dropped here; \
    Docker, ufw \
    and firewalld set such a policy";

pub(super) fn check(case: &Case, machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &machine.filters.chains {
        Err(reason) => findings.push(unseen("nf_tables", reason, "nft list ruleset")),
        Ok(chains) => findings.extend(chains.iter().filter(|chain| chain.drops).map(|chain| {
            let name = format!("{} {} {}", chain.family, chain.table, chain.name);
            let is_iptables = chain.family == "ip" && chain.table == "filter" && chain.name == "FORWARD";
            let mend = if is_iptables { iptables(case) } else { nft(case, &name) };
            dropping(&format!("chain {name}"), chain.rules).mend(mend)
        })),
    }
    match &machine.filters.iptables {
        Err(reason) => findings.push(unseen("ip_tables", reason, "iptables-legacy -L FORWARD -v")),
        Ok(Some(forward)) if forward.drops => {
            // An empty table has an entry for the end of each of its three chains, and one for its own.
            let rules = forward.entries.saturating_sub(4);
            findings.push(dropping("chain FORWARD of ip_tables", rules).mend(iptables(case)));
        }
        Ok(_) => {}
    }
    findings
}

fn dropping(chain: &str, rules: u32) -> Finding {
    let found = format!("{chain}: policy drop, {rules} rules");
    // With rules, one of them may accept what passes here.
    let severity = if rules == 0 { Severity::Error } else { Severity::Warning };
    Finding::info("forwarding", found).weighing(severity).why(WHY)
}

fn unseen(what: &str, reason: &str, command: &str) -> Finding {
    Finding::info("forwarding", format!("{what} could not be looked at: {reason}"))
        .why("a filter whose policy for forwarded packets is drop keeps hosts of different segments apart")
        .mend(format!("run the doctor as root, or look yourself: {command}"))
}

/// The rules in the words of iptables, for each two segments of a domain that packets pass between.
fn iptables(case: &Case) -> String {
    let mut commands = Vec::new();
    for segments in case.domains().values() {
        for from in segments {
            for to in segments {
                let is_passed = from.interface() != to.interface() || from.plan.private_vlan.is_on();
                let (from, to) = (from.interface(), to.interface());
                let command = format!("iptables -I FORWARD -i {from} -o {to} -j ACCEPT");
                if is_passed && !commands.contains(&command) {
                    commands.push(command);
                }
            }
        }
    }
    format!("{} (with Docker in the chain DOCKER-USER in place of FORWARD)", commands.join(" && "))
}

/// The rules in the words of nft.
fn nft(case: &Case, chain: &str) -> String {
    let mut commands = Vec::new();
    for segments in case.domains().values() {
        let mut names: Vec<_> =
            segments.iter().map(|segment| format!("\"{}\"", segment.interface())).collect();
        names.sort();
        names.dedup();
        let names = names.join(", ");
        commands
            .push(format!("nft 'insert rule {chain} iifname {{ {names} }} oifname {{ {names} }} accept'"));
    }
    commands.join(" && ")
}

#[cfg(test)]
mod tests {
    use arpherd_actors::io::iptables::Forward;
    use arpherd_actors::io::netlink::ForwardChain;

    use super::super::case::Care;
    use super::super::testing::{case, machine};
    use super::*;

    fn chain(table: &str, name: &str, drops: bool, rules: u32) -> ForwardChain {
        ForwardChain { family: "ip", table: table.into(), name: name.into(), drops, rules }
    }

    fn found(
        chains: Result<Vec<ForwardChain>, String>,
        iptables: Result<Option<Forward>, String>,
    ) -> Vec<Finding> {
        let mut machine = machine();
        machine.filters.chains = chains;
        machine.filters.iptables = iptables;
        check(&case(Care::Daemon), &machine)
    }

    #[test]
    fn a_policy_that_drops_is_found_and_one_that_accepts_is_not() {
        assert_eq!(found(Ok(vec![chain("filter", "FORWARD", false, 0)]), Ok(None)), []);
        let findings =
            found(Ok(vec![chain("filter", "FORWARD", true, 3), chain("fw", "fwd", true, 0)]), Ok(None));
        assert_eq!(
            findings.iter().map(|it| it.severity).collect::<Vec<_>>(),
            [Severity::Warning, Severity::Error]
        );
        assert!(
            findings[0].mend.starts_with("iptables -I FORWARD -i eth0 -o eth1 -j ACCEPT && "),
            "{}",
            findings[0].mend
        );
        let rule =
            r#"nft 'insert rule ip fw fwd iifname { "eth0", "eth1" } oifname { "eth0", "eth1" } accept'"#;
        assert_eq!(findings[1].mend, rule);
    }

    #[test]
    fn the_older_filter_counts_too() {
        let forward = |drops, entries| Ok(Some(Forward { drops, entries }));
        assert_eq!(found(Ok(Vec::new()), forward(false, 4)), []);
        assert_eq!(found(Ok(Vec::new()), forward(true, 4))[0].severity, Severity::Error);
        assert_eq!(found(Ok(Vec::new()), forward(true, 9))[0].severity, Severity::Warning);
    }

    #[test]
    fn what_could_not_be_looked_at_is_said() {
        let findings = found(Err("Operation not permitted".into()), Err("Permission denied".into()));
        assert_eq!(findings.iter().map(|it| it.severity).collect::<Vec<_>>(), [Severity::Info; 2]);
        assert!(findings[0].found.contains("Operation not permitted"));
    }
}
