//! What one message's orders add up to: writes for the kernel's tables, frames for the links, words for
//! other actors.

use std::net::Ipv4Addr;
use std::sync::Arc;

use actix::Recipient;
use arpherd_core::order::Purpose;
use arpherd_core::{Fact, Frame, Ledger, LinkAddr, Operation, Order, SegmentId};

use crate::io::{FramePort, Refusal, RouteTable, Tally, Write};
use crate::messages::{Counters, Found, Outlet, ReadStations, ReadTable, SweepOn};

/// Where the route owner's orders for a segment go.
pub struct Hands {
    /// The sweep actor, if the segment is swept.
    pub sweep: Option<(Recipient<SweepOn>, Recipient<Found>)>,
    /// What is counted there.
    pub counters: Arc<Counters>,
}

/// Orders, sorted by who carries them out.
#[derive(Default)]
pub(crate) struct Errands {
    /// Routes, and what else must stand before anybody is told of it.
    pub(crate) writes: Vec<Write>,
    /// Neighbour entries: they save the first packet a question, and can wait until a burst of newcomers has
    /// its routes.
    pub(crate) later: Vec<Write>,
    /// Ways of packets to be asked of the kernel, once the routes are written.
    pub(crate) finds: Vec<Find>,
    hands: Vec<Hands>,
    outboxes: Vec<Outbox>,
    watch: Option<Recipient<ReadTable>>,
    air: Option<Recipient<ReadStations>>,
}

/// A question where the kernel would forward a packet to.
pub(crate) struct Find {
    segment: SegmentId,
    /// The segment's; without one the packet cannot have come in.
    interface: Option<u32>,
    asker: Ipv4Addr,
    asker_lladdr: LinkAddr,
    target: Ipv4Addr,
}

impl Find {
    /// Asks, and makes a fact of the answer.
    pub(crate) fn ask(self, table: &mut dyn RouteTable) -> Fact {
        let Self { segment, interface, asker, asker_lladdr, target } = self;
        let interface = interface.and_then(|interface| table.lookup_route(interface, asker, target));
        Fact::RouteFound { segment, asker, asker_lladdr, target, interface }
    }
}

/// What goes to one segment.
#[derive(Default)]
struct Outbox {
    /// Through what frames go; `None` while there is no link.
    port: Option<Box<dyn FramePort>>,
    tally: Tally,
    frames: Vec<Frame>,
    found: Vec<Ipv4Addr>,
    answered: u64,
    probed: u64,
    verified: u64,
}

impl Errands {
    /// Learns who its hands are, by segment.
    pub(crate) fn meet(
        &mut self,
        hands: Vec<Hands>,
        watch: Recipient<ReadTable>,
        air: Option<Recipient<ReadStations>>,
    ) {
        self.outboxes.resize_with(hands.len(), Outbox::default);
        self.hands = hands;
        self.watch = Some(watch);
        self.air = air;
    }

    pub(crate) fn hands(&self) -> &[Hands] {
        &self.hands
    }

