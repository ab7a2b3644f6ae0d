//! Servers' messages: relayed to the clients that asked, and read for leases wherever they pass.

use std::time::Duration;

use super::client::CIRCUIT_ID;
use super::transactions::Outcome;
use super::{Parsed, Relay};
use crate::address::Address;
use crate::dhcp::options::{Kind, Options, remove_relay_agent, replace_server_id, sub_option};
use crate::dhcp::{ClientId, ClientPlace, DhcpCount, DhcpNews, Lease, LeaseEnd, Message, Path, RelayOrder};
use crate::lladdr::LinkAddr;
use crate::plan::{ClientOption82, DhcpPlan, DhcpRole, DhcpServer, LinkKind, SegmentId};

/// A lease for ever (RFC 2131, section 3.3).
const FOR_EVER: u32 = u32::MAX;
const BROADCAST: u16 = 0x8000;
/// ARP's hardware type of Ethernet, whose addresses Wi-Fi has as well.
const ETHERNET: u8 = 1;

impl Relay {
    /// A server's message.
    pub(super) fn server_message(
        &mut self,
        parsed: &Parsed<'_>,
        message: &Message,
        orders: &mut Vec<RelayOrder>,
    ) {
        match parsed.path {
            Path::Socket { source, .. } => self.answered(parsed, source, message, orders),
            Path::Link { segment, is_outgoing: false, source, destination, port, .. } => {
                self.servers.heard_on(source, segment);
                // There are servers that answer the sender of a packet, or everybody, and not the relay.
                let is_to_all = self.places.own.contains(&message.giaddr) && destination.is_broadcast();
                if port == 67 && !is_to_all {
                    // To us it comes by the socket, too; else it is another relay's.
                    return;
                }
                if is_to_all || self.places.own.contains(&destination) {
                    self.answered(parsed, source, message, orders);
                } else {
                    self.passes(parsed, segment, source, message, orders);
                }
            }
            Path::Link { segment, is_outgoing: true, source, port: 68, .. } => {
                self.leaves(parsed, segment, source, message, orders);
            }
            Path::Link { .. } => {}
        }
    }

    /// A server answered us.
    fn answered(
        &mut self,
        parsed: &Parsed<'_>,
        source: Address,
        message: &Message,
        orders: &mut Vec<RelayOrder>,
    ) {
        let circuit = self.circuit_in(&parsed.options);
        let transaction = self.transactions.of_reply(message, parsed.client.as_ref());
        let asked = transaction.filter(|it| it.is_relayed).map(|it| it.segment);
        let Some(segment) = circuit.or(asked) else {
            // Nobody asked. Of whom it may be said, that is the server's segment.
            let came_on = self.servers.segment_of(source);
            return orders.extend(came_on.map(|segment| RelayOrder::Count(segment, DhcpCount::Refused)));
        };
        let refuse =
            |orders: &mut Vec<RelayOrder>| orders.push(RelayOrder::Count(segment, DhcpCount::Refused));
        let Some(dhcp) = self.places.dhcp_of(segment).filter(|dhcp| dhcp.is_relaying) else { return };
        let server = parsed.options.server_id.unwrap_or(source);
        let Some(at) = [source, server].into_iter().find(|it| self.is_server(dhcp, *it)) else {
            self.report_rogue(parsed, segment, server, message, orders);
            return refuse(orders);
        };
        let (is_kept, is_override) = (dhcp.client_option_82 == ClientOption82::Keep, dhcp.server_id_override);
        if self.servers.answered(at) {
            self.news.report(parsed.now, segment, DhcpNews::ServerAnswers { server: at }, orders);
        }
        if self.grants_outside(parsed, segment, server, message, orders) {
            return refuse(orders);
        }
        let mut reply = message.clone();
        // What we did not add is the client's own, which asked for it.
        if circuit.is_some() || !is_kept {
            remove_relay_agent(&mut reply);
        }
        let gateway = self.places.gateway_address(segment, DhcpServer::At(at)).map(|it| it.address);
        let from = gateway.unwrap_or(message.giaddr);
        if is_override {
            let named = self.transactions.of_reply(message, parsed.client.as_ref()).map(|it| &it.client);
            if let Some(client) = named.or(parsed.client.as_ref()) {
                self.overrides.note(client, message.yiaddr, server);
            }
            replace_server_id(&mut reply, from);
        }
        let to = self.place_of(segment, parsed, &reply);
        self.learn(parsed, segment, message, orders);
        orders.push(RelayOrder::ToClient { segment, to, from, message: reply });
        orders.push(RelayOrder::Count(segment, DhcpCount::Answered));
    }

