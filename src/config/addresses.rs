//! Addresses that the operator lists: prefixes, and tables of who is to have which.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_core::LinkAddr;
use figment::value::Value;
use ipnetwork::Ipv4Network;
use serde_json::json;

use super::network;
use super::reader::{Reader, Table};
use super::text;
use super::want::{Address, Network, Raw, Want};

/// A network, or a single address as the network of itself.
pub(crate) struct Prefix;

impl Want for Prefix {
    type Value = Ipv4Network;
    fn expected(&self) -> String {
        "an IPv4 network or address, like 10.2.0.64/28 or 10.2.0.9, with a prefix length from 8 to 32"
            .to_owned()
    }
    fn read(&self, raw: Raw<'_>) -> Result<Ipv4Network, Option<String>> {
        match Address.read(raw) {
            Ok(address) => Ok(Ipv4Network::from(address)),
            Err(_) => Network.read(raw),
        }
    }
    fn show(&self, value: &Ipv4Network) -> serde_json::Value {
        json!(value.to_string())
    }
}

/// The link-layer address of one station.
pub(crate) struct Station;

impl Want for Station {
    type Value = LinkAddr;
    fn expected(&self) -> String {
        "a link-layer address of 6 octets, like 02:00:00:00:00:09, or of 20 on IPoIB".to_owned()
    }
    fn read(&self, raw: Raw<'_>) -> Result<LinkAddr, Option<String>> {
        let text = raw.text().ok_or(None)?;
        let text = text.trim();
        let plain = !text.is_empty() && text.bytes().all(|octet| octet == b':' || octet.is_ascii_hexdigit());
        let address: LinkAddr = if plain { text.parse().map_err(|_| None)? } else { return Err(None) };
        if address.is_station() {
            return Ok(address);
        }
        let why = if address.octets().iter().all(|octet| *octet == 0) { "nobody" } else { "a group" };
        Err(Some(format!("expected the link-layer address of one station, and this is {why}'s")))
    }
    fn show(&self, value: &LinkAddr) -> serde_json::Value {
        json!(value.to_string())
    }
}

/// Reads a table of addresses and who is to have them. What had a problem is left out.
pub(crate) fn stations<'m>(
    reader: &mut Reader<'m>,
    parent: &Table<'m>,
    key: &str,
) -> BTreeMap<Ipv4Addr, LinkAddr> {
    let table = reader.open(parent, key);
    let names: Vec<&str> = table.keys().collect();
    if names.is_empty() && !table.broken {
        reader.left_out(parent, key, json!({}));
    }
    let mut stations = BTreeMap::new();
    for name in names {
        let Some(address) = name.parse().ok().filter(|address| network::unicast(*address)) else {
            let hint = match table.get(name) {
                // A dot between bare keys makes a table of each.
                Some(Value::Dict(..)) => "; in TOML it stands in quotes",
                _ => "",
            };
            let text = format!(
                "found the key {}, expected an IPv4 address, like 10.2.0.9{hint}",
                text::quoted(name)
            );
            reader.key_problem(&table.path.key(name), text);
            continue;
        };
        if let Some(lladdr) = reader.value(&table, name, &Station, LinkAddr::UNKNOWN) {
            stations.insert(address, lladdr);
        }
    }
    stations
}
