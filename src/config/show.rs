//! What `arpherd check` prints: every key in effect, its value, and where it came from.

use std::fmt::Write;

use serde_json::{Value, json};

use super::reader::EffectiveValue;

/// Three aligned columns; a derived value is in parentheses.
pub(crate) fn table(rows: &[EffectiveValue]) -> String {
    let cells: Vec<_> =
        rows.iter().map(|row| (row.key.to_string(), shown(row), row.origin.to_string())).collect();
    let width = |cell: fn(&(String, String, String)) -> &String, head: &str| {
        cells.iter().map(|row| cell(row).chars().count()).max().unwrap_or(0).max(head.len())
    };
    let (key, value) = (width(|row| &row.0, "KEY"), width(|row| &row.1, "VALUE").min(40));
    let mut out = String::new();
    let head = ("KEY".to_owned(), "VALUE".to_owned(), "ORIGIN".to_owned());
    for (name, held, origin) in std::iter::once(&head).chain(&cells) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:key$}  {held:value$}  {origin}");
    }
    out
}

/// A list of `{"key": …, "value": …, "origin": …}`; durations are texts, derived values are null.
pub(crate) fn json(rows: &[EffectiveValue]) -> Value {
    let object = |row: &EffectiveValue| json!({ "key": row.key.to_string(), "value": row.value, "origin": row.origin.to_string() });
    rows.iter().map(object).collect()
}

fn shown(row: &EffectiveValue) -> String {
    match &row.value {
        Value::Null => format!("({})", row.note),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| item.as_str().unwrap_or_default()).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}
