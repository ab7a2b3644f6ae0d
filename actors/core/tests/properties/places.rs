//! Where hosts are, as anybody can tell who reads the orders.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_core::event::DownReason;
use arpherd_core::order::Purpose;
use arpherd_core::plan::{DomainId, Plan};
use arpherd_core::{Event, LinkAddr, Order, SegmentId};

type Place = (SegmentId, LinkAddr);

/// The places of all hosts.
#[derive(Debug)]
pub(crate) struct Places {
    domains: Vec<DomainId>,
    hosts: BTreeMap<(DomainId, Ipv4Addr), Place>,
}

impl Places {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { domains: plan.segments.iter().map(|segment| segment.domain).collect(), hosts: BTreeMap::new() }
    }

    /// Follows the orders of one step. The word of a host's place may come after the answers it allows, so
    /// an answer is right if it is so for any place the host had during the step.
    pub(crate) fn follow(&mut self, orders: &[Order]) {
        let mut during: Vec<((DomainId, Ipv4Addr), Place)> =
            self.hosts.iter().map(|(key, place)| (*key, *place)).collect();
        for order in orders {
            if let Some((key, place)) = self.learn(order) {
                during.push((key, place));
            }
        }
        for order in orders {
            let Order::Transmit { segment, frame, purpose: Purpose::Answer } = order else { continue };
            let key = (self.domain(*segment), frame.arp.sender);
            let asker = frame.arp.target_lladdr;
            assert_eq!(frame.to, Some(asker), "an answer goes to the asker alone");
            let mut places = during.iter().filter(|(host, _)| *host == key);
            assert!(
                places.any(|(_, (at, lladdr))| at != segment && !lladdr.same_port(&asker)),
                "an answer on {segment:?} to {asker} for {key:?}, known at {:?}",
                self.hosts.get(&key)
            );
        }
    }

    fn domain(&self, segment: SegmentId) -> DomainId {
        self.domains[segment.index()]
    }

    fn learn(&mut self, order: &Order) -> Option<((DomainId, Ipv4Addr), Place)> {
        let (address, place) = match *order {
            Order::PutNeighbour { segment, address, lladdr } => (address, (segment, lladdr)),
            Order::Tell(ref event) => match *event {
                Event::HostFound { address, lladdr, segment }
                | Event::HostMoved { address, lladdr, segment, .. } => (address, (segment, lladdr)),
                Event::RouteAdopted { address, segment } => (address, (segment, LinkAddr::UNKNOWN)),
                Event::HostGone { address, segment, .. } => {
                    self.hosts.remove(&(self.domain(segment), address));
                    return None;
                }
                Event::SegmentDown { segment, reason } => {
                    if reason != DownReason::NoCarrier {
                        self.hosts.retain(|_, (at, _)| *at != segment);
                    }
                    return None;
                }
                _ => return None,
            },
            _ => return None,
        };
        let key = (self.domain(place.0), address);
        self.hosts.insert(key, place);
        Some((key, place))
    }
}
