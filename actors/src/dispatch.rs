//! The dispatcher: collects the orders of one step, by who carries them out.
//!
//! Writes and route lookups are collected for the route owner, which carries them out itself; frames are
//! collected for each segment and sent together; the rest are messages to other actors.

mod outbox;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Weak};

use actix::Recipient;
use arpherd_core::memory::RememberedLease;
use arpherd_core::order::Purpose;
use arpherd_core::{DomainId, Frame, LinkAddr, Order, SegmentId, Write};

use outbox::Outbox;

use crate::counters::Counters;
use crate::fast_batch::FastBatch;
use crate::io::Refusal;
use crate::messages::{HostsSeen, KeepLease, ReadStations, ReadTable, SendPort, SetSweep, SettlePackets};
use crate::peer::Peer;
use crate::table_writer::{Pending, PendingLookup, is_for_refused};

/// Frames that wait for writes to the kernel's tables at the most. Others are dropped and counted.
const MOST_HELD: usize = 4096;

/// The recipients of a segment's orders, beside the port on which frames are sent.
pub struct SegmentSinks {
    /// The sweep actor, if the segment is swept.
    pub sweep: Option<(Peer<SetSweep>, Peer<HostsSeen>)>,
    /// The segment's counters.
    pub counters: Arc<Counters>,
}

/// Collects orders, and carries out those that need no kernel table.
#[derive(Default)]
pub(crate) struct Dispatcher {
    /// Writes that must stand before any frame is sent, such as routes.
    pub(crate) urgent: Vec<Write>,
    /// Writes that may wait until a burst of frames was read, such as neighbour entries: they only save the
    /// kernel a request.
    pub(crate) deferred: Vec<Write>,
    /// Routes to look up in the kernel after the writes.
    pub(crate) lookups: Vec<PendingLookup>,
    /// Writes to the program that answers inside the kernel.
    pub(crate) fast: FastBatch,
    /// Hosts of which is to be read when it heard them, after the writes.
    pub(crate) heard_in_kernel: Vec<(DomainId, Ipv4Addr)>,
    /// By segment; none for one that is retired.
    sinks: Vec<Option<SegmentSinks>>,
    outboxes: Vec<Outbox>,
    /// Segments whose outboxes have something, in the order in which they got it: of thousands mostly one or two have.
    filled: Vec<SegmentId>,
    /// Frames that wait for writes to the kernel's tables, by the number of the batch.
    held: BTreeMap<u64, Vec<HeldFrame>>,
    /// How many.
    held_count: usize,
    watch: Option<Recipient<ReadTable>>,
    wifi: Option<Recipient<ReadStations>>,
    /// Targets whose held packets are settled.
    packets: Vec<(Ipv4Addr, Option<u32>)>,
    cover: Option<Recipient<SettlePackets>>,
    leases: Option<Recipient<KeepLease>>,
}

impl Dispatcher {
    /// Sets the recipients of orders; `sinks` by segment.
    pub(crate) fn connect(
        &mut self,
        sinks: Vec<Option<SegmentSinks>>,
        watch: Recipient<ReadTable>,
        wifi: Option<Recipient<ReadStations>>,
        cover: Option<Recipient<SettlePackets>>,
        leases: Option<Recipient<KeepLease>>,
    ) {
        self.replan(sinks);
        self.watch = Some(watch);
        self.wifi = wifi;
        self.cover = cover;
        self.leases = leases;
    }

    /// These are the segments' recipients from now on. Ports of those that stay are kept.
    pub(crate) fn replan(&mut self, sinks: Vec<Option<SegmentSinks>>) {
        self.outboxes.resize_with(sinks.len(), Outbox::default);
        for (outbox, _) in self.outboxes.iter_mut().zip(&sinks).filter(|(_, sinks)| sinks.is_none()) {
            *outbox = Outbox::default();
        }
        self.sinks = sinks;
    }

    /// By segment; none for one that is retired.
    pub(crate) fn sinks(&self) -> &[Option<SegmentSinks>] {
        &self.sinks
    }

    /// Sets or removes the port on which a segment's frames are sent. Those that wait are of the link that was there before.
    pub(crate) fn set_send_port(&mut self, SendPort { segment, port }: SendPort) {
        for held in self.held.values_mut() {
            held.retain(|held| held.segment != segment);
        }
        self.held_count = self.held.values().map(Vec::len).sum();
        if let Some(outbox) = self.outboxes.get_mut(segment.index()) {
            outbox.port = port;
        }
    }

    /// Has hosts that are seen reported to the segment's sweep as long as that keeps what this points to.
    pub(crate) fn report_hosts(&mut self, segment: SegmentId, wants_hosts: Weak<()>) {
        if let Some(outbox) = self.outboxes.get_mut(segment.index()) {
            outbox.sweep_wants_hosts = wants_hosts;
        }
    }

