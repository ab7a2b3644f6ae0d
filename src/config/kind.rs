//! Keys and their values described as data, for the reference file, the reference page and the JSON Schema.

use std::time::Duration;

/// What a key without a value has.
pub(crate) enum DefaultValue {
    /// This value.
    Value(serde_json::Value),
    /// The name of the table, of which this is an example; null stands for it, too.
    Name(&'static str),
    /// A value that is derived from something else.
    Derived(&'static str),
    /// The defaults of the table's own keys.
    Table,
    /// Nothing: the key has to be given.
    Required,
}

/// A key described as data, whatever it fills.
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

/// Which values a key takes.
pub(crate) enum ValueKind {
    /// A whole number from a range, both ends included.
    Integer {
        /// The least.
        from: u64,
        /// The greatest.
        to: u64,
        /// What it counts.
        unit: &'static str,
        /// Numbers of the range that are not accepted.
        except: &'static [u64],
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
    /// A text.
    Text {
        /// Its form in words.
        expected: String,
        /// Its form as a regular expression of JavaScript (ECMA-262), which JSON Schema has.
        pattern: String,
    },
    /// A list of such items, and how many there have to be.
    List(Box<ValueKind>, usize),
    /// A table from names or addresses to values.
    Map {
        /// What its keys are.
        keys: &'static str,
        /// Their form as a regular expression.
        pattern: String,
        /// The values.
        value: Box<ValueKind>,
    },
    /// A table with these keys.
    Table(Vec<KeyInfo>),
    /// Any number of tables with these keys, each under a name that the operator chooses (here an example).
    Named(&'static str, Vec<KeyInfo>),
    /// Any of these.
    Either(Vec<ValueKind>),
}
