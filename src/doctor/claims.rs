//! A kernel that answers for far more than anybody meant: `proxy_arp` beside a default route.

use arpherd_core::plan::{AnswerMode, KernelProxy};

use super::finding::{Finding, Severity};
use super::machine::Machine;
use super::scope::{CheckedSegment, DaemonState, Scope, SysctlOwner};

const EVERYTHING: &str = "with proxy_arp the kernel answers for every address that its routing table sends \
    out by another interface, so by a default route for the whole Internet and for addresses of the subnet \
    that nobody has, or that live on the asker's own link: it takes their traffic";

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let of = |segment| claims(scope, machine, segment);
    scope.segments.iter().flat_map(of).collect()
}

fn claims(scope: &Scope, machine: &Machine, segment: &CheckedSegment) -> Vec<Finding> {
    let Some(link) = machine.link(segment.interface()) else { return Vec::new() };
    let others = machine.default_routes_besides(link.info.index);
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
    let goes_away = segment.sysctl_owner == SysctlOwner::Daemon
        && matches!(scope.daemon, DaemonState::Absent(_))
        && !is_meant;
    let found =
        format!("the kernel answers ARP on {interface} (proxy_arp), and the default route leaves by {by}");
    let fix = if is_meant {
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
    let everything =
        Finding::info(interface, found).with_severity(Severity::Warning).why(EVERYTHING).fix(fix);
    let mut findings = vec![everything];
    findings.extend(uncovered(scope, machine, segment));
    findings
}

/// Prefixes of the segment without a covering route that would keep the default route from being claimed.
fn uncovered(scope: &Scope, machine: &Machine, segment: &CheckedSegment) -> Vec<Finding> {
    let covered = |prefix: &ipnetwork::Ipv4Network| {
        let covers = |route: &&arpherd_actors::io::netlink::AnyRoute| {
            route.destination.prefix() > 0
                && route.destination.contains(prefix.network())
                && route.destination.prefix() <= prefix.prefix()
                && (route.is_refusal() || route.is_unicast())
        };
        machine.routes.iter().any(|route| covers(&route))
    };
    let bare = segment.plan.prefixes.iter().filter(|prefix| !covered(prefix));
    let severity =
        if matches!(scope.daemon, DaemonState::Absent(_)) && segment.sysctl_owner == SysctlOwner::Daemon {
            Severity::Info
        } else {
            Severity::Warning
        };
    let finding = |prefix: &ipnetwork::Ipv4Network| {
        let why = "unlearned addresses of the prefix follow the default route, and so the kernel claims \
            them; an unreachable route with a great metric stops that and harms no host";
        Finding::info(segment.interface(), format!("no route covers {prefix} but the default route"))
            .with_severity(severity)
            .why(why)
            .fix(format!(
                "ip route add unreachable {prefix} metric 4294967040 (arpherd adds it when it runs)"
            ))
    };
    bare.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{machine, scope};
    use super::*;

    fn severities(scope: &Scope, machine: &Machine) -> Vec<Severity> {
        check(scope, machine).iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn proxying_beside_a_default_route_is_warned_of() {
        let scope = scope(SysctlOwner::Administrator);
        let proxying = machine().with("conf.eth0.proxy_arp", 1);
        assert_eq!(severities(&scope, &proxying), [], "without a default route nothing is claimed");
        let claiming = proxying.with_route("0.0.0.0/0", "eth1");
        assert_eq!(severities(&scope, &claiming), [Severity::Warning; 2], "and nothing covers the prefix");
        let covered = claiming.clone().with_refusal("10.9.0.0/24");
        assert_eq!(severities(&scope, &covered), [Severity::Warning]);
        assert_eq!(severities(&scope, &machine().with_route("0.0.0.0/0", "eth1")), [], "without proxy_arp");
    }

    #[test]
    fn the_default_routes_own_interface_claims_nothing() {
        let scope = scope(SysctlOwner::Administrator);
        let machine = machine().with("conf.eth0.proxy_arp", 1).with_route("0.0.0.0/0", "eth0");
        assert_eq!(severities(&scope, &machine), []);
    }

    #[test]
    fn all_counts_for_every_interface_and_until_the_daemon_comes_it_is_so() {
        let machine = machine().with("conf.all.proxy_arp", 1).with_route("0.0.0.0/0", "eth1");
        let found = check(&scope(SysctlOwner::Daemon), &machine.clone().with_refusal("10.9.0.0/24"));
        assert_eq!(
            found.iter().map(|it| (it.subject.as_str(), it.severity)).collect::<Vec<_>>(),
            [("eth0", Severity::Warning)]
        );
        assert!(found[0].fix.contains("the daemon turns it off"));
    }

    #[test]
    fn what_was_asked_for_is_only_told() {
        let mut scope = scope(SysctlOwner::Administrator);
        scope.segments[0].plan.answer = AnswerMode::Routed;
        assert_eq!(severities(&scope, &machine().with_route("0.0.0.0/0", "eth1")), [Severity::Info]);
    }
}
