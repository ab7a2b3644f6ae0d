//! What the keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::filter::Filter;
use super::layout::Pane;
use super::model::Model;

/// The keys, for the help: key and meaning.
pub(super) const HELP: [(&str, &str); 11] = [
    ("Tab, 1 2 3", "choose segments, hosts or events"),
    ("z, Enter", "the chosen ones alone, or all again"),
    ("s S ← →", "sort by the next column, or one before"),
    ("r", "reverse the order"),
    ("/", "filter: words that a row must have, or a"),
    ("", "prefix 10.2.0.0/28; Enter keeps, Esc undoes"),
    ("c", "clear the filter"),
    ("↑ ↓ PgUp PgDn", "scroll; Home, End: to the first, the last"),
    ("p, Space", "pause: nothing moves, nothing is asked"),
    ("?, h", "this help"),
    ("q, Esc, Ctrl-C", "quit"),
];

/// What follows from a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The screen is drawn anew.
    Draw,
    /// And the daemon is asked at once, because something else is to be shown.
    Ask,
    Quit,
}

impl Model {
    /// Carries out what a key means.
    pub(super) fn press(&mut self, key: KeyEvent) -> Outcome {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Outcome::Quit;
        }
        let before = self.wanted();
        let quit = if self.typing.is_some() {
            self.type_filter(key);
            false
        } else if self.help {
            self.help = false;
            key.code == KeyCode::Char('q')
        } else {
            self.command(key.code)
        };
        self.keep_in_range();
        match (quit, self.wanted() != before) {
            (true, _) => Outcome::Quit,
            (false, true) => Outcome::Ask,
            (false, false) => Outcome::Draw,
        }
    }

    /// Whether the program ends.
    fn command(&mut self, code: KeyCode) -> bool {
        let page = self.page();
        match code {
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char('?' | 'h') => self.help = true,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Tab => self.chosen = self.chosen.next(1),
            KeyCode::BackTab => self.chosen = self.chosen.next(2),
            KeyCode::Char('1') => self.chosen = Pane::Segments,
            KeyCode::Char('2') => self.chosen = Pane::Hosts,
            KeyCode::Char('3') => self.chosen = Pane::Events,
            KeyCode::Enter | KeyCode::Char('z') => self.alone = !self.alone,
            KeyCode::Char('s') | KeyCode::Right => self.sort(1),
            KeyCode::Char('S') | KeyCode::Left => self.sort(-1),
            KeyCode::Char('r') => self.pane_mut().descending ^= true,
            KeyCode::Char('/') => self.typing = Some(self.pane().filter.clone()),
            KeyCode::Char('c') => self.pane_mut().filter = Filter::default(),
            KeyCode::Up | KeyCode::Char('k') => self.scroll(|offset| offset.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.scroll(|offset| offset + 1),
            KeyCode::PageUp => self.scroll(|offset| offset.saturating_sub(page)),
            KeyCode::PageDown => self.scroll(|offset| offset + page),
            KeyCode::Home | KeyCode::Char('g') => self.scroll(|_| 0),
            KeyCode::End | KeyCode::Char('G') => self.scroll(|_| usize::MAX / 2),
            _ => {}
        }
        false
    }

    fn scroll(&mut self, to: impl FnOnce(usize) -> usize) {
        let pane = self.pane_mut();
        pane.offset = to(pane.offset);
    }

    /// Sorts by the column that is so many further on, of those that are seen.
    fn sort(&mut self, steps: isize) {
        let columns = self.sort_columns();
        let count = columns.len().cast_signed().max(1);
        let place = columns.iter().position(|column| *column == self.pane().column).unwrap_or_default();
        let next = (place.cast_signed() + steps).rem_euclid(count).cast_unsigned();
        let Some(column) = columns.get(next).copied() else { return };
        let descending = self.is_number(column);
        let pane = self.pane_mut();
        (pane.column, pane.descending, pane.offset) = (column, descending, 0);
    }

    fn type_filter(&mut self, key: KeyEvent) {
        let mut text = self.pane().filter.text().to_owned();
        match key.code {
            KeyCode::Enter => self.typing = None,
            KeyCode::Esc => {
                if let Some(before) = self.typing.take() {
                    self.pane_mut().filter = before;
                }
                return;
            }
            KeyCode::Backspace => {
                text.pop();
            }
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => text.clear(),
            KeyCode::Char(typed) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                text.push(typed);
            }
            _ => return,
        }
        let pane = self.pane_mut();
        (pane.filter, pane.offset) = (Filter::new(&text), 0);
    }
}

#[cfg(test)]
mod tests;
