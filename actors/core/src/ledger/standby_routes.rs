//! The routes of a standby: with a metric of their own, or none at all (`standby: { routes: … }`).

mod retraction;

use super::hosts::Hosts;
use super::key::Key;
use super::segment::{Segment, Voice};
use super::topology::Topology;
use crate::plan::StandbyRoutes;

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
