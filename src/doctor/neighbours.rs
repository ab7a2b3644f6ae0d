//! Free capacity of the kernel's neighbour table.

use arpherd_actors::io::sysctl::Setting;
use arpherd_actors::required_sysctls::GC_THRESH;
use arpherd_core::plan::AnswerMode;

use super::finding::{Finding, Severity};
use super::machine::Machine;
use super::scope::Scope;

/// `NUD_NOARP | NUD_PERMANENT` (linux/neighbour.h): entries that the kernel does not count.
const UNCOUNTED: u16 = 0x40 | 0x80;

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let threshold =
        |key| machine.setting(&Setting::neigh("default", key)).and_then(|value| u64::try_from(value).ok());
    let (Some(soft), Some(hard)) = (threshold("gc_thresh2"), threshold("gc_thresh3")) else {
        let found = "gc_thresh1..3 can be read in the initial network namespace only";
        return vec![
            Finding::info("neighbours", found)
                .why(GC_THRESH)
                .fix("in the initial network namespace: sysctl net.ipv4.neigh.default.gc_thresh2"),
        ];
    };
    let counted =
        machine.neighbours.iter().filter(|entry| !entry.learned_elsewhere && entry.state & UNCOUNTED == 0);
    let used = counted.count() as u64;
    let most = soft * 7 / 10;
    let mut findings = Vec::new();
    let larger = |wanted: u64| {
        let soft = wanted.next_power_of_two() * 2;
        format!(
            "sysctl -w net.ipv4.neigh.default.gc_thresh3={} net.ipv4.neigh.default.gc_thresh2={soft}",
            soft * 2
        )
    };
    if used > most {
        let found =
            format!("{used} entries in use in this namespace, gc_thresh2 = {soft}, gc_thresh3 = {hard}");
        findings.push(
            Finding::warning("neighbours", found)
                .why(
                    "above gc_thresh2 the kernel removes entries after 5 s, and at gc_thresh3 it refuses new \
                        ones (\"neighbour table overflow\"); all network namespaces count together",
                )
                .fix(larger(used)),
        );
    }
    findings.extend(expected(scope, most, soft, larger));
    findings
}

/// Compares the number of possible hosts with the capacity.
fn expected(scope: &Scope, most: u64, soft: u64, larger: impl Fn(u64) -> String) -> Option<Finding> {
    let limit: u64 = scope.segments.iter().map(|segment| u64::from(segment.plan.limits.hosts)).sum();
    let addresses: u64 = scope.prefixes().iter().map(|prefix| u64::from(prefix.size())).sum();
    let hosts = addresses.min(limit);
    if hosts <= most {
        return None;
    }
    let kernel_resolves = scope.segments.iter().any(|segment| segment.plan.answer == AnswerMode::Kernel);
    let severity = if kernel_resolves { Severity::Warning } else { Severity::Info };
    let found = format!("up to {hosts} hosts in the prefixes, gc_thresh2 = {soft}");
    let why = if kernel_resolves {
        "where the kernel answers, it also resolves hosts itself, with one entry for each; above gc_thresh2 it \
            removes entries"
    } else {
        GC_THRESH
    };
    let fix = if kernel_resolves {
        larger(hosts)
    } else {
        format!("only if other programs sweep the prefixes: {}", larger(hosts))
    };
    Some(Finding::info("neighbours", found).with_severity(severity).why(why).fix(fix))
}

#[cfg(test)]
mod tests {
    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, scope};
    use super::*;

    fn checked(scope: &Scope, machine: &Machine) -> Vec<Severity> {
        check(scope, machine).iter().map(|finding| finding.severity).collect()
    }

    fn roomy() -> Machine {
        machine().with("neigh.default.gc_thresh2", 512).with("neigh.default.gc_thresh3", 1024)
    }

    #[test]
    fn a_table_that_fills_is_a_warning_and_external_entries_do_not_count() {
        let scope = scope(SysctlOwner::Daemon);
        assert_eq!(checked(&scope, &roomy().with_neighbours(358, false)), []);
        assert_eq!(checked(&scope, &roomy().with_neighbours(359, false)), [Severity::Warning]);
        assert_eq!(checked(&scope, &roomy().with_neighbours(5000, true)), [], "NTF_EXT_LEARNED");
    }

    #[test]
    fn more_hosts_than_capacity_are_a_warning_if_the_kernel_resolves_them() {
        let mut scope = scope(SysctlOwner::Daemon);
        for segment in &mut scope.segments {
            segment.plan.addresses.prefixes = vec!["10.9.0.0/22".parse().expect("a network")];
        }
        assert_eq!(checked(&scope, &roomy()), [Severity::Info]);
        scope.segments[0].plan.answer = AnswerMode::Kernel;
        assert_eq!(checked(&scope, &roomy()), [Severity::Warning]);
    }

    #[test]
    fn a_namespace_without_the_thresholds_is_reported() {
        assert_eq!(checked(&scope(SysctlOwner::Daemon), &machine()), [Severity::Info]);
    }
}
