//! Who asked for whom, lately: hosts that talk have each other in their caches, and somebody asked first.

use super::key::Key;
use crate::address::Address;
use crate::plan::DomainId;

/// Pairs that are remembered; a power of two.
const PAIRS: usize = 1 << 13;
/// An odd number whose multiples spread over the upper bits (2⁶⁴ divided by the golden ratio).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A host and a target that it asked for.
#[derive(Debug, Clone, Copy)]
struct Pair {
    domain: DomainId,
    requester: Address,
    target: Address,
}

/// Requesters and their targets.
///
/// Each pair has one place, which it takes from whatever was there, so noting one costs a multiplication and ten
/// octets written, whoever floods the link with requests; a flood only has some pairs forgotten. Caches are verified
/// by unicast, which the router hears where it answers for the target; of hosts on one segment it hears how their
/// conversation began.
#[derive(Debug)]
pub(super) struct Contacts(Box<[Pair]>);

impl Default for Contacts {
    fn default() -> Self {
        let none =
            Pair { domain: DomainId(0), requester: Address::UNSPECIFIED, target: Address::UNSPECIFIED };
        Self(vec![none; PAIRS].into_boxed_slice())
    }
}

impl Contacts {
    /// A host asked for a target of its domain.
    pub(super) fn note_contact(&mut self, target: &Key, requester: Address) {
        let both = u64::from(requester.to_bits()) << 32 | u64::from(target.address.to_bits());
        let place = both.wrapping_mul(SPREAD) >> (64 - PAIRS.trailing_zeros());
        if let Some(pair) = usize::try_from(place).ok().and_then(|place| self.0.get_mut(place)) {
            *pair = Pair { domain: target.domain, requester, target: target.address };
        }
    }

    /// All that asked for the address or that it asked for, each once, in order.
    pub(super) fn contacts_of(&self, key: &Key) -> Vec<Key> {
        let mut contacts: Vec<Key> =
            self.0.iter().filter_map(|pair| pair.other(key)).filter(|other| other != key).collect();
        contacts.sort_unstable();
        contacts.dedup();
        contacts
    }
}

impl Pair {
    fn other(&self, key: &Key) -> Option<Key> {
        let address = match key.address {
            _ if self.domain != key.domain => return None,
            one if one == self.requester => self.target,
            one if one == self.target => self.requester,
            _ => return None,
        };
        (!address.is_unspecified()).then_some(Key { domain: key.domain, address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(domain: u16, last: u8) -> Key {
        Key { domain: DomainId(domain), address: Address::new(10, 0, 0, last) }
    }

    #[test]
    fn whoever_asked_or_was_asked_for_is_a_contact_in_its_domain() {
        let mut contacts = Contacts::default();
        contacts.note_contact(&key(0, 2), key(0, 9).address);
        contacts.note_contact(&key(0, 9), key(0, 3).address);
        contacts.note_contact(&key(0, 3), key(0, 9).address);
        contacts.note_contact(&key(1, 9), key(1, 4).address);
        contacts.note_contact(&key(0, 5), key(0, 6).address);
        assert_eq!(contacts.contacts_of(&key(0, 9)), [key(0, 2), key(0, 3)]);
        assert_eq!(contacts.contacts_of(&key(1, 9)), [key(1, 4)]);
        assert_eq!(contacts.contacts_of(&key(0, 8)), []);
    }

    #[test]
    fn a_flood_takes_no_more_room() {
        let mut contacts = Contacts::default();
        for number in 0..100_000_u32 {
            contacts.note_contact(&key(0, 9), Address::from_bits(0x0a01_0000 + number));
        }
        let known = contacts.contacts_of(&key(0, 9)).len();
        assert!((PAIRS / 2..=PAIRS).contains(&known), "{known} pairs, evenly spread");
    }
}
