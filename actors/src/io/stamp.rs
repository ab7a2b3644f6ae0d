//! What stands behind the packet in every ARP request of ours, where everybody else sees padding.
//!
//! ```text
//! octets   0..4    "ARPH"
//!          4..12   a number made of this run's secret and the segment
//!         12..14   the segment it was sent on, big-endian
//! ```
//! Every segment has a number of its own, so that who hears one segment cannot write the stamp of another and
//! have us believe that the two are one link.
//!
//! An Ethernet frame has 18 octets to spare behind the packet, so nothing grows there; on IPoIB a request is 14
//! octets longer. A reply carries nothing: who answers from the buffer that held the question sends its last
//! octets back, and would be taken for one of us. So a stamp counts in requests only.

use std::hash::{BuildHasher, DefaultHasher, Hasher};

use arpherd_core::SegmentId;
use arpherd_core::arp::Mark;

/// Octets of a stamp.
pub(super) const LENGTH: usize = 14;
/// By which a stamp is told from padding.
const MAGIC: [u8; 4] = *b"ARPH";

/// One run of the daemon on one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The run's secret; see [`Stamp::new_run`].
    pub run: u64,
    /// The segment.
    pub segment: SegmentId,
}

/// A stamp as it was found behind a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    token: u64,
    segment: SegmentId,
}

impl Stamp {
    /// A random number for a run of the daemon.
    pub fn new_run() -> u64 {
        // The standard library seeds its hash maps from the kernel's random numbers; what an empty hasher
        // gives depends on the seed alone.
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    }

    /// What of it shows on the wire. The hash is SipHash: the secret cannot be told from it.
    pub fn shown(self) -> Seen {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.run);
        hasher.write_u16(self.segment.0);
        Seen { token: hasher.finish(), segment: self.segment }
    }
}

impl Seen {
    /// Whose mark it is to the run that hears it.
    pub fn by(self, run: Option<u64>) -> Mark {
        let own = run.map(|run| Stamp { run, segment: self.segment }.shown());
        if own == Some(self) { Mark::Ours(self.segment) } else { Mark::Peer }
    }

    pub(super) fn octets(self) -> [u8; LENGTH] {
        let mut octets = [0; LENGTH];
        octets[..4].copy_from_slice(&MAGIC);
        octets[4..12].copy_from_slice(&self.token.to_be_bytes());
        octets[12..].copy_from_slice(&self.segment.0.to_be_bytes());
        octets
    }

    /// Reads what stands behind a packet; padding is no stamp.
    pub(super) fn read(behind: &[u8]) -> Option<Self> {
        let rest = behind.strip_prefix(&MAGIC)?;
        let (token, rest) = rest.split_first_chunk()?;
        let segment = SegmentId(u16::from_be_bytes(*rest.first_chunk()?));
        Some(Self { token: u64::from_be_bytes(*token), segment })
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
        let stamp = Seen { token: 0x0102_0304_0506_0708, segment: SegmentId(0x0a0b) };
        let octets = stamp.octets();
        assert_eq!(octets, *b"ARPH\x01\x02\x03\x04\x05\x06\x07\x08\x0a\x0b");
        assert_eq!(Seen::read(&octets), Some(stamp));
        assert_eq!(Seen::read(&[&octets[..], &[0; 4]].concat()), Some(stamp), "padding behind it");
        for length in 0..LENGTH {
            assert_eq!(Seen::read(&octets[..length]), None, "cut off after {length} octets");
        }
        assert_eq!(Seen::read(&[0; 18]), None);
        assert_eq!(Seen::read(b"ARPi\x01\x02\x03\x04\x05\x06\x07\x08\x0a\x0b"), None);
    }

    #[test]
    fn a_run_knows_its_own() {
        let stamp = Stamp { run: 7, segment: SegmentId(3) };
        let seen = stamp.shown();
        assert_eq!(seen.by(Some(7)), Mark::Ours(SegmentId(3)));
        assert_eq!((seen.by(Some(8)), seen.by(None)), (Mark::Peer, Mark::Peer));
        let forged = Seen { segment: SegmentId(4), ..seen };
        assert_eq!(forged.by(Some(7)), Mark::Peer, "the number of one segment is worth nothing for another");
    }
}
