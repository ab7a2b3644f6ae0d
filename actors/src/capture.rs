//! The capture actor: receives the ARP frames of one segment's link, and the RARP requests.
//!
//! It owns the link's packet sockets and sends what it receives to the route owner as facts, one message for each
//! batch. When it opens the link it gives the route owner a second port to send on, so frames pass through the
//! actors in one direction. It makes no decision except that a frame is malformed.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle, StreamHandler,
    WrapFuture,
};
use arpherd_core::{Fact, Heard, SegmentId};
use slog::{Logger, info, warn};
use tokio::task::yield_now;

use crate::counters::Counters;
use crate::io::packet::Medium;
use crate::io::{FramePort, PortError, StationPort, Tally};
use crate::messages::{Barrier, Finish, LinkUpdate, Observed, SendPort, SetTiming, UseLog};
use crate::port::{Opened, PortOpener};

/// Pause after a full batch of stations.
const STATIONS_PAUSE: Duration = Duration::from_millis(10);
/// Pause before a socket that could not be opened or broke is opened again.
const RETRY: Duration = Duration::from_secs(1);

thread_local! {
    /// Room for the frames of a batch, for the capture actors of the thread: each is done with it before another's turn.
    static HEARD: Cell<Vec<Heard>> = const { Cell::new(Vec::new()) };
}

/// So many full batches in a row are handled one by one. With more waiting, the socket is emptied first: what it has no room
/// for is lost, and there is more room in the route owner's mailbox.
const FAIR_BATCHES: u32 = 8;

/// Receives on one segment's link.
pub struct CaptureActor {
    segment: SegmentId,
    owner: Recipient<Observed>,
    send_ports: Arc<Recipient<SendPort>>,
    opener: Box<dyn PortOpener>,
    counters: Arc<Counters>,
    log: Logger,
    link: LinkUpdate,
    open: Option<OpenLink>,
    /// Frames are to be received with a time.
    timing: bool,
}

/// The socket of a link, and how it is read.
struct OpenLink {
    medium: Medium,
    port: Box<dyn FramePort>,
    stream: SpawnHandle,
    /// Batches in a row that were full; the next is not read yet if there are any.
    full_batches: u32,
    stations: Box<dyn StationPort>,
    station_stream: SpawnHandle,
}

/// There may be stations to read.
struct StationsReady;

/// The socket may have frames to read.
struct FramesReady;

/// Read the next batch, before any other actor has its turn.
#[derive(Message)]
#[rtype(result = "()")]
struct ReadOn;

impl CaptureActor {
    /// A capture actor that waits for its link.
    pub fn new(
        segment: SegmentId,
        owner: Recipient<Observed>,
        send_ports: impl Into<Arc<Recipient<SendPort>>>,
        opener: Box<dyn PortOpener>,
        counters: Arc<Counters>,
        log: Logger,
    ) -> Self {
        let link = LinkUpdate(None);
        Self {
            segment,
            owner,
            send_ports: send_ports.into(),
            opener,
            counters,
            log,
            link,
            open: None,
            timing: false,
        }
    }

    /// Reads one batch and sends it to the route owner, which handles it before the next is read, unless many are waiting.
    fn read(&mut self, ctx: &mut Context<Self>) {
        let Some(open) = &mut self.open else { return };
        let full_batches = std::mem::take(&mut open.full_batches);
        let (mut heard, mut tally) = (HEARD.take(), Tally::default());
        let outcome = open.port.receive(&mut heard, &mut tally);
        Counters::add(&self.counters.read, tally.read);
        Counters::add(&self.counters.malformed, tally.malformed);
        let received = open.port.take_stamps();
        let more = match outcome {
            Ok(more) => more,
            // The watch reports the link's state; a socket on a link that is only down receives again. This error
            // is returned instead of the first frame after it, so that frame is still to be read.
            Err(PortError::Down) => true,
            Err(error @ PortError::Failed { .. }) => {
                warn!(self.log, "capture_failed"; "error" => %error);
                self.reopen_later(ctx);
                false
            }
        };
        if let Some(open) = self.open.as_mut().filter(|_| more) {
            open.full_batches = full_batches.saturating_add(1);
            if open.full_batches < FAIR_BATCHES {
                // Routes are written after each batch, and do not wait for the burst's end.
                ctx.spawn(yield_now().into_actor(self).map(|(), this, ctx| this.read(ctx)));
            } else {
                ctx.notify(ReadOn);
            }
        }
        if !heard.is_empty() || full_batches > 0 {
            let segment = self.segment;
            let facts = heard.drain(..).map(|heard| Fact::Heard { segment, heard }).collect();
            self.send(Observed { facts, more, received });
        }
        HEARD.set(heard);
    }

    /// Reads one batch of stations and sends it to the route owner, each once. After a full batch the next waits, so that
    /// a flood costs little; the kernel drops what finds no room.
    fn read_stations(&mut self, ctx: &mut Context<Self>) {
        let Some(open) = &mut self.open else { return };
        let mut stations = Vec::new();
        let mut tally = Tally::default();
        let more = match open.stations.receive(&mut stations, &mut tally) {
            Ok(more) => more,
            // As above.
            Err(PortError::Down) => true,
            Err(error @ PortError::Failed { .. }) => {
                warn!(self.log, "capture_failed"; "error" => %error);
                self.reopen_later(ctx);
                false
            }
        };
        Counters::add(&self.counters.traces, tally.read - tally.malformed);
        Counters::add(&self.counters.malformed, tally.malformed);
        if more {
            ctx.run_later(STATIONS_PAUSE, Self::read_stations);
        }
        stations.sort_unstable();
        stations.dedup();
        if !stations.is_empty() {
            let segment = self.segment;
            let facts = stations.into_iter().map(|lladdr| Fact::StationHeard { segment, lladdr }).collect();
            self.send(Observed::of(facts));
        }
    }

