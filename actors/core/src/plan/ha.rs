//! Two gateways of one domain, of which one answers: who decides which, and what the other one does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Address;

/// One of two gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaPlan {
    /// Who decides which of them this one is.
    pub rule: RoleRule,
    /// Its routes while it is the standby.
    #[serde(default)]
    pub standby_routes: StandbyRoutes,
}

/// Who decides which of two gateways this one is. It is the standby until that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleRule {
    /// It is active while this machine has the address, as a VRRP router has the virtual one while it is the master.
    Follow(Address),
    /// It is what it was told last ([`crate::Fact::RoleOrdered`]).
    Command {
        /// It is the standby again after this time, 1 s to 24 h, unless it is told once more; `None`: it stays active.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl: Option<Duration>,
    },
}

/// The routes of a standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandbyRoutes {
    /// They stand with the metric of an active one: what still comes here while hosts learn of the other gateway goes
    /// on.
    #[default]
    Same,
    /// They stand with this metric, so that routing daemons that export them prefer those of the active one.
    Metric(u32),
    /// There are none.
    None,
}

impl RoleRule {
    /// The address that is followed.
    pub fn followed(self) -> Option<Address> {
        match self {
            Self::Follow(address) => Some(address),
            Self::Command { .. } => None,
        }
    }
}

impl StandbyRoutes {
    /// The metric of a standby's routes, if it is not that of all routes and there are any.
    pub(crate) fn own_metric(self) -> Option<u32> {
        match self {
            Self::Metric(metric) => Some(metric),
            Self::Same | Self::None => None,
        }
    }
}
