//! Other proxies on the segments, found by asking for what nobody has.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::finding::Finding;
use super::machine::Machine;
use super::probe::ProbeResult;
use super::scope::Scope;

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let Some(probed) = &machine.probed else {
        let finding = Finding::info("proxies", "nobody was asked: a diagnosis sends no frames unasked")
            .why(
                "another proxy on a segment (a router with proxy_arp, a second daemon) takes traffic for \
                    addresses that are not its own",
            )
            .fix(
                "arpherd doctor --probe sends a few ARP questions for addresses that nobody has, and names \
                    who answers",
            );
        return vec![finding];
    };
    probed.iter().flat_map(|segment| on_segment(scope, machine, segment)).collect()
}

fn on_segment(scope: &Scope, machine: &Machine, probed: &ProbeResult) -> Vec<Finding> {
    let mut findings: Vec<_> =
        probed.joined.iter().map(|other| joined(scope, &probed.interface, other)).collect();
    findings.extend(answers(scope, machine, probed));
    findings
}

/// An interface of this machine was heard on another.
fn joined(scope: &Scope, interface: &str, other: &str) -> Finding {
    let is_segment = scope.segments.iter().any(|segment| segment.interface() == other);
    let what = if is_segment { "two segments" } else { "a segment and another interface of this machine" };
    Finding::error(interface, format!("questions sent on {other} are heard on {interface}"))
        .why(format!(
            "{what} are one link: there is nothing to proxy between them, and what is proxied \
            leads in circles"
        ))
        .fix(format!(
            "take the cable or bridge between {interface} and {other} away, or use one of them \
            only"
        ))
}

fn answers(scope: &Scope, machine: &Machine, probed: &ProbeResult) -> Vec<Finding> {
    let interface = &probed.interface;
    let answers = match &probed.answers {
        Ok(answers) => answers,
        Err(reason) => {
            let finding = Finding::info(interface, format!("it could not be asked: {reason}"))
                .why("whether there is another proxy is not known")
                .fix("run the doctor with CAP_NET_RAW, and with the interface up");
            return vec![finding];
        }
    };
    if answers.is_empty() && probed.sender.is_unspecified() {
        let finding = Finding::info(interface, "nobody answered a question without a sender address")
            .why("a kernel's proxy does not answer such a question, so there may be one all the same")
            .fix(format!("ip addr add ADDRESS/32 dev {interface}, and ask again"));
        return vec![finding];
    }
    let mut by_station: BTreeMap<String, Vec<Ipv4Addr>> = BTreeMap::new();
    for (lladdr, address) in answers {
        by_station.entry(lladdr.to_string()).or_default().push(*address);
    }
    by_station
        .iter()
        .map(|(lladdr, addresses)| station(scope, machine, interface, lladdr, addresses))
        .collect()
}

fn station(
    scope: &Scope,
    machine: &Machine,
    interface: &str,
    lladdr: &str,
    addresses: &[Ipv4Addr],
) -> Finding {
    let list: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let found = format!("{lladdr} answers for {}, which nobody has", list.join(", "));
    if let Some(own) = machine.links.iter().find(|link| link.info.lladdr.to_string() == lladdr) {
        let finding = joined(scope, interface, &own.info.name);
        return Finding { found: format!("{found}; that is {} of this machine", own.info.name), ..finding };
    }
    Finding::warning(interface, found)
        .why(
            "it is a proxy that claims everything: hosts that ask for each other may believe it, and what \
                it answers first is sent there",
        )
        .fix(format!(
            "find it (bridge fdb show | grep {lladdr}, or the switch's table) and turn its proxying off; \
                on Linux: sysctl -w net.ipv4.conf.all.proxy_arp=0"
        ))
}

#[cfg(test)]
mod tests {
    use arpherd_core::LinkAddr;

    use super::super::finding::Severity;
    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, scope};
    use super::*;

    fn checked(sender: [u8; 4], answers: Result<Vec<(LinkAddr, Ipv4Addr)>, String>) -> Vec<Finding> {
        let mut machine = machine();
        machine.probed = Some(vec![ProbeResult {
            interface: "eth0".into(),
            sender: sender.into(),
            joined: Vec::new(),
            answers,
        }]);
        check(&scope(SysctlOwner::Daemon), &machine)
    }

    #[test]
    fn who_answers_for_nobody_is_named() {
        let stranger = LinkAddr::ethernet([2, 0, 0, 0, 0, 0x99]);
        let answers = [192, 198].map(|first| (stranger, Ipv4Addr::new(first, 0, 2, 7)));
        let findings = checked([10, 9, 0, 1], Ok(answers.to_vec()));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(
            findings[0].found.contains("02:00:00:00:00:99")
                && findings[0].found.contains("192.0.2.7, 198.0.2.7")
        );
    }

    #[test]
    fn an_answer_of_this_machine_means_that_two_links_are_one() {
        let own = machine().link("eth1").map(|link| link.info.lladdr).expect("it is there");
        let findings = checked([10, 9, 0, 1], Ok(vec![(own, Ipv4Addr::new(192, 0, 2, 7))]));
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].why.contains("two segments"));
    }

    #[test]
    fn links_that_are_one_are_an_error() {
        let mut machine = machine();
        let joined = vec!["eth1".to_owned()];
        let probed = ProbeResult {
            interface: "eth0".into(),
            sender: [10, 9, 0, 1].into(),
            joined,
            answers: Ok(Vec::new()),
        };
        machine.probed = Some(vec![probed]);
        let findings = check(&scope(SysctlOwner::Daemon), &machine);
        assert_eq!(findings.iter().map(|it| it.severity).collect::<Vec<_>>(), [Severity::Error]);
    }

    #[test]
    fn silence_means_little_if_the_question_had_no_sender() {
        assert_eq!(checked([10, 9, 0, 1], Ok(Vec::new())), []);
        assert_eq!(checked([0, 0, 0, 0], Ok(Vec::new()))[0].severity, Severity::Info);
        assert_eq!(checked([10, 9, 0, 1], Err("no rights".into()))[0].severity, Severity::Info);
        assert_eq!(
            check(&scope(SysctlOwner::Daemon), &machine())[0].severity,
            Severity::Info,
            "nobody was asked"
        );
    }
}
