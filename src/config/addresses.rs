//! Parsers of addresses: of hosts, of networks, and of link-layer addresses.

use std::net::Ipv4Addr;

use arpherd_core::LinkAddr;
use ipnetwork::Ipv4Network;
use serde_json::json;

use super::network::{self, NotNetwork};
use super::pattern;
use super::value::{RawValue, ValueParser};

/// Parses an address that a host or the gateway can have.
pub(crate) struct HostAddress;

impl ValueParser for HostAddress {
    type Value = Ipv4Addr;
    fn expected(&self) -> String {
        "an IPv4 address of a host, like 10.2.0.1".to_owned()
    }
    fn read(&self, raw: RawValue<'_>) -> Result<Ipv4Addr, Option<String>> {
        let address = raw.text().and_then(|text| text.trim().parse().ok());
        address.filter(|address| network::unicast(*address)).ok_or(None)
    }
    fn pattern(&self) -> String {
        pattern::whole(&pattern::host())
    }
    fn show(&self, value: &Ipv4Addr) -> serde_json::Value {
        json!(value.to_string())
    }
}

/// Parses a network whose host bits are zero.
pub(crate) struct NetworkPrefix;

impl ValueParser for NetworkPrefix {
    type Value = Ipv4Network;
    fn expected(&self) -> String {
        "an IPv4 network, like 10.2.0.0/24, with a prefix length from 8 to 32".to_owned()
    }
    fn read(&self, raw: RawValue<'_>) -> Result<Ipv4Network, Option<String>> {
        let text = raw.text().ok_or(None)?;
        network::parse(text.trim()).map_err(|why| match why {
            NotNetwork::Form | NotNetwork::Length => None,
            NotNetwork::HostBits(meant) => {
                Some(format!("expected a network: bits of the host part are set, did you mean {meant}?"))
            }
            NotNetwork::NotUnicast => {
                Some("expected a network of hosts, not 0/8, 127/8 or multicast".to_owned())
            }
        })
    }
    fn pattern(&self) -> String {
        pattern::whole(&pattern::network())
    }
    fn show(&self, value: &Ipv4Network) -> serde_json::Value {
        json!(value.to_string())
    }
}

/// Parses a network, or a single address as a /32.
pub(crate) struct PrefixOrAddress;

impl ValueParser for PrefixOrAddress {
    type Value = Ipv4Network;
    fn expected(&self) -> String {
        "an IPv4 network or address, like 10.2.0.64/28 or 10.2.0.9, with a prefix length from 8 to 32"
            .to_owned()
    }
    fn read(&self, raw: RawValue<'_>) -> Result<Ipv4Network, Option<String>> {
        match HostAddress.read(raw) {
            Ok(address) => Ok(Ipv4Network::from(address)),
            Err(_) => NetworkPrefix.read(raw),
        }
    }
    fn pattern(&self) -> String {
        pattern::whole(&format!("({}|{})", pattern::host(), pattern::network()))
    }
    fn show(&self, value: &Ipv4Network) -> serde_json::Value {
        json!(value.to_string())
    }
}

/// Parses the link-layer address of one station: not zero, not a group address.
pub(crate) struct StationAddress;

impl ValueParser for StationAddress {
    type Value = LinkAddr;
    fn expected(&self) -> String {
        "a link-layer address of 6 bytes, like 02:00:00:00:00:09, or of 20 on IPoIB".to_owned()
    }
    fn read(&self, raw: RawValue<'_>) -> Result<LinkAddr, Option<String>> {
        station(&raw.text().ok_or(None)?)
    }
    fn pattern(&self) -> String {
        pattern::whole(pattern::LLADDR)
    }
    fn show(&self, value: &LinkAddr) -> serde_json::Value {
        json!(value.to_string())
    }
}

/// Parses the link-layer address of a host whose place the operator fixes: a station's, or the multicast address of a
/// cluster.
pub(crate) struct FixedAddress;

impl ValueParser for FixedAddress {
    type Value = LinkAddr;
    fn expected(&self) -> String {
        StationAddress.expected()
    }
    fn read(&self, raw: RawValue<'_>) -> Result<LinkAddr, Option<String>> {
        let text = raw.text().ok_or(None)?;
        let multicast = text.trim().parse::<LinkAddr>().ok().filter(LinkAddr::is_multicast);
        multicast.map_or_else(|| station(&text), Ok)
    }
    fn pattern(&self) -> String {
        pattern::whole(pattern::LLADDR)
    }
    fn show(&self, value: &LinkAddr) -> serde_json::Value {
        json!(value.to_string())
    }
}

/// The link-layer address of one station that the text is; otherwise what was expected, if more is to be said of it
/// than [`StationAddress`] does.
pub(crate) fn station(text: &str) -> Result<LinkAddr, Option<String>> {
    let text = text.trim();
    let plain = !text.is_empty() && text.bytes().all(|octet| octet == b':' || octet.is_ascii_hexdigit());
    let address: LinkAddr = if plain { text.parse().map_err(|_| None)? } else { return Err(None) };
    if address.is_station() {
        return Ok(address);
    }
    let why =
        if address.octets().iter().all(|octet| *octet == 0) { "the zero address" } else { "a group address" };
    Err(Some(format!("expected the link-layer address of one station, not {why}")))
}
