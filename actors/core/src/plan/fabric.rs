//! Routes of a fabric: whose routes lead to hosts that live behind other gateways.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The metric that FRR gives to its routes in the kernel (`NL_DEFAULT_ROUTE_METRIC`); BIRD's is 32. A route of ours has to
/// be preferred to both.
pub const FABRIC_METRIC: u32 = 20;

/// The routing daemons whose host routes inside a domain's prefixes stand for hosts behind other gateways.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FabricPlan {
    /// Their `rtm_protocol`s: 3 to 255, and not our own. Others' routes stay what they are without a fabric.
    pub protocols: BTreeSet<u8>,
}
