//! Clusters at multicast link-layer addresses, which the configuration names as static hosts or pins.

use std::net::Ipv4Addr;

use arpherd_core::LinkAddr;

use super::finding::Finding;
use super::scope::{CheckedSegment, Scope};

pub(super) fn check(scope: &Scope) -> impl Iterator<Item = Finding> + '_ {
    scope.segments.iter().flat_map(on_segment)
}

fn on_segment(segment: &CheckedSegment) -> Vec<Finding> {
    let rules = &segment.plan.addresses;
    let named = rules.hosts.iter().chain(&rules.pins).filter(|(_, lladdr)| lladdr.is_multicast());
    let finding = |(address, lladdr): (&Ipv4Addr, &LinkAddr)| {
        Finding::warning(segment.interface(), format!("{address} is at the multicast address {lladdr}"))
            .why(
                "hosts and routers that keep to RFC 1812 (section 3.3.2) do not believe it, and switches send its \
                    frames to every port",
            )
            .fix("let the cluster use unicast mode, or IGMP; here nothing needs to be done")
    };
    named.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::scope::SysctlOwner;
    use super::super::testing::scope;
    use super::*;

    #[test]
    fn a_cluster_at_a_multicast_address_is_reported() {
        let mut scope = scope(SysctlOwner::Daemon);
        assert_eq!(check(&scope).count(), 0);
        let rules = &mut scope.segments[0].plan.addresses;
        rules.hosts.insert([10, 9, 0, 8].into(), LinkAddr::ethernet([2, 0, 0, 0, 0, 8]));
        rules.pins.insert([10, 9, 0, 9].into(), LinkAddr::ethernet([3, 0xbf, 10, 9, 0, 9]));
        let findings: Vec<_> = check(&scope).collect();
        assert_eq!(findings.len(), 1);
        assert!(findings[0].found.contains("10.9.0.9 is at the multicast address 03:bf:0a:09:00:09"));
    }
}
