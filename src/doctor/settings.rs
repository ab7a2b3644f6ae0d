//! Sysctls, and how the kernel combines those of `all` and of the interface.

use std::collections::BTreeMap;

use arpherd_actors::io::sysctl::Setting;
use arpherd_actors::required_sysctls::{
    Condition, Enforcement, RequiredSysctl, SysctlMode, command, required_sysctls,
};
use arpherd_core::plan::{AnswerMode, SegmentPlan};

use super::finding::{Finding, Severity};
use super::machine::Machine;
use super::scope::{CheckedSegment, DaemonState, Scope, SysctlOwner};

/// The segments of one interface.
type InterfaceSegments<'a> = Vec<&'a CheckedSegment>;

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let mut groups: BTreeMap<&str, InterfaceSegments<'_>> = BTreeMap::new();
    for segment in &scope.segments {
        groups.entry(segment.interface()).or_default().push(segment);
    }
    // An absent interface has no sysctls; the check `links` reports it.
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
    let table = required_sysctls(SysctlMode::of(&plans));
    let findings = table.iter().filter_map(|need| {
        let Some(writes) = need.corrections(interface, &read) else {
            let name = need.setting(interface);
            return Some(Finding::info(interface, format!("{name} cannot be read")).why(need.why));
        };
        if writes.is_empty() {
            return None;
        }
        let severity = severity(scope, machine, group, need);
        let fix = if severity == Severity::Info && is_set_at_start(scope, group, need) {
            format!("nothing to do: the daemon sets this at start (manually: {})", command(&writes))
        } else if need.enforcement == Enforcement::Set
            && group.iter().all(|segment| segment.sysctl_owner == SysctlOwner::Unknown)
        {
            format!("{} (the daemon does this at start, unless sysctl: leave)", command(&writes))
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

/// The current values and the required one.
fn found(machine: &Machine, interface: &str, need: &RequiredSysctl) -> String {
    let values = [interface, "all"].map(|name| {
        let setting = need.setting(name);
        machine.setting(&setting).map(|value| format!("{setting} = {value}"))
    });
    let text = values.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let required = match need.condition {
        Condition::On => "required: on".to_owned(),
        Condition::Off => "required: off".to_owned(),
        Condition::AtLeast(least) => format!("required: at least {least}"),
        Condition::NotStrict => "required: 0 or 2".to_owned(),
        Condition::AtMostOne => "required: 0 or 1".to_owned(),
    };
    format!("{text}; {required}")
}

/// Whether the daemon will set it at its start.
fn is_set_at_start(scope: &Scope, group: &InterfaceSegments<'_>, need: &RequiredSysctl) -> bool {
    let managed = group.iter().any(|segment| segment.sysctl_owner == SysctlOwner::Daemon);
    managed && need.enforcement == Enforcement::Set && matches!(scope.daemon, DaemonState::Absent(_))
}

fn severity(
    scope: &Scope,
    machine: &Machine,
    group: &InterfaceSegments<'_>,
    need: &RequiredSysctl,
) -> Severity {
    if is_set_at_start(scope, group, need) {
        return Severity::Info;
    }
    // A daemon does not report whether its kernel answers by proxy_arp or by proxy entries.
    let is_kernel = group
        .iter()
        .any(|it| it.sysctl_owner == SysctlOwner::Unknown && it.plan.answer == AnswerMode::Kernel);
    if is_kernel && need.key == "proxy_arp" {
        return Severity::Info;
    }
    let answered = group.iter().any(|segment| segment.is_answered());
    match (need.key, need.condition) {
        // Where answering is left to the administrator, the kernel may be meant to answer.
        ("proxy_arp" | "proxy_arp_pvlan", Condition::Off) if !answered => Severity::Info,
        ("proxy_arp" | "proxy_arp_pvlan" | "forwarding", _) => Severity::Error,
        // These keep the router from answering for itself, which matters if its address is shared.
        ("arp_ignore" | "arp_filter", _) if shares_an_address(machine, group) => Severity::Warning,
        ("medium_id", _) => Severity::Warning,
        // Accepted redirects do harm only where a segment is not trusted.
        ("accept_redirects", _) if group.iter().all(|segment| segment.plan.answer == AnswerMode::Off) => {
            Severity::Info
        }
        _ if need.enforcement == Enforcement::Set => Severity::Warning,
        _ => Severity::Info,
    }
}

/// Whether an interface has a `/32` address, as is usual to share one address between several interfaces.
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
    fn a_correct_machine_has_only_information() {
        let findings = check(&scope(SysctlOwner::Administrator), &machine());
        assert!(findings.iter().all(|finding| finding.severity == Severity::Info), "{findings:?}");
    }

    #[test]
    fn missing_forwarding_is_an_error_unless_the_daemon_sets_it_at_start() {
        let machine = machine().with("conf.eth0.forwarding", 0);
        for (sysctl_owner, severity) in
            [(SysctlOwner::Administrator, Severity::Error), (SysctlOwner::Daemon, Severity::Info)]
        {
            let findings = check(&scope(sysctl_owner), &machine);
            let finding = about(&findings, "forwarding").expect("a finding");
            assert_eq!((finding.severity, finding.subject.as_str()), (severity, "eth0"));
            assert!(finding.fix.contains("sysctl -w net.ipv4.conf.eth0.forwarding=1"), "{}", finding.fix);
        }
        // A running daemon should have set it already.
        let running = super::super::testing::running_scope(SysctlOwner::Daemon);
        assert_eq!(
            about(&check(&running, &machine), "forwarding").map(|it| it.severity),
            Some(Severity::Error)
        );
    }

    #[test]
    fn all_enables_proxy_arp_for_every_interface() {
        let machine = machine().with("conf.all.proxy_arp", 1);
        let findings = check(&scope(SysctlOwner::Administrator), &machine);
        let finding = about(&findings, "proxy_arp").expect("a finding");
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(finding.fix, "sysctl -w net.ipv4.conf.all.proxy_arp=0");
    }

    #[test]
    fn where_answering_is_left_to_the_administrator_the_kernel_may_answer() {
        let mut scope = scope(SysctlOwner::Administrator);
        for segment in &mut scope.segments {
            segment.plan.answer = AnswerMode::Off;
        }
        let findings = check(&scope, &machine().with("conf.eth0.proxy_arp", 1));
        assert_eq!(about(&findings, "proxy_arp").map(|it| it.severity), Some(Severity::Info));
    }

    #[test]
    fn a_kernel_that_shall_answer_must_do_so_without_delay() {
        let mut scope = scope(SysctlOwner::Administrator);
        scope.segments[0].plan.answer = AnswerMode::Kernel;
        let findings = check(&scope, &machine().with("neigh.eth0.proxy_qlen", 3));
        let severity = |key| about(&findings, key).map(|finding| finding.severity);
        assert_eq!(severity("proxy_delay"), Some(Severity::Warning));
        assert_eq!(severity("proxy_qlen"), Some(Severity::Warning));
        assert_eq!(severity("proxy_arp"), Some(Severity::Error));
    }

    #[test]
    fn arp_ignore_and_arp_filter_matter_if_the_address_is_shared() {
        let strict = |machine: Machine| {
            let machine = machine.with("conf.all.arp_ignore", 2).with("conf.eth0.arp_filter", 1);
            let findings = check(&scope(SysctlOwner::Administrator), &machine);
            ["arp_ignore", "arp_filter"].map(|key| about(&findings, key).expect("a finding").severity)
        };
        assert_eq!(strict(machine()), [Severity::Info; 2]);
        assert_eq!(strict(machine().with_address("eth0", "10.9.0.1/32")), [Severity::Warning; 2]);
    }

    #[test]
    fn strict_rp_filter_and_redirects_are_a_warning() {
        let mut scope = scope(SysctlOwner::Administrator);
        scope.segments[0].plan.private_vlan = arpherd_core::plan::PrivateVlan::Open;
        let machine = machine().with("conf.all.rp_filter", 1).with("conf.eth0.send_redirects", 1);
        let findings = check(&scope, &machine);
        for key in ["rp_filter", "send_redirects"] {
            assert_eq!(about(&findings, key).map(|it| it.severity), Some(Severity::Warning), "{key}");
        }
    }
}
