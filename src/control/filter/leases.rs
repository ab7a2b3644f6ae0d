//! Rows of leases.

use arpherd_core::Prefix;
use arpherd_core::view::{LeaseView, SegmentView};

use super::{Cell, Row, optional, words};

impl Row for LeaseView {
    const FIELDS: &'static [&'static str] =
        &["address", "client", "domain", "expires_seconds", "lladdr", "netns", "segment", "server", "state"];
    const STATES: &'static [&'static str] = &["absent", "alive", "suspect"];

    fn field(&self, name: &str) -> Cell<'_> {
        match name {
            "address" => Cell::Address(self.address, 32),
            "client" => words(&self.client),
            "domain" => words(&self.domain),
            "expires_seconds" => self.expires_seconds.map_or(Cell::None, Cell::Number),
            "lladdr" => Cell::Text(self.lladdr.to_string().into()),
            "netns" => optional(self.netns.as_deref()),
            "segment" => words(&self.segment),
            "server" => Cell::Address(self.server, 32),
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
