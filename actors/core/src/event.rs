//! Events: what is reported to operators, and the one table of all that is known of each kind.
//!
//! ```text
//! table.rs: an entry for each event ──► Event, EventKind, EventRow
//!     name           the message of its log record, its counter in `status`
//!     fields         the keys of its log record, in this order
//!     level, hint    its log record
//!     diagnosis      what `doctor` says when it happened
//!     doc            the documentation
//! ```
//!
//! A new event is one entry of that table. Names and fields are stable: operators alarm on them.

#[macro_use]
mod define;
mod detail;
#[macro_use]
mod table_of_pairs;
#[macro_use]
mod table_of_leases;
#[macro_use]
mod table_of_faults;
mod table;

use std::fmt::Display;

pub use detail::{DownReason, FabricFault, Limit, PrefixList, ProxySign};
pub use table::{Event, EventKind};

use crate::address::{Address, Prefix};
use crate::dhcp::LeaseEnd;
use crate::lladdr::LinkAddr;
use crate::plan::{DomainId, SegmentId};
use crate::role::Role;

/// How much an event matters, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventLevel {
    /// Routine.
    Debug,
    /// Good to know; nothing is wrong, or it is over.
    Info,
    /// Something does not work for all, not always, or not as meant.
    Warning,
    /// Something does not work.
    Error,
}

/// What is known of a kind of event.
#[derive(Debug, PartialEq, Eq)]
pub struct EventRow {
    /// The stable name: the message of the log record and the counter's name.
    pub name: &'static str,
    /// What happened, for the documentation.
    pub doc: &'static str,
    /// The level of the log record.
    pub level: EventLevel,
    /// What the operator can do about it, if that is the same for every event of the kind.
    pub hint: Option<&'static str>,
    /// The field that the hint depends on; [`Event::hint`] has the text.
    pub hint_by: Option<&'static str>,
    /// What doctor says when it happened since the daemon's start; `None`: nothing.
    pub diagnosis: Option<EventDiagnosis>,
    /// Its fields in the order of the log record.
    pub fields: &'static [EventField],
}

/// What an event that happened means. Addresses are not in it: the log has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventDiagnosis {
    /// How bad it is that it happened at all.
    pub severity: EventLevel,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

/// A field of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventField {
    /// Its name.
    pub name: &'static str,
    /// What it says, for the documentation.
    pub doc: &'static str,
}

/// The value of an event's field, not formatted yet.
#[derive(Clone, Copy)]
pub enum FieldValue<'a> {
    /// A segment, which has a name only in the plan.
    Segment(SegmentId),
    /// A domain, likewise.
    Domain(DomainId),
    /// An address.
    Address(Address),
    /// A number.
    Number(i64),
    /// Anything else that has a value.
    Text(&'a dyn Display),
    /// No value.
    Absent,
}

impl Event {
    /// The event's stable name.
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }
}

impl EventKind {
    /// The stable name: the message of the log record and the counter's name.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The level of the log record.
    pub const fn level(self) -> EventLevel {
        self.row().level
    }
}

impl From<&SegmentId> for FieldValue<'_> {
    fn from(segment: &SegmentId) -> Self {
        Self::Segment(*segment)
    }
}

impl From<&DomainId> for FieldValue<'_> {
    fn from(domain: &DomainId) -> Self {
        Self::Domain(*domain)
    }
}

impl From<&Address> for FieldValue<'_> {
    fn from(address: &Address) -> Self {
        Self::Address(*address)
    }
}

impl From<&Option<Address>> for FieldValue<'_> {
    fn from(address: &Option<Address>) -> Self {
        address.map_or(Self::Absent, Self::Address)
    }
}

impl From<&Option<SegmentId>> for FieldValue<'_> {
    fn from(segment: &Option<SegmentId>) -> Self {
        segment.map_or(Self::Absent, Self::Segment)
    }
}

/// Types of fields that are one kind of value.
macro_rules! field_types {
    ($($type:ty => $value:ident),+ $(,)?) => {
        $(field_types!(@ $value $type);)+
    };
    (@ Text $type:ty) => {
        impl<'a> From<&'a $type> for FieldValue<'a> {
            fn from(value: &'a $type) -> Self {
                Self::Text(value)
            }
        }
    };
    (@ Number $type:ty) => {
        impl From<&$type> for FieldValue<'_> {
            fn from(value: &$type) -> Self {
                Self::Number(i64::from(*value))
            }
        }
    };
}

field_types! {
    LinkAddr => Text,
    String => Text,
    DownReason => Text,
    Prefix => Text,
    PrefixList => Text,
    ProxySign => Text,
    Limit => Text,
    LeaseEnd => Text,
    Role => Text,
    FabricFault => Text,
    u8 => Number,
    u32 => Number,
    i32 => Number,
}

#[cfg(test)]
mod tests;