    /// Puts an order where its like are carried out together.
    pub(crate) fn sort(&mut self, ledger: &Ledger, order: &Order) {
        match *order {
            Order::PutRoute { segment, address, source, replace } => {
                if let Some(interface) = ledger.interface(segment) {
                    self.writes.push(Write::PutRoute { interface, address, source, replace });
                }
            }
            Order::DeleteRoute { segment, address } => {
                if let Some(interface) = ledger.interface(segment) {
                    self.writes.push(Write::DeleteRoute { interface, address });
                }
            }
            Order::DeleteStray(seen) => self.writes.push(Write::DeleteStray(seen)),
            Order::PutCover { prefix, .. } => self.writes.push(Write::PutCover { prefix }),
            Order::DeleteCover { prefix, .. } => self.writes.push(Write::DeleteCover { prefix }),
            Order::PutNeighbour { segment, address, lladdr } => {
                if let Some(interface) = ledger.interface(segment) {
                    self.later.push(Write::PutNeighbour { interface, address, lladdr });
                }
            }
            Order::DeleteNeighbour { segment, address } => {
                if let Some(interface) = ledger.interface(segment) {
                    self.later.push(Write::DeleteNeighbour { interface, address });
                }
            }
            Order::PutProxy { segment, address } => {
                if let Some(interface) = ledger.interface(segment) {
                    self.writes.push(Write::PutProxy { interface, address });
                }
            }
            Order::DeleteProxy { segment, address } => {
                if let Some(interface) = ledger.interface(segment) {
                    self.writes.push(Write::DeleteProxy { interface, address });
                }
            }
            Order::FindRoute { segment, asker, asker_lladdr, target } => {
                let interface = ledger.interface(segment);
                self.finds.push(Find { segment, interface, asker, asker_lladdr, target });
            }
            Order::Transmit { segment, frame, purpose } => {
                if let Some(outbox) = self.outboxes.get_mut(segment.index()) {
                    outbox.frames.push(frame);
                    match purpose {
                        Purpose::Answer => outbox.answered += 1,
                        Purpose::Search => outbox.probed += 1,
                        Purpose::Verify => {
                            outbox.probed += 1;
                            outbox.verified += 1;
                        }
                        Purpose::Announce => {}
                    }
                }
            }
            Order::Found { segment, address } => {
                if let Some(outbox) = self.outboxes.get_mut(segment.index()) {
                    outbox.found.push(address);
                }
            }
            Order::Sweep { segment, active } => {
                if let Some(Hands { sweep: Some((sweep, _)), .. }) = self.hands.get(segment.index()) {
                    sweep.do_send(SweepOn(active));
                }
            }
            Order::ReadTable => {
                if let Some(watch) = &self.watch {
                    watch.do_send(ReadTable);
                }
            }
            Order::ReadStations { segment } => {
                if let Some(air) = &self.air {
                    air.do_send(ReadStations(segment));
                }
            }
            Order::Tell(_) => {}
        }
    }

    /// A link can be sent on from now on, or no longer.
    pub(crate) fn set_outlet(&mut self, Outlet { segment, port }: Outlet) {
        if let Some(outbox) = self.outboxes.get_mut(segment.index()) {
            outbox.port = port;
        }
    }

    /// Takes back the answers that rest on routes the kernel has just refused.
    pub(crate) fn take_back(&mut self, refusals: &[Refusal]) {
        for refusal in refusals {
            let Write::PutRoute { address, .. } = refusal.write else { continue };
            for outbox in &mut self.outboxes {
                let before = outbox.frames.len();
                let rests_on_it =
                    |frame: &Frame| frame.arp.operation == Operation::Reply && frame.arp.sender == address;
                outbox.frames.retain(|frame| !rests_on_it(frame));
                outbox.answered -= (before - outbox.frames.len()) as u64;
            }
        }
    }

    /// Sends the frames, and tells the sweeps what was found.
    pub(crate) fn send_out(&mut self) {
        for (outbox, hands) in self.outboxes.iter_mut().zip(&self.hands) {
            if !outbox.frames.is_empty() {
                outbox.transmit(&hands.counters);
            }
            if !outbox.found.is_empty() {
                let found = std::mem::take(&mut outbox.found);
                if let Some((_, sweep)) = &hands.sweep {
                    sweep.do_send(Found(found));
                }
            }
        }
    }
}

impl Outbox {
    /// What cannot be sent is dropped and counted, as on any link: whoever asked asks again.
    fn transmit(&mut self, counters: &Counters) {
        let before = self.tally.unsent;
        // A link that is down is told by the watch; the frames are counted as unsent.
        if let Some(port) = &mut self.port
            && port.send(&self.frames, &mut self.tally).is_ok()
        {
            Counters::add(&counters.answered, self.answered);
            Counters::add(&counters.probed, self.probed);
            Counters::add(&counters.verified, self.verified);
        }
        let lost = if self.port.is_some() { self.tally.unsent - before } else { self.frames.len() as u64 };
        Counters::add(&counters.dropped, lost);
        (self.answered, self.probed, self.verified) = (0, 0, 0);
        self.frames.clear();
    }
}
