//! Addresses of this machine: nobody else has one, and nothing goes on about them.

use super::Ledger;
use super::roles::follow_roles;
use crate::address::Address;

/// This machine's addresses are now these: no host has one of them, and nobody searches for it.
pub(super) fn follow_own_addresses(ledger: &mut Ledger, addresses: Vec<Address>) {
    ledger.world.own_addresses_changed(addresses, &mut ledger.effects);
    let topology = &ledger.world.topology;
    ledger.claims.close_claims_on(|address| topology.is_own(address));
    ledger.alternatives.forget_of(|address| topology.is_own(address));
    ledger.searches.close_searches_for(|address| topology.is_own(address));
    follow_roles(&mut ledger.world, &mut ledger.effects);
}
