//! How tables are laid out: on a terminal so that they fit its width, with states in colour; elsewhere plain and whole.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use arpherd_core::view::Label;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{none, text};

/// Rows of this width or less have two spaces between columns, where the output is no terminal.
pub(super) const NARROW: usize = 80;
/// Stands around states, for colours. It has no width, and escaped text never has it.
const MARK: char = '\u{200b}';

/// Where tables are written.
pub(in super::super) trait Output: Write {
    /// How they are to look.
    fn look(&self) -> Look {
        Look::default()
    }
}

impl Output for Vec<u8> {}

/// How tables are to look; by default plain and of any width.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Look {
    /// The terminal's width in columns.
    pub(in super::super) width: Option<usize>,
    /// Whether states are coloured.
    pub(in super::super) is_coloured: bool,
}

/// Standard output, which may be a terminal.
pub(in super::super) struct StandardOutput {
    out: BufWriter<StdoutLock<'static>>,
    look: Look,
}

impl StandardOutput {
    /// Colours as `NO_COLOR`, `CLICOLOR_FORCE` and the terminal have it.
    pub(in super::super) fn lock() -> Self {
        let stdout = io::stdout();
        let size = stdout.is_terminal().then(|| terminal_size::terminal_size_of(&stdout)).flatten();
        let look = Look {
            width: size.map(|(terminal_size::Width(columns), _)| usize::from(columns)).filter(|it| *it > 0),
            is_coloured: AutoStream::choice(&stdout) != ColorChoice::Never,
        };
        Self { out: BufWriter::new(stdout.lock()), look }
    }
}

impl Output for StandardOutput {
    fn look(&self) -> Look {
        self.look
    }
}

impl Write for StandardOutput {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.out.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A column by its heading.
#[derive(Clone, Copy)]
pub(super) enum Column {
    Left(&'static str),
    /// For numbers.
    Right(&'static str),
}
use Column::{Left, Right};

/// A table without borders.
pub(super) struct TextTable {
    table: Table,
    headings: Vec<&'static str>,
    /// Headings of columns that are left out where the terminal is too narrow, in this order.
    less_important: &'static [&'static str],
    /// The last column is the network namespace.
    netns: bool,
}

impl TextTable {
    pub(super) fn new(columns: &[Column]) -> Self {
        Self::with_netns(false, columns)
    }

