//! Output of responses: tables as text, or one JSON document.

mod events;
mod explanation;
mod layout;
mod leases;
mod operate;
mod reload;
mod status;

use std::io;

use arpherd_core::LinkAddr;
use arpherd_core::view::{HostView, Response, RouteView, SegmentView, SubnetView};

use crate::log::Escaped;
pub(super) use events::write_events;
use explanation::write_explanations;
use layout::Column::{Left, Right};
pub(super) use layout::{Output, StandardOutput};
use layout::{TextTable, state};
pub(super) use operate::{write_forgotten, write_log, write_probe, write_roles, write_sweeps, write_woken};
pub(super) use reload::write_reload;

/// Writes the response as one JSON document: a list of objects, or one object for the status.
pub(super) fn write_json(out: &mut impl Output, response: &Response) -> io::Result<()> {
    serde_json::to_writer(&mut *out, response)?;
    out.write_all(b"\n")
}

/// Writes the response as a table. A row is one line; where it is not for a terminal, whatever its length, for `cut` and
/// `grep`.
pub(super) fn write_text(out: &mut impl Output, response: &Response) -> io::Result<()> {
    match response {
        Response::Status(status) => status::write(out, status),
        Response::Segments(rows) => write_segments(out, rows),
        Response::Hosts(rows) => write_hosts(out, rows),
        Response::Routes(rows) => write_routes(out, rows),
        Response::Leases(rows) => leases::write(out, rows),
        Response::Explain(rows) => write_explanations(out, rows),
        Response::Probed(rows) => write_probe(out, rows, false),
        Response::Forgotten(rows) => write_forgotten(out, rows, false),
        Response::Woken(rows) => write_woken(out, rows, false),
        Response::Roles(rows) => write_roles(out, rows, false),
    }
}

/// Three to five tables, because one would be twice as wide as a terminal.
fn write_segments(out: &mut impl Output, rows: &[SegmentView]) -> io::Result<()> {
    let spaces = rows.iter().any(|row| row.netns.is_some());
    let mut links = TextTable::with_netns(
        spaces,
        &[
            Left("domain"),
            Left("segment"),
            Left("interface"),
            Left("kind"),
            Left("state"),
            Left("lladdr"),
            Left("answer"),
            Right("hosts"),
        ],
    )
    .less_important(&["netns", "kind", "answer", "lladdr", "interface", "domain"]);
    let mut counters = TextTable::new(&[
        Left("domain"),
        Left("segment"),
        Right("read"),
        Right("answered"),
        Right("probed"),
        Right("traces"),
        Right("dropped"),
        Right("malformed"),
        Right("mismatched"),
    ])
    .less_important(&["mismatched", "malformed", "traces", "domain"]);
    for row in rows {
        links.add_in(
            &row.netns,
            [
                text(&row.domain),
                text(&row.segment),
                interface_of(row),
                kind_of(row),
                state(&row.state),
                lladdr(&row.lladdr),
                answer_of(row),
                row.hosts.to_string(),
            ],
        );
        let count = row.counters;
        let numbers = [
            count.read,
            count.answered,
            count.probed,
            count.traces,
            count.dropped,
            count.malformed,
            count.mismatched,
        ];
        let names = [text(&row.domain), text(&row.segment)];
        counters.add(names.into_iter().chain(numbers.map(|number| number.to_string())));
    }
    links.write(out)?;
    out.write_all(b"\n")?;
    write_subnets(out, rows)?;
    out.write_all(b"\n")?;
    counters.write(out)?;
    write_dhcp(out, rows)?;
    write_gateways(out, rows)?;
    write_fast_answers(out, rows)?;
    write_published(out, rows)
}

/// The interface's name, and the configured one where that is an alternative name.
fn interface_of(row: &SegmentView) -> String {
    let configured = &row.configured_interface;
    if configured.is_empty() || *configured == row.interface {
        return text(&row.interface);
    }
    format!("{}={}", text(&row.interface), text(configured))
}

/// The kind of link and, on Wi-Fi, its role.
fn kind_of(row: &SegmentView) -> String {
    row.wifi.as_ref().map_or_else(|| text(&row.kind), |role| format!("{} {}", text(&row.kind), text(role)))
}

/// The answer mode, with the private VLAN's if it has one.
fn answer_of(row: &SegmentView) -> String {
    match row.answering.private_vlan.as_ref() {
        "off" => text(&row.answering.answer),
        "open" => format!("{}+pvlan", text(&row.answering.answer)),
        private => format!("{}+{}", text(&row.answering.answer), text(private)),
    }
}

/// What each segment is part of, and its own address there.
fn write_subnets(out: &mut impl Output, rows: &[SegmentView]) -> io::Result<()> {
    let mut table = TextTable::new(&[Left("domain"), Left("segment"), Left("source"), Left("prefixes")]);
    for row in rows {
        let source = row.subnet.source.as_ref().map_or_else(none, ToString::to_string);
        let SubnetView { prefixes, unaddressed, .. } = &row.subnet;
        let note = |prefix| if unaddressed.contains(prefix) { " (no address)" } else { "" };
        let prefixes: Vec<_> = prefixes.iter().map(|prefix| format!("{prefix}{}", note(prefix))).collect();
        table.add([text(&row.domain), text(&row.segment), source, text(&prefixes.join(","))]);
    }
    table.write(out)
}

