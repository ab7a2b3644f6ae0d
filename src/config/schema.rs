//! The JSON Schema of configuration files, from the table of keys: `arpherd schema`, and `configs/arpherd.schema.json`
//! for editors.
//!
//! It accepts every file that the daemon accepts. What it cannot say (prefixes that overlap, host bits of a network, keys
//! that do not go together) `arpherd check` says.

use serde_json::{Map, Value, json};

use super::field::describe;
use super::kind::{DefaultValue, KeyInfo, ValueKind};
use super::model::Config;
use super::{duration, keys, pattern, toml};

/// Draft 7, which the language servers of YAML and TOML know.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// All keys as data.
pub(crate) fn table_of_keys() -> Vec<KeyInfo> {
    describe(keys::ROOT, &mut Config::default())
}

/// The schema as text, with a line's end.
pub(crate) fn schema() -> String {
    let mut schema = of_table(&table_of_keys());
    schema.insert("$schema".to_owned(), json!(DRAFT));
    schema.insert("title".to_owned(), json!("Configuration of arpherd"));
    schema.insert(
        "description".to_owned(),
        json!("What a schema cannot say, such as prefixes that overlap, `arpherd check FILE` says."),
    );
    format!("{:#}\n", Value::Object(schema))
}

fn object(entries: Value) -> Map<String, Value> {
    match entries {
        Value::Object(entries) => entries,
        _ => Map::new(),
    }
}

fn of_table(keys: &[KeyInfo]) -> Map<String, Value> {
    let properties: Map<_, _> = keys.iter().map(|info| (info.name.to_owned(), of_key(info))).collect();
    let is_required = |info: &&KeyInfo| matches!(info.default, DefaultValue::Required);
    let required: Vec<_> = keys.iter().filter(is_required).map(|info| info.name).collect();
    let mut table =
        object(json!({ "type": "object", "properties": properties, "additionalProperties": false }));
    if !required.is_empty() {
        table.insert("required".to_owned(), json!(required));
    }
    table
}

fn of_key(info: &KeyInfo) -> Value {
    let mut key = of_kind(&info.kind);
    if takes_null(info) {
        key = object(json!({ "anyOf": [key, { "type": "null" }] }));
    }
    let mut description = info.meaning.to_owned();
    match &info.default {
        DefaultValue::Value(value) => drop(key.insert("default".to_owned(), value.clone())),
        DefaultValue::Derived(note) => description.push_str(&format!(" Default: {note}.")),
        DefaultValue::Name(example) => {
            description.push_str(" Default: the segment's name.");
            key.insert("examples".to_owned(), json!([example]));
        }
        DefaultValue::Table | DefaultValue::Required => {}
    }
    key.insert("description".to_owned(), json!(description));
    if let Some(example) = info.example.and_then(value_of) {
        key.insert("examples".to_owned(), json!([example]));
    }
    Value::Object(key)
}

/// Whether a key without a value is as good as none, as in YAML's `eth1:`.
fn takes_null(info: &KeyInfo) -> bool {
    let is_open = matches!(info.kind, ValueKind::List(..) | ValueKind::Map { .. });
    match info.default {
        DefaultValue::Required => false,
        DefaultValue::Derived(_) | DefaultValue::Name(_) | DefaultValue::Table => true,
        DefaultValue::Value(_) => is_open,
    }
}

/// The value that a text in TOML has.
fn value_of(text: &str) -> Option<Value> {
    let parsed = toml::parse(&format!("value = {text}")).ok()?;
    serde_json::to_value(parsed.value.into_dict()?.remove("value")?).ok()
}

fn of_kind(kind: &ValueKind) -> Map<String, Value> {
    object(match kind {
        ValueKind::Integer { from, to, unit, except } => {
            let mut number =
                json!({ "type": "integer", "minimum": from, "maximum": to, "description": unit });
            if !except.is_empty() {
                number["not"] = json!({ "enum": except });
            }
            number
        }
        ValueKind::Duration { from, to } => {
            let (least, most) = (duration::show(*from), duration::show(*to));
            json!({
                "type": "string",
                "pattern": pattern::duration(*from, *to),
                "description": format!("a duration from {least} to {most}, written with its unit: 500ms, 60s, 2m or 1h"),
            })
        }
        ValueKind::Choice(choices) => {
            let one = |(name, meaning): &(&str, &str)| json!({ "const": name, "description": meaning });
            let mut forms: Vec<_> = choices.iter().map(one).collect();
            // YAML 1.1 and hasty writers have these two as booleans.
            for (word, flag) in [("off", false), ("on", true)] {
                if choices.iter().any(|(name, _)| *name == word) {
                    forms.push(json!({ "const": flag, "description": word }));
                }
            }
            json!({ "anyOf": forms })
        }
        ValueKind::Text { expected, pattern } => {
            json!({ "type": "string", "pattern": pattern, "description": expected })
        }
        ValueKind::List(item, least) => json!({ "type": "array", "items": of_kind(item), "minItems": least }),
        ValueKind::Map { keys, pattern, value } => json!({
            "type": "object",
            "propertyNames": { "pattern": pattern, "description": keys },
            "additionalProperties": of_kind(value),
        }),
        ValueKind::Table(keys) => Value::Object(of_table(keys)),
        ValueKind::Named(example, keys) => {
            let mut named = json!({ "anyOf": [of_table(keys), { "type": "null" }] });
            // A table that has to have keys is none without them.
            if keys.iter().any(|info| matches!(info.default, DefaultValue::Required)) {
                named = Value::Object(of_table(keys));
            }
            json!({
                "type": "object",
                "minProperties": 1,
                "propertyNames": {
                    "pattern": pattern::whole(pattern::NAME),
                    "description": format!("a name of your choice, like {example}"),
                },
                "additionalProperties": named,
            })
        }
        ValueKind::Either(kinds) => json!({ "anyOf": kinds.iter().map(of_kind).collect::<Vec<_>>() }),
    })
}
