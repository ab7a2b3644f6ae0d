//! Rows as lines of text, in as many columns as fit.

use ratatui::text::Span;

use super::columns::Column;
use crate::events::EventView;
use crate::log::Escaped;

/// Between columns.
const GAP: usize = 2;

/// The columns of a table and their widths.
pub(super) struct Fitted {
    /// Which column, and how wide.
    columns: Vec<(usize, usize)>,
}

impl Fitted {
    /// Chooses columns that fit: those that are empty in every row are left out, then those of the highest rank; and
    /// if that is not enough, the widest lose their ends.
    pub(super) fn new<R>(columns: &[Column<R>], rows: &[&R], width: usize) -> Self {
        let measure = |(number, column): (usize, &Column<R>)| {
            let widest = rows.iter().map(|row| width_of(&(column.text)(row))).max().unwrap_or_default();
            // The sign of the order stands beside the heading.
            let heading = width_of(column.heading) + 1;
            (rows.is_empty() || widest > 0).then(|| (number, widest.min(column.widest).max(heading)))
        };
        let mut chosen: Vec<_> = columns.iter().enumerate().filter_map(measure).collect();
        let total = |chosen: &[(usize, usize)]| {
            let gaps = GAP * chosen.len().saturating_sub(1);
            chosen.iter().map(|(_, width)| width).sum::<usize>() + gaps
        };
        while total(&chosen) > width {
            let place = (0..chosen.len()).max_by_key(|place| columns[chosen[*place].0].rank);
            match place.filter(|place| columns[chosen[*place].0].rank > 0) {
                Some(place) => drop(chosen.remove(place)),
                None => break,
            }
        }
        while total(&chosen) > width {
            let Some((_, widest)) = chosen.iter_mut().max_by_key(|(_, width)| *width) else { break };
            if *widest <= 1 {
                break;
            }
            *widest -= 1;
        }
        Self { columns: chosen }
    }

    /// The columns that are shown.
    pub(super) fn shown(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns.iter().map(|(number, _)| *number)
    }

    /// The headings, with the sign of the order where it is sorted.
    pub(super) fn headings<R>(&self, columns: &[Column<R>], sorted: Option<(usize, bool)>) -> String {
        let sign = |number| match sorted {
            Some((column, true)) if column == number => "▼",
            Some((column, false)) if column == number => "▲",
            _ => "",
        };
        self.line(columns, |number, column| format!("{}{}", column.heading, sign(number)))
    }

    /// A row.
    pub(super) fn row<R>(&self, columns: &[Column<R>], row: &R) -> String {
        self.line(columns, |_, column| (column.text)(row))
    }

    fn line<R>(&self, columns: &[Column<R>], text: impl Fn(usize, &Column<R>) -> String) -> String {
        let mut line = String::new();
        for (place, (number, width)) in self.columns.iter().enumerate() {
            let column = &columns[*number];
            if place > 0 {
                line.extend([' '; GAP]);
            }
            line += &padded(&text(*number, column), *width, column.is_number);
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Columns of a terminal that the text takes.
pub(super) fn width_of(text: &str) -> usize {
    Span::raw(text).width()
}

/// The text in exactly this width, with `…` where it had to be cut.
fn padded(text: &str, width: usize, to_the_right: bool) -> String {
    let text = shortened(text, width);
    let blank = " ".repeat(width.saturating_sub(width_of(&text)));
    if to_the_right { blank + &text } else { text + &blank }
}

/// The text within this width, with `…` where it had to be cut.
pub(super) fn shortened(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for character in text.chars() {
        short.push(character);
        if width_of(&short) >= width {
            short.pop();
            break;
        }
    }
    if width > 0 {
        short.push('…');
    }
    short
}

/// An event in one line, what it is about first.
pub(super) fn event_line(event: &EventView) -> String {
    let time = event.time.get(11..19).unwrap_or(&event.time);
    let mut line =
        format!("{} {:7} {}", Escaped(time), Escaped(&event.level).to_string(), Escaped(&event.event));
    let first = ["address", "segment", "old_segment"];
    let netns = event.netns.as_deref().map(|netns| ("netns", netns));
    let value = |key: &&'static str| event.values.get(*key).map(|value| (*key, value.as_str()));
    let others = event.values.iter().filter(|(key, _)| !first.contains(&key.as_str()));
    let values = first.iter().filter_map(value).chain(netns);
    for (place, (key, value)) in
        values.chain(others.map(|(key, value)| (key.as_str(), value.as_str()))).enumerate()
    {
        let separator = if place == 0 { "  " } else { ", " };
        line += &format!("{separator}{}: {}", Escaped(key), Escaped(value));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::columns::HOSTS;
    use super::super::testing::{event, host};
    use super::*;

    #[test]
    fn columns_of_high_rank_give_way_first() {
        let rows = [host(1), host(200)];
        let rows: Vec<_> = rows.iter().collect();
        let headings = |width| {
            let fitted = Fitted::new(&HOSTS, &rows, width);
            let line = fitted.headings(&HOSTS, Some((0, false)));
            assert!(width_of(&line) <= width, "{width}: {line}");
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(headings(120), "address▲ lladdr domain segment interface state learned age");
        assert_eq!(headings(80), "address▲ lladdr domain segment state learned age");
        assert_eq!(headings(56), "address▲ lladdr segment state age");
        assert_eq!(headings(30), "address▲ segment age");
        assert!(headings(12).contains('…'));
    }

    #[test]
    fn text_is_cut_by_the_columns_it_takes() {
        assert_eq!(shortened("eth0", 4), "eth0");
        assert_eq!(shortened("enp129s0f1", 6), "enp12…");
        assert_eq!(shortened("漢字漢字", 5), "漢字…");
        assert_eq!((shortened("abc", 1), shortened("abc", 0)), ("…".to_owned(), String::new()));
        assert_eq!((padded("7", 3, true), padded("漢", 3, false)), ("  7".to_owned(), "漢 ".to_owned()));
    }

    #[test]
    fn an_event_says_first_what_it_is_about() {
        let mut moved = event(3, "host_moved", "info");
        moved.values.insert("aa".into(), "b\x1b[2J".into());
        let line = "08:00:03 info    host_moved  address: 10.2.0.3, segment: lan, aa: b\\u{1b}[2J";
        assert_eq!(event_line(&moved), line);
    }
}
