//! Untrusted text in messages: control characters are escaped and long values are shortened.

use std::path::Path;

/// Maximum number of characters shown of a value.
const SHOWN: usize = 80;
/// Maximum number of characters shown of a library's message.
const MESSAGE: usize = 200;
/// Maximum number of characters shown of a file name: all that Linux allows.
const FILE_NAME: usize = 4096;

/// `"text"`, escaped and shortened.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", escape(text, true, SHOWN))
}

/// The text itself, escaped and shortened, for messages of libraries.
pub(crate) fn plain(text: &str) -> String {
    escape(text, false, MESSAGE)
}

/// A file's name, escaped.
pub(crate) fn file_name(path: &Path) -> String {
    escape(&path.display().to_string(), false, FILE_NAME)
}

fn escape(text: &str, quotes: bool, most: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == most {
            out.push('…');
            break;
        }
        match c {
            '\'' => out.push(c),
            '"' | '\\' if !quotes => out.push(c),
            // `escape_debug` leaves what can be printed and escapes the rest: controls, bidi marks, lone accents.
            _ => out.extend(c.escape_debug()),
        }
    }
    out
}

/// The known word that was probably meant.
pub(crate) fn did_you_mean<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let word: String = word.chars().take(SHOWN).collect::<String>().to_lowercase();
    let allowed = if word.chars().count() < 4 { 1 } else { 2 };
    known
        .iter()
        .map(|candidate| (strsim::osa_distance(&word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_and_quotes_are_escaped() {
        assert_eq!(quoted("a\n\x1b[31m\"b\""), r#""a\n\u{1b}[31m\"b\"""#);
        assert_eq!(plain("it's \"a\"\r"), "it's \"a\"\\r");
    }

    #[test]
    fn long_text_is_shortened() {
        assert_eq!(quoted(&"x".repeat(5000)).chars().count(), SHOWN + 3);
    }

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["protocol", "table", "metric"];
        assert_eq!(did_you_mean("metrik", &known), Some("metric"));
        assert_eq!(did_you_mean("tabel", &known), Some("table"));
        assert_eq!(did_you_mean("netns", &known), None);
    }
}
