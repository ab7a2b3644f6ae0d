//! A configuration file's text, read: its values, their places, and what is wrong with the text itself.

use figment::value::Value;

use super::locate::{Position, PositionMap};
use super::path::KeyPath;

/// What a text says.
pub(crate) struct ParsedText {
    /// The values, one tree.
    pub(crate) value: Value,
    /// Where they stand.
    pub(crate) places: PositionMap,
    /// Keys that stand twice: the values can be looked at, but not used.
    pub(crate) defects: Vec<Defect>,
}

/// Something wrong with the text itself: syntax, or a key that stands twice.
#[derive(Debug, Clone)]
pub(crate) struct Defect {
    /// Where.
    pub(crate) pos: Position,
    /// The key, when it is known.
    pub(crate) key: Option<KeyPath>,
    /// What; not yet escaped.
    pub(crate) text: String,
}
