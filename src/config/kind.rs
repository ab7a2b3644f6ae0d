//! Keys and their values described as data, for the reference file and, later, a JSON schema.

use std::time::Duration;

/// What a key without a value has.
#[cfg_attr(not(test), expect(dead_code, reason = "read by the generators, which run as tests"))]
pub(crate) enum DefaultValue {
    /// This value.
    Value(serde_json::Value),
    /// A value that is derived from something else.
    Derived(&'static str),
    /// The defaults of the table's own keys.
    Table,
    /// Nothing: the key has to be given.
    Required,
}

/// A key described as data, whatever it fills.
#[cfg_attr(not(test), expect(dead_code, reason = "read by the generators, which run as tests"))]
pub(crate) struct KeyInfo {
    /// The key's name.
    pub(crate) name: &'static str,
    /// What it means.
    pub(crate) meaning: &'static str,
    /// An example in TOML.
    pub(crate) example: Option<&'static str>,
    /// The values it takes.
    pub(crate) kind: ValueKind,
    /// What it is when not given.
    pub(crate) default: DefaultValue,
}

/// Which values a key takes, as data: for the reference file and the JSON schema.
#[cfg_attr(not(test), expect(dead_code, reason = "read by the generators, which run as tests"))]
pub(crate) enum ValueKind {
    /// A whole number from a range, both ends included.
    Integer {
        /// The least.
        from: u64,
        /// The greatest.
        to: u64,
        /// What it counts.
        unit: &'static str,
    },
    /// A duration from a range, both ends included.
    Duration {
        /// The shortest.
        from: Duration,
        /// The longest.
        to: Duration,
    },
    /// One of these names, each with its meaning.
    Choice(Vec<(&'static str, &'static str)>),
    /// A text of the described form.
    Text(String),
    /// A list of such items.
    List(Box<ValueKind>),
    /// A table from names or addresses to such values: what its keys are, and the values.
    Map(&'static str, Box<ValueKind>),
    /// A table with these keys.
    Table(Vec<KeyInfo>),
    /// Any number of tables with these keys, each under a name that the operator chooses (here an example).
    Named(&'static str, Vec<KeyInfo>),
    /// Any of these.
    Either(Vec<ValueKind>),
}
