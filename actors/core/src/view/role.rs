//! What this machine is to domains that have two gateways, and what came of saying so.

use serde::{Deserialize, Serialize};

use super::{Keyword, Label};
use crate::role::Role;

/// What this machine is to a domain that has two gateways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleView {
    /// The domain.
    pub domain: Label,
    /// `active`, `standby`, or `yielding`: active, and silent because another one is as well.
    pub role: Keyword,
    /// Who decides: `follow` (an address of this machine) or `command`.
    pub decided_by: Keyword,
    /// The network namespace; none for the daemon's own.
    #[serde(default)]
    pub netns: Option<Label>,
}

/// What this machine is to be from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleCommand {
    /// The role.
    pub role: Role,
    /// The domain by its name; all that are commanded without it.
    #[serde(default)]
    pub domain: Option<String>,
}

/// What came of a [`RoleCommand`], in one domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedRoleView {
    /// The domain.
    pub domain: Label,
    /// What this machine was to it before; none of a domain that has one gateway.
    pub before: Option<Keyword>,
    /// `ordered`; or why not: `follows` (an address decides), `alone` (the domain has one gateway).
    pub outcome: Keyword,
    /// The network namespace; none for the daemon's own.
    pub netns: Option<Label>,
}
