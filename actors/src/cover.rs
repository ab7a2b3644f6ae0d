//! The cover actor: holds the first packets for unknown hosts while the ledger has their targets searched for.
//!
//! ```text
//! kernel ──► covering device ──► CoverActor ── PacketHeld, once a target ──► route owner
//!                                  ▲  │ held, bounded                             │
//!                                  │  └─ sent on, or refused by ICMP              │
//!                                  └────────────── SettlePackets ◄────────────────┘
//! ```
//!
//! It runs on the back thread, so that a scan of the whole prefix does not delay ARP. It decides nothing about hosts;
//! its limits only keep a scan from becoming as many searches and as much memory.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, StreamHandler};
use arpherd_core::pace::Pace;
use arpherd_core::{Fact, Time};
use slog::{Logger, debug, warn};

use crate::clock::Clock;
use crate::counters::{Counters, CoverCounters};
use crate::io::cover_device::PacketDevice;
use crate::io::ipv4::{destination_of, host_unreachable};
use crate::messages::{Finish, Observed, SettlePackets};
use crate::port::DeviceOpener;

/// Packets read in one go, before other messages get their turn.
const BATCH: usize = 64;
/// Octets of the longest packet.
const LONGEST: usize = u16::MAX as usize;
/// Targets for which packets are held.
const TARGETS: usize = 256;
/// Packets held for each.
const PACKETS: usize = 16;
/// Octets held in all.
const OCTETS: usize = 1 << 20;
/// New targets a second, with a burst of as many: the searches that a scan may cause on each segment.
const NEW_TARGETS: u32 = 200;
/// ICMP messages a second, with a burst of as many; the kernel's own limit for all is 1000 (`icmp_msgs_per_sec`).
const REFUSALS: u32 = 200;
/// A target that was searched for in vain is not searched for again within this time …
const VAIN: Duration = Duration::from_secs(3);
/// … of so many that are remembered.
const VAIN_TARGETS: usize = 4096;

/// Holds packets.
pub struct CoverActor {
    opener: Option<DeviceOpener>,
    device: Option<Box<dyn PacketDevice>>,
    owner: Recipient<Observed>,
    counters: Arc<CoverCounters>,
    clock: Clock,
    log: Logger,
    held: HashMap<Ipv4Addr, Vec<Vec<u8>>>,
    octets: usize,
    vain: HashMap<Ipv4Addr, Time>,
    /// The same, the oldest first.
    vain_order: VecDeque<(Ipv4Addr, Time)>,
    new_targets: Pace,
    refusals: Pace,
    room: Box<[u8]>,
}

/// Read on, after other messages were handled.
#[derive(Message)]
#[rtype(result = "()")]
struct ReadOn;

impl CoverActor {
    /// An actor that opens its device when it starts.
    pub fn new(
        opener: DeviceOpener,
        owner: Recipient<Observed>,
        counters: Arc<CoverCounters>,
        clock: Clock,
        log: Logger,
    ) -> Self {
        Self {
            opener: Some(opener),
            device: None,
            owner,
            counters,
            clock,
            log,
            held: HashMap::new(),
            octets: 0,
            vain: HashMap::new(),
            vain_order: VecDeque::new(),
            new_targets: Pace::new(NEW_TARGETS, NEW_TARGETS),
            refusals: Pace::new(REFUSALS, REFUSALS),
            room: vec![0; LONGEST].into_boxed_slice(),
        }
    }

    fn read(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let mut targets = Vec::new();
        let mut is_more = true;
        for _ in 0..BATCH {
            let Some(device) = &mut self.device else { return };
            let length = match device.receive(&mut self.room) {
                Ok(Some(length)) => length,
                Ok(None) => {
                    is_more = false;
                    break;
                }
                Err(error) => {
                    warn!(self.log, "cover_device_failed"; "error" => %error);
                    self.device = None;
                    return;
                }
            };
            let packet = self.room[..length].to_vec();
            // What is no IPv4 packet is the kernel's own IPv6 chatter.
            if let Some(target) = destination_of(&packet) {
                targets.extend(self.take(now, target, packet));
            }
        }
        if !targets.is_empty() {
            let facts = targets.into_iter().map(|target| Fact::PacketHeld { target }).collect();
            self.owner.do_send(Observed::of(facts));
        }
        if is_more {
            ctx.notify(ReadOn);
        }
    }

