use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::*;

/// An event of the kind, with a value that its name stands for in every field.
fn sample(kind: EventKind) -> Event {
    let value = |field: &str| match field {
        "address" => json!("10.2.0.9"),
        "source" | "server" | "next_hop" => json!("10.2.0.1"),
        "client" => json!("01:02"),
        "role" => json!("standby"),
        "answers" => json!("this"),
        "end" => json!("expired"),
        field if field.ends_with("lladdr") => json!("02:00:00:00:00:09"),
        field if field.ends_with("segment") => json!(0),
        "domain" => json!(0),
        "prefix" => json!("10.2.0.0/24"),
        "prefixes" | "old_prefixes" => json!(["10.2.0.0/24"]),
        "other" => json!(1),
        "protocol" | "metric" | "interface" | "errno" | "dropped" | "seconds" | "waiting" => json!(4),
        "reason" if kind == EventKind::FabricRouteIgnored => json!("pinned"),
        "reason" => json!("absent"),
        "sign" => json!("mark"),
        "limit" => json!("hosts"),
        other => panic!("a sample value for the field {other} of {} is missing here", kind.name()),
    };
    let fields = kind.row().fields.iter().map(|field| (field.name.to_owned(), value(field.name)));
    let event: Map<_, _> = fields.chain([("event".to_owned(), json!(kind.name()))]).collect();
    serde_json::from_value(Value::Object(event)).expect("an event of exactly these fields")
}

#[test]
fn each_kind_has_a_row_of_its_own_with_a_name_in_snake_case() {
    let names: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), EventKind::ALL.len(), "a name stands twice");
    for (index, kind) in EventKind::ALL.iter().enumerate() {
        assert_eq!(*kind as usize, index, "the order is that of the table");
        let variant = format!("{kind:?}");
        let snake = variant.chars().fold(String::new(), |mut name, letter| {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.extend(letter.to_lowercase());
            name
        });
        assert_eq!(kind.name(), snake);
    }
}

#[test]
fn an_event_has_the_kind_the_fields_and_the_serialised_name_of_its_row() {
    for kind in EventKind::ALL {
        let event = sample(*kind);
        assert_eq!((event.kind(), event.name()), (*kind, kind.name()));
        let names: Vec<_> = event.fields().iter().map(|(name, _)| *name).collect();
        let expected: Vec<_> = kind.row().fields.iter().map(|field| field.name).collect();
        assert_eq!(names, expected, "{}", kind.name());
    }
}

#[test]
fn what_is_a_warning_or_worse_has_a_hint() {
    for kind in EventKind::ALL {
        let (row, hint) = (kind.row(), sample(*kind).hint());
        assert!(hint.is_some() || row.level < EventLevel::Warning, "{} has no hint", row.name);
        assert!(row.hint.is_none() || row.hint == hint.as_deref(), "{}", row.name);
        if let Some(hint) = hint {
            assert!(hint.len() > 10 && !hint.ends_with('.'), "{}: {hint}", row.name);
        }
    }
}

#[test]
fn a_hint_that_depends_names_a_field_it_depends_on() {
    for row in EventKind::ALL.iter().map(|kind| kind.row()) {
        assert!(row.hint.is_none() || row.hint_by.is_none(), "{}", row.name);
        assert!(row.hint_by.is_none_or(|by| row.fields.iter().any(|field| field.name == by)), "{}", row.name);
    }
    let limit = |limit| {
        let (address, lladdr, segment) = (Ipv4Addr::LOCALHOST, LinkAddr::UNKNOWN, SegmentId(0));
        Event::LimitReached { segment, limit, address, lladdr }.hint().unwrap_or_default()
    };
    for it in [Limit::Hosts, Limit::HostsPerLladdr, Limit::NewPerSecond, Limit::SearchesPerSecond] {
        assert!(limit(it).ends_with(&format!(" limits.{it}")));
    }
    let up = |source| Event::SegmentUp { segment: SegmentId(0), lladdr: LinkAddr::UNKNOWN, source }.hint();
    assert!(up(None).is_some() && up(Some(Ipv4Addr::LOCALHOST)).is_none());
}

#[test]
fn documentation_is_sentences_and_diagnoses_are_clauses() {
    for row in EventKind::ALL.iter().map(|kind| kind.row()) {
        let docs = row.fields.iter().map(|field| field.doc).chain([row.doc]);
        assert!(docs.into_iter().all(|doc| doc.ends_with('.') && !doc.contains("  ")), "{}", row.name);
        if let Some(EventDiagnosis { severity, why, fix }) = row.diagnosis {
            assert!(severity > EventLevel::Debug, "{}: doctor has no debug findings", row.name);
            let texts = [why, fix];
            assert!(texts.iter().all(|it| it.len() > 10 && !it.ends_with('.') && !it.contains("  ")));
        }
    }
}
