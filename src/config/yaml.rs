//! YAML: the values by serde-saphyr, their positions by the parser that it uses.
//!
//! Strict: only `true` and `false` are booleans, merge keys and second documents are refused, and a duplicate
//! key is an error (serde-saphyr stops at the first, so all duplicates are found here).

use std::collections::HashMap;

use figment::value::Value;
use serde_saphyr::granit_parser::{Event, Parser, ScanError, Span, StrInput, options};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};

use super::locate::{Position, PositionMap};
use super::parsed::{Defect, ParsedText};
use super::path::KeyPath;

/// Parses a YAML text; after a syntax error there is no value, only the error.
pub(crate) fn parse(text: &str) -> Result<ParsedText, Vec<Defect>> {
    // A text without any node is an empty configuration; serde-saphyr would report an unexpected end.
    let mut locator = Locator::new(text);
    let located = locator.document();
    let value = if locator.empty && located.is_ok() {
        Ok(Value::from(figment::value::Empty::Unit))
    } else {
        values(text)
    };
    let value = value.map_err(|defect| vec![defect])?;
    located.map_err(|error| {
        vec![Defect { pos: marker(error.marker()), key: None, text: format!("not YAML: {}", error.info()) }]
    })?;
    Ok(ParsedText { value, positions: locator.positions, defects: locator.duplicates })
}

fn values(text: &str) -> Result<Value, Defect> {
    let options = serde_saphyr::options! {
        emit_comments: false,
        // All repeated keys reach us; the locator reports them.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        // Room for as many segments as ids can tell apart, and an end to aliases of aliases.
        budget: serde_saphyr::budget! { max_nodes: 1_000_000 },
        with_snippet: false,
    };
    let json: serde_json::Value = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let pos = error.location().map_or(Position { line: 1, column: 1 }, |location| Position {
            line: usize::try_from(location.line()).unwrap_or(1).max(1),
            column: usize::try_from(location.column()).unwrap_or(1).max(1),
        });
        Defect { pos, key: None, text: message(&error) }
    })?;
    Value::serialize(json).map_err(|error| Defect {
        pos: Position { line: 1, column: 1 },
        key: None,
        text: error.to_string(),
    })
}

/// The library's message without the position, which precedes it already.
fn message(error: &serde_saphyr::Error) -> String {
    let error = error.without_snippet();
    if matches!(error, serde_saphyr::Error::MultipleDocuments { .. }) {
        return "found a second document, expected one".to_owned();
    }
    let text = error.to_string();
    let text = text.rfind(" at line ").and_then(|at| text.get(..at)).unwrap_or(&text);
    format!("not YAML: {text}")
}

fn marker(marker: &serde_saphyr::granit_parser::Marker) -> Position {
    // The parser counts columns from 0.
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

/// Records positions from the parser's events. Its depth is bounded by the parser's limits.
struct Locator<'t> {
    events: Parser<'t, StrInput<'t>>,
    positions: PositionMap,
    duplicates: Vec<Defect>,
    empty: bool,
}

impl<'t> Locator<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            events: Parser::new_from_str_with_options(text, options! { emit_comments: false }),
            positions: PositionMap::default(),
            duplicates: Vec::new(),
            empty: true,
        }
    }

    fn document(&mut self) -> Result<(), ScanError> {
        while let Some(next) = self.events.next() {
            let (event, span) = next?;
            if event.is_node() {
                self.empty = false;
                let pos = marker(&span.start);
                return self.node(&event, &span, &KeyPath::root(), pos);
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, ScanError> {
        self.events.next().transpose()
    }

    fn node(
        &mut self,
        event: &Event<'t>,
        span: &Span,
        path: &KeyPath,
        key: Position,
    ) -> Result<(), ScanError> {
        self.positions.insert(path.clone(), key, marker(&span.start));
        match event {
            Event::MappingStart(..) => self.mapping(path),
            Event::SequenceStart(..) => self.sequence(path),
            _ => Ok(()),
        }
    }

    fn sequence(&mut self, path: &KeyPath) -> Result<(), ScanError> {
        let mut index = 0;
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            let pos = marker(&span.start);
            self.node(&event, &span, &path.item(index), pos)?;
            index += 1;
        }
        Ok(())
    }

    fn mapping(&mut self, path: &KeyPath) -> Result<(), ScanError> {
        let mut seen: HashMap<String, Position> = HashMap::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let pos = marker(&span.start);
            // A key that is not a scalar has no name; the reader of values rejects it.
            let name = event.scalar().map(|(text, _)| text.to_owned()).unwrap_or_default();
            let here = path.key(&name);
            if event.scalar().is_none() {
                self.node(&event, &span, &here, pos)?;
            } else if let Some(first) = seen.get(&name) {
                let text = format!(
                    "found this key a second time, expected it once; the first is on line {}",
                    first.line
                );
                self.duplicates.push(Defect { pos, key: Some(here.clone()), text });
            } else {
                seen.insert(name, pos);
            }
            let Some((event, span)) = self.next()? else { break };
            self.node(&event, &span, &here, pos)?;
        }
        Ok(())
    }
}
