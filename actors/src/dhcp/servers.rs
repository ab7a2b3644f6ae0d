//! The sockets towards servers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::Ipv4Addr;

use actix::{AsyncContext, Context, SpawnHandle};
use arpherd_core::dhcp::{Message, Path, Received, Relay};
use arpherd_core::plan::DhcpServer;
use slog::{Logger, debug, info, warn};

use super::{DhcpActor, ServerReady};
use crate::io::Wake;
use crate::io::dhcp::{LoopbackPort, ReplySocket, Sender, listening_at, own_address_towards};
use crate::io::netns::Netns;
use crate::port::readiness;

/// The number of the loopback interface, the first of every network namespace.
const LOOPBACK: u32 = 1;

/// Where servers answer, and how they are asked.
pub(super) struct ServerSockets {
    netns: Netns,
    log: Logger,
    replies: BTreeMap<Ipv4Addr, (ReplySocket, SpawnHandle)>,
    /// Addresses at which servers answer, and whose port is another program's.
    taken: BTreeSet<Ipv4Addr>,
    loopback: Option<(LoopbackPort, SpawnHandle)>,
    sender: Option<Sender>,
    /// Own addresses at which a server of this machine is asked.
    own: BTreeSet<Ipv4Addr>,
    /// Where a server of this machine listens: at these addresses.
    listening: Vec<Ipv4Addr>,
}

impl ServerSockets {
    pub(super) fn new(netns: Netns, log: Logger) -> Self {
        Self {
            netns,
            log,
            replies: BTreeMap::new(),
            taken: BTreeSet::new(),
            loopback: None,
            sender: None,
            own: BTreeSet::new(),
            listening: Vec::new(),
        }
    }

    /// Whether servers answer at the address and no socket of ours hears them: then the links' sockets do.
    pub(super) fn is_deaf_at(&self, address: Ipv4Addr) -> bool {
        self.taken.contains(&address) || self.loopback.is_some() && self.own.contains(&address)
    }

