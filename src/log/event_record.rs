//! The core's events as log records: the event's name is the message, its fields are the keys.

use std::borrow::Cow;
use std::fmt::Display;
use std::net::Ipv4Addr;

use arpherd_core::event::{EventLevel, FieldValue};
use arpherd_core::{DomainId, Event, Plan, SegmentId};
use slog::{
    BorrowedKV, Drain as _, KV, Key, Level, Logger, Record, RecordLocation, RecordStatic, Serializer,
};

/// What segments are called.
#[derive(Debug, Clone, Default)]
pub(crate) struct SegmentNames {
    domains: Vec<String>,
    segments: Vec<NamedSegment>,
}

#[derive(Debug, Clone)]
struct NamedSegment {
    domain: DomainId,
    segment: Box<str>,
    interface: Box<str>,
}

impl SegmentNames {
    /// The names of the plan's segments.
    pub(crate) fn new(plan: &Plan) -> Self {
        let segments = plan.segments.iter().map(|segment| NamedSegment {
            domain: segment.domain,
            segment: segment.name.as_str().into(),
            interface: segment.interface.as_str().into(),
        });
        Self {
            domains: plan.domains.iter().map(|domain| domain.name.clone()).collect(),
            segments: segments.collect(),
        }
    }

    fn domain(&self, id: DomainId) -> Option<&str> {
        self.domains.get(usize::from(id.0)).map(String::as_str)
    }
}

/// Writes one record for the event. Its message is the event's stable name.
pub(crate) fn log_event(log: &Logger, event: &Event, names: &SegmentNames) {
    let level = slog_level(event.kind().level());
    // Nothing is collected or formatted for a record that nobody wants.
    if !log.is_enabled(level) {
        return;
    }
    static LOCATION: RecordLocation = RecordLocation {
        file: file!(),
        line: line!(),
        column: 0,
        function: "log_event",
        module: module_path!(),
    };
    let fixed = RecordStatic { location: &LOCATION, level, tag: "" };
    let record = EventRecord::new(event, names);
    log.log(&Record::new(&fixed, &format_args!("{}", event.name()), BorrowedKV(&record)));
}

/// The keys of the event's log record with their values as text; those without a value are left out.
pub(crate) fn event_values(event: &Event, names: &SegmentNames) -> Vec<(&'static str, String)> {
    let text = |value: RecordValue<'_>| match value {
        RecordValue::Str(text) => Some(text.into_owned()),
        RecordValue::Display(text) => Some(text.to_string()),
        RecordValue::Address(address) => Some(address.to_string()),
        RecordValue::Number(number) => Some(number.to_string()),
        RecordValue::Unnamed(id) => Some(format!("number {}", id.index())),
        RecordValue::None => None,
    };
    let fields = EventRecord::new(event, names).fields;
    fields.into_iter().filter_map(|(key, value)| Some((key, text(value)?))).collect()
}

fn slog_level(level: EventLevel) -> Level {
    match level {
        EventLevel::Debug => Level::Debug,
        EventLevel::Info => Level::Info,
        EventLevel::Warning => Level::Warning,
        EventLevel::Error => Level::Error,
    }
}

/// An event's keys and values in the order of its fields, the hint at the end.
struct EventRecord<'a> {
    fields: Vec<(&'static str, RecordValue<'a>)>,
}

/// A value of a log record, not formatted yet.
enum RecordValue<'a> {
    Str(Cow<'a, str>),
    Display(&'a dyn Display),
    Address(Ipv4Addr),
    Number(i64),
    /// A segment that has no name.
    Unnamed(SegmentId),
    None,
}

/// The three keys that name a segment: the event's own, the one before a move, the other one of a pair, and the
/// one a claim came from.
const OWN: [&str; 3] = ["domain", "segment", "interface"];
const OLD: [&str; 3] = ["old_domain", "old_segment", "old_interface"];
const OTHER: [&str; 3] = ["other_domain", "other_segment", "other_interface"];
const CLAIMANT: [&str; 3] = ["claimant_domain", "claimant_segment", "claimant_interface"];

/// The keys for the segment that a field says.
fn segment_keys(field: &str) -> [&'static str; 3] {
    match field {
        "old_segment" => OLD,
        "other" => OTHER,
        "claimant_segment" => CLAIMANT,
        _ => OWN,
    }
}

/// The key for a field that is no segment.
fn key(field: &'static str) -> &'static str {
    let [_, _, own_interface] = OWN;
    let [_, _, other_interface] = OTHER;
    // The segment's own interface has that key already; an event that has an interface besides means another one.
    if field == own_interface { other_interface } else { field }
}

impl<'a> EventRecord<'a> {
    fn new(event: &'a Event, names: &'a SegmentNames) -> Self {
        let mut record = Self { fields: Vec::new() };
        for (field, value) in event.fields() {
            match value {
                FieldValue::Segment(segment) => record.push_segment(segment_keys(field), segment, names),
                FieldValue::Domain(domain) => {
                    let number = RecordValue::Number(domain.0.into());
                    record.push(
                        key(field),
                        names.domain(domain).map_or(number, |name| RecordValue::Str(name.into())),
                    );
                }
                FieldValue::Address(address) => record.push(key(field), RecordValue::Address(address)),
                FieldValue::Number(number) => record.push(key(field), RecordValue::Number(number)),
                FieldValue::Text(text) => record.push(key(field), RecordValue::Display(text)),
                FieldValue::Absent => record.push(key(field), RecordValue::None),
            }
        }
        if let Some(hint) = event.hint() {
            record.push("hint", RecordValue::Str(hint));
        }
        record
    }

    fn push(&mut self, key: &'static str, value: RecordValue<'a>) {
        self.fields.push((key, value));
    }

    fn push_segment(&mut self, keys: [&'static str; 3], id: SegmentId, names: &'a SegmentNames) {
        let [domain, segment, interface] = keys;
        match names.segments.get(id.index()) {
            Some(named) => {
                self.push(domain, RecordValue::Str(names.domain(named.domain).unwrap_or_default().into()));
                self.push(segment, RecordValue::Str((&*named.segment).into()));
                self.push(interface, RecordValue::Str((&*named.interface).into()));
            }
            None => self.push(segment, RecordValue::Unnamed(id)),
        }
    }
}

impl KV for EventRecord<'_> {
    /// From the last to the first, as slog's own macros do.
    fn serialize(&self, _record: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        for (key, value) in self.fields.iter().rev() {
            let key = Key::from(*key);
            match value {
                RecordValue::Str(text) => serializer.emit_str(key, text)?,
                RecordValue::Display(text) => serializer.emit_arguments(key, &format_args!("{text}"))?,
                RecordValue::Address(address) => {
                    serializer.emit_arguments(key, &format_args!("{address}"))?;
                }
                RecordValue::Number(number) => serializer.emit_i64(key, *number)?,
                RecordValue::Unnamed(id) => {
                    serializer.emit_arguments(key, &format_args!("number {}", id.index()))?;
                }
                RecordValue::None => serializer.emit_none(key)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
