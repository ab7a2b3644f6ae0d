//! TOML: values, positions and all syntax errors of a text, by the recovering parser of the `toml` crate.

use figment::value::{Dict, Value};
use toml::de::{DeInteger, DeTable, DeValue, Error};

use super::locate::{LineIndex, Position, PositionMap};
use super::parsed::{Defect, ParsedText};
use super::path::KeyPath;

/// The parser's message for a duplicate key.
const DUPLICATE: &str = "duplicate key";

/// Parses a TOML text. Duplicate keys leave the rest readable; any other syntax error does not.
pub(crate) fn parse(text: &str) -> Result<ParsedText, Vec<Defect>> {
    let lines = LineIndex::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut positions = PositionMap::default();
    let value = Value::from(table(root.get_ref(), &KeyPath::root(), &lines, &mut positions));
    let syntax = errors.iter().any(|error| error.message() != DUPLICATE);
    let mut defects: Vec<_> = errors.iter().map(|error| defect(error, text, &lines, &positions)).collect();
    defects.sort_by_key(|defect| (defect.pos.line, defect.pos.column));
    if syntax {
        // Further errors on the same line mostly follow from the first.
        defects.dedup_by_key(|defect| defect.pos.line);
    }
    if syntax { Err(defects) } else { Ok(ParsedText { value, positions, defects }) }
}

fn defect(error: &Error, text: &str, lines: &LineIndex<'_>, positions: &PositionMap) -> Defect {
    let span = error.span().unwrap_or_default();
    let pos = lines.pos(span.start);
    if error.message() != DUPLICATE {
        let found = text.get(span).filter(|found| !found.is_empty());
        let found = found.map(|found| format!(", found {}", super::text::quoted(found))).unwrap_or_default();
        return Defect { pos, key: None, text: format!("not TOML: {}{found}", error.message()) };
    }
    let name = text.get(span).unwrap_or_default().trim_matches(['"', '\'']);
    let mut paths = positions.ending_in(name);
    let (path, others) = (paths.next(), paths.next());
    let text = "found this key a second time, expected it once";
    match path {
        // The path is certain only where a single key has this name.
        Some(path) if others.is_none() => {
            // For a table the parser gives the last position of its key.
            let first = positions.key(path).filter(|first| first.line < pos.line);
            let first =
                first.map(|first| format!("; the first is on line {}", first.line)).unwrap_or_default();
            Defect { pos, key: Some(path.clone()), text: format!("{text}{first}") }
        }
        _ => Defect { pos, key: Some(KeyPath::of(&[name])), text: text.to_owned() },
    }
}

fn table(entries: &DeTable<'_>, path: &KeyPath, lines: &LineIndex<'_>, positions: &mut PositionMap) -> Dict {
    let mut dict = Dict::new();
    for (key, value) in entries {
        let here = path.key(key.get_ref());
        positions.insert(here.clone(), lines.pos(key.span().start), lines.pos(value.span().start));
        dict.insert(key.get_ref().to_string(), self::value(value.get_ref(), &here, lines, positions));
    }
    dict
}

fn value(value: &DeValue<'_>, path: &KeyPath, lines: &LineIndex<'_>, positions: &mut PositionMap) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.to_string()),
        DeValue::Integer(number) => integer(number),
        DeValue::Float(number) => {
            number.as_str().parse::<f64>().map_or_else(|_| number.as_str().into(), Value::from)
        }
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Table(entries) => Value::from(table(entries, path, lines, positions)),
        DeValue::Array(items) => {
            let mut list = Vec::new();
            for (index, item) in items.iter().enumerate() {
                let here = path.item(index);
                let pos: Position = lines.pos(item.span().start);
                positions.insert(here.clone(), pos, pos);
                list.push(self::value(item.get_ref(), &here, lines, positions));
            }
            Value::from(list)
        }
    }
}

/// A number too large for any key stays the text it is, so that the message can show it.
fn integer(number: &DeInteger<'_>) -> Value {
    i64::from_str_radix(number.as_str(), number.radix())
        .map_or_else(|_| Value::from(number.to_string()), Value::from)
}
