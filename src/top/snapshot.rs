//! The same as the screen, once and as plain text, for pipes and files.

use std::io::{self, Write};

use super::columns::{HOSTS, SEGMENTS, per_second, span};
use super::model::Model;
use super::table::{Fitted, event_line};
use crate::log::Escaped;

/// Newest events that are written.
const EVENTS: usize = 20;

/// Writes everything that is known, in lines of any length.
pub(super) fn write(out: &mut impl Write, model: &Model) -> io::Result<()> {
    if let Some(status) = &model.status {
        let ready = if status.ready { "ready" } else { "starting" };
        writeln!(
            out,
            "arpherd {}  up {}  {ready}  domains {}  hosts {}  routes {}",
            Escaped(&status.version),
            span(status.uptime_seconds),
            status.domains,
            status.hosts,
            status.routes
        )?;
    }
    if let Some(sum) = model.sum() {
        let [read, answered, probed, dropped] =
            [sum.read, sum.answered, sum.probed, sum.dropped].map(per_second);
        writeln!(out, "read {read}/s  answered {answered}/s  probed {probed}/s  dropped {dropped}/s")?;
    }
    let segments = model.shown_segments();
    let fitted = Fitted::new(&SEGMENTS, &segments, usize::MAX);
    writeln!(out, "\n{}", fitted.headings(&SEGMENTS, None))?;
    for row in segments {
        writeln!(out, "{}", fitted.row(&SEGMENTS, row))?;
    }
    let hosts: Vec<_> = model.hosts.rows.iter().collect();
    if !hosts.is_empty() {
        let fitted = Fitted::new(&HOSTS, &hosts, usize::MAX);
        writeln!(out, "\n{}", fitted.headings(&HOSTS, None))?;
        for row in &hosts {
            writeln!(out, "{}", fitted.row(&HOSTS, row))?;
        }
        if hosts.len() < model.hosts.matching {
            writeln!(out, "… and {} more; see `arpherd hosts`", model.hosts.matching - hosts.len())?;
        }
    }
    let events = model.shown_events();
    if !events.is_empty() {
        writeln!(out)?;
    }
    for event in events.into_iter().take(EVENTS).rev() {
        writeln!(out, "{}", event_line(event))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::filled;
    use super::*;

    #[test]
    fn everything_is_there_in_plain_lines() {
        let mut out = Vec::new();
        write(&mut out, &filled((80, 24))).expect("memory does not fail");
        let text = String::from_utf8(out).expect("text");
        assert!(!text.chars().any(|it| it.is_control() && it != '\n'), "{text:?}");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "arpherd 0.1.0  up 2h05m  ready  domains 1  hosts 6  routes 6");
        assert_eq!(lines[1], "read 125/s  answered 50/s  probed 5.0/s  dropped 2.0/s");
        for wanted in ["cluster  fabric ", "10.2.0.5  02:00:00:00:00:05", "host_moved  address: 10.2.0.2"] {
            assert!(lines.iter().any(|line| line.contains(wanted)), "{wanted}: {text}");
        }
    }
}
