//! The DHCP actor: relays messages between the segments of one network namespace, and reads leases from what passes.
//!
//! It owns a [`Relay`], which decides, and the sockets: those of each link, those at which servers answer, and one on the
//! loopback interface for a server on this machine. What is learned of leases and servers goes to the route owner as
//! facts.

mod links;
mod servers;
mod waiting;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle, StreamHandler};
use arpherd_core::dhcp::{ClientPlace, DhcpCount, Message as DhcpMessage, Received, Relay, RelayOrder};
use arpherd_core::plan::DhcpServer;
use arpherd_core::{Fact, Plan, SegmentId};
use slog::{Logger, debug, info};

use crate::clock::Clock;
use crate::counters::Counters;
use crate::io::dhcp::{CLIENT_PORT, Direction, LinkPort, SERVER_PORT, build};
use crate::io::netns::Netns;
use crate::messages::{DhcpUpdate, Finish, LinkUpdate, Observed};
use servers::ServerSockets;
use waiting::Waiting;

/// Time between two looks for what the kernel does not report: the way to a server, one on this machine, a port that
/// another program held.
const LOOK: Duration = Duration::from_secs(5);
/// Pause before a socket that could not be opened or broke is opened again.
const RETRY: Duration = Duration::from_secs(1);
/// Time between two attempts to send what waits for the server to be found.
const ATTEMPT: Duration = Duration::from_millis(20);

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
    waiting: Waiting,
    /// A [`Look`] is to be handled.
    is_looking: bool,
}

/// Look for what follows from updates, after all that came together were handled: at the start there is one for each
/// segment.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Look;

/// The sockets of a link.
struct OpenLink {
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
        let waiting = Waiting::default();
        let is_looking = false;
        Self { relay, netns, clock, owner, counters, log, updates, links, servers, waiting, is_looking }
    }

    /// Reads one batch of servers' answers.
    fn read_server(&mut self, ServerReady(at): ServerReady, ctx: &mut Context<Self>) {
        let mut received = Vec::new();
        if self.servers.receive(at, &mut received) {
            ctx.notify(ServerReady(at));
        }
        self.take(received, ctx);
    }

    /// Gives messages to the relay and carries out its orders.
    fn take(&mut self, received: Vec<Received>, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let mut orders = Vec::new();
        for message in received {
            self.relay.received(now, message, &mut orders);
        }
        self.carry_out(orders, ctx);
    }

    fn carry_out(&mut self, orders: Vec<RelayOrder>, ctx: &mut Context<Self>) {
        let mut facts = Vec::new();
        for order in orders {
            match order {
                RelayOrder::ToServer { server, from, message } => {
                    facts.extend(self.ask(server, from, message, ctx));
                }
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
        self.report(facts);
    }

    fn report(&self, facts: Vec<Fact>) {
        if !facts.is_empty() {
            // `do_send` ignores the mailbox's capacity: a lease must not be lost. The relay's limits hold them back.
            self.owner.do_send(Observed::of(facts));
        }
    }

    /// Sends a message to a server. One that the kernel has no route to is searched for, and the message waits.
    fn ask(
        &mut self,
        server: DhcpServer,
        from: Ipv4Addr,
        message: DhcpMessage,
        ctx: &mut Context<Self>,
    ) -> Option<Fact> {
        let error = self.servers.send(server, from, &message).err()?;
        let DhcpServer::At(at) = server else {
            debug!(self.log, "dhcp_send_failed"; "error" => %error);
            return None;
        };
        if !is_unreachable(&error) {
            debug!(self.log, "dhcp_send_failed"; "server" => %at, "error" => %error);
            return None;
        }
        let now = self.clock.now();
        if self.waiting.hold(now, at, from, message) {
            ctx.run_later(ATTEMPT, Self::send_waiting);
        }
        self.waiting.is_search_due(now, at).then_some(Fact::ProbeRequested { address: at })
    }

    /// Sends what waits, as far as servers were found meanwhile.
    fn send_waiting(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let mut facts = Vec::new();
        for unsent in self.waiting.take(now) {
            let sent = self.servers.send(DhcpServer::At(unsent.server), unsent.from, &unsent.message);
            if sent.is_err_and(|error| is_unreachable(&error)) {
                let is_due = self.waiting.is_search_due(now, unsent.server);
                facts.extend(is_due.then_some(Fact::ProbeRequested { address: unsent.server }));
                self.waiting.put_back(unsent);
            }
        }
        if !self.waiting.is_empty() {
            ctx.run_later(ATTEMPT, Self::send_waiting);
        }
        self.report(facts);
    }

    fn count(&self, segment: SegmentId, what: DhcpCount) {
        if let Some(counters) = self.counters.get(&segment) {
            Counters::add(counters.dhcp.of(what), 1);
        }
    }

    /// Looks for what the kernel does not report, and has the sockets follow.
    fn look(&mut self, ctx: &mut Context<Self>) {
        let unreachable = self.servers.look(&mut self.relay, ctx);
        let now = self.clock.now();
        let due = unreachable.into_iter().filter(|server| self.waiting.is_search_due(now, *server));
        let facts = due.map(|address| Fact::ProbeRequested { address }).collect();
        self.report(facts);
        let mut orders = Vec::new();
        self.relay.time_passed(now, &mut orders);
        self.carry_out(orders, ctx);
    }
}

/// Whether the kernel has no route to where a message was to go: one of its own, or that over a domain's prefix.
fn is_unreachable(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable)
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
                self.relay.link_changed(segment, update.link().cloned());
                self.updates.insert(segment, update);
                self.follow_link(segment, ctx);
            }
            DhcpUpdate::Addresses(own) => self.relay.addresses_changed(own),
        }
        if !std::mem::replace(&mut self.is_looking, true) {
            ctx.notify(Look);
        }
    }
}

impl Handler<Look> for DhcpActor {
    type Result = ();

    fn handle(&mut self, _: Look, ctx: &mut Self::Context) {
        self.is_looking = false;
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
