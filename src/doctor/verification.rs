//! Whether the hosts that the daemon knows can be asked in time whether they still live.

use arpherd_core::view::SegmentView;

use super::finding::Finding;
use super::scope::{CheckedSegment, DaemonState, Scope, SysctlOwner};

pub(super) fn check(scope: &Scope) -> Vec<Finding> {
    let DaemonState::Running(running) = &scope.daemon else { return Vec::new() };
    let of = |view: &SegmentView| {
        let is_its = |it: &&CheckedSegment| it.plan.interface == *view.configured_interface;
        scope.segments.iter().find(is_its).and_then(|segment| finding(segment, view))
    };
    running.segments.iter().filter_map(of).collect()
}

fn finding(segment: &CheckedSegment, view: &SegmentView) -> Option<Finding> {
    let (plan, measured) = (&segment.plan, &view.measured);
    let in_time = plan.verified_in_time();
    // Without a configuration the pace is not known.
    let is_known = segment.sysctl_owner != SysctlOwner::Unknown;
    let (rate, quiet) = plan.needs_for(view.hosts);
    let fix = if is_known {
        format!(
            "sweep: {{ rate: {rate} }} or expiry: {{ quiet: {quiet}s }} of segment {} would do for all of them",
            view.segment
        )
    } else {
        format!("raise sweep.rate or expiry.quiet of segment {}", view.segment)
    };
    if measured.verify_late_seconds > plan.expiry.quiet.as_secs() {
        let found = format!(
            "{} hosts wait to be asked whether they live, by {} s too late",
            measured.verify_waiting, measured.verify_late_seconds
        );
        return Some(
            Finding::warning(&*view.interface, found)
                .why("those that are dead keep their routes for so long; those that somebody asks for are asked first")
                .fix(format!("{fix}; or lower limits.hosts, if most of them are forged")),
        );
    }
    (is_known && view.hosts > in_time).then(|| {
        let found = format!(
            "{} hosts are known, and {in_time} silent ones can be asked within expiry.quiet whether they live",
            view.hosts
        );
        Finding::info(&*view.interface, found)
            .why("should more of them be silent, those that are dead keep their routes for longer")
            .fix(fix)
    })
}

#[cfg(test)]
mod tests {
    use arpherd_core::plan::SweepPlan;

    use super::super::finding::Severity;
    use super::super::testing::running_scope;
    use super::*;

    fn found(owner: SysctlOwner, hosts: u64, waiting: u64, late: u64) -> Vec<(Severity, String, String)> {
        let mut scope = running_scope(owner);
        scope.segments.iter_mut().for_each(|segment| segment.plan.sweep = Some(SweepPlan::default()));
        let DaemonState::Running(running) = &mut scope.daemon else { panic!("it runs") };
        let eth1 = &mut running.segments[1];
        eth1.hosts = hosts;
        (eth1.measured.verify_waiting, eth1.measured.verify_late_seconds) = (waiting, late);
        check(&scope).into_iter().map(|it| (it.severity, it.subject, it.found)).collect()
    }

    #[test]
    fn as_many_hosts_as_can_be_asked_in_time_are_fine() {
        assert_eq!(found(SysctlOwner::Daemon, 0, 0, 0), []);
        assert_eq!(found(SysctlOwner::Daemon, 11_250, 40, 30), []);
        assert_eq!(found(SysctlOwner::Unknown, 99_999, 40, 30), [], "nobody knows the pace");
    }

    #[test]
    fn more_hosts_than_can_be_asked_are_told_and_a_warning_once_they_wait_too_long() {
        let more =
            "11251 hosts are known, and 11250 silent ones can be asked within expiry.quiet whether they live";
        assert_eq!(
            found(SysctlOwner::Daemon, 11_251, 40, 30),
            [(Severity::Info, "eth1".into(), more.into())]
        );
        let late = "4000 hosts wait to be asked whether they live, by 31 s too late";
        for owner in [SysctlOwner::Daemon, SysctlOwner::Unknown] {
            assert_eq!(found(owner, 9_000, 4_000, 31), [(Severity::Warning, "eth1".into(), late.into())]);
        }
    }
}