    /// Sends a message to a server.
    ///
    /// # Errors
    /// As UDP's; `HostUnreachable` if the kernel has no route to it.
    pub(super) fn send(&self, server: DhcpServer, from: Ipv4Addr, message: &Message) -> std::io::Result<()> {
        match (server, self.replies.get(&from), &self.sender) {
            (DhcpServer::At(at), Some((socket, _)), _) => socket.send(at, message),
            (DhcpServer::At(at), None, Some(sender)) => sender.send(at, message),
            // It listens at the address that it is to answer at.
            (DhcpServer::Local, _, Some(sender)) => sender.send(from, message),
            (_, _, None) => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Reads one batch from the socket of that address, or from the loopback interface. Whether there may be more.
    pub(super) fn receive(&mut self, at: Option<Ipv4Addr>, received: &mut Vec<Received>) -> bool {
        let Some(at) = at else { return self.receive_looped(received) };
        let Some((socket, _)) = self.replies.get_mut(&at) else { return false };
        let mut replies = Vec::new();
        let outcome = socket.receive(&mut replies);
        for (source, message) in replies {
            match message {
                Ok(message) => {
                    received.push(Received { path: Path::Socket { source, destination: at }, message });
                }
                Err(error) => debug!(self.log, "dhcp_malformed"; "source" => %source, "error" => %error),
            }
        }
        outcome.unwrap_or_else(|error| {
            warn!(self.log, "dhcp_capture_failed"; "address" => %at, "error" => %error);
            false
        })
    }

    fn receive_looped(&mut self, received: &mut Vec<Received>) -> bool {
        let Some((port, _)) = &mut self.loopback else { return false };
        let mut seen = Vec::new();
        let outcome = port.receive(&mut seen);
        for datagram in seen.into_iter().flatten() {
            let path = Path::Socket { source: datagram.source, destination: datagram.destination };
            received.push(Received { path, message: datagram.message });
        }
        outcome.unwrap_or_else(|error| {
            warn!(self.log, "dhcp_capture_failed"; "error" => %error);
            false
        })
    }

    /// Tells the relay where servers are, and has the sockets be where they answer. Returns the servers to which the kernel
    /// has no route.
    pub(super) fn look(&mut self, relay: &mut Relay, ctx: &mut Context<DhcpActor>) -> Vec<Ipv4Addr> {
        let mut unreachable = Vec::new();
        let has_local = relay.has_local_server();
        let servers = relay.servers();
        let found = self.netns.within(|| {
            let paths: Vec<_> = servers.iter().map(|it| (*it, own_address_towards(*it))).collect();
            let listening = if has_local { listening_at().unwrap_or_default() } else { Vec::new() };
            (paths, listening)
        });
        match found {
            Ok((paths, listening)) => {
                for (server, own) in paths {
                    if own.is_none() {
                        unreachable.push(server);
                    }
                    relay.path_found(server, own);
                }
                self.note_listening(relay, has_local, listening);
            }
            Err(error) => warn!(self.log, "kernel_unreadable"; "error" => %error),
        }
        self.follow_replies(&relay.reply_addresses(), ctx);
        self.own = relay.own_addresses().clone();
        self.follow_loopback(has_local, ctx);
        unreachable
    }

    fn note_listening(&mut self, relay: &mut Relay, has_local: bool, mut listening: Vec<Ipv4Addr>) {
        // Our own sockets are none of a server's.
        listening.retain(|address| !self.replies.contains_key(address));
        listening.sort_unstable();
        listening.dedup();
        if has_local && listening != self.listening {
            let shown: Vec<_> = listening.iter().map(ToString::to_string).collect();
            info!(self.log, "dhcp_local_server"; "listens_at" => if shown.is_empty() { "nowhere".to_owned() } else { shown.join(" ") });
        }
        let at = match listening[..] {
            [only] if !only.is_unspecified() => Some(only),
            // Of several the first that is not only this machine's.
            [_, ..] => listening.iter().copied().find(|it| !it.is_unspecified() && !it.is_loopback()),
            [] => None,
        };
        let at = at.filter(|_| !listening.contains(&Ipv4Addr::UNSPECIFIED));
        relay.local_server_found(at);
        self.listening = listening;
    }

    fn follow_replies(&mut self, wanted: &BTreeSet<Ipv4Addr>, ctx: &mut Context<DhcpActor>) {
        let gone: Vec<_> = self.replies.keys().copied().filter(|at| !wanted.contains(at)).collect();
        for at in gone {
            if let Some((_, stream)) = self.replies.remove(&at) {
                ctx.cancel_future(stream);
            }
        }
        self.taken.retain(|at| wanted.contains(at));
        for at in wanted.iter().copied().filter(|at| !self.replies.contains_key(at)).collect::<Vec<_>>() {
            match self.bind(at, ctx) {
                Ok(bound) => {
                    self.replies.insert(at, bound);
                    self.taken.remove(&at);
                }
                // The address is another machine's now; the watch will say so.
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {}
                Err(error) => {
                    if self.taken.insert(at) {
                        let hint = match error.kind() {
                            ErrorKind::AddrInUse => {
                                "another program has the port; replies are read on the links instead"
                            }
                            _ => {
                                "give the daemon CAP_NET_BIND_SERVICE (docs/security.md); replies are read on the links instead"
                            }
                        };
                        warn!(self.log, "dhcp_port_unavailable"; "address" => %at, "error" => %error, "hint" => hint);
                    }
                    self.open_sender();
                }
            }
        }
    }

    fn bind(
        &self,
        at: Ipv4Addr,
        ctx: &mut Context<DhcpActor>,
    ) -> std::io::Result<(ReplySocket, SpawnHandle)> {
        let socket = self.netns.within(|| ReplySocket::bind(at)).map_err(std::io::Error::other)??;
        let ready = move |()| ServerReady(Some(at));
        let stream = ctx.add_stream(futures_util::StreamExt::map(readiness(Wake::on(&socket)?), ready));
        Ok((socket, stream))
    }

    fn follow_loopback(&mut self, is_wanted: bool, ctx: &mut Context<DhcpActor>) {
        if !is_wanted {
            if let Some((_, stream)) = self.loopback.take() {
                ctx.cancel_future(stream);
            }
        } else if self.loopback.is_none() {
            self.open_sender();
            match self.netns.within(|| LoopbackPort::open(LOOPBACK)) {
                Ok(Ok(port)) => match Wake::on(&port) {
                    Ok(wake) => {
                        let ready = |()| ServerReady(None);
                        let stream = ctx.add_stream(futures_util::StreamExt::map(readiness(wake), ready));
                        self.loopback = Some((port, stream));
                    }
                    Err(error) => warn!(self.log, "dhcp_capture_failed"; "error" => %error),
                },
                Ok(Err(error)) => warn!(self.log, "dhcp_capture_failed"; "error" => %error),
                Err(error) => warn!(self.log, "dhcp_capture_failed"; "error" => %error),
            }
        }
    }

    fn open_sender(&mut self) {
        if self.sender.is_none() {
            match self.netns.within(Sender::open) {
                Ok(Ok(sender)) => self.sender = Some(sender),
                Ok(Err(error)) => warn!(self.log, "dhcp_send_failed"; "error" => %error),
                Err(error) => warn!(self.log, "dhcp_send_failed"; "error" => %error),
            }
        }
    }

    /// Closes everything.
    pub(super) fn close(&mut self, ctx: &mut Context<DhcpActor>) {
        let replies = std::mem::take(&mut self.replies).into_values().map(|(_, stream)| stream);
        for stream in replies.chain(self.loopback.take().map(|(_, stream)| stream)) {
            ctx.cancel_future(stream);
        }
        self.sender = None;
    }
}
