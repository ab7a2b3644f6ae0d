//! Names the operator gives: of domains, segments and communities.

use super::path::KeyPath;
use super::reader::Reader;
use super::text;
use super::want::printable;

/// The longest name, in characters; tables have to hold it.
pub(crate) const LONGEST_NAME: usize = 64;

/// Names stand in tables, logs and events as they are. Whether this one can.
pub(crate) fn check_name(reader: &mut Reader<'_>, name: &str, path: &KeyPath) -> bool {
    let good = (1..=LONGEST_NAME).contains(&name.chars().count()) && printable(name);
    if !good {
        let found = text::quoted(name);
        let text = format!(
            "found the name {found}, expected 1 to {LONGEST_NAME} printable characters without spaces"
        );
        reader.key_problem(path, text);
    }
    good
}
