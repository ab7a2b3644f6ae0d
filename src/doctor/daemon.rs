//! The daemon: whether it runs, and what it has noticed itself.

use super::finding::{Finding, Severity};
use super::scope::{DaemonState, RunningDaemon};

/// What an event that happened means and what to do about it; the log has the addresses.
struct Meaning {
    name: &'static str,
    severity: Severity,
    why: &'static str,
    fix: &'static str,
}

const MEANINGS: &[Meaning] = &[
    Meaning {
        name: "proxy_found",
        severity: Severity::Warning,
        why: "another proxy answers on a segment: its answers teach nothing, but askers may believe it \
            instead",
        fix: "the log names it (proxy_found, lladdr); turn its proxying off, on a Linux router: sysctl \
            net.ipv4.conf.all.proxy_arp=0",
    },
    Meaning {
        name: "segments_bridged",
        severity: Severity::Error,
        why: "two segments turned out to be one link, so nothing is proxied between them",
        fix: "take the cable or bridge between them away, or make them one segment; the log names both \
            (segments_bridged)",
    },
    Meaning {
        name: "duplicate_address",
        severity: Severity::Warning,
        why: "two hosts have one address; who was there first keeps it, the other is not reached",
        fix: "give one of them another address; the log has both link-layer addresses (duplicate_address)",
    },
    Meaning {
        name: "own_address_claimed",
        severity: Severity::Warning,
        why: "a host uses an address of this machine; what is meant for one may reach the other",
        fix: "give it another address; the log names it (own_address_claimed)",
    },
    Meaning {
        name: "host_flapping",
        severity: Severity::Warning,
        why: "an address moves to and fro: two hosts, a loop, or another proxy",
        fix: "the log names both places (host_flapping); pins: { ADDRESS: LLADDR } holds it to one",
    },
    Meaning {
        name: "limit_reached",
        severity: Severity::Warning,
        why: "hosts were not learned because a limit was reached: a flood, a sweep, or more hosts than \
            expected",
        fix: "the log names the limit and the sender (limit_reached); if they are rightful: limits: { … } \
            of the segment",
    },
    Meaning {
        name: "pin_violated",
        severity: Severity::Warning,
        why: "somebody claimed an address that is pinned to another; in vain, but not by chance",
        fix: "the log has the claimant's link-layer address (pin_violated)",
    },
    Meaning {
        name: "published_address_used",
        severity: Severity::Warning,
        why: "a host uses an address out of a published prefix; it gets no route",
        fix: "give it another address, or take it out of publish: (the log names it)",
    },
    Meaning {
        name: "route_conflict",
        severity: Severity::Warning,
        why: "somebody else has a route to a host's address, and ours is not written while it stands",
        fix: "the log names its protocol and metric (route_conflict); delete it, or set routes.metric to \
            another number",
    },
    Meaning {
        name: "route_refused",
        severity: Severity::Warning,
        why: "the kernel refused a route; it is tried again",
        fix: "the log has the kernel's words (route_refused)",
    },
    Meaning {
        name: "route_healed",
        severity: Severity::Info,
        why: "somebody deletes our routes and they are put back; each time packets may be lost",
        fix: "find out who: ip monitor route; systemd-networkd: ManageForeignRoutes=no; NetworkManager: \
            leave the interface unmanaged",
    },
];

pub(super) fn check(daemon: &DaemonState) -> Vec<Finding> {
    match daemon {
        DaemonState::Running(running) => noticed(running),
        DaemonState::Absent(reason) => vec![Finding::info("daemon", reason).why(
            "hosts and routes were not compared with those of a daemon; sysctls were checked as before its start",
        )],
        DaemonState::Unreachable(reason) => vec![
            Finding::warning("daemon", format!("it could not be queried: {reason}"))
                .why("hosts and routes were not compared with those of the daemon")
                .fix(
                    "run arpherd doctor as root or as a member of the socket's group, or set the socket with \
                        --control PATH",
                ),
        ],
    }
}

fn noticed(running: &RunningDaemon) -> Vec<Finding> {
    let count = |name: &str| running.events.get(name).copied().filter(|count| *count > 0);
    let finding = |meaning: &Meaning| {
        let count = count(meaning.name)?;
        let times = if count == 1 { "once" } else { "times" };
        let found = if count == 1 {
            format!("{} {times}", meaning.name)
        } else {
            format!("{} {count} {times}", meaning.name)
        };
        let finding = Finding::info("daemon", format!("{found} since the daemon's start"));
        Some(finding.with_severity(meaning.severity).why(meaning.why).fix(meaning.fix))
    };
    let mut findings: Vec<_> = MEANINGS.iter().filter_map(finding).collect();
    findings.extend(segments(running));
    findings
}

/// Segments that the daemon does not serve now.
fn segments(running: &RunningDaemon) -> Vec<Finding> {
    let down = running.segments.iter().filter(|segment| segment.state != "up");
    let finding = |segment: &arpherd_core::view::SegmentView| {
        Finding::warning(
            &*segment.interface,
            format!("the daemon does not serve {}: {}", segment.segment, segment.state),
        )
        .why("its hosts are not answered for; the daemon serves it again once that changes")
        .fix("arpherd segments; see also the findings of the check links")
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
    fn events_that_happened_are_reported() {
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
    fn a_daemon_that_cannot_be_queried_is_reported() {
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
