//! The sockets of segments' links: opened and closed as the links come and go, and read.

use actix::{AsyncContext, Context};
use arpherd_core::SegmentId;
use arpherd_core::dhcp::{BOOT_REPLY, DhcpCount, Path, Received};
use slog::warn;

use super::{DhcpActor, LinkReady, OpenLink, RETRY};
use crate::io::dhcp::{Datagram, Direction, LinkPort, SERVER_PORT, Seen};
use crate::io::packet::Medium;
use crate::io::{PortError, Wake};
use crate::messages::LinkUpdate;
use crate::port::readiness;

impl DhcpActor {
    /// Opens or closes the sockets of a segment's link according to its last update.
    pub(super) fn follow_link(&mut self, segment: SegmentId, ctx: &mut Context<Self>) {
        let served = self.updates.get(&segment).filter(|_| self.relay.serves(segment));
        let medium = served.and_then(LinkUpdate::medium);
        if self.links.get(&segment).map(|open| open.port.medium()) == medium {
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
        Ok(OpenLink { port, streams })
    }

    pub(super) fn close(&mut self, segment: SegmentId, ctx: &mut Context<Self>) {
        for stream in self.links.remove(&segment).into_iter().flat_map(|open| open.streams) {
            ctx.cancel_future(stream);
        }
    }

    /// Reads one batch of a link's packets.
    pub(super) fn read_link(&mut self, LinkReady(segment, direction): LinkReady, ctx: &mut Context<Self>) {
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
        self.take(received, ctx);
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
}
