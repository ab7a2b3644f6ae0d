//! A kernel that answers for more addresses than intended: `proxy_arp` with a default route.

use arpherd_core::plan::{AnswerMode, KernelProxy};

use super::finding::{Finding, Severity};
use super::machine::Machine;
use super::scope::{CheckedSegment, DaemonState, Scope, SysctlOwner};

const EVERYTHING: &str = "with proxy_arp the kernel answers for every address that it routes out of another \
    interface. With a default route that is the whole Internet, and also addresses of the subnet that no host \
    has or that are on the requester's own link; it attracts their traffic";

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
        let found = format!("answer: routed, and the default route uses {by}");
        let text = Finding::info(interface, found)
            .why("as configured, every address of the Internet is answered for here");
        return vec![text];
    }
    let is_meant = segment.plan.kernel_proxy() == Some(KernelProxy::ProxyArp);
    if !machine.either(interface, "proxy_arp") && !is_meant {
        return Vec::new();
    }
    let fixed_at_start = segment.sysctl_owner == SysctlOwner::Daemon
        && matches!(scope.daemon, DaemonState::Absent(_))
        && !is_meant;
    let found = format!("the kernel answers ARP on {interface} (proxy_arp), and the default route uses {by}");
    let fix = if is_meant {
        "answer: live; or kernel: entries, so that the kernel answers for single addresses instead of by \
            proxy_arp"
            .to_owned()
    } else {
        let off = format!(
            "sysctl -w net.ipv4.conf.all.proxy_arp=0 net.ipv4.conf.{}.proxy_arp=0",
            interface.replace('.', "/")
        );
        // The daemon fixes it at start; until then the kernel attracts traffic of others.
        if fixed_at_start { format!("{off} (the daemon does this at start)") } else { off }
    };
    let everything =
        Finding::info(interface, found).with_severity(Severity::Warning).why(EVERYTHING).fix(fix);
    let mut findings = vec![everything];
    findings.extend(uncovered(scope, machine, segment));
    findings
}

/// Prefixes of the segment without a covering route, whose unlearned addresses follow the default route.
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
    let bare = segment.plan.addresses.prefixes.iter().filter(|prefix| !covered(prefix));
    let severity =
        if matches!(scope.daemon, DaemonState::Absent(_)) && segment.sysctl_owner == SysctlOwner::Daemon {
            Severity::Info
        } else {
            Severity::Warning
        };
    let finding = |prefix: &ipnetwork::Ipv4Network| {
        let why = "unlearned addresses of the prefix follow the default route, so the kernel answers for them; an \
            unreachable route with a large metric prevents that and affects no host";
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
    fn proxy_arp_with_a_default_route_is_a_warning() {
        let scope = scope(SysctlOwner::Administrator);
        let proxying = machine().with("conf.eth0.proxy_arp", 1);
        assert_eq!(severities(&scope, &proxying), [], "no default route");
        let claiming = proxying.with_route("0.0.0.0/0", "eth1");
        assert_eq!(severities(&scope, &claiming), [Severity::Warning; 2], "and no route covers the prefix");
        let covered = claiming.clone().with_refusal("10.9.0.0/24");
        assert_eq!(severities(&scope, &covered), [Severity::Warning]);
        assert_eq!(severities(&scope, &machine().with_route("0.0.0.0/0", "eth1")), [], "without proxy_arp");
    }

    #[test]
    fn the_interface_of_the_default_route_is_not_reported() {
        let scope = scope(SysctlOwner::Administrator);
        let machine = machine().with("conf.eth0.proxy_arp", 1).with_route("0.0.0.0/0", "eth0");
        assert_eq!(severities(&scope, &machine), []);
    }

    #[test]
    fn all_applies_to_every_interface_even_if_the_daemon_will_fix_it() {
        let machine = machine().with("conf.all.proxy_arp", 1).with_route("0.0.0.0/0", "eth1");
        let found = check(&scope(SysctlOwner::Daemon), &machine.clone().with_refusal("10.9.0.0/24"));
        assert_eq!(
            found.iter().map(|it| (it.subject.as_str(), it.severity)).collect::<Vec<_>>(),
            [("eth0", Severity::Warning)]
        );
        assert!(found[0].fix.contains("the daemon does this at start"));
    }

    #[test]
    fn what_is_configured_is_information_only() {
        let mut scope = scope(SysctlOwner::Administrator);
        scope.segments[0].plan.answer = AnswerMode::Routed;
        assert_eq!(severities(&scope, &machine().with_route("0.0.0.0/0", "eth1")), [Severity::Info]);
    }
}
