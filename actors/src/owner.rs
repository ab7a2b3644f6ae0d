//! The route owner: the one actor that has the ledger, and the only one that writes routes and neighbour
//! entries.
//!
//! Whatever it is told becomes one fact, one step of the ledger, and orders, which are carried out before
//! the next message is looked at: first the kernel's tables, then frames, then words.

use actix::{Actor, AsyncContext, Context, Handler, MessageResult, Recipient, SpawnHandle};
use arpherd_core::view::{Query, Response, StatusView};
use arpherd_core::{Event, Fact, Ledger, Order, Time};
use slog::{Logger, debug};

use crate::clock::Clock;
use crate::errands::{Errands, Hands};
use crate::io::{Refusal, RouteTable};
use crate::messages::{Finish, Outlet, ReadStations, ReadTable, Record, Roll, RollCall, Show, Told};

/// A refusal, or a way found, can lead to orders that have such consequences in their turn; after so many rounds
/// the rest waits for the ledger's timers.
const ROUNDS: usize = 4;

/// Where the route owner tells what operators want to know. Called on the packet path: it must not block.
pub type Teller = Box<dyn Fn(&Event) + Send>;

/// Owner of the ledger and of every route.
pub struct RouteOwner {
    ledger: Ledger,
    table: Box<dyn RouteTable>,
    clock: Clock,
    started: Time,
    teller: Teller,
    log: Logger,
    errands: Errands,
    recorder: Option<Recipient<Record>>,
    ready: bool,
    orders: Vec<Order>,
    refusals: Vec<Refusal>,
    timer: Option<(Time, SpawnHandle)>,
}

/// Tells the route owner who its hands are. Sent once, before anything else.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Meet {
    /// By segment.
    pub hands: Vec<Hands>,
    /// Reads the table when told to.
    pub watch: Recipient<ReadTable>,
    /// Reads the stations of access points when told to; `None` where nothing is known of radios.
    pub air: Option<Recipient<ReadStations>>,
    /// Writes down every fact, if asked for.
    pub recorder: Option<Recipient<Record>>,
}

/// The start is over.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct BeReady;

impl RouteOwner {
    /// An owner of nothing yet. It acts on facts once it has met the others.
    pub fn new(
        ledger: Ledger,
        table: Box<dyn RouteTable>,
        clock: Clock,
        teller: Teller,
        log: Logger,
    ) -> Self {
        Self {
            ledger,
            table,
            started: clock.now(),
            clock,
            teller,
            log,
            errands: Errands::default(),
            recorder: None,
            ready: false,
            orders: Vec::new(),
            refusals: Vec::new(),
            timer: None,
        }
    }

    fn take(&mut self, facts: Vec<Fact>, more: bool, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        if let Some(recorder) = &self.recorder {
            recorder.do_send(Record(facts.iter().map(|fact| (now, fact.clone())).collect()));
        }
        for fact in facts {
            self.ledger.step(now, fact, &mut self.orders);
        }
        self.carry_out(now);
        if !more && !self.errands.later.is_empty() {
            self.table.write(&self.errands.later, &mut self.refusals);
            self.errands.later.clear();
            self.hear_refusals(now);
        }
        self.arm(ctx);
    }

    fn carry_out(&mut self, now: Time) {
        for _ in 0..ROUNDS {
            if self.orders.is_empty() {
                return;
            }
            let orders = std::mem::take(&mut self.orders);
            for order in &orders {
                self.errands.sort(order);
            }
            if !self.errands.writes.is_empty() {
                self.table.write(&self.errands.writes, &mut self.refusals);
                self.errands.writes.clear();
                self.errands.take_back(&self.refusals);
            }
            self.errands.send_out();
            for order in &orders {
                if let Order::Emit(event) = order {
                    (self.teller)(event);
                }
            }
            // Keep the room for the next message's orders.
            self.orders = orders;
            self.orders.clear();
            self.hear_refusals(now);
            for lookup in std::mem::take(&mut self.errands.lookups) {
                let fact = lookup.ask(&mut *self.table);
                self.hear(now, fact);
            }
        }
    }

    /// The kernel's refusals are facts.
    fn hear_refusals(&mut self, now: Time) {
        for Refusal { write, errno, reason } in std::mem::take(&mut self.refusals) {
            debug!(self.log, "write_refused"; "write" => ?write, "errno" => errno, "reason" => &reason);
            self.hear(now, Fact::WriteRefused { write, errno, reason });
        }
    }

    /// Hears what came of an order, in the same turn.
    fn hear(&mut self, now: Time, fact: Fact) {
        if let Some(recorder) = &self.recorder {
            recorder.do_send(Record(vec![(now, fact.clone())]));
        }
        self.ledger.step(now, fact, &mut self.orders);
    }

    /// Has the ledger's deadline as the only timer.
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
            this.take(vec![Fact::TimePassed], false, ctx);
        });
        self.timer = Some((deadline, handle));
    }

    fn segments(&self) -> Response {
        let mut views = self.ledger.segment_views();
        for (view, hands) in views.iter_mut().zip(self.errands.hands()) {
            view.counters = view.counters + hands.counters.view();
        }
        Response::Segments(views)
    }
}

impl Actor for RouteOwner {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(4096);
    }
}

impl Handler<Meet> for RouteOwner {
    type Result = ();

    fn handle(&mut self, meet: Meet, _: &mut Self::Context) {
        self.errands.meet(meet.hands, meet.watch, meet.air);
        self.recorder = meet.recorder;
    }
}

impl Handler<Told> for RouteOwner {
    type Result = ();

    fn handle(&mut self, Told { facts, more }: Told, ctx: &mut Self::Context) {
        self.take(facts, more, ctx);
    }
}

impl Handler<Outlet> for RouteOwner {
    type Result = ();

    fn handle(&mut self, outlet: Outlet, _: &mut Self::Context) {
        self.errands.set_outlet(outlet);
    }
}

impl Handler<RollCall> for RouteOwner {
    type Result = MessageResult<RollCall>;

    fn handle(&mut self, RollCall(segment): RollCall, _: &mut Self::Context) -> Self::Result {
        let roll = self.ledger.sweep_context(segment);
        MessageResult(roll.map(|(source, lladdr, skip)| Roll { source, lladdr, skip }))
    }
}

impl Handler<Show> for RouteOwner {
    type Result = MessageResult<Show>;

    fn handle(&mut self, Show(question): Show, _: &mut Self::Context) -> Self::Result {
        let now = self.clock.now();
        MessageResult(match question {
            Query::Status => {
                let uptime_seconds = now.since(self.started).as_secs();
                Response::Status(StatusView {
                    uptime_seconds,
                    ready: self.ready,
                    ..self.ledger.status_view()
                })
            }
            Query::Segments => self.segments(),
            Query::Hosts => Response::Hosts(self.ledger.host_views(now)),
            Query::Routes => Response::Routes(self.ledger.route_views()),
        })
    }
}

impl Handler<BeReady> for RouteOwner {
    type Result = ();

    fn handle(&mut self, _: BeReady, _: &mut Self::Context) {
        self.ready = true;
    }
}

impl Handler<Finish> for RouteOwner {
    type Result = ();

    fn handle(&mut self, Finish { purge }: Finish, ctx: &mut Self::Context) {
        self.ready = false;
        self.take(vec![Fact::Stopped { purge }], false, ctx);
        if let Some((_, handle)) = self.timer.take() {
            ctx.cancel_future(handle);
        }
    }
}
