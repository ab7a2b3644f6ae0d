//! The position of each key and value in the file's text.

use std::collections::BTreeMap;

use super::path::KeyPath;

/// A position in a text; line and column are counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The line.
    pub(crate) line: usize,
    /// The column.
    pub(crate) column: usize,
}

/// The positions of one entry.
#[derive(Debug, Clone, Copy)]
struct EntryPosition {
    key: Position,
    value: Position,
}

/// The positions of all keys and values of a file.
#[derive(Debug, Default)]
pub(crate) struct PositionMap(BTreeMap<KeyPath, EntryPosition>);

impl PositionMap {
    /// Records the positions of an entry; list items have no key and pass the value's position twice.
    pub(crate) fn insert(&mut self, path: KeyPath, key: Position, value: Position) {
        self.0.insert(path, EntryPosition { key, value });
    }

    /// The position of the key, if the file has it.
    pub(crate) fn key(&self, path: &KeyPath) -> Option<Position> {
        self.0.get(path).map(|entry| entry.key)
    }

    /// The position of the value or, when it has none of its own (it came through an alias, for example), of the
    /// closest value around it.
    pub(crate) fn value(&self, path: &KeyPath) -> Position {
        let mut path = path.clone();
        loop {
            if let Some(entry) = self.0.get(&path) {
                return entry.value;
            }
            match path.parent() {
                Some(parent) => path = parent,
                None => return Position { line: 1, column: 1 },
            }
        }
    }

    /// The paths that end in this key.
    pub(crate) fn ending_in(&self, key: &str) -> impl Iterator<Item = &KeyPath> {
        self.0.keys().filter(move |path| path.last_key() == Some(key))
    }
}

/// Converts byte offsets of a text to positions.
pub(crate) struct LineIndex<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> LineIndex<'t> {
    /// Finds the lines of the text.
    pub(crate) fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The position of this byte; past the end, that of the end.
    pub(crate) fn pos(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.starts.get(index)).copied().unwrap_or(0);
        let before = self.text.as_bytes().get(start..offset).unwrap_or_default();
        Position { line, column: String::from_utf8_lossy(before).chars().count() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_lines_and_columns() {
        let lines = LineIndex::new("ab\nü=1\n");
        assert_eq!(lines.pos(0), Position { line: 1, column: 1 });
        assert_eq!(lines.pos(3), Position { line: 2, column: 1 });
        assert_eq!(lines.pos(5), Position { line: 2, column: 2 });
        assert_eq!(lines.pos(99), Position { line: 3, column: 1 });
    }
}
