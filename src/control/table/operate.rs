//! Output of what came of commands.

use std::io;

use arpherd_core::view::{ForgottenView, Label, OrderedRoleView, ProbeView, ProbedSegmentView, WokenView};
use serde::Serialize;

use super::explanation::known;
use super::{Left, Output, Right, TextTable, lladdr, none, state, text};
use crate::operate::{LogView, SweepView};

fn write_json<T: Serialize + ?Sized>(out: &mut impl Output, view: &T) -> io::Result<()> {
    serde_json::to_writer(&mut *out, view)?;
    out.write_all(b"\n")
}

fn in_netns(netns: &Option<Label>) -> String {
    netns.as_ref().map_or_else(String::new, |name| format!(", netns {}", text(name)))
}

/// Writes who answered a probe, and where.
pub(in super::super) fn write_probe(out: &mut impl Output, rows: &[ProbeView], json: bool) -> io::Result<()> {
    if json {
        return write_json(out, rows);
    }
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            out.write_all(b"\n")?;
        }
        let summary = row.host.as_ref().map_or_else(|| "no host is known".into(), known);
        writeln!(
            out,
            "{} in domain {}{}: {summary}\n",
            row.address,
            text(&row.domain),
            in_netns(&row.netns)
        )?;
        let mut table =
            TextTable::new(&[Left("segment"), Left("interface"), Left("answered by"), Right("after")]);
        for segment in &row.segments {
            add_answers(&mut table, segment);
        }
        table.write(out)?;
    }
    Ok(())
}

/// Writes which domains obey, and what this machine was to them before.
pub(in super::super) fn write_roles(
    out: &mut impl Output,
    rows: &[OrderedRoleView],
    json: bool,
) -> io::Result<()> {
    if json {
        return write_json(out, rows);
    }
    let netns = rows.iter().any(|row| row.netns.is_some());
    let mut table = TextTable::with_netns(netns, &[Left("domain"), Left("before"), Left("outcome")]);
    for row in rows {
        let before = row.before.as_ref().map_or_else(none, |before| text(before));
        let cells = [text(&row.domain), before, text(&row.outcome)];
        table
            .add(cells.into_iter().chain(netns.then(|| row.netns.as_ref().map_or_else(none, |it| text(it)))));
    }
    table.write(out)
}

/// A row for each answer, or one that says why there is none.
fn add_answers(table: &mut TextTable, row: &ProbedSegmentView) {
    let names = [text(&row.segment), text(&row.interface)];
    let mut add = |who: String, after: String| {
        table.add(names.iter().cloned().chain([who, after]));
    };
    if row.answers.is_empty() {
        let reason = row.because.as_ref().map(|reason| format!("not asked: {}", text(reason)));
        add(reason.unwrap_or_else(|| "nobody".into()), none());
    }
    for answer in &row.answers {
        add(lladdr(&answer.lladdr), milliseconds(answer.after_microseconds));
    }
}

/// Microseconds as milliseconds.
fn milliseconds(microseconds: u64) -> String {
    format!("{}.{:03} ms", microseconds / 1000, microseconds % 1000)
}

/// Writes which host was given up.
pub(in super::super) fn write_forgotten(
    out: &mut impl Output,
    rows: &[ForgottenView],
    json: bool,
) -> io::Result<()> {
    if json {
        return write_json(out, rows);
    }
    for row in rows {
        let was = row.host.as_ref().map_or_else(none, known);
        let (address, domain, netns) = (row.address, text(&row.domain), in_netns(&row.netns));
        writeln!(out, "{address} in domain {domain}{netns}: {}; it was {was}", text(&row.outcome))?;
    }
    Ok(())
}

/// Writes where magic packets were sent.
pub(in super::super) fn write_woken(out: &mut impl Output, rows: &[WokenView], json: bool) -> io::Result<()> {
    if json {
        return write_json(out, rows);
    }
    let mut table = TextTable::with_netns(
        rows.iter().any(|row| row.netns.is_some()),
        &[Left("domain"), Left("segment"), Left("interface"), Left("lladdr"), Left("magic packet")],
    );
    for row in rows {
        let name = |name: &Option<Label>| name.as_ref().map_or_else(none, |name| text(name));
        let station = row.lladdr.as_ref().map_or_else(none, lladdr);
        let columns =
            [text(&row.domain), name(&row.segment), name(&row.interface), station, text(&row.outcome)];
        table.add_in(&row.netns, columns);
    }
    table.write(out)
}

/// Writes the level of the log.
pub(in super::super) fn write_log(out: &mut impl Output, view: &LogView, json: bool) -> io::Result<()> {
    if json {
        return write_json(out, view);
    }
    let LogView { level, before } = view;
    if level == before {
        return writeln!(out, "{}", text(level));
    }
    writeln!(out, "{}, before: {}", text(level), text(before))
}

/// Writes how far sweeps are, or what they came to.
pub(in super::super) fn write_sweeps(
    out: &mut impl Output,
    rows: &[SweepView],
    json: bool,
) -> io::Result<()> {
    if json {
        return write_json(out, rows);
    }
    let mut table = TextTable::with_netns(
        rows.iter().any(|row| row.netns.is_some()),
        &[
            Left("domain"),
            Left("segment"),
            Left("interface"),
            Left("sweep"),
            Right("done"),
            Right("addresses"),
            Right("probed"),
            Right("found"),
            Right("time"),
        ],
    )
    .less_important(&["netns", "interface", "domain", "done"]);
    for row in rows {
        let shown = match &row.because {
            Some(reason) => format!("not swept: {}", text(reason)),
            None if row.state == "idle" => state("done"),
            None => state(&row.state),
        };
        // A round that is about to begin has no numbers yet; those of the one before are not its own.
        let count = |number: u64| if row.state == "due" { none() } else { number.to_string() };
        table.add_in(
            &row.netns,
            [
                text(&row.domain),
                text(&row.segment),
                text(&row.interface),
                shown,
                count(row.done),
                count(row.total),
                count(row.probed),
                count(row.found),
                if row.state == "due" { none() } else { tenths(row.elapsed_milliseconds) },
            ],
        );
    }
    table.write(out)
}

/// Milliseconds as seconds.
fn tenths(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}
