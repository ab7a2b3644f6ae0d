//! Protocol, tables and metrics of our routes.

use serde::{Deserialize, Serialize};

/// Routing table `main`, `RT_TABLE_MAIN` of linux/rtnetlink.h.
pub const MAIN_TABLE: u32 = 254;

/// Protocol, table and metric of every route that arpherd adds to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutePlan {
    /// `rtm_protocol`, by which a restarted daemon recognises its own routes: 5 to 255. 0 to 4 are the kernel's
    /// (unspec, redirect, kernel, boot) and the administrator's (static).
    pub protocol: u8,
    /// Routing table, `RTA_TABLE`: any but 0 (unspec), 253 (default) and 255 (local).
    pub table: u32,
    /// Metric of host routes, `RTA_PRIORITY`: 0 to [`COVER_METRIC`] - 1; the lower metric is preferred.
    pub metric: u32,
    /// Table of the routes of the fabric, if a routing daemon writes them into another one than [`Self::table`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fabric_table: Option<u32>,
}

impl RoutePlan {
    /// Table of the covering routes: the last in which a host's route may stand, so that they refuse no packet for it.
    pub fn cover_table(&self) -> u32 {
        self.fabric_table.unwrap_or(self.table)
    }
}

impl Default for RoutePlan {
    fn default() -> Self {
        Self { protocol: 169, table: MAIN_TABLE, metric: 50, fabric_table: None }
    }
}

/// Metric of covering `unreachable` routes: higher than that of any route an administrator would add, but below
/// the maximum, because some tools use `0xffff_ffff` for "no metric".
pub const COVER_METRIC: u32 = 0xffff_ff00;
