//! The key `dhcp` of a domain: `off`, `watch`, or a table that names its servers. And the rules between it and the keys of
//! the segments.

use std::collections::BTreeSet;

use arpherd_core::plan::{ClientOption82, DhcpPlan, DhcpRole, DhcpServer, LearnFrom};
use figment::value::Value;
use serde_json::json;

use super::addresses::HostAddress;
use super::field::{ConfigField, ConfigKey, ListField, ValueField, describe, read_keys};
use super::kind::{DefaultValue, ValueKind};
use super::model::DomainConfig;
use super::network::is_reserved;
use super::path::KeyPath;
use super::pattern;
use super::reader::{ConfigReader, ConfigTable};
use super::value::{Choice, NameOrTable, RawValue, ValueParser};

/// The word for a server on this machine.
const LOCAL: &str = "local";
const MEANING_OF_LOCAL: &str = "on this machine";

/// Everything but a table: whether leases are read from what passes.
const OFF_OR_WATCH: NameOrTable<bool> = NameOrTable {
    names: Choice(&[
        ("off", false, "nothing is done"),
        ("watch", true, "leases are read from what passes, and nothing is sent"),
    ]),
    expected: "off, watch, or a table with servers",
};

/// What is done with a domain's DHCP messages. After an error the plan lacks what had it.
pub(crate) struct DhcpMode;

/// What a table starts from: servers are named in order to be asked.
fn relaying() -> DhcpPlan {
    DhcpPlan { is_relaying: true, ..DhcpPlan::default() }
}

impl ConfigField<DomainConfig> for DhcpMode {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        parent: &ConfigTable<'m>,
        key: &'static str,
        domain: &mut DomainConfig,
    ) {
        if !matches!(parent.get(key), Some(Value::Dict(..))) {
            let is_watching = reader.value(parent, key, &OFF_OR_WATCH, domain.dhcp.is_some());
            domain.dhcp = (is_watching == Some(true)).then(DhcpPlan::default);
            return;
        }
        let table = reader.open(parent, key);
        let mut plan = relaying();
        read_keys(reader, &table, KEYS, &mut plan);
        check_table(reader, &table, &plan);
        domain.dhcp = Some(plan);
    }

    fn describe(&self, defaults: &mut DomainConfig) -> (ValueKind, DefaultValue) {
        let table = ValueKind::Table(describe(KEYS, &mut relaying()));
        let default = OFF_OR_WATCH.show(&defaults.dhcp.is_some());
        (ValueKind::Either(vec![OFF_OR_WATCH.kind(), table]), DefaultValue::Value(default))
    }
}

/// A relay has somebody to ask, each server once; and what only a relay does is not asked of who only watches.
fn check_table<'m>(reader: &mut ConfigReader<'m>, table: &ConfigTable<'m>, plan: &DhcpPlan) {
    let servers = table.path.key("servers");
    let is_understood = !reader.has_problem_within(&table.path);
    if is_understood && plan.is_relaying && plan.servers.is_empty() {
        let text = "found none, expected at least one server to relay to; or relay: off";
        reader.problem(&servers, text.to_owned());
    }
    let mut seen = BTreeSet::new();
    for (index, server) in plan.servers.iter().enumerate() {
        if !seen.insert(server) {
            let found = ServerParser.show(server);
            let found = found.as_str().unwrap_or_default();
            reader.problem(&servers.item(index), format!("found {found} a second time, expected it once"));
        }
    }
    let of_relay = ["server_id_override", "client_option_82"].into_iter().filter(|key| table.has(key));
    for key in of_relay.filter(|_| is_understood && !plan.is_relaying) {
        reader.misfit(
            table,
            key,
            "expected no value: the key says how messages are relayed, and here relay is off",
        );
    }
}

