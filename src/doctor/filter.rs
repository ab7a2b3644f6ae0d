//! Packet filters that drop what is forwarded.

use arpherd_actors::io::passage::Passage;

use super::case::Case;
use super::finding::{Finding, Severity};
use super::machine::Machine;

const WHY: &str = "hosts are answered, and then their packets between the segments are dropped here; \
    Docker, ufw and firewalld set such a policy";

/// Where packets come from and where they go, as interfaces.
type Way<'a> = (&'a str, &'a str);
/// The commands that let packets go these ways through a chain.
type Opener = fn(&str, &[Way<'_>]) -> String;

pub(super) fn check(case: &Case, machine: &Machine) -> Vec<Finding> {
    let ways = ways(case);
    let mut findings = Vec::new();
    match &machine.filters.chains {
        Err(reason) => findings.push(unseen("nf_tables", reason, "nft list ruleset")),
        Ok(chains) => findings.extend(chains.iter().filter(|chain| chain.drops).map(|chain| {
            let name = format!("{} {} {}", chain.family, chain.table, chain.name);
            let opener: Opener = if name == "ip filter FORWARD" { iptables } else { nft };
            dropping(&name, chain.rules, &ways, &chain.passes, opener)
        })),
    }
    match &machine.filters.iptables {
        Err(reason) => findings.push(unseen("ip_tables", reason, "iptables-legacy -L FORWARD -v")),
        Ok(Some(forward)) if forward.drops => {
            // An empty table has an entry for the end of each of its three chains, and one for its own.
            let rules = forward.entries.saturating_sub(4);
            findings.push(dropping("FORWARD of ip_tables", rules, &ways, &forward.passes, iptables));
        }
        Ok(_) => {}
    }
    findings
}

/// The ways between segments that have to be open.
fn ways(case: &Case) -> Vec<Way<'_>> {
    let mut ways = Vec::new();
    for segments in case.domains().values() {
        for from in segments {
            for to in segments {
                if from.interface() != to.interface() || from.plan.private_vlan.is_on() {
                    ways.push((from.interface(), to.interface()));
                }
            }
        }
    }
    ways.sort_unstable();
    ways.dedup();
    ways
}

/// A chain whose policy is drop, with `passes` for what its rules let pass whatever it is.
fn dropping(chain: &str, rules: u32, ways: &[Way<'_>], passes: &[Passage], opener: Opener) -> Finding {
    let is_open = |(from, to): &Way<'_>| passes.iter().any(|passage| passage.lets(from, to));
    let closed: Vec<_> = ways.iter().copied().filter(|way| !is_open(way)).collect();
    let found = format!("chain {chain}: policy drop, {rules} rules");
    if closed.is_empty() {
        let why = "that is in order: rules let everything pass between the segments, unless others before \
            them drop it";
        return Finding::info("forwarding", found).why(why);
    }
    // With rules, one of them may accept under conditions what passes here.
    let severity = if rules == 0 { Severity::Error } else { Severity::Warning };
    Finding::info("forwarding", found).weighing(severity).why(WHY).mend(opener(chain, &closed))
}

fn unseen(what: &str, reason: &str, command: &str) -> Finding {
    Finding::info("forwarding", format!("{what} could not be looked at: {reason}"))
        .why("a filter whose policy for forwarded packets is drop keeps hosts of different segments apart")
        .mend(format!("run the doctor as root, or look yourself: {command}"))
}

/// The rules in the words of iptables.
fn iptables(_chain: &str, ways: &[Way<'_>]) -> String {
    let command = |(from, to): &Way<'_>| format!("iptables -I FORWARD -i {from} -o {to} -j ACCEPT");
    let commands = ways.iter().map(command).collect::<Vec<_>>().join(" && ");
    format!("{commands} (with Docker in the chain DOCKER-USER in place of FORWARD)")
}

/// The rules in the words of nft.
fn nft(chain: &str, ways: &[Way<'_>]) -> String {
    let command = |(from, to): &Way<'_>| {
        format!("nft 'insert rule {chain} iifname \"{from}\" oifname \"{to}\" accept'")
    };
    ways.iter().map(command).collect::<Vec<_>>().join(" && ")
}

#[cfg(test)]
mod tests {
    use arpherd_actors::io::iptables::Forward;
    use arpherd_actors::io::netlink::ForwardChain;
    use arpherd_actors::io::passage::Pattern;

    use super::super::case::Care;
    use super::super::testing::{case, machine};
    use super::*;

    fn chain(table: &str, name: &str, drops: bool, rules: u32) -> ForwardChain {
        let (table, name) = (table.into(), name.into());
        ForwardChain { family: "ip", table, name, drops, rules, passes: Vec::new() }
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
        let chains = vec![chain("filter", "FORWARD", true, 3), chain("fw", "fwd", true, 0)];
        let findings = found(Ok(chains), Ok(None));
        let severities: Vec<_> = findings.iter().map(|it| it.severity).collect();
        assert_eq!(severities, [Severity::Warning, Severity::Error]);
        let mend = &findings[0].mend;
        assert!(mend.starts_with("iptables -I FORWARD -i eth0 -o eth1 -j ACCEPT && "), "{mend}");
        let rule =
            |from, to| format!("nft 'insert rule ip fw fwd iifname \"{from}\" oifname \"{to}\" accept'");
        assert_eq!(findings[1].mend, [rule("eth0", "eth1"), rule("eth1", "eth0")].join(" && "));
    }

    #[test]
    fn what_rules_let_pass_is_no_longer_complained_of() {
        let name = |name: &str| Some(Pattern::Name(name.into()));
        let passage = |from, to| Passage { from: name(from), to: name(to) };
        let told = |passes: &[Passage]| {
            let mut chain = chain("filter", "FORWARD", true, 2);
            chain.passes = passes.to_vec();
            found(Ok(vec![chain]), Ok(None)).remove(0)
        };
        let (there, back) = (passage("eth0", "eth1"), passage("eth1", "eth0"));
        assert_eq!(told(&[there.clone(), back]).severity, Severity::Info);
        let half = told(&[there]);
        assert_eq!(half.severity, Severity::Warning);
        assert!(half.mend.starts_with("iptables -I FORWARD -i eth1 -o eth0 -j ACCEPT ("), "{}", half.mend);
    }

    #[test]
    fn the_older_filter_counts_too() {
        let forward = |drops, entries| Ok(Some(Forward { drops, entries, passes: Vec::new() }));
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
