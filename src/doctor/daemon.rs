//! The daemon: whether it runs, and what it has noticed itself.

use std::collections::BTreeSet;

use arpherd_core::event::{EventKind, EventLevel, EventRow};

use ipnetwork::Ipv4Network;

use super::finding::{Finding, Severity};
use super::scope::{DaemonState, RunningDaemon};

pub(super) fn check(daemon: &DaemonState) -> Vec<Finding> {
    match daemon {
        DaemonState::Running(running) => noticed(running),
        DaemonState::Absent(reason) => vec![Finding::info("daemon", reason).why(
            "hosts and routes were not compared with what a daemon knows; its settings are judged as it \
                will make them",
        )],
        DaemonState::Unreachable(reason) => vec![
            Finding::warning("daemon", format!("it could not be asked what it knows: {reason}"))
                .why("whether every host has its route is known by comparing with what the daemon wants")
                .fix(
                    "run the doctor as root or as a member of the socket's group, or name the socket: \
                        --control PATH",
                ),
        ],
    }
}

/// What the events mean that happened since the daemon's start; the log has the addresses.
fn noticed(running: &RunningDaemon) -> Vec<Finding> {
    let finding = |row: &EventRow| {
        let diagnosis = row.diagnosis?;
        let count = running.events.get(row.name).copied().filter(|count| *count > 0)?;
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        let hints = running.hints.get(row.name).into_iter().flatten();
        let fix = hints.fold(diagnosis.fix.to_owned(), |fix, (segment, hint)| {
            format!("{fix}; segment {segment}: {hint}")
        });
        let finding = Finding::info("daemon", format!("{} {times} since the daemon's start", row.name));
        Some(finding.with_severity(severity_of(diagnosis.severity)).why(diagnosis.why).fix(fix))
    };
    let mut findings: Vec<_> = EventKind::ALL.iter().filter_map(|kind| finding(kind.row())).collect();
    findings.extend(segments(running));
    findings.extend(prefixes(running));
    findings
}

/// Configured prefixes that no address of this machine belongs to any more.
fn prefixes(running: &RunningDaemon) -> Vec<Finding> {
    let lost = running
        .segments
        .iter()
        .flat_map(|segment| segment.subnet.unaddressed.iter().map(|prefix| (&*segment.domain, *prefix)));
    let finding = |(domain, prefix): (&str, Ipv4Network)| {
        Finding::warning(domain, format!("no address of this machine belongs to {prefix} any more"))
            .why("the machine may be in another network, in which the domain's prefixes are of no use")
            .fix(format!(
                "give it an address of {prefix}, correct prefixes:, or have them follow its addresses with \
                    prefixes: auto"
            ))
    };
    lost.collect::<BTreeSet<_>>().into_iter().map(finding).collect()
}

fn severity_of(level: EventLevel) -> Severity {
    match level {
        EventLevel::Debug | EventLevel::Info => Severity::Info,
        EventLevel::Warning => Severity::Warning,
        EventLevel::Error => Severity::Error,
    }
}

/// Segments that the daemon cannot use.
fn segments(running: &RunningDaemon) -> Vec<Finding> {
    let down = running.segments.iter().filter(|segment| segment.state != "up");
    let finding = |segment: &arpherd_core::view::SegmentView| {
        Finding::warning(
            &*segment.interface,
            format!("the daemon does not serve {}: {}", segment.segment, segment.state),
        )
        .why("its hosts are not answered for; the daemon goes on as soon as the reason is gone")
        .fix("arpherd segments; the check of links says more")
    };
    down.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::scope::SysctlOwner;
    use super::super::testing::{running_scope, scope, segment_view};
    use super::*;

    fn with_events(events: &[(&str, u64)]) -> DaemonState {
        let mut daemon = running_scope(SysctlOwner::Daemon).daemon;
        let DaemonState::Running(running) = &mut daemon else { panic!("it runs") };
        running.events = events.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        daemon
    }

    #[test]
    fn what_happened_is_reported_and_what_did_not_is_not() {
        assert_eq!(check(&with_events(&[])), []);
        assert_eq!(check(&with_events(&[("proxy_found", 0), ("host_found", 9)])), []);
        let findings = check(&with_events(&[("proxy_found", 2), ("segments_bridged", 1), ("host_found", 9)]));
        let reported: Vec<_> = findings.iter().map(|it| (it.severity, it.found.as_str())).collect();
        let expected = [
            (Severity::Warning, "proxy_found 2 times since the daemon's start"),
            (Severity::Error, "segments_bridged once since the daemon's start"),
        ];
        assert_eq!(reported, expected);
    }

    #[test]
    fn what_an_event_means_is_what_the_table_of_events_says() {
        for row in EventKind::ALL.iter().map(|kind| kind.row()) {
            let findings = check(&with_events(&[(row.name, 1)]));
            let texts: Vec<_> = findings.iter().map(|it| (it.why.as_str(), it.fix.as_str())).collect();
            let expected: Vec<_> = row.diagnosis.iter().map(|it| (it.why, it.fix)).collect();
            assert_eq!(texts, expected, "{}", row.name);
        }
    }

    #[test]
    fn hints_about_what_happened_are_shown_with_their_segment() {
        let mut daemon = with_events(&[("proxy_found", 1)]);
        let DaemonState::Running(running) = &mut daemon else { panic!("it runs") };
        let hint = ("lan".to_owned(), "behind: { \"02:00:00:00:00:42\": allow }".to_owned());
        running.hints.insert("proxy_found".to_owned(), [hint].into());
        let fix = &check(&daemon)[0].fix;
        assert!(fix.ends_with("; segment lan: behind: { \"02:00:00:00:00:42\": allow }"), "{fix}");
    }

    #[test]
    fn whether_it_could_be_asked_is_reported() {
        assert_eq!(check(&scope(SysctlOwner::Daemon).daemon)[0].severity, Severity::Info);
        assert_eq!(check(&DaemonState::Unreachable("not allowed".into()))[0].severity, Severity::Warning);
    }

    #[test]
    fn a_segment_that_is_not_served_is_reported() {
        let mut daemon = with_events(&[]);
        let DaemonState::Running(running) = &mut daemon else { panic!("it runs") };
        running.segments = vec![segment_view("eth0", "up"), segment_view("eth1", "no_carrier")];
        let findings = check(&daemon);
        assert_eq!(findings.iter().map(|it| it.subject.as_str()).collect::<Vec<_>>(), ["eth1"]);
    }
}
