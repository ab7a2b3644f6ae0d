//! Writes docs/reference/events.md from the table of events.

use std::collections::BTreeMap;

use arpherd_core::event::{EventKind, EventRow};

use super::{KEYS, every_event};

const HEADER: &str = "\
# Events reference

Every event, from the table that the daemon itself has. An event is

* a record of the log: its name is the message, and the fields below are the record's keys (`arpherd run --log-format json`);
* a line of `arpherd events`, with the same fields;
* a count in `arpherd status` and in the metric `arpherd_events_total{event=\"NAME\"}`.

Names and fields are stable. Events of level `debug` are in the log with `--log-level debug` or `arpherd log debug`. A record
of level `warning` or `error` says in `hint` what to do. The log's other records, and former names, are in the
[glossary](../glossary.md).
";

fn page() -> String {
    let keys: BTreeMap<&str, &str> = KEYS.iter().copied().collect();
    let mut out = HEADER.to_owned();
    out.push_str("\n| event | level | when |\n|---|---|---|\n");
    let rows: Vec<&EventRow> = EventKind::ALL.iter().map(|kind| kind.row()).collect();
    for row in &rows {
        let (name, level) = (row.name, level(row));
        out.push_str(&format!("| [`{name}`](#{name}) | {level} | {} |\n", first_sentence(row.doc)));
    }
    for row in rows {
        event(&mut out, row, keys[row.name]);
    }
    out
}

fn level(row: &EventRow) -> String {
    format!("{:?}", row.level).to_lowercase()
}

fn first_sentence(doc: &str) -> &str {
    doc.split_inclusive(". ").next().unwrap_or(doc).trim_end()
}

fn event(out: &mut String, row: &EventRow, keys: &str) {
    out.push_str(&format!("\n## {}\n\n{}\n\n* Level: {}\n", row.name, row.doc, level(row)));
    for field in row.fields {
        out.push_str(&format!("* `{}`: {}\n", field.name, field.doc));
    }
    let is_field = |key: &&str| row.fields.iter().any(|field| field.name == *key);
    let others: Vec<_> = keys.split(' ').filter(|key| !is_field(key)).map(|key| format!("`{key}`")).collect();
    if !others.is_empty() {
        out.push_str(&format!("* The record also has: {}\n", others.join(", ")));
    }
    let hints: Vec<String> = match row.hint_by {
        Some(_) => every_event()
            .iter()
            .filter(|event| event.name() == row.name)
            .filter_map(|event| event.hint())
            .map(String::from)
            .collect(),
        None => row.hint.iter().map(|hint| (*hint).to_owned()).collect(),
    };
    for hint in hints {
        let by = row.hint_by.map_or_else(String::new, |by| format!(" (it depends on `{by}`; for example)"));
        out.push_str(&format!("* Hint{by}: {hint}\n"));
    }
    if let Some(diagnosis) = &row.diagnosis {
        out.push_str(&format!(
            "* `arpherd doctor` says: {}\n* What to do: {}\n",
            diagnosis.why, diagnosis.fix
        ));
    }
}

#[test]
fn the_page_of_events_is_a_reference_file_of_the_table_of_events() {
    crate::reference::compare("docs/reference/events.md", &page());
}