    /// Holds a packet, refuses or drops it. Returns its target if that is new.
    fn take(&mut self, now: Time, target: Ipv4Addr, packet: Vec<u8>) -> Option<Ipv4Addr> {
        if self.is_vain(now, target) {
            self.refuse(now, &packet);
            return None;
        }
        let held = self.held.get(&target).map(Vec::len);
        let may_hold = self.octets + packet.len() <= OCTETS
            && match held {
                Some(packets) => packets < PACKETS,
                None => self.held.len() < TARGETS && self.new_targets.take(now),
            };
        if !may_hold {
            Counters::add(&self.counters.dropped, 1);
            return None;
        }
        Counters::add(&self.counters.held, 1);
        self.octets += packet.len();
        self.held.entry(target).or_default().push(packet);
        held.is_none().then_some(target)
    }

    fn is_vain(&mut self, now: Time, target: Ipv4Addr) -> bool {
        while let Some((oldest, until)) = self.vain_order.front().copied() {
            if until > now && self.vain_order.len() <= VAIN_TARGETS {
                break;
            }
            self.vain_order.pop_front();
            if self.vain.get(&oldest) == Some(&until) {
                self.vain.remove(&oldest);
            }
        }
        self.vain.contains_key(&target)
    }

    fn settle(&mut self, now: Time, target: Ipv4Addr, forward: Option<u32>) {
        let packets = self.held.remove(&target).unwrap_or_default();
        self.octets -= packets.iter().map(Vec::len).sum::<usize>();
        if forward.is_some() {
            self.vain.remove(&target);
        } else {
            self.vain.insert(target, now + VAIN);
            self.vain_order.push_back((target, now + VAIN));
        }
        for packet in packets {
            if let Some(interface) = forward {
                self.forward(target, interface, &packet);
            } else {
                self.refuse(now, &packet);
            }
        }
    }

    fn forward(&mut self, target: Ipv4Addr, interface: u32, packet: &[u8]) {
        let Some(device) = &mut self.device else { return };
        match device.forward(packet, target, interface) {
            Ok(()) => Counters::add(&self.counters.forwarded, 1),
            Err(error) => {
                debug!(self.log, "packet_lost"; "target" => %target, "error" => %error);
                Counters::add(&self.counters.dropped, 1);
            }
        }
    }

    fn refuse(&mut self, now: Time, packet: &[u8]) {
        Counters::add(&self.counters.refused, 1);
        let Some(device) = self.device.as_mut().filter(|_| self.refusals.take(now)) else { return };
        if let Some((to, message)) = host_unreachable(packet)
            && let Err(error) = device.send(&message, to)
        {
            debug!(self.log, "refusal_lost"; "to" => %to, "error" => %error);
        }
    }
}

impl Actor for CoverActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(4096);
        match self.opener.take().map(|open| open()) {
            Some(Ok((device, readiness))) => {
                self.device = Some(device);
                ctx.add_stream(readiness);
            }
            Some(Err(error)) => warn!(self.log, "cover_device_failed"; "error" => %error),
            None => {}
        }
    }
}

impl StreamHandler<()> for CoverActor {
    fn handle(&mut self, (): (), ctx: &mut Self::Context) {
        self.read(ctx);
    }

    /// The device's readiness ends with the runtime; the actor goes on until it is stopped.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<ReadOn> for CoverActor {
    type Result = ();

    fn handle(&mut self, _: ReadOn, ctx: &mut Self::Context) {
        self.read(ctx);
    }
}

impl Handler<SettlePackets> for CoverActor {
    type Result = ();

    fn handle(&mut self, SettlePackets(targets): SettlePackets, _: &mut Self::Context) {
        let now = self.clock.now();
        for (target, forward) in targets {
            self.settle(now, target, forward);
        }
    }
}

impl Handler<Finish> for CoverActor {
    type Result = ();

    /// The device goes, and the routes into it; the covering routes behind them stand.
    fn handle(&mut self, _: Finish, _: &mut Self::Context) {
        self.device = None;
        self.held.clear();
        self.octets = 0;
    }
}
