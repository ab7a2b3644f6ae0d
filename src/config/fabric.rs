//! The key `fabric` of a domain: whose routes lead to hosts behind other gateways. And the rules between it and `routes`.

use arpherd_core::plan::{FABRIC_METRIC, FabricPlan, RoutePlan};
use serde_json::json;

use super::field::{ConfigKey, ListField};
use super::kind::ValueKind;
use super::model::{Config, DomainConfig};
use super::path::KeyPath;
use super::pattern;
use super::reader::ConfigReader;
use super::value::{RawValue, ValueParser};

/// Routing daemons by name, with their numbers in /etc/iproute2/rt_protos (linux/rtnetlink.h).
const NAMES: [(&str, u8); 10] = [
    ("static", 4),
    ("zebra", 11),
    ("bird", BIRD),
    ("babel", 42),
    ("openr", 99),
    ("bgp", 186),
    ("isis", 187),
    ("ospf", 188),
    ("rip", 189),
    ("eigrp", 192),
];
const BIRD: u8 = 12;
/// The metric of BIRD's routes in the kernel, if its configuration sets none.
const BIRD_METRIC: u32 = 32;
/// 0 to 2 are the kernel's.
const LEAST: u8 = 3;

/// The keys of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FabricConfig {
    /// `rtm_protocol`s, each once; empty: there is no fabric.
    pub(crate) protocols: Vec<u8>,
}

impl FabricConfig {
    /// The core's plan.
    pub(super) fn plan(&self) -> Option<FabricPlan> {
        let protocols = self.protocols.iter().copied().collect();
        (!self.protocols.is_empty()).then_some(FabricPlan { protocols })
    }
}

pub(super) static KEYS: &[ConfigKey<FabricConfig>] = &[ConfigKey {
    name: "protocols",
    meaning: "Routing daemons whose /32 routes inside the domain's prefixes stand for hosts that live behind other \
              gateways: bgp for FRR's, bird for BIRD's. Such hosts are answered for, and not probed for. Routes of all \
              others are respected and reported.",
    example: Some(r#"["bgp"]"#),
    field: &ListField { parser: ProtocolParser, of: |fabric: &mut FabricConfig| &mut fabric.protocols },
}];

/// Parses the name or number of a routing protocol.
struct ProtocolParser;

impl ValueParser for ProtocolParser {
    type Value = u8;
    fn expected(&self) -> String {
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        format!("{}, or a route protocol's number from {LEAST} to {}", names.join(", "), u8::MAX)
    }
    fn read(&self, raw: RawValue<'_>) -> Result<u8, Option<String>> {
        let text = raw.text();
        let named =
            text.and_then(|text| NAMES.iter().find(|(name, _)| *name == text.trim()).map(|(_, it)| *it));
        let number = || raw.integer().and_then(|number| u8::try_from(number).ok()).filter(|it| *it >= LEAST);
        named.or_else(number).ok_or(None)
    }
    fn pattern(&self) -> String {
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        pattern::whole(&format!("({}|{})", names.join("|"), pattern::number(LEAST.into(), u8::MAX.into())))
    }
    fn show(&self, value: &u8) -> serde_json::Value {
        match NAMES.iter().find(|(_, number)| number == value) {
            Some((name, _)) => json!(name),
            None => json!(value),
        }
    }
    fn kind(&self) -> ValueKind {
        let names = ValueKind::Choice(NAMES.iter().map(|(name, _)| (*name, "")).collect());
        let (from, to) = (LEAST.into(), u8::MAX.into());
        ValueKind::Either(vec![
            names,
            ValueKind::Integer { from, to, unit: "the number of a route protocol", except: &[] },
        ])
    }
}

/// Each protocol once, and not our own.
pub(super) fn check(
    reader: &mut ConfigReader<'_>,
    path: &KeyPath,
    domain: &DomainConfig,
    routes: &RoutePlan,
) {
    let path = path.key("fabric").key("protocols");
    let protocols = &domain.fabric.protocols;
    for (index, protocol) in protocols.iter().enumerate() {
        if *protocol == routes.protocol {
            let text = format!("found {protocol}, expected another daemon's: it is routes.protocol, our own");
            reader.problem(&path.item(index), text);
        } else if protocols.iter().take(index).any(|earlier| earlier == protocol) {
            let found = ProtocolParser.show(protocol);
            reader.problem(&path.item(index), format!("found {found} a second time, expected it once"));
        }
    }
}

/// What a fabric asks of `routes`.
pub(super) fn check_routes(reader: &mut ConfigReader<'_>, config: &Config) {
    let RoutePlan { table, metric, fabric_table, .. } = config.routes;
    let path = KeyPath::root().key("routes");
    if fabric_table == Some(table) {
        let text = format!("found {table}, expected another table than routes.table, or no value");
        return reader.problem(&path.key("fabric_table"), text);
    }
    let protocols = || config.domains.iter().flat_map(|domain| &domain.fabric.protocols);
    if protocols().next().is_none() || fabric_table.is_some() {
        return;
    }
    let theirs = if protocols().all(|protocol| *protocol == BIRD) { BIRD_METRIC } else { FABRIC_METRIC };
    if metric >= theirs {
        let text = format!(
            "{metric} is not below the metric of the fabric's routes ({theirs}): a host that comes here from behind \
             another gateway has no route of ours as long as the fabric's stands; set it to 10, say"
        );
        reader.warning(&path.key("metric"), text);
    }
}
