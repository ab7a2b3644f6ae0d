//! The path of a value in the configuration: `domains.lan.segments.eth0.prefixes[1]`.

use std::fmt;
use std::sync::Arc;

use super::text;

/// The path from the root of the configuration to one value.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeyPath(Vec<PathStep>);

/// One step of a path. Paths share their keys, for those of a table's entries differ in the last one only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PathStep {
    /// Into a table, by key.
    Key(Arc<str>),
    /// Into a list, by position, counted from 0.
    Item(usize),
}

impl KeyPath {
    /// The whole configuration.
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// The path of these keys.
    pub(crate) fn of<S: AsRef<str>>(keys: &[S]) -> Self {
        Self(keys.iter().map(|key| PathStep::Key(key.as_ref().into())).collect())
    }

    /// The entry `key` of the table here.
    pub(crate) fn key(&self, key: &str) -> Self {
        self.with(PathStep::Key(key.into()))
    }

    /// The item at this position of the list here.
    pub(crate) fn item(&self, index: usize) -> Self {
        self.with(PathStep::Item(index))
    }

    /// What holds the value here; `None` for the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// The last key, when the last step is one.
    pub(crate) fn last_key(&self) -> Option<&str> {
        match self.0.last() {
            Some(PathStep::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// The steps from the root.
    pub(crate) fn steps(&self) -> &[PathStep] {
        &self.0
    }

    fn with(&self, step: PathStep) -> Self {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push(step);
        Self(steps)
    }
}

/// Splits `domains.lan.segments."eth0.100".sweep` into its keys; quotes keep a dot inside a key.
pub(crate) fn split_keys(text: &str) -> Result<Vec<String>, String> {
    let mut keys = vec![String::new()];
    let mut inside = false;
    for c in text.chars() {
        match (c, keys.last_mut()) {
            ('"', _) => inside = !inside,
            ('.', _) if !inside => keys.push(String::new()),
            (_, Some(last)) => last.push(c),
            (_, None) => {}
        }
    }
    if inside {
        return Err("a quote is not closed".to_owned());
    }
    if keys.iter().any(String::is_empty) {
        return Err("a key between dots is empty".to_owned());
    }
    Ok(keys)
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                PathStep::Item(index) => write!(f, "[{index}]")?,
                PathStep::Key(key) => {
                    if place > 0 {
                        f.write_str(".")?;
                    }
                    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                    if !key.is_empty() && key.len() <= 64 && key.chars().all(bare) {
                        f.write_str(key)?;
                    } else {
                        f.write_str(&text::quoted(key))?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_dots_are_quoted_both_ways() {
        let keys = split_keys("domains.lan.segments.\"eth0.100\".sweep").expect("splits");
        assert_eq!(keys, ["domains", "lan", "segments", "eth0.100", "sweep"]);
        assert_eq!(KeyPath::of(&keys).to_string(), "domains.lan.segments.\"eth0.100\".sweep");
        assert_eq!(KeyPath::root().key("prefixes").item(1).to_string(), "prefixes[1]");
    }

    #[test]
    fn holes_are_refused() {
        for bad in ["", ".", "a..b", "a.\"b", "a.\"\""] {
            assert!(split_keys(bad).is_err(), "{bad}");
        }
    }
}
