//! The keys of a segment, with their ranges and defaults.

use std::time::Duration;

use arpherd_core::plan::{AnswerMode, ExpiryPlan, KernelProxy, Limits, LinkKind, SweepPlan};
use figment::value::Value;
use serde_json::json;

use super::addresses::{Prefix, stations};
use super::model::{EXPIRY, LIMITS, SWEEP, Segment, Sysctl};
use super::name::check_name;
use super::private_vlan::private_vlan;
use super::reader::{Reader, Row, Table};
use super::text;
use super::want::{Address, InterfaceName, Length, NetnsName, Network, Want, Whole, Word};

/// Every key of a segment.
pub(crate) const KEYS: &[&str] = &[
    "interface",
    "kind",
    "source",
    "prefixes",
    "answer",
    "kernel",
    "private_vlan",
    "publish",
    "never",
    "hosts",
    "pins",
    "sweep",
    "expiry",
    "limits",
    "sysctl",
    "netns",
];

const KIND: Word<Option<LinkKind>> = Word {
    words: &[
        ("auto", None),
        ("ethernet", Some(LinkKind::Ethernet)),
        ("wifi", Some(LinkKind::Wifi)),
        ("ipoib", Some(LinkKind::Ipoib)),
    ],
};
const ANSWER: Word<Answer> = Word {
    words: &[
        ("live", AnswerMode::Live),
        ("routed", AnswerMode::Routed),
        ("kernel", AnswerMode::Kernel),
        ("off", AnswerMode::Off),
    ],
};
const KERNEL: Word<KernelProxy> =
    Word { words: &[("proxy_arp", KernelProxy::ProxyArp), ("entries", KernelProxy::Entries)] };
const SYSCTL: Word<Sysctl> = Word { words: &[("manage", Sysctl::Manage), ("leave", Sysctl::Leave)] };

const SWEEP_INTERVAL: Length = Length { from: Duration::from_millis(100), to: Duration::from_hours(168) };
const RATE: Whole = Whole { from: 1, to: 10_000_000, unit: "frames per second" };
const IN_FLIGHT: Whole = Whole { from: 1, to: 1_000_000, unit: "probes" };
const QUIET: Length = Length { from: Duration::from_millis(10), to: Duration::from_hours(24) };
const ASK_INTERVAL: Length = Length { from: Duration::from_millis(10), to: Duration::from_hours(1) };
const UNICAST: Whole = Whole { from: 1, to: 100, unit: "probes" };
const BROADCAST: Whole = Whole { from: 0, to: 100, unit: "probes" };
const HOSTS: Whole = Whole { from: 1, to: 16_777_216, unit: "hosts" };
const NEW_PER_SECOND: Whole = Whole { from: 1, to: 10_000_000, unit: "hosts per second" };

/// Reads one segment. What had a problem is empty or the default.
pub(crate) fn segment<'m>(reader: &mut Reader<'m>, name: &str, table: &Table<'m>) -> Segment {
    let named = check_name(reader, name, &table.path);
    reader.known_keys(table, KEYS);
    let interface = interface(reader, named.then_some(name), table);
    let kind = reader.value(table, "kind", &KIND, None).flatten();
    let source = reader.optional(table, "source", &Address, "its first address in the domain").flatten();
    let prefixes = reader.list(table, "prefixes", &Network);
    if matches!(prefixes, Some(None)) {
        reader.follows(table, "prefixes", "the domain's prefixes");
    }
    let answer = reader.value(table, "answer", &ANSWER, AnswerMode::Live);
    Segment {
        name: name.to_owned(),
        interface,
        kind,
        source,
        // A list with a problem is empty: nothing more is said about it.
        prefixes: prefixes.unwrap_or(Some(Vec::new())),
        answer: answer.unwrap_or(AnswerMode::Live),
        kernel: kernel(reader, table, answer),
        private_vlan: private_vlan(reader, table),
        publish: reader.any_list(table, "publish", &Prefix).unwrap_or_default(),
        never: reader.any_list(table, "never", &Prefix).unwrap_or_default(),
        hosts: stations(reader, table, "hosts"),
        pins: stations(reader, table, "pins"),
        sweep: sweep(reader, table),
        expiry: expiry(reader, table, kind),
        limits: limits(reader, table),
        sysctl: reader.value(table, "sysctl", &SYSCTL, Sysctl::Manage).unwrap_or(Sysctl::Manage),
        netns: reader.optional(table, "netns", &NetnsName, "the daemon's own").flatten(),
    }
}

