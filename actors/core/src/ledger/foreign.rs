//! Host routes of others to addresses of our domains.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::fact::KernelRoute;

/// Routes of others, by address and metric: of several to one address the first is in use.
#[derive(Debug, Default)]
pub(super) struct ForeignRoutes(BTreeMap<(Address, u32), KernelRoute>);

impl ForeignRoutes {
    /// Takes note of one.
    pub(super) fn note(&mut self, route: KernelRoute) {
        self.0.insert((route.address, route.metric), route);
    }

    /// One is gone. False if another one was known in its place.
    pub(super) fn forget(&mut self, route: &KernelRoute) -> bool {
        let place = (route.address, route.metric);
        let is_same =
            |known: &KernelRoute| (known.protocol, known.interface) == (route.protocol, route.interface);
        let is_known = self.0.get(&place).is_some_and(is_same);
        if is_known {
            self.0.remove(&place);
        }
        is_known
    }

    /// Another route than any of these took the place.
    pub(super) fn forget_place(&mut self, address: Address, metric: u32) {
        self.0.remove(&(address, metric));
    }

    /// Replaces all of them. Returns the addresses that had one or have one now.
    pub(super) fn replace_all(&mut self, routes: impl Iterator<Item = KernelRoute>) -> BTreeSet<Address> {
        let before = std::mem::take(&mut self.0);
        routes.for_each(|route| self.note(route));
        before.keys().chain(self.0.keys()).map(|(address, _)| *address).collect()
    }

    /// The addresses that have one, in order, some more than once.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> {
        self.0.keys().map(|(address, _)| *address)
    }

    /// The one that the kernel uses for the address.
    pub(super) fn in_use(&self, address: Address) -> Option<&KernelRoute> {
        self.0.range((address, 0)..=(address, u32::MAX)).next().map(|(_, route)| route)
    }
}
