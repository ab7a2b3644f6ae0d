//! The core's events as log records: the event's name is the message, its fields are the keys.

use std::fmt::Display;

use arpherd_core::event::DownReason;
use arpherd_core::{Event, Plan, SegmentId};
use slog::{
    BorrowedKV, Drain as _, KV, Key, Level, Logger, Record, RecordLocation, RecordStatic, Serializer,
};

/// What segments are called.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    segments: Vec<SegmentNames>,
}

#[derive(Debug, Clone)]
struct SegmentNames {
    domain: String,
    segment: String,
    interface: String,
}

impl Names {
    /// The names of the plan's segments.
    pub(crate) fn new(plan: &Plan) -> Self {
        let domain = |index: u16| plan.domains.get(usize::from(index)).map(|domain| domain.name.clone());
        let segments = plan.segments.iter().map(|segment| SegmentNames {
            domain: domain(segment.domain.0).unwrap_or_default(),
            segment: segment.name.clone(),
            interface: segment.interface.clone(),
        });
        Self { segments: segments.collect() }
    }
}

/// Writes one record for the event. Its message is the event's stable name.
pub(crate) fn tell(log: &Logger, event: &Event, names: &Names) {
    let level = level_of(event);
    if !log.is_enabled(level) {
        return;
    }
    static LOCATION: RecordLocation =
        RecordLocation { file: file!(), line: line!(), column: 0, function: "tell", module: module_path!() };
    let fixed = RecordStatic { location: &LOCATION, level, tag: "" };
    let told = Told::new(event, names);
    log.log(&Record::new(&fixed, &format_args!("{}", told.name), BorrowedKV(&told)));
}

fn level_of(event: &Event) -> Level {
    match event {
        Event::HostFound { .. } | Event::HostGone { .. } | Event::RouteAdopted { .. } => Level::Debug,
        Event::HostMoved { .. }
        | Event::SegmentUp { .. }
        | Event::SegmentDown { .. }
        | Event::RouteHealed { .. }
        | Event::SegmentsSeparated { .. } => Level::Info,
        Event::DuplicateAddress { .. }
        | Event::OwnAddressClaimed { .. }
        | Event::DuplicateProbe { .. }
        | Event::HostFlapping { .. }
        | Event::RouteConflict { .. }
        | Event::RouteRefused { .. }
        | Event::PublishedAddressUsed { .. }
        | Event::PinViolated { .. }
        | Event::ProxyFound { .. }
        | Event::SegmentsBridged { .. }
        | Event::LimitReached { .. } => Level::Warning,
    }
}

#[derive(Debug)]
enum Value {
    Text(String),
    Number(i64),
    None,
}

