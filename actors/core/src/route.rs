//! A route as the kernel has it.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::lladdr::LinkAddr;
use crate::plan::SegmentId;

/// A host route (`/32`) somebody has in the table we write to, or in that of the fabric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelRoute {
    /// Its destination.
    pub address: Address,
    /// `rtm_protocol`; ours says that an arpherd put it there.
    pub protocol: u8,
    /// `RTA_PRIORITY`, 0 if it has none.
    pub metric: u32,
    /// `RTA_OIF`, 0 if it has none.
    pub interface: u32,
    /// The segment whose interface it leaves by, if it is one of ours.
    pub segment: Option<SegmentId>,
    /// `RTA_PREFSRC`
    pub source: Option<Address>,
    /// What the kernel's neighbour table holds for the address on that interface, if read along.
    pub lladdr: LinkAddr,
    /// `RTA_GATEWAY`, the first of a multipath route's; none where it leads to the host directly, or by an IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<Address>,
    /// It stands in the table of the fabric ([`crate::plan::RoutePlan::fabric_table`]) and not in ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_fabric_table: bool,
}
