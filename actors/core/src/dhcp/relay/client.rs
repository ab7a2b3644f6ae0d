//! Clients' messages: noted for the replies that will come, and relayed to the servers.

use super::transactions::Question;
use super::{Parsed, Relay};
use crate::address::Address;
use crate::dhcp::options::{
    Kind, append_relay_agent, push_sub_option, remove_relay_agent, replace_server_id,
};
use crate::dhcp::{ClientId, DhcpCount, DhcpNews, LeaseEnd, Message, Path, RelayOrder};
use crate::plan::{ClientOption82, DhcpServer, LinkKind, SegmentId};

/// Relays that a message may pass (RFC 1542, section 4.1.1).
const MOST_HOPS: u8 = 16;
/// The flag by which a client asks to be answered by broadcast (RFC 2131, section 2).
const BROADCAST: u16 = 0x8000;
/// ARP's hardware type of InfiniBand (RFC 4390).
pub(super) const INFINIBAND: u8 = 32;
/// The largest datagram that every host takes (RFC 791), and its headers.
const SMALLEST_MAXIMUM: u16 = 576;
const HEADERS: usize = 28;
/// Octets before the vendor's (RFC 2131, section 2).
const FIXED: usize = 236;
/// Sub-options of option 82: circuit ID (RFC 3046), link selection (RFC 3527), server identifier override (RFC 5107).
pub(super) const CIRCUIT_ID: u8 = 1;
const LINK_SELECTION: u8 = 5;
const SERVER_ID_OVERRIDE: u8 = 11;

impl Relay {
    /// A client's message.
    pub(super) fn client_message(
        &mut self,
        parsed: &Parsed<'_>,
        client: &ClientId,
        message: &Message,
        orders: &mut Vec<RelayOrder>,
    ) {
        // What goes out was seen where it came in, or was sent by this machine.
        let Path::Link { segment, is_outgoing: false, destination, port: 67, .. } = parsed.path else {
            return;
        };
        // From another relay. Where its client is, that relay knows.
        let is_relayed = !message.giaddr.is_unspecified();
        let Some(dhcp) = self.places.dhcp_of(segment) else { return };
        let is_to_us = dhcp.server_id_override && self.places.own.contains(&destination);
        // A unicast that passes reaches its server by itself (a renewal), and must not reach it twice.
        let is_relaying = dhcp.is_relaying && self.places.is_active(segment);
        let is_for_relay = is_relaying && (is_to_us || self.places.is_broadcast(segment, destination));
        if is_relayed && !is_for_relay {
            return;
        }
        if !self.limits.admits(parsed.now, segment, client) {
            orders.push(RelayOrder::Count(segment, DhcpCount::Limited));
            let dropped = self.limits.dropped_on(segment);
            if self.news.report(parsed.now, segment, DhcpNews::Limited { dropped }, orders) {
                self.limits.reported(segment);
            }
            return;
        }
        if !is_relayed {
            let has_address = !message.ciaddr.is_unspecified();
            let wanted = if has_address { Some(message.ciaddr) } else { parsed.options.requested };
            let (xid, chaddr, kind) = (message.xid, message.chaddr, parsed.options.kind);
            let question = Question { segment, xid, chaddr, kind, wanted };
            self.transactions.note(parsed.now, question, client);
            self.note_end(parsed, segment, client, message, orders);
        }
        if !is_for_relay {
            return;
        }
        let Some(mut message) = self.may_pass(parsed, segment, message) else {
            orders.push(RelayOrder::Count(segment, DhcpCount::Refused));
            return;
        };
        let chosen = self.chosen_by(parsed, client, &message);
        if let Some(server) = chosen {
            replace_server_id(&mut message, server);
        }
        self.ask_servers(parsed, segment, client, &message, chosen, orders);
    }

    /// A client gives its address back, or found somebody else there.
    fn note_end(
        &mut self,
        parsed: &Parsed<'_>,
        segment: SegmentId,
        client: &ClientId,
        message: &Message,
        orders: &mut Vec<RelayOrder>,
    ) {
        let (address, end) = match parsed.options.kind {
            Some(Kind::Release) => (Some(message.ciaddr), LeaseEnd::Released),
            Some(Kind::Decline) => (parsed.options.requested, LeaseEnd::Declined),
            _ => return,
        };
        let Some(address) = address.filter(|address| self.places.is_in_domain(segment, *address)) else {
            return;
        };
        self.limits.ended(client);
        let news = DhcpNews::Ended { address, client: client.clone(), end };
        self.news.report(parsed.now, segment, news, orders);
    }