/// The interface; by default the segment's own name, unless that had a problem. Empty after a problem.
fn interface<'m>(reader: &mut Reader<'m>, name: Option<&str>, table: &Table<'m>) -> String {
    if !matches!(table.get("interface"), None | Some(Value::Empty(..))) {
        return reader.value(table, "interface", &InterfaceName, String::new()).unwrap_or_default();
    }
    let Some(name) = name else { return String::new() };
    if InterfaceName::fits(name) {
        let value = json!(name);
        reader.rows.push(Row {
            key: table.path.key("interface"),
            value,
            note: "",
            origin: super::Origin::Default,
        });
        return name.to_owned();
    }
    let expected = InterfaceName.expected();
    let text = format!("found the name {}, expected {expected}; or set interface", text::quoted(name));
    reader.key_problem(&table.path, text);
    String::new()
}

/// How the kernel answers; only where it does is there anything to say. `answer` is `None` after a problem.
fn kernel<'m>(reader: &mut Reader<'m>, table: &Table<'m>, answer: Option<Answer>) -> KernelProxy {
    let given = !matches!(table.get("kernel"), None | Some(Value::Empty(..)));
    match answer {
        Some(AnswerMode::Kernel) | None if given => {
            reader.value(table, "kernel", &KERNEL, KernelProxy::ProxyArp).unwrap_or_default()
        }
        Some(AnswerMode::Kernel) => {
            reader.left_out(table, "kernel", json!("proxy_arp"));
            KernelProxy::ProxyArp
        }
        Some(answer) if given => {
            let text = format!(
                "expected nothing: it is about answer: kernel, and here answer is {}",
                answer.as_str()
            );
            reader.misfit(table, "kernel", &text);
            KernelProxy::ProxyArp
        }
        _ => {
            reader.follows(table, "kernel", "only with answer: kernel");
            KernelProxy::ProxyArp
        }
    }
}

fn sweep<'m>(reader: &mut Reader<'m>, parent: &Table<'m>) -> Option<SweepPlan> {
    match parent.get("sweep") {
        Some(Value::Bool(_, false)) => return off(reader, parent),
        Some(Value::String(_, word)) if word.trim() == "off" => return off(reader, parent),
        Some(Value::String(..) | Value::Bool(..) | Value::Num(..)) => {
            reader.misfit(parent, "sweep", "expected off, or a table with interval, rate and in_flight");
            return None;
        }
        _ => {}
    }
    let table = reader.table(parent, "sweep", &["interval", "rate", "in_flight"]);
    let interval = reader.value(&table, "interval", &SWEEP_INTERVAL, SWEEP.interval);
    let rate = reader.value(&table, "rate", &RATE, SWEEP.rate);
    let in_flight = reader.value(&table, "in_flight", &IN_FLIGHT, SWEEP.in_flight);
    Some(SweepPlan { interval: interval?, rate: rate?, in_flight: in_flight? })
}

fn off<'m>(reader: &mut Reader<'m>, parent: &Table<'m>) -> Option<SweepPlan> {
    reader.in_effect(parent.path.key("sweep"), json!("off"));
    None
}

fn expiry<'m>(reader: &mut Reader<'m>, parent: &Table<'m>, kind: Option<LinkKind>) -> ExpiryPlan {
    let table = reader.table(parent, "expiry", &["quiet", "interval", "unicast", "broadcast"]);
    let note = match kind {
        Some(LinkKind::Wifi) => "5, this is Wi-Fi",
        Some(_) => "3",
        None => "5 on Wi-Fi, 3 elsewhere",
    };
    ExpiryPlan {
        quiet: reader.value(&table, "quiet", &QUIET, EXPIRY.quiet).unwrap_or(EXPIRY.quiet),
        interval: reader.value(&table, "interval", &ASK_INTERVAL, EXPIRY.interval).unwrap_or(EXPIRY.interval),
        unicast: reader
            .optional(&table, "unicast", &UNICAST, note)
            .flatten()
            .and_then(|n| u8::try_from(n).ok()),
        broadcast: reader
            .value(&table, "broadcast", &BROADCAST, u32::from(EXPIRY.broadcast))
            .and_then(|n| u8::try_from(n).ok())
            .unwrap_or(EXPIRY.broadcast),
    }
}

fn limits<'m>(reader: &mut Reader<'m>, parent: &Table<'m>) -> Limits {
    let table = reader.table(parent, "limits", &["hosts", "hosts_per_lladdr", "new_per_second"]);
    let mut limit = |key, want: &Whole, default| reader.value(&table, key, want, default).unwrap_or(default);
    Limits {
        hosts: limit("hosts", &HOSTS, LIMITS.hosts),
        hosts_per_lladdr: limit("hosts_per_lladdr", &HOSTS, LIMITS.hosts_per_lladdr),
        new_per_second: limit("new_per_second", &NEW_PER_SECOND, LIMITS.new_per_second),
    }
}
