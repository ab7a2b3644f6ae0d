//! Other proxies on the segments, found by ARP requests for addresses that no host has.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::finding::Finding;
use super::machine::{Machine, ProbeResult};
use super::scope::Scope;

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let Some(probed) = &machine.probed else {
        let finding = Finding::info("proxies", "not probed: no frame is sent without --probe")
            .why(
                "another proxy on a segment (a router with proxy_arp, a second daemon) attracts traffic for \
                    addresses that are not its own",
            )
            .fix(
                "run arpherd doctor --probe: it sends a few ARP requests for addresses that no host has, and \
                    lists the stations that reply",
            );
        return vec![finding];
    };
    probed.iter().flat_map(|segment| on_segment(scope, machine, segment)).collect()
}

fn on_segment(scope: &Scope, machine: &Machine, probed: &ProbeResult) -> Vec<Finding> {
    let mut findings: Vec<_> =
        probed.bridged.iter().map(|other| bridged(scope, &probed.interface, other)).collect();
    findings.extend(replies(scope, machine, probed));
    findings
}

/// A frame of one interface of this machine was received on another.
fn bridged(scope: &Scope, interface: &str, other: &str) -> Finding {
    let is_segment = scope.segments.iter().any(|segment| segment.interface() == other);
    let what = if is_segment { "two segments" } else { "a segment and another interface of this machine" };
    Finding::error(interface, format!("requests sent on {other} are received on {interface}"))
        .why(format!("{what} are bridged: they need no proxy, and proxied traffic between them loops"))
        .fix(format!("remove the cable or bridge between {interface} and {other}, or use one of them only"))
}

fn replies(scope: &Scope, machine: &Machine, probed: &ProbeResult) -> Vec<Finding> {
    let interface = &probed.interface;
    let replies = match &probed.replies {
        Ok(replies) => replies,
        Err(reason) => {
            let finding = Finding::info(interface, format!("it could not be probed: {reason}"))
                .why("it is unknown whether there is another proxy")
                .fix("run arpherd doctor with CAP_NET_RAW, and set the interface up");
            return vec![finding];
        }
    };
    if replies.is_empty() && probed.sender.is_unspecified() {
        let finding = Finding::info(interface, "no reply to requests without a sender address")
            .why("a Linux proxy ignores such requests, so there may be one all the same")
            .fix(format!("ip addr add ADDRESS/32 dev {interface}, and probe again"));
        return vec![finding];
    }
    let mut by_station: BTreeMap<String, Vec<Ipv4Addr>> = BTreeMap::new();
    for (lladdr, address) in replies {
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
    let found = format!("{lladdr} answers for {}, which no host has", list.join(", "));
    if let Some(own) = machine.links.iter().find(|link| link.info.lladdr.to_string() == lladdr) {
        let finding = bridged(scope, interface, &own.info.name);
        return Finding { found: format!("{found}; it is {} of this machine", own.info.name), ..finding };
    }
    Finding::warning(interface, found)
        .why(
            "it is a proxy that answers for everything: hosts that resolve each other may accept its reply and \
                send their traffic there",
        )
        .fix(format!(
            "find it (bridge fdb show | grep {lladdr}, or the switch's table) and disable its proxy ARP; on \
                Linux: sysctl -w net.ipv4.conf.all.proxy_arp=0"
        ))
}

#[cfg(test)]
mod tests {
    use arpherd_core::LinkAddr;

    use super::super::finding::Severity;
    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, scope};
    use super::*;

    fn checked(sender: [u8; 4], replies: Result<Vec<(LinkAddr, Ipv4Addr)>, String>) -> Vec<Finding> {
        let mut machine = machine();
        machine.probed = Some(vec![ProbeResult {
            interface: "eth0".into(),
            sender: sender.into(),
            bridged: Vec::new(),
            replies,
        }]);
        check(&scope(SysctlOwner::Daemon), &machine)
    }

    #[test]
    fn station_that_replies_for_unused_addresses_is_reported() {
        let stranger = LinkAddr::ethernet([2, 0, 0, 0, 0, 0x99]);
        let replies = [192, 198].map(|first| (stranger, Ipv4Addr::new(first, 0, 2, 7)));
        let findings = checked([10, 9, 0, 1], Ok(replies.to_vec()));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(
            findings[0].found.contains("02:00:00:00:00:99")
                && findings[0].found.contains("192.0.2.7, 198.0.2.7")
        );
    }

    #[test]
    fn a_reply_of_this_machine_means_that_two_links_are_bridged() {
        let own = machine().link("eth1").map(|link| link.info.lladdr).expect("it is there");
        let findings = checked([10, 9, 0, 1], Ok(vec![(own, Ipv4Addr::new(192, 0, 2, 7))]));
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].why.contains("two segments"));
    }

    #[test]
    fn bridged_links_are_an_error() {
        let mut machine = machine();
        let bridged = vec!["eth1".to_owned()];
        let probed = ProbeResult {
            interface: "eth0".into(),
            sender: [10, 9, 0, 1].into(),
            bridged,
            replies: Ok(Vec::new()),
        };
        machine.probed = Some(vec![probed]);
        let findings = check(&scope(SysctlOwner::Daemon), &machine);
        assert_eq!(findings.iter().map(|it| it.severity).collect::<Vec<_>>(), [Severity::Error]);
    }

    #[test]
    fn no_reply_proves_little_if_the_request_had_no_sender() {
        assert_eq!(checked([10, 9, 0, 1], Ok(Vec::new())), []);
        assert_eq!(checked([0, 0, 0, 0], Ok(Vec::new()))[0].severity, Severity::Info);
        assert_eq!(checked([10, 9, 0, 1], Err("no rights".into()))[0].severity, Severity::Info);
        assert_eq!(check(&scope(SysctlOwner::Daemon), &machine())[0].severity, Severity::Info, "not probed");
    }
}