    /// A server's message to a client came in on a link: to one on this link, or to one beyond us.
    fn passes(
        &mut self,
        parsed: &Parsed<'_>,
        segment: SegmentId,
        source: Address,
        message: &Message,
        orders: &mut Vec<RelayOrder>,
    ) {
        let Some(dhcp) = self.places.dhcp_of(segment) else { return };
        let server = parsed.options.server_id.unwrap_or(source);
        if !self.is_believed_on(dhcp, segment, server) {
            self.report_rogue(parsed, segment, server, message, orders);
            orders.push(RelayOrder::Count(segment, DhcpCount::Refused));
            return;
        }
        if let Some(asked) = self.transactions.of_reply(message, parsed.client.as_ref()) {
            let client_segment = asked.segment;
            self.learn(parsed, client_segment, message, orders);
        }
    }

    /// A server's message to a client goes out on a link: that of a server on this machine, or one that came in
    /// elsewhere, or ours, of which nothing is new.
    fn leaves(
        &mut self,
        parsed: &Parsed<'_>,
        segment: SegmentId,
        source: Address,
        message: &Message,
        orders: &mut Vec<RelayOrder>,
    ) {
        let Some(dhcp) = self.places.dhcp_of(segment) else { return };
        let is_own = source.is_unspecified() || self.places.own.contains(&source);
        let is_believed = if is_own {
            !dhcp.is_relaying || self.places.is_local(dhcp)
        } else {
            // It came in on a segment and was judged there, or by a link of nobody's.
            self.is_server(dhcp, source) && self.servers.segment_of(source).is_none()
        };
        if is_believed {
            self.learn(parsed, segment, message, orders);
        }
    }

    /// What the message says of a lease, once for each message although it may be seen twice.
    fn learn(
        &mut self,
        parsed: &Parsed<'_>,
        segment: SegmentId,
        message: &Message,
        orders: &mut Vec<RelayOrder>,
    ) {
        let mut transaction = self.transactions.of_reply(message, parsed.client.as_ref());
        let (outcome, address) = match parsed.options.kind {
            // One without an address of its own answers a DHCPINFORM, which asks for no lease.
            Some(Kind::Ack) if !message.yiaddr.is_unspecified() => {
                (Outcome::Granted(message.yiaddr), message.yiaddr)
            }
            Some(Kind::Nak) => {
                // It names no address (RFC 2131, table 3): what the client wanted is refused.
                let Some(wanted) = transaction.as_ref().and_then(|it| it.wanted) else { return };
                (Outcome::Ended(wanted, LeaseEnd::Refused), wanted)
            }
            _ => return,
        };
        if !self.places.is_in_domain(segment, address) {
            return;
        }
        let named = transaction.as_ref().map(|it| it.client.clone()).or(parsed.client.clone());
        if transaction.as_mut().is_some_and(|it| !it.is_news(outcome)) {
            return;
        }
        let Some(client) = named else { return };
        let news = match outcome {
            Outcome::Granted(address) => {
                let lease = self.lease(parsed, segment, address, client, message);
                self.limits.granted(parsed.now, &lease.client, lease.duration);
                DhcpNews::Granted(lease)
            }
            Outcome::Ended(address, end) => {
                self.limits.ended(&client);
                DhcpNews::Ended { address, client, end }
            }
        };
        self.news.report(parsed.now, segment, news, orders);
    }

