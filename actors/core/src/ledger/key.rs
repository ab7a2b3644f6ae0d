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

/// How keys are hashed where each frame looks several of them up: a multiplication of 64 by 64 bits whose halves are
/// folded into one. Its factors are drawn anew for each table, so nobody can choose addresses that collide. A second one,
/// by [`SPREAD`], makes up for factors with few bits, of which one in fifty has neighbouring addresses collide.
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
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
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

    #[test]
    fn neighbouring_addresses_spread_over_both_ends_of_the_hash() {
        for _ in 0..50 {
            spreads(&KeyHashing::default());
        }
    }

    fn spreads(hashing: &KeyHashing) {
        let (mut low, mut high) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..4096_u32 {
            let key = Key { domain: DomainId(1), address: Address::from_bits(0x0a00_0000 + number) };
            let hash = hashing.hash_one(key);
            assert_eq!(hash, hashing.hash_one(key));
            // hashbrown finds the bucket by the lower bits, and tells its entries apart by the upper seven.
            low.insert(hash & 0xfff);
            high.insert(hash >> 57);
        }
        // At random, 63 % of the buckets would be hit.
        assert!(low.len() > 2000 && high.len() == 128, "{} buckets, {} tags", low.len(), high.len());
    }
}
