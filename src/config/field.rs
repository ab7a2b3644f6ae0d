//! The form of the table of keys: one [`ConfigKey`] for each configuration key, and the fields that keys fill.
//!
//! A field reads its value into a struct that already holds the defaults, so that a default is written once:
//! in the `Default` of the struct.

use super::kind::{DefaultValue, KeyInfo, ValueKind};
use super::reader::{ConfigReader, ConfigTable};
use super::value::ValueParser;

/// One key of a table that fills a `C`.
pub(crate) struct ConfigKey<C: 'static> {
    /// The key's name, without the path of its table.
    pub(crate) name: &'static str,
    /// What it means, in full sentences; the first is a summary.
    pub(crate) meaning: &'static str,
    /// A value in TOML for keys without a default, or where the form needs an example.
    pub(crate) example: Option<&'static str>,
    /// How it is read, and what it fills.
    pub(crate) field: &'static dyn ConfigField<C>,
}

/// How a key is read, and what it fills.
pub(crate) trait ConfigField<C>: Sync {
    /// Reads the key of this table into the struct, which holds the defaults. After an error, which is recorded
    /// in the reader, the struct's value does not matter.
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        config: &mut C,
    );
    /// The accepted values and the default as data; the struct holds the defaults.
    fn describe(&self, defaults: &mut C) -> (ValueKind, DefaultValue);
}

/// Reads all keys of a table into the struct that they fill, and refuses other keys.
pub(crate) fn read_keys<'m, C>(
    reader: &mut ConfigReader<'m>,
    table: &ConfigTable<'m>,
    keys: &'static [ConfigKey<C>],
    config: &mut C,
) {
    let names: Vec<_> = keys.iter().map(|key| key.name).collect();
    reader.known_keys(table, &names);
    for key in keys {
        key.field.read(reader, table, key.name, config);
    }
}

/// Describes all keys of a table.
pub(crate) fn describe<C>(keys: &'static [ConfigKey<C>], defaults: &mut C) -> Vec<KeyInfo> {
    let info = |key: &ConfigKey<C>| {
        let (kind, default) = key.field.describe(defaults);
        KeyInfo { name: key.name, meaning: key.meaning, example: key.example, kind, default }
    };
    keys.iter().map(info).collect()
}

/// A value with a default.
pub(crate) struct ValueField<C: 'static, P: ValueParser> {
    /// How the value is read.
    pub(crate) parser: P,
    /// The field it fills.
    pub(crate) of: fn(&mut C) -> &mut P::Value,
}

impl<C, P: ValueParser<Value: Clone>> ConfigField<C> for ValueField<C, P> {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        config: &mut C,
    ) {
        let field = (self.of)(config);
        if let Some(value) = reader.value(table, key, &self.parser, field.clone()) {
            *field = value;
        }
    }

    fn describe(&self, defaults: &mut C) -> (ValueKind, DefaultValue) {
        (self.parser.kind(), DefaultValue::Value(self.parser.show((self.of)(defaults))))
    }
}

/// A value that is derived from something else when it is not given.
pub(crate) struct DerivedField<C: 'static, P: ValueParser> {
    /// How the value is read.
    pub(crate) parser: P,
    /// The field it fills.
    pub(crate) of: fn(&mut C) -> &mut Option<P::Value>,
    /// What the value is when it is not given.
    pub(crate) note: fn(&C) -> &'static str,
}

impl<C, P: ValueParser> ConfigField<C> for DerivedField<C, P> {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        config: &mut C,
    ) {
        let note = (self.note)(config);
        if let Some(value) = reader.optional(table, key, &self.parser, note) {
            *(self.of)(config) = value;
        }
    }

    fn describe(&self, defaults: &mut C) -> (ValueKind, DefaultValue) {
        (self.parser.kind(), DefaultValue::Derived((self.note)(defaults)))
    }
}

/// A list of any length, by default empty.
pub(crate) struct ListField<C: 'static, P: ValueParser> {
    /// How an item is read.
    pub(crate) parser: P,
    /// The field it fills.
    pub(crate) of: fn(&mut C) -> &mut Vec<P::Value>,
}

impl<C, P: ValueParser> ConfigField<C> for ListField<C, P> {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        config: &mut C,
    ) {
        *(self.of)(config) = reader.any_list(table, key, &self.parser).unwrap_or_default();
    }

    fn describe(&self, _: &mut C) -> (ValueKind, DefaultValue) {
        (ValueKind::List(Box::new(self.parser.kind()), 0), DefaultValue::Value(serde_json::json!([])))
    }
}

/// A table of keys that fill a part of the struct.
pub(crate) struct TableField<C: 'static, D: 'static> {
    /// The keys.
    pub(crate) keys: &'static [ConfigKey<D>],
    /// The part they fill.
    pub(crate) of: fn(&mut C) -> &mut D,
}

impl<C, D> ConfigField<C> for TableField<C, D> {
    fn read<'m>(
        &self,
        reader: &mut ConfigReader<'m>,
        table: &ConfigTable<'m>,
        key: &'static str,
        config: &mut C,
    ) {
        let table = reader.open(table, key);
        read_keys(reader, &table, self.keys, (self.of)(config));
    }

    fn describe(&self, defaults: &mut C) -> (ValueKind, DefaultValue) {
        (ValueKind::Table(describe(self.keys, (self.of)(defaults))), DefaultValue::Table)
    }
}
