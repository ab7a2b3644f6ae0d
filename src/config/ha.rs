//! The key `ha` of a domain: this machine is one of two gateways, of which one answers. And the rules between it and other
//! keys.

use std::time::Duration;

use arpherd_core::Address;
use arpherd_core::plan::{COVER_METRIC, HaPlan, KernelProxy, RoleRule, StandbyRoutes};
use figment::value::Value;
use serde_json::json;

use super::addresses::HostAddress;
use super::field::{ConfigField, ConfigKey, DerivedField, TableField, ValueField, describe, read_keys};
use super::gateway_lladdr::GatewayLladdr;
use super::kind::{DefaultValue, ValueKind};
use super::model::DomainConfig;
use super::network::is_reserved;
use super::path::KeyPath;
use super::pattern;
use super::reader::{ConfigReader, ConfigTable};
use super::value::{Choice, DurationRange, NameOrTable, RawValue, ValueParser, WholeNumber};

/// Everything but a table.
const OFF: NameOrTable<bool> = NameOrTable {
    names: Choice(&[("off", false, "this machine is the domain's only gateway")]),
    expected: "off, or a table with follow or command",
};

/// The table as it is read.
#[derive(Debug, Default)]
struct Draft {
    follow: Option<Address>,
    is_commanded: bool,
    ttl: Option<Duration>,
    standby: StandbyRoutes,
}

/// Whether a domain has two gateways, and who decides which of them answers.
pub(crate) struct HaMode;

impl ConfigField<DomainConfig> for HaMode {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        parent: &ConfigTable<'m>,
        key: &'static str,
        domain: &mut DomainConfig,
    ) {
        if !matches!(parent.get(key), Some(Value::Dict(..))) {
            reader.value(parent, key, &OFF, false);
            return;
        }
        let table = reader.open(parent, key);
        let mut draft = Draft::default();
        read_keys(reader, &table, KEYS, &mut draft);
        if reader.has_problem_within(&table.path) {
            return;
        }
        let rule = match (draft.follow, draft.is_commanded) {
            (Some(address), false) => RoleRule::Follow(address),
            (None, true) => RoleRule::Command { ttl: draft.ttl },
            (follow, _) => {
                let found = if follow.is_some() { "both" } else { "neither" };
                let text = format!(
                    "found {found} follow and command, expected one of them: follow: ADDRESS makes the gateway active \
                     while it has the address, command: {{}} lets `arpherd role` decide"
                );
                return reader.problem(&table.path, text);
            }
        };
        domain.ha = Some(HaPlan { rule, standby_routes: draft.standby });
    }

    fn describe(&self, _: &mut DomainConfig) -> (ValueKind, DefaultValue) {
        let table = ValueKind::Table(describe(KEYS, &mut Draft::default()));
        (ValueKind::Either(vec![OFF.kind(), table]), DefaultValue::Value(OFF.show(&false)))
    }
}

