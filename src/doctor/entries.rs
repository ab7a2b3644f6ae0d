//! Addresses that the kernel answers for one by one (`ip neigh add proxy`).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_core::plan::AnswerMode;

use super::case::{Case, Daemon, Segment};
use super::finding::Finding;
use super::machine::Machine;
use super::routes::some;

pub(super) fn check(case: &Case, machine: &Machine) -> Vec<Finding> {
    case.segments.iter().flat_map(|segment| entries_of(case, machine, segment)).collect()
}

fn entries_of(case: &Case, machine: &Machine, segment: &Segment) -> Vec<Finding> {
    // Where the kernel is to answer, entries are what it may answer by, whoever made them.
    let is_meant = segment.plan.answer == AnswerMode::Kernel;
    let Some(link) = machine.link(segment.interface()).filter(|_| !is_meant) else { return Vec::new() };
    let mut makers: BTreeMap<u8, Vec<Ipv4Addr>> = BTreeMap::new();
    for entry in machine.proxies.iter().filter(|entry| entry.interface == link.seen.index) {
        makers.entry(entry.protocol).or_default().push(entry.address);
    }
    let ours = |protocol: u8| protocol == case.routes.protocol && matches!(case.daemon, Daemon::Absent(_));
    makers.iter().map(|(protocol, addresses)| finding(segment, addresses, ours(*protocol))).collect()
}

fn finding(segment: &Segment, addresses: &[Ipv4Addr], are_leftovers: bool) -> Finding {
    let interface = segment.interface();
    let found = format!("the kernel answers by single entries for {}", some(addresses));
    let example = addresses.first().map(ToString::to_string).unwrap_or_default();
    let mend =
        format!("ip neigh show proxy dev {interface}; ip neigh del proxy {example} dev {interface} (each)");
    if are_leftovers {
        let why = "they are left from a crash of arpherd; the next start takes them away";
        return Finding::info(interface, found).why(why).mend(mend);
    }
    let why = "it answers whether or not those hosts are alive, beside arpherd's own answers, and also \
        when a host announces itself";
    Finding::warning(interface, found).why(why).mend(mend)
}

#[cfg(test)]
mod tests {
    use arpherd_actors::io::netlink::ProxySeen;

    use super::super::case::Care;
    use super::super::finding::Severity;
    use super::super::testing::{case, machine, running_case};
    use super::*;

    fn told(case: &Case, protocol: u8) -> Vec<Severity> {
        let mut machine = machine();
        let interface = machine.link("eth0").map_or(0, |link| link.seen.index);
        machine.proxies = vec![ProxySeen { interface, address: [10, 9, 0, 20].into(), protocol }];
        check(case, &machine).iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn entries_beside_our_own_answers_are_warned_of() {
        let mut case = case(Care::Daemon);
        assert_eq!(told(&case, 0), [Severity::Warning]);
        assert_eq!(told(&case, 169), [Severity::Info], "left from a crash");
        assert_eq!(told(&running_case(Care::Daemon), 169), [Severity::Warning]);
        case.segments[0].plan.answer = AnswerMode::Kernel;
        assert_eq!(told(&case, 0), []);
        assert_eq!(check(&case, &machine()), []);
    }
}
