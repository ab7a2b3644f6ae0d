//! Room in the kernel's neighbour table.

use arpherd_actors::io::sysctl::Setting;
use arpherd_actors::required_sysctls::GC_THRESH;
use arpherd_core::plan::AnswerMode;

use super::case::Case;
use super::finding::{Finding, Severity};
use super::machine::Machine;

/// `NUD_NOARP | NUD_PERMANENT` (linux/neighbour.h): entries that the kernel does not count.
const LASTING: u16 = 0x40 | 0x80;

pub(super) fn check(case: &Case, machine: &Machine) -> Vec<Finding> {
    let threshold =
        |key| machine.setting(&Setting::neigh("default", key)).and_then(|value| u64::try_from(value).ok());
    let (Some(soft), Some(hard)) = (threshold("gc_thresh2"), threshold("gc_thresh3")) else {
        let found = "gc_thresh1..3 can be read in the initial network namespace only";
        return vec![
            Finding::info("neighbours", found)
                .why(GC_THRESH)
                .mend("there: sysctl net.ipv4.neigh.default.gc_thresh2"),
        ];
    };
    let counted =
        machine.neighbours.iter().filter(|entry| !entry.learned_elsewhere && entry.state & LASTING == 0);
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
                    "above gc_thresh2 entries are thrown away after 5 s, and at gc_thresh3 new neighbours \
                        are refused (\"neighbour table overflow\"); all network namespaces count together",
                )
                .mend(larger(used)),
        );
    }
    findings.extend(expected(case, most, soft, larger));
    findings
}

/// Hosts that may come, against the room there is.
fn expected(case: &Case, most: u64, soft: u64, larger: impl Fn(u64) -> String) -> Option<Finding> {
    let limit: u64 = case.segments.iter().map(|segment| u64::from(segment.plan.limits.hosts)).sum();
    let addresses: u64 = case.prefixes().iter().map(|prefix| u64::from(prefix.size())).sum();
    let hosts = addresses.min(limit);
    if hosts <= most {
        return None;
    }
    let kernel_asks = case.segments.iter().any(|segment| segment.plan.answer == AnswerMode::Kernel);
    let severity = if kernel_asks { Severity::Warning } else { Severity::Info };
    let found = format!("up to {hosts} hosts in the prefixes, gc_thresh2 = {soft}");
    let why = if kernel_asks {
        "where the kernel answers, it also looks for hosts by itself, an entry each; more than gc_thresh2 \
            are thrown away again"
    } else {
        GC_THRESH
    };
    let mend = if kernel_asks {
        larger(hosts)
    } else {
        format!("only if other programs sweep the prefixes: {}", larger(hosts))
    };
    Some(Finding::info("neighbours", found).weighing(severity).why(why).mend(mend))
}

#[cfg(test)]
mod tests {
    use super::super::case::Care;
    use super::super::testing::{case, machine};
    use super::*;

    fn told(case: &Case, machine: &Machine) -> Vec<Severity> {
        check(case, machine).iter().map(|finding| finding.severity).collect()
    }

    fn roomy() -> Machine {
        machine().with("neigh.default.gc_thresh2", 512).with("neigh.default.gc_thresh3", 1024)
    }

    #[test]
    fn a_table_that_fills_is_warned_of_and_our_entries_do_not_fill_it() {
        let case = case(Care::Daemon);
        assert_eq!(told(&case, &roomy().with_neighbours(358, false)), []);
        assert_eq!(told(&case, &roomy().with_neighbours(359, false)), [Severity::Warning]);
        assert_eq!(told(&case, &roomy().with_neighbours(5000, true)), [], "learned from outside");
    }

    #[test]
    fn more_hosts_than_room_matter_if_the_kernel_asks_for_them() {
        let mut case = case(Care::Daemon);
        for segment in &mut case.segments {
            segment.plan.addresses.prefixes = vec!["10.9.0.0/22".parse().expect("a network")];
        }
        assert_eq!(told(&case, &roomy()), [Severity::Info]);
        case.segments[0].plan.answer = AnswerMode::Kernel;
        assert_eq!(told(&case, &roomy()), [Severity::Warning]);
    }

    #[test]
    fn a_namespace_that_does_not_show_the_thresholds_is_told() {
        assert_eq!(told(&case(Care::Daemon), &machine()), [Severity::Info]);
    }
}
