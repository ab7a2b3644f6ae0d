//! The DHCP actor: relays messages between the segments of one network namespace, and reads leases from what passes.
//!
//! It owns a [`Relay`], which decides, and the sockets: those of each link, those at which servers answer, and one on the
//! loopback interface for a server on this machine. What is learned of leases and servers goes to the route owner as
//! facts.

mod servers;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle, StreamHandler};
use arpherd_core::dhcp::{BOOT_REPLY, ClientPlace, DhcpCount, Path, Received, Relay, RelayOrder};
use arpherd_core::{Fact, Plan, SegmentId};
use slog::{Logger, debug, info, warn};

use crate::clock::Clock;
use crate::counters::Counters;
use crate::io::dhcp::{CLIENT_PORT, Datagram, Direction, LinkPort, SERVER_PORT, Seen, build};
use crate::io::netns::Netns;
use crate::io::packet::Medium;
use crate::io::{PortError, Wake};
use crate::messages::{DhcpUpdate, Finish, LinkUpdate, Observed};
use crate::port::readiness;
use servers::ServerSockets;

/// Time between two looks for what the kernel does not report: the way to a server, one on this machine, a port that
/// another program held.
const LOOK: Duration = Duration::from_secs(5);
/// Pause before a socket that could not be opened or broke is opened again.
const RETRY: Duration = Duration::from_secs(1);

/// Relays and watches DHCP in one network namespace.
pub struct DhcpActor {
    relay: Relay,
    netns: Netns,
    clock: Clock,
    owner: Recipient<Observed>,
    counters: BTreeMap<SegmentId, Arc<Counters>>,
    log: Logger,
    /// The last update of each segment, served or not.
    updates: BTreeMap<SegmentId, LinkUpdate>,
    links: BTreeMap<SegmentId, OpenLink>,
    servers: ServerSockets,
}

/// The sockets of a link.
struct OpenLink {
    medium: Medium,
    port: LinkPort,
    streams: Vec<SpawnHandle>,
}

/// A link may have packets to read, or there may be more of them after other messages were handled.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
struct LinkReady(SegmentId, Direction);

/// A server may have answered at this address; `None`: on the loopback interface.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
struct ServerReady(Option<Ipv4Addr>);

/// Another plan, with the segments that stay in their old numbers.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ReplanDhcp {
    /// The plan.
    pub plan: Plan,
    /// The counters of its segments.
    pub counters: BTreeMap<SegmentId, Arc<Counters>>,
}

impl DhcpActor {
    /// An actor that waits for its links.
    pub fn new(
        plan: &Plan,
        netns: Netns,
        clock: Clock,
        owner: Recipient<Observed>,
        counters: BTreeMap<SegmentId, Arc<Counters>>,
        log: Logger,
    ) -> Self {
        let (relay, servers) = (Relay::new(plan), ServerSockets::new(netns.clone(), log.clone()));
        let (updates, links) = (BTreeMap::new(), BTreeMap::new());
        Self { relay, netns, clock, owner, counters, log, updates, links, servers }
    }

    /// Opens or closes the sockets of a segment's link according to its last update.
    fn follow_link(&mut self, segment: SegmentId, ctx: &mut Context<Self>) {
        let served = self.updates.get(&segment).filter(|_| self.relay.serves(segment));
        let medium = served.and_then(LinkUpdate::medium);
        if self.links.get(&segment).map(|open| open.medium) == medium {
            return;
        }
        self.close(segment, ctx);
        let Some(medium) = medium else { return };
        match self.open(segment, medium, ctx) {
            Ok(open) => {
                self.links.insert(segment, open);
            }
            Err(error) => {
                warn!(self.log, "dhcp_capture_failed"; "ifindex" => medium.interface, "error" => %error);
                ctx.run_later(RETRY, move |this, ctx| this.follow_link(segment, ctx));
            }
        }
    }

    fn open(
        &self,
        segment: SegmentId,
        medium: Medium,
        ctx: &mut Context<Self>,
    ) -> Result<OpenLink, PortError> {
        let failed = |doing| move |cause| PortError::Failed { doing, cause };
        let in_netns = |error| failed("enter the network namespace")(std::io::Error::other(error));
        let port = self.netns.within(|| LinkPort::open(medium)).map_err(in_netns)??;
        let mut streams = Vec::new();
        for direction in [Direction::Incoming, Direction::Outgoing] {
            let wake = Wake::on(&port.socket(direction)).map_err(failed("watch a packet socket"))?;
            let ready = move |()| LinkReady(segment, direction);
            streams.push(ctx.add_stream(futures_util::StreamExt::map(readiness(wake), ready)));
        }
        Ok(OpenLink { medium, port, streams })
    }

    fn close(&mut self, segment: SegmentId, ctx: &mut Context<Self>) {
        for stream in self.links.remove(&segment).into_iter().flat_map(|open| open.streams) {
            ctx.cancel_future(stream);
        }
    }

    /// Reads one batch of a link's packets.
    fn read_link(&mut self, LinkReady(segment, direction): LinkReady, ctx: &mut Context<Self>) {
        let Some(open) = self.links.get_mut(&segment) else { return };
        let mut seen = Vec::new();
        match open.port.receive(direction, &mut seen) {
            Ok(false) => {}
            // The error came in place of a packet that is still to be read.
            Ok(true) | Err(PortError::Down) => ctx.notify(LinkReady(segment, direction)),
            Err(error) => {
                warn!(self.log, "dhcp_capture_failed"; "error" => %error);
                self.close(segment, ctx);
                ctx.run_later(RETRY, move |this, ctx| this.follow_link(segment, ctx));
            }
        }
        let received = seen.into_iter().filter_map(|it| self.on_link(segment, direction, it)).collect();
        self.take(received);
    }