    /// The message as it may be passed on: one hop more, and without what its client may not say. `None`: it may not.
    fn may_pass(&self, parsed: &Parsed<'_>, segment: SegmentId, message: &Message) -> Option<Message> {
        let is_ours = self.places.own.contains(&message.giaddr)
            || self.circuit_in(&parsed.options).is_some_and(|circuit| self.places.dhcp_of(circuit).is_some());
        if is_ours || message.hops > MOST_HOPS {
            return None;
        }
        let mut message = message.clone();
        message.hops += 1;
        if !message.giaddr.is_unspecified() || parsed.options.relay_agent.is_none() {
            return Some(message);
        }
        match self.places.dhcp_of(segment)?.client_option_82 {
            ClientOption82::Drop => None,
            ClientOption82::Keep => Some(message),
            ClientOption82::Replace => {
                remove_relay_agent(&mut message);
                Some(message)
            }
        }
    }

    /// The server that the client chose or leaves. It names us in its place if that is what it was told (RFC 5107).
    fn chosen_by(&self, parsed: &Parsed<'_>, client: &ClientId, message: &Message) -> Option<Address> {
        let named = parsed.options.server_id?;
        let address = parsed.options.requested.unwrap_or(message.ciaddr);
        let behind_us = self.overrides.server_of(client, address);
        behind_us.filter(|_| self.places.own.contains(&named)).or(Some(named))
    }

    /// Sends the message to each server.
    fn ask_servers(
        &mut self,
        parsed: &Parsed<'_>,
        segment: SegmentId,
        client: &ClientId,
        message: &Message,
        chosen: Option<Address>,
        orders: &mut Vec<RelayOrder>,
    ) {
        let servers = self.places.dhcp_of(segment).map(|dhcp| dhcp.servers.clone()).unwrap_or_default();
        let transaction = self.transactions.of_client(message.xid, client);
        let is_repeated = transaction.is_some_and(|transaction| {
            transaction.is_relayed = true;
            transaction.is_repeated
        });
        for server in servers {
            let at = if let DhcpServer::At(at) = server { Some(at) } else { None };
            // It heard the client itself. If the client has to ask again, it did not: somebody else spoke as that server there.
            if !is_repeated && at.is_some_and(|at| self.servers.segment_of(at) == Some(segment)) {
                continue;
            }
            let Some((from, message)) = self.for_server(parsed, segment, server, message) else {
                orders.push(RelayOrder::Count(segment, DhcpCount::Refused));
                continue;
            };
            orders.push(RelayOrder::ToServer { server, from, message });
            orders.push(RelayOrder::Count(segment, DhcpCount::Relayed));
            // Of two servers only the one that a client chose answers its request.
            let is_chosen = chosen.is_none_or(|chosen| Some(chosen) == at);
            let is_question = match parsed.options.kind {
                Some(Kind::Discover | Kind::Inform) => true,
                Some(Kind::Request) => is_chosen,
                _ => false,
            };
            if let Some(at) = at.filter(|_| is_question)
                && let Some(since) = self.servers.asked(parsed.now, at, segment)
            {
                self.news.report(parsed.now, segment, DhcpNews::ServerSilent { server: at, since }, orders);
            }
        }
    }

    /// The message as that server is to have it, and the own address that it goes out from.
    fn for_server(
        &self,
        parsed: &Parsed<'_>,
        segment: SegmentId,
        server: DhcpServer,
        message: &Message,
    ) -> Option<(Address, Message)> {
        let gateway = self.places.gateway_address(segment, server)?;
        let mut message = message.clone();
        // Another relay's client: everything of it is that relay's.
        if !message.giaddr.is_unspecified() {
            return Some((gateway.address, message));
        }
        message.giaddr = gateway.address;
        if message.hardware_type == INFINIBAND || self.places.kind_of(segment) == LinkKind::Ipoib {
            // RFC 4390, section 2.2: a client there cannot be answered otherwise.
            message.flags |= BROADCAST;
        }
        let is_kept = parsed.options.relay_agent.is_some()
            && self.places.dhcp_of(segment)?.client_option_82 == ClientOption82::Keep;
        let information = self.relay_agent(segment, gateway.address, gateway.network);
        let most = usize::from(parsed.options.max_size.unwrap_or_default().max(SMALLEST_MAXIMUM));
        let length = HEADERS + FIXED + message.vendor.len();
        // The answer will have it, too, and must fit. Without it the answer finds its client by the transaction.
        let is_needed = gateway.network.is_some();
        if !is_kept && (is_needed || length + 2 + information.len() <= most) {
            append_relay_agent(&mut message, &information);
        }
        Some((gateway.address, message))
    }

    fn relay_agent(&self, segment: SegmentId, own: Address, network: Option<Address>) -> Vec<u8> {
        let mut information = Vec::new();
        push_sub_option(&mut information, CIRCUIT_ID, &self.places.circuit_of(segment));
        if let Some(network) = network {
            push_sub_option(&mut information, LINK_SELECTION, &network.octets());
        }
        if self.places.dhcp_of(segment).is_some_and(|dhcp| dhcp.server_id_override) {
            push_sub_option(&mut information, SERVER_ID_OVERRIDE, &own.octets());
        }
        information
    }
}
