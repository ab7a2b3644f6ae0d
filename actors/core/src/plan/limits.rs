//! Limits of a segment, and of a domain.

use serde::{Deserialize, Serialize};

use super::SegmentPlan;

/// Known hosts that are asked a second where no sweep sets a rate.
const VERIFY_RATE: u32 = 500;

/// How many hosts may be learned on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Maximum number of hosts known at the same time, 1 to 16 777 216.
    pub hosts: u32,
    /// Maximum number of addresses that one link-layer address may hold, 1 to 16 777 216.
    pub hosts_per_lladdr: u32,
    /// Maximum number of new hosts per second, 1 to 10 000 000; also the size of the largest burst.
    pub new_per_second: u32,
    /// Maximum number of DHCP messages of clients per second that are relayed, 1 to 1 000 000; also the size of the
    /// largest burst. Those of clients that have a lease have as much again for themselves.
    #[serde(default = "Limits::default_dhcp_per_second")]
    pub dhcp_per_second: u32,
}

impl Limits {
    /// 1,000 clients that start at once are served at once.
    fn default_dhcp_per_second() -> u32 {
        1_000
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hosts: 65_536,
            hosts_per_lladdr: 64,
            new_per_second: 2_000,
            dhcp_per_second: Self::default_dhcp_per_second(),
        }
    }
}

impl SegmentPlan {
    /// How many known hosts are asked a second, at the most, whether they still live. Sweeps share the rate and give way; a
    /// quarter is left to them.
    pub fn questions_per_second(&self) -> u32 {
        self.sweep.map_or(VERIFY_RATE, |sweep| sweep.rate - sweep.rate / 4)
    }

    /// How many hosts that are silent, and answer, can be asked in each `expiry.quiet`.
    pub fn verified_in_time(&self) -> u64 {
        let hosts = u128::from(self.questions_per_second()) * self.expiry.quiet.as_millis() / 1_000;
        u64::try_from(hosts).unwrap_or(u64::MAX)
    }

    /// The `sweep.rate` at which so many can be asked in time, and the `expiry.quiet`, in whole seconds, after which they
    /// can be at the rate there is.
    pub fn needs_for(&self, hosts: u64) -> (u64, u64) {
        let millis = u64::try_from(self.expiry.quiet.as_millis()).unwrap_or(u64::MAX).max(1);
        let questions = hosts.saturating_mul(1_000).div_ceil(millis);
        (questions.saturating_mul(4).div_ceil(3), hosts.div_ceil(self.questions_per_second().max(1).into()))
    }
}

/// How much may be sent on all segments of a domain together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainLimits {
    /// Maximum number of broadcasts per second that search for hosts nobody is known to have, 1 to 10 000 000; also the
    /// size of the largest burst. One unknown target costs one on each segment.
    pub searches_per_second: u32,
}

impl Default for DomainLimits {
    /// Two segments can have all that their own pace allows, and 256 segments are searched for 39 targets a second.
    fn default() -> Self {
        Self { searches_per_second: 10_000 }
    }
}

impl DomainLimits {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
