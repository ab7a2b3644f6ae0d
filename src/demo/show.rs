//! What the demo prints: steps with their time, tables, and what went wrong. At most 78 columns.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Columns a line may take; one screen of 80 with room at the edge.
pub(crate) const WIDTH: usize = 78;
/// Lines of the daemon's log shown when a step failed.
const TAIL: usize = 15;

const BOLD: &str = "1";
const GREEN: &str = "32";
const RED: &str = "1;31";
const FAINT: &str = "2";

/// Prints the demo's steps: where, whether in colour, and since when.
pub(crate) struct Show {
    out: Box<dyn Write>,
    colour: bool,
    begun: Instant,
    step: u32,
    of: u32,
    step_begun: Instant,
}

impl Show {
    /// On standard output, for `of` steps. Colour is for terminals only, and not where `NO_COLOR` is set.
    pub(crate) fn new(of: u32) -> Self {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let colour = io::stdout().is_terminal() && !refused && !dumb;
        Self::on(Box::new(io::stdout()), colour, of)
    }

    fn on(out: Box<dyn Write>, colour: bool, of: u32) -> Self {
        Self { out, colour, begun: Instant::now(), step: 0, of, step_begun: Instant::now() }
    }

    /// Begins the next step.
    pub(crate) fn step(&mut self, title: &str) -> io::Result<()> {
        self.step += 1;
        self.step_begun = Instant::now();
        let head = format!("{}/{}  {title} ", self.step, self.of);
        let time = format!(" at {:.2} s", self.begun.elapsed().as_secs_f64());
        let rule = "-".repeat(WIDTH.saturating_sub(head.chars().count() + time.len()));
        let (head, rule) = (self.paint(BOLD, &head), self.paint(FAINT, &format!("{rule}{time}")));
        writeln!(self.out, "\n{head}{rule}")?;
        self.out.flush()
    }

    /// Prints lines below the step's title.
    pub(crate) fn say(&mut self, text: &str) -> io::Result<()> {
        for line in text.lines() {
            writeln!(self.out, "{}", format!("     {line}").trim_end())?;
        }
        self.out.flush()
    }

    /// Prints a line of column titles.
    pub(crate) fn titles(&mut self, line: &str) -> io::Result<()> {
        let line = self.paint(FAINT, line);
        self.say(&line)
    }

    /// Prints lines at the left edge, for text that is to be copied.
    pub(crate) fn plain(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Ends a step that worked, with what it showed.
    pub(crate) fn ok(&mut self, what: &str) -> io::Result<()> {
        let mark = self.paint(GREEN, "ok");
        let mut lines = wrap(what, WIDTH - 5).into_iter();
        writeln!(self.out, "{mark}   {}", lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| writeln!(self.out, "     {line}"))?;
        self.out.flush()
    }

    /// Ends a step that did not work.
    pub(crate) fn failed(&mut self, expected: &str, seen: &str, log: Option<&str>) -> io::Result<()> {
        let mark = self.paint(RED, "FAILED");
        writeln!(self.out, "{mark} after {}", millis(self.step_begun.elapsed()))?;
        for (title, text) in [("expected", expected), ("seen", seen)] {
            for (number, line) in text.lines().flat_map(|line| wrap(line, WIDTH - 15)).enumerate() {
                writeln!(self.out, "     {:<9} {line}", if number == 0 { title } else { "" })?;
            }
        }
        if let Some(log) = log {
            let lines: Vec<&str> = log.lines().collect();
            writeln!(self.out, "     end of the daemon's log:")?;
            for line in &lines[lines.len().saturating_sub(TAIL)..] {
                for piece in wrap(line, WIDTH - 7) {
                    writeln!(self.out, "     | {piece}")?;
                }
            }
        }
        self.out.flush()
    }

    /// Ends the demo, with the time it took.
    pub(crate) fn end(&mut self, what: &str) -> io::Result<()> {
        let text = format!("{what} ({:.2} s in all)", self.begun.elapsed().as_secs_f64());
        let text = self.paint(BOLD, &text);
        writeln!(self.out, "\n{text}")?;
        self.out.flush()
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A time as people read it: `0.085 ms`, `8.2 ms`, `253 ms`, `2.5 s`.
pub(crate) fn millis(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        ..0.0995 => format!("{ms:.3} ms"),
        ..9.95 => format!("{ms:.2} ms"),
        ..99.5 => format!("{ms:.1} ms"),
        ..1999.5 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1e3),
    }
}

/// Breaks a line at blanks, or where a word is longer than a line, inside it. Control characters, which
/// could move the cursor, become blanks.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let (mut lines, mut open) = (Vec::new(), String::new());
    let shown: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    for word in shown.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if !open.is_empty() && open.chars().count() + 1 + word.len() > width {
            lines.push(std::mem::take(&mut open));
        }
        while word.len() > width {
            let rest = word.split_off(width);
            lines.push(word.into_iter().collect());
            word = rest;
        }
        if !open.is_empty() {
            open.push(' ');
        }
        open.extend(word);
    }
    lines.push(open);
    lines
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Buffer {
        fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
        }
    }

    #[test]
    fn nothing_said_of_a_failure_is_wider_than_the_screen() -> io::Result<()> {
        let buffer = Buffer::default();
        let mut show = Show::on(Box::new(buffer.clone()), false, 8);
        show.step("Hosts are found")?;
        let log = format!("{}\n{}", "word ".repeat(60), "x".repeat(300));
        show.failed(&"a ".repeat(100), &"b".repeat(200), Some(&log))?;
        show.ok(&"fine ".repeat(40))?;
        let text = buffer.text();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!(text.matches('x').count(), 301, "all of it is there: {text}");
        Ok(())
    }

    #[test]
    fn only_the_end_of_a_long_log_is_shown() -> io::Result<()> {
        let buffer = Buffer::default();
        let mut show = Show::on(Box::new(buffer.clone()), false, 8);
        let log: Vec<String> = (0..100).map(|number| format!("line {number}")).collect();
        show.failed("a", "b", Some(&log.join("\n")))?;
        assert!(buffer.text().contains("line 85\n") && !buffer.text().contains("line 84\n"));
        Ok(())
    }

    #[test]
    fn words_of_others_have_no_power_over_the_terminal() {
        assert_eq!(wrap("a\x1b[2Jb\tc", 20), ["a [2Jb c"]);
    }

    #[test]
    fn colour_is_used_only_where_it_is_wanted() -> io::Result<()> {
        for colour in [false, true] {
            let buffer = Buffer::default();
            let mut show = Show::on(Box::new(buffer.clone()), colour, 8);
            show.step("One")?;
            show.ok("done")?;
            assert_eq!(buffer.text().contains('\x1b'), colour);
        }
        Ok(())
    }

    #[test]
    fn times_are_short() {
        let shown = |micros| millis(Duration::from_micros(micros));
        assert_eq!(
            [85, 850, 8_250, 82_500, 825_000].map(shown),
            ["0.085 ms", "0.85 ms", "8.25 ms", "82.5 ms", "825 ms"]
        );
        assert_eq!(shown(12_340_000), "12.3 s");
    }
}
