//! The keys `domains`, `domains.NAME.prefixes` and `domains.NAME.segments`, which have to be given.

use figment::value::Value;
use serde_json::json;

use super::addresses::NetworkPrefix;
use super::field::{ConfigField, ConfigKey, describe, read_keys};
use super::kind::DefaultValue;
use super::kind::ValueKind;
use super::model::{Config, DomainConfig, SegmentConfig};
use super::name::check_name;
use super::reader::{ConfigReader, ConfigTable};
use super::segment::SEGMENT_EXAMPLE;
use super::value::ValueParser;

/// The domains, by the names that the operator gave them.
pub(crate) struct Domains {
    /// The keys of a domain.
    pub(crate) keys: &'static [ConfigKey<DomainConfig>],
}

impl ConfigField<Config> for Domains {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        root: &ConfigTable<'m>,
        key: &'static str,
        config: &mut Config,
    ) {
        let named = reader.named(root, key, "at least one domain with prefixes and segments");
        config.domains.reserve_exact(named.len());
        for (name, table) in named {
            check_name(reader, name, &table.path);
            let mut domain = DomainConfig { name: name.to_owned(), ..DomainConfig::default() };
            read_keys(reader, &table, self.keys, &mut domain);
            config.domains.push(domain);
        }
    }

    fn describe(&self, _: &mut Config) -> (ValueKind, DefaultValue) {
        let keys = describe(self.keys, &mut DomainConfig::default());
        (ValueKind::Named("lan", keys), DefaultValue::Required)
    }
}

/// The networks of a domain, or `auto`. They are empty after an error or with `auto`, and no rule reports more about
/// them.
pub(crate) struct DomainPrefixes;

/// The word for networks that follow the interfaces' addresses.
pub(crate) const AUTO: &str = "auto";

impl ConfigField<DomainConfig> for DomainPrefixes {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        domain: &mut DomainConfig,
    ) {
        match table.get(key) {
            Some(Value::String(_, text)) if text.trim() == AUTO => {
                domain.auto = true;
                return reader.in_effect(table.path.key(key), || json!(AUTO));
            }
            Some(Value::String(..)) if !reader.is_bare_text(&table.path.key(key)) => {
                let expected = format!("expected {AUTO}, or a list of IPv4 networks, like [\"10.2.0.0/24\"]");
                return reader.misfit(table, key, &expected);
            }
            _ => {}
        }
        let prefixes = reader.list(table, key, &NetworkPrefix);
        if matches!(prefixes, Some(None)) && !table.broken {
            let text =
                "found none, expected auto, or a list of the subnet's networks, like [\"10.2.0.0/24\"]";
            reader.problem(&table.path.key(key), text.to_owned());
        }
        domain.prefixes = prefixes.flatten().unwrap_or_default();
    }

    fn describe(&self, _: &mut DomainConfig) -> (ValueKind, DefaultValue) {
        let auto = ValueKind::Choice(vec![(
            AUTO,
            "those of the addresses of the domain's interfaces, which are waited for, and followed when they change",
        )]);
        (
            ValueKind::Either(vec![auto, ValueKind::List(Box::new(NetworkPrefix.kind()), 1)]),
            DefaultValue::Required,
        )
    }
}

/// The segments of a domain, by the names that the operator gave them. They are read after the domain's
/// prefixes, which they have by default.
pub(crate) struct Segments {
    /// The keys of a segment.
    pub(crate) keys: &'static [ConfigKey<SegmentConfig>],
}

impl ConfigField<DomainConfig> for Segments {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        domain: &mut DomainConfig,
    ) {
        let named = reader.named(table, key, "at least one segment, named like its interface");
        domain.segments.reserve_exact(named.len());
        for (name, table) in named {
            let mut segment = SegmentConfig::new(name, &domain.prefixes);
            if !check_name(reader, name, &table.path) {
                segment.plan.interface.clear();
            }
            read_keys(reader, &table, self.keys, &mut segment);
            domain.segments.push(segment);
        }
    }

    fn describe(&self, _: &mut DomainConfig) -> (ValueKind, DefaultValue) {
        let keys = describe(self.keys, &mut SegmentConfig::new(SEGMENT_EXAMPLE, &[]));
        (ValueKind::Named(SEGMENT_EXAMPLE, keys), DefaultValue::Required)
    }
}
