//! The screen, drawn from the model.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::columns::{Column, HOSTS, SEGMENTS, Tone, event_tone, host_tone, per_second, segment_tone, span};
use super::keys::HELP;
use super::layout::{LEAST, Pane};
use super::model::Model;
use super::table::{Fitted, event_line, shortened, width_of};
use crate::config::show_duration;
use crate::log::Escaped;

/// Whether there are colours; without them bold and inverse text say the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    pub(super) colour: bool,
}

impl Theme {
    fn tone(self, tone: Tone) -> Style {
        let (colour, modifier) = match tone {
            Tone::Usual => return Style::new(),
            Tone::Notable => (Color::Cyan, Modifier::empty()),
            Tone::Warning => (Color::Yellow, Modifier::empty()),
            Tone::Bad => (Color::Red, Modifier::BOLD),
        };
        let style = Style::new().add_modifier(modifier);
        match (self.colour, tone) {
            (true, _) => style.fg(colour),
            (false, Tone::Notable) => style,
            (false, _) => style.add_modifier(Modifier::BOLD),
        }
    }

    fn heading(self) -> Style {
        if self.colour { Style::new().fg(Color::DarkGray) } else { Style::new() }
    }
}

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const INVERSE: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, theme: Theme) {
    let area = frame.area();
    let Some(layout) = model.layout() else {
        let (width, height) = LEAST;
        let text = format!(
            "The terminal is too small: {}×{}.\narpherd top needs {width}×{height}; q quits.",
            area.width, area.height
        );
        return frame.render_widget(Paragraph::new(text), area);
    };
    draw_header(frame, layout.header, model, theme);
    for pane in Pane::ALL {
        if let Some(area) = layout.panes[pane as usize] {
            draw_pane(frame, area, pane, model, theme);
        }
    }
    draw_footer(frame, layout.footer, model, theme);
    if model.help {
        draw_help(frame, area, theme);
    }
}

fn draw_header(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let mut first = vec![Span::styled(" arpherd", BOLD)];
    let mut right = String::new();
    if let Some(status) = &model.status {
        first.push(Span::raw(format!(" {}", Escaped(&status.version))));
        first.push(Span::raw(format!("  up {}", span(status.uptime_seconds))));
        let ready = if status.ready { ("  ready", Tone::Usual) } else { ("  starting", Tone::Warning) };
        first.push(Span::styled(ready.0, theme.tone(ready.1)));
        for row in &status.partners.roles {
            let tone = if row.role == "yielding" { Tone::Warning } else { Tone::Usual };
            first.push(Span::styled(
                format!("  {} {}", Escaped(&row.domain), Escaped(&row.role)),
                theme.tone(tone),
            ));
        }
        let used: usize = first.iter().map(Span::width).sum();
        for (count, name) in [(status.hosts, "host"), (status.routes, "route"), (status.domains, "domain")] {
            let text = format!("  {count} {name}{}", if count == 1 { "" } else { "s" });
            if used + right.len() + text.len() < usize::from(area.width) {
                right += &text;
            }
        }
        right.push(' ');
    }
    let line = |y| Rect { y: area.y + y, height: 1, ..area };
    frame.render_widget(Line::from(first), line(0));
    frame.render_widget(Line::from(right).right_aligned(), line(0));
    let (notice, style) = match model.notice() {
        Some((notice, true)) => {
            let style = theme.tone(Tone::Bad).patch(INVERSE);
            let text = shortened(&notice, usize::from(area.width).saturating_sub(2));
            return frame.render_widget(Line::styled(format!(" {text}"), style).style(style), line(1));
        }
        Some((notice, false)) => (notice, BOLD),
        None => (format!("every {}", show_duration(model.interval)), theme.heading()),
    };
    let notice = Line::styled(format!("{notice} "), style);
    let room = usize::from(area.width).saturating_sub(notice.width());
    frame.render_widget(notice.right_aligned(), line(1));
    let sum = model.sum();
    let rates = [("read", sum.map(|it| it.read)), ("answered", sum.map(|it| it.answered))];
    let rates =
        rates.into_iter().chain([("probed", sum.map(|it| it.probed)), ("dropped", sum.map(|it| it.dropped))]);
    let mut spans = Vec::new();
    for (name, rate) in rates {
        let is_bad = name == "dropped" && rate.is_some_and(|rate| rate > 0.0);
        let style = if is_bad { theme.tone(Tone::Bad) } else { Style::new() };
        let rate = rate.map_or_else(|| "-".into(), per_second);
        spans.push(Span::styled(format!(" {name} {rate}/s "), style));
    }
    let width = u16::try_from(spans.iter().map(Span::width).sum::<usize>().min(room)).unwrap_or(area.width);
    frame.render_widget(Line::from(spans), Rect { width, ..line(1) });
}

