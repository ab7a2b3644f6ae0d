mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use arpherd_core::DomainId;
use arpherd_core::LinkAddr;
use arpherd_core::dhcp::LeaseEnd;
use arpherd_core::event::{DownReason, EventKind, FabricFault, Limit, PrefixList, ProxySign};
use slog::{Drain, Level, Never, OwnedKVList, o};

use super::*;

type Logged = (Level, String, BTreeMap<String, String>);

/// Keeps records as they come.
#[derive(Clone, Default)]
struct RecordStore(Arc<Mutex<Vec<Logged>>>);

struct RecordFields(BTreeMap<String, String>);

impl Serializer for RecordFields {
    fn emit_arguments(&mut self, key: Key, value: &std::fmt::Arguments<'_>) -> slog::Result {
        let before = self.0.insert(key.to_string(), value.to_string());
        assert!(before.is_none(), "the key {key} stands twice");
        Ok(())
    }
}

impl Drain for RecordStore {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _values: &OwnedKVList) -> Result<(), Never> {
        let mut fields = RecordFields(BTreeMap::new());
        record.kv().serialize(record, &mut fields).expect("plain fields");
        let logged = (record.level(), record.msg().to_string(), fields.0);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(logged);
        Ok(())
    }
}

fn names() -> SegmentNames {
    let named = |segment: &str, interface: &str| NamedSegment {
        domain: DomainId(0),
        segment: segment.into(),
        interface: interface.into(),
    };
    SegmentNames {
        domains: vec!["cluster".into()],
        segments: vec![named("lan", "eth0"), named("vms", "br1")],
    }
}

fn record_of(event: &Event) -> Logged {
    let records = RecordStore::default();
    log_event(&Logger::root(records.clone(), o!()), event, &names());
    let mut logged = records.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(logged.len(), 1);
    logged.remove(0)
}

