//! The configuration file: read once, parsed as its name's extension says.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::errors::{ConfigError, Problem, ValueOrigin};
use super::locate::{Position, PositionMap};
use super::parsed::{Defect, ParsedText};
use super::path::KeyPath;
use super::{folder, text, toml, yaml};

/// Maximum size of a file in bytes; the largest realistic configuration has about a quarter of it.
const LARGEST: u64 = 16 << 20;

/// A file as it was read.
#[derive(Debug)]
pub(crate) struct FileText {
    name: String,
    parse: fn(&str) -> Result<ParsedText, Vec<Defect>>,
    text: String,
}

/// A file's values and their positions.
pub(crate) struct FileSource {
    name: String,
    tree: Dict,
    positions: PositionMap,
}

impl FileText {
    /// Reads the file, or the one configuration file of a folder.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let at = Position { line: 0, column: 0 };
        let refuse = |path: &Path, text: String| {
            ConfigError::wrong(vec![problem(&text::file_name(path), at, None, text::plain(&text))])
        };
        let path = match path.is_dir() {
            true => &folder::file_in(path).map_err(|text| refuse(path, text))?,
            false => path,
        };
        let name = text::file_name(path);
        let alone = |text: String| refuse(path, text);
        let parse = match extension(path).as_deref() {
            Some("toml") => toml::parse,
            Some("yaml" | "yml") => yaml::parse,
            _ => return Err(alone("expected a file name that ends in .toml, .yaml or .yml".to_owned())),
        };
        let bytes = read(path).map_err(|error| alone(format!("cannot be read: {error}")))?;
        if bytes.len() as u64 > LARGEST {
            return Err(alone(format!("expected a configuration of at most {} MiB", LARGEST >> 20)));
        }
        let text = utf8(&bytes).map_err(|pos| {
            ConfigError::wrong(vec![problem(
                &name,
                pos,
                None,
                "found a byte that is not UTF-8, expected text".to_owned(),
            )])
        })?;
        Ok(Self { text: text.to_owned(), name, parse })
    }

    /// Parses it. The errors it returns beside the values (duplicate keys) leave the rest readable, so that the reader can
    /// continue and find the others.
    pub(crate) fn parse(&self) -> Result<(FileSource, Vec<Problem>), ConfigError> {
        let name = self.name.clone();
        match (self.parse)(&self.text) {
            Ok(parsed) => FileSource::assemble(name, parsed.value, parsed.positions, &parsed.defects),
            Err(defects) => Err(ConfigError::wrong(problems_of(&name, &defects))),
        }
    }
}

impl FileSource {
    fn assemble(
        name: String,
        value: Value,
        positions: PositionMap,
        defects: &[Defect],
    ) -> Result<(Self, Vec<Problem>), ConfigError> {
        let problems = problems_of(&name, defects);
        let tree = match value {
            Value::Dict(_, tree) => tree,
            Value::Empty(..) => Dict::new(),
            other => {
                let pos = positions.value(&KeyPath::root());
                let text = format!(
                    "found {}, expected a table with daemon, routes and domains",
                    super::value::found(&other)
                );
                return Err(ConfigError::wrong(vec![problem(&name, pos, None, text)]));
            }
        };
        Ok((Self { name, tree, positions }, problems))
    }

    /// Whether the file has this key or list item itself.
    pub(crate) fn has(&self, path: &KeyPath) -> bool {
        self.positions.key(path).is_some()
    }

    /// The position of a value, or of the closest value around it.
    pub(crate) fn value_origin(&self, path: &KeyPath) -> ValueOrigin {
        self.at(self.positions.value(path))
    }

    /// The position of a key, or of the closest value around it.
    pub(crate) fn key_origin(&self, path: &KeyPath) -> ValueOrigin {
        self.at(self.positions.key(path).unwrap_or_else(|| self.positions.value(path)))
    }

    fn at(&self, pos: Position) -> ValueOrigin {
        ValueOrigin::File { name: self.name.clone(), line: pos.line, column: pos.column }
    }
}

impl Provider for &FileSource {
    fn metadata(&self) -> Metadata {
        Metadata::named("file")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.tree.clone()))
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed shows that a file is too large, and bounds the reading of an endless one.
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text without its byte order mark, or the position of the first byte that is not UTF-8.
fn utf8(bytes: &[u8]) -> Result<&str, Position> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default()).into_owned();
        super::locate::LineIndex::new(&good).pos(good.len())
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn problems_of(name: &str, defects: &[Defect]) -> Vec<Problem> {
    defects
        .iter()
        .map(|defect| problem(name, defect.pos, defect.key.clone(), text::plain(&defect.text)))
        .collect()
}

fn problem(name: &str, pos: Position, key: Option<KeyPath>, text: String) -> Problem {
    Problem {
        origin: ValueOrigin::File { name: name.to_owned(), line: pos.line, column: pos.column },
        key,
        text,
    }
}

/// The file name's extension in lower case.
fn extension(path: &Path) -> Option<String> {
    path.extension().and_then(|ext| ext.to_str()).map(str::to_lowercase)
}
