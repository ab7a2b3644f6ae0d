//! The mark behind the packet in every ARP request of ours, where everybody else sees padding.
//!
//! ```text
//! octets   0..4    "ARPH"
//!          4..12   the secret of this run and segment: a random number
//!         12..14   the segment it was sent on, big-endian
//! ```
//! An Ethernet frame has 18 octets to spare behind the packet, so nothing grows there; on IPoIB a request is 14
//! octets longer. A reply carries no mark: a host that answers from the buffer that held the request sends its last
//! octets back, and would be taken for one of us. So a mark counts in requests only.
//!
//! # What the secret gives
//! The secrets are 64 bits each from the kernel's generator (getrandom(2)), drawn for every run and every
//! segment, and independent of each other. A station that has not received a request from a segment cannot forge
//! that segment's mark but by guessing, and learns nothing about it from the marks of others.
//!
//! It gives no more than that. The mark is the secret itself and is not encrypted: every station on a segment reads
//! it in every broadcast request, and can repeat it on any segment where it can send. One that is on two of our
//! segments can so pretend that they are bridged, which a real bridge between them also does. What follows is the
//! same: nothing is proxied between the two.

use std::io;
use std::sync::Arc;

use arpherd_core::SegmentId;
use arpherd_core::arp::{Arp, Mark, Operation};
use rustix::rand::{GetRandomFlags, getrandom};

/// Octets of a mark.
pub(super) const LENGTH: usize = 14;
/// By what a mark is distinguished from padding.
pub(super) const MAGIC: [u8; 4] = *b"ARPH";
/// `ar$tha` of a request that the program inside the kernel has answered and passes on; no manufacturer's. It does not leave
/// this machine. A station that sends it gets no answer, and nobody else is concerned.
pub(super) const ANSWERED: [u8; 6] = [0x02, b'A', b'R', b'P', b'H', b'!'];

/// What one run of the daemon marks the requests of one segment with, and knows the marks of its other segments by.
#[derive(Debug, Clone)]
pub struct MarkKey {
    /// Those of the run, by [`SegmentId::index`].
    secrets: Arc<[u64]>,
    segment: SegmentId,
}

/// A mark as it stands behind a packet, of any sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireMark {
    secret: u64,
    segment: SegmentId,
}

impl MarkKey {
    /// Draws the secrets of a run with so many segments, and gives one key for each, in the order of their ids.
    ///
    /// # Errors
    /// If the kernel gives no random numbers, as under a sandbox that forbids getrandom(2).
    pub fn draw(segments: usize) -> io::Result<Vec<Self>> {
        let secrets = random(segments)?;
        let ids = (0..=u16::MAX).map(SegmentId).take(segments);
        Ok(ids.map(|segment| Self { secrets: secrets.clone(), segment }).collect())
    }

    /// The mark that goes behind requests on the key's segment.
    pub fn mark(&self) -> WireMark {
        let secret = self.secrets.get(self.segment.index()).copied().unwrap_or_default();
        WireMark { secret, segment: self.segment }
    }

    /// Whether a mark that was received on any segment is of this run.
    pub fn judge(&self, mark: WireMark) -> Mark {
        match self.secrets.get(mark.segment.index()) {
            Some(secret) if *secret == mark.secret => Mark::Ours(mark.segment),
            _ => Mark::Peer,
        }
    }
}

/// Whose mark a packet bears, on a link with this key if it has one.
pub(super) fn judge(key: Option<&MarkKey>, arp: &Arp, mark: Option<WireMark>) -> Option<Mark> {
    let is_answered = arp.operation == Operation::Request && arp.target_lladdr.octets() == ANSWERED;
    match mark {
        Some(mark) => Some(key.map_or(Mark::Peer, |key| key.judge(mark))),
        None => is_answered.then_some(Mark::Answered),
    }
}

fn random(count: usize) -> io::Result<Arc<[u64]>> {
    /// So many octets are given whole (getrandom(2)).
    const WHOLE: usize = 256;
    let mut octets = vec![[0; 8]; count];
    for chunk in octets.as_flattened_mut().chunks_mut(WHOLE) {
        if getrandom(&mut *chunk, GetRandomFlags::empty())? < chunk.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(octets.into_iter().map(u64::from_ne_bytes).collect())
}

impl WireMark {
    pub(super) fn octets(self) -> [u8; LENGTH] {
        let mut octets = [0; LENGTH];
        octets[..4].copy_from_slice(&MAGIC);
        octets[4..12].copy_from_slice(&self.secret.to_be_bytes());
        octets[12..].copy_from_slice(&self.segment.0.to_be_bytes());
        octets
    }

    /// Reads what stands behind a packet; padding is no mark.
    pub(super) fn read(behind: &[u8]) -> Option<Self> {
        let rest = behind.strip_prefix(&MAGIC)?;
        let (secret, rest) = rest.split_first_chunk()?;
        let segment = SegmentId(u16::from_be_bytes(*rest.first_chunk()?));
        Some(Self { secret: u64::from_be_bytes(*secret), segment })
    }

    #[cfg(test)]
    pub(super) const fn new(secret: u64, segment: SegmentId) -> Self {
        Self { secret, segment }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_runs_and_of_segments_are_not_alike() {
        let (one, other) =
            (MarkKey::draw(2).expect("random numbers"), MarkKey::draw(2).expect("random numbers"));
        let secrets: Vec<u64> = [one, other].concat().iter().map(|key| key.mark().secret).collect();
        for (at, secret) in secrets.iter().enumerate() {
            assert!(!secrets[..at].contains(secret), "{secrets:?}");
        }
    }

    #[test]
    fn a_mark_is_read_back_and_nothing_else_is_one() {
        let mark = WireMark { secret: 0x0102_0304_0506_0708, segment: SegmentId(0x0a0b) };
        let octets = mark.octets();
        assert_eq!(octets, *b"ARPH\x01\x02\x03\x04\x05\x06\x07\x08\x0a\x0b");
        assert_eq!(WireMark::read(&octets), Some(mark));
        assert_eq!(WireMark::read(&[&octets[..], &[0; 4]].concat()), Some(mark), "padding behind it");
        for length in 0..LENGTH {
            assert_eq!(WireMark::read(&octets[..length]), None, "cut off after {length} octets");
        }
        assert_eq!(WireMark::read(&[0; 18]), None);
        assert_eq!(WireMark::read(b"ARPi\x01\x02\x03\x04\x05\x06\x07\x08\x0a\x0b"), None);
    }

    #[test]
    fn a_run_knows_its_own() {
        let (keys, others) =
            (MarkKey::draw(4).expect("random numbers"), MarkKey::draw(4).expect("random numbers"));
        let mark = keys[3].mark();
        for key in &keys {
            assert_eq!(key.judge(mark), Mark::Ours(SegmentId(3)), "on any of its segments");
        }
        assert_eq!(others[3].judge(mark), Mark::Peer);
        for segment in [2, 4, u16::MAX] {
            let forged = WireMark { segment: SegmentId(segment), ..mark };
            assert_eq!(
                keys[3].judge(forged),
                Mark::Peer,
                "the secret of one segment is worth nothing for another"
            );
        }
    }
}
