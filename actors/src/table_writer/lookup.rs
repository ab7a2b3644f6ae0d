//! A question to the kernel that waits for the writes before it.

use arpherd_core::Fact;
use arpherd_core::fact::PendingRequest;

use crate::io::RouteTable;

/// A route lookup: by which interface the kernel would forward the packet that an ARP request announces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingLookup {
    pub(crate) interface: u32,
    pub(crate) request: PendingRequest,
}

impl PendingLookup {
    /// Looks the route up and returns the result as a fact.
    pub(crate) fn run(self, table: &mut dyn RouteTable) -> Fact {
        let Self { interface, request } = self;
        let interface = table.lookup_route(interface, request.requester, request.target);
        Fact::RouteLookedUp { request, interface }
    }
}
