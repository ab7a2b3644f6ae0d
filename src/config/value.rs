//! Value parsers: how a value is read and shown, and what an error message says when it is not accepted.

use std::fmt::Display;
use std::time::Duration;

use figment::value::Value;
use serde_json::json;

use super::kind::ValueKind;
use super::{duration, pattern, text};

/// A value as it was found.
#[derive(Clone, Copy)]
pub(crate) struct RawValue<'v> {
    /// The value.
    pub(crate) value: &'v Value,
    /// It came as plain text (environment, command line): digits may be a number, and a number may be a name.
    pub(crate) untyped: bool,
}

impl RawValue<'_> {
    /// The value as text, if it may be taken for one.
    pub(crate) fn text(&self) -> Option<String> {
        match self.value {
            Value::String(_, text) => Some(text.clone()),
            Value::Char(_, c) => Some(c.to_string()),
            // Lists given as bare text have their items typed by their looks.
            Value::Num(..) | Value::Bool(..) if self.untyped => Some(found(self.value)),
            _ => None,
        }
    }

    /// The value as a whole number, if it may be taken for one.
    pub(crate) fn integer(&self) -> Option<i128> {
        match self.value {
            Value::Num(_, number) => number.to_i128().or_else(|| i128::try_from(number.to_u128()?).ok()),
            Value::String(_, text) if self.untyped => text.trim().parse().ok(),
            _ => None,
        }
    }
}

/// The value as an error message shows it.
pub(crate) fn found(value: &Value) -> String {
    match value {
        Value::String(_, word) => text::quoted(word),
        Value::Char(_, c) => text::quoted(&c.to_string()),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => number
            .to_i128()
            .map(|n| n.to_string())
            .or_else(|| number.to_u128().map(|n| n.to_string()))
            .or_else(|| number.to_f64().map(|n| n.to_string()))
            .unwrap_or_else(|| "a number".to_owned()),
        Value::Empty(..) => "nothing".to_owned(),
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(..) => "a list".to_owned(),
    }
}

/// Reads and shows the values of a key.
pub(crate) trait ValueParser: Sync {
    /// What the configuration holds.
    type Value;
    /// The accepted values in words, for error messages.
    fn expected(&self) -> String;
    /// Reads a value. `Err(None)` means that "expected …" says it all; `Err(Some(…))` replaces that text.
    fn read(&self, raw: RawValue<'_>) -> Result<Self::Value, Option<String>>;
    /// The value as `check` shows it and as the reference file writes it.
    fn show(&self, value: &Self::Value) -> serde_json::Value;
    /// The form of the accepted texts as a regular expression. What no expression can say is left to
    /// [`ValueParser::read`], so this accepts all that is accepted there, blanks around it left out.
    fn pattern(&self) -> String;
    /// The accepted values as data.
    fn kind(&self) -> ValueKind {
        ValueKind::Text { expected: self.expected(), pattern: self.pattern() }
    }
}

/// Parses a whole number from a range.
pub(crate) struct WholeNumber<T> {
    /// The least value.
    pub(crate) from: T,
    /// The greatest value.
    pub(crate) to: T,
    /// What it counts.
    pub(crate) unit: &'static str,
}

impl<T> ValueParser for WholeNumber<T>
where
    T: Copy + PartialOrd + Display + Into<u64> + TryFrom<i128> + Sync,
{
    type Value = T;
    fn expected(&self) -> String {
        format!("a whole number from {} to {} ({})", self.from, self.to, self.unit)
    }
    fn read(&self, raw: RawValue<'_>) -> Result<T, Option<String>> {
        let number = raw.integer().and_then(|number| T::try_from(number).ok());
        number.filter(|number| (self.from..=self.to).contains(number)).ok_or(None)
    }
    fn show(&self, value: &T) -> serde_json::Value {
        json!((*value).into())
    }
    fn pattern(&self) -> String {
        pattern::whole(&pattern::number(self.from.into(), self.to.into()))
    }
    fn kind(&self) -> ValueKind {
        ValueKind::Integer { from: self.from.into(), to: self.to.into(), unit: self.unit, except: &[] }
    }
}

/// Parses a duration from a range.
pub(crate) struct DurationRange {
    /// The shortest.
    pub(crate) from: Duration,
    /// The longest.
    pub(crate) to: Duration,
}

impl ValueParser for DurationRange {
    type Value = Duration;
    fn expected(&self) -> String {
        let (from, to) = (duration::show(self.from), duration::show(self.to));
        format!("a duration from {from} to {to}, written with its unit: 500ms, 60s, 2m or 1h")
    }
    fn read(&self, raw: RawValue<'_>) -> Result<Duration, Option<String>> {
        let length = raw.text().and_then(|text| duration::parse(text.trim()));
        length.filter(|length| (self.from..=self.to).contains(length)).ok_or(None)
    }
    fn show(&self, value: &Duration) -> serde_json::Value {
        json!(duration::show(*value))
    }
    fn pattern(&self) -> String {
        pattern::duration(self.from, self.to)
    }
    fn kind(&self) -> ValueKind {
        ValueKind::Duration { from: self.from, to: self.to }
    }
}

/// Parses one of a few names: each with its value and its meaning.
pub(crate) struct Choice<T: 'static>(pub(crate) &'static [(&'static str, T, &'static str)]);

impl<T: Copy + PartialEq + Sync> ValueParser for Choice<T> {
    type Value = T;
    fn expected(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|(name, ..)| *name).collect();
        match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => names.concat(),
        }
    }
    fn read(&self, raw: RawValue<'_>) -> Result<T, Option<String>> {
        // YAML and TOML files may hold `off` as the boolean false, and `on` as true.
        let text = match raw.value.to_bool() {
            Some(false) => Some("off".to_owned()),
            Some(true) => Some("on".to_owned()),
            None => raw.text(),
        };
        let text = text.unwrap_or_default();
        let known = self.0.iter().find(|(name, ..)| *name == text.trim());
        known.map(|(_, value, _)| *value).ok_or(None)
    }
    fn show(&self, value: &T) -> serde_json::Value {
        json!(self.0.iter().find(|(_, known, _)| known == value).map(|(name, ..)| *name))
    }
    fn pattern(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|(name, ..)| *name).collect();
        pattern::whole(&format!("({})", names.join("|")))
    }
    fn kind(&self) -> ValueKind {
        ValueKind::Choice(self.0.iter().map(|(name, _, meaning)| (*name, *meaning)).collect())
    }
}

/// Parses the names of a choice that stand beside a table, which its key reads itself.
pub(crate) struct NameOrTable<T: 'static> {
    /// The names.
    pub(crate) names: Choice<T>,
    /// Names and table in words, for error messages.
    pub(crate) expected: &'static str,
}

impl<T: Copy + PartialEq + Sync> ValueParser for NameOrTable<T> {
    type Value = T;
    fn expected(&self) -> String {
        self.expected.to_owned()
    }
    fn read(&self, raw: RawValue<'_>) -> Result<T, Option<String>> {
        self.names.read(raw)
    }
    fn pattern(&self) -> String {
        self.names.pattern()
    }
    fn show(&self, value: &T) -> serde_json::Value {
        self.names.show(value)
    }
    fn kind(&self) -> ValueKind {
        self.names.kind()
    }
}