static KEYS: &[ConfigKey<DhcpPlan>] = &[
    ConfigKey {
        name: "servers",
        meaning: "The DHCP servers. Each is asked, and of others nothing is believed but on segments with dhcp = \
                  \"servers\".",
        example: None,
        field: &ListField { parser: ServerParser, of: |plan: &mut DhcpPlan| &mut plan.servers },
    },
    ConfigKey {
        name: "relay",
        meaning: "Whether clients' broadcasts are sent on to the servers, and their replies to the client's segment.",
        example: None,
        field: &ValueField {
            parser: Choice(&[
                ("on", true, "they are"),
                ("off", false, "leases are only read from what passes, of these servers if any are named"),
            ]),
            of: |plan: &mut DhcpPlan| &mut plan.is_relaying,
        },
    },
    ConfigKey {
        name: "server_id_override",
        meaning: "Whom clients take for the server (RFC 5107), and therefore renew their leases with.",
        example: None,
        field: &ValueField {
            parser: Choice(&[
                ("off", false, "the server itself, which they reach through this gateway"),
                ("on", true, "this gateway, for servers that clients cannot reach"),
            ]),
            of: |plan: &mut DhcpPlan| &mut plan.server_id_override,
        },
    },
    ConfigKey {
        name: "client_option_82",
        meaning: "What becomes of a message to which the client itself has added relay agent information (option 82, \
                  RFC 3046), as switches and access points between it and this machine may do.",
        example: None,
        field: &ValueField {
            parser: Choice(&[
                ("drop", ClientOption82::Drop, "it is dropped"),
                ("replace", ClientOption82::Replace, "ours takes its place"),
                ("keep", ClientOption82::Keep, "it goes on as it is, without ours"),
            ]),
            of: |plan: &mut DhcpPlan| &mut plan.client_option_82,
        },
    },
];

/// Parses where a server is.
struct ServerParser;

impl ValueParser for ServerParser {
    type Value = DhcpServer;
    fn expected(&self) -> String {
        format!("{}, or {LOCAL} for one {MEANING_OF_LOCAL}", HostAddress.expected())
    }
    fn read(&self, raw: RawValue<'_>) -> Result<DhcpServer, Option<String>> {
        if raw.text().is_some_and(|text| text.trim() == LOCAL) {
            return Ok(DhcpServer::Local);
        }
        HostAddress.read(raw).map(DhcpServer::At)
    }
    fn pattern(&self) -> String {
        pattern::whole(&format!("({LOCAL}|{})", pattern::host()))
    }
    fn show(&self, value: &DhcpServer) -> serde_json::Value {
        match value {
            DhcpServer::Local => json!(LOCAL),
            DhcpServer::At(address) => json!(address.to_string()),
        }
    }
}

/// Servers are hosts, and what segments have to do with DHCP presupposes a domain that has it.
pub(super) fn check(reader: &mut ConfigReader<'_>, path: &KeyPath, domain: &DomainConfig) {
    let has_fault = reader.has_problem_within(&path.key("dhcp"));
    let Some(plan) = domain.dhcp.as_ref().filter(|_| !has_fault) else {
        if !has_fault {
            without_dhcp(reader, path, domain);
        }
        return;
    };
    for (index, server) in plan.servers.iter().enumerate() {
        let DhcpServer::At(address) = server else { continue };
        if let Some(network) = domain.prefixes.iter().find(|network| is_reserved(*address, **network)) {
            let text = format!(
                "found {address}, expected a host's address; this is the network or broadcast address of {network}"
            );
            reader.problem(&path.key("dhcp").key("servers").item(index), text);
        }
    }
    let (mut takes_part, mut roles_are_known) = (false, true);
    for segment in &domain.segments {
        let path = path.key("segments").key(&segment.plan.name);
        let rules = segment.plan.dhcp;
        roles_are_known &= !reader.has_problem(&path.key("dhcp"));
        takes_part |= rules.role != DhcpRole::Off;
        if rules.learn == LearnFrom::Leases && rules.role == DhcpRole::Off {
            let text = "found leases, expected any: with dhcp: off on this segment no lease is read there";
            reader.problem(&path.key("learn").key("from"), text.to_owned());
        }
    }
    if !takes_part && roles_are_known && !domain.segments.is_empty() {
        let text = "expected off: every segment has dhcp: off, so there is nobody to serve";
        reader.problem(&path.key("dhcp"), format!("found {}, {text}", shown(plan)));
    }
}

fn shown(plan: &DhcpPlan) -> &'static str {
    if *plan == DhcpPlan::default() { "watch" } else { "servers" }
}

fn without_dhcp(reader: &mut ConfigReader<'_>, path: &KeyPath, domain: &DomainConfig) {
    let why = format!("with dhcp: off in the domain {} no lease is read", domain.name);
    for segment in &domain.segments {
        let path = path.key("segments").key(&segment.plan.name);
        if segment.plan.dhcp.role == DhcpRole::Servers {
            reader.problem(&path.key("dhcp"), format!("found servers, expected clients or off: {why}"));
        }
        if segment.plan.dhcp.learn == LearnFrom::Leases {
            reader.problem(&path.key("learn").key("from"), format!("found leases, expected any: {why}"));
        }
    }
}