/// Link-layer addresses that segments share, where there are any.
fn write_dhcp(out: &mut impl Output, rows: &[SegmentView]) -> io::Result<()> {
    if rows.iter().all(|row| row.measured.dhcp.is_none()) {
        return Ok(());
    }
    let mut table = TextTable::new(&[
        Left("domain"),
        Left("segment"),
        Right("dhcp_relayed"),
        Right("answered"),
        Right("limited"),
        Right("malformed"),
        Right("refused"),
    ]);
    for row in rows {
        if let Some(dhcp) = &row.measured.dhcp {
            let numbers = [dhcp.relayed, dhcp.answered, dhcp.limited, dhcp.malformed, dhcp.refused];
            let names = [text(&row.domain), text(&row.segment)];
            table.add(names.into_iter().chain(numbers.map(|number| number.to_string())));
        }
    }
    out.write_all(b"\n")?;
    table.write(out)
}

fn write_gateways(out: &mut impl Output, rows: &[SegmentView]) -> io::Result<()> {
    let mut table = TextTable::new(&[Left("domain"), Left("segment"), Left("gateway_lladdr")]);
    for row in rows {
        if let Some(gateway) = &row.subnet.gateway_lladdr {
            table.add([text(&row.domain), text(&row.segment), lladdr(gateway)]);
        }
    }
    if rows.iter().all(|row| row.subnet.gateway_lladdr.is_none()) {
        return Ok(());
    }
    out.write_all(b"\n")?;
    table.write(out)
}

/// Where answers are given inside the kernel, and how many.
fn write_fast_answers(out: &mut impl Output, rows: &[SegmentView]) -> io::Result<()> {
    let mut table =
        TextTable::new(&[Left("domain"), Left("segment"), Left("fast_answers"), Right("answered_in_kernel")]);
    for row in rows {
        if let Some(fast) = &row.measured.fast_answers {
            let names = [text(&row.domain), text(&row.segment), state(fast)];
            table.add(names.into_iter().chain([row.counters.answered_in_kernel.to_string()]));
        }
    }
    if rows.iter().all(|row| row.measured.fast_answers.is_none()) {
        return Ok(());
    }
    out.write_all(b"\n")?;
    table.write(out)
}

fn write_published(out: &mut impl Output, rows: &[SegmentView]) -> io::Result<()> {
    let mut table = TextTable::new(&[Left("domain"), Left("segment"), Left("published")]);
    for row in rows {
        for prefix in &row.subnet.publish {
            table.add([text(&row.domain), text(&row.segment), prefix.to_string()]);
        }
    }
    if rows.iter().all(|row| row.subnet.publish.is_empty()) {
        return Ok(());
    }
    out.write_all(b"\n")?;
    table.write(out)
}

/// The column of leases is there only where there is one.
/// The host's segment, or by whom it is reached behind another gateway.
fn place(row: &HostView) -> String {
    row.next_hop.map_or_else(|| text(&row.segment), |next_hop| format!("via {next_hop}"))
}

fn write_hosts(out: &mut impl Output, rows: &[HostView]) -> io::Result<()> {
    let spaces = rows.iter().any(|row| row.netns.is_some());
    let has_leases = rows.iter().any(|row| row.lease_server.is_some());
    let mut columns = vec![
        Left("address"),
        Left("lladdr"),
        Left("domain"),
        Left("segment"),
        Left("interface"),
        Left("state"),
        Left("learned"),
        Right("age"),
    ];
    columns.extend(has_leases.then_some(Right("lease")));
    let mut table = TextTable::with_netns(spaces, &columns).less_important(&[
        "learned",
        "interface",
        "netns",
        "domain",
        "age",
        "lladdr",
    ]);
    for row in rows {
        let mut cells = vec![
            row.address.to_string(),
            lladdr(&row.lladdr),
            text(&row.domain),
            place(row),
            text(&row.interface),
            state(&row.state),
            text(&row.learned_from),
            span(row.age_seconds),
        ];
        cells.extend(has_leases.then(|| lease_of(row)));
        table.add_in(&row.netns, cells);
    }
    table.write(out)
}

/// How long its lease lasts yet.
fn lease_of(row: &HostView) -> String {
    match (row.lease_server, row.lease_expires_seconds) {
        (None, _) => none(),
        (Some(_), None) => "never ends".to_owned(),
        (Some(_), Some(seconds)) => span(seconds),
    }
}

fn write_routes(out: &mut impl Output, rows: &[RouteView]) -> io::Result<()> {
    let spaces = rows.iter().any(|row| row.netns.is_some());
    let mut table = TextTable::with_netns(
        spaces,
        &[
            Left("address"),
            Left("interface"),
            Left("source"),
            Right("metric"),
            Right("table"),
            Right("protocol"),
            Left("state"),
        ],
    )
    .less_important(&["protocol", "table", "metric", "source", "netns"]);
    for row in rows {
        table.add_in(
            &row.netns,
            [
                row.address.to_string(),
                row.interface.as_ref().map_or_else(none, |interface| text(interface)),
                row.source.as_ref().map_or_else(none, ToString::to_string),
                row.metric.to_string(),
                table_name(row.table),
                row.protocol.to_string(),
                state(&row.state),
            ],
        );
    }
    table.write(out)
}

fn text(foreign: &str) -> String {
    if foreign.is_empty() { none() } else { Escaped(foreign).to_string() }
}

fn lladdr(address: &LinkAddr) -> String {
    text(&address.to_string())
}

fn none() -> String {
    "-".into()
}

/// The name of a routing table, as in iproute2.
fn table_name(number: u32) -> String {
    match number {
        253 => "default".into(),
        254 => "main".into(),
        255 => "local".into(),
        number => number.to_string(),
    }
}

/// A duration in its largest unit.
fn span(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m", seconds / MINUTE),
        HOUR..DAY => format!("{}h", seconds / HOUR),
        DAY.. => format!("{}d", seconds / DAY),
    }
}

#[cfg(test)]
mod tests;
