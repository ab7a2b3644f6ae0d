//! Reads the merged tree, collects every error, and records every value in effect with its origin.

use figment::value::{Dict, Value};

use super::errors::{Problem, ValueOrigin};
use super::path::KeyPath;
use super::source::MergedSources;
use super::text;
use super::value::{RawValue, ValueParser, found};

/// One key in effect, for `arpherd check`.
#[derive(Debug, Clone)]
pub(crate) struct EffectiveValue {
    /// The key's path.
    pub(crate) key: KeyPath,
    /// The value; `null` where it is derived from something else.
    pub(crate) value: serde_json::Value,
    /// What the value is where it is `null`.
    pub(crate) note: &'static str,
    /// Where the value came from.
    pub(crate) origin: ValueOrigin,
}

/// A table of the merged tree; one that is absent is empty.
#[derive(Clone)]
pub(crate) struct ConfigTable<'m> {
    /// Its path.
    pub(crate) path: KeyPath,
    /// The value here is not a table; that has been reported.
    pub(crate) broken: bool,
    entries: Option<&'m Dict>,
}

impl<'m> ConfigTable<'m> {
    /// Its keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'m str> + use<'m> {
        self.entries.into_iter().flatten().map(|(key, _)| key.as_str())
    }

    /// Whether the key has a value other than null.
    pub(crate) fn has(&self, key: &str) -> bool {
        !matches!(self.get(key), None | Some(Value::Empty(..)))
    }

    /// The value of this key.
    pub(crate) fn get(&self, key: &str) -> Option<&'m Value> {
        self.entries?.get(key)
    }
}

/// Reads keys and collects errors and values in effect.
pub(crate) struct ConfigReader<'m> {
    merged: &'m MergedSources,
    /// The errors found so far.
    pub(crate) problems: Vec<Problem>,
    /// What is accepted, but may not be meant.
    pub(crate) warnings: Vec<Problem>,
    /// The values in effect so far; `None` where nobody wants them.
    rows: Option<Vec<EffectiveValue>>,
}

impl<'m> ConfigReader<'m> {
    /// Starts with the errors that parsing found. `has_rows`: the values in effect are wanted, which are many.
    pub(crate) fn new(merged: &'m MergedSources, problems: Vec<Problem>, has_rows: bool) -> Self {
        Self { merged, problems, warnings: Vec::new(), rows: has_rows.then(Vec::new) }
    }

    /// Records a value in effect.
    pub(crate) fn record(&mut self, row: impl FnOnce() -> EffectiveValue) {
        if let Some(rows) = &mut self.rows {
            rows.push(row());
        }
    }

    /// The values in effect; none where they were not wanted.
    pub(crate) fn into_rows(self) -> Vec<EffectiveValue> {
        self.rows.unwrap_or_default()
    }

