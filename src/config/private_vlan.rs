//! The key `private_vlan`: `off`, `open`, or a table of groups.

use std::collections::BTreeMap;

use arpherd_core::plan::{Groups, PrivateVlan};
use figment::value::Value;
use ipnetwork::Ipv4Network;

use super::addresses::PrefixOrAddress;
use super::field::{ConfigField, ConfigKey, describe, read_keys};
use super::kind::DefaultValue;
use super::kind::ValueKind;
use super::model::SegmentConfig;
use super::name::check_name;
use super::pattern;
use super::reader::{ConfigReader, ConfigTable};
use super::value::{Choice, NameOrTable, ValueParser};

/// Everything but a table: whether the private VLAN is open.
const OFF_OR_OPEN: NameOrTable<bool> = NameOrTable {
    names: Choice(&[
        ("off", false, "not answered: the hosts reach each other directly"),
        ("open", true, "answered between any two hosts"),
    ]),
    expected: "off, open, or a table with communities and isolated",
};

/// Answering between hosts of one segment. After an error it is off, or lacks what had the error.
pub(crate) struct PrivateVlanMode {
    /// The keys of the table of groups.
    pub(crate) groups: &'static [ConfigKey<Groups>],
}

impl ConfigField<SegmentConfig> for PrivateVlanMode {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        config: &mut SegmentConfig,
    ) {
        if !matches!(table.get(key), Some(Value::Dict(..))) {
            if reader.value(table, key, &OFF_OR_OPEN, config.plan.private_vlan.is_on()) == Some(true) {
                config.plan.private_vlan = PrivateVlan::Open;
            }
            return;
        }
        let before = reader.problems.len();
        let table = reader.open(table, key);
        let mut groups = Groups::default();
        read_keys(reader, &table, self.groups, &mut groups);
        if groups == Groups::default() && reader.problems.len() == before {
            let text = "found neither communities nor isolated, expected one of them; or off, or open";
            reader.problem(&table.path, text.to_owned());
        }
        config.plan.private_vlan = PrivateVlan::Groups(Box::new(groups));
    }

    fn describe(&self, defaults: &mut SegmentConfig) -> (ValueKind, DefaultValue) {
        let groups = ValueKind::Table(describe(self.groups, &mut Groups::default()));
        let default = OFF_OR_OPEN.show(&defaults.plan.private_vlan.is_on());
        (ValueKind::Either(vec![OFF_OR_OPEN.kind(), groups]), DefaultValue::Value(default))
    }
}

/// The communities: a table from names to lists of addresses, each list with at least one.
pub(crate) struct Communities {
    /// The field it fills.
    pub(crate) of: fn(&mut Groups) -> &mut BTreeMap<String, Vec<Ipv4Network>>,
}

impl ConfigField<Groups> for Communities {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        groups: &mut Groups,
    ) {
        let named = reader.open(table, key);
        for name in named.keys() {
            let list = reader.list(&named, name, &PrefixOrAddress);
            let path = named.path.key(name);
            check_name(reader, name, &path);
            match list {
                Some(Some(prefixes)) => drop((self.of)(groups).insert(name.to_owned(), prefixes)),
                Some(None) => {
                    let text = "found nothing, expected a list of the community's addresses";
                    reader.problem(&path, text.to_owned());
                }
                None => {}
            }
        }
    }

    fn describe(&self, _: &mut Groups) -> (ValueKind, DefaultValue) {
        let kind = ValueKind::Map {
            keys: "a name of the operator's choice",
            pattern: pattern::whole(pattern::NAME),
            value: Box::new(ValueKind::List(Box::new(PrefixOrAddress.kind()), 1)),
        };
        (kind, DefaultValue::Value(serde_json::json!({})))
    }
}
