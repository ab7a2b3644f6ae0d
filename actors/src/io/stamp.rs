//! What stands behind the packet in every ARP request of ours, where everybody else sees padding.
//!
//! ```text
//! octets   0..4    "ARPH"
//!          4..12   a random number of this run of the daemon
//!         12..14   the segment it was sent on, big-endian
//! ```
//! An Ethernet frame has 18 octets to spare behind the packet, so nothing grows there; on IPoIB a request is 14
//! octets longer. A reply carries nothing: who answers from the buffer that held the question sends its last
//! octets back, and would be taken for one of us. So a stamp counts in requests only.

use std::hash::{BuildHasher, Hasher};

use arpherd_core::SegmentId;
use arpherd_core::arp::Mark;

/// Octets of a stamp.
pub(super) const LENGTH: usize = 14;
/// By which a stamp is told from padding.
const MAGIC: [u8; 4] = *b"ARPH";

/// One run of the daemon on one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The run; see [`Stamp::new_run`].
    pub run: u64,
    /// The segment.
    pub segment: SegmentId,
}

impl Stamp {
    /// A random number for a run of the daemon.
    pub fn new_run() -> u64 {
        // The standard library seeds its hash maps from the kernel's random numbers; what an empty hasher
        // gives depends on the seed alone.
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    }

    /// Whose mark a stamp is to the run that hears it.
    pub fn seen_by(self, run: Option<u64>) -> Mark {
        if Some(self.run) == run { Mark::Ours(self.segment) } else { Mark::Peer }
    }

    pub(super) fn octets(self) -> [u8; LENGTH] {
        let mut octets = [0; LENGTH];
        octets[..4].copy_from_slice(&MAGIC);
        octets[4..12].copy_from_slice(&self.run.to_be_bytes());
        octets[12..].copy_from_slice(&self.segment.0.to_be_bytes());
        octets
    }

    /// Reads what stands behind a packet; padding is no stamp.
    pub(super) fn read(behind: &[u8]) -> Option<Self> {
        let rest = behind.strip_prefix(&MAGIC)?;
        let (run, rest) = rest.split_first_chunk()?;
        let segment = SegmentId(u16::from_be_bytes(*rest.first_chunk()?));
        Some(Self { run: u64::from_be_bytes(*run), segment })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_not_alike() {
        assert_ne!(Stamp::new_run(), Stamp::new_run());
    }

    #[test]
    fn a_stamp_is_read_back_and_nothing_else_is_one() {
        let stamp = Stamp { run: 0x0102_0304_0506_0708, segment: SegmentId(0x0a0b) };
        let octets = stamp.octets();
        assert_eq!(octets, *b"ARPH\x01\x02\x03\x04\x05\x06\x07\x08\x0a\x0b");
        assert_eq!(Stamp::read(&octets), Some(stamp));
        assert_eq!(Stamp::read(&[&octets[..], &[0; 4]].concat()), Some(stamp), "padding behind it");
        for length in 0..LENGTH {
            assert_eq!(Stamp::read(&octets[..length]), None, "cut off after {length} octets");
        }
        assert_eq!(Stamp::read(&[0; 18]), None);
        assert_eq!(Stamp::read(b"ARPi\x01\x02\x03\x04\x05\x06\x07\x08\x0a\x0b"), None);
    }

    #[test]
    fn a_run_knows_its_own() {
        let stamp = Stamp { run: 7, segment: SegmentId(3) };
        assert_eq!(stamp.seen_by(Some(7)), Mark::Ours(SegmentId(3)));
        assert_eq!((stamp.seen_by(Some(8)), stamp.seen_by(None)), (Mark::Peer, Mark::Peer));
    }
}
