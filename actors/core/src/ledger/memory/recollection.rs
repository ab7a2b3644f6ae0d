//! Hosts that an earlier ledger knew, until the kernel's table was read.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::memory::{Origin, RememberedHost};

/// Hosts that an earlier ledger knew, by address.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Recollection(BTreeMap<Address, RememberedHost>);

impl Recollection {
    /// This is what it knew.
    pub(in crate::ledger) fn set(&mut self, hosts: Vec<RememberedHost>) {
        let is_usable =
            |host: &RememberedHost| host.learned_from != Origin::Static && host.lladdr.is_station();
        self.0 = hosts.into_iter().filter(is_usable).map(|host| (host.address, host)).collect();
    }

    /// Takes the host of the address out.
    pub(in crate::ledger) fn take(&mut self, address: Address) -> Option<RememberedHost> {
        self.0.remove(&address)
    }

    /// Takes all out.
    pub(in crate::ledger) fn take_all(&mut self) -> BTreeMap<Address, RememberedHost> {
        std::mem::take(&mut self.0)
    }

    /// It may be asked for later.
    pub(in crate::ledger) fn keep(&mut self, address: Address, host: RememberedHost) {
        self.0.insert(address, host);
    }
}