/// An event in words.
#[derive(Debug)]
struct Told {
    name: &'static str,
    fields: Vec<(&'static str, Value)>,
}

/// The three keys that name a place: those of the event's own segment, of the one before a move, and of the
/// one a claim came from.
const HERE: [&str; 3] = ["domain", "segment", "interface"];
const BEFORE: [&str; 3] = ["old_domain", "old_segment", "old_interface"];
const OTHER: [&str; 3] = ["other_domain", "other_segment", "other_interface"];
const CLAIMANT: [&str; 3] = ["claimant_domain", "claimant_segment", "claimant_interface"];

impl Told {
    fn new(event: &Event, names: &Names) -> Self {
        let told = |name| Self { name, fields: Vec::with_capacity(12) };
        match event {
            Event::HostFound { address, lladdr, segment } => {
                told("host_found").text("address", address).text("lladdr", lladdr).place(HERE, *segment, names)
            }
            Event::HostGone { address, lladdr, segment } => {
                told("host_gone").text("address", address).text("lladdr", lladdr).place(HERE, *segment, names)
            }
            Event::HostMoved { address, old_lladdr, lladdr, old_segment, segment } => told("host_moved")
                .text("address", address)
                .text("lladdr", lladdr)
                .place(HERE, *segment, names)
                .text("old_lladdr", old_lladdr)
                .place(BEFORE, *old_segment, names),
            Event::DuplicateAddress { address, lladdr, segment, claimant_lladdr, claimant_segment } => {
                told("duplicate_address")
                    .text("address", address)
                    .text("lladdr", lladdr)
                    .place(HERE, *segment, names)
                    .text("claimant_lladdr", claimant_lladdr)
                    .place(CLAIMANT, *claimant_segment, names)
                    .advice("the first keeps the address; give the claimant another one")
            }
            Event::OwnAddressClaimed { address, lladdr, segment } => told("own_address_claimed")
                .text("address", address)
                .text("lladdr", lladdr)
                .place(HERE, *segment, names)
                .advice("the address is this machine's; give the claimant another one"),
            Event::DuplicateProbe { address, lladdr, segment, claimant_lladdr, claimant_segment } => {
                told("duplicate_probe")
                    .text("address", address)
                    .text("lladdr", lladdr)
                    .place(HERE, *segment, names)
                    .text("claimant_lladdr", claimant_lladdr)
                    .place(CLAIMANT, *claimant_segment, names)
                    .advice("both are about to take the address; give one of them another")
            }
            Event::HostFlapping { address, lladdr, segment, claimant_lladdr, claimant_segment } => {
                told("host_flapping")
                    .text("address", address)
                    .text("lladdr", lladdr)
                    .place(HERE, *segment, names)
                    .text("claimant_lladdr", claimant_lladdr)
                    .place(CLAIMANT, *claimant_segment, names)
                    .advice("look for a loop between the segments, or for two hosts with one address")
            }
            Event::RouteConflict { address, segment, protocol, metric, interface } => told("route_conflict")
                .text("address", address)
                .place(HERE, *segment, names)
                .number("protocol", i64::from(*protocol))
                .number("metric", i64::from(*metric))
                .number("other_interface", i64::from(*interface))
                .advice("the other route is left alone; delete it, or choose another routes.metric or routes.table"),
            Event::RouteHealed { address, segment } => {
                told("route_healed").text("address", address).place(HERE, *segment, names)
            }
            Event::RouteRefused { address, segment, errno, reason } => told("route_refused")
                .text("address", address)
                .place(HERE, *segment, names)
                .number("errno", i64::from(*errno))
                .text("reason", reason)
                .advice("it is tried again; look at the segment's interface and source and at routes.table"),
            Event::RouteAdopted { address, segment } => {
                told("route_adopted").text("address", address).place(HERE, *segment, names)
            }
            Event::SegmentUp { segment, lladdr, source } => {
                let told = told("segment_up").place(HERE, *segment, names).text("lladdr", lladdr);
                match source {
                    Some(source) => told.text("source", source),
                    None => told.none("source").advice(
                        "its hosts are asked without a sender, which some ignore; give it an address of the domain",
                    ),
                }
            }
            Event::SegmentDown { segment, reason } => told("segment_down")
                .place(HERE, *segment, names)
                .text("reason", reason.as_str())
                .advice(advice_on(*reason)),
            Event::PublishedAddressUsed { address, lladdr, segment } => told("published_address_used")
                .text("address", address)
                .text("lladdr", lladdr)
                .place(HERE, *segment, names)
                .advice("the address belongs to a prefix published there; give the host another one"),
            Event::PinViolated { address, lladdr, segment, claimant_lladdr, claimant_segment } => {
                told("pin_violated")
                    .text("address", address)
                    .text("lladdr", lladdr)
                    .place(HERE, *segment, names)
                    .text("claimant_lladdr", claimant_lladdr)
                    .place(CLAIMANT, *claimant_segment, names)
                    .advice("the address stays where it is pinned; look at who claims it")
            }
            Event::ProxyFound { segment, lladdr, sign } => told("proxy_found")
                .place(HERE, *segment, names)
                .text("lladdr", lladdr)
                .text("sign", sign.as_str())
                .advice("it answers for others; have one proxy on a segment, or one that is a router only"),
            Event::SegmentsBridged { segment, other } => told("segments_bridged")
                .place(HERE, *segment, names)
                .place(OTHER, *other, names)
                .advice("they are one link, so nothing is proxied between them; look for a bridge or a cable"),
            Event::SegmentsSeparated { segment, other } => {
                told("segments_separated").place(HERE, *segment, names).place(OTHER, *other, names)
            }
            Event::LimitReached { segment, limit, address, lladdr } => told("limit_reached")
                .place(HERE, *segment, names)
                .text("limit", limit.as_str())
                .text("address", address)
                .text("lladdr", lladdr)
                .advice(&format!("look at who sends so many addresses, or raise limits.{}", limit.as_str())),
        }
    }

    fn text(mut self, key: &'static str, value: impl Display) -> Self {
        self.fields.push((key, Value::Text(value.to_string())));
        self
    }

    fn number(mut self, key: &'static str, value: i64) -> Self {
        self.fields.push((key, Value::Number(value)));
        self
    }

    fn none(mut self, key: &'static str) -> Self {
        self.fields.push((key, Value::None));
        self
    }

    fn place(self, keys: [&'static str; 3], segment: SegmentId, names: &Names) -> Self {
        match names.segments.get(segment.index()) {
            Some(found) => self
                .text(keys[0], &found.domain)
                .text(keys[1], &found.segment)
                .text(keys[2], &found.interface),
            None => self.text(keys[1], format_args!("number {}", segment.index())),
        }
    }

    fn advice(self, sentence: &str) -> Self {
        self.text("advice", sentence)
    }
}

fn advice_on(reason: DownReason) -> &'static str {
    match reason {
        DownReason::Absent => "it is taken up when an interface of this name appears",
        DownReason::AdminDown => "it is taken up when the interface is set up (ip link set … up)",
        DownReason::NoCarrier => {
            "it is taken up when the link has a carrier; look at cable, port or access point"
        }
        DownReason::SourceMissing => "give this machine the configured source address, or configure another",
        DownReason::Port => {
            "it is a port of a bridge, bond or team and its packets are theirs: configure that interface instead"
        }
        DownReason::NoArp => {
            "it has no link-layer address of 6 or 20 octets, or ARP is off (ip link set … arp on); \
             it is taken up when that changes"
        }
    }
}

impl KV for Told {
    /// From the last to the first, as slog's own macros do.
    fn serialize(&self, _record: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        for (key, value) in self.fields.iter().rev() {
            match value {
                Value::Text(text) => serializer.emit_str(Key::from(*key), text)?,
                Value::Number(number) => serializer.emit_i64(Key::from(*key), *number)?,
                Value::None => serializer.emit_none(Key::from(*key))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
