//! The sweep actor: paced probes over one segment.
//!
//! It owns the plan and the pace, and a socket that only sends, on a thread of its own: however wide the
//! prefix, the packet path never waits for it. Answers are heard by the segment's capture actor.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle, WrapFuture,
};
use arpherd_core::sweep::Sweep as Plan;
use arpherd_core::{Arp, Frame, LinkAddr, Operation, SegmentId, Time};
use slog::{Logger, debug, warn};

use crate::clock::Clock;
use crate::io::packet::{BATCH, Medium};
use crate::io::{FramePort, Tally};
use crate::messages::{Counters, Finish, Found, LinkUpdate, Roll, RollCall, SweepOn};
use crate::port::Opener;

/// Pause before a round that could not begin is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// One segment's sweeps.
pub struct Sweep {
    segment: SegmentId,
    owner: Recipient<RollCall>,
    opener: Box<dyn Opener>,
    counters: Arc<Counters>,
    clock: Clock,
    log: Logger,
    plan: Plan,
    medium: Option<Medium>,
    port: Option<Box<dyn FramePort>>,
    tally: Tally,
    source: Option<Ipv4Addr>,
    lladdr: LinkAddr,
    targets: Vec<Ipv4Addr>,
    frames: Vec<Frame>,
    timer: Option<SpawnHandle>,
    /// The route owner was asked for the roll and has not answered.
    asking: bool,
    /// Questions about known hosts that the sweep has given way to.
    yielded: u64,
}

/// Go on; others have had their turn.
#[derive(Message)]
#[rtype(result = "()")]
struct GoOn;

impl Sweep {
    /// A sweep actor that waits for its link and for [`SweepOn`].
    pub fn new(
        segment: SegmentId,
        plan: Plan,
        owner: Recipient<RollCall>,
        opener: Box<dyn Opener>,
        counters: Arc<Counters>,
        clock: Clock,
        log: Logger,
    ) -> Self {
        Self {
            segment,
            owner,
            opener,
            counters,
            clock,
            log,
            plan,
            medium: None,
            port: None,
            tally: Tally::default(),
            source: None,
            lladdr: LinkAddr::UNKNOWN,
            targets: Vec::new(),
            frames: Vec::new(),
            timer: None,
            asking: false,
            yielded: 0,
        }
    }

    /// Sends what may be sent now and comes back when more may be.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let now = self.clock.now();
        if self.plan.is_due(now) {
            self.call_roll(ctx);
            return;
        }
        let verified = self.counters.verified.load(Ordering::Relaxed);
        self.plan.give_way(now, verified - std::mem::replace(&mut self.yielded, verified));
        self.targets.clear();
        self.plan.next(now, BATCH, &mut self.targets);
        self.probe();
        if self.targets.len() == BATCH {
            ctx.notify(GoOn);
        } else if let Some(at) = self.plan.deadline(now) {
            self.timer = Some(ctx.run_later(self.clock.until(at), |this, ctx| {
                this.timer = None;
                this.go_on(ctx);
            }));
        }
    }

    /// Asks the route owner who needs no probe; the round begins with its answer.
    fn call_roll(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.asking, true) {
            return;
        }
        let call = self.owner.send(RollCall(self.segment)).into_actor(self);
        ctx.spawn(call.map(|roll, this, ctx| {
            this.asking = false;
            let now = this.clock.now();
            // Sweeping may have been stopped meanwhile.
            if this.plan.is_due(now) {
                match roll.ok().flatten() {
                    Some(roll) if this.is_ready() => this.begin(now, roll),
                    _ => this.plan.postpone(now, RETRY),
                }
            }
            this.go_on(ctx);
        }));
    }

    fn begin(&mut self, now: Time, roll: Roll) {
        debug!(self.log, "sweep_begun"; "known" => roll.skip.len());
        self.source = roll.source;
        self.lladdr = roll.lladdr;
        // What went out while there was no round is over.
        self.yielded = self.counters.verified.load(Ordering::Relaxed);
        self.plan.begin(now, roll.skip);
    }

    /// Has a socket if there is a link.
    fn is_ready(&mut self) -> bool {
        if let (None, Some(medium)) = (&self.port, self.medium) {
            match self.opener.open_send_only(medium) {
                Ok(port) => self.port = Some(port),
                Err(error) => warn!(self.log, "sweep_failed"; "error" => %error),
            }
        }
        self.port.is_some()
    }

    fn probe(&mut self) {
        let Some(port) = self.port.as_mut().filter(|_| !self.targets.is_empty()) else { return };
        let (sender_lladdr, sender) = (self.lladdr, self.source.unwrap_or(Ipv4Addr::UNSPECIFIED));
        let ask = |&target: &Ipv4Addr| Frame {
            to: None,
            arp: Arp {
                operation: Operation::Request,
                sender_lladdr,
                sender,
                target_lladdr: LinkAddr::UNKNOWN,
                target,
            },
        };
        self.frames.clear();
        self.frames.extend(self.targets.iter().map(ask));
        let before = self.tally.unsent;
        if let Err(error) = port.send(&self.frames, &mut self.tally) {
            debug!(self.log, "sweep_failed"; "error" => %error);
        }
        Counters::add(&self.counters.probed, self.frames.len() as u64);
        Counters::add(&self.counters.dropped, self.tally.unsent - before);
    }
}

impl Actor for Sweep {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1024);
    }
}

impl Handler<GoOn> for Sweep {
    type Result = ();

    fn handle(&mut self, _: GoOn, ctx: &mut Self::Context) {
        self.go_on(ctx);
    }
}

impl Handler<LinkUpdate> for Sweep {
    type Result = ();

    fn handle(&mut self, link: LinkUpdate, _: &mut Self::Context) {
        let medium = link.medium();
        if self.medium != medium {
            self.port = None;
            self.medium = medium;
        }
    }
}

impl Handler<SweepOn> for Sweep {
    type Result = ();

    fn handle(&mut self, SweepOn(active): SweepOn, ctx: &mut Self::Context) {
        if active {
            self.plan.start(self.clock.now());
        } else {
            self.plan.stop();
        }
        self.go_on(ctx);
    }
}

impl Handler<Found> for Sweep {
    type Result = ();

    fn handle(&mut self, Found(addresses): Found, ctx: &mut Self::Context) {
        let was_busy = self.plan.is_busy();
        for address in addresses {
            self.plan.found(address);
        }
        if was_busy {
            self.go_on(ctx);
        }
    }
}

impl Handler<Finish> for Sweep {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) {
        self.plan.stop();
        self.port = None;
        self.medium = None;
        self.go_on(ctx);
    }
}
