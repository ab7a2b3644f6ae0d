//! Proxy neighbour entries of the kernel (`ip neigh add proxy`).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_core::plan::AnswerMode;

use super::finding::{Finding, list_of};
use super::machine::Machine;
use super::scope::{CheckedSegment, DaemonState, Scope};

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    scope.segments.iter().flat_map(|segment| entries_of(scope, machine, segment)).collect()
}

fn entries_of(scope: &Scope, machine: &Machine, segment: &CheckedSegment) -> Vec<Finding> {
    // Where the kernel shall answer, entries of any origin are accepted.
    let is_configured = segment.plan.answer == AnswerMode::Kernel;
    let Some(link) = machine.link(segment.interface()).filter(|_| !is_configured) else { return Vec::new() };
    let mut by_protocol: BTreeMap<u8, Vec<Ipv4Addr>> = BTreeMap::new();
    for entry in machine.proxies.iter().filter(|entry| entry.interface == link.info.index) {
        by_protocol.entry(entry.protocol).or_default().push(entry.address);
    }
    let ours =
        |protocol: u8| protocol == scope.routes.protocol && matches!(scope.daemon, DaemonState::Absent(_));
    by_protocol.iter().map(|(protocol, addresses)| finding(segment, addresses, ours(*protocol))).collect()
}

fn finding(segment: &CheckedSegment, addresses: &[Ipv4Addr], are_leftovers: bool) -> Finding {
    let interface = segment.interface();
    let found = format!("the kernel has proxy entries for {}", list_of(addresses));
    let example = addresses.first().map(ToString::to_string).unwrap_or_default();
    let fix = format!(
        "ip neigh show proxy dev {interface}; then for each: ip neigh del proxy {example} dev {interface}"
    );
    if are_leftovers {
        let why = "they are left over from a crash of arpherd; its next start removes them";
        return Finding::info(interface, found).why(why).fix(fix);
    }
    let why = "the kernel answers for them in addition to arpherd, whether or not the hosts are alive, and also \
        when a host announces its address";
    Finding::warning(interface, found).why(why).fix(fix)
}

#[cfg(test)]
mod tests {
    use arpherd_actors::io::netlink::ProxyInfo;

    use super::super::finding::Severity;
    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, running_scope, scope};
    use super::*;

    fn checked(scope: &Scope, protocol: u8) -> Vec<Severity> {
        let mut machine = machine();
        let interface = machine.link("eth0").map_or(0, |link| link.info.index);
        machine.proxies = vec![ProxyInfo { interface, address: [10, 9, 0, 20].into(), protocol }];
        check(scope, &machine).iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn proxy_entries_where_arpherd_answers_are_a_warning() {
        let mut scope = scope(SysctlOwner::Daemon);
        assert_eq!(checked(&scope, 0), [Severity::Warning]);
        assert_eq!(checked(&scope, 169), [Severity::Info], "left over from a crash");
        assert_eq!(checked(&running_scope(SysctlOwner::Daemon), 169), [Severity::Warning]);
        scope.segments[0].plan.answer = AnswerMode::Kernel;
        assert_eq!(checked(&scope, 0), []);
        assert_eq!(check(&scope, &machine()), []);
    }
}
