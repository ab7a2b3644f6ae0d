//! What the program's maps hold, as values and as octets.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::{LinkAddr, SegmentId};

use super::program::{self, host, link};

/// Whom an entry is for: an address in one domain, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Addresses of two domains have nothing to do with each other.
    pub domain: u32,
    /// The host's address.
    pub address: Ipv4Addr,
}

/// What the program knows of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resident {
    /// Where it lives. Nobody else on that segment gets an answer for it, and it gets answers on no other.
    pub segment: SegmentId,
    /// Its link-layer address; requests with another one are not answered. A host on IPoIB gets no answers.
    pub lladdr: LinkAddr,
    /// Whether it may be answered for on other segments.
    pub answered_for: bool,
}

/// An interface where the program may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whose hosts may ask for each other here.
    pub domain: u32,
    /// Which segment it is.
    pub segment: SegmentId,
    /// What answers say; of 6 octets.
    pub lladdr: LinkAddr,
}

/// What the program noticed of a host since its entry was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Noticed {
    /// Time since it last asked and was answered.
    pub heard: Option<Duration>,
    /// Time since a question of its own, or for it, was last passed on besides the answer.
    pub passed_on: Option<Duration>,
}

impl Subject {
    pub(super) fn key(self) -> [u8; 8] {
        program::key(self.domain, self.address.octets())
    }
}

impl Resident {
    pub(super) fn value(&self) -> [u8; host::SIZE] {
        let mut value = [0; host::SIZE];
        fill(&mut value, host::SEGMENT, &u32::from(self.segment.0).to_ne_bytes());
        let flags = if self.answered_for { host::ANSWERED_FOR } else { 0 };
        fill(&mut value, host::FLAGS, &flags.to_ne_bytes());
        let octets = self.lladdr.octets();
        if octets.len() == 6 {
            fill(&mut value, host::LLADDR, octets);
        }
        value
    }
}

impl Place {
    /// An error if its address is not of 6 octets.
    pub(super) fn value(&self) -> io::Result<[u8; link::SIZE]> {
        let mut value = [0; link::SIZE];
        fill(&mut value, link::DOMAIN, &self.domain.to_ne_bytes());
        fill(&mut value, link::SEGMENT, &u32::from(self.segment.0).to_ne_bytes());
        let octets = self.lladdr.octets();
        if octets.len() != 6 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        fill(&mut value, link::LLADDR, octets);
        Ok(value)
    }
}

impl Noticed {
    /// `now`: as the stamps are.
    pub(super) fn of(value: &[u8; host::SIZE], now: u64) -> Self {
        let since = |stamp: u64| (stamp != 0).then(|| Duration::from_nanos(now.saturating_sub(stamp)));
        Self { heard: since(number(value, host::HEARD)), passed_on: since(number(value, host::PASSED_ON)) }
    }
}

fn fill(value: &mut [u8], offset: usize, octets: &[u8]) {
    value[offset..offset + octets.len()].copy_from_slice(octets);
}

fn number(value: &[u8], offset: usize) -> u64 {
    let mut octets = [0; 8];
    octets.copy_from_slice(&value[offset..offset + 8]);
    u64::from_ne_bytes(octets)
}
