//! Segments of one domain that take packets of different lengths.

use super::case::Case;
use super::finding::Finding;
use super::machine::Machine;

pub(super) fn check(case: &Case, machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (domain, segments) in case.domains() {
        let mut lengths: Vec<(u32, &str)> = segments
            .iter()
            .filter_map(|segment| machine.link(segment.interface()))
            .map(|link| (link.seen.mtu, link.seen.name.as_str()))
            .collect();
        lengths.sort_unstable();
        lengths.dedup();
        let (Some((least, _)), Some((most, longest))) = (lengths.first(), lengths.last()) else { continue };
        if least == most {
            continue;
        }
        let all: Vec<_> = lengths.iter().map(|(mtu, name)| format!("{name} {mtu}")).collect();
        findings.push(
            Finding::warning(domain, format!("MTUs differ: {}", all.join(", ")))
                .why(
                    "hosts take the whole subnet for one link of their own MTU; each longer packet has to \
                        be answered with \"fragmentation needed\", and hangs where ICMP is filtered",
                )
                .mend(format!(
                    "on the hosts of the longer segment, or here and there: ip link set dev {longest} mtu \
                        {least}; or clamp TCP: nft 'add rule inet filter forward tcp flags syn tcp option \
                        maxseg size set rt mtu'"
                )),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::case::Care;
    use super::super::finding::Severity;
    use super::super::testing::{case, machine};
    use super::*;

    #[test]
    fn different_mtus_in_a_domain_are_warned_of() {
        let case = case(Care::Daemon);
        assert_eq!(check(&case, &machine()), []);
        let findings = check(&case, &machine().change("eth1", |link| link.seen.mtu = 2044));
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].severity, findings[0].subject.as_str()), (Severity::Warning, "lan"));
        assert!(findings[0].found.contains("eth0 1500, eth1 2044"), "{}", findings[0].found);
        assert!(findings[0].mend.contains("ip link set dev eth1 mtu 1500"), "{}", findings[0].mend);
    }

    #[test]
    fn segments_of_different_domains_may_differ() {
        let mut case = case(Care::Daemon);
        case.segments[1].domain = "other".into();
        assert_eq!(check(&case, &machine().change("eth1", |link| link.seen.mtu = 9000)), []);
    }
}
