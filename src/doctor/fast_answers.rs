//! Answers inside the kernel: whether the program can be loaded, where it is attached, and who is before it.

use arpherd_actors::io::netlink::FilterInfo;
use arpherd_actors::io::process::{Capability, Rights};
use arpherd_core::plan::AnswerMode;
use arpherd_core::view::SegmentView;

use super::finding::Finding;
use super::kernel::version;
use super::machine::{Machine, Process};
use super::scope::{DaemonState, Scope};

/// The first kernel with the program's kind of map update, and with `CAP_BPF`.
const OLDEST: (u32, u32) = (5, 8);
const WHY: &str =
    "the daemon answers all requests itself, which takes some microseconds more and a little processor time";
const SUBJECT: &str = "fast_answers";
const UNIT: &str = "add CAP_BPF to CapabilityBoundingSet= and AmbientCapabilities= of the unit, and SystemCallFilter=bpf capset \
    (docs/systemd.md), and restart arpherd";

pub(super) fn check(scope: &Scope, machine: &Machine, process: &Process) -> Vec<Finding> {
    let wants = scope.segments.iter().filter(|it| it.plan.kernel.fast && it.plan.answer == AnswerMode::Live);
    let mut wants = wants.peekable();
    if wants.peek().is_none() {
        return Vec::new();
    }
    let DaemonState::Running(running) = &scope.daemon else {
        return lacking(process).map(|what| missing(&what)).into_iter().collect();
    };
    let mut findings = Vec::new();
    if running.segments.iter().any(|it| state_of(it) == Some("unavailable")) {
        let what = lacking(process).unwrap_or_else(|| Lacking {
            found: "the running daemon could not load the program, or records facts".to_owned(),
            fix: format!("the record fast_answers_off of its log has the reason; if it is a right, {UNIT}"),
        });
        findings.push(missing(&what));
    }
    findings.extend(running.segments.iter().filter_map(|segment| attached(segment, machine)));
    findings.extend(running.segments.iter().filter_map(|segment| filtered(segment, machine)));
    findings
}

fn state_of(segment: &SegmentView) -> Option<&str> {
    segment.measured.fast_answers.as_deref()
}

struct Lacking {
    found: String,
    fix: String,
}

fn missing(what: &Lacking) -> Finding {
    Finding::info(SUBJECT, &what.found).why(WHY).fix(&what.fix)
}

/// What a daemon that is started like this process would lack.
fn lacking(process: &Process) -> Option<Lacking> {
    let lacks = |right| matches!(&process.rights, Ok(rights) if !Rights::has(*rights, right));
    let release = &process.kernel.release;
    if version(release).is_some_and(|version| version < OLDEST) {
        return Some(Lacking {
            found: format!("Linux {release} is too old for a program that answers inside the kernel"),
            fix: "use Linux 5.8 or later; 6.6 has the better place for it (tcx)".to_owned(),
        });
    }
    if process.is_confined {
        return Some(Lacking {
            found: "this is not the initial user namespace, and the kernel loads programs only from there"
                .to_owned(),
            fix: "run arpherd outside of a rootless container".to_owned(),
        });
    }
    // The second includes the first, and is all there was before Linux 5.8.
    (lacks(Capability::Bpf) && lacks(Capability::SysAdmin)).then(|| Lacking {
        found:
            "CAP_BPF is missing, without which the program that answers inside the kernel cannot be loaded"
                .to_owned(),
        fix: UNIT.to_owned(),
    })
}

/// What is unusual about where the program is.
fn attached(segment: &SegmentView, machine: &Machine) -> Option<Finding> {
    let others = machine.programs.get(&*segment.interface).copied().unwrap_or(0);
    match state_of(segment)? {
        "waiting" if segment.state == "up" => Some(
            Finding::info(
                &*segment.interface,
                "the program that answers inside the kernel is not attached here",
            )
            .why(WHY)
            .fix("the record fast_answers_unattached of the daemon's log has the reason, if this lasts"),
        ),
        "tcx" if others > 1 => {
            let found = format!("{others} programs run here for what comes in (tcx), arpherd's among them");
            Some(before(segment, found, "bpftool net"))
        }
        "clsact" if others > 0 => Some(before(
            segment,
            format!("{others} programs run here for what comes in (tcx), before arpherd's filter"),
            "bpftool net",
        )),
        _ => None,
    }
}