    fn lease(
        &self,
        parsed: &Parsed<'_>,
        segment: SegmentId,
        address: Address,
        client: ClientId,
        message: &Message,
    ) -> Lease {
        let server = parsed.options.server_id.unwrap_or(message.siaddr);
        let seconds = parsed.options.lease_seconds.filter(|seconds| *seconds != FOR_EVER);
        let duration = seconds.map(|seconds| Duration::from_secs(seconds.into()));
        let lladdr = self.lladdr_of(segment, message).unwrap_or_default();
        Lease { address, client, lladdr, server, duration }
    }

    /// The client's link-layer address, where the message has one of its link's kind.
    fn lladdr_of(&self, segment: SegmentId, message: &Message) -> Option<LinkAddr> {
        let is_ethernet = message.hardware_type == ETHERNET && message.hardware_length == 6;
        let fits = is_ethernet && self.places.kind_of(segment) != LinkKind::Ipoib;
        LinkAddr::try_new(&message.chaddr[..6]).filter(|lladdr| fits && lladdr.is_station())
    }

    /// Where the client receives the reply (RFC 2131, section 4.1).
    fn place_of(&self, segment: SegmentId, parsed: &Parsed<'_>, reply: &Message) -> ClientPlace {
        let address = if reply.ciaddr.is_unspecified() { reply.yiaddr } else { reply.ciaddr };
        let wants_broadcast = reply.flags & BROADCAST != 0 || parsed.options.kind == Some(Kind::Nak);
        let lladdr = self.lladdr_of(segment, reply).filter(|_| !wants_broadcast && !address.is_unspecified());
        lladdr.map_or(ClientPlace::Everybody, |lladdr| ClientPlace::One { lladdr, address })
    }

    /// Whether the server grants an address that no client of the segment can use; reported.
    fn grants_outside(
        &mut self,
        parsed: &Parsed<'_>,
        segment: SegmentId,
        server: Address,
        message: &Message,
        orders: &mut Vec<RelayOrder>,
    ) -> bool {
        let address = message.yiaddr;
        let is_outside = !address.is_unspecified() && !self.places.is_in_domain(segment, address);
        if is_outside {
            let news = DhcpNews::OutsideDomain { server, address };
            self.news.report(parsed.now, segment, news, orders);
        }
        is_outside
    }

    fn report_rogue(
        &mut self,
        parsed: &Parsed<'_>,
        segment: SegmentId,
        server: Address,
        message: &Message,
        orders: &mut Vec<RelayOrder>,
    ) {
        if matches!(parsed.options.kind, Some(Kind::Offer | Kind::Ack | Kind::Nak)) {
            let lladdr = if let Path::Link { from, .. } = parsed.path { from } else { LinkAddr::UNKNOWN };
            let news = DhcpNews::RogueServer { server, lladdr, offered: message.yiaddr };
            self.news.report(parsed.now, segment, news, orders);
        }
    }

    /// Whether it is one of the domain's servers.
    fn is_server(&self, dhcp: &DhcpPlan, server: Address) -> bool {
        dhcp.servers.contains(&DhcpServer::At(server))
            || self.places.own.contains(&server) && self.places.is_local(dhcp)
    }

    /// Whether a server's message is believed that came in on the segment.
    fn is_believed_on(&self, dhcp: &DhcpPlan, segment: SegmentId, server: Address) -> bool {
        let is_anybody = dhcp.servers.is_empty() && !self.places.has_server_segment(segment);
        // Another gateway with our address, as which clients see their server (RFC 5107).
        let is_beside = dhcp.server_id_override && self.places.own.contains(&server);
        let is_marked = self.places.role_of(segment) == DhcpRole::Servers;
        is_marked || is_anybody || is_beside || self.is_server(dhcp, server)
    }

    /// The segment that the message's circuit ID names, if it is one of ours.
    pub(super) fn circuit_in(&self, options: &Options<'_>) -> Option<SegmentId> {
        let circuit = options.relay_agent.and_then(|information| sub_option(information, CIRCUIT_ID));
        circuit.and_then(|circuit| self.places.segment_of_circuit(circuit))
    }
}
