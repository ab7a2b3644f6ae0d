//! The route owner goes on with another plan, or leaves what it knows to the next one.

use actix::{Context, Handler, MessageResult};
use arpherd_core::memory::memory_of;
use arpherd_core::{Fact, Plan};

use super::{EventSink, RouteOwner};
use crate::dispatch::SegmentSinks;
use crate::messages::{GiveWay, RecallHosts};

/// Go on with another plan, in the numbers of the one before. Answered when what it changes is in the kernel's tables.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Replan {
    /// The plan.
    pub plan: Plan,
    /// By segment; none for one that is retired.
    pub sinks: Vec<Option<SegmentSinks>>,
    /// Receives the events that follow.
    pub event_sink: EventSink,
}

impl Handler<Replan> for RouteOwner {
    type Result = ();

    fn handle(&mut self, Replan { plan, sinks, event_sink }: Replan, ctx: &mut Context<Self>) {
        if let Some(latency) = &mut self.latency {
            latency.resize(sinks.len());
        }
        self.dispatcher.replan(sinks);
        self.take_at_once(vec![Fact::Replanned { plan: Box::new(plan) }], ctx);
        self.emit_held(u64::MAX);
        self.event_sink = event_sink;
    }
}

impl Handler<RecallHosts> for RouteOwner {
    type Result = MessageResult<RecallHosts>;

    fn handle(&mut self, _: RecallHosts, _: &mut Context<Self>) -> Self::Result {
        MessageResult(memory_of(&self.ledger, self.clock.now()))
    }
}

impl Handler<GiveWay> for RouteOwner {
    type Result = ();

    fn handle(&mut self, GiveWay(fact): GiveWay, ctx: &mut Context<Self>) {
        self.end(fact, ctx);
    }
}
