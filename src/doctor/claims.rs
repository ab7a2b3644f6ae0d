//! A kernel that answers for far more than anybody meant: `proxy_arp` beside a default route.

use arpherd_core::plan::{AnswerMode, KernelProxy};

use super::case::{Care, Case, Daemon, Segment};
use super::finding::{Finding, Severity};
use super::machine::Machine;

const EVERYTHING: &str = "with proxy_arp the kernel answers for every address that its routing table sends \
    out by another interface, so by a default route for the whole Internet and for addresses of the subnet \
    that nobody has, or that live on the asker's own link: it takes their traffic";

pub(super) fn check(case: &Case, machine: &Machine) -> Vec<Finding> {
    let of = |segment| claims(case, machine, segment);
    case.segments.iter().flat_map(of).collect()
}

fn claims(case: &Case, machine: &Machine, segment: &Segment) -> Vec<Finding> {
    let Some(link) = machine.link(segment.interface()) else { return Vec::new() };
    let others = machine.default_routes_besides(link.seen.index);
    if others.is_empty() {
        return Vec::new();
    }
    let interface = segment.interface();
    let by = others.join(", ");
    if segment.plan.answer == AnswerMode::Routed {
        let found = format!("answer: routed, and the default route leaves by {by}");
        let text = Finding::info(interface, found)
            .why("as was asked for, every address of the Internet is answered for here");
        return vec![text];
    }
    let is_meant = segment.plan.kernel_proxy() == Some(KernelProxy::ProxyArp);
    if !machine.either(interface, "proxy_arp") && !is_meant {
        return Vec::new();
    }
    let goes_away = segment.care == Care::Daemon && matches!(case.daemon, Daemon::Absent(_)) && !is_meant;
    let found =
        format!("the kernel answers ARP on {interface} (proxy_arp), and the default route leaves by {by}");
    let mend = if is_meant {
        "answer: live; or kernel: entries, so that the kernel answers for single addresses in place of \
            proxy_arp"
            .to_owned()
    } else {
        let off = format!(
            "sysctl -w net.ipv4.conf.all.proxy_arp=0 net.ipv4.conf.{}.proxy_arp=0",
            interface.replace('.', "/")
        );
        // It goes away with the daemon's start, but until then the kernel takes what is not its own.
        if goes_away { format!("{off} (the daemon turns it off at start)") } else { off }
    };
    let everything = Finding::info(interface, found).weighing(Severity::Warning).why(EVERYTHING).mend(mend);
    let mut findings = vec![everything];
    findings.extend(uncovered(case, machine, segment));
    findings
}

/// Prefixes of the segment without a covering route that would keep the default route from being claimed.
fn uncovered(case: &Case, machine: &Machine, segment: &Segment) -> Vec<Finding> {
    let covered = |prefix: &ipnetwork::Ipv4Network| {
        let covers = |route: &&arpherd_actors::io::netlink::AnyRoute| {
            route.destination.prefix() > 0
                && route.destination.contains(prefix.network())
                && route.destination.prefix() <= prefix.prefix()
                && (route.is_refusal() || route.is_unicast())
        };
        machine.routes.iter().any(|route| covers(&route))
    };
    let bare = segment.plan.addresses.prefixes.iter().filter(|prefix| !covered(prefix));
    let severity = if matches!(case.daemon, Daemon::Absent(_)) && segment.care == Care::Daemon {
        Severity::Info
    } else {
        Severity::Warning
    };
    let finding = |prefix: &ipnetwork::Ipv4Network| {
        let why = "unlearned addresses of the prefix follow the default route, and so the kernel claims \
            them; an unreachable route with a great metric stops that and harms no host";
        Finding::info(segment.interface(), format!("no route covers {prefix} but the default route"))
            .weighing(severity)
            .why(why)
            .mend(format!(
                "ip route add unreachable {prefix} metric 4294967040 (arpherd adds it when it runs)"
            ))
    };
    bare.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{case, machine};
    use super::*;

    fn severities(case: &Case, machine: &Machine) -> Vec<Severity> {
        check(case, machine).iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn proxying_beside_a_default_route_is_warned_of() {
        let case = case(Care::Administrator);
        let proxying = machine().with("conf.eth0.proxy_arp", 1);
        assert_eq!(severities(&case, &proxying), [], "without a default route nothing is claimed");
        let claiming = proxying.with_route("0.0.0.0/0", "eth1");
        assert_eq!(severities(&case, &claiming), [Severity::Warning; 2], "and nothing covers the prefix");
        let covered = claiming.clone().with_refusal("10.9.0.0/24");
        assert_eq!(severities(&case, &covered), [Severity::Warning]);
        assert_eq!(severities(&case, &machine().with_route("0.0.0.0/0", "eth1")), [], "without proxy_arp");
    }

    #[test]
    fn the_default_routes_own_interface_claims_nothing() {
        let case = case(Care::Administrator);
        let machine = machine().with("conf.eth0.proxy_arp", 1).with_route("0.0.0.0/0", "eth0");
        assert_eq!(severities(&case, &machine), []);
    }

    #[test]
    fn all_counts_for_every_interface_and_until_the_daemon_comes_it_is_so() {
        let machine = machine().with("conf.all.proxy_arp", 1).with_route("0.0.0.0/0", "eth1");
        let found = check(&case(Care::Daemon), &machine.clone().with_refusal("10.9.0.0/24"));
        assert_eq!(
            found.iter().map(|it| (it.subject.as_str(), it.severity)).collect::<Vec<_>>(),
            [("eth0", Severity::Warning)]
        );
        assert!(found[0].mend.contains("the daemon turns it off"));
    }

    #[test]
    fn what_was_asked_for_is_only_told() {
        let mut case = case(Care::Administrator);
        case.segments[0].plan.answer = AnswerMode::Routed;
        assert_eq!(severities(&case, &machine().with_route("0.0.0.0/0", "eth1")), [Severity::Info]);
    }
}
