//! Sources outside of their domain's prefixes.

use super::finding::Finding;
use super::scope::{CheckedSegment, Scope};

pub(super) fn check(scope: &Scope) -> impl Iterator<Item = Finding> + '_ {
    scope.segments.iter().filter(|segment| !segment.follows_addresses).flat_map(|it| on_segment(scope, it))
}

fn on_segment(scope: &Scope, segment: &CheckedSegment) -> Vec<Finding> {
    let members = scope.segments.iter().filter(|other| other.domain == segment.domain);
    let prefixes: Vec<_> = members.flat_map(|other| &other.plan.addresses.prefixes).collect();
    let is_outside = |source: &std::net::Ipv4Addr| !prefixes.iter().any(|prefix| prefix.contains(*source));
    let outside = segment.plan.sources.iter().copied().filter(is_outside);
    let finding = |source| {
        Finding::warning(segment.interface(), format!("source {source} is outside the domain's prefixes"))
            .why(
                "hosts without a route to it do not answer it, so each is asked twice, in its name and in nobody's \
                    (0.0.0.0), and cannot answer this machine's own packets",
            )
            .fix(format!(
                "on the hosts: a route to {source}; or set a source: inside the prefixes, if this machine has one"
            ))
    };
    outside.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::scope::SysctlOwner;
    use super::super::testing::scope;
    use super::*;

    #[test]
    fn a_source_outside_of_all_prefixes_of_the_domain_is_reported() {
        let mut scope = scope(SysctlOwner::Daemon);
        // A part of the subnet on one segment has its source in the rest.
        scope.segments[0].plan.addresses.prefixes = vec!["10.9.0.128/25".parse().expect("a network")];
        scope.segments[0].plan.sources = vec![[10, 9, 0, 1].into()];
        assert_eq!(check(&scope).count(), 0);
        scope.segments[1].plan.sources = vec![[10, 9, 0, 1].into(), [192, 0, 2, 1].into()];
        let findings: Vec<_> = check(&scope).collect();
        assert_eq!(findings.len(), 1);
        assert!(findings[0].found.contains("192.0.2.1 is outside"));
    }
}