    /// Collects an order, or sends the message that carries it out. Events are left to the caller.
    pub(crate) fn collect(&mut self, order: &Order) {
        match *order {
            Order::KeepLease(ref lease) => {
                self.keep_lease(lease.address, &lease.interface, Some(lease.clone()));
            }
            Order::DropLease { address, ref interface } => self.keep_lease(address, interface, None),
            Order::Write(write) if write.is_fast() => self.fast.collect(write),
            Order::ReadHeard { domain, address } => self.heard_in_kernel.push((domain, address)),
            Order::Write(write) if write.is_urgent() => self.urgent.push(write),
            Order::Write(write) => self.deferred.push(write),
            Order::LookUpRoute { interface, request } => {
                self.lookups.push(PendingLookup { interface, request });
            }
            Order::Transmit { segment, frame, purpose } => {
                if let Some(outbox) = self.outbox(segment) {
                    outbox.push(frame, purpose);
                }
            }
            Order::SendMagicPacket { segment, station } => self.send_magic_packet(segment, &station),
            Order::HostSeen { segment, address } => {
                if self.outboxes.get(segment.index()).is_some_and(Outbox::wants_hosts)
                    && let Some(outbox) = self.outbox(segment)
                {
                    outbox.hosts_seen.push(address);
                }
            }
            Order::Sweep { segment, active } => self.set_sweep(segment, active),
            Order::ReadTable => {
                if let Some(watch) = &self.watch {
                    watch.do_send(ReadTable);
                }
            }
            Order::ReadStations { segment } => {
                if let Some(wifi) = &self.wifi {
                    wifi.do_send(ReadStations(segment));
                }
            }
            Order::SettlePackets { target, forward } => self.packets.push((target, forward)),
            Order::Emit(_) => {}
        }
    }

    /// Whether nothing is to be sent, neither frames nor what sweeps are told.
    pub(crate) fn is_silent(&self) -> bool {
        self.filled.is_empty()
    }

    /// The segment's outbox, into which something is put now.
    fn outbox(&mut self, segment: SegmentId) -> Option<&mut Outbox> {
        let outbox = self.outboxes.get_mut(segment.index())?;
        if outbox.is_empty() {
            self.filled.push(segment);
        }
        Some(outbox)
    }

    fn keep_lease(&self, address: Ipv4Addr, interface: &str, lease: Option<Box<RememberedLease>>) {
        if let Some(leases) = &self.leases {
            leases.do_send(KeepLease { address, interface: interface.to_owned(), lease });
        }
    }

    fn set_sweep(&self, segment: SegmentId, active: bool) {
        if let Some(Some(SegmentSinks { sweep: Some((sweep, _)), .. })) = self.sinks.get(segment.index()) {
            sweep.do_send(SetSweep(active));
        }
    }

    /// At once, for no operator asks for many. One that cannot be sent is counted.
    fn send_magic_packet(&mut self, segment: SegmentId, station: &LinkAddr) {
        let (outbox, sinks) = (self.outboxes.get_mut(segment.index()), self.sinks.get(segment.index()));
        let sent = outbox.and_then(|outbox| outbox.port.as_mut()).map(|port| port.send_magic_packet(station));
        if !matches!(sent, Some(Ok(())))
            && let Some(Some(SegmentSinks { counters, .. })) = sinks
        {
            Counters::add(&counters.dropped, 1);
        }
    }

    /// Removes collected replies for addresses whose route the kernel has just refused.
    pub(crate) fn cancel_replies(&mut self, refusals: &[Refusal]) {
        if refusals.is_empty() {
            return;
        }
        for segment in &self.filled {
            if let Some(outbox) = self.outboxes.get_mut(segment.index()) {
                outbox.take_where(|frame| is_for_refused(frame, refusals).then_some(()));
            }
        }
    }

    /// Collects again what waited for writes up to the batch of this number.
    pub(crate) fn release(&mut self, number: u64) {
        let later = self.held.split_off(&number.saturating_add(1));
        let ready = std::mem::replace(&mut self.held, later);
        for HeldFrame { segment, frame, purpose } in ready.into_values().flatten() {
            self.held_count -= 1;
            if let Some(outbox) = self.outbox(segment) {
                outbox.push(frame, purpose);
            }
        }
    }

    /// Keeps those of the collected frames that rest on what is still being written.
    fn hold(&mut self, pending: &Pending) {
        for segment in self.filled.iter().copied() {
            let Some(outbox) = self.outboxes.get_mut(segment.index()) else { continue };
            for (number, frame, purpose) in outbox.take_where(|frame| pending.awaited_by(frame)) {
                if self.held_count < MOST_HELD {
                    self.held_count += 1;
                    self.held.entry(number).or_default().push(HeldFrame { segment, frame, purpose });
                } else if let Some(Some(sinks)) = self.sinks.get(segment.index()) {
                    Counters::add(&sinks.counters.dropped, 1);
                }
            }
        }
    }

    /// Has those of the held packets settled whose routes are not being written.
    fn settle_packets(&mut self, pending: &Pending) {
        if self.packets.is_empty() {
            return;
        }
        let packets: Vec<_> = self.packets.extract_if(.., |(target, _)| !pending.contains(*target)).collect();
        if let Some(cover) = self.cover.as_ref().filter(|_| !packets.is_empty()) {
            cover.do_send(SettlePackets(packets));
        }
    }

    /// Sends the collected frames, reports hosts seen to the sweep actors, and has held packets settled. What rests on writes
    /// that are pending waits for [`Self::release`].
    pub(crate) fn flush(&mut self, pending: &Pending) {
        self.settle_packets(pending);
        if !pending.is_empty() {
            self.hold(pending);
        }
        for segment in self.filled.drain(..) {
            let Some(outbox) = self.outboxes.get_mut(segment.index()) else { continue };
            let Some(Some(sinks)) = self.sinks.get(segment.index()) else {
                *outbox = Outbox::default();
                continue;
            };
            if !outbox.frames.is_empty() {
                outbox.transmit(&sinks.counters);
            }
            if !outbox.hosts_seen.is_empty() {
                let hosts = std::mem::take(&mut outbox.hosts_seen);
                if let Some((_, sweep)) = &sinks.sweep {
                    sweep.do_send(HostsSeen(hosts));
                }
            }
        }
    }
}

/// A frame that waits until a batch was written.
struct HeldFrame {
    segment: SegmentId,
    frame: Frame,
    purpose: Purpose,
}
