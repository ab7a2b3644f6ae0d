//! Limits of a segment.

use serde::{Deserialize, Serialize};

/// How many hosts may be learned on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Maximum number of hosts known at the same time, 1 to 16 777 216.
    pub hosts: u32,
    /// Maximum number of addresses that one link-layer address may hold, 1 to 16 777 216.
    pub hosts_per_lladdr: u32,
    /// Maximum number of new hosts per second, 1 to 10 000 000; also the size of the largest burst.
    pub new_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { hosts: 65_536, hosts_per_lladdr: 64, new_per_second: 2_000 }
    }
}
