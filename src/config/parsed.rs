//! The result of parsing a configuration file: its values, their positions, and syntax errors.

use figment::value::Value;

use super::locate::{Position, PositionMap};
use super::path::KeyPath;

/// A parsed text.
pub(crate) struct ParsedText {
    /// The values, one tree.
    pub(crate) value: Value,
    /// Their positions.
    pub(crate) positions: PositionMap,
    /// Duplicate keys: the values are checked all the same, but not used.
    pub(crate) defects: Vec<Defect>,
}

/// An error of the text itself: its syntax, or a duplicate key.
#[derive(Debug, Clone)]
pub(crate) struct Defect {
    /// Its position.
    pub(crate) pos: Position,
    /// The key, if it is known.
    pub(crate) key: Option<KeyPath>,
    /// The message; not yet escaped.
    pub(crate) text: String,
}
