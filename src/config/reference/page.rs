//! Writes the page docs/reference/configuration.md from the table of keys.

use super::table_in;
use crate::config::duration;
use crate::config::kind::{DefaultValue, KeyInfo, ValueKind};
use crate::config::schema::table_of_keys;
use crate::reload::RESTART_KEYS;

const HEADER: &str = "\
# Configuration reference

Every key of the configuration file, as the daemon itself knows them: this page is written from the same table that the
daemon reads files with (`src/config/keys.rs`).

The file is TOML (`.toml`) or YAML (`.yaml`, `.yml`), with the same keys. [`configs/arpherd.toml`](../../configs/arpherd.toml)
has every key at its default.

* A key can also be set by an environment variable (`ARPHERD_ROUTES__METRIC=100`, levels separated by two underscores)
  and on the command line (`--set routes.metric=100`). Later sources override earlier ones: defaults, file, environment,
  command line.
* Durations are written with their unit: `500ms`, `60s`, `2m`, `1h`. Networks have a prefix length from 8 to 32.
* `off` may be written as `false`. In YAML a key without a value has its default.
* `arpherd check FILE` names every mistake with its line, and shows each value with its origin.
* `arpherd schema` prints a JSON Schema for editors, also in `configs/arpherd.schema.json`: it completes keys, shows what
  they mean, and marks what is wrong while you write. For YAML put this line on top of the file, with the path or
  address of the schema: `# yaml-language-server: $schema=arpherd.schema.json`; for TOML: `#:schema arpherd.schema.json`.
* `arpherd reload` takes a changed file up. Keys marked \u{201c}restart\u{201d} can only be changed by a restart.
";

/// The page.
pub(super) fn text() -> String {
    let mut out = HEADER.to_owned();
    table(&mut out, &table_of_keys(), "");
    out
}

fn table(out: &mut String, keys: &[KeyInfo], path: &str) {
    let values: Vec<_> = keys.iter().filter(|info| table_in(info).is_none()).collect();
    for info in values {
        key(out, info, path);
    }
    for info in keys {
        let Some((keys, example)) = table_in(info) else { continue };
        let name = if example.is_some() { ".NAME" } else { "" };
        let path = joined(path, &format!("{}{name}", info.name));
        out.push_str(&format!("\n## `{path}`\n\n{}\n", info.meaning));
        if matches!(info.default, DefaultValue::Required) {
            out.push_str("At least one is required.\n");
        }
        table(out, keys, &path);
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn key(out: &mut String, info: &KeyInfo, path: &str) {
    let full = joined(path, info.name);
    out.push_str(&format!("\n### `{full}`\n\n{}\n\n", info.meaning));
    accepted(out, &info.kind, "");
    let default = match &info.default {
        DefaultValue::Value(value) => format!("`{value}`"),
        DefaultValue::Derived(note) => (*note).to_owned(),
        DefaultValue::Name(_) => "the segment's name".to_owned(),
        DefaultValue::Required => "none: the key is required".to_owned(),
        DefaultValue::Table => "that of its keys".to_owned(),
    };
    out.push_str(&format!("* Default: {default}\n"));
    if let Some(example) = info.example {
        out.push_str(&format!("* Example in TOML: `{} = {example}`\n", info.name));
    }
    if RESTART_KEYS.iter().any(|(key, _)| *key == full) {
        out.push_str("* Changed by: restart\n");
    }
}

/// What the key takes, an item each.
fn accepted(out: &mut String, kind: &ValueKind, list: &str) {
    match kind {
        ValueKind::Integer { from, to, unit, except } => {
            let but: Vec<_> = except.iter().map(u64::to_string).collect();
            let but = if but.is_empty() { String::new() } else { format!(", but not {}", but.join(" or ")) };
            out.push_str(&format!("* {list}a whole number from {from} to {to}{but} ({unit})\n"));
        }
        ValueKind::Duration { from, to } => {
            let (from, to) = (duration::show(*from), duration::show(*to));
            out.push_str(&format!("* {list}a duration from `{from}` to `{to}`\n"));
        }
        ValueKind::Choice(choices) => {
            for (name, meaning) in choices {
                out.push_str(&format!("* {list}`{name}`: {meaning}\n"));
            }
        }
        ValueKind::Text { expected, .. } => out.push_str(&format!("* {list}{expected}\n")),
        ValueKind::List(item, least) => {
            let many = if *least > 0 { "a list, not empty, of: " } else { "a list of: " };
            accepted(out, item, &format!("{list}{many}"));
        }
        ValueKind::Map { keys, value, .. } => {
            accepted(out, value, &format!("{list}a table from {keys} to: "));
        }
        ValueKind::Table(keys) | ValueKind::Named(_, keys) => {
            for info in keys {
                let prefix = format!("{list}in a table, `{}`: ", info.name);
                out.push_str(&format!("* {prefix}{}\n", info.meaning));
                accepted(out, &info.kind, &prefix);
            }
        }
        ValueKind::Either(kinds) => kinds.iter().for_each(|kind| accepted(out, kind, list)),
    }
}

#[test]
fn keys_that_need_a_restart_are_keys() {
    let page = text();
    for (key, _) in RESTART_KEYS {
        assert!(page.contains(&format!("### `{key}`\n")), "{key}");
    }
}