    /// Sends frames to the route owner. If its mailbox is full they are dropped and counted.
    fn send(&self, observed: Observed) {
        let count = observed.facts.len() as u64;
        if self.owner.try_send(observed).is_err() {
            Counters::add(&self.counters.dropped, count);
        }
    }

    /// Has frames received with their time, or without.
    fn stamp(&self, port: &mut dyn FramePort) {
        if let Err(error) = port.set_stamping(self.timing) {
            warn!(self.log, "capture_untimed"; "error" => %error);
        }
    }

    fn close(&mut self, ctx: &mut Context<Self>) {
        if let Some(open) = self.open.take() {
            ctx.cancel_future(open.stream);
            ctx.cancel_future(open.station_stream);
            self.send_ports.do_send(SendPort { segment: self.segment, port: None });
        }
    }

    fn reopen_later(&mut self, ctx: &mut Context<Self>) {
        self.close(ctx);
        ctx.run_later(RETRY, |this, ctx| this.follow_link(ctx));
    }

    /// Opens or closes the socket according to the link, and then reports the link to the route owner.
    fn follow_link(&mut self, ctx: &mut Context<Self>) {
        let medium = self.link.medium();
        if self.open.as_ref().map(|open| open.medium) != medium {
            self.close(ctx);
            if let Some(medium) = medium
                && let Err(error) = self.open(medium, ctx)
            {
                warn!(self.log, "capture_failed"; "error" => %error);
                self.report_link(None);
                self.reopen_later(ctx);
                return;
            }
        }
        self.report_link(self.link.link().cloned());
    }

    fn open(&mut self, medium: Medium, ctx: &mut Context<Self>) -> Result<(), PortError> {
        let Opened { mut port, readiness, sender } = self.opener.open_both(medium)?;
        if self.timing {
            self.stamp(&mut *port);
        }
        let (stations, stations_readiness) = self.opener.open_stations(medium)?;
        self.send_ports.do_send(SendPort { segment: self.segment, port: Some(sender) });
        let stream = ctx.add_stream(futures_util::StreamExt::map(readiness, |()| FramesReady));
        let station_stream =
            ctx.add_stream(futures_util::StreamExt::map(stations_readiness, |()| StationsReady));
        self.open = Some(OpenLink { medium, port, stream, full_batches: 0, stations, station_stream });
        info!(self.log, "capture_open"; "ifindex" => medium.interface, "kind" => medium.kind.as_str());
        Ok(())
    }

    /// Sends the link to the route owner, even if its mailbox is full: a change of the link must not be lost.
    fn report_link(&self, link: Option<arpherd_core::fact::Link>) {
        let facts = vec![Fact::LinkChanged { segment: self.segment, link }];
        self.owner.do_send(Observed::of(facts));
    }
}

impl Actor for CaptureActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1024);
    }
}

impl StreamHandler<FramesReady> for CaptureActor {
    fn handle(&mut self, _: FramesReady, ctx: &mut Self::Context) {
        self.read(ctx);
    }

    /// A closed port's stream ends; by default that would stop the actor, which waits for its link instead.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl StreamHandler<StationsReady> for CaptureActor {
    fn handle(&mut self, _: StationsReady, ctx: &mut Self::Context) {
        self.read_stations(ctx);
    }

    /// As for frames.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<ReadOn> for CaptureActor {
    type Result = ();

    fn handle(&mut self, _: ReadOn, ctx: &mut Self::Context) {
        self.read(ctx);
    }
}

impl Handler<LinkUpdate> for CaptureActor {
    type Result = ();

    fn handle(&mut self, update: LinkUpdate, ctx: &mut Self::Context) {
        self.link = update;
        self.follow_link(ctx);
    }
}

impl Handler<Barrier> for CaptureActor {
    type Result = ();

    /// Adds the kernel's drop count, because the counters are read after this message.
    fn handle(&mut self, _: Barrier, _: &mut Self::Context) {
        if let Some(open) = &mut self.open {
            let mut tally = Tally::default();
            open.port.count_overrun(&mut tally);
            Counters::add(&self.counters.dropped, tally.overrun);
        }
    }
}

impl Handler<SetTiming> for CaptureActor {
    type Result = ();

    fn handle(&mut self, SetTiming(timing): SetTiming, _: &mut Self::Context) {
        self.timing = timing;
        if let Some(mut open) = self.open.take() {
            self.stamp(&mut *open.port);
            self.open = Some(open);
        }
    }
}

impl Handler<UseLog> for CaptureActor {
    type Result = ();

    fn handle(&mut self, UseLog(log): UseLog, _: &mut Self::Context) {
        self.log = log;
    }
}

impl Handler<Finish> for CaptureActor {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) {
        self.link = LinkUpdate(None);
        self.close(ctx);
    }
}
