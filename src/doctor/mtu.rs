//! Segments of one domain with different MTUs.

use super::finding::Finding;
use super::machine::Machine;
use super::scope::Scope;

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (domain, segments) in scope.domains() {
        let mut lengths: Vec<(u32, &str)> = segments
            .iter()
            .filter_map(|segment| machine.link(segment.interface()))
            .map(|link| (link.info.mtu, link.info.name.as_str()))
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
                    "hosts assume their own MTU for the whole subnet; longer packets cause \"fragmentation \
                        needed\", and connections hang where ICMP is filtered",
                )
                .fix(format!(
                    "here and on the hosts of the segment: ip link set dev {longest} mtu {least}; or clamp TCP: nft 'add rule inet filter forward tcp flags syn tcp option \
                        maxseg size set rt mtu'"
                )),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, scope};
    use super::*;

    #[test]
    fn different_mtus_in_a_domain_are_a_warning() {
        let scope = scope(SysctlOwner::Daemon);
        assert_eq!(check(&scope, &machine()), []);
        let findings = check(&scope, &machine().change("eth1", |link| link.info.mtu = 2044));
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].severity, findings[0].subject.as_str()), (Severity::Warning, "lan"));
        assert!(findings[0].found.contains("eth0 1500, eth1 2044"), "{}", findings[0].found);
        assert!(findings[0].fix.contains("ip link set dev eth1 mtu 1500"), "{}", findings[0].fix);
    }

    #[test]
    fn segments_of_different_domains_may_differ() {
        let mut scope = scope(SysctlOwner::Daemon);
        scope.segments[1].domain = "other".into();
        assert_eq!(check(&scope, &machine().change("eth1", |link| link.info.mtu = 9000)), []);
    }
}
