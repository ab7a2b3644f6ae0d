//! Which rows of a table are shown, and in which order. Worked out here and not in the daemon, which has packets to
//! answer.

mod leases;

use std::borrow::Cow;
use std::cmp::Ordering;

use arpherd_core::view::{Destination, HostView, RouteView, SegmentView};
use arpherd_core::{Address, Prefix};

use crate::events::EventView;
use crate::log::Escaped;

/// Rows that are wanted. Of several values of one option any will do; all options must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TableFilter {
    /// Names of domains.
    pub(crate) domains: Vec<String>,
    /// Names of segments, or of their interfaces.
    pub(crate) segments: Vec<String>,
    /// States.
    pub(crate) states: Vec<String>,
    /// Prefixes that the address lies in, or the segment's prefix overlaps.
    pub(crate) prefixes: Vec<Prefix>,
    /// Fields by which rows are sorted, `-` before those that are to be sorted backwards.
    pub(crate) sort: Vec<String>,
}

/// A row of a table.
pub(super) trait Row {
    /// The names of its fields that rows can be sorted by.
    const FIELDS: &'static [&'static str];
    /// The states that there are in this version.
    const STATES: &'static [&'static str];

    /// The value of a field.
    fn field(&self, name: &str) -> Cell<'_>;
    fn state(&self) -> &str;
    /// Whether it is of the segment. `is_named`: the segment itself is wanted, and not only its domain.
    fn is_of(&self, segment: &SegmentView, is_named: bool) -> bool;
    fn is_within(&self, prefix: Prefix) -> bool;
}

/// A value to sort by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell<'a> {
    None,
    Number(u64),
    Address(Address, u8),
    Text(Cow<'a, str>),
}

impl TableFilter {
    /// Whether the daemon's segments have to be known.
    pub(super) fn needs_segments(&self) -> bool {
        !self.domains.is_empty() || !self.segments.is_empty()
    }

    /// The rows that are wanted, in the order that is wanted.
    ///
    /// # Errors
    /// If there is no such field, state, segment or domain; the text names those that there are.
    pub(super) fn apply<R: Row>(&self, rows: Vec<R>, segments: &[SegmentView]) -> Result<Vec<R>, String> {
        let sort: Vec<SortKey> = self.sort.iter().map(|it| SortKey::of::<R>(it)).collect::<Result<_, _>>()?;
        for state in &self.states {
            let is_known = R::STATES.contains(&&**state) || rows.iter().any(|row| row.state() == state);
            if !is_known {
                return Err(unknown("state", state, R::STATES.iter().copied()));
            }
        }
        let chosen = self.chosen(segments)?;
        let is_named = !self.segments.is_empty();
        let is_wanted = |row: &R| {
            (self.states.is_empty() || self.states.iter().any(|state| row.state() == state))
                && (self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| row.is_within(*prefix)))
                && chosen.as_ref().is_none_or(|all| all.iter().any(|segment| row.is_of(segment, is_named)))
        };
        let mut rows = rows;
        rows.retain(is_wanted);
        if !sort.is_empty() {
            rows.sort_by(|one, other| {
                let order = sort.iter().map(|key| key.compare(one, other));
                order.fold(Ordering::Equal, Ordering::then)
            });
        }
        Ok(rows)
    }

    /// Whether an event is wanted: one of its addresses, segments or domains is.
    pub(super) fn wants_event(&self, event: &EventView) -> bool {
        let values = |ends: &'static [&'static str]| {
            let is_meant = move |(key, _): &(&String, &String)| ends.iter().any(|end| key.ends_with(end));
            event.values.iter().filter(is_meant).map(|(_, value)| value)
        };
        let has = |wanted: &[String], ends| {
            wanted.is_empty() || values(ends).any(|value| wanted.iter().any(|it| it == value))
        };
        let address = || event.values.get("address").and_then(|text| text.parse::<Address>().ok());
        has(&self.domains, &["domain"])
            && has(&self.segments, &["segment", "interface"])
            && (self.prefixes.is_empty()
                || address().is_some_and(|it| self.prefixes.iter().any(|prefix| prefix.contains(it))))
    }

    /// Whether the daemon has all domains and segments that are named.
    ///
    /// # Errors
    /// The text names those that there are.
    pub(super) fn chosen<'a>(
        &self,
        segments: &'a [SegmentView],
    ) -> Result<Option<Vec<&'a SegmentView>>, String> {
        if !self.needs_segments() {
            return Ok(None);
        }
        for name in &self.domains {
            if segments.iter().all(|it| *it.domain != **name) {
                return Err(unknown("domain", name, segments.iter().map(|it| &*it.domain)));
            }
        }
        for name in &self.segments {
            if !segments.iter().any(|it| is_named(it, name)) {
                return Err(unknown("segment or interface", name, segments.iter().map(|it| &*it.segment)));
            }
        }
        let is_chosen = |it: &&SegmentView| {
            (self.domains.is_empty() || self.domains.iter().any(|name| *it.domain == **name))
                && (self.segments.is_empty() || self.segments.iter().any(|name| is_named(it, name)))
        };
        Ok(Some(segments.iter().filter(is_chosen).collect()))
    }
}

