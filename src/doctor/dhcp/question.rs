//! The questions that servers are asked: DHCPDISCOVER of a client that does not exist, and the same as a relay passes it on.

use std::net::Ipv4Addr;

use arpherd_actors::io::dhcp::own_address_towards;
use arpherd_core::LinkAddr;
use arpherd_core::dhcp::{BOOT_REQUEST, Message, Names};
use arpherd_core::plan::{DhcpServer, LinkKind};

use crate::doctor::machine::{Machine, MachineLink};
use crate::doctor::scope::CheckedSegment;

/// ARP's hardware types (RFC 4390 has the one of InfiniBand).
const ETHERNET: u8 = 1;
const INFINIBAND: u8 = 32;
/// The answer is to be a broadcast: nobody has the address.
const BROADCAST: u16 = 0x8000;
/// The magic cookie, the kind of message (option 53), and which options are asked for (55): mask, router, lease time and
/// server identifier.
const BEGINNING: [u8; 13] = [99, 130, 83, 99, 53, 1, 1, 55, 4, 1, 3, 51, 54];
/// A client identifier (option 61) of no hardware type (RFC 2132, section 9.14).
const IDENTIFIER: &[u8] = b"\0arpherd doctor ";
const CLIENT_ID: u8 = 61;
const RELAY_AGENT: u8 = 82;
const END: u8 = 255;
/// Octets of a BOOTP message's last field.
const SHORTEST: usize = 64;

/// What a client of the segment asks.
pub(super) fn discover(link: &MachineLink, segment: &CheckedSegment, transaction: u32) -> Message {
    let is_infiniband = segment.plan.kind.or(link.kind) == Some(LinkKind::Ipoib);
    let client = client_of(&link.info.lladdr);
    let mut chaddr = [0; 16];
    if !is_infiniband {
        chaddr[..client.len()].copy_from_slice(&client);
    }
    let mut vendor = BEGINNING.to_vec();
    push(&mut vendor, CLIENT_ID, &[IDENTIFIER, &client].concat());
    vendor.push(END);
    vendor.resize(vendor.len().max(SHORTEST), 0);
    Message {
        op: BOOT_REQUEST,
        hardware_type: if is_infiniband { INFINIBAND } else { ETHERNET },
        hardware_length: if is_infiniband { 0 } else { 6 },
        hops: 0,
        xid: transaction,
        secs: 0,
        flags: BROADCAST,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        chaddr,
        names: Names { server: [0; 64], file: [0; 128] },
        vendor,
    }
}

/// A client of that interface's own, of a locally administered address: the same each time, so that a server keeps no more
/// than one address for it.
fn client_of(lladdr: &LinkAddr) -> [u8; 6] {
    let octets = lladdr.octets();
    let mut client = [0x02, 0x61, 0, 0, 0, 0];
    for (place, octet) in client[2..].iter_mut().rev().zip(octets.iter().rev()) {
        *place = *octet;
    }
    client
}

fn push(vendor: &mut Vec<u8>, code: u8, octets: &[u8]) {
    vendor.extend([code, u8::try_from(octets.len()).unwrap_or(u8::MAX)]);
    vendor.extend(octets.iter().take(255));
}

/// A question for one server.
#[derive(Debug)]
pub(super) struct Relayed {
    pub(super) to: Ipv4Addr,
    pub(super) message: Message,
    /// It names the clients' network (RFC 3527), which its own address does not tell.
    pub(super) is_selecting: bool,
}

/// The question as this machine's relay passes it on (RFC 1542, section 4.1.1).
pub(super) fn relayed(
    machine: &Machine,
    segment: &CheckedSegment,
    server: DhcpServer,
    mut message: Message,
) -> Result<Relayed, String> {
    let prefixes = &segment.plan.addresses.prefixes;
    let is_inside = |address: &Ipv4Addr| prefixes.iter().any(|prefix| prefix.contains(*address));
    let local = match server {
        DhcpServer::At(address) => Some(address).filter(|address| machine.owns(*address)),
        DhcpServer::Local => listening(machine),
    };
    let inside = || {
        let configured = segment.plan.sources.iter().copied().filter(|source| machine.owns(*source));
        let index = machine.link(segment.interface()).map(|link| link.info.index);
        let own = index.into_iter().flat_map(|index| machine.addresses_on(index));
        let all = own.chain(&machine.addresses).map(|info| info.network.ip());
        configured.chain(all).find(is_inside)
    };
    let towards = || match server {
        DhcpServer::At(address) => own_address_towards(address),
        DhcpServer::Local => None,
    };
    let gateway = local.or_else(inside).or_else(towards);
    let gateway = gateway.ok_or("this machine has no address that the server could answer")?;
    let to = match server {
        DhcpServer::At(address) => address,
        DhcpServer::Local => gateway,
    };
    message.giaddr = gateway;
    message.hops = 1;
    let mut information = Vec::new();
    push(&mut information, 1, format!("{}/{}", segment.domain, segment.plan.name).as_bytes());
    let network = prefixes.first().filter(|_| !is_inside(&gateway)).map(|prefix| prefix.network());
    if let Some(network) = network {
        push(&mut information, 5, &network.octets());
    }
    let end = message.vendor.iter().rposition(|octet| *octet == END).unwrap_or(message.vendor.len());
    message.vendor.truncate(end);
    push(&mut message.vendor, RELAY_AGENT, &information);
    message.vendor.push(END);
    message.vendor.resize(message.vendor.len().max(SHORTEST), 0);
    Ok(Relayed { to, message, is_selecting: network.is_some() })
}

/// Where a server of this machine listens, if at an address of its own.
fn listening(machine: &Machine) -> Option<Ipv4Addr> {
    let holders = machine.dhcp.as_ref()?.holders.as_ref().ok()?;
    let is_server = |name: &str| name != super::holders::OURS;
    let theirs =
        holders.iter().filter(|it| it.program.as_ref().is_none_or(|program| is_server(&program.name)));
    let mut addresses = theirs.map(|it| it.address);
    addresses.find(|address| !address.is_unspecified() && !address.is_loopback())
}
