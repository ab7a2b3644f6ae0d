//! The columns of the panes: what they show, in which order they sort, and which give way on a narrow terminal.

use std::cmp::Ordering;

use arpherd_core::view::{HostView, Label};

use super::rates::{Rates, SegmentRow};
use crate::log::Escaped;

/// A column of rows of type `R`.
pub(super) struct Column<R> {
    /// Its heading.
    pub(super) heading: &'static str,
    /// Whether it is a number: to the right, and the greatest first.
    pub(super) is_number: bool,
    /// Where not all columns fit, those of the highest rank are left out first; rank 0 always stays.
    pub(super) rank: u8,
    /// Its width at most.
    pub(super) widest: usize,
    /// Its text in a row; empty text in every row hides the column.
    pub(super) text: fn(&R) -> String,
    /// How it sorts, in ascending order.
    pub(super) order: fn(&R, &R) -> Ordering,
}

/// How much attention a row deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Usual,
    Notable,
    Warning,
    Bad,
}

const fn words<R>(
    heading: &'static str,
    rank: u8,
    widest: usize,
    text: fn(&R) -> String,
    order: fn(&R, &R) -> Ordering,
) -> Column<R> {
    Column { heading, is_number: false, rank, widest, text, order }
}

const fn number<R>(
    heading: &'static str,
    rank: u8,
    text: fn(&R) -> String,
    order: fn(&R, &R) -> Ordering,
) -> Column<R> {
    Column { heading, is_number: true, rank, widest: 12, text, order }
}

/// Of the segments' pane.
pub(super) const SEGMENTS: [Column<SegmentRow>; 14] = [
    words("domain", 3, 16, |row| name(&row.view.domain), |a, b| a.view.domain.cmp(&b.view.domain)),
    words("segment", 0, 20, |row| name(&row.view.segment), |a, b| a.view.segment.cmp(&b.view.segment)),
    words(
        "interface",
        6,
        16,
        |row| name(&row.view.interface),
        |a, b| a.view.interface.cmp(&b.view.interface),
    ),
    words("netns", 4, 16, |row| optional(&row.view.netns), |a, b| a.view.netns.cmp(&b.view.netns)),
    words("kind", 8, 10, |row| name(&row.view.kind), |a, b| a.view.kind.cmp(&b.view.kind)),
    words("state", 0, 20, |row| name(&row.view.state), |a, b| a.view.state.cmp(&b.view.state)),
    words(
        "answer",
        9,
        8,
        |row| name(&row.view.answering.answer),
        |a, b| a.view.answering.answer.cmp(&b.view.answering.answer),
    ),
    number("hosts", 0, |row| row.view.hosts.to_string(), |a, b| a.view.hosts.cmp(&b.view.hosts)),
    number("read/s", 0, |row| rate(row, |it| it.read), |a, b| by_rate(a, b, |it| it.read)),
    number("answered/s", 1, |row| rate(row, |it| it.answered), |a, b| by_rate(a, b, |it| it.answered)),
    number("probed/s", 2, |row| rate(row, |it| it.probed), |a, b| by_rate(a, b, |it| it.probed)),
    number("dropped/s", 1, |row| rate(row, |it| it.dropped), |a, b| by_rate(a, b, |it| it.dropped)),
    number(
        "dropped",
        7,
        |row| count(row.view.counters.dropped),
        |a, b| a.view.counters.dropped.cmp(&b.view.counters.dropped),
    ),
    words("lately read", 5, 20, graph, |a, b| by_rate(a, b, |it| it.read)),
];

/// Of the hosts' pane.
pub(super) const HOSTS: [Column<HostView>; 9] = [
    words("address", 0, 15, |row| row.address.to_string(), |a, b| a.address.cmp(&b.address)),
    words("lladdr", 2, 17, lladdr, |a, b| a.lladdr.cmp(&b.lladdr)),
    words("domain", 5, 16, |row| name(&row.domain), |a, b| a.domain.cmp(&b.domain)),
    words("segment", 0, 20, place, |a, b| a.segment.cmp(&b.segment)),
    words("interface", 6, 16, |row| name(&row.interface), |a, b| a.interface.cmp(&b.interface)),
    words("netns", 3, 16, |row| optional(&row.netns), |a, b| a.netns.cmp(&b.netns)),
    words("state", 1, 10, |row| name(&row.state), |a, b| a.state.cmp(&b.state)),
    words("learned", 4, 12, |row| name(&row.learned_from), |a, b| a.learned_from.cmp(&b.learned_from)),
    number("age", 0, |row| span(row.age_seconds), |a, b| a.age_seconds.cmp(&b.age_seconds)),
];

/// How a host stands out.
pub(super) fn host_tone(host: &HostView) -> Tone {
    if host.state == "alive" || host.state == "remote" { Tone::Usual } else { Tone::Warning }
}

