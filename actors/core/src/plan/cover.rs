//! What becomes of packets for hosts that are not known.

use serde::{Deserialize, Serialize};

/// What becomes of packets for an address of a domain's prefix of which no host is known, and which no ARP request
/// announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cover {
    /// The kernel refuses them (an `unreachable` route).
    #[default]
    Unreachable,
    /// The first of them are held while the segments are searched, and go on when the target answers.
    Search,
}

impl Cover {
    /// Whether it is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
