//! Link-layer addresses of any length a link we serve can have.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Octets of an Ethernet or Wi-Fi address.
pub const ETHERNET_LEN: usize = 6;
/// Octets of an IPoIB address: flags, queue pair number (3), GID (16); RFC 4391 section 9.1.1.
pub const IPOIB_LEN: usize = 20;

/// A link-layer address of 0, 6 or 20 octets.
///
/// The empty address stands for "not known": a route adopted at start whose host has not spoken yet, or
/// the frame source on a link whose frames carry none (IPoIB).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LinkAddr {
    len: u8,
    octets: [u8; IPOIB_LEN],
}

/// Why some octets are not a link-layer address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a link-layer address (expected 6 octets as in 02:00:00:00:00:09, or 20 on IPoIB)")]
pub struct NotALinkAddr(String);

impl LinkAddr {
    /// The address that is not known.
    pub const UNKNOWN: Self = Self { len: 0, octets: [0; IPOIB_LEN] };

    /// From 0, 6 or 20 octets; any other length is refused.
    pub fn try_new(octets: &[u8]) -> Option<Self> {
        if !matches!(octets.len(), 0 | ETHERNET_LEN | IPOIB_LEN) {
            return None;
        }
        let mut address = Self::UNKNOWN;
        address.octets[..octets.len()].copy_from_slice(octets);
        address.len = u8::try_from(octets.len()).ok()?;
        Some(address)
    }

    /// A six-octet address.
    pub const fn ethernet(octets: [u8; ETHERNET_LEN]) -> Self {
        let mut wide = [0; IPOIB_LEN];
        let mut at = 0;
        while at < ETHERNET_LEN {
            wide[at] = octets[at];
            at += 1;
        }
        Self { len: 6, octets: wide }
    }

    /// The octets, in wire order.
    pub fn octets(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }

    /// Octets in the address: 0, 6 or 20.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether the address is not known.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether this can be the address of one station: known, not all zeroes, not a group address.
    ///
    /// The group bit is that of IEEE 802; an IPoIB address has a group GID (`ff…`) instead, and its first
    /// octet holds flags (RFC 4391), so the bit there means nothing.
    pub fn is_station(&self) -> bool {
        match self.len() {
            ETHERNET_LEN => self.octets[0] & 1 == 0 && self.octets[..ETHERNET_LEN] != [0; ETHERNET_LEN],
            IPOIB_LEN => self.octets[4] != 0xff && self.octets[4..] != [0; 16],
            _ => false,
        }
    }

    /// Whether it is that of a virtual IPv4 router, which goes from master to master (RFC 9568, section 7.3).
    pub fn is_vrrp(&self) -> bool {
        self.octets().starts_with(&[0x00, 0x00, 0x5e, 0x00, 0x01]) && self.len() == ETHERNET_LEN
    }

    /// Whether this is an Ethernet multicast address. No host may believe that one is another's (RFC 1812, section
    /// 3.3.2), but clusters have them (`03:bf:…`).
    pub fn is_multicast(&self) -> bool {
        self.len() == ETHERNET_LEN && self.octets[0] & 1 == 1 && self.octets[..ETHERNET_LEN] != [0xff; 6]
    }

    /// Whether both name the same interface port.
    ///
    /// On IPoIB the flags octet is a peer's capability, not identity (RFC 4755), and is left out.
    pub fn same_port(&self, other: &Self) -> bool {
        let from = usize::from(self.len() == IPOIB_LEN);
        self.len == other.len && self.octets[from..] == other.octets[from..]
    }

    /// The address as a key for what concerns the port, whatever the flags octet says on IPoIB.
    #[must_use]
    pub fn port(mut self) -> Self {
        if self.len() == IPOIB_LEN {
            self.octets[0] = 0;
        }
        self
    }

    /// Whether both are one IPoIB interface that got another queue pair, as it does with a driver's reload or
    /// a change of mode: the GID stays. Interfaces of one port on other partitions share it, too, so it says
    /// something only of addresses on one link.
    pub fn same_gid(&self, other: &Self) -> bool {
        self.len() == IPOIB_LEN && other.len() == IPOIB_LEN && self.octets[4..] == other.octets[4..]
    }
}

