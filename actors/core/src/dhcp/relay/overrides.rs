//! Which server offered what, where clients see us in its place (RFC 5107): what they say to us is for that one.

use std::collections::{BTreeMap, VecDeque};

use crate::address::Address;
use crate::dhcp::ClientId;

/// Offers and leases that are remembered; the oldest gives way, and its server has to know by the override itself that it
/// is meant.
const MOST: usize = 16_384;

/// The servers behind what was offered.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    servers: BTreeMap<(ClientId, Address), Address>,
    /// The oldest first.
    order: VecDeque<(ClientId, Address)>,
}

impl Overrides {
    /// That server offered or granted the address to the client.
    pub(super) fn note(&mut self, client: &ClientId, address: Address, server: Address) {
        let place = (client.clone(), address);
        if self.servers.insert(place.clone(), server).is_some() {
            return;
        }
        self.order.push_back(place);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.servers.remove(&oldest);
        }
    }

    /// Who offered or granted the address to the client.
    pub(super) fn server_of(&self, client: &ClientId, address: Address) -> Option<Address> {
        self.servers.get(&(client.clone(), address)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way() {
        let mut overrides = Overrides::default();
        let client = |number: u32| ClientId::Identifier(number.to_be_bytes().to_vec());
        let (address, server) = (Address::new(10, 2, 0, 77), Address::new(10, 2, 0, 2));
        let last = 20_000;
        for number in 0..=last {
            overrides.note(&client(number), address, server);
            overrides.note(&client(number), address, server);
        }
        assert_eq!((overrides.servers.len(), overrides.order.len()), (MOST, MOST));
        assert_eq!(overrides.server_of(&client(0), address), None);
        assert_eq!(overrides.server_of(&client(last), address), Some(server));
    }
}