static KEYS: &[ConfigKey<Draft>] = &[
    ConfigKey {
        name: "follow",
        meaning: "The address that the two gateways share. This machine is active while it has it, as keepalived gives it \
                  to the master of its VRRP instance and takes it away again.",
        example: Some(r#""10.2.0.1""#),
        field: &DerivedField {
            parser: HostAddress,
            of: |draft: &mut Draft| &mut draft.follow,
            note: |_| "none: commands decide",
        },
    },
    ConfigKey {
        name: "command",
        meaning: "`arpherd role active` and `arpherd role standby` decide, in a notify script of whoever elects. It is the \
                  standby until it is told, so also after a crash.",
        example: Some(r#"{ ttl = "10s" }"#),
        field: &CommandTable,
    },
    ConfigKey {
        name: "standby",
        meaning: "What this machine does while it is the standby, beside listening.",
        example: None,
        field: &TableField { keys: STANDBY, of: |draft: &mut Draft| draft },
    },
];

static COMMAND: &[ConfigKey<Draft>] = &[ConfigKey {
    name: "ttl",
    meaning: "How long it stays active without being told again, for whoever tells it regularly.",
    example: Some(r#""10s""#),
    field: &DerivedField {
        parser: DurationRange { from: Duration::from_secs(1), to: Duration::from_secs(24 * 3600) },
        of: |draft: &mut Draft| &mut draft.ttl,
        note: |_| "until it is told otherwise",
    },
}];

static STANDBY: &[ConfigKey<Draft>] = &[ConfigKey {
    name: "routes",
    meaning: "Its routes to hosts. With a metric of their own, routing daemons that export them can prefer the active \
              gateway's. Without routes, packets that come here after a change of roles are lost until the hosts know of the \
              other gateway.",
    example: None,
    field: &ValueField { parser: StandbyRoutesParser, of: |draft: &mut Draft| &mut draft.standby },
}];

/// The table `command`, which is given even if it is empty.
struct CommandTable;

impl ConfigField<Draft> for CommandTable {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        parent: &ConfigTable<'m>,
        key: &'static str,
        draft: &mut Draft,
    ) {
        if parent.has(key) {
            draft.is_commanded = true;
            let table = reader.open(parent, key);
            read_keys(reader, &table, COMMAND, draft);
        }
    }

    fn describe(&self, draft: &mut Draft) -> (ValueKind, DefaultValue) {
        (ValueKind::Table(describe(COMMAND, draft)), DefaultValue::Table)
    }
}

const SAME: &str = "same";
const NONE: &str = "none";
const METRIC: WholeNumber<u32> =
    WholeNumber { from: 0, to: COVER_METRIC - 1, unit: "a route metric, below that of the covering route" };
const MEANINGS: [(&str, &str); 2] = [
    (SAME, "they have the metric of an active one"),
    (NONE, "there are none, and the domain's prefixes are not covered"),
];

/// Parses what becomes of a standby's routes.
struct StandbyRoutesParser;

impl ValueParser for StandbyRoutesParser {
    type Value = StandbyRoutes;
    fn expected(&self) -> String {
        format!("{SAME}, {NONE} or {}", METRIC.expected())
    }
    fn read(&self, raw: RawValue<'_>) -> Result<StandbyRoutes, Option<String>> {
        match raw.text().as_deref().map(str::trim) {
            Some(SAME) => Ok(StandbyRoutes::Same),
            Some(NONE) => Ok(StandbyRoutes::None),
            _ => METRIC.read(raw).map(StandbyRoutes::Metric),
        }
    }
    fn pattern(&self) -> String {
        pattern::whole(&format!("({SAME}|{NONE}|{})", pattern::number(0, u64::from(METRIC.to))))
    }
    fn show(&self, value: &StandbyRoutes) -> serde_json::Value {
        match value {
            StandbyRoutes::Same => json!(SAME),
            StandbyRoutes::None => json!(NONE),
            StandbyRoutes::Metric(metric) => json!(metric),
        }
    }
    fn kind(&self) -> ValueKind {
        ValueKind::Either(vec![ValueKind::Choice(MEANINGS.to_vec()), METRIC.kind()])
    }
}

/// A standby is silent: nobody may answer in its place, and nobody may take its frames for the active one's.
pub(super) fn check(reader: &mut ConfigReader<'_>, path: &KeyPath, domain: &DomainConfig, metric: u32) {
    let Some(ha) = domain.ha else { return };
    if domain.gateway_lladdr != GatewayLladdr::Own {
        let text = "found a shared address, expected own: of two gateways (ha) each has its own, or switches would send \
                    the active one's frames to the standby, which asks hosts, too";
        reader.problem(&path.key("gateway_lladdr"), text.to_owned());
    }
    let by_sysctl =
        |segment: &&super::model::SegmentConfig| segment.plan.kernel_proxy() == Some(KernelProxy::ProxyArp);
    for segment in domain.segments.iter().filter(by_sysctl) {
        let text = "found kernel, expected live: with `ha` the kernel would answer on the standby, too; or kernel: entries \
                    along with it";
        reader.problem(&path.key("segments").key(&segment.plan.name).key("answer"), text.to_owned());
    }
    let standby = path.key("ha").key("standby").key("routes");
    if ha.standby_routes == StandbyRoutes::Metric(metric) {
        let text = format!("found {metric}, which is routes.metric; expected {SAME}, or another metric");
        reader.problem(&standby, text);
    }
    match ha.rule {
        RoleRule::Follow(address) => {
            let follow = path.key("ha").key("follow");
            if let Some(network) = domain.prefixes.iter().find(|network| is_reserved(address, **network)) {
                let text = format!(
                    "found {address}, expected a host's address; this is the network or broadcast address of {network}"
                );
                reader.problem(&follow, text);
            }
        }
        RoleRule::Command { .. } => {
            if domain.dhcp.as_ref().is_some_and(|dhcp| dhcp.is_relaying) {
                let text = "found a relay, expected ha.follow along with it: the relay knows from the shared address whether \
                            this gateway is the one that relays; a command does not reach it";
                reader.problem(&path.key("dhcp"), text.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::yaml;

    fn load(ha: &str, more: &str) -> Result<Option<HaPlan>, String> {
        let text = format!(
            "domains: {{ lan: {{ prefixes: [10.2.0.0/24], ha: {ha}, {more} segments: {{ eth0: {{}}, eth1: {{}} }} }} }}"
        );
        yaml(&text).map(|loaded| loaded.config.plan().domains.remove(0).ha)
    }

    #[test]
    fn the_plan_has_what_is_configured() {
        let follow = RoleRule::Follow([10, 2, 0, 1].into());
        let command = |ttl| RoleRule::Command { ttl };
        for (text, rule, standby_routes) in [
            ("{ follow: 10.2.0.1 }", follow, StandbyRoutes::Same),
            ("{ follow: 10.2.0.1, standby: { routes: none } }", follow, StandbyRoutes::None),
            ("{ command: {}, standby: { routes: 150 } }", command(None), StandbyRoutes::Metric(150)),
            ("{ command: { ttl: 10s } }", command(Some(Duration::from_secs(10))), StandbyRoutes::Same),
        ] {
            assert_eq!(load(text, ""), Ok(Some(HaPlan { rule, standby_routes })), "{text}");
        }
        assert_eq!(load("off", ""), Ok(None));
    }

    #[test]
    fn what_cannot_be_is_refused_and_said_why() {
        for (ha, more, expected) in [
            ("{}", "", "neither follow and command, expected one of them"),
            ("{ follow: 10.2.0.1, command: {} }", "", "both follow and command"),
            ("{ follow: 10.2.0.255 }", "", "the network or broadcast address of 10.2.0.0/24"),
            ("{ follow: nobody }", "", "domains.lan.ha.follow"),
            ("{ command: { ttl: 10 } }", "", "domains.lan.ha.command.ttl"),
            ("{ command: yes }", "", "domains.lan.ha.command"),
            ("{ follow: 10.2.0.1, standby: { routes: 50 } }", "", "routes.metric"),
            ("{ follow: 10.2.0.1, standby: { routes: some } }", "", "same, none or a whole number"),
            ("on", "", "off, or a table with follow or command"),
            ("{ follow: 10.2.0.1 }", "gateway_lladdr: shared,", "of two gateways (ha) each has its own"),
            ("{ command: {} }", "dhcp: { servers: [10.2.0.2] },", "expected ha.follow"),
        ] {
            let error = load(ha, more).expect_err(ha);
            assert!(error.contains(expected), "{ha}: {error}");
        }
        assert!(load("{ follow: 10.2.0.1 }", "dhcp: { servers: [10.2.0.2] },").is_ok());
    }

    #[test]
    fn the_kernel_answers_on_no_standby() {
        let text = |kernel: &str| {
            format!(
                "domains: {{ lan: {{ prefixes: [10.2.0.0/24], ha: {{ command: {{}} }}, segments: {{ eth0: {{ answer: kernel{kernel} }} }} }} }}"
            )
        };
        let error = yaml(&text("")).map(drop).expect_err("refused");
        assert!(error.contains("the kernel would answer on the standby, too"), "{error}");
        assert!(yaml(&text(", kernel: entries")).is_ok());
    }
}
