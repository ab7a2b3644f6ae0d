//! Rules: which routing table is looked up, and when.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::{Netns, Result};

impl Netns {
    /// Lets every packet be looked up in the table, before all rules with a greater priority.
    ///
    /// # Errors
    /// When there is such a rule or the kernel refuses.
    pub fn rule_for_all(&self, priority: u32, table: u32) -> Result<()> {
        let mut message = RuleMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.action = RuleAction::ToTable;
        message.attributes = vec![RuleAttribute::Priority(priority), RuleAttribute::Table(table)];
        let what = format!("add a rule for table {table} in {}", self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::NewRule(message), NLM_F_CREATE | NLM_F_EXCL)
    }
}
