//! Findings as text: one block for each, worst first.

use std::fmt::Write;

use super::finding::{Finding, Severity};
use crate::log::Escaped;

/// Maximum width of a line of text, in characters.
const WIDTH: usize = 100;
/// Indentation of each line of a block.
const MARGIN: &str = "  ";

/// One block for each finding, worst first, and a line of counts.
pub(super) fn text(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings.iter().filter(|finding| finding.severity != Severity::Ok) {
        let subject = Escaped(&finding.subject);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}: {} ({})", finding.severity.as_str(), subject, finding.check);
        for (label, text) in [("found", &finding.found), ("why", &finding.why)] {
            paragraph(&mut out, label, text);
        }
        if !finding.fix.is_empty() {
            // On one line, so that it can be copied.
            let _ = writeln!(out, "{MARGIN}{:<6}{}", "fix", Escaped(&finding.fix));
        }
        out.push('\n');
    }
    out.push_str(&counts(findings));
    out.push('\n');
    out
}

fn paragraph(out: &mut String, label: &str, text: &str) {
    let text = Escaped(text).to_string();
    let mut line = format!("{MARGIN}{label:<6}");
    let indent = line.len();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = " ".repeat(indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    if !text.is_empty() {
        let _ = writeln!(out, "{line}");
    }
}

fn counts(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let some = |severity, one: &str| {
        let count = count(severity);
        format!("{count} {one}{}", if count == 1 { "" } else { "s" })
    };
    format!(
        "{}, {}, {}; {} without a finding",
        some(Severity::Error, "error"),
        some(Severity::Warning, "warning"),
        some(Severity::Info, "note"),
        some(Severity::Ok, "check")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_block_and_the_last_line_has_the_counts() {
        let long = "word ".repeat(30);
        let mut error =
            Finding::error("eth0", "it is set down\u{1b}[2J").why(long).fix("ip link set dev eth0 up");
        error.check = "links";
        let text = text(&[error, Finding::info("x", "y"), Finding::nothing()]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "error: eth0 (links)");
        assert_eq!(lines[1], "  found it is set down\\u{1b}[2J");
        assert!(lines[2].starts_with("  why   word word") && lines[3].starts_with("        word"), "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!(lines[4], "  fix   ip link set dev eth0 up");
        assert_eq!(lines.last(), Some(&"1 error, 0 warnings, 1 note; 1 check without a finding"));
    }
}
