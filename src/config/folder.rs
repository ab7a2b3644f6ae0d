//! A folder as the place of the configuration: whichever of the two formats its one file has, whoever starts the
//! daemon need not know.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Whether the name is one of a configuration file.
pub(crate) fn is_configuration(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|it| ["toml", "yaml", "yml"].contains(&it.to_lowercase().as_str()))
}

/// The one configuration file in a folder; other files in it do not matter.
///
/// # Errors
/// The text of the error: the folder cannot be read, or does not hold exactly one.
pub(super) fn file_in(folder: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| format!("cannot be read: {error}"))?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| is_configuration(path) && path.is_file());
    files.sort();
    if files.len() > 1 {
        let names: Vec<_> = files.iter().filter_map(|path| path.file_name()).collect();
        let names: Vec<_> = names.into_iter().map(|name| name.to_string_lossy()).collect();
        return Err(format!("found {}, expected exactly one configuration file", names.join(" and ")));
    }
    let none = "found no file that ends in .toml, .yaml or .yml, expected exactly one";
    files.pop().ok_or_else(|| none.to_owned())
}
