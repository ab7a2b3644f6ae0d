//! Of two gateways of one domain: which of them speaks for its hosts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What this machine is to a domain that has two gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It answers for the domain's hosts.
    Active,
    /// It knows them, and says nothing.
    Standby,
}

impl Role {
    /// The word used in tables and commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
