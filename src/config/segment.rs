//! Keys of a segment with rules of their own.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpherd_core::LinkAddr;
use arpherd_core::plan::{AnswerMode, KernelProxy, SweepPlan};
use figment::value::Value;
use serde_json::json;

use super::addresses::{FixedAddress, HostAddress, NetworkPrefix};
use super::errors::ValueOrigin;
use super::field::{ConfigField, ConfigKey, describe, read_keys};
use super::kind::DefaultValue;
use super::kind::ValueKind;
use super::model::SegmentConfig;
use super::name::InterfaceName;
use super::network;
use super::reader::{ConfigReader, ConfigTable, EffectiveValue};
use super::text;
use super::value::{Choice, ValueParser};

/// An example of a segment's name.
pub(super) const SEGMENT_EXAMPLE: &str = "eth0";

/// The interface. By default it has the segment's name, which is in the field already; if that name was not
/// accepted the field is empty, and nothing more is reported.
pub(crate) struct Interface;

impl ConfigField<SegmentConfig> for Interface {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        config: &mut SegmentConfig,
    ) {
        let name = std::mem::take(&mut config.plan.interface);
        if table.has(key) {
            config.plan.interface =
                reader.value(table, key, &InterfaceName, String::new()).unwrap_or_default();
        } else if InterfaceName::fits(&name) {
            let (value, origin) = (json!(name), ValueOrigin::Default);
            reader.record(|| EffectiveValue { key: table.path.key(key), value, note: "", origin });
            config.plan.interface = name;
        } else if !name.is_empty() {
            let expected = InterfaceName.expected();
            let text =
                format!("found the name {}, expected {expected}; or set interface", text::quoted(&name));
            reader.key_problem(&table.path, text);
        }
    }

    fn describe(&self, _: &mut SegmentConfig) -> (ValueKind, DefaultValue) {
        (InterfaceName.kind(), DefaultValue::Name(SEGMENT_EXAMPLE))
    }
}

/// The segment's prefixes. By default they are the domain's, which are in the field already.
pub(crate) struct SegmentPrefixes;

impl ConfigField<SegmentConfig> for SegmentPrefixes {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        config: &mut SegmentConfig,
    ) {
        match reader.list(table, key, &NetworkPrefix) {
            Some(None) => reader.follows(table, key, "the domain's prefixes"),
            // A list with an error is empty: nothing more is reported about it.
            given => {
                config.plan.addresses.prefixes = given.flatten().unwrap_or_default();
                config.has_own_prefixes = true;
            }
        }
    }

    fn describe(&self, _: &mut SegmentConfig) -> (ValueKind, DefaultValue) {
        (ValueKind::List(Box::new(NetworkPrefix.kind()), 1), DefaultValue::Derived("the domain's prefixes"))
    }
}

/// The source: one address, or a list of which the first that the machine has is used.
pub(crate) struct SourceAddresses;

/// What the source is when none is given.
const FIRST_ADDRESS: &str = "its first address in the domain";

impl ConfigField<SegmentConfig> for SourceAddresses {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        config: &mut SegmentConfig,
    ) {
        let is_list = match table.get(key) {
            Some(Value::Array(..)) => true,
            Some(Value::String(_, text)) => text.contains(',') && reader.is_bare_text(&table.path.key(key)),
            _ => false,
        };
        let sources = if is_list {
            reader.list(table, key, &HostAddress).flatten()
        } else {
            let one = reader.optional(table, key, &HostAddress, FIRST_ADDRESS).flatten();
            one.map(|source| vec![source])
        };
        config.plan.sources = sources.unwrap_or_default();
    }

    fn describe(&self, _: &mut SegmentConfig) -> (ValueKind, DefaultValue) {
        let kinds = vec![HostAddress.kind(), ValueKind::List(Box::new(HostAddress.kind()), 1)];
        (ValueKind::Either(kinds), DefaultValue::Derived(FIRST_ADDRESS))
    }
}

/// How the kernel answers. The key is accepted only where the kernel does, and is read after `answer`.
pub(crate) struct KernelMode {
    /// The two ways.
    pub(crate) parser: Choice<KernelProxy>,
}

/// What `check` shows where the kernel does not answer.
const ONLY_WITH_KERNEL: &str = "only with answer: kernel";