/// How a segment stands out.
pub(super) fn segment_tone(row: &SegmentRow) -> Tone {
    if row.view.state != "up" {
        return Tone::Bad;
    }
    if row.rates.is_some_and(|rates| rates.dropped > 0.0) { Tone::Warning } else { Tone::Usual }
}

/// How an event stands out.
pub(super) fn event_tone(level: &str, name: &str) -> Tone {
    match (level, name) {
        ("error", _) => Tone::Bad,
        ("warning", _) => Tone::Warning,
        (_, "host_moved") => Tone::Notable,
        _ => Tone::Usual,
    }
}

/// Its segment, or by whom it is reached behind another gateway.
fn place(host: &HostView) -> String {
    host.next_hop.map_or_else(|| name(&host.segment), |next_hop| format!("via {next_hop}"))
}

fn name(text: &str) -> String {
    if text.is_empty() { "-".into() } else { Escaped(text).to_string() }
}

fn optional(label: &Option<Label>) -> String {
    label.as_ref().map_or_else(String::new, |label| name(label))
}

/// IPoIB addresses have 20 octets, of which the last tell ports apart.
fn lladdr(host: &HostView) -> String {
    let text = host.lladdr.to_string();
    match text.len() {
        0 => "-".into(),
        18.. => format!("{}…{}", &text[..5], &text[text.len() - 11..]),
        _ => text,
    }
}

fn rate(row: &SegmentRow, of: fn(&Rates) -> f64) -> String {
    row.rates.as_ref().map_or_else(|| "-".into(), |rates| per_second(of(rates)))
}

fn by_rate(a: &SegmentRow, b: &SegmentRow, of: fn(&Rates) -> f64) -> Ordering {
    let rate = |row: &SegmentRow| row.rates.as_ref().map_or(-1.0, of);
    rate(a).total_cmp(&rate(b))
}

/// A rate in few characters: `0`, `0.4`, `12`, `4100`, `65k`, `1.2M`.
pub(super) fn per_second(rate: f64) -> String {
    match rate {
        0.0 => "0".into(),
        ..9.95 => format!("{rate:.1}"),
        ..9999.5 => format!("{rate:.0}"),
        ..999_500.0 => format!("{:.0}k", rate / 1e3),
        _ => format!("{:.1}M", rate / 1e6),
    }
}

fn count(number: u64) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

/// Frames read per second lately, relative to the most.
fn graph(row: &SegmentRow) -> String {
    const STEPS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let newest = row.history.iter().skip(row.history.len().saturating_sub(20));
    let most = newest.clone().copied().fold(1.0, f64::max);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 8")]
    newest.map(|rate| STEPS[((rate / most * 8.0).ceil() as usize).min(8)]).collect()
}

/// A duration in its largest unit, and below a day in its two largest: `5s`, `3m20s`, `2h05m`, `9d`.
pub(super) fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        86_400.. => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arpherd_core::LinkAddr;

    use super::super::rates::Meters;
    use super::super::testing::{host, segment};
    use super::*;

    #[test]
    fn rates_and_times_are_short() {
        let rates = [0.0, 0.04, 0.4, 9.94, 9.96, 412.3, 9999.0, 65_536.0, 1.24e6];
        let texts = rates.map(per_second);
        assert_eq!(texts, ["0", "0.0", "0.4", "9.9", "10", "412", "9999", "66k", "1.2M"]);
        assert_eq!([5, 200, 7500, 864_000].map(span), ["5s", "3m20s", "2h05m", "10d"]);
    }

    #[test]
    fn an_ipoib_address_shows_what_tells_ports_apart() {
        let octets: Vec<u8> = (0..20).collect();
        let lladdr = LinkAddr::try_new(&octets).expect("20 octets");
        assert_eq!((HOSTS[1].text)(&HostView { lladdr, ..host(1) }), "00:01…10:11:12:13");
        assert_eq!((HOSTS[1].text)(&HostView { lladdr: LinkAddr::UNKNOWN, ..host(1) }), "-");
    }

    #[test]
    fn names_have_no_power_over_the_terminal() {
        let row = HostView { segment: "a\x1b[2J".into(), ..host(1) };
        for column in &HOSTS {
            assert!(!(column.text)(&row).chars().any(char::is_control), "{}", column.heading);
        }
    }

    #[test]
    fn a_segment_that_is_down_stands_out() {
        let mut view = segment("lan", "eth0");
        view.state = "no_carrier".into();
        let rows = Meters::default().read(vec![segment("lan", "eth0"), view], Duration::ZERO);
        assert_eq!(rows.iter().map(segment_tone).collect::<Vec<_>>(), [Tone::Usual, Tone::Bad]);
    }
}