fn is_named(segment: &SegmentView, name: &str) -> bool {
    [&segment.segment, &segment.interface, &segment.configured_interface].iter().any(|its| ***its == *name)
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = known.map(|it| Escaped(it).to_string()).collect();
    names.sort_unstable();
    names.dedup();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("there is no {what} {}; there are {names}", Escaped(name))
}

/// A field to sort by.
struct SortKey {
    field: &'static str,
    is_reversed: bool,
}

impl SortKey {
    fn of<R: Row>(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix('-').unwrap_or(text);
        // Tables leave the end of a long name out of their headings.
        let is_meant =
            |field: &&str| field.strip_prefix(name).is_some_and(|end| end.is_empty() || end.starts_with('_'));
        let Some(field) = R::FIELDS.iter().copied().find(is_meant) else {
            return Err(unknown("field", name, R::FIELDS.iter().copied()));
        };
        Ok(Self { field, is_reversed: name.len() < text.len() })
    }

    fn compare<R: Row>(&self, one: &R, other: &R) -> Ordering {
        let order = one.field(self.field).cmp(&other.field(self.field));
        if self.is_reversed { order.reverse() } else { order }
    }
}

fn words(text: &str) -> Cell<'_> {
    Cell::Text(text.into())
}

fn optional(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::None, words)
}

impl Row for HostView {
    const FIELDS: &'static [&'static str] = &[
        "address",
        "age_seconds",
        "domain",
        "interface",
        "learned_from",
        "lladdr",
        "netns",
        "segment",
        "state",
    ];
    const STATES: &'static [&'static str] = &["alive", "suspect"];

    fn field(&self, name: &str) -> Cell<'_> {
        match name {
            "address" => Cell::Address(self.address, 32),
            "age_seconds" => Cell::Number(self.age_seconds),
            "domain" => words(&self.domain),
            "interface" => words(&self.interface),
            "learned_from" => words(&self.learned_from),
            "lladdr" => Cell::Text(self.lladdr.to_string().into()),
            "netns" => optional(self.netns.as_deref()),
            "segment" => words(&self.segment),
            "state" => words(&self.state),
            _ => Cell::None,
        }
    }

    fn state(&self) -> &str {
        &self.state
    }

    fn is_of(&self, segment: &SegmentView, _: bool) -> bool {
        (&self.domain, &self.segment, &self.netns) == (&segment.domain, &segment.segment, &segment.netns)
    }

    fn is_within(&self, prefix: Prefix) -> bool {
        prefix.contains(self.address)
    }
}

