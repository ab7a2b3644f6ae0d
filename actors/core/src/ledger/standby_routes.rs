//! The routes of a standby: with a metric of their own, or none at all (`standby: { routes: … }`).

use std::num::NonZeroU32;

use super::effects::Effects;
use super::hosts::Hosts;
use super::installed::Installed;
use super::kernel_state::KernelState;
use super::key::Key;
use super::segment::{Segment, Voice};
use super::topology::Topology;
use crate::fact::KernelRoute;
use crate::lladdr::LinkAddr;
use crate::plan::StandbyRoutes;
use crate::write::Write;

/// What becomes of the routes of a segment's hosts while this machine is the standby; `None` while it is not.
pub(super) fn standby_routes(topology: &Topology, segment: &Segment) -> Option<StandbyRoutes> {
    let ha = topology.domain(segment.plan.domain).plan.ha?;
    (segment.voice == Voice::Standby).then_some(ha.standby_routes)
}

/// Whether the host is live and has no route all the same, because this machine is a standby without routes.
pub(super) fn is_withheld(key: &Key, hosts: &Hosts, topology: &Topology) -> bool {
    let segment = hosts.live_host(key).map(|host| topology.segment(host.segment));
    segment.is_some_and(|segment| standby_routes(topology, segment) == Some(StandbyRoutes::None))
}

impl KernelState {
    /// A standby's route and an active one's are two to the kernel: the one that is not wanted any more goes once the other
    /// stands. `stands`: the metric of the one that stands now, if one does and it is a standby's.
    pub(super) fn retract(
        &self,
        key: &Key,
        before: &Installed,
        stands: Option<Option<u32>>,
        effects: &mut Effects,
    ) {
        let is_kept = stands == Some(before.standby_metric());
        // Where none stands any more, one with the metric of all routes was deleted already.
        if !before.is_standing() || is_kept || stands.is_none() && before.standby_metric().is_none() {
            return;
        }
        let Some(interface) = before.interface().map(NonZeroU32::get) else { return };
        effects.write(Write::DeleteStray(KernelRoute {
            address: key.address,
            protocol: self.routes.protocol,
            metric: self.metric_of(before),
            interface,
            segment: None,
            source: None,
            lladdr: LinkAddr::UNKNOWN,
            next_hop: None,
            in_fabric_table: false,
        }));
    }

    /// The metric of a host's route: that of a standby's, or that of all others.
    pub(super) fn metric_of(&self, installed: &Installed) -> u32 {
        installed.standby_metric().unwrap_or(self.routes.metric)
    }
}
