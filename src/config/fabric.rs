//! The key `fabric` of a domain: whose routes lead to hosts behind other gateways.

use arpherd_core::plan::FabricPlan;
use serde_json::json;

use super::field::{ConfigKey, ListField};
use super::kind::ValueKind;
use super::pattern;
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
/// BIRD's.
pub(super) const BIRD: u8 = 12;
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
pub(super) struct ProtocolParser;

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