fn draw_pane(frame: &mut Frame<'_>, area: Rect, pane: Pane, model: &Model, theme: Theme) {
    match pane {
        Pane::Segments => {
            let rows = model.shown_segments();
            let title = counted("segments", rows.len(), model.segments.len());
            draw_title(frame, area, pane, &title, model, theme);
            draw_rows(frame, area, (pane, &SEGMENTS), &rows, model, theme, segment_tone);
        }
        Pane::Hosts => {
            let page = &model.hosts;
            let rows: Vec<_> = page.rows.iter().collect();
            let mut title = counted("hosts", page.matching, page.total);
            if rows.len() < page.matching {
                title += &format!(", the first {} shown", rows.len());
            }
            draw_title(frame, area, pane, &title, model, theme);
            draw_rows(frame, area, (pane, &HOSTS), &rows, model, theme, host_tone);
        }
        Pane::Events => {
            let rows = model.shown_events();
            let mut title = counted("events", rows.len(), model.events.len());
            if model.missed > 0 {
                title += &format!(", {} missed", model.missed);
            }
            draw_title(frame, area, pane, &title, model, theme);
            let state = &model.panes[pane as usize];
            let lines = rows
                .iter()
                .skip(state.offset)
                .map(|event| (event_line(event), theme.tone(event_tone(&event.level, &event.event))));
            // The place of the headings stays empty: an event names its values itself.
            draw_lines(frame, Rect { y: area.y + 1, height: area.height - 1, ..area }, lines, "no events");
        }
    }
}

/// `hosts: 250`, or `hosts: 3 of 250` where a filter leaves some out.
fn counted(name: &str, shown: usize, all: usize) -> String {
    if shown == all { format!("{name}: {all}") } else { format!("{name}: {shown} of {all}") }
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, pane: Pane, title: &str, model: &Model, theme: Theme) {
    let state = &model.panes[pane as usize];
    let chosen = pane == model.chosen;
    let style = if chosen { BOLD.patch(INVERSE) } else { BOLD };
    let mut spans = vec![
        Span::styled("─", theme.heading()),
        Span::styled(format!(" {} {title} ", pane as usize + 1), style),
    ];
    if !state.filter.text().is_empty() {
        spans.push(Span::styled("─", theme.heading()));
        spans.push(Span::raw(format!(" filter: {} ", Escaped(state.filter.text()))));
    }
    if state.offset > 0 {
        spans.push(Span::styled("─", theme.heading()));
        spans.push(Span::raw(format!(" from {} ", state.offset + 1)));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::styled("─".repeat(usize::from(area.width).saturating_sub(used)), theme.heading()));
    frame.render_widget(Line::from(spans), Rect { height: 1, ..area });
}

fn draw_rows<R>(
    frame: &mut Frame<'_>,
    area: Rect,
    (pane, columns): (Pane, &[Column<R>]),
    rows: &[&R],
    model: &Model,
    theme: Theme,
    tone: fn(&R) -> Tone,
) {
    let state = &model.panes[pane as usize];
    let fitted = Fitted::new(columns, rows, usize::from(area.width).saturating_sub(2));
    let headings = fitted.headings(columns, Some((state.column, state.descending)));
    frame.render_widget(
        Line::styled(format!(" {headings}"), theme.heading()),
        Rect { y: area.y + 1, height: 1, ..area },
    );
    let lines = rows.iter().skip(state.offset).map(|row| (fitted.row(columns, row), theme.tone(tone(row))));
    let none = if state.filter.is_empty() { "none" } else { "none that the filter allows" };
    draw_lines(frame, Rect { y: area.y + 2, height: area.height - 2, ..area }, lines, none);
}

fn draw_lines(frame: &mut Frame<'_>, area: Rect, lines: impl Iterator<Item = (String, Style)>, none: &str) {
    let width = usize::from(area.width).saturating_sub(2);
    let line = |(text, style): (String, Style)| Line::styled(format!(" {}", shortened(&text, width)), style);
    let mut lines: Vec<_> = lines.take(usize::from(area.height)).map(line).collect();
    if lines.is_empty() {
        lines.push(Line::raw(format!(" {none}")));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_footer(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    if model.typing.is_some() {
        let typed = Escaped(model.pane().filter.text()).to_string();
        let line = Line::from(vec![
            Span::styled(" filter: ", BOLD),
            Span::raw(typed),
            Span::styled(" ", INVERSE),
            Span::styled("  Enter keeps it, Esc undoes it", theme.heading()),
        ]);
        return frame.render_widget(line, area);
    }
    let keys = [("q", "quit"), ("?", "help"), ("Tab", "pane"), ("z", "alone"), ("s", "sort")];
    let keys = keys.into_iter().chain([("r", "reverse"), ("/", "filter"), ("p", "pause")]);
    let spans = keys.flat_map(|(key, meaning)| {
        [Span::styled(format!(" {key}"), BOLD), Span::styled(format!(" {meaning} "), theme.heading())]
    });
    frame.render_widget(Line::from(spans.collect::<Vec<_>>()), area);
}

fn draw_help(frame: &mut Frame<'_>, area: Rect, theme: Theme) {
    let keys = HELP.iter().map(|(key, _)| width_of(key)).max().unwrap_or_default();
    let lines: Vec<_> = HELP
        .iter()
        .map(|(key, meaning)| {
            let blank = " ".repeat(keys + 2 - width_of(key));
            Line::from(vec![Span::styled(format!(" {key}"), BOLD), Span::raw(format!("{blank}{meaning} "))])
        })
        .collect();
    let widest = lines.iter().map(Line::width).max().unwrap_or_default();
    let (Ok(width), Ok(height)) = (u16::try_from(widest + 2), u16::try_from(lines.len() + 2)) else { return };
    let framed = width <= area.width && height <= area.height;
    let (width, height) = (width.min(area.width), height.min(area.height));
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    frame.render_widget(Clear, place);
    let text = Paragraph::new(lines);
    let block = Block::bordered().title(" keys ").border_style(theme.heading());
    frame.render_widget(if framed { text.block(block) } else { text }, place);
}

#[cfg(test)]
mod tests;
