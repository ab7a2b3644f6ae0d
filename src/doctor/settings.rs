//! The kernel's settings, and how those of `all` and of the interface combine.

use std::collections::BTreeMap;

use arpherd_actors::io::sysctl::Setting;
use arpherd_actors::needs::{Mode, Need, Wanted, Weight, command, needs};
use arpherd_core::plan::{AnswerMode, SegmentPlan};

use super::finding::{Finding, Severity};
use super::machine::Machine;
use super::scope::{CheckedSegment, DaemonState, Scope, SysctlOwner};

/// The segments reached through one interface.
type InterfaceSegments<'a> = Vec<&'a CheckedSegment>;

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let mut groups: BTreeMap<&str, InterfaceSegments<'_>> = BTreeMap::new();
    for segment in &scope.segments {
        groups.entry(segment.interface()).or_default().push(segment);
    }
    // An interface that is not there has no settings; that is another check's to say.
    let present = groups.into_iter().filter(|(interface, _)| machine.link(interface).is_some());
    present.flat_map(|(interface, group)| interface_settings(scope, machine, interface, &group)).collect()
}

fn interface_settings(
    scope: &Scope,
    machine: &Machine,
    interface: &str,
    group: &InterfaceSegments<'_>,
) -> Vec<Finding> {
    let plans: Vec<SegmentPlan> = group.iter().map(|segment| segment.plan.clone()).collect();
    let read = |setting: &Setting| machine.setting(setting);
    let table = needs(Mode::of(&plans));
    let findings = table.iter().filter_map(|need| {
        let Some(writes) = need.mend(interface, &read) else {
            let name = need.setting(interface);
            return Some(Finding::info(interface, format!("{name} cannot be read")).why(need.why));
        };
        if writes.is_empty() {
            return None;
        }
        let severity = severity(scope, machine, group, need);
        let fix = if severity == Severity::Info && is_ours_to_set(scope, group, need) {
            format!("nothing to do: the daemon sets this at start (by hand: {})", command(&writes))
        } else if need.weight == Weight::Must
            && group.iter().all(|segment| segment.sysctl_owner == SysctlOwner::Unknown)
        {
            format!("{} (arpherd does it itself at start, unless sysctl: leave)", command(&writes))
        } else {
            command(&writes)
        };
        Some(
            Finding::info(interface, found(machine, interface, need))
                .with_severity(severity)
                .why(need.why)
                .fix(fix),
        )
    });
    findings.collect()
}

/// The values and what the kernel makes of them.
fn found(machine: &Machine, interface: &str, need: &Need) -> String {
    let values = [interface, "all"].map(|name| {
        let setting = need.setting(name);
        machine.setting(&setting).map(|value| format!("{setting} = {value}"))
    });
    let text = values.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let wanted = match need.wanted {
        Wanted::On => "wanted: on".to_owned(),
        Wanted::Off => "wanted: off".to_owned(),
        Wanted::AtLeast(least) => format!("wanted: at least {least}"),
        Wanted::NotStrict => "wanted: 0 or 2".to_owned(),
        Wanted::AtMostOne => "wanted: 0 or 1".to_owned(),
    };
    format!("{text}; {wanted}")
}

/// Whether the daemon will see to it as soon as it is started.
fn is_ours_to_set(scope: &Scope, group: &InterfaceSegments<'_>, need: &Need) -> bool {
    let managed = group.iter().any(|segment| segment.sysctl_owner == SysctlOwner::Daemon);
    managed && need.weight == Weight::Must && matches!(scope.daemon, DaemonState::Absent(_))
}

fn severity(scope: &Scope, machine: &Machine, group: &InterfaceSegments<'_>, need: &Need) -> Severity {
    if is_ours_to_set(scope, group, need) {
        return Severity::Info;
    }
    // A daemon does not tell whether its kernel answers by proxy_arp or by single entries.
    let is_kernel = group
        .iter()
        .any(|it| it.sysctl_owner == SysctlOwner::Unknown && it.plan.answer == AnswerMode::Kernel);
    if is_kernel && need.key == "proxy_arp" {
        return Severity::Info;
    }
    let answered = group.iter().any(|segment| segment.is_answered());
    match (need.key, need.wanted) {
        // Where answering is left to the administrator, the kernel may well be the one.
        ("proxy_arp" | "proxy_arp_pvlan", Wanted::Off) if !answered => Severity::Info,
        ("proxy_arp" | "proxy_arp_pvlan" | "forwarding", _) => Severity::Error,
        // What keeps the router from answering for itself matters if its address is shared.
        ("arp_ignore" | "arp_filter", _) if shares_an_address(machine, group) => Severity::Warning,
        ("medium_id", _) => Severity::Warning,
        // Redirects that are accepted only harm where a segment is not trusted.
        ("accept_redirects", _) if group.iter().all(|segment| segment.plan.answer == AnswerMode::Off) => {
            Severity::Info
        }
        _ if need.weight == Weight::Must => Severity::Warning,
        _ => Severity::Info,
    }
}

