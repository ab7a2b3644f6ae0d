//! The shared link-layer address in the kernel, and where it cannot be had: see `shared_lladdr.rs`.

use super::effects::Effects;
use super::topology::Topology;
use crate::event::Event;
use crate::lladdr::LinkAddr;
use crate::plan::{LinkKind, SegmentId};
use crate::write::Write;

/// Brings the kernel to what was decided for the segment. Where the interface's kind cannot have the address that is
/// reported: a Wi-Fi station's frames must bear its own, and one of IPoIB is not ours to choose.
pub(super) fn follow_shared_lladdr(topology: &mut Topology, id: SegmentId, effects: &mut Effects) {
    let segment = topology.segment_mut(id);
    let Some(lladdr) = segment.shared.configured else { return };
    let keeps = segment.keeps_kernel_state();
    let link = segment.link.as_ref().map(|link| (link.index, link.lladdr));
    let (gone, put) = segment.shared.follow(link, keeps);
    if let Some(interface) = gone {
        effects.write(Write::DeleteSharedLladdr { interface, lladdr });
    }
    if let Some((interface, own)) = put {
        effects.write(Write::PutSharedLladdr { interface, lladdr, own });
    }
    let (kind, index) = (segment.kind(), segment.index().filter(|_| segment.is_up()));
    if kind != LinkKind::Ethernet && index.is_some_and(|index| segment.shared.is_unreported(index)) {
        let reason = format!("an interface of kind {} has one address only", kind.as_str());
        effects.emit(Event::GatewayLladdrRefused { segment: id, lladdr, reason });
    }
}

/// The kernel does not take the shared address on an interface. Returns the segments that go on with the interface's
/// own from now on.
pub(super) fn shared_lladdr_refused(
    topology: &mut Topology,
    interface: u32,
    lladdr: LinkAddr,
    reason: &str,
    effects: &mut Effects,
) -> Vec<SegmentId> {
    let mut refused = ids(topology);
    refused.retain(|id| topology.segment_mut(*id).shared.refuse(interface, &lladdr));
    for &segment in &refused {
        effects.emit(Event::GatewayLladdrRefused { segment, lladdr, reason: reason.to_owned() });
    }
    refused
}

/// Takes the address from the interfaces of these segments.
pub(super) fn drop_shared_lladdrs(
    topology: &mut Topology,
    fits: impl Fn(SegmentId) -> bool,
    effects: &mut Effects,
) {
    for id in ids(topology).into_iter().filter(|id| fits(*id)) {
        let shared = &mut topology.segment_mut(id).shared;
        if let (Some(interface), Some(lladdr)) = (shared.drop_written(), shared.configured) {
            effects.write(Write::DeleteSharedLladdr { interface, lladdr });
        }
    }
}

fn ids(topology: &Topology) -> Vec<SegmentId> {
    topology.segments().iter().map(|segment| segment.id).collect()
}