impl Row for RouteView {
    const FIELDS: &'static [&'static str] =
        &["address", "interface", "metric", "netns", "protocol", "source", "state", "table"];
    const STATES: &'static [&'static str] = &["conflict", "cover", "doubtful", "installed", "refused"];

    fn field(&self, name: &str) -> Cell<'_> {
        match name {
            "address" => match self.address {
                Destination::Host(address) => Cell::Address(address, 32),
                Destination::Prefix(prefix) => Cell::Address(prefix.network(), prefix.prefix()),
            },
            "interface" => optional(self.interface.as_deref()),
            "metric" => Cell::Number(self.metric.into()),
            "netns" => optional(self.netns.as_deref()),
            "protocol" => Cell::Number(self.protocol.into()),
            "source" => self.source.map_or(Cell::None, |source| Cell::Address(source, 32)),
            "state" => words(&self.state),
            "table" => Cell::Number(self.table.into()),
            _ => Cell::None,
        }
    }

    fn state(&self) -> &str {
        &self.state
    }

    fn is_of(&self, segment: &SegmentView, is_named: bool) -> bool {
        if self.netns != segment.netns {
            return false;
        }
        match self.address {
            Destination::Host(address) => {
                self.interface.as_ref() == Some(&segment.interface)
                    && segment.subnet.prefixes.iter().any(|prefix| prefix.contains(address))
            }
            // A covering route is of the domain, and of none of its segments.
            Destination::Prefix(prefix) => !is_named && segment.subnet.prefixes.contains(&prefix),
        }
    }

    fn is_within(&self, prefix: Prefix) -> bool {
        match self.address {
            Destination::Host(address) => prefix.contains(address),
            Destination::Prefix(its) => prefix.contains(its.network()) && prefix.contains(its.broadcast()),
        }
    }
}

impl Row for SegmentView {
    const FIELDS: &'static [&'static str] = &[
        "answer",
        "answered",
        "answered_in_kernel",
        "domain",
        "dropped",
        "fast_answers",
        "hosts",
        "interface",
        "kind",
        "lladdr",
        "malformed",
        "mismatched",
        "netns",
        "probed",
        "read",
        "segment",
        "source",
        "state",
        "traces",
    ];
    const STATES: &'static [&'static str] = &[
        "absent",
        "admin_down",
        "interface_taken",
        "no_arp",
        "no_carrier",
        "port",
        "prefix_overlap",
        "source_missing",
        "up",
        "waiting_for_address",
    ];

    fn field(&self, name: &str) -> Cell<'_> {
        let count = self.counters;
        match name {
            "answer" => words(&self.answering.answer),
            "answered" => Cell::Number(count.answered),
            "answered_in_kernel" => Cell::Number(count.answered_in_kernel),
            "domain" => words(&self.domain),
            "dropped" => Cell::Number(count.dropped),
            "fast_answers" => optional(self.measured.fast_answers.as_deref()),
            "hosts" => Cell::Number(self.hosts),
            "interface" => words(&self.interface),
            "kind" => words(&self.kind),
            "lladdr" => Cell::Text(self.lladdr.to_string().into()),
            "malformed" => Cell::Number(count.malformed),
            "mismatched" => Cell::Number(count.mismatched),
            "netns" => optional(self.netns.as_deref()),
            "probed" => Cell::Number(count.probed),
            "read" => Cell::Number(count.read),
            "segment" => words(&self.segment),
            "source" => self.subnet.source.map_or(Cell::None, |source| Cell::Address(source, 32)),
            "state" => words(&self.state),
            "traces" => Cell::Number(count.traces),
            _ => Cell::None,
        }
    }

    fn state(&self) -> &str {
        &self.state
    }

    fn is_of(&self, segment: &SegmentView, _: bool) -> bool {
        (&self.domain, &self.segment, &self.netns) == (&segment.domain, &segment.segment, &segment.netns)
    }

    fn is_within(&self, prefix: Prefix) -> bool {
        self.subnet.prefixes.iter().any(|its| prefix.overlaps(*its))
    }
}

#[cfg(test)]
mod tests;
