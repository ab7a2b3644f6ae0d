//! The sweep actor: sends paced probes to the unknown addresses of one segment.
//!
//! It owns the plan and pace of the sweeps and a socket that only sends. It runs on the back thread, so the packet
//! path never waits for it, however long the prefix is. Replies are received by the segment's capture actor.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, MessageResult, Recipient, SpawnHandle, WrapFuture,
};
use arpherd_core::sweep::{Sweep as Plan, SweepContext};
use arpherd_core::{Arp, Frame, LinkAddr, Operation, SegmentId, Time};
use slog::{Logger, debug, warn};
use tokio::task::yield_now;

use crate::clock::Clock;
use crate::counters::Counters;
use crate::io::packet::{BATCH, Medium};
use crate::io::{FramePort, Tally};
use crate::messages::{
    DemandSweep, Finish, GetSweepContext, GetSweepProgress, HostsSeen, LinkUpdate, SetSweep, UseLog,
};
use crate::port::PortOpener;

/// Pause before a round that could not begin is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Sweeps one segment.
pub struct SweepActor {
    segment: SegmentId,
    owner: Arc<Recipient<GetSweepContext>>,
    opener: Box<dyn PortOpener>,
    counters: Arc<Counters>,
    clock: Clock,
    log: Logger,
    plan: Plan,
    medium: Option<Medium>,
    /// None between two rounds, which is nearly always: then a segment needs no descriptor for it, and no room.
    round: Option<Box<Round>>,
    timer: Option<SpawnHandle>,
    /// A [`GetSweepContext`] is unanswered.
    is_waiting_for_context: bool,
    /// Kept while hosts that are seen are to be reported. Between rounds nobody wakes this thread for a new host.
    wants_hosts: Option<Arc<()>>,
}

/// What a round is asked with.
struct Round {
    port: Box<dyn FramePort>,
    /// Senders of the probes: each address is asked in the name of each.
    senders: Vec<Ipv4Addr>,
    lladdr: LinkAddr,
    from: Option<LinkAddr>,
    /// Value of [`Counters::paced`] when the pace was last corrected by it.
    paced_before: u64,
}

impl SweepActor {
    /// A sweep actor that waits for its link and for [`SetSweep`].
    pub fn new(
        segment: SegmentId,
        plan: Plan,
        owner: impl Into<Arc<Recipient<GetSweepContext>>>,
        opener: Box<dyn PortOpener>,
        counters: Arc<Counters>,
        clock: Clock,
        log: Logger,
    ) -> Self {
        Self {
            segment,
            owner: owner.into(),
            opener,
            counters,
            clock,
            log,
            plan,
            medium: None,
            round: None,
            timer: None,
            is_waiting_for_context: false,
            wants_hosts: None,
        }
    }

    /// Sends the probes that the pace allows now, and sets the timer for the next.
    fn continue_round(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let now = self.clock.now();
        if self.plan.is_due(now) {
            self.request_context(ctx);
            return;
        }
        if let Some(round) = &mut self.round {
            let paced = self.counters.paced.load(Ordering::Relaxed);
            self.plan.give_way(now, paced - std::mem::replace(&mut round.paced_before, paced));
        }
        let mut targets = Vec::new();
        self.plan.next(now, BATCH, &mut targets);
        self.probe(&targets);
        let continued = |(), this: &mut Self, ctx: &mut Context<Self>| {
            this.timer = None;
            this.continue_round(ctx);
        };
        if targets.len() == BATCH {
            // After the other actors of the thread had their turn.
            self.timer = Some(ctx.spawn(yield_now().into_actor(self).map(continued)));
        } else if let Some(at) = self.plan.deadline(now) {
            self.timer = Some(ctx.run_later(self.clock.until(at), move |this, ctx| continued((), this, ctx)));
        }
        if !self.plan.has_round() {
            self.round = None;
        }
        if !self.plan.is_busy() && !self.is_waiting_for_context {
            self.wants_hosts = None;
        }
    }