/// Whether an interface of these has an address as a `/32`, as is done to share one over several.
fn shares_an_address(machine: &Machine, group: &InterfaceSegments<'_>) -> bool {
    let links = group.iter().filter_map(|segment| machine.link(segment.interface()));
    let mut addresses = links.flat_map(|link| machine.addresses_on(link.info.index));
    addresses.any(|info| info.network.prefix() == 32)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{machine, scope};
    use super::*;

    fn about<'f>(findings: &'f [Finding], key: &str) -> Option<&'f Finding> {
        findings.iter().find(|finding| finding.found.contains(&format!(".{key} =")))
    }

    #[test]
    fn a_machine_set_up_right_has_only_advice() {
        let findings = check(&scope(SysctlOwner::Administrator), &machine());
        assert!(findings.iter().all(|finding| finding.severity == Severity::Info), "{findings:?}");
    }

    #[test]
    fn missing_forwarding_is_an_error_unless_the_daemon_will_see_to_it() {
        let machine = machine().with("conf.eth0.forwarding", 0);
        for (sysctl_owner, severity) in
            [(SysctlOwner::Administrator, Severity::Error), (SysctlOwner::Daemon, Severity::Info)]
        {
            let findings = check(&scope(sysctl_owner), &machine);
            let finding = about(&findings, "forwarding").expect("it is found");
            assert_eq!((finding.severity, finding.subject.as_str()), (severity, "eth0"));
            assert!(finding.fix.contains("sysctl -w net.ipv4.conf.eth0.forwarding=1"), "{}", finding.fix);
        }
        // A running daemon should have seen to it already.
        let running = super::super::testing::running_scope(SysctlOwner::Daemon);
        assert_eq!(
            about(&check(&running, &machine), "forwarding").map(|it| it.severity),
            Some(Severity::Error)
        );
    }

    #[test]
    fn all_overrides_an_interface_that_does_not_proxy() {
        let machine = machine().with("conf.all.proxy_arp", 1);
        let findings = check(&scope(SysctlOwner::Administrator), &machine);
        let finding = about(&findings, "proxy_arp").expect("two answerers are found");
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(finding.fix, "sysctl -w net.ipv4.conf.all.proxy_arp=0");
    }

    #[test]
    fn where_answering_is_left_to_the_administrator_the_kernel_may_be_the_one() {
        let mut scope = scope(SysctlOwner::Administrator);
        for segment in &mut scope.segments {
            segment.plan.answer = AnswerMode::Off;
        }
        let findings = check(&scope, &machine().with("conf.eth0.proxy_arp", 1));
        assert_eq!(about(&findings, "proxy_arp").map(|it| it.severity), Some(Severity::Info));
    }

    #[test]
    fn a_kernel_that_is_to_answer_does_so_at_once_and_at_all() {
        let mut scope = scope(SysctlOwner::Administrator);
        scope.segments[0].plan.answer = AnswerMode::Kernel;
        let findings = check(&scope, &machine().with("neigh.eth0.proxy_qlen", 3));
        let severity = |key| about(&findings, key).map(|finding| finding.severity);
        assert_eq!(severity("proxy_delay"), Some(Severity::Warning));
        assert_eq!(severity("proxy_qlen"), Some(Severity::Warning));
        assert_eq!(severity("proxy_arp"), Some(Severity::Error));
    }

    #[test]
    fn what_silences_the_router_matters_if_its_address_is_shared() {
        let strict = |machine: Machine| {
            let machine = machine.with("conf.all.arp_ignore", 2).with("conf.eth0.arp_filter", 1);
            let findings = check(&scope(SysctlOwner::Administrator), &machine);
            ["arp_ignore", "arp_filter"].map(|key| about(&findings, key).expect("it is told").severity)
        };
        assert_eq!(strict(machine()), [Severity::Info; 2]);
        assert_eq!(strict(machine().with_address("eth0", "10.9.0.1/32")), [Severity::Warning; 2]);
    }

    #[test]
    fn strict_filters_and_redirects_are_warned_of() {
        let mut scope = scope(SysctlOwner::Administrator);
        scope.segments[0].plan.private_vlan = arpherd_core::plan::PrivateVlan::Open;
        let machine = machine().with("conf.all.rp_filter", 1).with("conf.eth0.send_redirects", 1);
        let findings = check(&scope, &machine);
        for key in ["rp_filter", "send_redirects"] {
            assert_eq!(about(&findings, key).map(|it| it.severity), Some(Severity::Warning), "{key}");
        }
    }
}
