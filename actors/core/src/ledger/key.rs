//! What the rooms of the ledger name things by.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use crate::address::Address;
use crate::plan::{DomainId, SegmentId};

/// An address within its domain; domains never mix, so the same address in two domains is two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) domain: DomainId,
    pub(super) address: Address,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.domain.0) << 32 | u64::from(self.address.to_bits()));
    }
}

/// How keys are hashed where each frame looks several of them up, by their 64-bit words: each is multiplied, and the halves
/// of the product are folded into one. The factors are drawn anew for each table, so nobody can choose addresses that
/// collide. A last multiplication, by [`SPREAD`], makes up for factors with few bits, of which one in fifty has neighbouring
/// addresses collide. The standard library's hashes take ten times the instructions and, for each type of key, code of
/// their own, which is in no cache after a rest.
#[derive(Debug, Clone)]
pub(super) struct KeyHashing {
    mask: u64,
    factor: u64,
}

impl Default for KeyHashing {
    fn default() -> Self {
        let random = RandomState::new();
        Self { mask: random.hash_one(0), factor: random.hash_one(1) | 1 }
    }
}

impl BuildHasher for KeyHashing {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher { hash: self.mask, factor: self.factor }
    }
}

/// The hash of one key.
#[derive(Debug)]
pub(super) struct KeyHasher {
    hash: u64,
    factor: u64,
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(size_of::<u64>()) {
            let mut word = [0; size_of::<u64>()];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.hash = fold(self.hash ^ word, self.factor);
    }

    fn finish(&self) -> u64 {
        fold(self.hash, SPREAD)
    }
}

/// The fraction of the golden ratio in 64 bits (Knuth, The Art of Computer Programming, volume 3, section 6.4): as many
/// bits are set as are not, in no pattern.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

#[expect(clippy::cast_possible_truncation, reason = "the halves of the product")]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

/// Two segments, in either order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair(pub(super) SegmentId, pub(super) SegmentId);

impl Pair {
    pub(super) fn of(one: SegmentId, other: SegmentId) -> Self {
        Self(one.min(other), one.max(other))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::lladdr::{ETHERNET_LEN, IPOIB_LEN, LinkAddr};

    #[test]
    fn neighbouring_addresses_spread_over_both_ends_of_the_hash() {
        for _ in 0..50 {
            spread(|number| Key { domain: DomainId(1), address: Address::from_bits(0x0a00_0000 + number) });
            spread(Address::from_bits);
            spread(|number| LinkAddr::ethernet(in_the_end([2; ETHERNET_LEN], number)));
            spread(|number| in_the_end([2; ETHERNET_LEN], number));
            spread(|number| LinkAddr::try_new(&in_the_end([2; IPOIB_LEN], number)));
            // Only the queue pair's number differs, as of interfaces on one port.
            spread(|number| LinkAddr::try_new(&in_front([2; IPOIB_LEN], number)));
        }
    }

    fn spread<K: Hash + Copy>(key: impl Fn(u32) -> K) {
        let hashing = KeyHashing::default();
        let (mut low, mut high) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..4096 {
            let key = key(number);
            let hash = hashing.hash_one(key);
            assert_eq!(hash, hashing.hash_one(key));
            // hashbrown finds the bucket by the lower bits, and tells its entries apart by the upper seven.
            low.insert(hash & 0xfff);
            high.insert(hash >> 57);
        }
        // At random, 63 % of the buckets would be hit.
        assert!(low.len() > 2000 && high.len() == 128, "{} buckets, {} tags", low.len(), high.len());
    }

    fn in_the_end<const N: usize>(mut octets: [u8; N], number: u32) -> [u8; N] {
        octets[N - 4..].copy_from_slice(&number.to_be_bytes());
        octets
    }

    fn in_front<const N: usize>(mut octets: [u8; N], number: u32) -> [u8; N] {
        octets[..4].copy_from_slice(&number.to_be_bytes());
        octets
    }

    #[test]
    fn addresses_of_another_length_are_other_keys() {
        let hashing = KeyHashing::default();
        let lengths = [0, ETHERNET_LEN, IPOIB_LEN].map(|length| LinkAddr::try_new(&vec![0; length]));
        let hashes: BTreeSet<_> = lengths.iter().map(|lladdr| hashing.hash_one(lladdr)).collect();
        assert_eq!(hashes.len(), 3);
    }
}
