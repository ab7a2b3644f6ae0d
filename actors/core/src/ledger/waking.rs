//! Wake-on-LAN: a magic packet for a machine that sleeps.
//!
//! Who sleeps answers no probe, so its route has gone long ago: what counts is where it was last.

use super::effects::Effects;
use super::key::Key;
use super::operator::{Operator, domains_of};
use super::world::World;
use crate::lladdr::LinkAddr;
use crate::order::Order;
use crate::plan::{DomainId, LinkKind, SegmentId};
use crate::view::{Label, WokenView};
use crate::wake::Sleeper;

impl Operator<'_> {
    /// What [`crate::Fact::WakeRequested`] would come to now: of a host, a row for each domain that the address lies in; of
    /// a station, one for each segment.
    pub fn judge_wake(&self, sleeper: Sleeper) -> Vec<WokenView> {
        let world = &self.ledger().world;
        places(world, sleeper).into_iter().map(|place| place.view(world)).collect()
    }
}

/// Sends a magic packet wherever the sleeper may be.
pub(super) fn wake(sleeper: Sleeper, world: &World, effects: &mut Effects) {
    for place in places(world, sleeper) {
        if let Place { segment: Some(segment), station: Some(station), obstacle: None, .. } = place {
            effects.order(Order::SendMagicPacket { segment, station });
        }
    }
}

/// A place of a sleeper, and why it cannot be woken there.
struct Place {
    domain: DomainId,
    segment: Option<SegmentId>,
    station: Option<LinkAddr>,
    obstacle: Option<&'static str>,
}

impl Place {
    fn on(world: &World, domain: DomainId, id: SegmentId, station: LinkAddr) -> Self {
        let segment = world.topology.segment(id);
        let obstacle = if segment.kind() == LinkKind::Ipoib || station.len() != 6 {
            Some("infiniband")
        } else if !segment.is_up() {
            Some("segment_down")
        } else {
            None
        };
        Self { domain, segment: Some(id), station: Some(station), obstacle }
    }

    fn view(self, world: &World) -> WokenView {
        let segment = self.segment.map(|id| world.topology.segment(id));
        WokenView {
            domain: Label::from(world.topology.domain(self.domain).plan.name.as_str()),
            segment: segment.map(|it| Label::from(it.plan.name.as_str())),
            interface: segment.map(|it| Label::from(it.interface())),
            lladdr: self.station,
            outcome: self.obstacle.unwrap_or("sent").into(),
            netns: None,
        }
    }
}

fn places(world: &World, sleeper: Sleeper) -> Vec<Place> {
    let topology = &world.topology;
    match sleeper {
        Sleeper::Host(address) => {
            let place = |domain| {
                let key = Key { domain, address };
                let nowhere = |why| Place { domain, segment: None, station: None, obstacle: Some(why) };
                if topology.is_own(address) {
                    return nowhere("own_address");
                }
                match world.hosts.last_place(&key) {
                    // A reload may have taken its segment away.
                    Some((segment, station)) if topology.planned(segment).is_some() => {
                        Place::on(world, domain, segment, station)
                    }
                    _ => nowhere("unknown"),
                }
            };
            domains_of(topology, address).into_iter().map(place).collect()
        }
        Sleeper::Station(station) => {
            let domains = (0..).map(DomainId).take(topology.domains.len());
            let on =
                |domain| topology.members(domain).map(move |it| Place::on(world, domain, it.id, station));
            domains.flat_map(on).collect()
        }
    }
}
