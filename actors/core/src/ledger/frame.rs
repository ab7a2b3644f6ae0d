//! Questions and answers of ours, as frames.

use std::net::Ipv4Addr;

use super::Ledger;
use crate::arp::{Arp, Frame, Operation};
use crate::lladdr::LinkAddr;
use crate::order::{Order, Purpose};
use crate::plan::SegmentId;

impl Ledger {
    /// A question of ours. The sender is the segment's source; without one it is an address probe, which
    /// enters nobody's cache.
    pub(super) fn ask(
        &self,
        segment: SegmentId,
        target: Ipv4Addr,
        to: Option<LinkAddr>,
        purpose: Purpose,
        orders: &mut Vec<Order>,
    ) {
        let link = self.segment(segment);
        if !link.is_up() {
            return;
        }
        let arp = Arp {
            operation: Operation::Request,
            sender_lladdr: link.lladdr(),
            sender: link.source.unwrap_or(Ipv4Addr::UNSPECIFIED),
            target_lladdr: LinkAddr::UNKNOWN,
            target,
        };
        orders.push(Order::Transmit { segment, frame: Frame { to, arp }, purpose });
    }

    /// A proxied reply: the target is to be sent to us.
    pub(super) fn answer(
        &self,
        segment: SegmentId,
        target: Ipv4Addr,
        to: LinkAddr,
        asker: Ipv4Addr,
        orders: &mut Vec<Order>,
    ) {
        let arp = Arp {
            operation: Operation::Reply,
            sender_lladdr: self.segment(segment).lladdr(),
            sender: target,
            target_lladdr: to,
            target: asker,
        };
        orders.push(Order::Transmit {
            segment,
            frame: Frame { to: Some(to), arp },
            purpose: Purpose::Answer,
        });
    }
}