impl Hash for LinkAddr {
    /// In words: an Ethernet address is one of them, an IPoIB address three.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut octets = [0; 24];
        octets[0] = self.len;
        octets[1..=IPOIB_LEN].copy_from_slice(&self.octets);
        let (words, _) = octets.as_chunks();
        for word in words.iter().take(if self.len() > ETHERNET_LEN { 3 } else { 1 }) {
            state.write_u64(u64::from_le_bytes(*word));
        }
    }
}

impl fmt::Display for LinkAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.octets().iter().enumerate() {
            if index > 0 {
                f.write_str(":")?;
            }
            write!(f, "{octet:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for LinkAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LinkAddr {
    type Err = NotALinkAddr;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || NotALinkAddr(text.to_owned());
        if text.is_empty() {
            return Ok(Self::UNKNOWN);
        }
        let mut octets = Vec::with_capacity(IPOIB_LEN);
        for part in text.split(':') {
            if part.len() != 2 || octets.len() == IPOIB_LEN {
                return Err(refuse());
            }
            octets.push(u8::from_str_radix(part, 16).map_err(|_| refuse())?);
        }
        Self::try_new(&octets).ok_or_else(refuse)
    }
}

impl Serialize for LinkAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LinkAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_octets_say_the_same() {
        let address: LinkAddr = "02:00:0a:00:00:01".parse().expect("a well-formed address");
        assert_eq!(address, LinkAddr::ethernet([2, 0, 10, 0, 0, 1]));
        assert_eq!(address.to_string(), "02:00:0a:00:00:01");
        for wrong in ["02:00", "2:0:0:0:0:1", "02-00-0a-00-00-01", "zz:00:0a:00:00:01", "02:00:0a:00:00:01:"]
        {
            assert!(wrong.parse::<LinkAddr>().is_err(), "{wrong} is no address");
        }
    }

    #[test]
    fn flags_octet_of_ipoib_is_not_identity() {
        let mut octets = [7; IPOIB_LEN];
        let plain = LinkAddr::try_new(&octets).expect("20 octets");
        octets[0] = 0x80;
        let connected = LinkAddr::try_new(&octets).expect("20 octets");
        assert_ne!(plain, connected);
        assert!(plain.same_port(&connected));
        octets[19] = 8;
        assert!(!plain.same_port(&LinkAddr::try_new(&octets).expect("20 octets")));
    }
    #[test]
    fn a_new_queue_pair_leaves_the_gid() {
        let mut octets = [7; IPOIB_LEN];
        let old = LinkAddr::try_new(&octets).expect("20 octets");
        (octets[0], octets[3]) = (0x80, 9);
        let new = LinkAddr::try_new(&octets).expect("20 octets");
        assert!(new.same_gid(&old) && !new.same_port(&old));
        assert_ne!(new.port(), old.port());
        octets[3] = 7;
        assert_eq!(LinkAddr::try_new(&octets).expect("20 octets").port(), old.port());
        octets[19] = 8;
        assert!(!new.same_gid(&LinkAddr::try_new(&octets).expect("20 octets")));
        let ethernet = LinkAddr::ethernet([2, 0, 0, 0, 0, 1]);
        assert!(!ethernet.same_gid(&ethernet));
    }

    #[test]
    fn groups_and_zeroes_are_no_station() {
        assert!(!LinkAddr::ethernet([0xff; 6]).is_station());
        assert!(!LinkAddr::ethernet([0; 6]).is_station());
        assert!(!LinkAddr::UNKNOWN.is_station());
        assert!(LinkAddr::ethernet([2, 0, 0, 0, 0, 1]).is_station());
        let cluster = LinkAddr::ethernet([3, 0xbf, 0, 0, 0, 1]);
        assert!(cluster.is_multicast() && !cluster.is_station());
        assert!(!LinkAddr::ethernet([0xff; 6]).is_multicast() && !LinkAddr::UNKNOWN.is_multicast());
    }
}