/// Filters of others that see a request before arpherd's does. Where it is a program by tcx none does.
fn filtered(segment: &SegmentView, machine: &Machine) -> Option<Finding> {
    let filters = machine.ingress.get(&*segment.interface).filter(|_| state_of(segment) == Some("clsact"))?;
    let first: Vec<_> = filters.iter().filter(|filter| filter.is_before_ours()).map(described).collect();
    if first.is_empty() {
        return None;
    }
    let found = format!("filters of others come before arpherd's (clsact): {}", first.join(", "));
    Some(before(segment, found, &format!("tc filter show dev {} ingress", segment.interface)))
}

fn described(FilterInfo { preference, kind, name }: &FilterInfo) -> String {
    let of = if name.is_empty() { String::new() } else { format!(" {name}") };
    format!("{kind}{of} (pref {preference})")
}

fn before(segment: &SegmentView, found: String, shown_by: &str) -> Finding {
    Finding::info(&*segment.interface, found)
        .why("one that ends the matter for an ARP request before arpherd's is asked leaves the answer to the daemon")
        .fix(format!(
            "nothing, if answered_in_kernel grows (arpherd segments); {shown_by} shows whose they are"
        ))
}

#[cfg(test)]
mod tests {
    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, process, running_scope, scope};
    use super::*;

    fn words(scope: &Scope, machine: &Machine, process: &Process) -> Vec<String> {
        check(scope, machine, process).into_iter().map(|finding| finding.found).collect()
    }

    fn wanting(mut scope: Scope) -> Scope {
        scope.segments.iter_mut().for_each(|segment| segment.plan.kernel.fast = true);
        scope
    }

    /// A running daemon with this state on its first segment.
    fn running(state: &'static str) -> Scope {
        let mut scope = wanting(running_scope(SysctlOwner::Daemon));
        let DaemonState::Running(running) = &mut scope.daemon else { panic!("it runs") };
        running.segments[0].measured.fast_answers = Some(state.into());
        scope
    }

    #[test]
    fn what_a_start_would_lack_is_said_where_it_is_wanted() {
        let absent = wanting(scope(SysctlOwner::Daemon));
        let none = Process { rights: Ok(Rights::NEEDED), ..process() };
        let mut old = process();
        old.kernel.release = "5.4.0".into();
        assert_eq!(words(&absent, &machine(), &process()), Vec::<String>::new());
        assert!(words(&absent, &machine(), &none)[0].contains("CAP_BPF is missing"));
        assert!(words(&absent, &machine(), &old)[0].contains("5.4.0 is too old"));
        let confined = Process { is_confined: true, ..process() };
        assert!(words(&absent, &machine(), &confined)[0].contains("user namespace"));
        assert!(words(&scope(SysctlOwner::Daemon), &machine(), &none).is_empty(), "nobody wants it");
    }

    #[test]
    fn of_a_running_daemon_it_says_where_the_program_is_not_and_who_is_before_it() {
        assert!(words(&running("unavailable"), &machine(), &process())[0].contains("could not load"));
        assert!(words(&running("waiting"), &machine(), &process())[0].contains("not attached"));
        assert_eq!(words(&running("tcx"), &machine(), &process()), Vec::<String>::new());
        let scope = running("tcx");
        let DaemonState::Running(daemon) = &scope.daemon else { panic!("it runs") };
        let mut crowded = machine();
        crowded.programs.insert(daemon.segments[0].interface.to_string(), 2);
        assert!(words(&scope, &crowded, &process())[0].contains("2 programs run here"));
        assert!(words(&running("clsact"), &crowded, &process())[0].contains("before arpherd's filter"));
        let filter = |preference, kind: &str, name: &str| FilterInfo {
            preference,
            kind: kind.to_owned(),
            name: name.to_owned(),
        };
        let filters = [(1, "bpf", "cil_from_netdev"), (10, "flower", ""), (49_321, "bpf", "arpherd_answer")];
        let filters = filters.map(|(preference, kind, name)| filter(preference, kind, name));
        let mut filtered = machine();
        filtered.ingress.insert(daemon.segments[0].interface.to_string(), filters.to_vec());
        let found = "filters of others come before arpherd's (clsact): bpf cil_from_netdev (pref 1), flower (pref 10)";
        assert_eq!(words(&running("clsact"), &filtered, &process()), [found]);
        assert!(words(&scope, &filtered, &process()).is_empty(), "tcx comes before all filters");
    }
}
