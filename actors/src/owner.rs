//! The route owner: owns the ledger, and is the only actor that writes routes and neighbour entries.
//!
//! Every message it receives becomes facts; each fact is one step of the ledger, which appends orders. Orders are
//! carried out before the next message is handled: first the kernel's tables, then frames, then events.

mod in_kernel;
mod queries;
mod writing;

use std::collections::VecDeque;
use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, MessageResult, Recipient, SpawnHandle};
use arpherd_core::{Event, Fact, Ledger, Order, Time};
use slog::Logger;

use crate::clock::Clock;
use crate::counters::CoverCounters;
use crate::dispatch::{Dispatcher, SegmentSinks};
use crate::io::{FastTable, Refusal, RouteTable, Stamp};
use crate::latency::{Cause, Latency};
use crate::messages::{
    Finish, GetSweepContext, KeepLease, Observed, ReadStations, ReadTable, RecordFacts, SendPort, SetTiming,
    SettlePackets,
};
use crate::table_writer::TableWriter;

mod succession;

pub use succession::Replan;

/// Rounds of orders a message may cause. The results of a round (refusals, routes looked up) are facts and cause
/// the orders of the next; what is left after the last round is carried out with the next message.
const ROUNDS: usize = 4;

/// Receives every event. Called on the packet path: it must not block.
pub type EventSink = Box<dyn Fn(&Event) + Send>;

/// Owner of the ledger and of every route.
pub struct RouteOwner {
    ledger: Ledger,
    writer: TableWriter,
    clock: Clock,
    started: Time,
    event_sink: EventSink,
    log: Logger,
    dispatcher: Dispatcher,
    recorder: Option<Recipient<RecordFacts>>,
    cover_counters: Option<Arc<CoverCounters>>,
    /// How long orders take; `None` where that is not measured.
    latency: Option<Latency>,
    is_ready: bool,
    /// Orders not carried out yet.
    orders: Vec<Order>,
    /// Refusals not reported to the ledger yet.
    refusals: Vec<Refusal>,
    timer: Option<(Time, SpawnHandle)>,
    /// `None` where nothing is answered inside the kernel.
    fast: Option<Box<dyn FastTable>>,
    /// Events that tell of what is still being written, up to the batch of this number.
    held_events: VecDeque<(u64, Event)>,
}

/// Connects the route owner with the actors that carry out its orders. Sent once, before any other message.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Connect {
    /// By segment; none for one that is retired.
    pub sinks: Vec<Option<SegmentSinks>>,
    /// Reads the kernel's tables in full.
    pub watch: Recipient<ReadTable>,
    /// Reads the stations of access points; `None` without generic netlink in the kernel.
    pub wifi: Option<Recipient<ReadStations>>,
    /// Holds packets for unknown hosts; `None` if no domain has them searched for.
    pub cover: Option<(Recipient<SettlePackets>, Arc<CoverCounters>)>,
    /// Keeps leases in a file; `None` if there is none.
    pub leases: Option<Recipient<KeepLease>>,
    /// Writes every fact to a file; `None` if facts are not recorded.
    pub recorder: Option<Recipient<RecordFacts>>,
}

/// Have requests between known hosts answered inside the kernel from now on. Sent once at the most.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct AnswerInKernel(pub Box<dyn FastTable>);

/// The start is complete: the status reports the daemon as ready.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct MarkReady;

impl RouteOwner {
    /// A route owner that is not connected yet; see [`Connect`].
    pub fn new(
        ledger: Ledger,
        table: Box<dyn RouteTable>,
        clock: Clock,
        event_sink: EventSink,
        log: Logger,
    ) -> Self {
        Self {
            ledger,
            writer: TableWriter::new(table),
            started: clock.now(),
            clock,
            event_sink,
            log,
            dispatcher: Dispatcher::default(),
            recorder: None,
            cover_counters: None,
            latency: None,
            is_ready: false,
            orders: Vec::new(),
            refusals: Vec::new(),
            timer: None,
            fast: None,
            held_events: VecDeque::new(),
        }
    }

    /// Gives facts to the ledger and carries out the orders. `more`, `received`: see [`Observed`].
    fn take(&mut self, facts: Vec<Fact>, more: bool, received: &[Stamp], ctx: &mut Context<Self>) {
        let now = self.clock.now();
        if let Some(recorder) = &self.recorder {
            recorder.do_send(RecordFacts(facts.iter().map(|fact| (now, fact.clone())).collect()));
        }
        for (index, fact) in facts.into_iter().enumerate() {
            let cause = received.get(index).and_then(|received| cause_of(&fact, *received));
            self.step(now, fact, cause);
        }
        self.carry_out(now, more);
        if !more {
            self.write_deferred(now);
            // A refusal is a step of the ledger, too.
            self.carry_out(now, more);
        }
        self.arm(ctx);
    }

