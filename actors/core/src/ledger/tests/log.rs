//! What a ledger ordered and when, with the requests tests ask of it.

use std::net::Ipv4Addr;

use super::bench::{interface, ip, segment_at};
use crate::order::{Order, Purpose};
use crate::{Event, Fact, Frame, LinkAddr, SegmentId, Time, Write};

/// Orders with the times they were given at.
#[derive(Debug, Default)]
pub(super) struct Log(Vec<(Time, Order)>);

impl Log {
    pub(super) fn extend(&mut self, at: Time, step: impl FnOnce(&mut Vec<Order>)) {
        let mut orders = Vec::new();
        step(&mut orders);
        self.0.extend(orders.into_iter().map(|order| (at, order)));
    }

    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn orders(&self) -> Vec<Order> {
        self.pick(|order| Some(order.clone()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn pick<T>(&self, wanted: impl Fn(&Order) -> Option<T>) -> Vec<T> {
        self.0.iter().filter_map(|(_, order)| wanted(order)).collect()
    }

    /// Orders about host routes.
    pub(super) fn routes(&self) -> Vec<Order> {
        let is_route = |order: &Order| {
            matches!(
                order,
                Order::Write(Write::PutRoute { .. } | Write::DeleteRoute { .. } | Write::DeleteStray(_))
            )
        };
        self.pick(|order| is_route(order).then(|| order.clone()))
    }

    /// Orders about neighbour entries.
    pub(super) fn neighbours(&self) -> Vec<Order> {
        let is_entry = |order: &Order| {
            matches!(order, Order::Write(Write::PutNeighbour { .. } | Write::DeleteNeighbour { .. }))
        };
        self.pick(|order| is_entry(order).then(|| order.clone()))
    }

    /// Orders about proxy entries of the kernel: where, for whom, and whether there is to be one.
    pub(super) fn entries(&self) -> Vec<(SegmentId, Ipv4Addr, bool)> {
        self.pick(|order| match *order {
            Order::Write(Write::PutProxy { interface, address }) => {
                Some((segment_at(interface), address, true))
            }
            Order::Write(Write::DeleteProxy { interface, address }) => {
                Some((segment_at(interface), address, false))
            }
            _ => None,
        })
    }

    /// The kernel is to be asked for a route: from whom and to whom.
    pub(super) fn lookups(&self) -> Vec<(SegmentId, Ipv4Addr, Ipv4Addr)> {
        self.pick(|order| match *order {
            Order::LookUpRoute { request, .. } => Some((request.segment, request.requester, request.target)),
            _ => None,
        })
    }

    /// The stations of an access point are to be read.
    pub(super) fn lists(&self) -> Vec<SegmentId> {
        self.pick(|order| if let Order::ReadStations { segment } = order { Some(*segment) } else { None })
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.pick(|order| if let Order::Emit(event) = order { Some(event.clone()) } else { None })
    }

    /// Frames of one sort: where, and what.
    pub(super) fn frames(&self, sort: Purpose) -> Vec<(SegmentId, Frame)> {
        self.pick(|order| match order {
            Order::Transmit { segment, frame, purpose } if *purpose == sort => Some((*segment, *frame)),
            _ => None,
        })
    }

    /// Proxied replies: where, for which target, to which station.
    pub(super) fn answers(&self) -> Vec<(SegmentId, Ipv4Addr, LinkAddr)> {
        let told =
            |(segment, frame): (SegmentId, Frame)| (segment, frame.arp.sender, frame.arp.target_lladdr);
        self.frames(Purpose::Answer).into_iter().map(told).collect()
    }

    /// Requests about known hosts: where, for which address, and to which station, or to all.
    pub(super) fn verifications(&self) -> Vec<(SegmentId, Ipv4Addr, Option<LinkAddr>)> {
        let told = |(segment, frame): (SegmentId, Frame)| (segment, frame.arp.target, frame.to);
        self.frames(Purpose::Verify).into_iter().map(told).collect()
    }

    /// Searches for unknown targets: where, and for which.
    pub(super) fn searches(&self) -> Vec<(SegmentId, Ipv4Addr)> {
        let told = |(segment, frame): (SegmentId, Frame)| (segment, frame.arp.target);
        self.frames(Purpose::Search).into_iter().map(told).collect()
    }

    /// Announcements: where, and of which address.
    pub(super) fn announcements(&self) -> Vec<(SegmentId, Ipv4Addr)> {
        let told = |(segment, frame): (SegmentId, Frame)| (segment, frame.arp.sender);
        self.frames(Purpose::Announce).into_iter().map(told).collect()
    }

    /// Unicast announcements: where, to which station, of which address, and at which link-layer address.
    pub(super) fn corrections(&self) -> Vec<(SegmentId, LinkAddr, Ipv4Addr, LinkAddr)> {
        let told = |(segment, frame): (SegmentId, Frame)| {
            let to = frame.to.expect("a correction is for one station");
            (segment, to, frame.arp.sender, frame.arp.sender_lladdr)
        };
        self.frames(Purpose::Correct).into_iter().map(told).collect()
    }

    /// When frames of one sort were sent, in milliseconds since `start`.
    pub(super) fn millis_of(&self, sort: Purpose, start: Time) -> Vec<u128> {
        let is_wanted = |order: &Order| matches!(order, Order::Transmit { purpose, .. } if *purpose == sort);
        self.0
            .iter()
            .filter(|(_, order)| is_wanted(order))
            .map(|(at, _)| at.since(start).as_millis())
            .collect()
    }

    /// When an event was told, in milliseconds since `start`.
    pub(super) fn millis_of_event(&self, start: Time, wanted: impl Fn(&Event) -> bool) -> Option<u128> {
        let is_wanted = |order: &Order| matches!(order, Order::Emit(event) if wanted(event));
        self.0.iter().find(|(_, order)| is_wanted(order)).map(|(at, _)| at.since(start).as_millis())
    }
}

/// A first route to `10.0.0.last`.
pub(super) fn put(segment: SegmentId, last: u8) -> Order {
    Order::Write(Write::PutRoute {
        interface: interface(segment),
        address: ip(last),
        source: Some(ip(1)),
        replace: false,
    })
}

/// A first route to any address, with this source.
pub(super) fn put_with_source(segment: SegmentId, address: Ipv4Addr, source: Ipv4Addr) -> Order {
    let interface = interface(segment);
    Order::Write(Write::PutRoute { interface, address, source: Some(source), replace: false })
}

/// A route to `10.0.0.last` in place of one that may stand.
pub(super) fn replace(segment: SegmentId, last: u8) -> Order {
    Order::Write(Write::PutRoute {
        interface: interface(segment),
        address: ip(last),
        source: Some(ip(1)),
        replace: true,
    })
}

pub(super) fn delete(segment: SegmentId, last: u8) -> Order {
    Order::Write(Write::DeleteRoute { interface: interface(segment), address: ip(last) })
}

pub(super) fn put_neighbour(segment: SegmentId, last: u8, lladdr: LinkAddr) -> Order {
    Order::Write(Write::PutNeighbour { interface: interface(segment), address: ip(last), lladdr })
}

pub(super) fn delete_neighbour(segment: SegmentId, last: u8) -> Order {
    Order::Write(Write::DeleteNeighbour { interface: interface(segment), address: ip(last) })
}

/// The kernel refuses a write.
pub(super) fn refused(order: &Order, errno: i32) -> Fact {
    let Order::Write(write) = *order else { panic!("only writes are refused") };
    Fact::WriteRefused { write, errno, reason: "no room".to_owned() }
}
