//! Output of explanations.

use std::io;

use arpherd_core::view::{
    AnswerView, DecisionView, ExplainedHostView, ExplanationView, Label, RemoteView, SearchView,
};

use super::{Left, Output, Right, TextTable, lladdr, none, span, state, text};
use crate::log::Escaped;

/// Writes what is known of an address, what a request for it would get, and what was decided about it.
pub(super) fn write_explanations(out: &mut impl Output, rows: &[ExplanationView]) -> io::Result<()> {
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            out.write_all(b"\n")?;
        }
        write_explanation(out, row)?;
    }
    Ok(())
}

fn write_explanation(out: &mut impl Output, row: &ExplanationView) -> io::Result<()> {
    let netns = row.netns.as_ref().map_or_else(String::new, |name| format!(", netns {}", text(name)));
    writeln!(out, "{} in domain {}{netns}: {}", row.address, text(&row.domain), summary(row))?;
    out.write_all(b"\n")?;
    write_answers(out, &row.segments)?;
    if !row.decisions.is_empty() {
        out.write_all(b"\n")?;
        write_decisions(out, &row.decisions)?;
    }
    Ok(())
}

/// What is known, in a sentence.
fn summary(row: &ExplanationView) -> String {
    if row.own {
        return "an address of this machine".into();
    }
    let remote = row.remote.as_ref().map(elsewhere);
    if let Some(host) = &row.host {
        return [Some(known(host)), remote].into_iter().flatten().collect::<Vec<_>>().join("; ");
    }
    if let Some(remote) = remote {
        return remote;
    }
    let outside = if row.in_domain { "" } else { ", and outside of the domain's prefixes" };
    let search = row.search.as_ref().map_or_else(String::new, searching);
    format!("no host is known{outside}{search}")
}

/// What is known of a host.
pub(super) fn known(host: &ExplainedHostView) -> String {
    let in_kernel = host.in_kernel_seconds.map(span);
    let in_kernel = in_kernel.map_or_else(String::new, |span| format!(", answered in the kernel for {span}"));
    format!(
        "{} on {} ({}) at {}, learned from {}, heard {} ago, route {}{in_kernel}",
        text(&host.state),
        text(&host.segment),
        text(&host.interface),
        lladdr(&host.lladdr),
        text(&host.learned_from),
        span(host.age_seconds),
        text(&host.route),
    )
}

/// What is known of a route of the fabric.
fn elsewhere(remote: &RemoteView) -> String {
    let says = match remote.state.as_ref() {
        "remote" => "remote, behind another gateway",
        "beside" => "a route of the fabric leads to another gateway, too",
        "own_address" => "a route of the fabric leads to another gateway, wrongly",
        "pinned" => "a route of the fabric does not count, because the configuration fixes the address",
        "outranked" => "a route of the fabric does not count, because another is preferred to it",
        other => return format!("route of the fabric: {}", Escaped(other)),
    };
    let RemoteView { next_hop, interface, protocol, metric, age_seconds, .. } = remote;
    let via = next_hop.map_or_else(|| format!("interface {interface}"), |next_hop| next_hop.to_string());
    format!("{says} (via {via}, protocol {protocol}, metric {metric}, known for {})", span(*age_seconds))
}

fn searching(search: &SearchView) -> String {
    let stations = if search.requesters == 1 { "station" } else { "stations" };
    format!("; searched for on {} for {} {stations}", names(&search.searched_on), search.requesters)
}

fn names(labels: &[Label]) -> String {
    let names: Vec<_> = labels.iter().map(|label| text(label)).collect();
    if names.is_empty() { none() } else { names.join(", ") }
}

fn write_answers(out: &mut impl Output, rows: &[AnswerView]) -> io::Result<()> {
    let mut table = TextTable::new(&[Left("requests on"), Left("answered"), Left("rule"), Left("because")]);
    for row in rows {
        let places = match row.search_on.as_slice() {
            [] => String::new(),
            places => format!(" on {}", names(places)),
        };
        let because = format!("{}{places}", text(&row.because));
        table.add([text(&row.segment), state(&row.answered), text(&row.rule), because]);
    }
    table.write(out)
}

fn write_decisions(out: &mut impl Output, rows: &[DecisionView]) -> io::Result<()> {
    let mut table = TextTable::new(&[Right("ago"), Right("times"), Left("decision"), Left("values")]);
    for row in rows {
        let values: Vec<_> =
            row.values.iter().map(|(name, value)| format!("{} {}", text(name), text(value))).collect();
        table.add([ago(row.age_milliseconds), row.times.to_string(), text(&row.what), values.join(", ")]);
    }
    table.write(out)
}

/// How long ago, more finely than a host's age: decisions follow each other within milliseconds.
fn ago(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds}ms"),
        1000..10_000 => format!("{}.{}s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => span(milliseconds / 1000),
    }
}

#[cfg(test)]
mod tests {
    use arpherd_core::LinkAddr;

    use super::*;

    fn explanation() -> ExplanationView {
        let answer =
            |segment: &str, answered: &'static str, rule: &'static str, because: &'static str| AnswerView {
                segment: segment.into(),
                interface: segment.into(),
                answered: answered.into(),
                rule: rule.into(),
                because: because.into(),
                search_on: Vec::new(),
            };
        ExplanationView {
            address: [10, 2, 0, 9].into(),
            domain: "cluster".into(),
            in_domain: true,
            own: false,
            host: Some(ExplainedHostView {
                state: "alive".into(),
                segment: "lan".into(),
                interface: "eth0".into(),
                lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, 9]),
                learned_from: "request".into(),
                age_seconds: 12,
                in_kernel_seconds: Some(60),
                route: "installed".into(),
            }),
            remote: None,
            search: None,
            segments: vec![
                answer("lan", "no", "same_link", "it lives there"),
                answer("vms", "yes", "live", "it lives elsewhere"),
            ],
            decisions: vec![DecisionView {
                age_milliseconds: 1250,
                first_milliseconds: 9000,
                times: 3,
                what: "searched".into(),
                because: "no live host is known".into(),
                values: [("segment".into(), "vms".into())].into(),
            }],
            netns: None,
        }
    }

    fn written(row: ExplanationView) -> String {
        let mut out = Vec::new();
        write_explanations(&mut out, &[row]).expect("memory does not fail");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn an_explanation_says_what_is_known_what_would_be_answered_and_what_was_decided() {
        let expected = "\
10.2.0.9 in domain cluster: alive on lan (eth0) at 02:00:00:00:00:09, learned from request, heard 12s ago, route installed, answered in the kernel for 1m

requests on  answered  rule       because
lan          no        same_link  it lives there
vms          yes       live       it lives elsewhere

 ago  times  decision  values
1.2s      3  searched  segment vms
";
        assert_eq!(written(explanation()), expected);
    }

    #[test]
    fn of_an_unknown_address_the_search_is_shown() {
        let mut row = ExplanationView { host: None, decisions: Vec::new(), ..explanation() };
        row.search = Some(SearchView { requesters: 1, searched_on: vec!["lan".into(), "vms".into()] });
        row.segments[1].search_on = vec!["lan".into()];
        let text = written(row);
        assert!(text.contains("no host is known; searched for on lan, vms for 1 station\n"), "{text}");
        assert!(text.ends_with("it lives elsewhere on lan\n"), "{text}");
    }
}
