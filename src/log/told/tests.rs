use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use arpherd_core::event::Limit;
use arpherd_core::{LinkAddr, SegmentId};
use slog::{Drain, Level, Never, OwnedKVList, o};

use super::*;

type Seen = (Level, String, BTreeMap<String, String>);

/// Keeps records as they come.
#[derive(Clone, Default)]
struct Notebook(Arc<Mutex<Vec<Seen>>>);

struct Fields(BTreeMap<String, String>);

impl Serializer for Fields {
    fn emit_arguments(&mut self, key: Key, value: &std::fmt::Arguments<'_>) -> slog::Result {
        let before = self.0.insert(key.to_string(), value.to_string());
        assert!(before.is_none(), "the key {key} stands twice");
        Ok(())
    }
}

impl Drain for Notebook {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _values: &OwnedKVList) -> Result<(), Never> {
        let mut fields = Fields(BTreeMap::new());
        record.kv().serialize(record, &mut fields).expect("plain fields");
        let seen = (record.level(), record.msg().to_string(), fields.0);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        Ok(())
    }
}

fn names() -> Names {
    let names = |domain: &str, segment: &str, interface: &str| SegmentNames {
        domain: domain.into(),
        segment: segment.into(),
        interface: interface.into(),
    };
    Names { segments: vec![names("cluster", "lan", "eth0"), names("cluster", "vms", "br1")] }
}

fn record_of(event: &Event) -> Seen {
    let notebook = Notebook::default();
    tell(&Logger::root(notebook.clone(), o!()), event, &names());
    let mut seen = notebook.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(seen.len(), 1);
    seen.remove(0)
}

/// One of every event there is.
fn every_event() -> Vec<Event> {
    let address = Ipv4Addr::new(10, 2, 0, 9);
    let lladdr = LinkAddr::ethernet([2, 0, 0, 0, 0, 9]);
    let claimant_lladdr = LinkAddr::ethernet([2, 0, 0, 0, 0, 7]);
    let (segment, claimant_segment) = (SegmentId(0), SegmentId(1));
    vec![
        Event::HostFound { address, lladdr, segment },
        Event::HostGone { address, lladdr, segment },
        Event::HostMoved {
            address,
            old_lladdr: claimant_lladdr,
            lladdr,
            old_segment: claimant_segment,
            segment,
        },
        Event::DuplicateAddress { address, lladdr, segment, claimant_lladdr, claimant_segment },
        Event::OwnAddressClaimed { address, lladdr, segment },
        Event::DuplicateProbe { address, lladdr, segment, claimant_lladdr, claimant_segment },
        Event::HostFlapping { address, lladdr, segment, claimant_lladdr, claimant_segment },
        Event::RouteConflict { address, segment, protocol: 4, metric: 50, interface: 3 },
        Event::RouteHealed { address, segment },
        Event::RouteRefused { address, segment, errno: 101, reason: "Network is unreachable".into() },
        Event::RouteAdopted { address, segment },
        Event::SegmentUp { segment, lladdr, source: Some(Ipv4Addr::new(10, 2, 0, 1)) },
        Event::SegmentDown { segment, reason: DownReason::NoCarrier },
        Event::LimitReached { segment, limit: Limit::HostsPerLladdr, address, lladdr },
    ]
}

#[test]
fn message_is_the_stable_name_and_every_field_of_the_event_is_a_key() {
    for event in every_event() {
        let (_, message, fields) = record_of(&event);
        let serde_json::Value::Object(plain) = serde_json::to_value(&event).expect("plain data") else {
            panic!("an event is an object");
        };
        assert_eq!(plain["event"], message);
        for (key, value) in plain.iter().filter(|(key, _)| *key != "event") {
            let text = fields.get(key).unwrap_or_else(|| panic!("{message} does not say {key}"));
            match value {
                serde_json::Value::String(value) => assert_eq!(text, value, "{message} {key}"),
                _ if key.ends_with("segment") => assert!(["lan", "vms"].contains(&text.as_str())),
                _ if key == "interface" => assert_eq!(fields["other_interface"], value.to_string()),
                value => assert_eq!(*text, value.to_string(), "{message} {key}"),
            }
        }
    }
}

#[test]
fn both_parties_of_a_duplicate_are_named() {
    let (level, message, fields) = record_of(&every_event()[3]);
    assert_eq!((level, message.as_str()), (Level::Warning, "duplicate_address"));
    let expected = [
        ("address", "10.2.0.9"),
        ("lladdr", "02:00:00:00:00:09"),
        ("domain", "cluster"),
        ("segment", "lan"),
        ("interface", "eth0"),
        ("claimant_lladdr", "02:00:00:00:00:07"),
        ("claimant_domain", "cluster"),
        ("claimant_segment", "vms"),
        ("claimant_interface", "br1"),
        ("advice", "the first keeps the address; give the claimant another one"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(fields, BTreeMap::from(expected));
}

#[test]
fn warnings_say_what_to_do() {
    for event in every_event() {
        let (level, message, fields) = record_of(&event);
        if level == Level::Warning {
            let advice = fields.get("advice").unwrap_or_else(|| panic!("{message} has no advice"));
            assert!(advice.len() > 10 && !advice.ends_with('.'), "{message}: {advice}");
        }
    }
}

#[test]
fn routine_is_quiet_and_trouble_is_loud() {
    let level = |index: usize| record_of(&every_event()[index]).0;
    assert_eq!([0, 1, 10].map(level), [Level::Debug; 3]);
    assert_eq!([2, 8, 11, 12].map(level), [Level::Info; 4]);
    assert_eq!([3, 4, 5, 6, 7, 9, 13].map(level), [Level::Warning; 7]);
}

#[test]
fn segment_the_names_do_not_have_is_still_told() {
    let (_, message, fields) =
        record_of(&Event::RouteHealed { address: Ipv4Addr::LOCALHOST, segment: SegmentId(9) });
    assert_eq!((message.as_str(), fields["segment"].as_str()), ("route_healed", "number 9"));
}

#[test]
fn segment_without_a_source_comes_with_advice() {
    let event = Event::SegmentUp { segment: SegmentId(0), lladdr: LinkAddr::UNKNOWN, source: None };
    let (_, _, fields) = record_of(&event);
    assert!(fields.contains_key("source") && fields.contains_key("advice"), "{fields:?}");
}