/// One of every event there is.
fn every_event() -> Vec<Event> {
    let address = Ipv4Addr::new(10, 2, 0, 9);
    let lladdr = LinkAddr::ethernet([2, 0, 0, 0, 0, 9]);
    let claimant_lladdr = LinkAddr::ethernet([2, 0, 0, 0, 0, 7]);
    let (segment, claimant_segment) = (SegmentId(0), SegmentId(1));
    let (server, reason) = (Ipv4Addr::new(10, 2, 0, 2), FabricFault::Pinned);
    vec![
        Event::HostFound { address, lladdr, segment },
        Event::HostGone { address, lladdr, segment },
        Event::HostMoved {
            address,
            old_lladdr: claimant_lladdr,
            lladdr,
            old_segment: Some(claimant_segment),
            segment: Some(segment),
            next_hop: Some(server),
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
        Event::GatewayLladdrRefused { segment, lladdr, reason: "operation not supported".into() },
        Event::LimitReached { segment, limit: Limit::HostsPerLladdr, address, lladdr },
        Event::VerificationLate { segment, waiting: 50_000, seconds: 70 },
        Event::VerificationInTime { segment },
        Event::PublishedAddressUsed { address, lladdr, segment },
        Event::PinViolated { address, lladdr, segment, claimant_lladdr, claimant_segment },
        Event::SenderUnconfirmed { address, lladdr, segment, frame_lladdr: lladdr },
        Event::ProxyFound { segment, lladdr, sign: ProxySign::Mark },
        Event::SegmentsBridged { segment, other: claimant_segment },
        Event::SegmentsSeparated { segment, other: claimant_segment },
        Event::PrefixChanged {
            domain: DomainId(0),
            prefixes: PrefixList(vec!["10.2.0.0/24".parse().expect("a prefix")]),
            old_prefixes: PrefixList(vec!["10.9.0.0/24".parse().expect("a prefix")]),
        },
        Event::PrefixUnaddressed { domain: DomainId(0), prefix: "10.2.0.0/24".parse().expect("a prefix") },
        Event::PrefixAddressed { domain: DomainId(0), prefix: "10.2.0.0/24".parse().expect("a prefix") },
        Event::HostForgotten { address, lladdr, segment },
        Event::LeaseGranted { address, lladdr, segment, server, client: "01:02".into() },
        Event::LeaseEnded { address, segment, client: "01:02".into(), end: LeaseEnd::Expired },
        Event::LeaseConflict { address, lladdr, segment, claimant_lladdr, claimant_segment },
        Event::NotLeased { address, lladdr, segment },
        Event::RogueDhcpServer { server, lladdr, segment, address },
        Event::DhcpAddressOutside { server, address, segment },
        Event::DhcpClientUnidentified { lladdr, segment },
        Event::DhcpLimited { segment, dropped: 7 },
        Event::DhcpServerSilent { server, segment, seconds: 7 },
        Event::DhcpServerAnswers { server, segment },
        Event::RoleChanged { domain: DomainId(0), role: arpherd_core::Role::Standby },
        Event::TwoActive { segment, lladdr, answers: "this".into() },
        Event::FabricRouteIgnored { address, protocol: 4, metric: 7, next_hop: Some(server), reason },
    ]
}

/// The keys of each event's record in the order in which the log shows them.
const KEYS: &[(&str, &str)] = &[
    ("host_found", "address lladdr domain segment interface"),
    ("host_gone", "address lladdr domain segment interface"),
    (
        "host_moved",
        "address lladdr domain segment interface old_lladdr old_domain old_segment old_interface next_hop",
    ),
    (
        "duplicate_address",
        "address lladdr domain segment interface claimant_lladdr claimant_domain claimant_segment \
         claimant_interface hint",
    ),
    ("own_address_claimed", "address lladdr domain segment interface hint"),
    (
        "duplicate_probe",
        "address lladdr domain segment interface claimant_lladdr claimant_domain claimant_segment \
         claimant_interface hint",
    ),
    (
        "host_flapping",
        "address lladdr domain segment interface claimant_lladdr claimant_domain claimant_segment \
         claimant_interface hint",
    ),
    ("route_conflict", "address domain segment interface protocol metric other_interface hint"),
    ("route_healed", "address domain segment interface"),
    ("route_refused", "address domain segment interface errno reason hint"),
    ("route_adopted", "address domain segment interface"),
    ("segment_up", "domain segment interface lladdr source"),
    ("segment_down", "domain segment interface reason hint"),
    ("gateway_lladdr_refused", "domain segment interface lladdr reason hint"),
    ("limit_reached", "domain segment interface limit address lladdr hint"),
    ("verification_late", "domain segment interface waiting seconds hint"),
    ("verification_in_time", "domain segment interface"),
    ("published_address_used", "address lladdr domain segment interface hint"),
    (
        "pin_violated",
        "address lladdr domain segment interface claimant_lladdr claimant_domain claimant_segment \
         claimant_interface hint",
    ),
    ("sender_unconfirmed", "address lladdr domain segment interface frame_lladdr hint"),
    ("proxy_found", "domain segment interface lladdr sign hint"),
    ("segments_bridged", "domain segment interface other_domain other_segment other_interface hint"),
    ("segments_separated", "domain segment interface other_domain other_segment other_interface"),
    ("prefix_changed", "domain prefixes old_prefixes"),
    ("prefix_unaddressed", "domain prefix hint"),
    ("prefix_addressed", "domain prefix"),
    ("host_forgotten", "address lladdr domain segment interface"),
    ("lease_granted", "address lladdr domain segment interface server client"),
    ("lease_ended", "address domain segment interface client end"),
    (
        "lease_conflict",
        "address lladdr domain segment interface claimant_lladdr claimant_domain claimant_segment \
         claimant_interface hint",
    ),
    ("not_leased", "address lladdr domain segment interface hint"),
    ("rogue_dhcp_server", "server lladdr domain segment interface address hint"),
    ("dhcp_address_outside", "server address domain segment interface hint"),
    ("dhcp_client_unidentified", "lladdr domain segment interface hint"),
    ("dhcp_limited", "domain segment interface dropped hint"),
    ("dhcp_server_silent", "server domain segment interface seconds hint"),
    ("dhcp_server_answers", "server domain segment interface"),
    ("role_changed", "domain role"),
    ("two_active", "domain segment interface lladdr answers hint"),
    ("fabric_route_ignored", "address protocol metric next_hop reason hint"),
];

#[test]
fn keys_of_every_event_and_their_order_are_these() {
    let names = names();
    let keys_of = |event: &Event| {
        let record = EventRecord::new(event, &names);
        (event.name(), record.fields.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(" "))
    };
    let events = every_event();
    let found: Vec<_> = events.iter().map(keys_of).collect();
    let expected: Vec<_> = KEYS.iter().map(|(name, keys)| (*name, (*keys).to_owned())).collect();
    assert_eq!(found, expected);
    let kinds: BTreeSet<_> = events.iter().map(Event::kind).collect();
    assert_eq!(kinds, EventKind::ALL.iter().copied().collect(), "an event is missing here");
}

#[test]
fn the_glossary_lists_every_event() {
    let glossary = include_str!("../../../docs/glossary.md");
    for kind in EventKind::ALL {
        assert!(glossary.contains(&format!("`{}`", kind.name())), "{} is missing", kind.name());
    }
}

/// Lets nothing below warnings through, and fails if it gets such a record all the same.
struct WarningsOnly;

impl Drain for WarningsOnly {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _values: &OwnedKVList) -> Result<(), Never> {
        assert!(record.level().is_at_least(Level::Warning), "{} came through", record.msg());
        Ok(())
    }

    fn is_enabled(&self, level: Level) -> bool {
        level.is_at_least(Level::Warning)
    }
}

