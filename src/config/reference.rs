//! Writes the reference file `configs/arpherd.toml` from the table of keys.
//!
//! The file is committed; a test fails while it differs from the table. To write it again:
//! `UPDATE_REFERENCE=1 cargo test -p arpherd --bin arpherd reference_file`.

mod page;

use serde_json::Value;

use super::duration;
use super::kind::{DefaultValue, KeyInfo, ValueKind};
use super::schema::{schema, table_of_keys};

/// Characters of a line at the most.
const WIDTH: usize = 110;

const HEADER: &str = "\
# arpherd: every key, at its default where it has one. Check a file with: arpherd check FILE
#
# A key can also be set by an environment variable, ARPHERD_ROUTES__METRIC=100, and on the command line,
# --set routes.metric=100. Later sources override earlier ones: defaults, file, environment, command line.
# Durations are written with their unit: 500ms, 60s, 2m, 1h. Networks have a prefix length from 8 to 32.
#
# This file is generated from src/config/keys.rs.
";

/// The whole file.
fn text() -> String {
    let mut out = HEADER.to_owned();
    tables(&mut out, &table_of_keys(), "");
    out
}

/// The keys of a table that a key opens, and the name of an example when the operator chooses the name.
pub(crate) fn table_in(info: &KeyInfo) -> Option<(&[KeyInfo], Option<&'static str>)> {
    match &info.kind {
        ValueKind::Table(keys) => Some((keys, None)),
        ValueKind::Named(example, keys) => Some((keys, Some(example))),
        ValueKind::Either(kinds) if matches!(info.default, DefaultValue::Table) => {
            kinds.iter().find_map(|kind| match kind {
                ValueKind::Table(keys) => Some((keys.as_slice(), None)),
                _ => None,
            })
        }
        _ => None,
    }
}

/// Values first: in TOML everything after a table's header belongs to that table.
fn tables(out: &mut String, keys: &[KeyInfo], path: &str) {
    for (place, info) in keys.iter().filter(|info| table_in(info).is_none()).enumerate() {
        if place > 0 {
            out.push('\n');
        }
        value(out, info);
    }
    for info in keys {
        let Some((keys, example)) = table_in(info) else { continue };
        let path = [path, info.name, example.unwrap_or_default()];
        let path: Vec<_> = path.into_iter().filter(|step| !step.is_empty()).collect();
        let path = path.join(".");
        out.push('\n');
        comment(out, "", info.meaning);
        out.push_str(&format!("[{path}]\n"));
        tables(out, keys, &path);
    }
}

fn value(out: &mut String, info: &KeyInfo) {
    let name = info.name;
    let example = || info.example.expect("a key without a default value has an example");
    comment(out, "", info.meaning);
    accepted(out, &info.kind);
    match &info.default {
        DefaultValue::Value(value) => {
            if let Some(example) = info.example {
                out.push_str(&format!("# Example: {name} = {example}\n"));
            }
            out.push_str(&format!("{name} = {}\n", toml(value)));
        }
        DefaultValue::Name(example) => out.push_str(&format!("{name} = {example:?}\n")),
        DefaultValue::Derived(note) => {
            out.push_str(&format!("# Default: {note}.\n# {name} = {}\n", example()));
        }
        DefaultValue::Required | DefaultValue::Table => {
            out.push_str(&format!("# Required.\n{name} = {}\n", example()));
        }
    }
}

/// What the key takes, where its meaning does not say so.
fn accepted(out: &mut String, kind: &ValueKind) {
    match kind {
        ValueKind::Integer { from, to, unit, .. } => {
            comment(out, "", &format!("Range: {from} to {to} ({unit})."));
        }
        ValueKind::Duration { from, to } => {
            comment(out, "", &format!("Range: {} to {}.", duration::show(*from), duration::show(*to)));
        }
        ValueKind::Choice(choices) => {
            let width = choices.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
            for (name, meaning) in choices {
                let name = format!("\"{name}\"");
                comment(out, &format!("  {name:width$}  "), meaning);
            }
        }
        ValueKind::Text { expected, .. } => comment(out, "", &format!("Value: {expected}.")),
        ValueKind::Map { keys, value, .. } => {
            let values = alternatives(value);
            if !values.is_empty() {
                comment(out, "", &format!("Value: a table from {keys} to {}.", values.join(", or ")));
            }
        }
        ValueKind::Table(keys) => {
            let names: Vec<_> = keys.iter().map(|info| info.name).collect();
            comment(out, "  ", &format!("or a table with {}:", in_words(&names)));
            for info in keys {
                comment(out, &format!("    {}  ", info.name), info.meaning);
            }
        }
        ValueKind::Either(kinds) => kinds.iter().for_each(|kind| accepted(out, kind)),
        ValueKind::List(item, _) => {
            if let ValueKind::Text { expected, .. } = item.as_ref() {
                comment(out, "", &format!("Items: {expected}."));
            }
        }
        ValueKind::Named(..) => {}
    }
}

/// "a, b and c".
fn in_words(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.concat(),
    }
}

/// What the values of a table from names or addresses may be.
fn alternatives(kind: &ValueKind) -> Vec<String> {
    match kind {
        ValueKind::Text { expected, .. } => vec![expected.clone()],
        ValueKind::List(item, _) if matches!(item.as_ref(), ValueKind::Text { .. }) => {
            vec!["a list of them".into()]
        }
        ValueKind::Either(kinds) => kinds.iter().flat_map(alternatives).collect(),
        _ => Vec::new(),
    }
}

/// The text in lines of a comment; the first starts with the label, the others are indented like it.
fn comment(out: &mut String, label: &str, text: &str) {
    let indent = " ".repeat(label.chars().count());
    let mut line = format!("# {label}");
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = format!("# {indent}");
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    out.push_str(&line);
    out.push('\n');
}

/// Defaults are numbers, texts, and empty lists and tables, which JSON writes as TOML does.
fn toml(value: &Value) -> String {
    value.to_string()
}

#[test]
fn the_reference_file_is_what_the_table_of_keys_gives() {
    crate::reference::compare("configs/arpherd.toml", &text());
}

#[test]
fn the_schema_is_a_reference_file_of_the_table_of_keys() {
    crate::reference::compare("configs/arpherd.schema.json", &schema());
}

#[test]
fn the_page_of_keys_is_a_reference_file_of_the_table_of_keys() {
    crate::reference::compare("docs/reference/configuration.md", &page::text());
}
