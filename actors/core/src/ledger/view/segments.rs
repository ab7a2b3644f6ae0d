//! What operators are shown of the segments.

use crate::event::DownReason;
use crate::ledger::Ledger;
use crate::ledger::segment::Segment;
use crate::plan::DhcpRole;
use crate::view::{
    AnsweringView, CountersView, DhcpCountersView, Label, MeasuredView, SegmentView, SubnetView,
};

/// Where hosts live, by segment.
pub(in crate::ledger) fn places(ledger: &Ledger) -> Vec<SegmentView> {
    ledger.world.topology.segments().iter().map(|segment| segment_view(ledger, segment)).collect()
}

/// How a segment is, as far as the ledger knows.
pub(in crate::ledger) fn segment_view(ledger: &Ledger, segment: &Segment) -> SegmentView {
    let pace = ledger.world.pacing.pace(segment.id);
    SegmentView {
        domain: Label::from(ledger.world.topology.domain(segment.plan.domain).plan.name.as_str()),
        segment: Label::from(segment.plan.name.as_str()),
        interface: Label::from(segment.interface()),
        configured_interface: Label::from(segment.plan.interface.as_str()),
        kind: match (segment.plan.kind, &segment.link) {
            (None, None) => "auto".into(),
            _ => segment.kind().as_str().into(),
        },
        wifi: ledger.wifi.role(segment.id).map(|role| role.as_str().into()),
        state: segment.down.map_or("up", DownReason::as_str).into(),
        lladdr: segment.interface_lladdr(),
        answering: AnsweringView {
            answer: segment.plan.answer.as_str().into(),
            private_vlan: segment.plan.private_vlan.as_str().into(),
        },
        subnet: SubnetView {
            prefixes: segment.prefixes.clone(),
            gateway_lladdr: segment.shared_lladdr().filter(|_| segment.is_up()),
            unaddressed: ledger.world.addressed.unaddressed(segment.plan.domain).collect(),
            source: segment.source.address.filter(|_| segment.is_up()),
            publish: segment.plan.addresses.publish.clone(),
        },
        hosts: u64::from(ledger.world.hosts.live_on(segment.id)),
        measured: MeasuredView {
            suspects: u64::from(ledger.world.hosts.suspects_on(segment.id)),
            verify_waiting: u64::from(ledger.world.hosts.waiting_on(segment.id)),
            verify_late_seconds: pace.verification.lateness().as_secs(),
            latency: None,
            dhcp: has_dhcp(ledger, segment).then(DhcpCountersView::default),
            // Only the shell knows more.
            fast_answers: segment.plan.kernel.fast.then(|| "daemon".into()),
        },
        counters: CountersView {
            dropped: pace.shed,
            malformed: pace.multicast,
            mismatched: pace.mismatched,
            ..CountersView::default()
        },
        netns: None,
    }
}

/// Whether DHCP is relayed or read there.
fn has_dhcp(ledger: &Ledger, segment: &Segment) -> bool {
    let domain = &ledger.world.topology.domain(segment.plan.domain).plan;
    domain.dhcp.is_some() && segment.plan.dhcp.role != DhcpRole::Off
}