#[test]
fn no_record_is_made_of_an_event_below_the_log_level() {
    let log = Logger::root(WarningsOnly, o!());
    for event in every_event() {
        log_event(&log, &event, &names());
    }
}

#[test]
fn numbers_stay_numbers_and_what_is_missing_is_null() {
    struct JsonFields(serde_json::Map<String, serde_json::Value>);
    impl Serializer for JsonFields {
        fn emit_arguments(&mut self, key: Key, value: &std::fmt::Arguments<'_>) -> slog::Result {
            self.0.insert(key.into(), value.to_string().into());
            Ok(())
        }
        fn emit_i64(&mut self, key: Key, value: i64) -> slog::Result {
            self.0.insert(key.into(), value.into());
            Ok(())
        }
        fn emit_none(&mut self, key: Key) -> slog::Result {
            self.0.insert(key.into(), serde_json::Value::Null);
            Ok(())
        }
    }
    let json_of = |event: &Event| {
        let (names, mut json) = (names(), JsonFields(serde_json::Map::new()));
        let arguments = format_args!("");
        let record = slog::record!(Level::Info, "", &arguments, slog::b!());
        EventRecord::new(event, &names).serialize(&record, &mut json).expect("plain fields");
        json.0
    };
    let conflict = json_of(&every_event()[7]);
    assert_eq!((&conflict["protocol"], &conflict["metric"]), (&4.into(), &50.into()));
    assert_eq!((&conflict["interface"], &conflict["other_interface"]), (&"eth0".into(), &3.into()));
    assert_eq!(json_of(&every_event()[9])["errno"], 101);
    let up = Event::SegmentUp { segment: SegmentId(0), lladdr: LinkAddr::UNKNOWN, source: None };
    assert!(json_of(&up)["source"].is_null());
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
            let key = if key == "other" { "other_segment" } else { key };
            let text = fields.get(key).unwrap_or_else(|| panic!("{message} does not say {key}"));
            match value {
                serde_json::Value::String(value) => assert_eq!(text, value, "{message} {key}"),
                serde_json::Value::Array(values) => {
                    let values: Vec<_> = values.iter().filter_map(|value| value.as_str()).collect();
                    assert_eq!(*text, values.join(","), "{message} {key}");
                }
                _ if key == "domain" => assert_eq!(text, "cluster"),
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
        ("hint", "the first keeps the address; give the claimant another one"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(fields, BTreeMap::from(expected));
}

#[test]
fn warnings_say_what_to_do() {
    for event in every_event() {
        let (level, message, fields) = record_of(&event);
        if level == Level::Warning {
            let hint = fields.get("hint").unwrap_or_else(|| panic!("{message} has no hint"));
            assert!(hint.len() > 10 && !hint.ends_with('.'), "{message}: {hint}");
        }
    }
}

#[test]
fn routine_is_quiet_and_trouble_is_loud() {
    let level = |index: usize| record_of(&every_event()[index]).0;
    assert_eq!([0, 1, 10].map(level), [Level::Debug; 3]);
    assert_eq!([2, 8, 11, 12, 16, 22, 23, 25].map(level), [Level::Info; 8]);
    assert_eq!([3, 4, 5, 6, 7, 9, 13, 14, 15, 17, 18, 19, 20, 21, 24].map(level), [Level::Warning; 15]);
}

#[test]
fn segment_the_names_do_not_have_is_logged_by_its_number() {
    let (_, message, fields) =
        record_of(&Event::RouteHealed { address: Ipv4Addr::LOCALHOST, segment: SegmentId(9) });
    assert_eq!((message.as_str(), fields["segment"].as_str()), ("route_healed", "number 9"));
}

#[test]
fn segment_without_a_source_comes_with_a_hint() {
    let event = Event::SegmentUp { segment: SegmentId(0), lladdr: LinkAddr::UNKNOWN, source: None };
    let (_, _, fields) = record_of(&event);
    assert!(fields.contains_key("source") && fields.contains_key("hint"), "{fields:?}");
}