impl ConfigField<SegmentConfig> for KernelMode {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        config: &mut SegmentConfig,
    ) {
        let kernel = &mut config.plan.kernel.proxy;
        let is_kernel = config.plan.answer == AnswerMode::Kernel;
        match table.has(key) {
            true if is_kernel || reader.has_problem(&table.path.key("answer")) => {
                *kernel = reader.value(table, key, &self.parser, *kernel).unwrap_or_default();
            }
            true => {
                let answer = config.plan.answer.as_str();
                let text = format!(
                    "expected no value: the key applies to answer: kernel, and here answer is {answer}"
                );
                reader.misfit(table, key, &text);
            }
            false if is_kernel => reader.left_out(table, key, self.parser.show(kernel)),
            false => reader.follows(table, key, ONLY_WITH_KERNEL),
        }
    }

    fn describe(&self, _: &mut SegmentConfig) -> (ValueKind, DefaultValue) {
        (self.parser.kind(), DefaultValue::Derived("proxy_arp, where the kernel answers"))
    }
}

/// The sweeps: `off`, or a table of keys.
pub(crate) struct SweepMode {
    /// The table's keys.
    pub(crate) keys: &'static [ConfigKey<SweepPlan>],
}

impl ConfigField<SegmentConfig> for SweepMode {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        config: &mut SegmentConfig,
    ) {
        let is_off = match table.get(key) {
            Some(Value::Bool(_, flag)) => !flag,
            Some(Value::String(_, word)) => word.trim() == "off",
            Some(Value::Num(..)) => false,
            _ => {
                let sweep = config.plan.sweep.get_or_insert_default();
                let table = reader.open(table, key);
                return read_keys(reader, &table, self.keys, sweep);
            }
        };
        config.plan.sweep = None;
        if is_off {
            reader.in_effect(table.path.key(key), || json!("off"));
        } else {
            let names: Vec<_> = self.keys.iter().map(|key| key.name).collect();
            let (last, others) = names.split_last().unwrap_or((&"", &[]));
            reader.misfit(
                table,
                key,
                &format!("expected off, or a table with {} and {last}", others.join(", ")),
            );
        }
    }

    fn describe(&self, defaults: &mut SegmentConfig) -> (ValueKind, DefaultValue) {
        let table = ValueKind::Table(describe(self.keys, defaults.plan.sweep.get_or_insert_default()));
        let off = ValueKind::Choice(vec![("off", "no sweeps")]);
        (ValueKind::Either(vec![off, table]), DefaultValue::Table)
    }
}

/// What is to be known of a cluster with a multicast address.
fn cluster(lladdr: &LinkAddr) -> String {
    format!(
        "{lladdr} is a multicast address, as clusters have: hosts and routers that keep to RFC 1812 (section 3.3.2) \
         do not believe it, and switches send its frames to every port"
    )
}

/// A table from addresses to the link-layer address that has them.
pub(crate) struct AddressTable {
    /// The field it fills.
    pub(crate) of: fn(&mut SegmentConfig) -> &mut BTreeMap<Ipv4Addr, LinkAddr>,
}

impl ConfigField<SegmentConfig> for AddressTable {
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
        let entries = (self.of)(config);
        for name in names {
            let Some(address) = name.parse().ok().filter(|address| network::unicast(*address)) else {
                let hint = match table.get(name) {
                    // In TOML a bare key with dots is a path of nested tables.
                    Some(Value::Dict(..)) => "; in TOML it must be quoted",
                    _ => "",
                };
                let found = text::quoted(name);
                let text = format!("found the key {found}, expected an IPv4 address, like 10.2.0.9{hint}");
                reader.key_problem(&table.path.key(name), text);
                continue;
            };
            if let Some(lladdr) = reader.value(&table, name, &FixedAddress, LinkAddr::UNKNOWN) {
                if lladdr.is_multicast() {
                    reader.warning(&table.path.key(name), cluster(&lladdr));
                }
                entries.insert(address, lladdr);
            }
        }
    }

    fn describe(&self, _: &mut SegmentConfig) -> (ValueKind, DefaultValue) {
        let (pattern, value) = (HostAddress.pattern(), Box::new(FixedAddress.kind()));
        let kind = ValueKind::Map { keys: "an IPv4 address of a host", pattern, value };
        (kind, DefaultValue::Value(json!({})))
    }
}
