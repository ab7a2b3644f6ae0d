//! The capture actor: the ARP frames of one link.
//!
//! It owns the link's packet socket and tells the route owner what it hears as facts, a batch a message.
//! When it opens the link it hands the route owner a port of its own to send through, so a packet's way
//! leads in one direction. It decides nothing but what is no ARP packet.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle, StreamHandler};
use arpherd_core::{Fact, Heard, SegmentId};
use slog::{Logger, info, warn};

use crate::io::packet::Medium;
use crate::io::{FramePort, PortError, Tally};
use crate::messages::{Barrier, Counters, Finish, LinkUpdate, Outlet, Told};
use crate::port::Opener;

/// Pause before a socket that could not be opened or broke is opened again.
const RETRY: Duration = Duration::from_secs(1);

/// One link's ears.
pub struct Capture {
    segment: SegmentId,
    owner: Recipient<Told>,
    outlet: Recipient<Outlet>,
    opener: Box<dyn Opener>,
    counters: Arc<Counters>,
    log: Logger,
    link: LinkUpdate,
    open: Option<Open>,
    heard: Vec<Heard>,
}

/// An open port.
struct Open {
    medium: Medium,
    port: Box<dyn FramePort>,
    stream: SpawnHandle,
    /// The last batch was full, so a message to read on is under way.
    reading_on: bool,
    tally: Tally,
}

/// The port may have something to read.
struct Readable;

/// More may be waiting; others have had their turn.
#[derive(Message)]
#[rtype(result = "()")]
struct ReadOn;

impl Capture {
    /// A capture actor that waits for its link.
    pub fn new(
        segment: SegmentId,
        owner: Recipient<Told>,
        outlet: Recipient<Outlet>,
        opener: Box<dyn Opener>,
        counters: Arc<Counters>,
        log: Logger,
    ) -> Self {
        let link = LinkUpdate(None);
        Self { segment, owner, outlet, opener, counters, log, link, open: None, heard: Vec::new() }
    }

    /// Takes in one batch and passes it on. The route owner gets its turn before the next.
    fn read(&mut self, ctx: &mut Context<Self>) {
        let Some(open) = &mut self.open else { return };
        let was_reading_on = std::mem::take(&mut open.reading_on);
        let before = open.tally;
        let outcome = open.port.receive(&mut self.heard, &mut open.tally);
        Counters::add(&self.counters.read, open.tally.read - before.read);
        Counters::add(&self.counters.malformed, open.tally.malformed - before.malformed);
        let more = match outcome {
            Ok(more) => more,
            // The watch tells what became of the link; a socket on a link that is only down hears again. The
            // error wakes nobody by itself: it comes before the first frame after it, which waits to be read.
            Err(PortError::Down) => true,
            Err(error @ PortError::Failed { .. }) => {
                warn!(self.log, "capture_failed"; "error" => %error);
                self.reopen_later(ctx);
                false
            }
        };
        if let Some(open) = self.open.as_mut().filter(|_| more) {
            open.reading_on = true;
            ctx.notify(ReadOn);
        }
        if !self.heard.is_empty() || was_reading_on {
            let segment = self.segment;
            let facts = self.heard.drain(..).map(|heard| Fact::Heard { segment, heard }).collect();
            self.tell(Told { facts, more });
        }
    }

    /// The route owner's mailbox is full only if it hangs; frames are then dropped as on any full queue.
    fn tell(&self, told: Told) {
        let count = told.facts.len() as u64;
        if self.owner.try_send(told).is_err() {
            Counters::add(&self.counters.dropped, count);
        }
    }

    fn close(&mut self, ctx: &mut Context<Self>) {
        if let Some(open) = self.open.take() {
            ctx.cancel_future(open.stream);
            self.outlet.do_send(Outlet { segment: self.segment, port: None });
        }
    }

    fn reopen_later(&mut self, ctx: &mut Context<Self>) {
        self.close(ctx);
        ctx.run_later(RETRY, |this, ctx| this.follow_link(ctx));
    }

    /// Has a socket if there is a link to have it on, and tells the route owner of the link.
    fn follow_link(&mut self, ctx: &mut Context<Self>) {
        let medium = self.link.medium();
        if self.open.as_ref().map(|open| open.medium) != medium {
            self.close(ctx);
            if let Some(medium) = medium
                && let Err(error) = self.open(medium, ctx)
            {
                warn!(self.log, "capture_failed"; "error" => %error);
                self.tell_link(None);
                self.reopen_later(ctx);
                return;
            }
        }
        self.tell_link(self.link.0.as_ref().map(|(_, link)| link.clone()));
    }

    fn open(&mut self, medium: Medium, ctx: &mut Context<Self>) -> Result<(), PortError> {
        let (port, readiness) = self.opener.open(medium)?;
        let outlet = self.opener.open_send_only(medium)?;
        self.outlet.do_send(Outlet { segment: self.segment, port: Some(outlet) });
        let stream = ctx.add_stream(futures_util::StreamExt::map(readiness, |()| Readable));
        self.open = Some(Open { medium, port, stream, reading_on: false, tally: Tally::default() });
        info!(self.log, "capture_open"; "ifindex" => medium.interface, "kind" => medium.kind.as_str());
        Ok(())
    }

    /// Links are not dropped like frames: what the owner thinks of them must be right.
    fn tell_link(&self, link: Option<arpherd_core::fact::Link>) {
        let facts = vec![Fact::LinkChanged { segment: self.segment, link }];
        self.owner.do_send(Told { facts, more: false });
    }
}

impl Actor for Capture {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1024);
    }
}

impl StreamHandler<Readable> for Capture {
    fn handle(&mut self, _: Readable, ctx: &mut Self::Context) {
        self.read(ctx);
    }

    /// A closed port's stream ends; the actor goes on and waits for its link.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<ReadOn> for Capture {
    type Result = ();

    fn handle(&mut self, _: ReadOn, ctx: &mut Self::Context) {
        self.read(ctx);
    }
}

impl Handler<LinkUpdate> for Capture {
    type Result = ();

    fn handle(&mut self, update: LinkUpdate, ctx: &mut Self::Context) {
        self.link = update;
        self.follow_link(ctx);
    }
}

impl Handler<Barrier> for Capture {
    type Result = ();

    /// Also the moment to fetch what the kernel counted: the counters are read after it.
    fn handle(&mut self, _: Barrier, _: &mut Self::Context) {
        if let Some(open) = &mut self.open {
            let before = open.tally.overrun;
            open.port.count_overrun(&mut open.tally);
            Counters::add(&self.counters.dropped, open.tally.overrun - before);
        }
    }
}

impl Handler<Finish> for Capture {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) {
        self.link = LinkUpdate(None);
        self.close(ctx);
    }
}