    /// What a packet is to the relay; one that cannot be read is counted.
    fn on_link(&self, segment: SegmentId, direction: Direction, seen: Seen) -> Option<Received> {
        let Ok(Datagram { source, destination, port, message }) = seen.datagram else {
            self.count(segment, DhcpCount::Malformed);
            return None;
        };
        let is_outgoing = direction == Direction::Outgoing;
        let is_reply = message.op == BOOT_REPLY && port == SERVER_PORT && !is_outgoing;
        let path = if is_reply && self.servers.is_deaf_at(destination) {
            Path::Socket { source, destination }
        } else {
            Path::Link { segment, is_outgoing, from: seen.from, source, destination, port }
        };
        Some(Received { path, message })
    }

    /// Reads one batch of servers' answers.
    fn read_server(&mut self, ServerReady(at): ServerReady, ctx: &mut Context<Self>) {
        let mut received = Vec::new();
        if self.servers.receive(at, &mut received) {
            ctx.notify(ServerReady(at));
        }
        self.take(received);
    }

    /// Gives messages to the relay and carries out its orders.
    fn take(&mut self, received: Vec<Received>) {
        let now = self.clock.now();
        let mut orders = Vec::new();
        for message in received {
            self.relay.received(now, message, &mut orders);
        }
        let mut facts = Vec::new();
        for order in orders {
            match order {
                RelayOrder::ToServer { server, from, message } => self.servers.send(server, from, &message),
                RelayOrder::ToClient { segment, to, from, message } => {
                    let (lladdr, address) = match to {
                        ClientPlace::Everybody => (None, Ipv4Addr::BROADCAST),
                        ClientPlace::One { lladdr, address } => (Some(lladdr), address),
                    };
                    let packet = build((from, SERVER_PORT), (address, CLIENT_PORT), &message);
                    let link = self.links.get(&segment);
                    let sent =
                        link.zip(packet).map(|(open, packet)| open.port.send(lladdr.as_ref(), &packet));
                    if let Some(Err(error)) = sent {
                        debug!(self.log, "dhcp_send_failed"; "error" => %error);
                    }
                }
                RelayOrder::Report { segment, news } => facts.push(Fact::Dhcp { segment, news }),
                RelayOrder::Count(segment, what) => self.count(segment, what),
            }
        }
        if !facts.is_empty() {
            // `do_send` ignores the mailbox's capacity: a lease must not be lost. The relay's limits hold them back.
            self.owner.do_send(Observed::of(facts));
        }
    }

    fn count(&self, segment: SegmentId, what: DhcpCount) {
        if let Some(counters) = self.counters.get(&segment) {
            Counters::add(counters.dhcp.of(what), 1);
        }
    }

    /// Looks for what the kernel does not report, and has the sockets follow.
    fn look(&mut self, ctx: &mut Context<Self>) {
        self.servers.look(&mut self.relay, ctx);
    }
}

impl Actor for DhcpActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look(ctx);
        ctx.run_interval(LOOK, Self::look);
        info!(self.log, "dhcp_started");
    }
}

impl Handler<DhcpUpdate> for DhcpActor {
    type Result = ();

    fn handle(&mut self, update: DhcpUpdate, ctx: &mut Self::Context) {
        match update {
            DhcpUpdate::Link(segment, update) => {
                let link = update.0.as_ref().map(|(_, link)| link.clone());
                self.relay.link_changed(segment, link);
                self.updates.insert(segment, update);
                self.follow_link(segment, ctx);
            }
            DhcpUpdate::Addresses(own) => self.relay.addresses_changed(own),
        }
        self.look(ctx);
    }
}

impl Handler<ReplanDhcp> for DhcpActor {
    type Result = ();

    fn handle(&mut self, ReplanDhcp { plan, counters }: ReplanDhcp, ctx: &mut Self::Context) {
        self.relay.replan(&plan);
        self.counters = counters;
        for segment in self.updates.keys().copied().collect::<Vec<_>>() {
            self.follow_link(segment, ctx);
        }
        self.look(ctx);
    }
}

impl Handler<LinkReady> for DhcpActor {
    type Result = ();

    fn handle(&mut self, ready: LinkReady, ctx: &mut Self::Context) {
        self.read_link(ready, ctx);
    }
}

impl Handler<ServerReady> for DhcpActor {
    type Result = ();

    fn handle(&mut self, ready: ServerReady, ctx: &mut Self::Context) {
        self.read_server(ready, ctx);
    }
}

impl StreamHandler<LinkReady> for DhcpActor {
    fn handle(&mut self, ready: LinkReady, ctx: &mut Self::Context) {
        self.read_link(ready, ctx);
    }

    /// A closed port's stream ends; the actor goes on with the others.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl StreamHandler<ServerReady> for DhcpActor {
    fn handle(&mut self, ready: ServerReady, ctx: &mut Self::Context) {
        self.read_server(ready, ctx);
    }

    /// As for links.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<Finish> for DhcpActor {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) {
        for segment in self.links.keys().copied().collect::<Vec<_>>() {
            self.close(segment, ctx);
        }
        self.updates.clear();
        self.servers.close(ctx);
    }
}
