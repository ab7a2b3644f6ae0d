//! Orders as text, one line each.

use std::fmt;

use arpherd_core::fact::PendingRequest;
use arpherd_core::order::Purpose;
use arpherd_core::{Event, Frame, Order, Plan, SegmentId, Time, Write};
use serde_json::Value;

/// The names of the plan's domains and segments.
pub(super) struct PlanNames {
    domains: Vec<String>,
    segments: Vec<String>,
}

/// A time as seconds, down to the microsecond.
pub(super) struct Seconds(pub(super) Time);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_nanos() / 1000;
        write!(f, "{:>6}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

impl PlanNames {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            domains: plan.domains.iter().map(|domain| domain.name.clone()).collect(),
            segments: plan.segments.iter().map(|segment| segment.name.clone()).collect(),
        }
    }

    fn segment(&self, id: SegmentId) -> &str {
        self.segments.get(id.index()).map_or("?", String::as_str)
    }

    /// An order as text.
    pub(super) fn show(&self, order: &Order) -> String {
        match order {
            Order::Write(write) => self.write(write),
            Order::ReadTable => "read table".to_owned(),
            Order::ReadStations { segment } => format!("read stations of {}", self.segment(*segment)),
            Order::LookUpRoute { request, .. } => {
                let PendingRequest { segment, requester, target, .. } = request;
                format!("look up route from {requester} on {} to {target}", self.segment(*segment))
            }
            Order::Transmit { segment, frame, purpose } => self.frame(*segment, frame, *purpose),
            Order::ReadHeard { address, .. } => format!("read when {address} was heard in the kernel"),
            Order::SendMagicPacket { segment, station } => {
                format!("send magic packet for {station} on {}", self.segment(*segment))
            }
            Order::Sweep { segment, active: true } => format!("sweep {}", self.segment(*segment)),
            Order::Sweep { segment, active: false } => format!("stop sweeping {}", self.segment(*segment)),
            Order::HostSeen { segment, address } => format!("seen {address} on {}", self.segment(*segment)),
            Order::SettlePackets { target, forward: Some(interface) } => {
                format!("forward packets for {target} by {interface}")
            }
            Order::SettlePackets { target, forward: None } => format!("refuse packets for {target}"),
            Order::KeepLease(lease) => format!("keep lease {} of {}", lease.address, lease.client),
            Order::DropLease { address, interface } => format!("drop lease {address} on {interface}"),
            Order::Emit(event) => self.event(event),
        }
    }

    /// A write as text; interfaces are shown by index.
    fn write(&self, write: &Write) -> String {
        match write {
            Write::PutRoute { interface, address, source, replace } => {
                let source = source.map_or_else(String::new, |source| format!(" source {source}"));
                let how = if *replace { "in place of ours" } else { "if there is none" };
                format!("put route {address} on {interface}{source}, {how}")
            }
            Write::PutStandbyRoute { interface, address, metric, .. } => {
                format!("put standby route {address} on {interface} metric {metric}")
            }
            Write::DeleteRoute { interface, address } => format!("delete route {address} on {interface}"),
            Write::DeleteStray(route) => {
                let place = route.segment.map_or("an unknown segment", |segment| self.segment(segment));
                format!("delete stray route {} on {place} metric {}", route.address, route.metric)
            }
            Write::PutCover { prefix } => format!("put cover {prefix}"),
            Write::DeleteCover { prefix } => format!("delete cover {prefix}"),
            Write::PutSearchRoute { interface, prefix, .. } => {
                format!("put search route {prefix} by {interface}")
            }
            Write::DeleteSearchRoute { interface, prefix } => {
                format!("delete search route {prefix} by {interface}")
            }
            Write::PutNeighbour { interface, address, lladdr } => {
                format!("put neighbour {address} on {interface} at {lladdr}")
            }
            Write::DeleteNeighbour { interface, address } => {
                format!("delete neighbour {address} on {interface}")
            }
            Write::PutSharedLladdr { interface, lladdr, .. } => {
                format!("put shared lladdr {lladdr} on {interface}")
            }
            Write::DeleteSharedLladdr { interface, lladdr } => {
                format!("delete shared lladdr {lladdr} on {interface}")
            }
            Write::PutProxy { interface, address } => format!("put proxy {address} on {interface}"),
            Write::DeleteProxy { interface, address } => format!("delete proxy {address} on {interface}"),
            Write::PutFastAnswer { address, segment, lladdr, answered_for, .. } => {
                let how = if *answered_for { "answered for" } else { "not answered for" };
                format!("put fast answer {address} on {} at {lladdr}, {how}", self.segment(*segment))
            }
            Write::DeleteFastAnswer { address, .. } => format!("delete fast answer {address}"),
            Write::PutFastLink { interface, segment, lladdr, .. } => {
                format!("put fast link {interface} of {} at {lladdr}", self.segment(*segment))
            }
            Write::DeleteFastLink { interface } => format!("delete fast link {interface}"),
        }
    }

    fn frame(&self, segment: SegmentId, frame: &Frame, purpose: Purpose) -> String {
        let on = self.segment(segment);
        let to = frame.to.map_or_else(|| "everybody".to_owned(), |to| to.to_string());
        let arp = &frame.arp;
        match purpose {
            Purpose::Verify => format!("ask for {} on {on}, to {to}, from {}", arp.target, arp.sender),
            Purpose::Search => format!("search {} on {on}, to {to}, from {}", arp.target, arp.sender),
            Purpose::Announce => format!("announce {} on {on} at {}", arp.sender, arp.sender_lladdr),
            Purpose::Correct => {
                format!("tell {to} on {on} that {} is at {}", arp.sender, arp.sender_lladdr)
            }
            Purpose::Answer => {
                let (target, requester) = (arp.sender, arp.target);
                format!("answer {target} on {on} at {}, to {requester} at {to}", arp.sender_lladdr)
            }
        }
    }

    /// The event's name, and its fields by name. An empty field is shown as `-`.
    fn event(&self, event: &Event) -> String {
        let Ok(Value::Object(fields)) = serde_json::to_value(event) else {
            return format!("report {event:?}");
        };
        let mut pairs: Vec<String> = Vec::new();
        for (name, value) in fields.iter().filter(|(name, _)| *name != "event") {
            let shown = match value {
                Value::String(text) if text.is_empty() => "-".to_owned(),
                Value::String(text) => text.clone(),
                Value::Null => "-".to_owned(),
                Value::Number(id) if name.ends_with("segment") || name == "other" => {
                    let id = id.as_u64().and_then(|id| u16::try_from(id).ok());
                    id.map_or("?", |id| self.segment(SegmentId(id))).to_owned()
                }
                Value::Number(id) if name == "domain" => {
                    let id = id.as_u64().and_then(|id| usize::try_from(id).ok());
                    id.and_then(|id| self.domains.get(id)).map_or("?", String::as_str).to_owned()
                }
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
                other => other.to_string(),
            };
            pairs.push(format!("{name}={shown}"));
        }
        // The order must not depend on the JSON library.
        pairs.sort();
        let name = fields.get("event").and_then(Value::as_str).unwrap_or("?");
        format!("report {name} {}", pairs.join(" "))
    }
}