    /// The root table.
    pub(crate) fn root(&self) -> ConfigTable<'m> {
        ConfigTable { path: KeyPath::root(), broken: false, entries: self.merged.root().as_dict() }
    }

    /// The tables under this key, by the names that the operator gave them. None at all is an error, unless one
    /// was reported already.
    pub(crate) fn named(
        &mut self,
        parent: &ConfigTable<'m>,
        key: &str,
        expected: &str,
    ) -> Vec<(&'m str, ConfigTable<'m>)> {
        let table = self.open(parent, key);
        if table.keys().next().is_none() && !table.broken && !parent.broken {
            self.problem(&table.path, format!("found none, expected {expected}"));
        }
        table.keys().map(|name| (name, self.open(&table, name))).collect()
    }

    /// The table under this key, whatever its keys are.
    pub(crate) fn open(&mut self, parent: &ConfigTable<'m>, key: &str) -> ConfigTable<'m> {
        let path = parent.path.key(key);
        let mut broken = false;
        let entries = match parent.get(key) {
            None | Some(Value::Empty(..)) => None,
            Some(Value::Dict(_, entries)) => Some(entries),
            Some(other) => {
                self.mismatch(&path, other, "expected a table");
                broken = true;
                None
            }
        };
        ConfigTable { path, broken, entries }
    }

    /// Reports every key of the table that is none of these.
    pub(crate) fn known_keys(&mut self, table: &ConfigTable<'m>, known: &[&str]) {
        for key in table.keys() {
            if known.contains(&key) {
                continue;
            }
            let hint = text::did_you_mean(key, known)
                .map(|word| format!(", did you mean {word}?"))
                .unwrap_or_default();
            let path = table.path.key(key);
            let origin = self.merged.key_origin(&path);
            let levels =
                matches!(origin, ValueOrigin::Environment(_)) && key.contains('_') && hint.is_empty();
            let hint = if levels { " (levels are separated by two underscores)" } else { hint.as_str() };
            let text = format!("found an unknown key, expected one of {}{hint}", known.join(", "));
            self.problems.push(Problem { origin, key: Some(path), text });
        }
    }

    /// The value of a key, or its default; `None` after a problem.
    pub(crate) fn value<W: ValueParser>(
        &mut self,
        table: &ConfigTable<'m>,
        key: &str,
        want: &W,
        default: W::Value,
    ) -> Option<W::Value> {
        let Some(value) = table.get(key) else {
            self.record(|| EffectiveValue {
                key: table.path.key(key),
                value: want.show(&default),
                note: "",
                origin: ValueOrigin::Default,
            });
            return Some(default);
        };
        let path = table.path.key(key);
        let value = self.read(&path, value, want)?;
        self.in_effect(path, || want.show(&value));
        Some(value)
    }

    /// The value of a key that may be absent or null; the note is what it is then.
    pub(crate) fn optional<W: ValueParser>(
        &mut self,
        table: &ConfigTable<'m>,
        key: &str,
        want: &W,
        note: &'static str,
    ) -> Option<Option<W::Value>> {
        match table.get(key) {
            None | Some(Value::Empty(..)) => {
                self.follows(table, key, note);
                Some(None)
            }
            Some(value) => {
                let path = table.path.key(key);
                let value = self.read(&path, value, want)?;
                self.in_effect(path, || want.show(&value));
                Some(Some(value))
            }
        }
    }

    /// The list under a key with at least one item; `Some(None)` when it is absent, `None` after a problem.
    pub(crate) fn list<W: ValueParser>(
        &mut self,
        table: &ConfigTable<'m>,
        key: &str,
        want: &W,
    ) -> Option<Option<Vec<W::Value>>> {
        let values = self.items(table, key, want)?;
        if values.as_ref().is_some_and(Vec::is_empty) {
            let text = format!("found an empty list, expected at least one: {}", want.expected());
            self.problem(&table.path.key(key), text);
            return None;
        }
        Some(values)
    }

    /// The list under a key, of any length; without the key it is empty. `None` after a problem.
    pub(crate) fn any_list<W: ValueParser>(
        &mut self,
        table: &ConfigTable<'m>,
        key: &str,
        want: &W,
    ) -> Option<Vec<W::Value>> {
        let values = self.items(table, key, want)?.unwrap_or_default();
        if values.is_empty() {
            self.left_out(table, key, serde_json::json!([]));
        }
        Some(values)
    }

    /// The items of a list; recorded as in effect if there are any.
    fn items<W: ValueParser>(
        &mut self,
        table: &ConfigTable<'m>,
        key: &str,
        want: &W,
    ) -> Option<Option<Vec<W::Value>>> {
        let path = table.path.key(key);
        let split;
        let items: &[Value] = match table.get(key) {
            None | Some(Value::Empty(..)) => return Some(None),
            Some(Value::Array(_, items)) => items,
            Some(Value::String(tag, text)) if self.merged.is_untyped(&path) => {
                let items = text.split(',').filter(|_| !text.trim().is_empty());
                split = items.map(|item| Value::String(*tag, item.trim().to_owned())).collect::<Vec<_>>();
                &split
            }
            Some(other) => {
                self.mismatch(&path, other, &format!("expected a list of {}", plural(&want.expected())));
                return None;
            }
        };
        let read = items.iter().enumerate().map(|(index, item)| self.read(&path.item(index), item, want));
        let values = read.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>()?;
        if !values.is_empty() {
            self.in_effect(path, || values.iter().map(|value| want.show(value)).collect());
        }
        Some(Some(values))
    }

    /// Records the value of a key that is absent or null, or an empty list or table.
    pub(crate) fn left_out(&mut self, table: &ConfigTable<'m>, key: &str, value: serde_json::Value) {
        let merged = self.merged;
        self.record(|| {
            let path = table.path.key(key);
            let origin = match table.get(key) {
                None | Some(Value::Empty(..)) => ValueOrigin::Default,
                Some(_) => merged.origin(&path),
            };
            EffectiveValue { key: path, value, note: "", origin }
        });
    }

    /// Records that a key is absent and what its value is then.
    pub(crate) fn follows(&mut self, table: &ConfigTable<'m>, key: &str, note: &'static str) {
        self.record(|| EffectiveValue {
            key: table.path.key(key),
            value: serde_json::Value::Null,
            note,
            origin: ValueOrigin::Default,
        });
    }

    /// Reports that the value of this key is of no accepted form.
    pub(crate) fn misfit(&mut self, table: &ConfigTable<'m>, key: &str, expected: &str) {
        if let Some(value) = table.get(key) {
            self.mismatch(&table.path.key(key), value, expected);
        }
    }

    /// Records a value in effect.
    pub(crate) fn in_effect(&mut self, path: KeyPath, value: impl FnOnce() -> serde_json::Value) {
        let merged = self.merged;
        self.record(|| {
            let origin = merged.origin(&path);
            EffectiveValue { key: path, value: value(), note: "", origin }
        });
    }

    /// Whether an error with the value at this path has been recorded.
    pub(crate) fn has_problem(&self, path: &KeyPath) -> bool {
        self.problems.iter().any(|problem| problem.key.as_ref() == Some(path))
    }

    /// Whether an error at this path or below it has been recorded.
    pub(crate) fn has_problem_within(&self, path: &KeyPath) -> bool {
        let is_within = |key: &KeyPath| key.steps().starts_with(path.steps());
        self.problems.iter().any(|problem| problem.key.as_ref().is_some_and(is_within))
    }

    /// Whether the value at this path is the text of a variable or a flag, in which a list is written with commas.
    pub(crate) fn is_bare_text(&self, path: &KeyPath) -> bool {
        self.merged.is_untyped(path)
    }

    /// Where the value at this path came from.
    pub(crate) fn origin(&self, path: &KeyPath) -> ValueOrigin {
        self.merged.origin(path)
    }

    /// Reports an error of the value at this path.
    pub(crate) fn problem(&mut self, path: &KeyPath, text: String) {
        self.problems.push(Problem { origin: self.merged.origin(path), key: Some(path.clone()), text });
    }

    /// Warns of the value at this path.
    pub(crate) fn warning(&mut self, path: &KeyPath, text: String) {
        self.warnings.push(Problem { origin: self.merged.origin(path), key: Some(path.clone()), text });
    }

    /// Reports an error of the key at this path, not of its value.
    pub(crate) fn key_problem(&mut self, path: &KeyPath, text: String) {
        self.problems.push(Problem { origin: self.merged.key_origin(path), key: Some(path.clone()), text });
    }

    fn mismatch(&mut self, path: &KeyPath, value: &Value, expected: &str) {
        self.problem(path, format!("found {}, {expected}", found(value)));
    }

    fn read<W: ValueParser>(&mut self, path: &KeyPath, value: &Value, want: &W) -> Option<W::Value> {
        let raw = RawValue { value, untyped: self.merged.is_untyped(path) };
        match want.read(raw) {
            Ok(value) => Some(value),
            Err(more) => {
                let expected = more.unwrap_or_else(|| format!("expected {}", want.expected()));
                self.mismatch(path, value, &expected);
                None
            }
        }
    }
}

/// The plural of "an IPv4 network, like …".
fn plural(expected: &str) -> String {
    let many = expected.trim_start_matches("an ").replacen("network,", "networks,", 1);
    many.replacen("network or address,", "networks or addresses,", 1)
}