    /// Without namespaces the column is omitted.
    pub(super) fn with_netns(netns: bool, columns: &[Column]) -> Self {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let headings = columns.iter().map(|(Left(heading) | Right(heading))| *heading);
        let headings: Vec<_> = headings.chain(netns.then_some("netns")).collect();
        table.set_header(headings.clone());
        for (column, kind) in table.column_iter_mut().zip(columns) {
            if matches!(kind, Right(_)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self { table, headings, less_important: &[], netns }
    }

    /// These columns are left out where the terminal is too narrow, the first of them first.
    pub(super) fn less_important(self, headings: &'static [&'static str]) -> Self {
        Self { less_important: headings, ..self }
    }

    pub(super) fn add(&mut self, cells: impl IntoIterator<Item = String>) {
        self.table.add_row(cells.into_iter().collect::<Vec<_>>());
    }

    pub(super) fn add_in(&mut self, netns: &Option<Label>, cells: impl IntoIterator<Item = String>) {
        let space = self.netns.then(|| netns.as_ref().map_or_else(none, |name| text(name)));
        self.add(cells.into_iter().chain(space));
    }

    pub(super) fn write(mut self, out: &mut impl Output) -> io::Result<()> {
        let look = out.look();
        let mut widths: Vec<Option<usize>> = self
            .table
            .column_max_content_widths()
            .into_iter()
            .map(|width| Some(usize::from(width)))
            .collect();
        // What rows take with so many spaces between the columns that are left.
        let total = |widths: &[Option<usize>], gap: usize| {
            let shown = widths.iter().flatten().count();
            widths.iter().flatten().sum::<usize>() + gap * shown.saturating_sub(1)
        };
        for heading in self.less_important {
            if look.width.is_none_or(|width| total(&widths, 1) <= width) {
                break;
            }
            if let Some(at) = self.headings.iter().position(|it| it == heading) {
                widths[at] = None;
            }
        }
        // Two spaces between columns, or one if rows fit only so.
        let gap = if total(&widths, 2) <= look.width.unwrap_or(NARROW) { 2 } else { 1 };
        for (column, width) in self.table.column_iter_mut().zip(&widths) {
            column.set_padding((0, u16::try_from(gap).unwrap_or(1)));
            if width.is_none() {
                column.set_constraint(ColumnConstraint::Hidden);
            }
        }
        for line in self.table.lines() {
            let line = look.width.map_or_else(|| line.clone(), |width| cut(&line, width));
            writeln!(out, "{}", coloured(line.trim_end(), look.is_coloured))?;
        }
        Ok(())
    }
}

/// A state, which has a colour on terminals.
pub(super) fn state(word: &str) -> String {
    format!("{MARK}{}{MARK}", text(word))
}

/// The line, shortened to the width.
fn cut(line: &str, width: usize) -> String {
    let line = line.trim_end();
    if line.width() <= width {
        return line.to_owned();
    }
    let mut used = 1;
    let fits = |character: &char| {
        used += character.width().unwrap_or(0);
        used <= width
    };
    line.chars().take_while(fits).chain(['…']).collect()
}

/// The line without its marks, and with colours where they were.
fn coloured(line: &str, is_coloured: bool) -> String {
    let pieces = line.split(MARK).enumerate();
    let shown = |(number, piece): (usize, &str)| match colour(piece) {
        Some(colour) if is_coloured && number % 2 == 1 => {
            let style: Style = colour.on_default();
            format!("{style}{piece}{style:#}")
        }
        _ => piece.to_owned(),
    };
    pieces.map(shown).collect()
}

/// Green is well, yellow is under way, red is not well; what is neither, or a word of a newer daemon, has no colour.
fn colour(state: &str) -> Option<AnsiColor> {
    match state {
        "up" | "alive" | "installed" | "yes" | "done" => Some(AnsiColor::Green),
        "suspect" | "doubtful" | "search" | "due" | "sweeping" | "no_carrier" => Some(AnsiColor::Yellow),
        "refused"
        | "conflict"
        | "absent"
        | "admin_down"
        | "source_missing"
        | "port"
        | "no_arp"
        | "interface_taken"
        | "waiting_for_address"
        | "prefix_overlap" => Some(AnsiColor::Red),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal of a width.
    struct Terminal(Vec<u8>, Look);

    impl Write for Terminal {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.write(octets)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output for Terminal {
        fn look(&self) -> Look {
            self.1
        }
    }

    fn table() -> TextTable {
        let mut table = TextTable::new(&[Left("address"), Left("learned"), Left("state"), Right("age")])
            .less_important(&["learned", "age"]);
        table.add(["10.2.0.9".into(), "request".into(), state("alive"), "12s".into()]);
        table.add(["10.2.0.10".into(), "kernel".into(), state("absent"), "3m".into()]);
        table
    }

    fn written(width: Option<usize>, is_coloured: bool) -> String {
        let mut out = Terminal(Vec::new(), Look { width, is_coloured });
        table().write(&mut out).expect("memory does not fail");
        String::from_utf8(out.0).expect("text")
    }

    #[test]
    fn columns_are_left_out_in_their_order_until_rows_fit() {
        let whole = written(None, false);
        assert_eq!(whole.lines().nth(1), Some("10.2.0.9   request  alive   12s"));
        assert_eq!(written(Some(31), false), whole);
        assert_eq!(written(Some(30), false).lines().nth(1), Some("10.2.0.9  request alive  12s"));
        assert_eq!(written(Some(26), false).lines().nth(1), Some("10.2.0.9   alive   12s"));
        assert_eq!(written(Some(17), false).lines().nth(2), Some("10.2.0.10  absent"));
        assert_eq!(written(Some(12), false).lines().nth(2), Some("10.2.0.10 a…"));
    }

    #[test]
    fn colours_take_no_width_and_are_nowhere_but_in_states() {
        let text = written(Some(80), true);
        assert!(
            text.contains("\u{1b}[32malive\u{1b}[0m") && text.contains("\u{1b}[31mabsent\u{1b}[0m"),
            "{text:?}"
        );
        let plain = text.replace("\u{1b}[32m", "").replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        assert_eq!(plain, written(Some(80), false));
        assert!(!plain.contains(MARK) && !plain.contains('\u{1b}'));
        assert_eq!(
            coloured(&cut(&format!("10.2.0.9 {MARK}alive"), 40), true),
            "10.2.0.9 \u{1b}[32malive\u{1b}[0m"
        );
    }
}
