//! Foreign text made harmless: names of interfaces and networks, messages of the kernel, paths.

use std::fmt;
use std::io::{self, Write};

use slog::{OwnedKVList, Record};
use slog_term::{Decorator, RecordDecorator};

/// Shows text on one line and without power over a terminal: control characters, line separators and
/// marks that turn the direction of writing are shown as `\u{1b}` and the like, a backslash doubled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((at, character)) = rest.char_indices().find(|(_, character)| is_harmful(*character)) {
            let (harmless, from) = rest.split_at(at);
            write!(f, "{harmless}{}", character.escape_default())?;
            rest = &from[character.len_utf8()..];
        }
        f.write_str(rest)
    }
}

fn is_harmful(character: char) -> bool {
    matches!(character, '\\' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || character.is_control()
}

/// A decorator whose messages, keys and values are escaped, and whose writes never fail.
///
/// slog-term escapes nothing, and panics when a write fails half way through a record.
#[derive(Debug)]
pub(super) struct Careful<D>(pub(super) D);

impl<D: Decorator> Decorator for Careful<D> {
    fn with_record<F>(&self, record: &Record<'_>, values: &OwnedKVList, write: F) -> io::Result<()>
    where
        F: FnOnce(&mut dyn RecordDecorator) -> io::Result<()>,
    {
        self.0.with_record(record, values, |inner| write(&mut CarefulRecord { inner, foreign: false }))
    }
}

struct CarefulRecord<'a> {
    inner: &'a mut dyn RecordDecorator,
    /// Whether what is written now comes from a record and not from the format.
    foreign: bool,
}

impl Write for CarefulRecord<'_> {
    /// Formatting hands over whole pieces of text, never half a character.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let _ = match std::str::from_utf8(octets) {
            Ok(text) if self.foreign => write!(self.inner, "{}", Escaped(text)),
            _ => self.inner.write_all(octets),
        };
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.inner.flush();
        Ok(())
    }
}

/// Passes each kind of text on, noting whether it is foreign.
macro_rules! parts {
    ($($part:ident: $foreign:literal),* $(,)?) => {
        impl RecordDecorator for CarefulRecord<'_> {
            $(fn $part(&mut self) -> io::Result<()> {
                self.foreign = $foreign;
                let _ = self.inner.$part();
                Ok(())
            })*
        }
    };
}

parts! {
    reset: false,
    start_whitespace: false,
    start_msg: true,
    start_timestamp: false,
    start_level: false,
    start_comma: false,
    start_key: true,
    start_value: true,
    start_location: false,
    start_separator: false,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn harmful_characters_are_shown_and_others_kept() {
        assert_eq!(Escaped("a\nb\x1b[2J\u{9b}c\u{202e}").to_string(), "a\\nb\\u{1b}[2J\\u{9b}c\\u{202e}");
        assert_eq!(Escaped("Café-Gäste 📶 (5 GHz)").to_string(), "Café-Gäste 📶 (5 GHz)");
        assert_eq!(Escaped("a\\nb").to_string(), "a\\\\nb");
    }

    proptest! {
        #[test]
        fn nothing_escaped_has_power_over_a_terminal(text in any::<String>()) {
            prop_assert!(!Escaped(&text).to_string().chars().any(char::is_control));
        }
    }
}
