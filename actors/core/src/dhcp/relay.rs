//! The DHCP relay and watch: which message goes where, and what it says of leases.
//!
//! ```text
//!   client's message ─► client ─┬ limits, transactions: who asks, how often, from where
//!                               └ servers asked ─► ToServer
//!   server's message ─► server ─┬ servers: is it believed? transactions: who asked for it?
//!                               ├ relayed to us ─► ToClient
//!                               └ an ACK, a NAK ─► Report
//! ```
//!
//! [`places::Places`] knows the plan, the links and this machine's addresses.

mod client;
mod limits;
mod news;
mod overrides;
mod places;
mod server;
mod servers;
#[cfg(test)]
mod tests;
mod transactions;

use std::collections::BTreeSet;

use limits::Limits;
use news::News;
use overrides::Overrides;
use places::Places;
use servers::Servers;
use transactions::Transactions;

use super::lease::{ClientId, DhcpNews};
use super::message::{BOOT_REPLY, BOOT_REQUEST, Message};
use super::options::{self, Options};
use super::traffic::{DhcpCount, Path, Received, RelayOrder};
use crate::address::Address;
use crate::fact::Link;
use crate::plan::{Plan, SegmentId};
use crate::time::Time;

/// Relays DHCP between the segments of each domain that has it, and reads leases from what passes. As pure as the ledger:
/// the same messages at the same times give the same orders.
#[derive(Debug)]
pub struct Relay {
    places: Places,
    transactions: Transactions,
    limits: Limits,
    servers: Servers,
    news: News,
    overrides: Overrides,
}

impl Relay {
    /// A relay that has seen nothing yet.
    pub fn new(plan: &Plan) -> Self {
        Self {
            places: Places::new(plan),
            transactions: Transactions::default(),
            limits: Limits::new(plan),
            servers: Servers::default(),
            news: News::default(),
            overrides: Overrides::default(),
        }
    }

    /// The plan is this one from now on, with the segments that stay in their old numbers ([`Plan::succeeded_by`]).
    pub fn replan(&mut self, plan: &Plan) {
        self.places.replan(plan);
        self.limits.replan(plan);
        self.transactions.retain(|segment| self.places.dhcp_of(segment).is_some());
        self.servers.retain(|server| self.places.is_configured(server));
    }

    /// A segment's interface is now like this; `None`: it is gone.
    pub fn link_changed(&mut self, segment: SegmentId, link: Option<Link>) {
        self.places.link_changed(segment, link);
    }

    /// This machine's IPv4 addresses are now these.
    pub fn addresses_changed(&mut self, own: impl IntoIterator<Item = Address>) {
        self.places.own = own.into_iter().collect();
    }

    /// The kernel would send from this address to that server; `None`: it has no route to it.
    pub fn path_found(&mut self, server: Address, own: Option<Address>) {
        self.places.path_found(server, own);
    }

    /// A server on this machine listens at port 67 of this address; `None`: of all addresses, or it was not found.
    pub fn local_server_found(&mut self, at: Option<Address>) {
        self.places.local_server = at;
    }

    /// The servers that are asked, for whom [`Self::path_found`] is to be told.
    pub fn servers(&self) -> BTreeSet<Address> {
        self.places.servers().collect()
    }

    /// Whether messages of the segment are relayed or read.
    pub fn serves(&self, segment: SegmentId) -> bool {
        self.places.dhcp_of(segment).is_some()
    }

    /// This machine's addresses.
    pub fn own_addresses(&self) -> &BTreeSet<Address> {
        &self.places.own
    }

    /// Whether a server on this machine is asked, for which [`Self::local_server_found`] is to be told.
    pub fn has_local_server(&self) -> bool {
        self.places.has_local_server()
    }

    /// Own addresses at whose port 67 servers answer. Those for a server on this machine are not among them: it may want
    /// that port itself.
    pub fn reply_addresses(&self) -> BTreeSet<Address> {
        self.places.reply_addresses()
    }

    /// Takes a message and appends what is to be done about it.
    pub fn received(&mut self, now: Time, received: Received, orders: &mut Vec<RelayOrder>) {
        let Received { path, message } = received;
        if let Path::Link { segment, is_outgoing, from, .. } = path {
            let is_ours = !is_outgoing && self.places.is_own_lladdr(&from);
            if self.places.dhcp_of(segment).is_none() || is_ours {
                return;
            }
        }
        let Ok(options) = options::read(&message) else {
            return count(path, DhcpCount::Malformed, orders);
        };
        // What RFC 951 knows without options names no lease, and no server of today answers it.
        let Some(options) = options.filter(|options| options.kind.is_some()) else {
            return count(path, DhcpCount::Malformed, orders);
        };
        let client = client_of(&message, &options);
        let parsed = Parsed { now, path, options, client };
        match (message.op, &parsed.client) {
            (BOOT_REQUEST, Some(client)) => self.client_message(&parsed, client, &message, orders),
            (BOOT_REQUEST, None) => self.unidentified(now, path, orders),
            (BOOT_REPLY, _) => self.server_message(&parsed, &message, orders),
            _ => count(path, DhcpCount::Malformed, orders),
        }
    }

    /// Some time has passed: a server may have been silent for too long. To be called every few seconds.
    pub fn time_passed(&mut self, now: Time, orders: &mut Vec<RelayOrder>) {
        for (server, segment, since) in self.servers.fallen_silent(now) {
            self.news.report(now, segment, DhcpNews::ServerSilent { server, since }, orders);
        }
    }

    fn unidentified(&mut self, now: Time, path: Path, orders: &mut Vec<RelayOrder>) {
        if let Path::Link { segment, is_outgoing: false, from: lladdr, port: 67, .. } = path {
            orders.push(RelayOrder::Count(segment, DhcpCount::Refused));
            self.news.report(now, segment, DhcpNews::Unidentified { lladdr }, orders);
        }
    }
}

/// A message with what was read of it.
struct Parsed<'m> {
    now: Time,
    path: Path,
    options: Options<'m>,
    /// Who it is from or for, as far as it says.
    client: Option<ClientId>,
}

/// Who a message is from or for. `None`: it does not say.
fn client_of(message: &Message, options: &Options<'_>) -> Option<ClientId> {
    if let Some(identifier) = options.client_id {
        return Some(ClientId::Identifier(identifier.to_vec()));
    }
    // RFC 4390, section 2.1: chaddr is no name there.
    if message.hardware_type == client::INFINIBAND {
        return None;
    }
    let length = usize::from(message.hardware_length);
    let octets = message.chaddr.get(..length).filter(|octets| !octets.is_empty())?;
    Some(ClientId::Hardware(message.hardware_type, octets.to_vec()))
}

fn count(path: Path, what: DhcpCount, orders: &mut Vec<RelayOrder>) {
    if let Path::Link { segment, is_outgoing: false, .. } = path {
        orders.push(RelayOrder::Count(segment, what));
    }
}
