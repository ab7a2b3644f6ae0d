//! IPv4 addresses of links.

use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::Ipv4Network;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::{LabError, Netns, Result};

impl Netns {
    /// Gives the link an address (`10.0.0.1/24`) and, as the kernel does, a route to its prefix.
    ///
    /// # Errors
    /// When the link is missing, has the address already, or the text is no address.
    pub fn address(&self, link: &str, address: &str) -> Result<()> {
        self.add_address(link, address, AddressFlags::empty())
    }

    /// Gives the link an address without a route to its prefix (`IFA_F_NOPREFIXROUTE`).
    ///
    /// # Errors
    /// As [`address`](Self::address).
    pub fn address_noprefix(&self, link: &str, address: &str) -> Result<()> {
        self.add_address(link, address, AddressFlags::Noprefixroute)
    }

    fn add_address(&self, link: &str, address: &str, flags: AddressFlags) -> Result<()> {
        let mut message = self.address_message(link, address)?;
        message.attributes.push(AddressAttribute::Flags(flags));
        let what = format!("add {address} to {link} in {}", self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Gives the link an address of a point-to-point link: its own, and its peer's with the network behind it.
    ///
    /// # Errors
    /// As [`address`](Self::address).
    pub fn address_with_peer(&self, link: &str, own: Ipv4Addr, peer: &str) -> Result<()> {
        let mut message = self.address_message(link, peer)?;
        let peer_ip = IpAddr::V4(parse_network(peer)?.ip());
        message.attributes =
            vec![AddressAttribute::Local(IpAddr::V4(own)), AddressAttribute::Address(peer_ip)];
        let what = format!("add {own} peer {peer} to {link} in {}", self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Takes an address from the link.
    ///
    /// # Errors
    /// When the link is missing, has no such address, or the text is no address.
    pub fn remove_address(&self, link: &str, address: &str) -> Result<()> {
        let message = self.address_message(link, address)?;
        let what = format!("remove {address} from {link} in {}", self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::DelAddress(message), 0)
    }

    fn address_message(&self, link: &str, address: &str) -> Result<AddressMessage> {
        let network = parse_network(address)?;
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = network.prefix();
        message.header.index = self.index(link)?;
        let ip = IpAddr::V4(network.ip());
        message.attributes = vec![AddressAttribute::Local(ip), AddressAttribute::Address(ip)];
        if network.prefix() < 31 {
            message.attributes.push(AddressAttribute::Broadcast(network.broadcast()));
        }
        Ok(message)
    }
}

/// Reads `10.0.0.1/24`; an address without a length is a /32.
pub(crate) fn parse_network(text: &str) -> Result<Ipv4Network> {
    text.parse()
        .map_err(|_| LabError::Invalid { what: "IPv4 address with prefix length", text: text.to_owned() })
}