    /// Asks the route owner for the round's context; the round begins with the answer.
    fn request_context(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.is_waiting_for_context, true) {
            return;
        }
        let wants_hosts = Arc::downgrade(self.wants_hosts.get_or_insert_default());
        let answer = self.owner.send(GetSweepContext { segment: self.segment, wants_hosts }).into_actor(self);
        ctx.spawn(answer.map(|context, this, ctx| {
            this.is_waiting_for_context = false;
            let now = this.clock.now();
            // Sweeping may have been stopped meanwhile.
            if this.plan.is_due(now) {
                match context.ok().flatten().zip(this.open()) {
                    Some((context, port)) => this.begin_round(now, context, port),
                    None => this.plan.postpone(now, RETRY),
                }
            }
            this.continue_round(ctx);
        }));
    }

    fn begin_round(&mut self, now: Time, context: SweepContext, port: Box<dyn FramePort>) {
        let SweepContext { senders, lladdr, from, prefixes, skip, patience } = context;
        debug!(self.log, "sweep_started"; "known" => skip.len());
        self.plan.set_manner(senders.len(), patience);
        // What was sent between two rounds does not slow this one.
        let paced_before = self.counters.paced.load(Ordering::Relaxed);
        self.round = Some(Box::new(Round { port, senders, lladdr, from, paced_before }));
        self.plan.begin(now, prefixes, skip);
    }

    /// Opens the socket, if there is a link.
    fn open(&self) -> Option<Box<dyn FramePort>> {
        let opened = self.opener.open_send_only(self.medium?);
        opened.inspect_err(|error| warn!(self.log, "sweep_failed"; "error" => %error)).ok()
    }

    fn probe(&mut self, targets: &[Ipv4Addr]) {
        let Some(round) = self.round.as_mut().filter(|_| !targets.is_empty()) else { return };
        let Round { port, senders, lladdr: sender_lladdr, from, .. } = &mut **round;
        let (sender_lladdr, from) = (*sender_lladdr, *from);
        let probe = |target: Ipv4Addr, sender: Ipv4Addr| Frame {
            to: None,
            from,
            arp: Arp {
                operation: Operation::Request,
                sender_lladdr,
                sender,
                target_lladdr: LinkAddr::UNKNOWN,
                target,
            },
        };
        let mut frames = Vec::with_capacity(targets.len() * senders.len());
        for target in targets {
            frames.extend(senders.iter().map(|sender| probe(*target, *sender)));
        }
        let mut tally = Tally::default();
        if let Err(error) = port.send(&frames, &mut tally) {
            debug!(self.log, "sweep_failed"; "error" => %error);
        }
        Counters::add(&self.counters.probed, frames.len() as u64);
        Counters::add(&self.counters.dropped, tally.unsent);
    }
}

impl Actor for SweepActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1024);
    }
}

impl Handler<LinkUpdate> for SweepActor {
    type Result = ();

    fn handle(&mut self, link: LinkUpdate, _: &mut Self::Context) {
        let medium = link.medium();
        if self.medium != medium {
            self.round = None;
            self.medium = medium;
        }
    }
}

impl Handler<SetSweep> for SweepActor {
    type Result = ();

    fn handle(&mut self, SetSweep(active): SetSweep, ctx: &mut Self::Context) {
        if active {
            self.plan.start(self.clock.now());
        } else {
            self.plan.stop();
        }
        self.continue_round(ctx);
    }
}

impl Handler<DemandSweep> for SweepActor {
    type Result = MessageResult<DemandSweep>;

    fn handle(&mut self, _: DemandSweep, ctx: &mut Self::Context) -> Self::Result {
        let now = self.clock.now();
        let is_active = self.plan.demand(now);
        let progress = is_active.then(|| self.plan.progress(now));
        self.continue_round(ctx);
        MessageResult(progress)
    }
}

impl Handler<GetSweepProgress> for SweepActor {
    type Result = MessageResult<GetSweepProgress>;

    fn handle(&mut self, _: GetSweepProgress, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.plan.progress(self.clock.now()))
    }
}

impl Handler<HostsSeen> for SweepActor {
    type Result = ();

    fn handle(&mut self, HostsSeen(addresses): HostsSeen, ctx: &mut Self::Context) {
        let was_busy = self.plan.is_busy();
        for address in addresses {
            self.plan.found(address);
        }
        if was_busy {
            self.continue_round(ctx);
        }
    }
}

impl Handler<UseLog> for SweepActor {
    type Result = ();

    fn handle(&mut self, UseLog(log): UseLog, _: &mut Self::Context) {
        self.log = log;
    }
}

impl Handler<Finish> for SweepActor {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) {
        self.plan.stop();
        self.medium = None;
        self.continue_round(ctx);
    }
}
