//! The key `behind` of a segment: stations that speak for hosts behind them.

use arpherd_core::LinkAddr;
use arpherd_core::lladdr::{ETHERNET_LEN, IPOIB_LEN};
use arpherd_core::plan::{Behind, LinkKind};
use figment::value::Value;
use ipnetwork::Ipv4Network;
use serde_json::json;

use super::addresses::{PrefixOrAddress, StationAddress, station};
use super::field::ConfigField;
use super::kind::{DefaultValue, ValueKind};
use super::model::SegmentConfig;
use super::network::{nested, within};
use super::path::KeyPath;
use super::pattern;
use super::reader::{ConfigReader, ConfigTable};
use super::text;
use super::value::{RawValue, ValueParser};

/// A table from link-layer addresses to what hosts behind them may have: `allow`, a network, or a list of them.
pub(crate) struct BehindStations;

impl ConfigField<SegmentConfig> for BehindStations {
    /// Entries with an error are left out.
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        parent: &ConfigTable<'m>,
        key: &'static str,
        config: &mut SegmentConfig,
    ) {
        let table = reader.open(parent, key);
        let names: Vec<&str> = table.keys().collect();
        if names.is_empty() && !table.broken {
            reader.left_out(parent, key, json!({}));
        }
        for name in names {
            let path = table.path.key(name);
            let Some(lladdr) = read_station(reader, &path, name, config) else { continue };
            let behind = match table.get(name) {
                Some(Value::Array(..)) => {
                    reader.list(&table, name, &PrefixOrAddress).flatten().map(Behind::Within)
                }
                _ => reader.value(&table, name, &AllowOrPrefix, Behind::Allow),
            };
            let Some(behind) = behind else { continue };
            if let Behind::Within(prefixes) = &behind {
                check_prefixes(reader, &path, prefixes, config);
            }
            if config.plan.addresses.behind.insert(lladdr, behind).is_some() {
                reader.key_problem(&path, format!("found {lladdr} a second time, expected it once"));
            }
        }
    }

    fn describe(&self, _: &mut SegmentConfig) -> (ValueKind, DefaultValue) {
        let list = ValueKind::List(Box::new(PrefixOrAddress.kind()), 1);
        let kind = ValueKind::Map {
            keys: "the link-layer address of a station",
            pattern: StationAddress.pattern(),
            value: Box::new(ValueKind::Either(vec![AllowOrPrefix.kind(), list])),
        };
        (kind, DefaultValue::Value(json!({})))
    }
}

/// The station that a key names.
fn read_station(
    reader: &mut ConfigReader<'_>,
    path: &KeyPath,
    name: &str,
    config: &SegmentConfig,
) -> Option<LinkAddr> {
    let found = text::quoted(name);
    let lladdr = match station(name) {
        Ok(lladdr) => lladdr,
        Err(why) => {
            let why = why.unwrap_or_else(|| format!("expected {}", StationAddress.expected()));
            reader.key_problem(path, format!("found the key {found}, {why}"));
            return None;
        }
    };
    let length = match config.plan.kind {
        Some(LinkKind::Ipoib) => IPOIB_LEN,
        Some(LinkKind::Ethernet | LinkKind::Wifi) => ETHERNET_LEN,
        None => lladdr.len(),
    };
    if lladdr.len() != length {
        reader.key_problem(path, format!("found {lladdr}, expected {length} bytes on this kind of link"));
    }
    Some(lladdr.port())
}

/// Networks behind a station are the segment's, and apart from those that nobody may have there.
fn check_prefixes(
    reader: &mut ConfigReader<'_>,
    path: &KeyPath,
    networks: &[Ipv4Network],
    config: &SegmentConfig,
) {
    let rules = &config.plan.addresses;
    let place = |index: usize| if networks.len() == 1 { path.clone() } else { path.item(index) };
    for (inner, outer) in nested(networks) {
        let (network, holder) = (networks[inner], networks[outer]);
        let text = format!("found {network}, expected a network apart from {holder} of the same list");
        reader.problem(&place(inner), text);
    }
    for (index, network) in networks.iter().enumerate() {
        let is_outside = !rules.prefixes.iter().any(|outer| within(*network, *outer));
        let shut = [("never", &rules.never), ("publish", &rules.publish)];
        let shut = shut.iter().find_map(|(key, list)| {
            list.iter().find(|outer| within(*network, **outer)).map(|outer| (key, outer))
        });
        if is_outside && !rules.prefixes.is_empty() {
            let text = format!(
                "found {network}, expected a network inside the segment's prefixes ({})",
                super::rules::join(&rules.prefixes)
            );
            reader.problem(&place(index), text);
        } else if let Some((key, outer)) = shut {
            let text = format!(
                "found {network}, expected a network outside {key} ({outer}), where no host is learned"
            );
            reader.problem(&place(index), text);
        }
    }
}

/// Parses `allow`, or a network or address.
struct AllowOrPrefix;

impl ValueParser for AllowOrPrefix {
    type Value = Behind;
    fn expected(&self) -> String {
        format!("allow, or {}", PrefixOrAddress.expected())
    }
    fn read(&self, raw: RawValue<'_>) -> Result<Behind, Option<String>> {
        if raw.text().is_some_and(|text| text.trim() == "allow") {
            return Ok(Behind::Allow);
        }
        PrefixOrAddress.read(raw).map(|network| Behind::Within(vec![network]))
    }
    fn pattern(&self) -> String {
        pattern::whole(&format!("(allow|{}|{})", pattern::host(), pattern::network()))
    }
    fn show(&self, value: &Behind) -> serde_json::Value {
        match value {
            Behind::Allow => json!("allow"),
            Behind::Within(networks) => networks.iter().map(ToString::to_string).collect(),
        }
    }
}