    /// One step of the ledger. `cause`: the frame whose orders are to be measured.
    fn step(&mut self, now: Time, fact: Fact, cause: Option<Cause>) {
        let before = self.orders.len();
        self.ledger.step(now, fact, &mut self.orders);
        if let (Some(cause), Some(latency)) = (cause, &mut self.latency) {
            latency.ordered(cause, &self.orders[before..]);
        }
    }

    fn carry_out(&mut self, now: Time, more: bool) {
        for _ in 0..ROUNDS {
            if self.orders.is_empty() {
                return;
            }
            let orders = std::mem::take(&mut self.orders);
            orders.iter().for_each(|order| self.dispatcher.collect(order));
            self.write_urgent(more);
            self.send();
            self.emit(&orders);
            // Keeps the allocation for the next round's orders.
            self.orders = orders;
            self.orders.clear();
            self.report_refusals(now);
            self.look_up_routes(now);
            self.read_heard(now);
        }
    }

    /// Gives the ledger the result of an order, while the same message is being handled.
    fn step_with_result(&mut self, now: Time, fact: Fact, cause: Option<Cause>) {
        if let Some(recorder) = &self.recorder {
            recorder.do_send(RecordFacts(vec![(now, fact.clone())]));
        }
        self.step(now, fact, cause);
    }

    /// Sets the one timer to the ledger's deadline.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        let Some(deadline) = self.ledger.deadline() else { return };
        if let Some((at, handle)) = self.timer {
            if at <= deadline {
                return;
            }
            ctx.cancel_future(handle);
        }
        let handle = ctx.run_later(self.clock.until(deadline), |this, ctx| {
            this.timer = None;
            this.take(vec![Fact::TimePassed], false, &[], ctx);
        });
        self.timer = Some((deadline, handle));
    }

    /// Gives the ledger its last fact.
    fn end(&mut self, last: Fact, ctx: &mut Context<Self>) {
        self.is_ready = false;
        self.writer.wait_for_writes(true);
        self.take(vec![last], false, &[], ctx);
        self.emit_held(u64::MAX);
        if let Some((_, handle)) = self.timer.take() {
            ctx.cancel_future(handle);
        }
        self.fast = None;
    }
}

/// The frame that a fact is of.
fn cause_of(fact: &Fact, received: Stamp) -> Option<Cause> {
    match fact {
        Fact::Heard { segment, .. } => Some(Cause { segment: *segment, received }),
        _ => None,
    }
}

impl Actor for RouteOwner {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(4096);
        self.writer.report_to(ctx.address().downgrade().recipient());
    }
}

impl Handler<Connect> for RouteOwner {
    type Result = ();

    fn handle(&mut self, connect: Connect, _: &mut Self::Context) {
        let (cover, counters) = connect.cover.unzip();
        self.dispatcher.connect(connect.sinks, connect.watch, connect.wifi, cover, connect.leases);
        self.cover_counters = counters;
        self.recorder = connect.recorder;
    }
}

impl Handler<Observed> for RouteOwner {
    type Result = ();

    fn handle(&mut self, Observed { facts, more, received }: Observed, ctx: &mut Self::Context) {
        self.take(facts, more, &received, ctx);
    }
}

impl Handler<SetTiming> for RouteOwner {
    type Result = ();

    fn handle(&mut self, SetTiming(timing): SetTiming, _: &mut Self::Context) {
        self.latency = timing.then(|| Latency::new(self.dispatcher.sinks().len()));
    }
}

impl Handler<SendPort> for RouteOwner {
    type Result = ();

    fn handle(&mut self, send_port: SendPort, _: &mut Self::Context) {
        self.dispatcher.set_send_port(send_port);
    }
}

impl Handler<GetSweepContext> for RouteOwner {
    type Result = MessageResult<GetSweepContext>;

    fn handle(&mut self, request: GetSweepContext, _: &mut Self::Context) -> Self::Result {
        let GetSweepContext { segment, wants_hosts } = request;
        self.dispatcher.report_hosts(segment, wants_hosts);
        MessageResult(self.ledger.sweep_context(segment))
    }
}

impl Handler<MarkReady> for RouteOwner {
    type Result = ();

    fn handle(&mut self, _: MarkReady, _: &mut Self::Context) {
        self.is_ready = true;
        self.writer.wait_for_writes(false);
    }
}

impl Handler<Finish> for RouteOwner {
    type Result = ();

    fn handle(&mut self, Finish { purge }: Finish, ctx: &mut Self::Context) {
        self.end(Fact::Stopped { purge }, ctx);
    }
}
